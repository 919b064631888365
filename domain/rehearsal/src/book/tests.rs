use chrono::DateTime;

use super::*;
use crate::cloudwatcher::part::Part;
use crate::cloudwatcher::supplier::Supplier;
use crate::register::{Command, Register};

const TENANT: Uuid = Uuid::from_u128(1);
const PUMP: Uuid = Uuid::from_u128(2);
const VALVE: Uuid = Uuid::from_u128(3);
const ACME: Uuid = Uuid::from_u128(4);

fn circumstances() -> Circumstances<'static> {
    Circumstances {
        by: Uuid::from_u128(5),
        at: DateTime::UNIX_EPOCH,
        reason: Some("a rehearsal"),
    }
}

fn part(id: Uuid, part_code: &str) -> Sending {
    let entry = Part {
        part_code: part_code.to_owned(),
        name: "A part".to_owned(),
        description: None,
        category: None,
        unit_of_measure: "unit".to_owned(),
    };
    Sending::to(id, AnyCommand::Part(Command::Enter(entry)))
}

fn supplier() -> Sending {
    let entry: Supplier = serde_json::from_value(serde_json::json!({ "name": "Acme" })).unwrap();
    Sending::to(ACME, AnyCommand::Supplier(Command::Enter(entry)))
}

#[test]
fn commands_that_are_asked_as_one_all_happen_or_none() {
    let mut book = Rehearsal::new(TENANT);
    assert_eq!(book.ask(&[part(PUMP, "P-1"), supplier()], &circumstances()), Ok(2));
    let again = book.ask(&[part(VALVE, "P-2"), supplier()], &circumstances());
    assert!(matches!(again, Err(Unasked::Refused(_))), "{again:?}");
    assert_eq!(book.events().len(), 2);
    assert_eq!(book.state::<Register<Part>>(VALVE), Ok(Register::Unborn));
    // What the refused command had taken is free again.
    assert_eq!(book.ask(&[part(VALVE, "P-2")], &circumstances()), Ok(1));
}

#[test]
fn a_value_that_another_stream_holds_is_not_taken() {
    let mut book = Rehearsal::new(TENANT);
    assert_eq!(book.ask(&[part(PUMP, "P-1")], &circumstances()), Ok(1));
    let taken = book.ask(&[part(VALVE, "P-1")], &circumstances());
    assert!(matches!(taken, Err(Unasked::Claimed { .. })), "{taken:?}");
    assert_eq!(book.events().len(), 1);
}

#[test]
fn what_happens_in_one_stream_changes_nothing_about_another() {
    let mut alone = Rehearsal::new(TENANT);
    alone.ask(&[supplier()], &circumstances()).unwrap();
    let mut later = Rehearsal::new(TENANT);
    later.ask(&[part(PUMP, "P-1")], &circumstances()).unwrap();
    later.ask(&[supplier()], &circumstances()).unwrap();
    let (first, second) = (&alone.events()[0], &later.events()[1]);
    assert_eq!(second.position, 2);
    assert_eq!(first.event_id, second.event_id);
    assert_eq!(first.metadata, second.metadata);
    assert_eq!(first.event, second.event);
}
