use serde_json::json;

use super::*;
use domain::register::{Change, Command, Refusal};
use rehearsal::given::{TENANT, given};

const STORE: Uuid = Uuid::from_u128(0x100);
const COMPANY: Uuid = Uuid::from_u128(0x101);

type Policies = Register<ApprovalPolicy>;

fn policy(thresholds: &[i64], departments: Vec<DepartmentLevels>) -> ApprovalPolicy {
    ApprovalPolicy {
        currencies: vec![CurrencyThresholds {
            currency: "EUR".to_owned(),
            thresholds: thresholds
                .iter()
                .map(|&cents| Threshold(Decimal::new(cents, 2)))
                .collect(),
        }],
        departments,
        top_deciders: Vec::new(),
        deadline_hours: 24,
    }
}

fn at_least(levels_min: i32) -> DepartmentLevels {
    DepartmentLevels {
        department_id: STORE,
        levels_min,
    }
}

fn departments() -> Facts {
    let store: Department = serde_json::from_value(json!({"name": "Store"})).unwrap();
    Facts::default().with(STORE, Register::Entered(store))
}

#[track_caller]
fn unfit(policy: ApprovalPolicy, field: &'static str, unfit: Unfit) {
    given::<Policies>([])
        .on(ApprovalPolicy::stream(TENANT))
        .with_facts(departments())
        .when(Command::Enter(policy))
        .refused(Refusal::Unfit { field, unfit });
}

fn levels(policy: &ApprovalPolicy, units: i64, above: &[Uuid]) -> Option<i32> {
    policy.levels("EUR", Decimal::from(units), above)
}

#[test]
fn a_tenant_has_one_policy_under_one_id() {
    let entered = policy(&[0], vec![at_least(2)]);
    given::<Policies>([])
        .on(ApprovalPolicy::stream(TENANT))
        .with_facts(departments())
        .when(Command::Enter(entered.clone()))
        .then([Change::Entered(entered.clone())]);
    given::<Policies>([])
        .with_facts(departments())
        .when(Command::Enter(entered))
        .refused(Refusal::OnePerTenant {
            noun: "approval policy",
            id: ApprovalPolicy::stream(TENANT),
        });
}

#[test]
fn a_level_is_needed_from_its_threshold_on() {
    let policy = policy(&[10_000, 100_000], Vec::new());
    let needed: Vec<_> = [99, 100, 999, 1_000, 1_000_000]
        .into_iter()
        .map(|units| levels(&policy, units, &[]))
        .collect();
    assert_eq!(needed, [Some(0), Some(1), Some(1), Some(2), Some(2)]);
}

#[test]
fn a_currency_without_thresholds_has_no_levels() {
    assert_eq!(policy(&[0], Vec::new()).levels("USD", Decimal::ONE, &[]), None);
}

#[test]
fn orders_of_a_department_or_below_need_its_least_levels() {
    let policy = policy(&[0, 100_000], vec![at_least(3)]);
    assert_eq!(levels(&policy, 5, &[COMPANY]), Some(1));
    assert_eq!(levels(&policy, 5, &[STORE, COMPANY]), Some(3));
    assert_eq!(levels(&policy, 5, &[COMPANY, STORE]), Some(3));
}

#[test]
fn without_a_policy_in_use_the_default_is_in_force() {
    let stream = ApprovalPolicy::stream(TENANT);
    let struck = Facts::default().with(stream, Register::Struck(policy(&[0], Vec::new())));
    for facts in [Facts::default(), struck] {
        let in_force = ApprovalPolicy::in_force(TENANT, &facts);
        assert_eq!(in_force.deadline_hours, 48);
        for (currency, units, needed) in [
            ("EUR", 0, Some(1)),
            ("USD", 999, Some(1)),
            ("EUR", 1_000, Some(2)),
            ("USD", 10_000, Some(3)),
            ("CHF", 1, None),
        ] {
            assert_eq!(
                in_force.levels(currency, Decimal::from(units), &[]),
                needed,
                "{units} {currency}"
            );
        }
    }
}

#[test]
fn the_default_is_a_policy_that_could_be_entered() {
    let default = ApprovalPolicy::default();
    given::<Policies>([])
        .on(ApprovalPolicy::stream(TENANT))
        .when(Command::Enter(default.clone()))
        .then([Change::Entered(default)]);
}

#[test]
fn thresholds_ascend_strictly_and_are_one_to_five() {
    let ascend = Unfit::Form("has thresholds that do not ascend; each must be higher than the one before");
    let count = Unfit::Form("has a currency without thresholds or with more than 5; list 1 to 5");
    unfit(policy(&[0, 0], Vec::new()), "currencies", ascend.clone());
    unfit(policy(&[200, 100], Vec::new()), "currencies", ascend);
    unfit(policy(&[], Vec::new()), "currencies", count.clone());
    unfit(policy(&[0, 1, 2, 3, 4, 5], Vec::new()), "currencies", count);
}

#[test]
fn a_threshold_is_an_amount_that_an_order_can_have() {
    let amount = Unfit::Amount {
        decimals: 2,
        below: Decimal::from(10_000_000_000_000_i64),
    };
    unfit(policy(&[-1], Vec::new()), "currencies", Unfit::Negative);
    unfit(
        policy(&[1_000_000_000_000_000], Vec::new()),
        "currencies",
        amount.clone(),
    );
    let mut fine = policy(&[0], Vec::new());
    fine.currencies[0].thresholds = vec![Threshold(Decimal::new(1, 3))];
    unfit(fine, "currencies", amount);
}

#[test]
fn a_policy_names_currencies_in_circulation_each_once() {
    let none = ApprovalPolicy {
        currencies: Vec::new(),
        ..ApprovalPolicy::default()
    };
    unfit(none, "currencies", Unfit::Empty);
    let mut twice = policy(&[0], Vec::new());
    twice.currencies.push(twice.currencies[0].clone());
    let repeated = Unfit::Form("names a currency twice; list each one once");
    unfit(twice, "currencies", repeated);
    let mut old = policy(&[0], Vec::new());
    old.currencies[0].currency = "DEM".to_owned();
    let unknown = "names a currency that is no ISO 4217 code in circulation; use three capitals such as EUR";
    unfit(old, "currencies", Unfit::Inside(unknown.to_owned()));
}

#[test]
fn thresholds_divide_as_their_currency_does() {
    let in_currency = |currency: &str, cents| {
        let mut policy = policy(&[cents], Vec::new());
        policy.currencies[0].currency = currency.to_owned();
        policy
    };
    let told = |policy: ApprovalPolicy| {
        let entering = given::<Policies>([]).on(ApprovalPolicy::stream(TENANT));
        entering
            .when(Command::Enter(policy))
            .outcome()
            .map_err(|refusal| refusal.to_string())
    };
    assert!(told(in_currency("JPY", 10_000)).is_ok());
    let whole = "currencies has a threshold that must be whole: amounts in JPY have no decimals";
    assert_eq!(told(in_currency("JPY", 10_055)), Err(whole.to_owned()));
    let finer = told(in_currency("KWD", 100)).unwrap_err();
    assert!(finer.starts_with("currencies names a currency that is KWD"), "{finer}");
}

#[test]
fn a_policy_names_departments_in_use_each_once_with_one_to_five_levels() {
    let range = |value| Unfit::Range { value, min: 1, max: 5 };
    unfit(policy(&[0], vec![at_least(0)]), "departments", range(0));
    unfit(policy(&[0], vec![at_least(6)]), "departments", range(6));
    let repeated = Unfit::Form("names a department twice; list each one once");
    unfit(policy(&[0], vec![at_least(1), at_least(2)]), "departments", repeated);
    let many = Unfit::Form("names more than 200 departments; name those above them instead");
    unfit(
        policy(&[0], vec![at_least(1); DEPARTMENTS_MAX + 1]),
        "departments",
        many,
    );
    given::<Policies>([])
        .on(ApprovalPolicy::stream(TENANT))
        .when(Command::Enter(policy(&[0], vec![at_least(1)])))
        .refused(Refusal::Reference {
            field: "departments",
            detail: format!("departments names {STORE}, which is no department in use; enter it or leave it out"),
        });
}

#[test]
fn a_policy_names_up_to_ten_active_users_for_where_the_tree_ends() {
    let with = |top_deciders: Vec<Uuid>| ApprovalPolicy {
        top_deciders,
        ..policy(&[0], Vec::new())
    };
    let people = |n: u128| (0..n).map(|n| Uuid::from_u128(0x200 + n)).collect::<Vec<_>>();
    let many = Unfit::Form("names more than 10 persons; leave some out");
    unfit(with(people(11)), "top_deciders", many);
    let twice = Unfit::Form("names a person twice; list each one once");
    unfit(with([people(1), people(1)].concat()), "top_deciders", twice);
    let nobody = STORE;
    given::<Policies>([])
        .on(ApprovalPolicy::stream(TENANT))
        .when(Command::Enter(with(vec![nobody])))
        .refused(Refusal::Reference {
            field: "top_deciders",
            detail: format!("top_deciders names {nobody}, who is no active user; choose another or leave them out"),
        });
    let ada: User = rehearsal::given::state([identity::user::Event::UserRegistered {
        email: domain::Sealed::Open("a@b".to_owned()),
        name: domain::Sealed::Open("Ada".to_owned()),
        oauth_provider: None,
        oauth_id: None,
    }]);
    let entered = with(people(10));
    let facts = people(10)
        .into_iter()
        .fold(Facts::default(), |facts, id| facts.with(id, ada.clone()));
    given::<Policies>([])
        .on(ApprovalPolicy::stream(TENANT))
        .with_facts(facts)
        .when(Command::Enter(entered.clone()))
        .then([Change::Entered(entered)]);
}

#[test]
fn a_deadline_is_one_to_720_hours() {
    for deadline_hours in [0, 721] {
        let hours = ApprovalPolicy {
            deadline_hours,
            ..policy(&[0], Vec::new())
        };
        let range = Unfit::Range {
            value: deadline_hours.into(),
            min: 1,
            max: 720,
        };
        unfit(hours, "deadline_hours", range);
    }
}

#[test]
fn a_policy_is_read_from_amounts_in_strings_or_numbers_and_written_in_strings() {
    let sent = json!({"currencies": [{"currency": "EUR", "thresholds": [0, "1000", 9999.5]}]});
    let read: ApprovalPolicy = serde_json::from_value(sent).unwrap();
    let written = serde_json::to_value(&read).unwrap();
    assert_eq!(
        written,
        json!({
            "currencies": [{"currency": "EUR", "thresholds": ["0.00", "1000.00", "9999.50"]}],
            "departments": [], "deadline_hours": 48,
        })
    );
}

/// Amends this policy, which was entered under other rules.
fn amending(before: &ApprovalPolicy, facts: Facts, change: fn(&mut ApprovalPolicy)) -> Result<(), String> {
    let mut amended = before.clone();
    change(&mut amended);
    let amending = given::<Policies>([Change::Entered(before.clone())])
        .on(ApprovalPolicy::stream(TENANT))
        .with_facts(facts)
        .when(Command::Amend(amended.clone().into()));
    let events = amending.outcome().map_err(|refusal| refusal.to_string())?;
    assert_eq!(events, [Change::Amended(amended)]);
    Ok(())
}

#[test]
fn a_policy_of_before_currencies_divided_is_amended_without_saying_others() {
    let in_currency = |currency: &str, cents| {
        let mut policy = policy(&[cents], Vec::new());
        policy.currencies[0].currency = currency.to_owned();
        policy
    };
    for before in [in_currency("JPY", 10_055), in_currency("KWD", 100)] {
        assert_eq!(
            amending(&before, Facts::default(), |policy| policy.deadline_hours = 48),
            Ok(())
        );
        let hours = amending(&before, Facts::default(), |policy| policy.deadline_hours = 0).unwrap_err();
        assert!(hours.starts_with("deadline_hours"), "{hours}");
        let more = amending(&before, Facts::default(), |policy| {
            policy.currencies.extend(ApprovalPolicy::default().currencies);
        });
        assert!(
            more.unwrap_err().starts_with("currencies"),
            "currencies are said anew, so all of them are"
        );
    }
}

#[test]
fn a_policy_that_names_somebody_who_has_left_is_amended_without_naming_others() {
    let before = ApprovalPolicy {
        top_deciders: vec![COMPANY],
        ..policy(&[0], vec![at_least(2)])
    };
    // The person is no active user, and the department is no more.
    assert_eq!(
        amending(&before, Facts::default(), |policy| policy.deadline_hours = 48),
        Ok(())
    );
    let person = amending(&before, Facts::default(), |policy| policy.top_deciders.push(STORE)).unwrap_err();
    assert!(person.starts_with("top_deciders names"), "{person}");
    assert_eq!(
        amending(&before, Facts::default(), |policy| policy.top_deciders.clear()),
        Ok(())
    );
}
