use super::*;
use crate::conditions::{Field, Op};
use dod_formats::Severity;
use domain::Event as _;
use rehearsal::given::{Given, TENANT, drawn, given, long, state};

const ID: Uuid = Uuid::from_u128(0x51);
const OTHER: Uuid = Uuid::from_u128(0x52);

fn at(hours: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::hours(hours)
}

fn silences(events: impl IntoIterator<Item = Event>) -> Given<Silences> {
    given::<Silences>(events).on(Silences::only_stream(TENANT)).at(at(0))
}

fn of_type(alert_type: &str) -> Vec<Condition> {
    vec![Condition::new(Field::AlertType, Op::Equal, alert_type)]
}

/// From the first hour to the second, set at hour 0.
fn silenced(silence_id: Uuid, from: i64, to: i64) -> Event {
    Event::AlertsSilenced {
        silence_id,
        name: "Disks".to_owned(),
        comment: Some("we know".to_owned()),
        when: of_type("DiskFull"),
        starts_at: at(from),
        ends_at: at(to),
        kind: SilenceKind::Silence,
        silenced_at: at(0),
    }
}

fn command(event: &Event) -> Command {
    let Event::AlertsSilenced {
        silence_id,
        name,
        comment,
        when,
        starts_at,
        ends_at,
        kind,
        ..
    } = event.clone()
    else {
        panic!("{event:?} silences nothing");
    };
    Command::Silence {
        silence_id: Some(silence_id),
        name,
        comment,
        when,
        starts_at: Some(starts_at),
        ends_at,
        kind,
    }
}

/// As [`silenced`], without saying which one.
fn new(from: i64, to: i64) -> Command {
    let mut command = command(&silenced(ID, from, to));
    if let Command::Silence { silence_id, .. } = &mut command {
        *silence_id = None;
    }
    command
}

/// As if it was set at this hour.
fn set_at(hour: i64, mut event: Event) -> Event {
    if let Event::AlertsSilenced { silenced_at, .. } = &mut event {
        *silenced_at = at(hour);
    }
    event
}

fn changed(change: impl FnOnce(&mut Event)) -> Command {
    let mut event = silenced(ID, 0, 2);
    change(&mut event);
    command(&event)
}

macro_rules! with {
    ($($field:ident: $value:expr),+) => {
        changed(|event| {
            if let Event::AlertsSilenced { $($field),+, .. } = event {
                $(*$field = $value;)+
            }
        })
    };
}

/// What keeps an alert of this type quiet.
fn silencing(silences: &Silences, alert_type: &str, at: DateTime<Utc>) -> Option<Uuid> {
    let labels = BTreeMap::new();
    let subject = Subject {
        source: "Prometheus",
        source_id: Uuid::nil(),
        alert_type,
        severity: Severity::High,
        title: "a title",
        description: None,
        labels: &labels,
    };
    silences.silencing(&subject, at).map(|silencing| silencing.id)
}

#[test]
fn alerts_are_silenced_and_no_longer() {
    silences([]).when(new(0, 2)).then([silenced(drawn(0), 0, 2)]);
    let ended = Event::SilenceEnded {
        silence_id: ID,
        ended_at: at(1),
    };
    let end = || Command::End { silence_id: ID };
    silences([silenced(ID, 0, 2)])
        .at(at(1))
        .when(end())
        .then([ended.clone()]);
    silences([silenced(ID, 0, 2), ended]).at(at(1)).when(end()).then([]);
    silences([silenced(ID, 0, 2)]).at(at(2)).when(end()).then([]);
}

#[test]
fn a_silence_without_id_and_start_is_a_new_one_from_now_on() {
    let mut from_now_on = new(0, 2);
    if let Command::Silence { starts_at, .. } = &mut from_now_on {
        *starts_at = None;
    }
    silences([silenced(ID, 0, 2)])
        .when(from_now_on)
        .then([silenced(drawn(0), 0, 2)]);
    silences([]).when(new(-5, 2)).then([silenced(drawn(0), 0, 2)]);
}

#[test]
fn only_a_silence_of_the_tenant_that_has_not_ended_is_changed() {
    let longer = || command(&silenced(ID, 0, 9));
    silences([silenced(ID, 0, 2)])
        .at(at(1))
        .when(longer())
        .then([set_at(1, silenced(ID, 0, 9))]);
    let ended = Event::SilenceEnded {
        silence_id: ID,
        ended_at: at(1),
    };
    let over = silenced(ID, 0, 1);
    for events in [
        vec![],
        vec![silenced(OTHER, 0, 2)],
        vec![over],
        vec![silenced(ID, 0, 2), ended],
    ] {
        silences(events)
            .at(at(1))
            .when(longer())
            .refused(Refusal::NoSuchSilence);
    }
    let refusal = Refusal::NoSuchSilence;
    assert_eq!(refusal.field().as_deref(), Some("silence_id"));
    assert!(refusal.to_string().contains("leave it out for a new one"), "{refusal}");
}

#[test]
fn a_silence_that_goes_on_keeps_its_start_and_says_nothing_twice() {
    let longer = silences([silenced(ID, 0, 2)])
        .at(at(1))
        .when(with!(ends_at: at(9)))
        .events();
    let [Event::AlertsSilenced { starts_at, ends_at, .. }] = &longer[..] else {
        panic!("{longer:?}");
    };
    assert_eq!((*starts_at, *ends_at), (at(0), at(9)));
    silences([silenced(ID, 0, 2)])
        .at(at(1))
        .when(with!(comment: None))
        .then([]);
}

#[test]
fn one_per_tenant() {
    given::<Silences>([]).when(new(0, 2)).refused(Refusal::OnePerTenant {
        id: Silences::only_stream(TENANT),
    });
    assert_eq!(given::<Silences>([]).offered(), Vec::<String>::new());
}

#[test]
fn no_such_silence() {
    let end = || Command::End { silence_id: OTHER };
    silences([]).when(end()).refused(Refusal::NoSuchSilence);
    silences([silenced(ID, 0, 2)])
        .when(end())
        .refused(Refusal::NoSuchSilence);
    assert_eq!(silences([]).offered(), ["silence"]);
    assert_eq!(silences([silenced(ID, 0, 2)]).offered(), ["silence", "end"]);
}

fn many() -> Vec<Event> {
    let ids = (0..SILENCES_MAX as u128).map(|n| Uuid::from_u128(0x1000 + n));
    ids.map(|id| silenced(id, 0, 2)).collect()
}

#[test]
fn too_many_silences() {
    silences(many()).when(new(0, 2)).refused(Refusal::TooManySilences);
    let again = silenced(Uuid::from_u128(0x1000), 0, 3);
    silences(many()).when(command(&again)).then([again]);
    // Those that have ended take no room.
    let later = silences(many()).at(at(2)).when(new(3, 4));
    assert!(later.outcome().is_ok());
}

#[test]
fn too_many_patterns() {
    let matching = |silence_id, count: usize| {
        let mut event = silenced(silence_id, 0, 2);
        if let Event::AlertsSilenced { when, .. } = &mut event {
            *when = vec![Condition::new(Field::Title, Op::Matches, "x"); count];
        }
        event
    };
    let ids = (0..6).map(|n| Uuid::from_u128(0x1000 + n));
    let before: Vec<Event> = ids.map(|id| matching(id, 16)).collect();
    let ask = |count| {
        let mut asked = command(&matching(ID, count));
        if let Command::Silence { silence_id, .. } = &mut asked {
            *silence_id = None;
        }
        silences(before.clone()).when(asked)
    };
    ask(5).refused(Refusal::TooManyPatterns);
    ask(4).then([matching(drawn(0), 4)]);
}

#[test]
fn silences_everything() {
    silences([silenced(ID, 0, 2)])
        .when(with!(when: Vec::new()))
        .refused(Refusal::SilencesEverything);
}

#[test]
fn bad_period() {
    let periods = [(1, 1), (2, 1), (-3, -1), (-3, 0), (0, 366 * 24 + 1)];
    for (from, to) in periods {
        silences([]).when(new(from, to)).refused(Refusal::BadPeriod);
    }
    assert!(silences([]).when(new(0, 366 * 24)).outcome().is_ok());
    let far = DateTime::<Utc>::MAX_UTC;
    let refusal = silences([silenced(ID, 0, 2)])
        .when(with!(starts_at: far, ends_at: far))
        .outcome()
        .unwrap_err();
    assert_eq!(
        (refusal.rule(), refusal.field().unwrap().as_str()),
        ("unfit", "starts_at")
    );
}

#[test]
fn a_condition_that_cannot_be_run_is_refused_with_its_place() {
    let bad = vec![Condition::new(Field::Title, Op::Matches, "a(")];
    let refusal = silences([]).when(with!(when: bad)).outcome().unwrap_err();
    assert_eq!(
        (refusal.rule(), refusal.field().unwrap().as_str()),
        ("condition", "when")
    );
    assert!(
        refusal.to_string().starts_with("when[0].value, character 2"),
        "{refusal}"
    );
}

#[test]
fn a_silence_fits_its_columns() {
    let field = |command| {
        silences([silenced(ID, 0, 2)])
            .when(command)
            .outcome()
            .unwrap_err()
            .field()
            .unwrap()
    };
    assert_eq!(field(with!(name: String::new())), "name");
    assert_eq!(field(with!(name: long(NAME_CHARS_MAX + 1))), "name");
    assert_eq!(field(with!(comment: Some(long(COMMENT_CHARS_MAX + 1)))), "comment");
}

#[test]
fn a_silence_holds_from_its_start_until_just_before_its_end() {
    let state = state::<Silences>([silenced(ID, 1, 2)]);
    for (minutes, is_on) in [(59, false), (60, true), (119, true), (120, false)] {
        let then = at(0) + TimeDelta::minutes(minutes);
        assert_eq!(silencing(&state, "DiskFull", then).is_some(), is_on, "{minutes}");
    }
    assert_eq!(silencing(&state, "OutOfMemory", at(1)), None);
}

#[test]
fn of_several_silences_the_one_that_ends_last_is_named() {
    let both = || [silenced(OTHER, 0, 5), silenced(ID, 0, 3)];
    assert_eq!(silencing(&state::<Silences>(both()), "DiskFull", at(1)), Some(OTHER));
    let ended = Event::SilenceEnded {
        silence_id: OTHER,
        ended_at: at(1),
    };
    let after = state::<Silences>(both().into_iter().chain([ended]));
    assert_eq!(silencing(&after, "DiskFull", at(1)), Some(ID));
}

#[test]
fn silences_that_have_ended_are_forgotten_when_another_is_set() {
    let mut later = silenced(OTHER, 3, 4);
    if let Event::AlertsSilenced { silenced_at, .. } = &mut later {
        *silenced_at = at(2);
    }
    let state = state::<Silences>([silenced(ID, 0, 2), later]);
    assert_eq!(state.set.keys().collect::<Vec<_>>(), [&OTHER]);
}

#[test]
fn what_somebody_said_of_a_silence_is_a_text_and_in_no_state() {
    assert_eq!(silenced(ID, 0, 2).texts(), ["comment"]);
    let shown = serde_json::to_string(&state::<Silences>([silenced(ID, 0, 2)])).unwrap();
    assert!(shown.contains("DiskFull") && !shown.contains("we know"), "{shown}");
}
