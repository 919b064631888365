//! The leaf of an event: a digest over all that is stored of it. Sealer and verifier make it by the one function here, of
//! the bytes that Postgres sends for a row.
//!
//! Postgres' binary COPY sends each row as its number of fields, and each field as its length and its bytes. So a row is
//! hashed as it comes, without a look into it: payload and metadata are `json`, which Postgres hands out byte for byte
//! as they were written. The position is the first column and no part of the leaf: a seal says of which position
//! its first leaf is, and the others follow. So an event that was moved is known by its leaf, wherever it is now.

use std::collections::VecDeque;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;

use super::Digest;
use crate::BookError;

/// How long the database may keep a reader of the book waiting for the next rows, in seconds.
pub(super) const ROWS_SECONDS_MAX: u64 = 20;

/// The first words of a leaf and of a root; a leaf's have the number of its format after them. Stored for ever.
const LEAF_WORDS: &[u8] = b"daybook leaf ";
const ROOT_WORDS: &[u8] = b"daybook root 1\n";

/// What binary COPY begins with: a signature, flags, and the length of an extension that there is none of.
const COPY_BEGINS: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What comes in the place of a number of fields after the last row.
const COPY_ENDS: i16 = -1;
/// A field's length when it is null.
const NULL: i32 = -1;

/// The columns that a seal covers.
#[derive(Debug, PartialEq, Eq)]
pub struct Format {
    pub number: i16,
    /// In the order in which they are hashed; `position` is the first of every format.
    pub columns: &'static [&'static str],
}

/// All formats that there ever were; the last one is sealed by. Stored for ever: a migration that adds a column to
/// `book.events` brings a new format with it, and seals of before are checked by theirs. A test compares the last one with
/// the table. No migration renames a column or changes its type, which would make every seal of before wrong.
pub const FORMATS: &[Format] = &[Format {
    number: 1,
    columns: &[
        "position",
        "event_id",
        "tenant_id",
        "aggregate_type",
        "aggregate_id",
        "sequence",
        "event_type",
        "event_version",
        "payload",
        "metadata",
        "recorded_at",
    ],
}];

impl Format {
    /// The format that is sealed by.
    pub(super) fn latest() -> Option<&'static Self> {
        FORMATS.last()
    }

    pub(super) fn numbered(number: i16) -> Option<&'static Self> {
        FORMATS.iter().find(|format| format.number == number)
    }

    /// Asks for the events after a position (`None`: for all, also where no event should be) and up to one, in order.
    fn copy(&self, after: Option<i64>, to: Option<i64>) -> String {
        let columns = self.columns.join(", ");
        let after = after.map_or("true".to_owned(), |after| format!("position > {after}"));
        let to = to.map_or("true".to_owned(), |to| format!("position <= {to}"));
        format!(
            "copy (select {columns} from book.events where {after} and {to} order by position) to stdout (format binary)"
        )
    }
}

/// An event as seals see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf {
    pub position: i64,
    pub digest: Digest,
}

/// The digest over leaves, in the order of their positions.
pub(super) struct Root(Sha256);

impl Default for Root {
    fn default() -> Self {
        Self(Sha256::new_with_prefix(ROOT_WORDS))
    }
}

impl Root {
    pub fn add(&mut self, leaf: &Digest) {
        self.0.update(leaf);
    }

    pub fn digest(self) -> Digest {
        self.0.finalize().into()
    }

    /// The root of leaves that are stored one after another.
    pub fn of(leaves: &[u8]) -> Digest {
        Sha256::new_with_prefix(ROOT_WORDS)
            .chain_update(leaves)
            .finalize()
            .into()
    }
}

/// Events of the book as they are read from it. A connection whose rows were not all taken must not be used again.
pub(super) struct Leaves<S> {
    stream: S,
    rows: Rows,
    ready: VecDeque<Leaf>,
}

/// Begins to read the events after a position and up to one, as [`Format::copy`] says.
pub(super) async fn leaves<'c>(
    connection: &'c mut PgConnection,
    format: &'static Format,
    after: Option<i64>,
    to: Option<i64>,
) -> Result<Leaves<impl Stream<Item = Result<impl AsRef<[u8]> + 'c, sqlx::Error>> + Unpin + Send + 'c>, BookError> {
    let copy = format.copy(after, to);
    let stream = in_time(async { Ok(connection.copy_out_raw(&copy).await?) }).await?;
    Ok(Leaves {
        stream,
        rows: Rows::new(format),
        ready: VecDeque::new(),
    })
}

impl<S, B> Leaves<S>
where
    S: Stream<Item = Result<B, sqlx::Error>> + Unpin,
    B: AsRef<[u8]>,
{
    /// The next event; `None` after the last. Sets no limit of time, which would be one for each row: see [`in_time`].
    pub async fn next(&mut self) -> Result<Option<Leaf>, BookError> {
        loop {
            if let Some(leaf) = self.ready.pop_front() {
                return Ok(Some(leaf));
            }
            match self.stream.next().await {
                Some(chunk) => self.rows.take(chunk?.as_ref(), &mut self.ready)?,
                None if self.rows.ended => return Ok(None),
                None => return Err(broken("they end in the middle")),
            }
        }
    }
}

/// What the database answers within [`ROWS_SECONDS_MAX`].
pub(super) async fn in_time<T>(asking: impl Future<Output = Result<T, BookError>>) -> Result<T, BookError> {
    crate::pools::answered_within(Duration::from_secs(ROWS_SECONDS_MAX), asking).await
}

/// Takes the rows out of what binary COPY sends, wherever it is cut.
struct Rows {
    fields: usize,
    /// A hash that has the first words of a leaf in it.
    leaf: Sha256,
    /// What came of a row that is not whole yet.
    pending: Vec<u8>,
    begun: bool,
    ended: bool,
}

impl Rows {
    fn new(format: &Format) -> Self {
        let words = [LEAF_WORDS, format!("{}\n", format.number).as_bytes()].concat();
        Self {
            fields: format.columns.len(),
            leaf: Sha256::new_with_prefix(words),
            pending: Vec::new(),
            begun: false,
            ended: false,
        }
    }

    fn take(&mut self, chunk: &[u8], into: &mut VecDeque<Leaf>) -> Result<(), BookError> {
        if self.pending.is_empty() {
            // As Postgres sends them: whole rows, which need not be copied.
            let taken = self.whole(chunk, into)?;
            self.pending.extend_from_slice(&chunk[taken..]);
        } else {
            self.pending.extend_from_slice(chunk);
            let pending = std::mem::take(&mut self.pending);
            let taken = self.whole(&pending, into)?;
            self.pending.extend_from_slice(&pending[taken..]);
        }
        Ok(())
    }

    /// Takes all rows that are whole, and says how many bytes those were.
    fn whole(&mut self, bytes: &[u8], into: &mut VecDeque<Leaf>) -> Result<usize, BookError> {
        let mut taken = 0;
        if !self.begun {
            let Some(begins) = bytes.get(..COPY_BEGINS.len()) else {
                return Ok(0);
            };
            if begins != COPY_BEGINS {
                return Err(broken("they do not begin as binary COPY does"));
            }
            self.begun = true;
            taken = COPY_BEGINS.len();
        }
        while let Some(row) = self.row(&bytes[taken..])? {
            let (length, leaf) = row;
            taken += length;
            into.extend(leaf);
        }
        Ok(taken)
    }

    /// The first row, and how long it is; `None` when it is not whole yet. The end has a length, and no leaf.
    fn row(&mut self, bytes: &[u8]) -> Result<Option<(usize, Option<Leaf>)>, BookError> {
        let Some(count) = bytes.first_chunk().map(|count| i16::from_be_bytes(*count)) else {
            return Ok(None);
        };
        if self.ended {
            return Err(broken("they go on after their end"));
        }
        if count == COPY_ENDS {
            self.ended = true;
            return Ok(Some((size_of::<i16>(), None)));
        }
        if usize::try_from(count) != Ok(self.fields) {
            return Err(broken("a row has another number of columns"));
        }
        let mut end = size_of::<i16>();
        for _ in 0..self.fields {
            let Some(length) = bytes[end..].first_chunk().map(|length| i32::from_be_bytes(*length)) else {
                return Ok(None);
            };
            end += size_of::<i32>();
            end += match usize::try_from(length) {
                Ok(length) => length,
                Err(_) if length == NULL => 0,
                Err(_) => return Err(broken("a column is shorter than nothing")),
            };
            if end > bytes.len() {
                return Ok(None);
            }
        }
        let (position, rest) = position(&bytes[size_of::<i16>()..end])?;
        let digest = self.leaf.clone().chain_update(rest).finalize().into();
        Ok(Some((end, Some(Leaf { position, digest }))))
    }
}

/// The position, which is the first field, and all fields after it.
fn position(fields: &[u8]) -> Result<(i64, &[u8]), BookError> {
    let length = fields.first_chunk().map(|length| i32::from_be_bytes(*length));
    let position = fields.get(size_of::<i32>()..).and_then(|rest| rest.split_first_chunk());
    match (length, position) {
        (Some(8), Some((position, rest))) => Ok((i64::from_be_bytes(*position), rest)),
        _ => Err(broken("a row has no position")),
    }
}

fn broken(how: &str) -> BookError {
    BookError::Broken(format!("its rows cannot be read as Postgres sends them: {how}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIR: Format = Format {
        number: 1,
        columns: &["position", "payload"],
    };

    fn row(position: i64, payload: Option<&[u8]>) -> Vec<u8> {
        let mut row = [&2_i16.to_be_bytes()[..], &8_i32.to_be_bytes(), &position.to_be_bytes()].concat();
        match payload {
            Some(payload) => {
                row.extend((payload.len() as i32).to_be_bytes());
                row.extend(payload);
            }
            None => row.extend(NULL.to_be_bytes()),
        }
        row
    }

    fn sent(rows: &[Vec<u8>]) -> Vec<u8> {
        [COPY_BEGINS, &rows.concat(), &COPY_ENDS.to_be_bytes()].concat()
    }

    fn taken(chunks: &[&[u8]]) -> Result<(Vec<Leaf>, bool), BookError> {
        let (mut rows, mut into) = (Rows::new(&PAIR), VecDeque::new());
        for chunk in chunks {
            rows.take(chunk, &mut into)?;
        }
        Ok((into.into(), rows.ended && rows.pending.is_empty()))
    }

    #[test]
    fn rows_come_out_the_same_wherever_they_are_cut() {
        let sent = sent(&[
            row(1, Some(b"{}")),
            row(2, None),
            row(3, Some(b"")),
            row(4, Some(b"{ }")),
        ]);
        let (whole, ended) = taken(&[&sent]).unwrap();
        assert!(ended);
        let positions: Vec<i64> = whole.iter().map(|leaf| leaf.position).collect();
        assert_eq!(positions, [1, 2, 3, 4]);
        for cut in 0..=sent.len() {
            let (first, second) = sent.split_at(cut);
            assert_eq!(taken(&[first, second]).unwrap(), (whole.clone(), true), "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = sent.chunks(1).collect();
        assert_eq!(taken(&bytes).unwrap(), (whole, true));
    }

    #[test]
    fn a_leaf_tells_values_apart_and_not_positions() {
        let leaf = |position, payload| taken(&[&sent(&[row(position, payload)])]).unwrap().0[0].digest;
        assert_eq!(leaf(1, Some(b"{}")), leaf(2, Some(b"{}")));
        let others: [Option<&[u8]>; 4] = [Some(b"{ }"), Some(b""), None, Some(b"{}\n")];
        for other in others {
            assert_ne!(leaf(1, Some(b"{}")), leaf(1, other), "{other:?}");
        }
        assert_ne!(leaf(1, Some(b"")), leaf(1, None));
    }

    #[test]
    fn a_leaf_is_for_ever() {
        // Seals that are stored hold such: another value here means that none of them can be checked any more.
        let leaf = taken(&[&sent(&[row(1, Some(b"{}"))])]).unwrap().0[0];
        let expected: Digest = Sha256::digest(b"daybook leaf 1\n\0\0\0\x02{}").into();
        assert_eq!(leaf.digest, expected);
        let expected: Digest = Sha256::digest([b"daybook root 1\n", &leaf.digest[..]].concat()).into();
        let mut root = Root::default();
        root.add(&leaf.digest);
        assert_eq!((root.digest(), Root::of(&leaf.digest)), (expected, expected));
    }

    #[test]
    fn what_is_not_binary_copy_is_an_error_and_no_row() {
        let good = sent(&[row(1, Some(b"{}"))]);
        assert!(taken(&[b"position,payload\n1,{}\n"]).is_err());
        assert!(taken(&[&[&good[..], b"\0\x02"].concat()]).is_err());
        let three = [COPY_BEGINS, &3_i16.to_be_bytes()[..]].concat();
        assert!(taken(&[&three]).is_err());
        let negative = [COPY_BEGINS, &2_i16.to_be_bytes()[..], &(-2_i32).to_be_bytes()].concat();
        assert!(taken(&[&negative]).is_err());
        let (leaves, ended) = taken(&[&good[..good.len() - 2]]).unwrap();
        assert_eq!((leaves.len(), ended), (1, false));
    }

    #[test]
    fn formats_are_numbered_in_order_and_begin_with_the_position() {
        for (index, format) in FORMATS.iter().enumerate() {
            assert_eq!(usize::try_from(format.number), Ok(index + 1));
            assert_eq!(format.columns.first(), Some(&"position"));
            assert_eq!(Format::numbered(format.number), Some(format));
        }
        assert_eq!(Format::latest(), FORMATS.last());
    }
}
