//! What follows from an event, told apart from what cannot be told.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use book::worker::words;
use chrono::{DateTime, Utc};
use domain::{AnyEvent, Contexts, DecodeError, Recorded};
use tracing::error;
use uuid::Uuid;

use crate::reactor::{KEY_BYTES_MAX, Reactor, TASKS_MAX, Task};

/// A row of `book.reactions` that is to be written.
#[derive(Debug, PartialEq, Eq)]
pub struct Planned {
    pub id: Uuid,
    pub tenant: Uuid,
    pub event_id: Uuid,
    pub position: i64,
    pub place: i32,
    /// None where it could not be told what follows from the event.
    pub key: Option<String>,
    pub lane: Uuid,
    pub target: String,
    pub due_at: Option<DateTime<Utc>>,
    /// Why it is a dead letter from the beginning.
    pub dead: Option<String>,
}

/// Why a stored event is none that a reactor can be told of.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    #[error("this program knows no stream of kind {0}; run a newer one, or one with further contexts")]
    Kind(String),
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl Unread {
    /// Whether another program can read it.
    pub fn needs_newer(&self) -> bool {
        matches!(self, Self::Kind(_) | Self::Decode(DecodeError::Version { .. }))
    }
}

/// The event with its type, with all fields that are not erased.
pub fn read(contexts: &Contexts, recorded: &Recorded<String>) -> Result<Recorded<AnyEvent>, Unread> {
    recorded.is_open()?;
    let event = contexts.decode(recorded)?;
    let event = event.ok_or_else(|| Unread::Kind(recorded.aggregate_type.clone()))?;
    Ok(recorded.with(event))
}

/// What follows from a stored event. Where that cannot be told it is a dead letter, which is sent again once it can.
pub fn plan<R: Reactor>(reactor: &R, contexts: &Contexts, recorded: &Recorded<String>) -> Vec<Planned> {
    let told = read(contexts, recorded).map_err(|unread| unread.to_string());
    let told = told.and_then(|read| follows(reactor, &read));
    told.unwrap_or_else(|why| {
        let (reactor, position) = (reactor.name(), recorded.position);
        error!(
            reactor,
            position, why, "what follows from an event cannot be told; it is kept as a dead letter"
        );
        vec![Planned {
            id: Uuid::new_v5(&recorded.event_id, reactor.as_bytes()),
            tenant: recorded.tenant_id,
            event_id: recorded.event_id,
            position,
            place: 0,
            key: None,
            lane: recorded.stream,
            target: String::new(),
            due_at: None,
            dead: Some(why),
        }]
    })
}

/// What follows from an event, or why that cannot be told.
pub fn follows<R: Reactor>(reactor: &R, recorded: &Recorded<AnyEvent>) -> Result<Vec<Planned>, String> {
    let told = catch_unwind(AssertUnwindSafe(|| reactor.tasks(recorded)));
    let tasks = told.map_err(|panic| format!("it panicked, which is a defect of this program: {}", words(&*panic)))?;
    unfit(&tasks).map_or(Ok(()), |why| Err(format!("{why}, which is a defect of this program")))?;
    let planned = (0..).zip(tasks).map(|(place, task)| Planned {
        id: Uuid::new_v5(
            &recorded.event_id,
            format!("{}/{}", reactor.name(), task.key).as_bytes(),
        ),
        tenant: recorded.tenant_id,
        event_id: recorded.event_id,
        position: recorded.position,
        place,
        key: Some(task.key),
        lane: task.lane,
        target: task.target,
        due_at: task.due_at,
        dead: None,
    });
    Ok(planned.collect())
}

/// What no row can hold.
fn unfit(tasks: &[Task]) -> Option<String> {
    if tasks.len() > TASKS_MAX {
        return Some(format!(
            "{} tasks follow from one event; at most {TASKS_MAX} may",
            tasks.len()
        ));
    }
    let is_long = |word: &str| word.len() > KEY_BYTES_MAX || word.contains('\0');
    if let Some(task) = tasks.iter().find(|task| is_long(&task.key) || is_long(&task.target)) {
        return Some(format!(
            "the key or target of a task {:.40} is longer than {KEY_BYTES_MAX} bytes, or has a null character",
            task.key
        ));
    }
    let mut keys = BTreeSet::new();
    let twice = tasks.iter().find(|task| !keys.insert(task.key.as_str()));
    twice.map(|task| format!("two tasks of one event have the key {}", task.key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(key: &str, target: &str) -> Task {
        Task {
            key: key.to_owned(),
            lane: Uuid::nil(),
            target: target.to_owned(),
            due_at: None,
        }
    }

    #[test]
    fn tasks_that_no_row_can_hold_are_told_by_name() {
        assert_eq!(unfit(&[task("a", "x"), task("b", "x")]), None);
        let twice = unfit(&[task("a", "x"), task("a", "y")]);
        assert!(twice.is_some_and(|why| why.ends_with("the key a")));
        let long = "x".repeat(KEY_BYTES_MAX + 1);
        assert!(unfit(&[task("a", &long)]).is_some_and(|why| why.contains("longer than 400 bytes")));
        assert!(unfit(&[task("a\0", "x")]).is_some());
        let many: Vec<Task> = (0..=TASKS_MAX).map(|n| task(&n.to_string(), "x")).collect();
        assert!(unfit(&many).is_some_and(|why| why.starts_with("1001 tasks")));
        assert_eq!(unfit(&many[1..]), None);
    }
}
