//! What an amendment does not name stays as it is, in every kind that can be amended.

use std::collections::BTreeSet;

use domain::Context;
use serde_json::{Map, Value, json};

use crate::chronicle::History;
use crate::{offering, schemas};

/// The name of the command, in every kind that has it.
const AMEND: &str = "amend";

/// That in every state of the story an amendment changes the fields that it names, and no others.
///
/// # Panics
/// When one changes another field, changes something without naming anything else than what is, or is refused for not naming
/// what the entry has already; and when the story meets no entry of a kind.
pub fn an_amendment_changes_what_it_names_and_leaves_the_rest(context: &Context, history: &History) {
    let by = history.steps[0].by;
    for kind in context.aggregates {
        let fields = schemas::fields(kind, AMEND);
        let mut met = fields.is_empty();
        for (stream, state) in offering::states(kind, history) {
            let written = kind.state(&state).unwrap();
            let Some(entry) = entry(&written, &fields) else {
                continue;
            };
            if kind.offers(&state, AMEND, stream, &history.asker(by)).is_err() {
                continue;
            }
            met = true;
            let as_they_are = entry.iter().map(|(name, value)| json!({ name: value }));
            for mut named in as_they_are.chain([json!({})]) {
                let command = kind.parse(AMEND, &mut named).unwrap();
                let decided = history.decide(&state, &command, stream, by).unwrap();
                assert_eq!(decided.events, [], "{kind:?}: {named} changes {entry:?}");
            }
            for name in &fields {
                // What is needed is not taken away, and what goes along with others is refused.
                let Ok(command) = kind.parse(AMEND, &mut json!({ name: null })) else {
                    continue;
                };
                if let Ok(decided) = history.decide(&state, &command, stream, by) {
                    let after = kind.state(&decided.after).unwrap();
                    let after = self::entry(&after, &fields).unwrap();
                    assert_eq!(
                        without(after, name),
                        without(entry, name),
                        "{kind:?}: {name} is taken away"
                    );
                }
            }
        }
        assert!(met, "{kind:?} can be amended, and the story has no entry of it");
    }
}

/// The entry within a state that is in use: what has no other fields than those that can be amended.
fn entry<'a>(state: &'a Value, fields: &BTreeSet<String>) -> Option<&'a Map<String, Value>> {
    let object = state.as_object()?;
    match !object.is_empty() && object.keys().all(|name| fields.contains(name)) {
        true => Some(object),
        false => object.values().find_map(|within| entry(within, fields)),
    }
}

fn without(entry: &Map<String, Value>, name: &str) -> Map<String, Value> {
    let others = entry.iter().filter(|(other, _)| *other != name);
    others.map(|(name, value)| (name.clone(), value.clone())).collect()
}
