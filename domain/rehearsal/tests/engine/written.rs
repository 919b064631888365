//! What is written down of a context follows from its commands and events.

use chrono::DateTime;
use rehearsal::given::{BY, STREAM};
use rehearsal::{Chronicle, History, written};
use serde_json::json;
use uuid::Uuid;

use crate::sample::{CONTEXT, Counter, SUM_MAX, Tool, contexts};
use domain::register::Register;

const TOOL: Uuid = Uuid::from_u128(0x71);

fn story() -> History {
    let mut story = Chronicle::new(contexts(), BY, DateTime::UNIX_EPOCH);
    story
        .send::<Register<Tool>>(TOOL, json!({"enter": {"mark": "T-1"}}))
        .send::<Counter>(STREAM, json!({"add": {"number": SUM_MAX}}));
    story.ended()
}

#[test]
fn what_is_offered_is_told_by_the_event_that_led_there() {
    let told = written::offers(&CONTEXT, &story());
    for line in [
        "  nothing: enter",
        "  ToolEntered: amend strike",
        "  nothing: add empty",
        "  NumberAdded: empty",
    ] {
        assert!(told.lines().any(|of| of == line), "{line}: {told}");
    }
}

#[test]
fn a_text_that_is_neither_sealed_nor_kept_as_one_is_told_and_a_number_is_not() {
    let told = written::open(&CONTEXT, &story());
    assert!(told.contains("test.tool ToolEntered: mark\n"), "{told}");
    assert!(!told.contains("NumberAdded"), "{told}");
}
