use super::*;
use domain::{SYSTEM, event};
use rehearsal::given::{Given, STREAM, given, state};

const OTHER: Uuid = Uuid::from_u128(0x9);
const STOCK: StockKey = StockKey {
    part_id: STREAM,
    variant_id: None,
    location_id: OTHER,
};

fn stocked(events: impl IntoIterator<Item = Event>) -> Given<Stocked> {
    given(events).by(SYSTEM)
}

fn noted() -> Event {
    Event::StockSuggestionNoted { stock: STOCK }
}

#[test]
fn a_part_is_stocked_from_its_first_record_on() {
    stocked([])
        .when(Command::NoteOpened {})
        .then([Event::StockOpeningNoted {}]);
    stocked([Event::StockOpeningNoted {}])
        .when(Command::NoteOpened {})
        .then([]);
}

#[test]
fn a_suggestion_is_noted_until_it_is_answered() {
    stocked([])
        .when(Command::NoteSuggested { stock: STOCK })
        .then([noted()]);
    stocked([noted()])
        .when(Command::NoteSuggested { stock: STOCK })
        .then([]);
    stocked([noted()])
        .when(Command::NoteAnswered { stock: STOCK })
        .then([Event::StockSuggestionForgotten { stock: STOCK }]);
    stocked([]).when(Command::NoteAnswered { stock: STOCK }).then([]);
}

#[test]
fn a_stock_key_is_noted_where_it_is_named() {
    let elsewhere = StockKey {
        part_id: OTHER,
        ..STOCK
    };
    stocked([])
        .when(Command::NoteSuggested { stock: elsewhere })
        .refused(Refusal::OtherStock);
    for stock in [
        StockKey {
            variant_id: Some(STREAM),
            ..elsewhere
        },
        StockKey {
            location_id: STREAM,
            ..elsewhere
        },
    ] {
        stocked([])
            .when(Command::NoteSuggested { stock })
            .then([Event::StockSuggestionNoted { stock }]);
    }
}

#[test]
fn nothing_is_looked_at_again_where_nothing_is_suggested() {
    stocked([Event::StockOpeningNoted {}])
        .when(Command::LookAgain {})
        .then([]);
    stocked([noted()])
        .when(Command::LookAgain {})
        .then([Event::StockSuggestionsLookedAt {}]);
}

#[test]
fn so_many_suggestions_are_noted_and_no_more() {
    let keys = (1..).map(|n| StockKey {
        location_id: Uuid::from_u128(n << 64),
        ..STOCK
    });
    let events = keys
        .take(SUGGESTED_MAX)
        .map(|stock| Event::StockSuggestionNoted { stock });
    stocked(events)
        .when(Command::NoteSuggested { stock: STOCK })
        .refused(Refusal::TooManySuggestions);
}

/// Bytes that an event with all its metadata may take in the book, less what metadata may take.
const BYTES_MAX: usize = (256 << 10) - (16 << 10);

fn answered() -> Event {
    Event::StockSuggestionForgotten { stock: STOCK }
}

/// So many stock keys, noted one after the other.
fn many(keys: usize) -> impl Iterator<Item = Event> {
    let keys = (1..=keys as u128).map(|n| StockKey {
        part_id: STREAM,
        variant_id: Some(Uuid::from_u128(n << 32)),
        location_id: Uuid::from_u128(n << 64),
    });
    keys.map(|stock| Event::StockSuggestionNoted { stock })
}

#[test]
fn everything_is_carried_forward_after_so_many_events() {
    let past = |events: usize| {
        let on_and_off = (0..events).map(|n| if n % 2 == 0 { noted() } else { answered() });
        stocked(std::iter::once(Event::StockOpeningNoted {}).chain(on_and_off))
    };
    past(EVENTS_CARRIED_MIN - 4)
        .when(Command::NoteSuggested { stock: STOCK })
        .then([noted()]);
    let events = past(EVENTS_CARRIED_MIN - 2)
        .when(Command::NoteSuggested { stock: STOCK })
        .events();
    let carried = Event::StockSuggestionsCarriedForward {
        is_stocked: true,
        suggested: vec![STOCK],
    };
    assert_eq!(events, [noted(), carried.clone()]);
    assert_eq!(Stocked::CARRIES_FORWARD, Some(<&str>::from(&carried)));
    // And not again with the next one.
    stocked([carried])
        .when(Command::NoteAnswered { stock: STOCK })
        .then([answered()]);
}

#[test]
fn what_is_carried_forward_reads_back_as_it_was_in_as_many_events_as_it_takes() {
    for keys in [SUGGESTED_MAX, SUGGESTIONS_CARRIED_MAX, SUGGESTIONS_CARRIED_MAX + 1] {
        let past: Vec<Event> = std::iter::once(Event::StockOpeningNoted {}).chain(many(keys)).collect();
        let before: Stocked = state(past.clone());
        let events = stocked(past).when(Command::LookAgain {}).events();
        let [Event::StockSuggestionsLookedAt {}, carried @ ..] = events.as_slice() else {
            panic!("{events:?}")
        };
        assert_eq!(carried.len(), keys.div_ceil(SUGGESTIONS_CARRIED_MAX));
        let read = carried.iter().map(|carried| {
            let payload = event::encode(carried).unwrap();
            assert!(payload.len() < BYTES_MAX, "{} bytes", payload.len());
            let stored = event::Stored {
                event_type: carried.into(),
                version: event::EVENT_VERSION,
                payload: &payload,
                actor: SYSTEM,
            };
            event::decode::<Event>(&stored).unwrap()
        });
        let loaded: Stocked = state(read.collect::<Vec<_>>());
        assert!(loaded.is_stocked());
        assert!(loaded.suggested().eq(before.suggested()));
    }
}

#[test]
fn who_has_more_to_carry_carries_it_less_often() {
    let keys = EVENTS_CARRIED_MIN;
    stocked(many(keys))
        .when(Command::LookAgain {})
        .then([Event::StockSuggestionsLookedAt {}]);
    let again = (0..keys / SUGGESTIONS_PER_EVENT).map(|_| Event::StockSuggestionsLookedAt {});
    let events = stocked(many(keys).chain(again)).when(Command::LookAgain {}).events();
    assert_eq!(events.len(), 2);
}
