//! Each command to an alert in each of its states.

mod archive;
mod looked_at;

use chrono::TimeDelta;
use domain::{Decider as _, Facts, SYSTEM};
use identity::user::{self, User};
use rehearsal::given::{Given, TENANT, given, state};
use serde_json::json;

use super::*;
use crate::correlation::{self, Correlations};
use crate::silence::{self, Silences};

const SIGNAL: Uuid = Uuid::from_u128(0x51);
const SOURCE: Uuid = Uuid::from_u128(0x50);
const DELIVERY: Uuid = Uuid::from_u128(0xd);
const GROUP: Uuid = Uuid::from_u128(0x6);
const ISSUE: Uuid = Uuid::from_u128(0x15);
const SILENCE: Uuid = Uuid::from_u128(0x511);
const BEN: Uuid = Uuid::from_u128(0xbe);
/// 2026-03-01T12:00:00Z.
const NOON: DateTime<Utc> = DateTime::from_timestamp_nanos(1_772_366_400_000_000_000);

fn brief() -> Brief {
    Brief {
        source: "Prometheus".to_owned(),
        alert_type: "DiskFull".to_owned(),
        severity: Severity::High,
        title: "Disk is full".to_owned(),
        description: None,
        labels: [("env".to_owned(), "test".to_owned())].into(),
        receiver_im: None,
        is_flapping: false,
        received_at: NOON,
        body_until: Some(NOON + TimeDelta::days(90)),
    }
}

fn opened(status: AlertStatus, silence_id: Option<Uuid>) -> Event {
    Event::AlertOpened {
        status,
        signal_id: SIGNAL,
        source_id: SOURCE,
        delivery_id: DELIVERY,
        brief: Box::new(brief()),
        original_severity: Some("page".to_owned()),
        starts_at: Some(NOON),
        links: Vec::new(),
        raw: Sealed::Open(Some("{}".to_owned())),
        is_heartbeat: false,
        rule_id: None,
        group_key: "source=Prometheus, alert_type=DiskFull".to_owned(),
        group_id: GROUP,
        window_minutes: 30,
        silence_id,
        silence_ends_at: silence_id.map(|_| NOON),
    }
}

fn open(is_heartbeat: bool) -> Command {
    Command::Open {
        signal_id: SIGNAL,
        source_id: SOURCE,
        delivery_id: DELIVERY,
        brief: Box::new(brief()),
        original_severity: Some("page".to_owned()),
        starts_at: Some(NOON),
        links: Vec::new(),
        raw: Some("{}".to_owned()),
        is_heartbeat,
    }
}

fn resolved(how: ResolvedHow) -> Event {
    Event::AlertResolved { how, resolved_at: NOON }
}

fn clear(expired: bool) -> Command {
    Command::Clear {
        cleared_at: NOON,
        expired,
    }
}

fn over_at_noon() -> Event {
    Event::AlertSignalOver { over_at: NOON }
}

fn people() -> Facts {
    let registered = user::Event::UserRegistered {
        email: Sealed::Open("ben@example.com".to_owned()),
        name: Sealed::Open("Ben".to_owned()),
        oauth_provider: None,
        oauth_id: None,
    };
    Facts::default().with(BEN, state::<User>([registered]))
}

/// The past of an alert in this state.
fn past(status: AlertStatus) -> Vec<Event> {
    let ended = match status {
        AlertStatus::Open => Vec::new(),
        AlertStatus::Investigating => vec![Event::AlertAcknowledged { by_sender: false }],
        AlertStatus::Resolved => vec![resolved(ResolvedHow::Person)],
        AlertStatus::FalsePositive => vec![Event::AlertMarkedFalsePositive {}],
        AlertStatus::Ignored => vec![Event::AlertIgnored {}],
    };
    [opened(AlertStatus::Open, None)].into_iter().chain(ended).collect()
}

fn in_state(status: AlertStatus) -> Given<Alert> {
    given::<Alert>(past(status)).with_facts(people()).at(NOON)
}

const STATES: [AlertStatus; 5] = [
    AlertStatus::Open,
    AlertStatus::Investigating,
    AlertStatus::Resolved,
    AlertStatus::FalsePositive,
    AlertStatus::Ignored,
];

/// What a command leads to in each of [`STATES`].
type Outcomes = [Result<Option<Event>, Refusal>; 5];

#[track_caller]
fn leads_to(command: impl Fn() -> Command, outcomes: Outcomes) {
    for (status, outcome) in STATES.into_iter().zip(outcomes) {
        let decided = in_state(status).when(command()).outcome();
        let expected = outcome.map(|event| event.into_iter().collect::<Vec<_>>());
        assert_eq!(decided, expected, "{status}: {:?}", command());
    }
}

fn ended(status: AlertStatus) -> Result<Option<Event>, Refusal> {
    Err(Refusal::Ended { status })
}

fn over() -> [Result<Option<Event>, Refusal>; 3] {
    [
        ended(AlertStatus::Resolved),
        ended(AlertStatus::FalsePositive),
        ended(AlertStatus::Ignored),
    ]
}

#[test]
fn a_person_resolves_whatever_is_not_over() {
    let happens = || Ok(Some(resolved(ResolvedHow::Person)));
    leads_to(
        || Command::Resolve {},
        [
            happens(),
            happens(),
            Ok(None),
            ended(AlertStatus::FalsePositive),
            happens(),
        ],
    );
}

#[test]
fn a_person_calls_false_whatever_is_not_resolved() {
    let happens = || Ok(Some(Event::AlertMarkedFalsePositive {}));
    leads_to(
        || Command::MarkFalsePositive {},
        [happens(), happens(), ended(AlertStatus::Resolved), Ok(None), happens()],
    );
}

#[test]
fn a_person_ignores_what_is_open() {
    let happens = || Ok(Some(Event::AlertIgnored {}));
    leads_to(
        || Command::Ignore {},
        [
            happens(),
            happens(),
            ended(AlertStatus::Resolved),
            ended(AlertStatus::FalsePositive),
            Ok(None),
        ],
    );
}

#[test]
fn what_a_person_has_ended_is_reopened_while_it_goes_on_and_what_is_resolved_stays_so() {
    let reopened = || Ok(Some(Event::AlertReopened {}));
    let not_ended = |status| Err(Refusal::NotEnded { status });
    leads_to(
        || Command::Reopen {},
        [
            not_ended(AlertStatus::Open),
            not_ended(AlertStatus::Investigating),
            Err(Refusal::Over),
            reopened(),
            reopened(),
        ],
    );
}

#[test]
fn what_clears_is_resolved_unless_a_person_has_ended_it() {
    for (expired, how) in [(false, ResolvedHow::Sender), (true, ResolvedHow::Timeout)] {
        let happens = || Ok(Some(resolved(how)));
        let is_over = || Ok(Some(over_at_noon()));
        leads_to(
            || clear(expired),
            [happens(), happens(), Ok(None), is_over(), is_over()],
        );
    }
}

#[test]
fn what_a_person_said_of_an_alert_stays_when_its_signal_is_over_and_it_is_not_reopened() {
    for status in [AlertStatus::FalsePositive, AlertStatus::Ignored] {
        let over = || past(status).into_iter().chain([over_at_noon()]);
        assert_eq!(state::<Alert>(over()).opened().unwrap().status, status);
        given::<Alert>(over()).when(clear(false)).then([]);
        given::<Alert>(over()).when(Command::Reopen {}).refused(Refusal::Over);
        assert!(!given::<Alert>(over()).offered().contains(&"reopen".to_owned()));
    }
}

#[test]
fn what_only_a_silence_or_a_heartbeat_ignores_is_resolved_when_it_clears() {
    let heartbeat = || {
        let mut event = opened(AlertStatus::Ignored, None);
        if let Event::AlertOpened { is_heartbeat, .. } = &mut event {
            *is_heartbeat = true;
        }
        event
    };
    for opened in [opened(AlertStatus::Ignored, Some(SILENCE)), heartbeat()] {
        given::<Alert>([opened.clone()])
            .when(clear(false))
            .then([resolved(ResolvedHow::Sender)]);
        given::<Alert>([opened, Event::AlertIgnored {}])
            .when(clear(false))
            .then([over_at_noon()]);
    }
    given::<Alert>([heartbeat()])
        .when(Command::Reopen {})
        .refused(Refusal::Heartbeat);
    assert!(!given::<Alert>([heartbeat()]).offered().contains(&"reopen".to_owned()));
}

#[test]
fn what_a_person_ignores_stays_so_when_the_silence_ends() {
    let silenced = || opened(AlertStatus::Ignored, Some(SILENCE));
    given::<Alert>([silenced()])
        .when(Command::Ignore {})
        .then([Event::AlertIgnored {}]);
    let ignored = || [silenced(), Event::AlertIgnored {}];
    given::<Alert>(ignored()).when(Command::Ignore {}).then([]);
    given::<Alert>(ignored()).when(Command::EndSilence {}).then([]);
    given::<Alert>(ignored())
        .when(Command::Reopen {})
        .then([Event::AlertReopened {}]);
}

#[test]
fn what_a_body_said_of_an_alert_is_dropped_once_in_whatever_state() {
    let dropped = || Ok(Some(Event::AlertRawDropped {}));
    leads_to(
        || Command::DropRaw {},
        [dropped(), dropped(), dropped(), dropped(), dropped()],
    );
    let gone = [opened(AlertStatus::Open, None), Event::AlertRawDropped {}];
    given::<Alert>(gone).when(Command::DropRaw {}).then([]);
    // There was none, or its key is gone with the tenant's.
    for nothing in [Sealed::Open(None), Sealed::Erased] {
        let mut event = opened(AlertStatus::Open, None);
        if let Event::AlertOpened { raw, .. } = &mut event {
            *raw = nothing;
        }
        given::<Alert>([event]).when(Command::DropRaw {}).then([]);
    }
}

#[test]
fn an_issue_ends_those_of_its_alerts_that_are_open() {
    let resolved = || Ok(Some(resolved(ResolvedHow::Issue)));
    let none = || Ok(Some(Event::AlertMarkedFalsePositive {}));
    leads_to(
        || Command::EndWithIssue { false_positive: false },
        [resolved(), resolved(), Ok(None), Ok(None), Ok(None)],
    );
    leads_to(
        || Command::EndWithIssue { false_positive: true },
        [none(), none(), Ok(None), Ok(None), Ok(None)],
    );
}

#[test]
fn an_alert_notes_its_issue_in_whatever_state_and_once() {
    let joined = || Ok(Some(Event::AlertJoinedIssue { issue_id: ISSUE }));
    leads_to(
        || Command::NoteIssue { issue_id: ISSUE },
        [joined(), joined(), joined(), joined(), joined()],
    );
    let events = [
        opened(AlertStatus::Open, None),
        Event::AlertJoinedIssue { issue_id: ISSUE },
    ];
    given::<Alert>(events)
        .when(Command::NoteIssue { issue_id: SOURCE })
        .then([]);
}

#[test]
fn the_end_of_a_silence_opens_only_what_it_kept_quiet() {
    leads_to(
        || Command::EndSilence {},
        [Ok(None), Ok(None), Ok(None), Ok(None), Ok(None)],
    );
    let silenced = || opened(AlertStatus::Ignored, Some(SILENCE));
    given::<Alert>([silenced()])
        .when(Command::EndSilence {})
        .then([Event::AlertSilenceEnded {}]);
    for meanwhile in [
        Event::AlertReopened {},
        Event::AlertMarkedFalsePositive {},
        Event::AlertIgnored {},
        resolved(ResolvedHow::Sender),
        Event::AlertSilenceEnded {},
    ] {
        given::<Alert>([silenced(), meanwhile])
            .when(Command::EndSilence {})
            .then([]);
    }
}

#[test]
fn a_silence_that_lasts_longer_or_another_one_keeps_it_quiet_and_one_that_means_others_does_not() {
    let silenced = || opened(AlertStatus::Ignored, Some(SILENCE));
    let looks = |silences: &[serde_json::Value]| {
        let alert = given::<Alert>([silenced()]).with_facts(rules(silences)).at(NOON);
        alert.when(Command::EndSilence {}).events()
    };
    let kept = |hours| Event::AlertKeptQuiet {
        silence_id: SILENCE,
        silence_ends_at: NOON + TimeDelta::hours(hours),
    };
    assert_eq!(looks(&[silence(2, "test")]), [kept(2)]);
    assert_eq!(looks(&[silence(2, "live")]), [Event::AlertSilenceEnded {}]);
    assert_eq!(looks(&[silence(0, "test")]), [Event::AlertSilenceEnded {}]);
    // It knows that already.
    given::<Alert>([silenced(), kept(2)])
        .with_facts(rules(&[silence(2, "test")]))
        .at(NOON)
        .when(Command::EndSilence {})
        .then([]);
}

#[test]
fn one_that_shows_that_its_sender_lives_is_quiet_whatever_becomes_of_a_silence() {
    let mut heartbeat = opened(AlertStatus::Ignored, Some(SILENCE));
    if let Event::AlertOpened { is_heartbeat, .. } = &mut heartbeat {
        *is_heartbeat = true;
    }
    for silences in [vec![], vec![silence(2, "live")], vec![silence(2, "test")]] {
        given::<Alert>([heartbeat.clone()])
            .with_facts(rules(&silences))
            .at(NOON)
            .when(Command::EndSilence {})
            .then([]);
    }
}

#[test]
fn an_alert_opens_once_and_nothing_can_be_asked_of_it_before() {
    for status in STATES {
        in_state(status).when(open(false)).refused(Refusal::AlreadyOpened);
    }
    for command in [Command::Acknowledge {}, Command::EndSilence {}, Command::Reopen {}] {
        given::<Alert>([]).when(command).refused(Refusal::NotOpened);
    }
}

#[test]
fn whoever_asks_is_offered_what_can_be_accepted() {
    let ends = ["resolve", "mark-false-positive", "ignore"];
    let of_open = [&["acknowledge", "unacknowledge", "assign"], &ends[..]].concat();
    let offered = |status| in_state(status).offered_of(&[&of_open[..], &["reopen"]].concat());
    assert_eq!(offered(AlertStatus::Open), of_open);
    assert_eq!(offered(AlertStatus::Investigating), of_open);
    assert_eq!(offered(AlertStatus::Resolved), ["resolve"]);
    assert_eq!(offered(AlertStatus::FalsePositive), ["mark-false-positive", "reopen"]);
    let of_ignored: Vec<_> = ends.into_iter().chain(["reopen"]).collect();
    assert_eq!(offered(AlertStatus::Ignored), of_ignored);
    assert_eq!(given::<Alert>([]).by(SYSTEM).offered(), ["open"]);
}

fn rules(silences: &[serde_json::Value]) -> Facts {
    let silenced = silences.iter().map(|fields| {
        let event = json!({"AlertsSilenced": fields});
        serde_json::from_value::<silence::Event>(event).unwrap()
    });
    let rule = json!({"CorrelationRuleSet": {
        "rule_id": SOURCE, "name": "By environment", "when": [], "by": ["labels.env"], "window_minutes": 45, "priority": 0,
    }});
    let rule: correlation::Event = serde_json::from_value(rule).unwrap();
    Facts::default()
        .with(Correlations::only_stream(TENANT), state::<Correlations>([rule]))
        .with(Silences::only_stream(TENANT), state::<Silences>(silenced))
}

fn silence(hours: i64, value: &str) -> serde_json::Value {
    json!({
        "silence_id": SILENCE, "name": "Work", "when": [{"field": "labels.env", "op": "equal", "value": value}],
        "starts_at": NOON - TimeDelta::hours(1), "ends_at": NOON + TimeDelta::hours(hours), "kind": "maintenance",
        "silenced_at": NOON - TimeDelta::hours(1),
    })
}

/// How an alert opens under these silences: its status, and the silence with its end.
fn opens(is_heartbeat: bool, silences: &[serde_json::Value]) -> (AlertStatus, Option<(Uuid, DateTime<Utc>)>) {
    let decided = given::<Alert>([]).with_facts(rules(silences)).at(NOON);
    let events = decided.when(open(is_heartbeat)).events();
    let [
        Event::AlertOpened {
            status,
            silence_id,
            silence_ends_at,
            ..
        },
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    (*status, silence_id.zip(*silence_ends_at))
}

#[test]
fn an_alert_opens_unless_a_silence_holds_or_it_is_a_heartbeat() {
    let quiet = Some((SILENCE, NOON + TimeDelta::hours(1)));
    assert_eq!(opens(false, &[]), (AlertStatus::Open, None));
    assert_eq!(opens(false, &[silence(1, "test")]), (AlertStatus::Ignored, quiet));
    assert_eq!(opens(false, &[silence(1, "production")]), (AlertStatus::Open, None));
    assert_eq!(opens(false, &[silence(0, "test")]), (AlertStatus::Open, None));
    assert_eq!(opens(true, &[]), (AlertStatus::Ignored, None));
}

#[test]
fn an_alert_is_grouped_by_the_rules_as_they_are_when_it_opens() {
    let decided = given::<Alert>([]).with_facts(rules(&[])).at(NOON);
    let events = decided.when(open(false)).events();
    let [
        Event::AlertOpened {
            rule_id,
            group_key,
            window_minutes,
            ..
        },
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!((*rule_id, *window_minutes), (Some(SOURCE), 45));
    assert_eq!(group_key, "labels.env=test");
    // Without rules of the tenant's own.
    let events = given::<Alert>([]).at(NOON).when(open(false)).events();
    let [
        Event::AlertOpened {
            rule_id: None,
            window_minutes: 30,
            ..
        },
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
}

#[test]
fn what_a_body_said_is_sealed_in_the_name_of_the_alert_and_goes_when_the_alert_says_so() {
    let stream = Uuid::from_u128(0xa1);
    let event = opened(AlertStatus::Open, None);
    assert_eq!(domain::Event::sealed_apart(&event, stream), [("raw", stream)]);
    assert_eq!(erased(stream, &event), []);
    assert_eq!(erased(stream, &Event::AlertRawDropped {}), [Erase::Person(stream)]);
}
