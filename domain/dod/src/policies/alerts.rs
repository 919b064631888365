//! From a signal that fires to the issue that its alert joins, and back when either is over.

use chrono::{DateTime, TimeDelta, Utc};
use dod_formats::Signal as Said;
use domain::{AnyEvent, Decider, Policy, Reaction, Recorded, SYSTEM, Seen, Sending};
use uuid::Uuid;

use crate::alert::{self, Alert, Brief, Opened, ResolvedHow};
use crate::group::{self, Group};
use crate::issue::{self, Issue};
use crate::signal::{self, Signal};

/// Opens alerts, has them join issues, and ends them together.
#[derive(Debug)]
pub struct Alerts;

impl Policy for Alerts {
    fn name(&self) -> &'static str {
        "dod-alerts"
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Signal::TYPE, Alert::TYPE, Group::TYPE, Issue::TYPE]
    }

    fn wants_state(&self, recorded: &Recorded<AnyEvent>) -> bool {
        if let Some(event) = recorded.of::<Alert>() {
            return !matches!(
                event,
                alert::Event::AlertOpened { .. }
                    | alert::Event::AlertAcknowledged { .. }
                    | alert::Event::AlertUnacknowledged {}
                    | alert::Event::AlertAssigned { .. }
                    | alert::Event::AlertKeptQuiet { .. }
                    | alert::Event::AlertSignalOver { .. }
                    | alert::Event::AlertRawDropped {}
                    | alert::Event::AlertArchived { .. }
            );
        }
        matches!(
            recorded.of::<Issue>(),
            Some(
                issue::Event::IssueResolved { by_itself: false, .. }
                    | issue::Event::IssueMarkedFalsePositive { .. }
                    | issue::Event::IssueSkillMatched { .. }
            )
        )
    }

    fn react(&self, seen: &Seen<'_>) -> Vec<Reaction> {
        let recorded = seen.recorded;
        if let Some(event) = recorded.of::<Signal>() {
            return of_signal(event, recorded.stream);
        }
        if let Some(event) = recorded.of::<Alert>() {
            return of_alert(event, seen);
        }
        if let Some(group::Event::AlertGrouped { alert_id, issue_id, .. }) = recorded.of::<Group>() {
            // Together, so that an alert which says where it belongs is known there.
            return vec![Reaction::send(vec![
                Sending::of::<Issue>(*issue_id, issue::Command::Bind { alert_id: *alert_id }),
                Sending::of::<Alert>(*alert_id, alert::Command::NoteIssue { issue_id: *issue_id }),
            ])];
        }
        if let Some(event) = recorded.of::<Issue>() {
            return of_issue(event, seen);
        }
        Vec::new()
    }
}

fn of_signal(event: &signal::Event, signal_id: Uuid) -> Vec<Reaction> {
    match event {
        signal::Event::SignalFired {
            alert_id,
            source_id,
            source,
            delivery_id,
            receiver_im,
            observation,
            raw,
            is_flapping,
            received_at,
            expires_at,
            ..
        } => {
            let brief = Brief {
                source: source.clone(),
                alert_type: observation.alert_type.clone(),
                severity: observation.severity,
                title: observation.title.clone(),
                description: observation.description.clone(),
                labels: observation.labels.clone(),
                receiver_im: receiver_im.clone(),
                is_flapping: *is_flapping,
                received_at: *received_at,
                body_until: None,
            };
            let open = alert::Command::Open {
                signal_id,
                source_id: *source_id,
                delivery_id: *delivery_id,
                brief: Box::new(brief),
                original_severity: observation.original_severity.clone(),
                starts_at: observation.starts_at,
                links: observation.links.clone(),
                raw: raw.open().cloned().flatten(),
                is_heartbeat: observation.is_heartbeat,
            };
            let open = Reaction::send(vec![Sending::of::<Alert>(*alert_id, open)]);
            let follow = follow(*alert_id, observation.signal);
            let expire = expires_at.map(|due_at| expire(signal_id, *alert_id, *source_id, due_at));
            std::iter::once(open).chain(follow).chain(expire).collect()
        }
        signal::Event::SignalRepeated {
            alert_id,
            source_id,
            said,
            expires_at,
            restated,
            ..
        } => {
            let to_alert = |command| Reaction::send(vec![Sending::of::<Alert>(*alert_id, command)]);
            let restate = restated.as_ref().map(|restated| {
                to_alert(alert::Command::Restate {
                    source_id: *source_id,
                    restated: restated.clone(),
                })
            });
            let follow = follow(*alert_id, *said);
            let expire = expires_at.map(|due_at| expire(signal_id, *alert_id, *source_id, due_at));
            restate.into_iter().chain(follow).chain(expire).collect()
        }
        signal::Event::SignalCleared {
            alert_id,
            cleared_at,
            expired,
            ..
        } => {
            let clear = alert::Command::Clear {
                cleared_at: *cleared_at,
                expired: *expired,
            };
            let forget = Reaction::Forget {
                timer: expiry(*alert_id),
            };
            vec![Reaction::send(vec![Sending::of::<Alert>(*alert_id, clear)]), forget]
        }
        signal::Event::SignalReleased { alert_id, .. } => vec![Reaction::Forget {
            timer: expiry(*alert_id),
        }],
        signal::Event::SignalClearedUnseen { .. } => Vec::new(),
    }
}

fn expire(signal_id: Uuid, alert_id: Uuid, source_id: Uuid, due_at: DateTime<Utc>) -> Reaction {
    Reaction::Wait {
        timer: expiry(alert_id),
        due_at,
        sending: Sending::of::<Signal>(signal_id, signal::Command::Expire { alert_id, source_id }),
    }
}

/// Whoever said so where it comes from sees to it.
fn follow(alert_id: Uuid, said: Said) -> Option<Reaction> {
    let acknowledged = match said {
        Said::Acknowledged => true,
        Said::Unacknowledged => false,
        Said::Firing | Said::NoData | Said::Suppressed | Said::Resolved => return None,
    };
    let follow = alert::Command::FollowSender { acknowledged };
    Some(Reaction::send(vec![Sending::of::<Alert>(alert_id, follow)]))
}

/// The timer by which an alert ends of which nothing more is heard.
fn expiry(alert_id: Uuid) -> Uuid {
    Uuid::new_v5(&alert_id, b"expiry")
}

fn of_alert(event: &alert::Event, seen: &Seen<'_>) -> Vec<Reaction> {
    let alert_id = seen.recorded.stream;
    if let alert::Event::AlertOpened {
        group_id,
        window_minutes,
        silence_id,
        silence_ends_at,
        is_heartbeat,
        brief,
        ..
    } = event
    {
        let goes_on = match (silence_id, silence_ends_at) {
            _ if *is_heartbeat => None,
            (Some(_), Some(ends_at)) => Some(end_silence(alert_id, *ends_at)),
            (_, _) => Some(join(alert_id, *group_id, *window_minutes)),
        };
        return goes_on.into_iter().chain([drop_raw(alert_id, brief)]).collect();
    }
    if let alert::Event::AlertKeptQuiet { silence_ends_at, .. } = event {
        return vec![end_silence(alert_id, *silence_ends_at)];
    }
    if let alert::Event::AlertArchived {
        signal_id,
        archived_at,
        goes_on,
        ..
    } = event
    {
        // What would go on being an alert that nobody sees any more becomes another one.
        let release = goes_on.then(|| release(*signal_id, alert_id, *archived_at));
        return release.into_iter().collect();
    }
    let Some(now) = seen.state::<Alert>().and_then(Alert::opened) else {
        return Vec::new();
    };
    // Daybook says so of those that end with their issue, and of none else.
    let with_issue = match event {
        alert::Event::AlertResolved { how, .. } => *how == ResolvedHow::Issue,
        alert::Event::AlertMarkedFalsePositive {} => seen.recorded.metadata.actor == SYSTEM,
        _ => false,
    };
    let ended = || now.issue_id.map(|issue_id| note_ended(issue_id, alert_id, with_issue));
    match event {
        alert::Event::AlertJoinedIssue { .. } if !now.is_open() => ended().into_iter().collect(),
        alert::Event::AlertRestated { from, restated } => {
            let note = |issue_id| {
                let note = issue::Command::NoteAlertRestated {
                    alert_id,
                    from: *from,
                    restated: restated.clone(),
                };
                Reaction::send(vec![Sending::of::<Issue>(issue_id, note)])
            };
            now.issue_id.map(note).into_iter().collect()
        }
        alert::Event::AlertSilenceEnded {} => vec![join(alert_id, now.group_id, now.window_minutes)],
        alert::Event::AlertReopened {} => vec![reopened(alert_id, now)],
        alert::Event::AlertResolved { how, resolved_at } => {
            let is_closed = matches!(how, ResolvedHow::Person | ResolvedHow::Issue);
            let release = is_closed.then(|| release(now.signal_id, alert_id, *resolved_at));
            ended().into_iter().chain(release).collect()
        }
        alert::Event::AlertMarkedFalsePositive {} | alert::Event::AlertIgnored {} => ended().into_iter().collect(),
        // When its signal is over its issue has heard so already: a person said it.
        _ => Vec::new(),
    }
}

/// The alert looks whether it is quiet still when its silence ends.
fn end_silence(alert_id: Uuid, ends_at: DateTime<Utc>) -> Reaction {
    Reaction::Wait {
        timer: Uuid::new_v5(&alert_id, b"silence"),
        // A moment later, so that the silence is over by whatever clock.
        due_at: ends_at + TimeDelta::seconds(1),
        sending: Sending::of::<Alert>(alert_id, alert::Command::EndSilence {}),
    }
}

/// The signal lets an alert go.
fn release(signal_id: Uuid, alert_id: Uuid, closed_at: DateTime<Utc>) -> Reaction {
    let release = signal::Command::Release { alert_id, closed_at };
    Reaction::send(vec![Sending::of::<Signal>(signal_id, release)])
}

/// What a body said of an alert goes when the body does, and neither waits for the other.
fn drop_raw(alert_id: Uuid, brief: &Brief) -> Reaction {
    Reaction::Wait {
        timer: Uuid::new_v5(&alert_id, b"raw"),
        due_at: brief.body_until(),
        sending: Sending::of::<Alert>(alert_id, alert::Command::DropRaw {}),
    }
}

/// Of the alerts' bodies it quotes that of the first one. An investigation that comes when that is gone has none of it, and a
/// day to come to its end.
fn drop_evidence(seen: &Seen<'_>, now: &issue::Opened) -> Reaction {
    let issue_id = seen.recorded.stream;
    Reaction::Wait {
        timer: Uuid::new_v5(&issue_id, b"evidence"),
        due_at: now.brief.body_until().max(seen.recorded.at + TimeDelta::days(1)),
        sending: Sending::of::<Issue>(issue_id, issue::Command::DropEvidence {}),
    }
}

fn join(alert_id: Uuid, group_id: Uuid, window_minutes: u32) -> Reaction {
    let join = group::Command::Join {
        alert_id,
        window_minutes,
    };
    Reaction::send(vec![Sending::of::<Group>(group_id, join)])
}

/// One that was ignored from the beginning belongs to no issue yet.
fn reopened(alert_id: Uuid, now: &Opened) -> Reaction {
    match now.issue_id {
        None => join(alert_id, now.group_id, now.window_minutes),
        Some(issue_id) => {
            let note = issue::Command::NoteAlertReopened { alert_id };
            Reaction::send(vec![Sending::of::<Issue>(issue_id, note)])
        }
    }
}

fn note_ended(issue_id: Uuid, alert_id: Uuid, with_issue: bool) -> Reaction {
    let note = issue::Command::NoteAlertEnded { alert_id, with_issue };
    Reaction::send(vec![Sending::of::<Issue>(issue_id, note)])
}

/// What a person has ended ends its alerts, and what an investigation looked at goes when the bodies that it quotes do.
fn of_issue(event: &issue::Event, seen: &Seen<'_>) -> Vec<Reaction> {
    let Some(now) = seen.state::<Issue>().and_then(Issue::opened) else {
        return Vec::new();
    };
    let false_positive = match event {
        issue::Event::IssueResolved { by_itself: false, .. } => false,
        issue::Event::IssueMarkedFalsePositive { .. } => true,
        issue::Event::IssueSkillMatched { .. } => return vec![drop_evidence(seen, now)],
        _ => return Vec::new(),
    };
    let open = now.alerts.iter().filter(|(_, is_over)| !**is_over);
    let end = |(&alert_id, _): (&Uuid, &bool)| {
        let end = alert::Command::EndWithIssue { false_positive };
        Reaction::send(vec![Sending::of::<Alert>(alert_id, end)])
    };
    open.map(end).collect()
}
