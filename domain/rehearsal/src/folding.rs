//! States are folded forward event by event, and loaded from what is stored: both ways lead to the same state.

use std::collections::BTreeMap;

use domain::fact::AnyState;
use domain::{Aggregate, AnyEvent, Contexts, Recorded};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::chronicle::History;

/// Each looks at every stream of the history.
const CASES: u32 = 24;
/// Places in each stream from which one case folds on.
const PLACES_MAX: usize = 4;

/// That the state of a stream which is loaded is the one which is folded forward, whatever was known before.
///
/// # Panics
/// When the two differ.
pub fn a_state_that_is_folded_forward_from_anywhere_is_the_one_that_is_loaded(history: &History) {
    let streams = streams(&history.contexts, &history.events);
    let places = (
        prop::collection::vec(any::<prop::sample::Index>(), 1..PLACES_MAX),
        any::<prop::sample::Index>(),
    );
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&places, |(known, end)| {
        for (kind, events) in &streams {
            let end = end.index(events.len()) + 1;
            for known in &known {
                let known = known.index(end);
                let forward = kind.state(&forward(kind, &events[..end], known)).unwrap();
                let loaded = kind.state(&loaded(kind, &events[..end])).unwrap();
                prop_assert_eq!(forward, loaded, "{:?} from {}", kind, known);
            }
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

/// That no text is needed to read an event or to fold it: each may be struck.
///
/// # Panics
/// When an event cannot be read without its texts, or they are no top-level fields of it.
pub fn events_are_read_when_every_text_of_theirs_is_struck(history: &History) {
    for (kind, events) in streams(&history.contexts, &history.events) {
        let mut state = kind.unborn();
        for event in events {
            let texts = decoded(kind, event).texts();
            let mut payload: Map<String, Value> = serde_json::from_str(&event.event).unwrap();
            for text in &texts {
                let value = payload.insert((*text).to_owned(), Value::Null);
                let value = value.unwrap_or_else(|| panic!("{kind:?} {}: there is no field {text}", event.event_type));
                assert!(
                    value.is_null() || value.is_string(),
                    "{kind:?} {}: {text}",
                    event.event_type
                );
            }
            let struck = event.with(Value::Object(payload).to_string());
            state = decoded(kind, &struck).evolved(state).unwrap();
        }
        kind.state(&state).unwrap();
    }
}

/// The events of each stream of a history, with its kind; streams of no kind are left out.
#[must_use]
pub fn streams<'a>(
    contexts: &Contexts,
    events: &'a [Recorded<String>],
) -> Vec<(&'static Aggregate, Vec<&'a Recorded<String>>)> {
    let mut streams: BTreeMap<(&str, Uuid), Vec<&Recorded<String>>> = BTreeMap::new();
    for event in events {
        let stream = (event.aggregate_type.as_str(), event.stream);
        streams.entry(stream).or_default().push(event);
    }
    let with_kind = streams.into_iter().filter_map(|((aggregate_type, _), events)| {
        let kind = contexts.aggregate(aggregate_type)?;
        Some((kind, events))
    });
    with_kind.collect()
}

/// The state after these events of one stream, as the book loads it: from the last event that carries it forward.
///
/// # Panics
/// When there is no event, or one that cannot be read.
#[must_use]
pub fn loaded(kind: &Aggregate, events: &[&Recorded<String>]) -> AnyState {
    let fact = kind.fact(events[0].stream);
    let carries = |event: &&Recorded<String>| Some(event.event_type.as_str()) == fact.carries_forward;
    let first = events.iter().rposition(carries).unwrap_or(0);
    (fact.fold)(&mut events[first..].iter().map(|event| event.stored())).unwrap()
}

/// The state after all of these events of one stream, folded forward from the one after the first `known` of them.
///
/// # Panics
/// When an event cannot be read, or is folded into the state of another kind.
#[must_use]
pub fn forward(kind: &Aggregate, events: &[&Recorded<String>], known: usize) -> AnyState {
    let begin = match known {
        0 => kind.unborn(),
        known => loaded(kind, &events[..known]),
    };
    let rest = events[known..].iter();
    rest.fold(begin, |before, event| decoded(kind, event).evolved(before).unwrap())
}

/// One stored event of a stream of this kind.
///
/// # Panics
/// When it cannot be read.
#[must_use]
pub fn decoded(kind: &Aggregate, event: &Recorded<String>) -> AnyEvent {
    kind.decode(&event.stored()).unwrap()
}
