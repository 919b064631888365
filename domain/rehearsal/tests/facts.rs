use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::event::Stored;
use crate::{AnyEvent, GOLDEN_HISTORY, each_aggregate};

/// An event of the golden history, its payload as text.
struct Told {
    aggregate_type: String,
    stream: Uuid,
    event_type: String,
    version: String,
    payload: String,
    actor: Uuid,
}

impl Told {
    fn stored(&self) -> Stored<'_> {
        Stored {
            event_type: &self.event_type,
            version: &self.version,
            payload: &self.payload,
            actor: self.actor,
        }
    }
}

/// The golden history, stream by stream.
fn streams() -> Vec<Vec<Told>> {
    let history: Vec<Value> = serde_json::from_str(GOLDEN_HISTORY).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut streams: HashMap<(String, Uuid), Vec<Told>> = HashMap::new();
    for event in history {
        let told = Told {
            aggregate_type: text(&event["aggregate_type"]),
            stream: text(&event["stream"]).parse().unwrap(),
            event_type: text(&event["event_type"]),
            version: text(&event["event_version"]),
            payload: event["payload"].to_string(),
            actor: text(&event["metadata"]["actor"]).parse().unwrap(),
        };
        let stream = (told.aggregate_type.clone(), told.stream);
        streams.entry(stream).or_default().push(told);
    }
    streams.into_values().collect()
}

/// The state after these events, as it is loaded: from the last event that carries it forward.
fn loaded(events: &[Told]) -> AnyState {
    let fact = FactRef::named(&events[0].aggregate_type, events[0].stream).unwrap();
    let carries = |told: &Told| Some(told.event_type.as_str()) == fact.carries_forward;
    let first = events.iter().rposition(carries).unwrap_or(0);
    (fact.fold)(&mut events[first..].iter().map(Told::stored)).unwrap()
}

/// The state after all of these events, folded forward from the one after the first `known` of them.
fn forward(events: &[Told], known: usize) -> AnyState {
    let decoded = |told: &Told| AnyEvent::decode(&told.aggregate_type, &told.stored()).unwrap().unwrap();
    let begin = match known {
        0 => decoded(&events[0]).unborn(),
        known => loaded(&events[..known]),
    };
    let rest = events[known..].iter().map(decoded);
    rest.fold(begin, |before, event| event.evolved(before).unwrap())
}

macro_rules! shown {
    ($($kind:ident = $module:ty => $plural:literal,)+) => {
        fn shown(aggregate_type: &str, state: &AnyState) -> Value {
            match aggregate_type {
                $(<$module as Decider>::TYPE => {
                    serde_json::to_value(state.downcast_ref::<$module>().unwrap()).unwrap()
                })+
                other => panic!("no kind of stream is called {other}"),
            }
        }
    };
}

each_aggregate!(shown);

/// Each looks at every stream of the golden history.
const CASES: u32 = 24;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn a_state_that_is_folded_forward_from_anywhere_is_the_one_that_is_loaded(
        known in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
        end in any::<prop::sample::Index>(),
    ) {
        for events in streams() {
            let kind = events[0].aggregate_type.clone();
            let end = end.index(events.len()) + 1;
            for known in &known {
                let known = known.index(end);
                let state = forward(&events[..end], known);
                prop_assert_eq!(shown(&kind, &state), shown(&kind, &loaded(&events[..end])), "{} from {}", kind, known);
            }
        }
    }
}

#[test]
fn a_state_that_somebody_still_looks_at_stays_as_it_is() {
    let events = streams().into_iter().find(|events| events.len() > 1).unwrap();
    let kind = events[0].aggregate_type.clone();
    let before = loaded(&events[..1]);
    let shown_before = shown(&kind, &before);
    let next = AnyEvent::decode(&kind, &events[1].stored()).unwrap().unwrap();
    assert!(next.evolved(before.clone()).is_some());
    assert_eq!(shown(&kind, &before), shown_before);
    assert!(
        next.evolved(Arc::new(())).is_none(),
        "a state of no kind cannot be folded forward"
    );
}
