//! The two ways of a decision: the book's own, which no lock is taken on, and the one of cqrs-es. They lead to the same.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use cqrs_es::Aggregate as _;
use cqrs_es::event_sink::EventSink;
use domain::sourced::{Sent, Sourced};
use domain::{Circumstances, Decider};
use serde_json::Value;

/// What came of a command, and the state that it left.
struct Carried<D: Decider> {
    outcome: Result<Vec<D::Event>, D::Refusal>,
    after: Value,
}

/// The outcome of a command that meets this state, decided both ways.
///
/// # Errors
/// The refusal.
///
/// # Panics
/// When the two ways differ in events, refusal or the state that they leave.
#[track_caller]
pub fn decided_both_ways<D: Decider>(
    state: &D,
    circumstances: &Circumstances,
    command: &Arc<D::Command>,
) -> Result<Vec<D::Event>, D::Refusal> {
    let own = carried_out(state, circumstances, command);
    let handled = handled(state, circumstances, command);
    assert_eq!(own.outcome, handled.outcome, "{} is decided in two ways", D::TYPE);
    assert_eq!(own.after, handled.after, "{} is left in two states", D::TYPE);
    own.outcome
}

fn carried_out<D: Decider>(state: &D, circumstances: &Circumstances, command: &D::Command) -> Carried<D> {
    let mut sourced = Sourced(state.clone());
    let outcome = sourced.carry_out(circumstances, command);
    Carried {
        outcome: outcome.map(|outcome| outcome.events),
        after: written(&sourced),
    }
}

fn handled<D: Decider>(state: &D, circumstances: &Circumstances, command: &Arc<D::Command>) -> Carried<D> {
    let (mut sourced, sink) = (Sourced(state.clone()), EventSink::default());
    let sent = Sent {
        circumstances: circumstances.clone(),
        command: command.clone(),
    };
    let handled = at_once(sourced.handle(sent, &(), &sink));
    let events = at_once(sink.collect());
    Carried {
        outcome: handled.map(|()| events),
        after: written(&sourced),
    }
}

fn written<D: Decider>(sourced: &Sourced<D>) -> Value {
    serde_json::to_value(sourced).unwrap()
}

/// What a future ends in that has nothing to wait for.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a decision waits for something"),
    }
}
