//! Folds: how events become rows. Pure.

use std::collections::BTreeMap;

use domain::{AnyEvent, Recorded};
use uuid::Uuid;

use crate::image::Image;
use crate::projection::Posts;
use crate::row::Row;

/// How recorded events become the rows of one table: all that a new table has to write.
pub trait Project: Row {
    /// Whether each row is written by one stream only, so that a stream's first event cannot meet a
    /// row that is there already. It saves looking for one; said wrongly, it overwrites rows unseen.
    const OWNED: bool = false;
    /// Whether every event writes rows of its own, which nothing changes again, and nothing touches but what
    /// [`Project::TAKES`] says.
    const APPENDS: bool = false;
    /// Where rows are appended: whether an event takes away rows that it names, as an archive does. It saves looking for
    /// the rows of all other events; an event that takes rows writes none.
    const TAKES: Option<fn(&Recorded<AnyEvent>) -> bool> = None;

    /// The keys of the rows that this event touches; none means "not mine".
    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Self::Key>;

    /// The row after the event; `None` when it is gone.
    ///
    /// # Errors
    /// When the row that the event changes is not there, or cannot be made from the event.
    fn fold(row: Option<Self>, key: &Self::Key, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError>;
}

/// Why an event could not be folded into a row. It parks the event's stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    #[error("{table} has no row that the event could change")]
    MissingRow { table: &'static str },
    #[error("{table}.{column} names a user, and nobody but Daybook itself asked for the event")]
    NoUser { table: &'static str, column: &'static str },
    #[error("{table}.{column}: {detail}")]
    Unfit {
        table: &'static str,
        column: &'static str,
        detail: String,
    },
}

/// The row that an event changes.
///
/// # Errors
/// [`FoldError::MissingRow`] when it is not there.
pub fn existing<R: Row>(row: Option<R>) -> Result<R, FoldError> {
    row.ok_or(FoldError::MissingRow { table: R::TABLE.name })
}

/// The user who asked for the event; `None` when Daybook itself did, which is no user.
#[must_use]
pub fn actor(recorded: &Recorded<AnyEvent>) -> Option<Uuid> {
    let actor = recorded.metadata.actor;
    (actor != domain::SYSTEM).then_some(actor)
}

/// A row that a page touches.
#[derive(Debug)]
pub struct Slot<R> {
    /// Whether the table has the row.
    pub stored: bool,
    /// The row as folded so far.
    pub row: Option<R>,
}

/// One event's touch of one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Change<'a> {
    pub recorded: &'a Recorded<AnyEvent>,
    pub table: &'static str,
    pub key: String,
    /// What the audit table is to tell of it; `None` when the context has none, or there is nothing to tell.
    pub image: Option<Image>,
}

/// An event that could not be folded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {position} cannot be posted into {table} (key {key}): {source}")]
pub struct Unfolded {
    pub position: i64,
    pub table: &'static str,
    pub key: String,
    pub source: FoldError,
}

/// Folds events in order into the rows that they touch. Rows not in `slots` are not in the table.
///
/// # Errors
/// The first event that cannot be folded.
pub fn fold<'a, P: Posts>(
    posts: &P,
    slots: &mut BTreeMap<P::Key, Slot<P::Row>>,
    touches: impl Iterator<Item = (&'a Recorded<AnyEvent>, P::Key)>,
    is_audited: bool,
) -> Result<Vec<Change<'a>>, Unfolded> {
    let table = posts.declared().name;
    let mut changes = Vec::new();
    for (recorded, key) in touches {
        let slot = slots.entry(key.clone()).or_insert(Slot {
            stored: false,
            row: None,
        });
        let before = slot.row.take();
        let was_there = before.is_some();
        let was = if is_audited || P::KEY_OF_ROW {
            before.clone()
        } else {
            None
        };
        slot.row = posts.fold(before, &key, recorded).map_err(|source| Unfolded {
            position: recorded.position,
            table,
            key: posts.key_text(&key, was.as_ref()),
            source,
        })?;
        if was_there || slot.row.is_some() {
            let (was, is) = (was.as_ref(), slot.row.as_ref());
            changes.push(Change {
                recorded,
                table,
                key: posts.key_text(&key, is.or(was)),
                image: is_audited.then(|| image(posts, was, is)).flatten(),
            });
        }
    }
    Ok(changes)
}

fn image<P: Posts>(posts: &P, before: Option<&P::Row>, after: Option<&P::Row>) -> Option<Image> {
    match (before, after) {
        (None, None) => None,
        (None, Some(after)) => Some(Image::Insert {
            new: posts.image(after),
        }),
        (Some(before), None) => Some(Image::Delete {
            old: posts.image(before),
        }),
        (Some(before), Some(after)) => {
            let difference = posts.difference(before, after);
            difference.map(|(old, new)| Image::Update { old, new })
        }
    }
}
