use rehearsal::given::{Given, TENANT, given, state};

use super::*;

fn retention(events: impl IntoIterator<Item = Event>) -> Given<Retention> {
    given::<Retention>(events).on(Retention::only_stream(TENANT))
}

fn set(body_days: i32) -> Command {
    Command::Set {
        body_days,
        closed_days: None,
    }
}

fn was_set(body_days: i32) -> Event {
    Event::RetentionSet {
        body_days,
        closed_days: None,
    }
}

#[test]
fn bodies_are_kept_for_a_day_to_a_year() {
    for days in [1, 30, 365] {
        retention([]).when(set(days)).then([was_set(days)]);
    }
    for days in [-1, 0, 366] {
        let unfit = Unfit::Range {
            value: days.into(),
            min: 1,
            max: 365,
        };
        retention([]).when(set(days)).refused(Refusal::Unfit {
            field: "body_days",
            unfit,
        });
    }
    retention([was_set(30)]).when(set(30)).then([]);
    retention([was_set(30)]).when(set(31)).then([was_set(31)]);
}

#[test]
fn without_a_setting_they_are_kept_for_ninety_days() {
    let at = DateTime::UNIX_EPOCH;
    let kept = |retention: Option<&Retention>| (Retention::body_until(retention, at) - at).num_days();
    assert_eq!(kept(None), 90);
    assert_eq!(kept(Some(&state([]))), 90);
    assert_eq!(kept(Some(&state([was_set(7)]))), 7);
}

#[test]
fn another_stream_is_refused() {
    let id = Retention::only_stream(TENANT);
    given::<Retention>([])
        .when(set(7))
        .refused(Refusal::OnePerTenant { id });
}

#[test]
fn what_is_over_stays_in_the_tables_for_a_day_to_ten_years_and_usually_for_one() {
    let set = |closed_days| Command::Set {
        body_days: 30,
        closed_days,
    };
    let was_set = |closed_days| Event::RetentionSet {
        body_days: 30,
        closed_days,
    };
    for days in [1, 365, 3_650] {
        retention([]).when(set(Some(days))).then([was_set(Some(days))]);
    }
    for days in [-1, 0, 3_651] {
        let unfit = Unfit::Range {
            value: days.into(),
            min: 1,
            max: 3_650,
        };
        retention([]).when(set(Some(days))).refused(Refusal::Unfit {
            field: "closed_days",
            unfit,
        });
    }
    retention([was_set(Some(7))]).when(set(Some(7))).then([]);
    retention([was_set(Some(7))]).when(set(None)).then([was_set(None)]);
    let kept = |retention: Option<&Retention>| Retention::closed_for(retention).num_days();
    assert_eq!(kept(None), 365);
    assert_eq!(kept(Some(&state([was_set(None)]))), 365);
    assert_eq!(kept(Some(&state([was_set(Some(7))]))), 7);
}

#[test]
fn what_was_stored_without_the_time_of_what_is_over_is_written_as_it_was() {
    let stored = r#"{"RetentionSet":{"body_days":30}}"#;
    let event: Event = serde_json::from_str(stored).unwrap();
    assert_eq!(event, was_set(30));
    assert_eq!(serde_json::to_string(&event).unwrap(), stored);
}
