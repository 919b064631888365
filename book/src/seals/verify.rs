//! Reads the book again, and holds it against its seals.
//!
//! The seals say of stretches of positions what their events were. They are read in pages over one connection, and the
//! events over another, all by one COPY: so a book of any size takes the same small memory, and the time of reading it once.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures::Stream;
use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;

use super::exported::Exported;
use super::finding::{Covers, Finding};
use super::leaves::{FORMATS, Format, Leaf, Leaves, Root, in_time, leaves};
use super::{Digest, PublicKey, Seal, place, store};
use crate::BookError;

/// Between two words on how far it is, in seconds.
const TOLD_SECONDS: u64 = 1;
/// Events that are not sealed yet, read between two looks at the clock.
const ROWS_AT_ONCE: usize = 1_000;

/// What is to be verified, and by what.
pub struct Wanted<'a> {
    /// The position to begin at; what the seal before it says is believed.
    pub from: i64,
    /// The keys whose seals are believed.
    pub keys: &'a [PublicKey],
    pub exported: Option<Exported>,
    /// Told now and then how far it is: the position, and how far it has to go.
    pub told: &'a (dyn Fn(i64, i64) + Sync),
}

/// What was looked at.
#[derive(Debug, Clone)]
pub struct Report {
    /// The first position that was looked at.
    pub from: i64,
    /// The last position that was as it was sealed.
    pub verified: i64,
    pub seals: u64,
    pub seconds: f64,
    /// How many events come after the last seal, and when the first of them was recorded.
    pub unsealed: i64,
    pub unsealed_since: Option<DateTime<Utc>>,
    /// The keys and the histories of the seals, each with the number of the first seal that names it.
    pub keys: Vec<(PublicKey, i64)>,
    pub histories: Vec<(String, i64)>,
    /// Columns of the table of events that this version does not know, and no seal covers.
    pub uncovered: Vec<String>,
    /// What is wrong, if anything is.
    pub finding: Option<Finding>,
}

/// Why the book could not be verified; says nothing of whether it is as it was.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error(transparent)]
    Book(#[from] BookError),
    #[error("the exported seals cannot be used: {0}; name a file as `daybook seal export` prints it")]
    Exported(String),
    #[error("the book has no seals: serve with DAYBOOK_SEAL_KEY to have it sealed")]
    NoSeals,
    #[error("position {from} is not sealed: seals end at {sealed}; begin at a position up to that")]
    BeyondSeals { from: i64, sealed: i64 },
    #[error("seal {number} is of format {format}, which this version does not know; verify with the newer one")]
    NewerNeeded { number: i64, format: i16 },
}

/// Verifies the book from a position on, up to the first thing that is wrong.
///
/// # Errors
/// When it cannot be verified: [`VerifyError`].
pub async fn verify(options: &PgConnectOptions, wanted: Wanted<'_>) -> Result<Report, VerifyError> {
    let (mut seals, mut events) = (store::connect(options).await?, store::connect(options).await?);
    // Seals that are made from here on are of events that the COPY below may not see.
    let last = store::last(&mut seals, 1).await?.pop().ok_or(VerifyError::NoSeals)?;
    let beyond = VerifyError::BeyondSeals {
        from: wanted.from,
        sealed: last.to,
    };
    let first = store::covering(&mut seals, wanted.from).await?.ok_or(beyond)?;
    let mut run = Run {
        began: Instant::now(),
        told_at: Instant::now(),
        wanted,
        former: None,
        page: Vec::new().into_iter(),
        last,
        report: Report {
            from: 1,
            verified: 0,
            seals: 0,
            seconds: 0.0,
            unsealed: 0,
            unsealed_since: None,
            keys: Vec::new(),
            histories: Vec::new(),
            uncovered: Vec::new(),
            finding: None,
        },
    };
    if let Some(latest) = FORMATS.last() {
        run.report.uncovered = store::uncovered(&mut seals, latest).await?;
    }
    run.report.finding = run.all(&mut seals, &mut events, &first).await?;
    run.report.seconds = run.began.elapsed().as_secs_f64();
    if run.report.finding.is_none() && run.report.unsealed > 0 {
        run.report.unsealed_since = store::recorded_at(&mut seals, run.last.to + 1).await?;
    }
    Ok(run.report)
}

/// A verification under way.
struct Run<'a> {
    wanted: Wanted<'a>,
    began: Instant,
    told_at: Instant,
    /// The seal before the one that comes next.
    former: Option<Seal>,
    /// Seals that were read and not looked at yet.
    page: std::vec::IntoIter<Seal>,
    /// The last seal that is to be looked at.
    last: Seal,
    report: Report,
}

impl Run<'_> {
    async fn all(
        &mut self,
        seals: &mut PgConnection,
        events: &mut PgConnection,
        first: &Seal,
    ) -> Result<Option<Finding>, VerifyError> {
        if let Some(finding) = self.begin(seals, first).await? {
            return Ok(Some(finding));
        }
        while let Some((number, format)) = self.next(seals).await?.map(|next| (next.number, next.format)) {
            // Of all that there is when it is verified from its beginning, also before the first position.
            let after = self.former.as_ref().map(|former| former.to);
            let to = store::before_other_format(seals, number, format).await?;
            // One that no version knows is told of with its seal, once that is known to be Daybook's.
            let columns = Format::numbered(format).unwrap_or(&FORMATS[0]);
            let mut rows = leaves(events, columns, after, to).await?;
            while self.next(seals).await?.is_some_and(|next| next.format == format)
                && let Some(seal) = self.page.next()
            {
                if let Some(finding) = self.seal(&seal)? {
                    return Ok(Some(finding));
                }
                if columns.number != format {
                    let number = seal.number;
                    return Err(VerifyError::NewerNeeded { number, format });
                }
                if in_time(root(&mut rows, &seal)).await? != Some(seal.root) {
                    return Ok(Some(self.place(seals, columns, &seal).await?));
                }
                self.report.verified = seal.to;
                self.report.seals += 1;
                self.tell();
                self.former = Some(seal);
            }
            if to.is_none()
                && let Some(finding) = self.rest(&mut rows).await?
            {
                return Ok(Some(finding));
            }
        }
        let exported = self.wanted.exported.as_mut();
        exported.map_or(Ok(None), |exported| exported.rest(&self.last, self.wanted.keys))
    }

    /// Takes the seal before the first one, which is where this begins.
    async fn begin(&mut self, seals: &mut PgConnection, first: &Seal) -> Result<Option<Finding>, VerifyError> {
        let number = first.number - 1;
        if self.wanted.from <= 1 || number == 0 {
            return Ok(None);
        }
        let Some(former) = store::page(seals, number - 1, number).await?.pop() else {
            return Ok(Some(Finding::SealMissing { number }));
        };
        let finding = match &mut self.wanted.exported {
            Some(exported) => exported.differs(&former, self.wanted.keys)?,
            None => None,
        };
        let finding = finding.or_else(|| self.is_trusted(&former));
        self.report.from = former.to + 1;
        self.report.verified = former.to;
        self.former = Some(former);
        Ok(finding)
    }

    /// The number of the seal that comes next.
    fn number(&self) -> i64 {
        self.former.as_ref().map_or(1, |former| former.number + 1)
    }

    /// The seal that comes next in `page`, which is read when it is empty; `None` after the last one.
    async fn next(&mut self, seals: &mut PgConnection) -> Result<Option<&Seal>, BookError> {
        if self.page.as_slice().is_empty() {
            let page = store::page(seals, self.number() - 1, self.last.number).await?;
            self.page = page.into_iter();
        }
        Ok(self.page.as_slice().first())
    }

    /// Whether a seal is one of this book, by itself.
    fn seal(&mut self, seal: &Seal) -> Result<Option<Finding>, VerifyError> {
        let number = self.number();
        if seal.number > number {
            return Ok(Some(Finding::SealMissing { number }));
        }
        if let Some(exported) = &mut self.wanted.exported
            && let Some(finding) = exported.differs(seal, self.wanted.keys)?
        {
            return Ok(Some(finding));
        }
        if !seal.follows(self.former.as_ref()) {
            return Ok(Some(Finding::SealChanged(Covers::from(seal))));
        }
        if self.report.keys.last().is_none_or(|(key, _)| *key != seal.key) {
            self.report.keys.push((seal.key, seal.number));
        }
        if self
            .report
            .histories
            .last()
            .is_none_or(|(history, _)| *history != seal.history)
        {
            self.report.histories.push((seal.history.clone(), seal.number));
        }
        Ok(self.is_trusted(seal))
    }

    fn is_trusted(&self, seal: &Seal) -> Option<Finding> {
        let (covers, key) = (Covers::from(seal), seal.key);
        if !self.wanted.keys.contains(&key) {
            return Some(Finding::UnknownKey { seal: covers, key });
        }
        (!seal.is_signed()).then_some(Finding::NotSigned { seal: covers, key })
    }

    /// Where the events of a seal are not what was sealed: they are read once more, with those of the seal after it.
    async fn place(
        &self,
        connection: &mut PgConnection,
        format: &'static Format,
        seal: &Seal,
    ) -> Result<Finding, VerifyError> {
        let covers = Covers::from(seal);
        let end = store::end(connection).await?;
        let stored = store::leaves(connection, seal.number).await?.unwrap_or_default();
        if Root::of(&stored) != seal.root {
            return Ok(Finding::Events(covers));
        }
        let following = store::page(connection, seal.number, seal.number + 1).await?.pop();
        let following = following.filter(|next| next.follows(Some(seal)) && next.format == seal.format);
        let mut sealed = digests(&stored);
        let mut to = seal.to;
        if let Some(next) = following {
            let stored = store::leaves(connection, next.number).await?.unwrap_or_default();
            if Root::of(&stored) == next.root {
                sealed.extend(digests(&stored));
                to = next.to;
            }
        }
        let after = self.former.as_ref().map(|former| former.to);
        let mut rows = leaves(connection, format, after, Some(to)).await?;
        let mut found = Vec::new();
        // As many as there can be, and one more: somebody who dropped the primary key may have put any number in.
        while found.len() <= sealed.len() + 1
            && let Some(leaf) = in_time(rows.next()).await?
        {
            found.push(leaf);
        }
        Ok(match place::first(seal.from, &sealed, &found) {
            Some(place::Place::Deleted { from, .. }) if from > end => Finding::CutOff {
                end,
                sealed: self.last.to,
            },
            Some(place) => Finding::Event { seal: covers, place },
            // Changed back in the meantime.
            None => Finding::Events(covers),
        })
    }

    /// Reads the events that are not sealed yet: none may be missing among them.
    async fn rest<S, B>(&mut self, rows: &mut Leaves<S>) -> Result<Option<Finding>, VerifyError>
    where
        S: Stream<Item = Result<B, sqlx::Error>> + Unpin,
        B: AsRef<[u8]>,
    {
        loop {
            let page = in_time(page(rows)).await?;
            if page.is_empty() {
                return Ok(None);
            }
            for leaf in page {
                let position = self.last.to + self.report.unsealed + 1;
                if leaf.position != position {
                    let found = leaf.position;
                    return Ok(Some(Finding::Unsealed { position, found }));
                }
                self.report.unsealed += 1;
            }
        }
    }

    fn tell(&mut self) {
        if self.told_at.elapsed() > Duration::from_secs(TOLD_SECONDS) {
            self.told_at = Instant::now();
            (self.wanted.told)(self.report.verified, self.last.to);
        }
    }
}

/// The root of the events that a seal covers; `None` when they are not those that come next.
async fn root<S, B>(rows: &mut Leaves<S>, seal: &Seal) -> Result<Option<Digest>, BookError>
where
    S: Stream<Item = Result<B, sqlx::Error>> + Unpin,
    B: AsRef<[u8]>,
{
    let mut root = Root::default();
    for position in seal.from..=seal.to {
        match rows.next().await? {
            Some(leaf) if leaf.position == position => root.add(&leaf.digest),
            Some(_) | None => return Ok(None),
        }
    }
    Ok(Some(root.digest()))
}

async fn page<S, B>(rows: &mut Leaves<S>) -> Result<Vec<Leaf>, BookError>
where
    S: Stream<Item = Result<B, sqlx::Error>> + Unpin,
    B: AsRef<[u8]>,
{
    let mut page = Vec::with_capacity(ROWS_AT_ONCE);
    while page.len() < ROWS_AT_ONCE
        && let Some(leaf) = rows.next().await?
    {
        page.push(leaf);
    }
    Ok(page)
}

fn digests(leaves: &[u8]) -> Vec<Digest> {
    leaves.as_chunks().0.to_vec()
}
