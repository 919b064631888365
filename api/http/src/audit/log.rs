//! Looks for events in the book. The book has no index but position and stream, so a search goes
//! through it in windows and stops after so many events; the caller goes on from there. The indexed
//! search will be a projection of its own.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use domain::Recorded;
use uuid::Uuid;

use crate::app::App;
use crate::auth::Principal;
use crate::problem::Problem;
use crate::redaction;

/// Events shown at once, unless asked otherwise and at most.
pub const PAGE_EVENTS: i64 = 50;
pub const PAGE_EVENTS_MAX: i64 = 500;
/// Events looked at by one statement.
pub const WINDOW_EVENTS: i64 = 5_000;
/// Events looked at for one request that has found something.
pub const SCANNED_EVENTS_MAX: i64 = 50_000;
/// How long a page of the log is looked for that has found nothing yet, in seconds: a book is larger than what one
/// request looks at, and a page without events is no page.
pub const PAGE_SECONDS_MAX: u64 = 10;

/// Bytes of payloads and metadata shown at once; the last event may exceed it.
pub const PAGE_BYTES_MAX: i64 = 1 << 20;

macro_rules! select_matching {
    ($rest:literal) => {
        concat!(
            "select position, octet_length(payload::text) + octet_length(metadata::text) from book.events
             where position > $1 and position <= $2 and tenant_id = $3
               and ($4::text[] is null or aggregate_type = any($4)) and ($5::text is null or aggregate_id = $5)
               and ($6::text is null or event_type = $6)
               and ($7::text is null or metadata->>'actor' = $7)
               and ($8::text is null or metadata->>'correlation_id' = $8) ",
            $rest
        )
    };
}

/// The events that are looked for; `None` is any.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub tenant: Uuid,
    /// The kinds of stream, by their stored names. Named, they have a search for one stream use its index.
    pub types: Option<Vec<String>>,
    /// The name of an event: `UserRegistered`.
    pub event_type: Option<String>,
    pub stream: Option<Uuid>,
    pub actor: Option<Uuid>,
    pub correlation: Option<Uuid>,
}

/// Positions from `above` (not included) to `upto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub above: i64,
    pub upto: i64,
}

/// How much of what matches is wanted at once.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub events: i64,
    /// Of payloads and metadata; the last event may exceed it.
    pub bytes: i64,
    /// How long to go on beyond [`SCANNED_EVENTS_MAX`] while nothing is found.
    pub patience: Duration,
}

/// The result of a search.
#[derive(Debug)]
pub struct Found {
    /// In the order of the search.
    pub events: Vec<Recorded<String>>,
    /// The positions that are left to look at; `None` when none are.
    pub rest: Option<Range>,
}

/// Searches a range from its low end, or from its high end backwards. Each window is a turn of its own, so that a long
/// search keeps nobody waiting for longer than a short one does.
///
/// # Errors
/// The database's error; 429 or 503 when it does not get its turns.
pub async fn search(
    app: &App,
    by: &Principal,
    wanted: &Wanted,
    mut range: Range,
    backwards: bool,
    size: Size,
) -> Result<Found, Problem> {
    let (mut events, mut scanned, mut bytes) = (Vec::new(), 0, size.bytes);
    let (mut visible, tail, begun) = (Visible::default(), app.tail.clone(), Instant::now());
    let goes_on = |scanned: i64, found: &[Recorded<String>]| {
        scanned < SCANNED_EVENTS_MAX || (found.is_empty() && begun.elapsed() < size.patience)
    };
    while range.above < range.upto && goes_on(scanned, &events) {
        let _turn = app.log_turn(by.bearer()).await?;
        let part = window(wanted, range, backwards);
        let left = size.events - i64::try_from(events.len()).unwrap_or(size.events);
        let hits = matching(app, wanted, part, backwards, left, &mut bytes).await?;
        let mut rest = hits.positions.as_slice();
        while !rest.is_empty() {
            let found = tail.at(rest).await?;
            if found.is_empty() {
                break;
            }
            rest = &rest[found.len()..];
            for recorded in found {
                if visible.shows(app, by, &recorded).await? {
                    events.push(recorded);
                }
            }
        }
        match (backwards, hits.cut_at) {
            (false, cut_at) => range.above = cut_at.unwrap_or(part.upto),
            (true, cut_at) => range.upto = cut_at.map_or(part.above, |position| position - 1),
        }
        scanned = scanned.saturating_add(part.upto - part.above);
        if bytes <= 0 || i64::try_from(events.len()).is_ok_and(|found| found >= size.events) {
            break;
        }
    }
    let rest = Some(range).filter(|range| range.above < range.upto);
    let events = tail.with_texts(events).await?;
    Ok(Found { events, rest })
}

/// The part of a range that is looked at next.
fn window(wanted: &Wanted, range: Range, backwards: bool) -> Range {
    // A stream has an index, so its whole range is one window.
    let size = if wanted.stream.is_some() {
        i64::MAX
    } else {
        WINDOW_EVENTS
    };
    let size = size.min(range.upto - range.above);
    if backwards {
        Range {
            above: range.upto - size,
            ..range
        }
    } else {
        Range {
            upto: range.above + size,
            ..range
        }
    }
}

/// Matching events of one window, in the order of the search.
struct Matching {
    positions: Vec<i64>,
    /// The last of them, when there may be more behind it: so many, or so many bytes, are enough.
    cut_at: Option<i64>,
}

async fn matching(
    app: &App,
    wanted: &Wanted,
    range: Range,
    backwards: bool,
    limit: i64,
    bytes: &mut i64,
) -> Result<Matching, Problem> {
    const FORWARDS: &str = select_matching!("order by position limit $9");
    const BACKWARDS: &str = select_matching!("order by position desc limit $9");
    let found: Vec<(i64, i32)> = sqlx::query_as(if backwards { BACKWARDS } else { FORWARDS })
        .bind(range.above)
        .bind(range.upto)
        .bind(wanted.tenant)
        .bind(wanted.types.as_deref())
        .bind(wanted.stream.map(|stream| stream.to_string()))
        .bind(&wanted.event_type)
        .bind(wanted.actor.map(|actor| actor.to_string()))
        .bind(wanted.correlation.map(|correlation| correlation.to_string()))
        .bind(limit)
        // The plan depends on whether there is a stream.
        .persistent(false)
        .fetch_all(app.tail.pool())
        .await?;
    let all = i64::try_from(found.len()).is_ok_and(|found| found < limit);
    let mut positions = Vec::with_capacity(found.len());
    for &(position, size) in &found {
        if *bytes <= 0 {
            break;
        }
        *bytes -= i64::from(size);
        positions.push(position);
    }
    let cut = !all || positions.len() < found.len();
    let cut_at = positions.last().copied().filter(|_| cut);
    Ok(Matching { positions, cut_at })
}

/// Which streams somebody sees, remembered for the length of one search.
#[derive(Debug, Default)]
pub struct Visible(HashMap<(&'static str, Uuid), bool>);

impl Visible {
    /// Whether the principal may see the event: not when its stream belongs to a department out of
    /// their reach.
    ///
    /// # Errors
    /// The failure of the book.
    pub async fn shows(&mut self, app: &App, by: &Principal, recorded: &Recorded<String>) -> Result<bool, Problem> {
        if recorded.tenant_id != by.tenant {
            return Ok(false);
        }
        if by.sees_all_departments() {
            return Ok(true);
        }
        // What tells of another stream is shown like that one.
        let (aggregate_type, stream) =
            redaction::about(recorded).unwrap_or((&*recorded.aggregate_type, recorded.stream));
        let Some(aggregate) = app.contexts.aggregate(aggregate_type) else {
            // Of a context that this program is without: whether departments hold such streams is not known here.
            return Ok(false);
        };
        if !aggregate.scoped {
            return Ok(true);
        }
        let key = (aggregate.aggregate_type, stream);
        if let Some(&shows) = self.0.get(&key) {
            return Ok(shows);
        }
        let state = match app.book.any_state(by.tenant, aggregate.fact(stream)).await {
            // Nobody knows where it belongs, so it is for those who see all departments.
            Err(error) if !error.is_transient() => None,
            state => state?,
        };
        let shows = match state.as_ref().and_then(|state| aggregate.home(state)) {
            Some(department) => app.principals.reaches(by, department).await?,
            None => false,
        };
        self.0.insert(key, shows);
        Ok(shows)
    }
}
