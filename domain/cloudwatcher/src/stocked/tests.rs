use super::*;
use domain::SYSTEM;
use rehearsal::given::{Given, STREAM, given};

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
