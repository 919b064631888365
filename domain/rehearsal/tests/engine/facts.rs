//! States of other streams, as decisions read them.

use std::sync::Arc;

use chrono::DateTime;
use domain::AnyEvent;
use rehearsal::folding::{self, decoded, loaded};
use rehearsal::{Chronicle, History};
use serde_json::json;
use uuid::Uuid;

use crate::sample::{Counter, Event, contexts};

const COUNTER: Uuid = Uuid::from_u128(1);
/// Counts that carry the sum forward more than once.
const COUNTS: u32 = 10;

fn history() -> History {
    let mut chronicle = Chronicle::new(contexts(), COUNTER, DateTime::UNIX_EPOCH);
    for number in 0..COUNTS {
        chronicle.send::<Counter>(COUNTER, json!({"add": {"number": number}}));
    }
    chronicle.ended()
}

#[test]
fn a_state_that_is_folded_forward_from_anywhere_is_the_one_that_is_loaded() {
    folding::a_state_that_is_folded_forward_from_anywhere_is_the_one_that_is_loaded(&history());
}

#[test]
fn a_state_that_somebody_still_looks_at_stays_as_it_is() {
    let history = history();
    let (kind, events) = folding::streams(&history.contexts, &history.events).remove(0);
    let before = loaded(kind, &events[..1]);
    let shown_before = kind.state(&before).unwrap();
    let next = decoded(kind, events[1]);
    assert!(next.evolved(before.clone()).is_some());
    assert_eq!(kind.state(&before).unwrap(), shown_before);
    assert!(
        next.evolved(Arc::new(())).is_none(),
        "a state of no kind cannot be folded forward"
    );
    assert_ne!(next, AnyEvent::new::<Counter>(Event::CounterEmptied {}));
}
