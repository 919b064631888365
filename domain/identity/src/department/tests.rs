use super::*;
use crate::user;
use domain::register::{Change, Command, Refusal};
use domain::{Decider, Sealed};
use rehearsal::given::{STREAM, given, long, state};

const PARENT: Uuid = Uuid::from_u128(0x100);
const MANAGER: Uuid = Uuid::from_u128(0x200);

type Departments = Register<Department>;

fn under(parent_id: Option<Uuid>) -> Department {
    Department {
        name: "Store".to_owned(),
        parent_id,
        description: None,
        manager_id: None,
    }
}

fn managed() -> Department {
    Department {
        manager_id: Some(MANAGER),
        ..under(None)
    }
}

fn manager() -> User {
    let (email, name) = (Sealed::Open("a@b".to_owned()), Sealed::Open("Ada".to_owned()));
    state([user::Event::UserRegistered {
        email,
        name,
        oauth_provider: None,
        oauth_id: None,
    }])
}

fn reference(field: &'static str, detail: &str) -> Refusal {
    Refusal::Reference {
        field,
        detail: detail.to_owned(),
    }
}

#[test]
fn a_department_is_entered_below_one_in_use() {
    given::<Departments>([])
        .with_facts(Facts::default().with(PARENT, Register::Entered(under(None))))
        .when(Command::Enter(under(Some(PARENT))))
        .then([Change::Entered(under(Some(PARENT)))]);
}

#[test]
fn a_parent_must_be_in_use() {
    for facts in [
        Facts::default(),
        Facts::default().with(PARENT, Register::Struck(under(None))),
    ] {
        given::<Departments>([])
            .with_facts(facts)
            .when(Command::Enter(under(Some(PARENT))))
            .refused(reference(
                "parent_id",
                "parent_id names no department in use; enter it or choose another",
            ));
    }
}

#[test]
fn a_department_is_not_below_itself() {
    given::<Departments>([Change::Entered(under(None))])
        .when(Command::Amend(under(Some(STREAM)).into()))
        .refused(reference(
            "parent_id",
            "parent_id names the department itself; choose another or none",
        ));
}

#[test]
fn an_amendment_that_names_a_name_leaves_manager_and_department_above() {
    let store = Department {
        manager_id: Some(MANAGER),
        ..under(Some(PARENT))
    };
    let amended = |fields: serde_json::Value| {
        let facts = Facts::default().with(PARENT, Register::Entered(under(None)));
        let command = Departments::read(&serde_json::json!({ "amend": fields })).unwrap();
        given::<Departments>([Change::Entered(store.clone())])
            .with_facts(facts.with(MANAGER, manager()))
            .when(command)
    };
    amended(serde_json::json!({"name": "Shop"})).then([Change::Amended(Department {
        name: "Shop".to_owned(),
        ..store.clone()
    })]);
    amended(serde_json::json!({"manager_id": null})).then([Change::Amended(under(Some(PARENT)))]);
    amended(serde_json::json!({})).then([]);
}

#[test]
fn a_department_is_not_put_below_one_that_is_below_it() {
    let child = Uuid::from_u128(0x101);
    let facts = Facts::default()
        .with(PARENT, Register::Entered(under(Some(child))))
        .with(child, Register::Struck(under(Some(STREAM))));
    given::<Departments>([Change::Entered(under(None))])
        .with_facts(facts)
        .when(Command::Amend(under(Some(PARENT)).into()))
        .refused(reference(
            "parent_id",
            "parent_id names a department below this one; choose one that is not",
        ));
}

#[test]
fn departments_stand_at_most_32_levels_deep() {
    let level = |n: usize| Uuid::from_u128(0x1000 + n as u128);
    let chain = |levels: usize| {
        (0..levels).fold(Facts::default(), |facts, n| {
            facts.with(level(n), Register::Entered(under((n > 0).then(|| level(n - 1)))))
        })
    };
    let enter = |levels: usize| {
        let lowest = under(Some(level(levels - 1)));
        given::<Departments>([])
            .with_facts(chain(levels))
            .when(Command::Enter(lowest))
    };
    assert_eq!(enter(LEVELS_MAX - 1).events().len(), 1);
    enter(LEVELS_MAX).refused(reference(
        "parent_id",
        "parent_id lies too deep; at most 32 levels are allowed",
    ));
}

#[test]
fn a_manager_is_an_active_user() {
    let away = {
        let mut away = manager();
        away.evolve(&user::Event::UserDeactivated {});
        away
    };
    given::<Departments>([])
        .with_facts(Facts::default().with(MANAGER, manager()))
        .when(Command::Enter(managed()))
        .then([Change::Entered(managed())]);
    for facts in [Facts::default(), Facts::default().with(MANAGER, away)] {
        given::<Departments>([])
            .with_facts(facts)
            .when(Command::Enter(managed()))
            .refused(reference(
                "manager_id",
                "manager_id names no active user; choose another or none",
            ));
    }
}

#[test]
fn a_department_fits_its_columns() {
    let refusal = |field, unfit| Refusal::Unfit { field, unfit };
    let named = |name: &str| {
        Command::Enter(Department {
            name: name.to_owned(),
            ..under(None)
        })
    };
    given::<Departments>([])
        .when(named(" "))
        .refused(refusal("name", Unfit::Empty));
    let too_long = Unfit::TooLong {
        chars: 256,
        max: NAME_CHARS_MAX,
    };
    given::<Departments>([])
        .when(named(&long(256)))
        .refused(refusal("name", too_long));
    let described = Department {
        description: Some("\0".to_owned()),
        ..under(None)
    };
    given::<Departments>([])
        .when(Command::Enter(described))
        .refused(refusal("description", Unfit::Nul));
}

#[test]
fn two_departments_may_have_the_same_name() {
    assert_eq!(under(None).claims(), []);
}

#[test]
fn a_department_whose_manager_has_left_is_amended_without_naming_another() {
    let named = |name: &str| Department {
        name: name.to_owned(),
        ..managed()
    };
    let amending =
        |amended: Department| given::<Departments>([Change::Entered(managed())]).when(Command::Amend(amended.into()));
    amending(named("Shop")).then([Change::Amended(named("Shop"))]);
    // What was so before does not hide what is new.
    let below_nothing = Department {
        parent_id: Some(PARENT),
        ..managed()
    };
    amending(below_nothing).refused(reference(
        "parent_id",
        "parent_id names no department in use; enter it or choose another",
    ));
}
