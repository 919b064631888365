//! Streams of departments are open to those alone who reach them: what a command says of departments, tried on every
//! state of the story. Each of these is a rule, of which [`crate::rules!`] makes a test.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Context, SYSTEM};
use serde_json::Value;
use uuid::Uuid;

use crate::chronicle::{History, Step};
use crate::{folding, offering};

/// That every command to a stream of a department asks for that department, but for those that the stream takes from
/// whoever is entitled, which can be probed.
///
/// # Panics
/// When one asks for none, by its name.
pub fn a_command_to_a_stream_of_a_department_is_for_that_department(context: &Context, history: &History) {
    for kind in context.aggregates.iter().filter(|kind| kind.scoped) {
        let of_kind = |step: &&Step| step.command.aggregate_type() == kind.aggregate_type;
        for (stream, state) in offering::states(kind, history) {
            let Some(home) = kind.home(&state) else { continue };
            for step in history.steps.iter().filter(of_kind) {
                let name = step.command.name();
                let is_taken = kind.offers(&state, name, stream, &history.asker(SYSTEM)).is_ok();
                if step.command.department(&state).is_none() && is_taken {
                    assert!(
                        kind.probe(&state, name).is_some(),
                        "{kind:?} {name} is open to all departments, though its stream belongs to {home}; say whose it \
                         is in `department`, or that the decision says so in `probe`"
                    );
                }
            }
        }
    }
}

/// That whoever begins a stream of a department reaches that department, or a stream of it that the command draws on.
///
/// # Panics
/// When a command that begins one asks for neither, by its name.
pub fn a_stream_of_a_department_is_begun_from_that_department(context: &Context, history: &History) {
    let homes = homes(history);
    for kind in context.aggregates.iter().filter(|kind| kind.scoped) {
        let mut begun = BTreeSet::new();
        for step in &history.steps {
            let is_first = step.command.aggregate_type() == kind.aggregate_type && begun.insert(step.stream);
            let home = homes.get(&(kind.aggregate_type, step.stream));
            let Some(home) = home.filter(|_| is_first && !is_daybooks(kind.only_daybook, step)) else {
                continue;
            };
            let concerns = step.command.concerns().into_iter();
            let mut drawn_on = concerns.filter_map(|concern| homes.get(&(concern.aggregate_type, concern.id)));
            let asked = step.command.department(&kind.unborn());
            assert!(
                asked == Some(*home) || drawn_on.any(|of| of == home),
                "{kind:?} {} begins a stream of department {home}, which nobody has to reach for it; say so in \
                 `department` or `concerns`",
                step.command.name()
            );
        }
    }
}

/// That a command which names a stream of a department that is there, beside the one that it is sent to, says that it
/// draws on it; but not where another command of the same request is sent to that department, as to the other half of a
/// transfer.
///
/// # Panics
/// When one does not, by its name.
pub fn what_a_command_names_of_a_department_it_draws_on(context: &Context, history: &History) {
    let homes = homes(history);
    let mut forgotten = BTreeSet::new();
    for kind in context.aggregates {
        let of_kind = |step: &&Step| step.command.aggregate_type() == kind.aggregate_type;
        for step in history.steps.iter().filter(of_kind) {
            if is_daybooks(kind.only_daybook, step) || step.by == SYSTEM {
                continue;
            }
            let mut named = BTreeSet::new();
            ids(&step.command.to_value().unwrap(), &mut named);
            let concerns = step.command.concerns().into_iter().map(|concern| concern.id);
            let known: BTreeSet<Uuid> = concerns.chain([step.stream]).collect();
            named.retain(|id| !known.contains(id));
            let is_there = |id: Uuid| history.steps.iter().any(|of| of.stream == id && of.at < step.at);
            let beside = history
                .steps
                .iter()
                .filter(|of| of.at == step.at && of.stream != step.stream);
            let reached: BTreeSet<&Uuid> = beside
                .filter_map(|of| homes.get(&(of.command.aggregate_type(), of.stream)))
                .collect();
            for ((of, id), home) in &homes {
                if named.contains(id) && is_there(*id) && !reached.contains(home) {
                    forgotten.insert(format!("{kind:?} {} names a {of}", step.command.name()));
                }
            }
        }
    }
    assert!(
        forgotten.is_empty(),
        "what belongs to a department is named; say so in `concerns`: {forgotten:#?}"
    );
}

fn is_daybooks(only_daybook: &[&str], step: &Step) -> bool {
    only_daybook.contains(&step.command.name())
}

/// The department of every stream that has one at the end of the story, by kind and id.
fn homes(history: &History) -> BTreeMap<(&'static str, Uuid), Uuid> {
    let streams = folding::streams(&history.contexts, &history.events).into_iter();
    let homes = streams.filter_map(|(kind, events)| {
        let home = kind.home(&folding::loaded(kind, &events))?;
        Some(((kind.aggregate_type, events[0].stream), home))
    });
    homes.collect()
}

/// Every id within some JSON.
fn ids(value: &Value, found: &mut BTreeSet<Uuid>) {
    match value {
        Value::String(text) => found.extend(text.parse::<Uuid>().ok()),
        Value::Array(values) => values.iter().for_each(|value| ids(value, found)),
        Value::Object(fields) => fields.values().for_each(|value| ids(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
