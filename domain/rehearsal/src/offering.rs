//! Commands that are not offered are refused: [`domain::Decider::offers`] beside the decisions.

use std::collections::{BTreeMap, BTreeSet};

use domain::fact::AnyState;
use domain::{Aggregate, AnyCommand, Asker, Context, Decider, SYSTEM, exact};
use serde_json::Value;
use uuid::Uuid;

use crate::chronicle::History;
use crate::folding;

/// Somebody of whom no story tells.
pub(crate) const STRANGER: Uuid = Uuid::from_u128(0x57);

/// The name of a command in kebab case, as [`domain::Decider::offers`] takes it.
///
/// # Panics
/// When the command is not written as an object of its name and its fields.
#[must_use]
pub fn name(command: &AnyCommand) -> String {
    let written = command.to_value().unwrap();
    let names = written.as_object().map(|fields| fields.keys().cloned());
    names.into_iter().flatten().next().unwrap()
}

/// That a command which was accepted, also without events, was offered before.
///
/// # Panics
/// When it was not.
#[track_caller]
pub fn check(kind: &Aggregate, state: &AnyState, command: &AnyCommand, stream: Uuid, asker: &Asker, is_accepted: bool) {
    if !is_accepted {
        return;
    }
    if let Err(refusal) = kind.offers(state, &name(command), stream, asker) {
        panic!(
            "{kind:?} accepts {command:?}, which it does not offer: {}",
            refusal.rule
        );
    }
}

/// As [`check`], for a state and a command with their own types.
///
/// # Panics
/// When a command was accepted that was not offered.
#[track_caller]
pub fn check_typed<D: Decider>(state: &D, command: &D::Command, stream: Uuid, asker: &Asker, is_accepted: bool) {
    if !is_accepted {
        return;
    }
    let written = serde_json::to_string(command).and_then(|json| exact::from_str(&json));
    let Ok(Value::Object(written)) = written else {
        panic!("{command:?} is not written as an object of its name and its fields");
    };
    for name in written.keys() {
        if let Err(refusal) = state.offers(name, stream, asker) {
            panic!("{} accepts {command:?}, which it does not offer: {refusal}", D::TYPE);
        }
    }
}

/// That no command of the story, sent by anybody of it to any stream of its kind as it stood after any event,
/// is accepted where it is not offered.
///
/// # Panics
/// When one is.
pub fn what_is_not_offered_is_refused(context: &Context, history: &History) {
    let askers: BTreeSet<Uuid> = history
        .steps
        .iter()
        .map(|step| step.by)
        .chain([SYSTEM, STRANGER])
        .collect();
    for kind in context.aggregates {
        let mut commands: BTreeMap<String, &AnyCommand> = BTreeMap::new();
        let of_kind = history.steps.iter().map(|step| &step.command);
        for command in of_kind.filter(|command| command.aggregate_type() == kind.aggregate_type) {
            commands.insert(command.to_value().unwrap().to_string(), command);
        }
        for (stream, state) in states(kind, history) {
            for &by in &askers {
                let asker = history.asker(by);
                for command in commands.values() {
                    // A command that is offered may be refused all the same; deciding it would show nothing.
                    if kind.offers(&state, &name(command), stream, &asker).is_ok() {
                        continue;
                    }
                    let is_accepted = history.decide(&state, command, stream, by).is_ok();
                    check(kind, &state, command, stream, &asker, is_accepted);
                }
            }
        }
    }
}

/// Every state of every stream of a kind that the story leads to, before its first event too; each once.
///
/// # Panics
/// When an event cannot be read.
#[must_use]
pub fn states(kind: &Aggregate, history: &History) -> Vec<(Uuid, AnyState)> {
    let mut states = BTreeMap::new();
    for (_, events) in folding::streams(&history.contexts, &history.events)
        .into_iter()
        .filter(|(of, _)| *of == kind)
    {
        let stream = events[0].stream;
        let mut state = kind.unborn();
        states.insert((stream, written(kind, &state)), state.clone());
        for event in events {
            state = folding::decoded(kind, event).evolved(state).unwrap();
            states.insert((stream, written(kind, &state)), state.clone());
        }
    }
    states.into_iter().map(|((stream, _), state)| (stream, state)).collect()
}

fn written(kind: &Aggregate, state: &AnyState) -> String {
    kind.state(state).unwrap().to_string()
}
