use chrono::DateTime;
use domain::register::Register;
use domain::{Decider as _, Sending};
use rehearsal::{Occasion, Rehearsal, Unasked, sending};
use serde_json::json;
use uuid::Uuid;

use crate::sample::{Motto, Tool, contexts};

const TENANT: Uuid = Uuid::from_u128(1);
const HAMMER: Uuid = Uuid::from_u128(2);
const SAW: Uuid = Uuid::from_u128(3);

fn occasion() -> Occasion<'static> {
    Occasion {
        by: Uuid::from_u128(5),
        at: DateTime::UNIX_EPOCH,
        reason: Some("a rehearsal"),
    }
}

fn tool(id: Uuid, mark: &str) -> Sending {
    sending::<Register<Tool>>(id, &json!({"enter": {"mark": mark}}))
}

fn motto() -> Sending {
    let id = Register::<Motto>::only_stream(TENANT);
    sending::<Register<Motto>>(id, &json!({"enter": {"text": "Write it down"}}))
}

fn empty() -> Rehearsal {
    Rehearsal::new(contexts(), TENANT)
}

#[test]
fn commands_that_are_asked_as_one_all_happen_or_none() {
    let mut book = empty();
    assert_eq!(book.ask(&[tool(HAMMER, "T-1"), motto()], &occasion()), Ok(2));
    let again = book.ask(&[tool(SAW, "T-2"), motto()], &occasion());
    assert!(matches!(again, Err(Unasked::Refused(_))), "{again:?}");
    assert_eq!(book.events().len(), 2);
    assert_eq!(book.state::<Register<Tool>>(SAW), Ok(Register::Unborn));
    // What the refused command had taken is free again.
    assert_eq!(book.ask(&[tool(SAW, "T-2")], &occasion()), Ok(1));
}

#[test]
fn a_value_that_another_stream_holds_is_not_taken() {
    let mut book = empty();
    assert_eq!(book.ask(&[tool(HAMMER, "T-1")], &occasion()), Ok(1));
    let taken = book.ask(&[tool(SAW, "T-1")], &occasion());
    assert!(matches!(taken, Err(Unasked::Claimed { .. })), "{taken:?}");
    assert_eq!(book.events().len(), 1);
}

#[test]
fn what_happens_in_one_stream_changes_nothing_about_another() {
    let mut alone = empty();
    alone.ask(&[motto()], &occasion()).unwrap();
    let mut later = empty();
    later.ask(&[tool(HAMMER, "T-1")], &occasion()).unwrap();
    later.ask(&[motto()], &occasion()).unwrap();
    let (first, second) = (&alone.events()[0], &later.events()[1]);
    assert_eq!(second.position, 2);
    assert_eq!(first.event_id, second.event_id);
    assert_eq!(first.metadata, second.metadata);
    assert_eq!(first.event, second.event);
}
