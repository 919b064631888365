//! From a signal to an issue, and back.

use chrono::TimeDelta;
use domain::Sealed;

use super::*;
use crate::alert::{self, Alert, AlertStatus, ResolvedHow};
use crate::group::{self, Group};
use crate::issue::{self, Issue, IssueStatus, MatchedBy};
use crate::policies::Alerts;
use crate::signal::{self, Signal};

const ALERT: Uuid = Uuid::from_u128(0xa1);
const OTHER: Uuid = Uuid::from_u128(0xa2);
const SIGNAL: Uuid = Uuid::from_u128(0x51);
const DELIVERY: Uuid = Uuid::from_u128(0xd);
const GROUP: Uuid = Uuid::from_u128(0x6);
const ISSUE: Uuid = Uuid::from_u128(0x15);

fn fired(expires_at: Option<DateTime<Utc>>) -> signal::Event {
    signal::Event::SignalFired {
        alert_id: ALERT,
        episode: 1,
        source_id: SOURCE,
        source: "Prometheus".to_owned(),
        delivery_id: DELIVERY,
        receiver_im: Some("ops".to_owned()),
        observation: Box::new(observation()),
        raw: Sealed::Open(Some("{}".to_owned())),
        is_flapping: false,
        received_at: NOON,
        expires_at,
    }
}

fn opens() -> Reaction {
    let open = alert::Command::Open {
        signal_id: STREAM,
        source_id: SOURCE,
        delivery_id: DELIVERY,
        brief: Box::new(Brief {
            body_until: None,
            ..brief()
        }),
        original_severity: Some("page".to_owned()),
        starts_at: Some(NOON),
        links: Vec::new(),
        raw: Some("{}".to_owned()),
        is_heartbeat: false,
    };
    send::<Alert>(ALERT, open)
}

fn expiry() -> Uuid {
    Uuid::new_v5(&ALERT, b"expiry")
}

fn expires(due_at: DateTime<Utc>) -> Reaction {
    let expire = signal::Command::Expire {
        alert_id: ALERT,
        source_id: SOURCE,
    };
    Reaction::Wait {
        timer: expiry(),
        due_at,
        sending: Sending::of::<Signal>(STREAM, expire),
    }
}

fn forgets() -> Reaction {
    Reaction::Forget { timer: expiry() }
}

#[test]
fn what_fires_opens_an_alert() {
    assert_eq!(react::<Signal>(&Alerts, [fired(None)]), [opens()]);
}

#[test]
fn an_alert_of_which_nothing_more_is_heard_expires() {
    let due_at = NOON + TimeDelta::minutes(30);
    assert_eq!(
        react::<Signal>(&Alerts, [fired(Some(due_at))]),
        [opens(), expires(due_at)]
    );
    let repeated = |expires_at| signal::Event::SignalRepeated {
        alert_id: ALERT,
        source_id: SOURCE,
        event_id: "2".to_owned(),
        delivery_id: DELIVERY,
        said: Said::Firing,
        severity: Severity::High,
        starts_at: None,
        received_at: NOON,
        expires_at,
        said_at: None,
        restated: None,
    };
    assert_eq!(
        react::<Signal>(&Alerts, [fired(None), repeated(Some(due_at))]),
        [expires(due_at)]
    );
    assert_eq!(react::<Signal>(&Alerts, [fired(None), repeated(None)]), []);
}

#[test]
fn who_looks_at_it_where_it_comes_from_is_followed() {
    let says = |said| signal::Event::SignalRepeated {
        alert_id: ALERT,
        source_id: SOURCE,
        event_id: "2".to_owned(),
        delivery_id: DELIVERY,
        said,
        severity: Severity::High,
        starts_at: None,
        received_at: NOON,
        expires_at: None,
        said_at: None,
        restated: None,
    };
    let follows = |acknowledged| send::<Alert>(ALERT, alert::Command::FollowSender { acknowledged });
    for (said, expected) in [
        (Said::Acknowledged, vec![follows(true)]),
        (Said::Unacknowledged, vec![follows(false)]),
        (Said::Firing, Vec::new()),
        (Said::Suppressed, Vec::new()),
    ] {
        assert_eq!(react::<Signal>(&Alerts, [fired(None), says(said)]), expected, "{said}");
    }
}

#[test]
fn what_clears_ends_its_alert() {
    for expired in [false, true] {
        let cleared = signal::Event::SignalCleared {
            alert_id: ALERT,
            event_id: None,
            starts_at: None,
            cleared_at: NOON,
            expired,
            received_at: None,
            said_at: None,
        };
        let clear = alert::Command::Clear {
            cleared_at: NOON,
            expired,
        };
        assert_eq!(
            react::<Signal>(&Alerts, [fired(None), cleared]),
            [send::<Alert>(ALERT, clear), forgets()]
        );
    }
}

#[test]
fn what_is_let_go_does_not_expire_and_what_never_fired_leads_to_nothing() {
    let released = signal::Event::SignalReleased {
        alert_id: ALERT,
        closed_at: NOON,
    };
    assert_eq!(react::<Signal>(&Alerts, [fired(None), released]), [forgets()]);
    let unseen = signal::Event::SignalClearedUnseen {
        event_id: "2".to_owned(),
        starts_at: Some(NOON),
        ends_at: None,
        received_at: NOON,
        said_at: None,
    };
    assert_eq!(react::<Signal>(&Alerts, [unseen]), []);
}

fn opened(silence_ends_at: Option<DateTime<Utc>>, is_heartbeat: bool) -> alert::Event {
    let is_quiet = silence_ends_at.is_some() || is_heartbeat;
    alert::Event::AlertOpened {
        status: if is_quiet {
            AlertStatus::Ignored
        } else {
            AlertStatus::Open
        },
        signal_id: SIGNAL,
        source_id: SOURCE,
        delivery_id: DELIVERY,
        brief: Box::new(brief()),
        original_severity: None,
        starts_at: None,
        links: Vec::new(),
        raw: Sealed::Open(None),
        is_heartbeat,
        rule_id: None,
        group_key: String::new(),
        group_id: GROUP,
        window_minutes: 30,
        silence_id: silence_ends_at.map(|_| SOURCE),
        silence_ends_at,
    }
}

/// What its body said goes when the body does.
fn drops_raw() -> Reaction {
    Reaction::Wait {
        timer: Uuid::new_v5(&STREAM, b"raw"),
        due_at: NOON + TimeDelta::days(30),
        sending: Sending::of::<Alert>(STREAM, alert::Command::DropRaw {}),
    }
}

fn joins() -> Reaction {
    let join = group::Command::Join {
        alert_id: STREAM,
        window_minutes: 30,
    };
    send::<Group>(GROUP, join)
}

#[test]
fn an_alert_that_opens_joins_its_group() {
    assert_eq!(react::<Alert>(&Alerts, [opened(None, false)]), [joins(), drops_raw()]);
}

#[test]
fn what_a_body_said_of_an_alert_goes_at_the_age_of_the_body_whatever_is_still_known_of_it() {
    for raw in [Sealed::Open(Some("{}".to_owned())), Sealed::Erased] {
        let mut event = opened(None, true);
        if let alert::Event::AlertOpened { raw: sent, .. } = &mut event {
            *sent = raw;
        }
        assert_eq!(react::<Alert>(&Alerts, [event]), [drops_raw()]);
    }
    assert_eq!(after(true, alert::Event::AlertRawDropped {}), []);
}

#[test]
fn an_alert_that_is_kept_quiet_waits_for_the_end_of_the_silence() {
    let waits = Reaction::Wait {
        timer: Uuid::new_v5(&STREAM, b"silence"),
        due_at: NOON + TimeDelta::seconds(1),
        sending: Sending::of::<Alert>(STREAM, alert::Command::EndSilence {}),
    };
    assert_eq!(
        react::<Alert>(&Alerts, [opened(Some(NOON), false)]),
        [waits, drops_raw()]
    );
    let longer = alert::Event::AlertKeptQuiet {
        silence_id: ISSUE,
        silence_ends_at: NOON + TimeDelta::hours(1),
    };
    let waits_longer = Reaction::Wait {
        timer: Uuid::new_v5(&STREAM, b"silence"),
        due_at: NOON + TimeDelta::hours(1) + TimeDelta::seconds(1),
        sending: Sending::of::<Alert>(STREAM, alert::Command::EndSilence {}),
    };
    assert_eq!(
        react::<Alert>(&Alerts, [opened(Some(NOON), false), longer]),
        [waits_longer]
    );
    let over = [opened(Some(NOON), false), alert::Event::AlertSilenceEnded {}];
    assert_eq!(react::<Alert>(&Alerts, over), [joins()]);
}

#[test]
fn a_heartbeat_joins_nothing_and_waits_for_no_silence() {
    assert_eq!(react::<Alert>(&Alerts, [opened(None, true)]), [drops_raw()]);
    assert_eq!(react::<Alert>(&Alerts, [opened(Some(NOON), true)]), [drops_raw()]);
}

fn joined() -> alert::Event {
    alert::Event::AlertJoinedIssue { issue_id: ISSUE }
}

fn resolved(how: ResolvedHow) -> alert::Event {
    alert::Event::AlertResolved { how, resolved_at: NOON }
}

fn notes_ended() -> Reaction {
    send::<Issue>(
        ISSUE,
        issue::Command::NoteAlertEnded {
            alert_id: STREAM,
            with_issue: false,
        },
    )
}

fn notes_ended_with_issue() -> Reaction {
    send::<Issue>(
        ISSUE,
        issue::Command::NoteAlertEnded {
            alert_id: STREAM,
            with_issue: true,
        },
    )
}

fn releases() -> Reaction {
    let release = signal::Command::Release {
        alert_id: STREAM,
        closed_at: NOON,
    };
    send::<Signal>(SIGNAL, release)
}

/// What happens to an open alert, in an issue or in none.
fn after(is_in_issue: bool, event: alert::Event) -> Vec<Reaction> {
    let joined = is_in_issue.then(joined);
    let events = std::iter::once(opened(None, false)).chain(joined).chain([event]);
    react::<Alert>(&Alerts, events)
}

#[test]
fn an_issue_hears_that_its_alert_is_over() {
    for event in [
        alert::Event::AlertMarkedFalsePositive {},
        alert::Event::AlertIgnored {},
        resolved(ResolvedHow::Sender),
        resolved(ResolvedHow::Timeout),
    ] {
        assert_eq!(after(true, event.clone()), [notes_ended()], "{event:?}");
        assert_eq!(after(false, event.clone()), [], "{event:?}");
    }
}

#[test]
fn an_issue_has_heard_of_an_end_before_the_signal_is_over() {
    let over = || alert::Event::AlertSignalOver { over_at: NOON };
    for event in [alert::Event::AlertMarkedFalsePositive {}, alert::Event::AlertIgnored {}] {
        let events = [opened(None, false), joined(), event, over()];
        assert_eq!(react::<Alert>(&Alerts, events), []);
    }
}

#[test]
fn what_a_person_has_resolved_is_let_go_by_its_signal() {
    for (how, notes) in [
        (ResolvedHow::Person, notes_ended()),
        (ResolvedHow::Issue, notes_ended_with_issue()),
    ] {
        assert_eq!(after(true, resolved(how)), [notes, releases()]);
        assert_eq!(after(false, resolved(how)), [releases()]);
    }
}

#[test]
fn an_issue_that_hears_late_of_an_alert_hears_also_that_it_is_over() {
    assert_eq!(react::<Alert>(&Alerts, [opened(None, false), joined()]), []);
    let late = [opened(None, false), resolved(ResolvedHow::Sender), joined()];
    assert_eq!(react::<Alert>(&Alerts, late), [notes_ended()]);
}

#[test]
fn an_alert_that_opens_again_is_told_to_its_issue_or_joins_one() {
    let ignored = alert::Event::AlertIgnored {};
    let again = alert::Event::AlertReopened {};
    let note = send::<Issue>(ISSUE, issue::Command::NoteAlertReopened { alert_id: STREAM });
    let events = [opened(None, false), joined(), ignored, again.clone()];
    assert_eq!(react::<Alert>(&Alerts, events), [note]);
    assert_eq!(react::<Alert>(&Alerts, [opened(Some(NOON), false), again]), [joins()]);
}

#[test]
fn what_goes_on_unseen_is_let_go_by_its_signal() {
    let archived = |goes_on| alert::Event::AlertArchived {
        archive: "dod.alerts.1".to_owned(),
        sha256: "ab".repeat(32),
        archived_at: NOON,
        signal_id: SIGNAL,
        goes_on,
    };
    assert_eq!(after(true, archived(false)), []);
    assert_eq!(after(true, archived(true)), [releases()]);
}

#[test]
fn who_looks_at_an_alert_changes_nothing_elsewhere() {
    assert_eq!(after(true, alert::Event::AlertAcknowledged { by_sender: false }), []);
    assert_eq!(after(true, alert::Event::AlertUnacknowledged {}), []);
    assert_eq!(after(true, alert::Event::AlertAssigned { user_id: SOURCE }), []);
}

#[test]
fn an_alert_and_its_issue_hear_of_each_other_as_one() {
    let grouped = group::Event::AlertGrouped {
        alert_id: ALERT,
        issue_id: ISSUE,
        is_new: true,
        joined_at: NOON,
    };
    let both = Reaction::send(vec![
        Sending::of::<Issue>(ISSUE, issue::Command::Bind { alert_id: ALERT }),
        Sending::of::<Alert>(ALERT, alert::Command::NoteIssue { issue_id: ISSUE }),
    ]);
    assert_eq!(react::<Group>(&Alerts, [grouped]), [both]);
}

/// What happens to an issue with two alerts, one of which is over.
fn of_issue(event: issue::Event) -> Vec<Reaction> {
    let bound = |alert_id| issue::Event::IssueAlertBound {
        binding_id: alert_id,
        alert_id,
        severity: Severity::High,
        brief: None,
        is_flapping: false,
        worsens: false,
    };
    let opened = issue::Event::IssueOpened {
        brief: Box::new(brief()),
        opened_at: NOON,
    };
    let over = issue::Event::IssueAlertEnded { alert_id: OTHER };
    react::<Issue>(&Alerts, [opened, bound(ALERT), bound(OTHER), over, event])
}

fn ends(false_positive: bool) -> Reaction {
    send::<Alert>(ALERT, alert::Command::EndWithIssue { false_positive })
}

#[test]
fn what_a_person_has_ended_ends_its_alerts_that_are_open() {
    let resolved = |by_itself| issue::Event::IssueResolved {
        by_itself,
        conclusion: None,
        resolved_at: NOON,
    };
    let none = issue::Event::IssueMarkedFalsePositive {
        conclusion: None,
        resolved_at: NOON,
    };
    assert_eq!(of_issue(resolved(false)), [ends(false)]);
    assert_eq!(of_issue(none), [ends(true)]);
    assert_eq!(of_issue(resolved(true)), []);
}

#[test]
fn what_an_investigation_looked_at_goes_at_the_age_of_the_body_that_it_quotes_but_not_before_its_end() {
    let matched = issue::Event::IssueSkillMatched {
        log_id: SOURCE,
        round: 1,
        skill_id: None,
        by: MatchedBy::Nothing,
        why: "Nothing fits.".to_owned(),
        evidence: Sealed::Erased,
        sop: None,
        metadata: serde_json::Value::Null,
    };
    let opened = |body_until| issue::Event::IssueOpened {
        brief: Box::new(Brief {
            body_until: Some(body_until),
            ..brief()
        }),
        opened_at: NOON,
    };
    let waits = |due_at| Reaction::Wait {
        timer: Uuid::new_v5(&STREAM, b"evidence"),
        due_at,
        sending: Sending::of::<Issue>(STREAM, issue::Command::DropEvidence {}),
    };
    let days = TimeDelta::days;
    for (body_until, due_at) in [(NOON + days(29), NOON + days(29)), (NOON, NOON + days(1))] {
        let events = [opened(body_until), matched.clone()];
        assert_eq!(react::<Issue>(&Alerts, events), [waits(due_at)]);
    }
}

#[test]
fn the_rest_of_an_issue_leads_to_nothing_here() {
    for event in [
        issue::Event::IssueStarted {},
        issue::Event::IssueMarkedUnableToResolve {},
        issue::Event::IssueReopened { by_itself: false },
        issue::Event::InvestigationBegun {
            round: 2,
            status: IssueStatus::Analyzing,
        },
        issue::Event::IssueAssigned {
            user_id: SOURCE,
            by_itself: false,
        },
    ] {
        assert_eq!(of_issue(event), []);
    }
}
