use super::*;
use domain::register::{Change, Command, Entry as _, Refusal};
use domain::{Decider as _, Facts};
use rehearsal::given::{Given, given, long};

const GARAGES: Uuid = Uuid::from_u128(1);
const STORES: Uuid = Uuid::from_u128(2);

fn depot() -> Location {
    Location {
        name: "Depot North".to_owned(),
        dept_id: GARAGES,
        location_type: Some(LocationType::Depot),
        address: Some("Harbour Road 1".to_owned()),
    }
}

fn past(events: Vec<Change<Location>>) -> Given<Register<Location>> {
    let department = |name: &str| {
        Register::Entered(Department {
            name: name.to_owned(),
            parent_id: None,
            description: None,
            manager_id: None,
        })
    };
    given(events).with_facts(
        Facts::default()
            .with(GARAGES, department("Garages"))
            .with(STORES, department("Stores")),
    )
}

#[test]
fn a_location_is_entered_into_a_department_in_use() {
    past(vec![])
        .when(Command::Enter(depot()))
        .then([Change::Entered(depot())]);
    let nowhere = Location {
        dept_id: Uuid::from_u128(9),
        ..depot()
    };
    past(vec![]).when(Command::Enter(nowhere)).refused(Refusal::Reference {
        field: "dept_id",
        detail: "dept_id names no department in use; enter it or choose another".to_owned(),
    });
}

#[test]
fn a_location_stays_with_its_department_also_when_it_is_struck_and_entered_again() {
    let moved = Location {
        dept_id: STORES,
        ..depot()
    };
    let moves = Refusal::Moves {
        noun: "location",
        department: GARAGES,
        field: Some("dept_id"),
    };
    past(vec![Change::Entered(depot())])
        .when(Command::Amend(moved.clone().into()))
        .refused(moves.clone());
    past(vec![Change::Entered(depot()), Change::Struck {}])
        .when(Command::Enter(moved))
        .refused(moves);
}

#[test]
fn a_location_is_at_home_in_its_department() {
    let mut location = Register::<Location>::default();
    assert_eq!(location.home(), None);
    location.evolve(&Change::Entered(depot()));
    assert_eq!(location.home(), Some(GARAGES));
    location.evolve(&Change::Struck {});
    assert_eq!(location.home(), Some(GARAGES));
    assert_eq!(location.department(&Command::Strike {}), Some(GARAGES));
}

#[test]
fn what_the_columns_cannot_hold_is_refused() {
    for (unfit, field) in [
        (
            Location {
                name: String::new(),
                ..depot()
            },
            "name",
        ),
        (
            Location {
                name: long(256),
                ..depot()
            },
            "name",
        ),
        (
            Location {
                address: Some(long(4_001)),
                ..depot()
            },
            "address",
        ),
    ] {
        assert_eq!(unfit.check().first().map_err(|fault| fault.field), Err(field));
    }
}
