//! Retention: issues that have ended long ago leave the tables with their alerts and all else that belongs to them, and so do
//! alerts that belong to none. They are kept in archives.

pub mod command;

use archives::{ArchiveWorker, Archiver, Archives, Kind, Manifest, Member, Part, parked};
use book::{Book, BookError, Step};
use chrono::TimeDelta;
use dod::alert::{self, Alert};
use dod::escalation::{self, Escalation};
use dod::issue::{self, Issue};
use dod::message::{self, Message};
use dod::retention::Retention;
use dod::signal::Signal;
use domain::Decider as _;
use futures::FutureExt as _;
use http::crew::Worker;
use uuid::Uuid;

/// The worker that archives what is due, now and then.
pub static WORKER: Worker = Worker {
    name: "dod archive",
    lock: "daybook dod archive",
    start: |crew| {
        let (pool, book) = (crew.pools.projector.clone(), crew.book.clone());
        let archiver = Archiver::new(&ARCHIVES, pool, book, crew.archive.clone());
        crew.lead(&WORKER, ArchiveWorker { archiver });
    },
};

/// What of the context is archived: alerts after issues, of which some leave behind what was too much for them.
pub static ARCHIVES: Archives = Archives {
    lock: "daybook dod archive run",
    kinds: &[&ISSUES, &ALERTS],
};

/// Issues of one archive.
pub const BATCH_ISSUES_MAX: i64 = 200;
/// Alerts of one archive that leave by themselves.
pub const BATCH_ALERTS_MAX: i64 = 1_000;

/// Issues that have ended, each with its alerts, its log, its messages and its escalation. An issue of more than 200 alerts
/// (the number stands in the condition) leaves them behind, so that neither a line of an archive nor a command grows with it;
/// they leave by themselves afterwards.
pub static ISSUES: Kind = Kind {
    context: "dod",
    things: "issues",
    thing: "issue",
    table: "issues",
    ordered_by: "created_at",
    aggregate_type: Issue::TYPE,
    over: "r.status in ('resolved', 'false_positive') and r.alerts_open = 0",
    due: due_issues,
    parts: &[
        Part {
            name: "messages",
            counted: "messages",
            table: "messages",
            of: "c.issue_id = r.id",
            order: "c.position",
            is_one: false,
            aggregate_type: Some(Message::TYPE),
        },
        Part {
            name: "escalation",
            counted: "escalations",
            table: "escalations",
            of: "c.issue_id = r.id",
            order: "c.id",
            is_one: true,
            aggregate_type: Some(Escalation::TYPE),
        },
        Part {
            name: "bindings",
            counted: "bindings",
            table: "issue_alert_bindings",
            of: "c.issue_id = r.id",
            order: "c.position",
            is_one: false,
            aggregate_type: None,
        },
        Part {
            name: "logs",
            counted: "logs",
            table: "issue_logs",
            of: "c.issue_id = r.id",
            order: "c.position",
            is_one: false,
            aggregate_type: None,
        },
        Part {
            name: "alerts",
            counted: "alerts",
            table: "alerts",
            of: "c.issue_id = r.id and r.alerts <= 200",
            order: "c.position",
            is_one: false,
            aggregate_type: Some(Alert::TYPE),
        },
    ],
    at_most: BATCH_ISSUES_MAX,
    kept_for: |book, tenant| kept_for(book, tenant).boxed(),
    steps: steps_of_issue,
    has_left: |book, tenant, issue| has_issue_left(book, tenant, issue).boxed(),
};

/// Alerts that are over and belong to no issue of the tables.
pub static ALERTS: Kind = Kind {
    context: "dod",
    things: "alerts",
    thing: "alert",
    table: "alerts",
    ordered_by: "received_at",
    aggregate_type: Alert::TYPE,
    over: "r.status in ('resolved', 'false_positive', 'ignored')",
    due: due_alerts,
    parts: &[],
    at_most: BATCH_ALERTS_MAX,
    kept_for: |book, tenant| kept_for(book, tenant).boxed(),
    steps: |manifest, member| vec![step_of_alert(manifest, member.id, member.sequence)],
    has_left: |book, tenant, alert| has_alert_left(book, tenant, alert).boxed(),
};

/// Nothing has changed of it since, and each of its alerts may leave, too.
fn due_issues() -> String {
    let stays = format!("not ({})", rests("a"));
    format!(
        "r.created_at < $2 and r.updated_at < $2
         and not exists (select from dod.alerts a where a.issue_id = r.id and {stays})"
    )
}

/// It belongs to no issue, or to one that has left; not to one whose row is late.
fn due_alerts() -> String {
    let of_parked = parked("dod", Issue::TYPE, "r.issue_id");
    let rests = rests("r");
    format!(
        "r.received_at < $2 and {rests}
         and (r.issue_id is null
              or not exists (select from dod.issues i where i.id = r.issue_id) and not {of_parked})"
    )
}

/// The condition that an alert, whose row goes by this name, is over since then and was not told of since: a telling changes
/// nothing of one that was called none. What its body says of it is dropped before: only the tables are to show that, for as
/// long as it has its key. Its row rests on its signal, too.
fn rests(row: &str) -> String {
    let of_parked = parked("dod", Signal::TYPE, &format!("{row}.signal_id"));
    format!(
        "{row}.status in ('resolved', 'false_positive', 'ignored') and {row}.raw_payload is null
         and {row}.last_seen_at < $2 and coalesce({row}.resolved_at, {row}.last_seen_at) < $2 and not {of_parked}"
    )
}

async fn kept_for(book: &Book, tenant: Uuid) -> Result<TimeDelta, BookError> {
    let stream = Retention::only_stream(tenant);
    let retention = book.now::<Retention>(tenant, stream).await?;
    Ok(Retention::closed_for(retention.as_deref()))
}

async fn has_issue_left(book: &Book, tenant: Uuid, issue: Uuid) -> Result<bool, BookError> {
    let state = book.now::<Issue>(tenant, issue).await?;
    Ok(state.is_some_and(|state| state.is_archived()))
}

async fn has_alert_left(book: &Book, tenant: Uuid, alert: Uuid) -> Result<bool, BookError> {
    let state = book.now::<Alert>(tenant, alert).await?;
    Ok(state.is_some_and(|state| state.is_archived()))
}

/// What refers to the issue leaves before it, and its alerts, which it refers to, after it.
fn steps_of_issue(manifest: &Manifest, member: &Member) -> Vec<Step> {
    let (issue_id, archive, sha256) = (member.id, &manifest.name, &manifest.sha256);
    let mut steps = Vec::with_capacity(member.along.len() + 1);
    for along in &member.along {
        let (id, sequence) = (along.id, Some(along.sequence));
        let (archive, sha256) = (archive.clone(), sha256.clone());
        if along.aggregate_type == Message::TYPE {
            let command = message::Command::Archive { archive, sha256 };
            steps.push(Step::of::<Message>(id, sequence, command));
        } else if along.aggregate_type == Escalation::TYPE {
            let command = escalation::Command::Archive {
                issue_id,
                archive,
                sha256,
            };
            steps.push(Step::of::<Escalation>(id, sequence, command));
        }
    }
    let command = issue::Command::Archive {
        archive: archive.clone(),
        sha256: sha256.clone(),
    };
    steps.push(Step::of::<Issue>(issue_id, Some(member.sequence), command));
    let alerts = member.along.iter().filter(|along| along.aggregate_type == Alert::TYPE);
    steps.extend(alerts.map(|along| step_of_alert(manifest, along.id, along.sequence)));
    steps
}

fn step_of_alert(manifest: &Manifest, alert_id: Uuid, sequence: i64) -> Step {
    let command = alert::Command::Archive {
        archive: manifest.name.clone(),
        sha256: manifest.sha256.clone(),
    };
    Step::of::<Alert>(alert_id, Some(sequence), command)
}

#[cfg(test)]
mod tests {
    use archives::Along;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_refers_to_an_issue_leaves_before_it_and_its_alerts_after_it() {
        let along = |aggregate_type: &str, n, sequence| Along {
            aggregate_type: aggregate_type.to_owned(),
            id: Uuid::from_u128(n),
            sequence,
        };
        let manifest: Manifest = serde_json::from_value(json!({
            "format": 1, "name": "dod.issues.1", "tenant_id": Uuid::from_u128(7), "written_at": "2026-03-01T12:00:00Z",
            "position": 9, "counts": {}, "first": {"created_at": "2026-03-01T12:00:00Z", "id": Uuid::from_u128(1)},
            "last": {"created_at": "2026-03-01T12:00:00Z", "id": Uuid::from_u128(1)}, "sha256": "0".repeat(64), "bytes": 0,
            "file": {"name": "", "sha256": "", "bytes": 0}, "issues": [],
        }))
        .unwrap();
        let member = Member {
            id: Uuid::from_u128(1),
            sequence: 5,
            along: vec![
                along("dod.message", 2, 3),
                along("dod.escalation", 3, 4),
                along("dod.alert", 4, 6),
            ],
        };
        let steps = steps_of_issue(&manifest, &member);
        let order: Vec<(&str, u128)> = steps
            .iter()
            .map(|step| (step.aggregate_type(), step.stream.as_u128()))
            .collect();
        assert_eq!(
            order,
            [
                ("dod.message", 2),
                ("dod.escalation", 3),
                ("dod.issue", 1),
                ("dod.alert", 4)
            ]
        );
    }
}
