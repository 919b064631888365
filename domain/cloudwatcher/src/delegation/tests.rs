use chrono::DateTime;
use serde_json::json;

use super::*;
use domain::{Facts, Sealed};
use identity::user;
use rehearsal::given::{STREAM, drawn, given, state};

const BEN: Uuid = Uuid::from_u128(0x10);
const STORE: Uuid = Uuid::from_u128(0x20);
const KIOSK: Uuid = Uuid::from_u128(0x21);
const FIRST: Uuid = Uuid::from_u128(0x30);

fn day(n: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(n)
}

fn registered() -> user::Event {
    user::Event::UserRegistered {
        email: Sealed::Open("b@b".to_owned()),
        name: Sealed::Open("Ben".to_owned()),
        oauth_provider: None,
        oauth_id: None,
    }
}

fn known() -> Facts {
    let department: Department = serde_json::from_value(json!({"name": "Store"})).unwrap();
    Facts::default()
        .with(BEN, state::<User>([registered()]))
        .with(STORE, Register::Entered(department))
}

fn grant(from: Option<i64>, until: i64) -> Command {
    Command::Grant {
        to: BEN,
        starts_at: from.map(day),
        ends_at: day(until),
        department_ids: Vec::new(),
        total_max: None,
        currency: None,
    }
}

fn for_departments(department_ids: Vec<Uuid>) -> Command {
    Command::Grant {
        to: BEN,
        starts_at: None,
        ends_at: day(1),
        department_ids,
        total_max: None,
        currency: None,
    }
}

fn granted(delegation_id: Uuid, from: i64, until: i64) -> Event {
    Event::DelegationGranted {
        delegation_id,
        to: BEN,
        starts_at: day(from),
        ends_at: day(until),
        department_ids: Vec::new(),
        total_max: None,
        currency: None,
        granted_at: day(0),
    }
}

fn revoked(delegation_id: Uuid) -> Event {
    Event::DelegationRevoked {
        delegation_id,
        revoked_at: day(0),
    }
}

#[track_caller]
fn refused(command: Command, refusal: Refusal) {
    given::<Delegations>([])
        .by(STREAM)
        .with_facts(known())
        .when(command)
        .refused(refusal);
}

#[test]
fn a_person_delegates_from_now_or_from_a_later_start() {
    given::<Delegations>([])
        .by(STREAM)
        .with_facts(known())
        .when(grant(None, 14))
        .then([granted(drawn(0), 0, 14)]);
    given::<Delegations>([])
        .by(STREAM)
        .with_facts(known())
        .when(grant(Some(7), 14))
        .then([granted(drawn(0), 7, 14)]);
}

#[test]
fn a_start_in_the_past_means_now() {
    given::<Delegations>([])
        .by(STREAM)
        .with_facts(known())
        .when(grant(Some(-100), 14))
        .then([granted(drawn(0), 0, 14)]);
}

#[test]
fn only_the_person_themself_delegates_and_revokes() {
    for command in [grant(None, 14), Command::Revoke { delegation_id: FIRST }] {
        given::<Delegations>([granted(FIRST, 0, 14)])
            .by(BEN)
            .with_facts(known())
            .when(command)
            .refused(Refusal::NotOneself);
    }
    assert_eq!(Refusal::NotOneself.class(), Class::Forbidden);
}

#[test]
fn a_delegate_is_another_active_user() {
    given::<Delegations>([])
        .on(BEN)
        .by(BEN)
        .with_facts(known())
        .when(grant(None, 14))
        .refused(Refusal::ToOneself);
    let away = state::<User>([registered(), user::Event::UserDeactivated {}]);
    for facts in [Facts::default(), Facts::default().with(BEN, away)] {
        given::<Delegations>([])
            .by(STREAM)
            .with_facts(facts)
            .when(grant(None, 14))
            .refused(Refusal::NotActive);
    }
}

#[test]
fn a_delegation_ends_after_its_start_in_the_future_and_within_90_days() {
    refused(grant(None, 0), Refusal::BadPeriod);
    refused(grant(Some(-9), -1), Refusal::BadPeriod);
    refused(grant(Some(5), 5), Refusal::BadPeriod);
    refused(grant(Some(5), 96), Refusal::BadPeriod);
    given::<Delegations>([])
        .by(STREAM)
        .with_facts(known())
        .when(grant(Some(5), 95))
        .then([granted(drawn(0), 5, 95)]);
}

#[test]
fn departments_are_in_use_and_named_once() {
    let field = |n: usize| format!("department_ids[{n}]");
    refused(
        for_departments(vec![STORE, STORE]),
        Refusal::Repeated { field: field(1) },
    );
    refused(
        for_departments(vec![STORE, KIOSK]),
        Refusal::NoDepartment { field: field(1) },
    );
    refused(
        for_departments(vec![STORE; DEPARTMENTS_MAX + 1]),
        Refusal::TooManyDepartments,
    );
}

#[test]
fn a_highest_total_is_a_price() {
    let up_to = |total_max| Command::Grant {
        to: BEN,
        starts_at: None,
        ends_at: day(1),
        department_ids: Vec::new(),
        total_max: Some(total_max),
        currency: Some("EUR".to_owned()),
    };
    let unfit = Refusal::Unfit {
        field: "total_max",
        unfit: Unfit::Negative,
    };
    refused(up_to(Decimal::NEGATIVE_ONE), unfit);
}

#[test]
fn a_highest_total_is_in_a_currency_that_it_can_be_in() {
    let up_to = |currency: Option<&str>, total_max| Command::Grant {
        to: BEN,
        starts_at: None,
        ends_at: day(1),
        department_ids: Vec::new(),
        total_max: Some(total_max),
        currency: currency.map(str::to_owned),
    };
    let told = |command| {
        let when = given::<Delegations>([])
            .on(STREAM)
            .by(STREAM)
            .with_facts(known())
            .when(command);
        when.outcome().unwrap_err().to_string()
    };
    for (currency, said) in [
        (None, "currency is missing"),
        (Some("eur"), "currency is no ISO 4217 code"),
        (Some("KWD"), "currency is KWD, whose amounts have 3 decimals"),
    ] {
        let told = told(up_to(currency, Decimal::ONE));
        assert!(told.starts_with(said), "{told}");
    }
    assert_eq!(
        told(up_to(Some("JPY"), Decimal::new(10_055, 2))),
        "total_max must be whole: amounts in JPY have no decimals"
    );
}

#[test]
fn a_person_has_at_most_20_delegations_that_have_not_ended() {
    let id = |n: usize| Uuid::from_u128(0x1000 + n as u128);
    let open = |count: usize| (0..count).map(move |n| granted(id(n), 0, 14));
    let ask = |past: Vec<Event>| {
        given::<Delegations>(past)
            .by(STREAM)
            .with_facts(known())
            .when(grant(None, 14))
    };
    ask(open(DELEGATIONS_MAX).collect()).refused(Refusal::TooMany);
    assert_eq!(
        ask(open(DELEGATIONS_MAX).chain([revoked(id(3))]).collect())
            .events()
            .len(),
        1
    );
}

#[test]
fn revoking_ends_a_delegation_once() {
    let revoke = || Command::Revoke { delegation_id: FIRST };
    let past = || given::<Delegations>([granted(FIRST, 0, 14)]).by(STREAM);
    past().when(revoke()).then([revoked(FIRST)]);
    past().at(day(15)).when(revoke()).then([]);
    given::<Delegations>([granted(FIRST, 0, 14), revoked(FIRST)])
        .by(STREAM)
        .when(revoke())
        .then([]);
    given::<Delegations>([])
        .by(STREAM)
        .when(revoke())
        .refused(Refusal::NoSuchDelegation);
}

#[test]
fn what_has_ended_is_forgotten_when_the_next_is_granted() {
    let later = Event::DelegationGranted {
        delegation_id: drawn(0),
        to: BEN,
        starts_at: day(20),
        ends_at: day(30),
        department_ids: Vec::new(),
        total_max: None,
        currency: None,
        granted_at: day(14),
    };
    let delegations: Delegations = state([granted(FIRST, 0, 14), later]);
    assert_eq!(delegations.granted.keys().copied().collect::<Vec<_>>(), [drawn(0)]);
}

#[test]
fn a_delegation_holds_from_its_start_until_just_before_its_end() {
    let delegations: Delegations = state([granted(FIRST, 1, 3)]);
    let live = |at| delegations.cover(BEN, at, &[STORE], (Decimal::ONE, "EUR"));
    assert!(!live(day(1) - TimeDelta::seconds(1)));
    assert!(live(day(1)));
    assert!(live(day(3) - TimeDelta::seconds(1)));
    assert!(!live(day(3)));
}

#[test]
fn a_revoked_delegation_holds_no_more() {
    let delegations: Delegations = state([granted(FIRST, 0, 3), revoked(FIRST)]);
    assert!(!delegations.cover(BEN, day(1), &[STORE], (Decimal::ONE, "EUR")));
}

#[test]
fn a_delegation_is_for_its_departments_with_all_below_and_up_to_its_total() {
    let delegations: Delegations = state([Event::DelegationGranted {
        delegation_id: FIRST,
        to: BEN,
        starts_at: day(0),
        ends_at: day(3),
        department_ids: vec![STORE],
        total_max: Some(Decimal::from(100)),
        currency: Some("EUR".to_owned()),
        granted_at: day(0),
    }]);
    let covers = |to, above: &[Uuid], total: i64| delegations.cover(to, day(1), above, (Decimal::from(total), "EUR"));
    assert!(covers(BEN, &[KIOSK, STORE], 100));
    assert!(!covers(BEN, &[KIOSK, STORE], 101));
    assert!(!covers(BEN, &[KIOSK], 100));
    assert!(!covers(STREAM, &[STORE], 100));
    // In another currency the limit says nothing, so nothing is decided.
    assert!(!delegations.cover(BEN, day(1), &[STORE], (Decimal::ONE, "JPY")));
}

#[test]
fn a_limit_of_before_limits_had_a_currency_holds_in_any() {
    let stored = json!({"DelegationGranted": {
        "delegation_id": FIRST, "to": BEN, "starts_at": day(0), "ends_at": day(3), "department_ids": [],
        "total_max": "100.00", "granted_at": day(0),
    }});
    let delegations: Delegations = state([serde_json::from_value::<Event>(stored).unwrap()]);
    let covers = |total: i64, currency| delegations.cover(BEN, day(1), &[STORE], (Decimal::from(total), currency));
    assert!(covers(100, "EUR") && covers(100, "JPY"));
    assert!(!covers(101, "EUR") && !covers(101, "JPY"));
}

#[test]
fn only_ones_own_delegations_are_granted_and_only_what_is_granted_is_revoked() {
    let past = |events: Vec<Event>| given::<Delegations>(events).by(STREAM);
    assert_eq!(past(vec![]).offered(), ["grant"]);
    assert_eq!(past(vec![granted(FIRST, 0, 14)]).offered(), ["grant", "revoke"]);
    let many = (0..DELEGATIONS_MAX).map(|n| granted(drawn(n), 0, 14)).collect();
    assert_eq!(past(many).offered(), ["revoke"]);
    let another = given::<Delegations>([granted(FIRST, 0, 14)]).by(BEN);
    assert_eq!(another.offered(), [""; 0]);
}
