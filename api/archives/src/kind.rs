//! What a context says of what leaves its tables.

use std::fmt;

use book::{Book, BookError, Step};
use chrono::TimeDelta;
use futures::future::BoxFuture;
use uuid::Uuid;

use crate::manifest::{Manifest, Member};

/// All that one worker of a context archives.
#[derive(Debug)]
pub struct Archives {
    /// The name of the lock under which one of all processes archives at a time.
    pub lock: &'static str,
    /// In the order in which they leave.
    pub kinds: &'static [&'static Kind],
}

/// One kind of things that leave the tables, each with the rows that belong to it. A thing is a stream, and the key of
/// its row is the stream's id.
pub struct Kind {
    /// The context's name, which is its schema, too.
    pub context: &'static str,
    /// The word for many of them: in names of archives, in manifests and their counts.
    pub things: &'static str,
    /// The word for one of them, in the lines of archives.
    pub thing: &'static str,
    /// The table that has a row of each. Conditions call that row `r`.
    pub table: &'static str,
    /// The column with the time by which they are ordered, never null.
    pub ordered_by: &'static str,
    /// The kind of their streams.
    pub aggregate_type: &'static str,
    /// The condition that holds for those that are over, whenever that was.
    pub over: &'static str,
    /// The condition that holds for those of them that leave. `$2` is the time before which they must have come to rest. The
    /// engine asks besides that nothing of them is parked.
    pub due: fn() -> String,
    /// The rows that belong to a thing, in the order of their counts.
    pub parts: &'static [Part],
    /// Things of one archive.
    pub at_most: i64,
    /// For how long a tenant keeps them in the tables after they have come to rest.
    pub kept_for: for<'a> fn(&'a Book, Uuid) -> BoxFuture<'a, Result<TimeDelta, BookError>>,
    /// The commands that make a thing and all of its rows leave. They are carried out as one.
    pub steps: fn(&Manifest, &Member) -> Vec<Step>,
    /// Whether a thing of a tenant has left already.
    pub has_left: for<'a> fn(&'a Book, Uuid, Uuid) -> BoxFuture<'a, Result<bool, BookError>>,
}

impl fmt::Debug for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Kind")
            .field("context", &self.context)
            .field("things", &self.things)
            .finish_non_exhaustive()
    }
}

/// Rows of one table that belong to a thing. Conditions call such a row `c`, and the thing's `r`.
#[derive(Debug)]
pub struct Part {
    /// What they are called in a line.
    pub name: &'static str,
    /// What they are called among the counts of a manifest.
    pub counted: &'static str,
    pub table: &'static str,
    /// The condition that holds for the rows of a thing.
    pub of: &'static str,
    /// What they are ordered by within the thing.
    pub order: &'static str,
    /// Whether a thing has one at most: then the line has the row itself, or null, and a list otherwise.
    pub is_one: bool,
    /// The kind of the streams that they have for themselves, under the ids of the rows, and that leave along with the
    /// thing.
    pub aggregate_type: Option<&'static str>,
}

/// The condition that a stream is parked in the live tables of a context: its rows may lack what has happened to it. `id` is
/// an expression for its id.
#[must_use]
pub fn parked(context: &str, aggregate_type: &str, id: &str) -> String {
    format!(
        "exists (
             select from book.parked k join book.generations g using (context, generation)
             where context = '{context}' and g.state = 'live'
               and k.aggregate_type = '{aggregate_type}' and k.aggregate_id = {id})"
    )
}
