//! What is expected to come, and whether it does.

use chrono::{DateTime, Utc};
use dod::heartbeat::{Event, Heartbeat};
use dod_formats::Severity;
use domain::{AnyEvent, Recorded};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use projections::cell::Word;
use projections::fold::{FoldError, Project, existing};
use projections::row;
use projections::table::Scope;

use crate::count;

/// How it stands with what is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeartbeatStatus {
    /// It was not heard yet, and is not due.
    Waiting,
    Heard,
    Missing,
}

impl From<HeartbeatStatus> for &'static str {
    fn from(status: HeartbeatStatus) -> Self {
        match status {
            HeartbeatStatus::Waiting => "waiting",
            HeartbeatStatus::Heard => "heard",
            HeartbeatStatus::Missing => "missing",
        }
    }
}

row! {
    /// What is expected of a source, and whether it comes. What is not expected any more is gone.
    HeartbeatRow = dod.heartbeats
    key {
        /// The heartbeat's id, which follows from the expectation's.
        id: Uuid,
    }
    columns {
        /// The expectation.
        expectation_id: Uuid,
        /// What people call it.
        name: String,
        /// The source that is to tell of it.
        source_id: Uuid,
        /// The alerts of it that count: those for which all of these hold.
        conditions: Value,
        /// Minutes within which it is to come again.
        every_minutes: i32,
        /// Minutes that are waited beyond that.
        grace_minutes: i32,
        /// How bad it is when it does not come: `critical`, `high`, `medium`, `low`.
        severity: Word<Severity>,
        /// The receiver that is told then; that of the source when null.
        receiver_im: Option<String>,
        /// How it stands: `waiting` before it was first heard, `heard`, `missing`.
        status: Word<HeartbeatStatus>,
        /// When it was last heard, as far as it was noted: what comes all the time is noted now and then.
        heard_at: Option<DateTime<Utc>>,
        /// When it is missing unless it is heard before.
        due_at: DateTime<Utc>,
        /// The alert that says that it is missing; null while it is not.
        alert_id: Option<Uuid>,
        /// How often it was missing.
        episodes: i32,
        /// When it was first expected.
        created_at: DateTime<Utc>,
        /// When the row last changed.
        updated_at: DateTime<Utc>,
    }
    generated {}
    find { id, source_id, status, created_at }
    scope { Scope::Tenant }
    masked {}
}

impl Project for HeartbeatRow {
    const OWNED: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        let event = recorded.of::<Heartbeat>();
        event.map(|_| recorded.stream).into_iter().collect()
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(event) = recorded.of::<Heartbeat>() else {
            return Ok(row);
        };
        let updated_at = recorded.at;
        Ok(Some(match event {
            Event::HeartbeatWatched { terms, due_at } => {
                let expected = &terms.expectation;
                let row = row.unwrap_or_else(|| Self {
                    tenant_id: recorded.tenant_id,
                    position: recorded.position,
                    id,
                    expectation_id: terms.expectation_id,
                    name: String::new(),
                    source_id: expected.source_id,
                    conditions: Value::Null,
                    every_minutes: 0,
                    grace_minutes: 0,
                    severity: Word(expected.severity),
                    receiver_im: None,
                    status: Word(HeartbeatStatus::Waiting),
                    heard_at: None,
                    due_at: *due_at,
                    alert_id: None,
                    episodes: 0,
                    created_at: recorded.at,
                    updated_at,
                });
                Self {
                    name: expected.name.clone(),
                    source_id: expected.source_id,
                    conditions: json!(expected.when),
                    every_minutes: expected.every_minutes,
                    grace_minutes: expected.grace_minutes,
                    severity: Word(expected.severity),
                    receiver_im: expected.receiver_im.clone(),
                    due_at: *due_at,
                    updated_at,
                    ..row
                }
            }
            Event::HeartbeatHeard { heard_at, due_at, .. } => Self {
                status: Word(HeartbeatStatus::Heard),
                heard_at: Some(*heard_at),
                due_at: *due_at,
                alert_id: None,
                updated_at,
                ..existing(row)?
            },
            Event::HeartbeatMissed { alert_id, episode, .. } => Self {
                status: Word(HeartbeatStatus::Missing),
                alert_id: Some(*alert_id),
                episodes: count(*episode),
                updated_at,
                ..existing(row)?
            },
            Event::HeartbeatExcused { due_at } => Self {
                due_at: *due_at,
                updated_at,
                ..existing(row)?
            },
            Event::HeartbeatUnwatched { .. } => return existing(row).map(|_| None),
        }))
    }
}
