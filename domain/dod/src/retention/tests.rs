use rehearsal::given::{Given, TENANT, given, state};

use super::*;

fn retention(events: impl IntoIterator<Item = Event>) -> Given<Retention> {
    given::<Retention>(events).on(Retention::only_stream(TENANT))
}

fn set(body_days: i32) -> Command {
    Command::Set { body_days }
}

fn was_set(body_days: i32) -> Event {
    Event::RetentionSet { body_days }
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
        retention([]).when(set(days)).refused(Refusal::Unfit { unfit });
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
