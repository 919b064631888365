//! The commands that Daybook sends by itself because something is struck that stock refers to.

use uuid::Uuid;

use crate::inventory::{self, Inventory};
use crate::location::Location;
use crate::part::Part;
use crate::part_variant::PartVariant;
use crate::stock::StockKey;
use crate::stocked::{self, Stocked};
use domain::register::{Change, Entry, Register};
use domain::{AnyEvent, Decider, Policy, Reaction, Recorded, Seen, Sending};

/// Notes what stock refers to, and ends the suggestions to reorder what is struck.
#[derive(Debug)]
pub struct StockStruck;

impl Policy for StockStruck {
    fn name(&self) -> &'static str {
        "stock-struck"
    }

    fn reads(&self) -> &'static [&'static str] {
        &[
            Inventory::TYPE,
            Stocked::TYPE,
            Register::<Part>::TYPE,
            Register::<PartVariant>::TYPE,
            Register::<Location>::TYPE,
        ]
    }

    // What was stocked, suggested and struck before is so still.
    fn catches_up(&self) -> bool {
        true
    }

    fn wants_state(&self, recorded: &Recorded<AnyEvent>) -> bool {
        matches!(
            recorded.of::<Stocked>(),
            Some(stocked::Event::StockSuggestionsLookedAt {})
        )
    }

    fn react(&self, seen: &Seen<'_>) -> Vec<Reaction> {
        let recorded = seen.recorded;
        if let Some(event) = recorded.of::<Inventory>() {
            return of_stock(event);
        }
        if let Some(stocked::Event::StockSuggestionsLookedAt {}) = recorded.of::<Stocked>() {
            let keys = seen.state::<Stocked>().into_iter().flat_map(Stocked::suggested);
            let look = |stock: &StockKey| {
                let stream = stock.stream(recorded.tenant_id);
                let command = inventory::Command::LookAgain {};
                Reaction::send(vec![Sending::of::<Inventory>(stream, command)])
            };
            return keys.map(look).collect();
        }
        if is_struck::<Part>(recorded) || is_struck::<PartVariant>(recorded) || is_struck::<Location>(recorded) {
            return vec![note(recorded.stream, stocked::Command::LookAgain {})];
        }
        Vec::new()
    }
}

fn is_struck<K: Entry>(recorded: &Recorded<AnyEvent>) -> bool {
    matches!(recorded.of::<Register<K>>(), Some(Change::Struck {}))
}

fn of_stock(event: &inventory::Event) -> Vec<Reaction> {
    match event {
        inventory::Event::InventoryOpened { stock, .. } => {
            vec![note(stock.part_id, stocked::Command::NoteOpened {})]
        }
        inventory::Event::ReorderSuggested { stock, .. } => {
            named(stock, &|stock| stocked::Command::NoteSuggested { stock })
        }
        inventory::Event::ReorderLapsed { stock, .. }
        | inventory::Event::ReorderAccepted { stock, .. }
        | inventory::Event::ReorderDismissed { stock, .. } => {
            named(stock, &|stock| stocked::Command::NoteAnswered { stock })
        }
        _ => Vec::new(),
    }
}

/// To all that a stock key names.
fn named(stock: &StockKey, command: &dyn Fn(StockKey) -> stocked::Command) -> Vec<Reaction> {
    let ids = [Some(stock.part_id), stock.variant_id, Some(stock.location_id)];
    ids.into_iter().flatten().map(|id| note(id, command(*stock))).collect()
}

fn note(id: Uuid, command: stocked::Command) -> Reaction {
    Reaction::send(vec![Sending::of::<Stocked>(id, command)])
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::DateTime;
    use serde_json::json;

    use super::*;
    use domain::Metadata;
    use rehearsal::given::state;

    const PART: Uuid = Uuid::from_u128(1);
    const RED: Uuid = Uuid::from_u128(2);
    const DEPOT: Uuid = Uuid::from_u128(3);
    const TENANT: Uuid = Uuid::from_u128(7);
    const STOCK: StockKey = StockKey {
        part_id: PART,
        variant_id: Some(RED),
        location_id: DEPOT,
    };

    fn react<D: Decider>(stream: Uuid, event: D::Event, now: Option<D>) -> Vec<Reaction> {
        let recorded = Recorded {
            position: 1,
            event_id: STOCK.stream(TENANT),
            tenant_id: TENANT,
            aggregate_type: String::new(),
            stream,
            sequence: 1,
            event_type: String::new(),
            event_version: String::new(),
            metadata: Metadata::default(),
            at: DateTime::UNIX_EPOCH,
            recorded_at: DateTime::UNIX_EPOCH,
            event: AnyEvent::new::<D>(event),
        };
        let wanted = StockStruck.wants_state(&recorded);
        StockStruck.react(&Seen::new(
            &recorded,
            now.filter(|_| wanted).map(|now| Arc::new(now) as _),
        ))
    }

    fn of_stock(event: serde_json::Value) -> Vec<Reaction> {
        let event: inventory::Event = serde_json::from_value(event).unwrap();
        react::<Inventory>(STOCK.stream(TENANT), event, None)
    }

    #[test]
    fn a_record_that_is_opened_is_noted_with_its_part() {
        let opened = json!({"InventoryOpened": {
            "stock": STOCK, "department_id": DEPOT, "reorder_point": null, "reorder_quantity": null,
        }});
        assert_eq!(of_stock(opened), [note(PART, stocked::Command::NoteOpened {})]);
    }

    #[test]
    fn a_suggestion_is_noted_with_all_that_it_names_until_it_is_answered() {
        let suggestion = json!({
            "stock": STOCK, "suggestion_id": RED, "on_hand": 0, "reserved": 0, "on_order": 0, "projected": 0, "reorder_point": 1,
            "reorder_quantity": null, "quantity": 2,
        });
        let each = |command: stocked::Command| [PART, RED, DEPOT].map(|id| note(id, command.clone()));
        let suggested = json!({ "ReorderSuggested": suggestion });
        assert_eq!(
            of_stock(suggested),
            each(stocked::Command::NoteSuggested { stock: STOCK })
        );
        for answer in ["ReorderLapsed", "ReorderDismissed"] {
            let answered = json!({answer: {"stock": STOCK, "suggestion_id": RED}});
            assert_eq!(
                of_stock(answered),
                each(stocked::Command::NoteAnswered { stock: STOCK })
            );
        }
    }

    #[test]
    fn what_is_struck_is_looked_at_again_and_with_it_every_suggestion() {
        let look = |id| [note(id, stocked::Command::LookAgain {})];
        assert_eq!(react::<Register<Part>>(PART, Change::Struck {}, None), look(PART));
        assert_eq!(react::<Register<PartVariant>>(RED, Change::Struck {}, None), look(RED));
        assert_eq!(react::<Register<Location>>(DEPOT, Change::Struck {}, None), look(DEPOT));
        let now: Stocked = state([stocked::Event::StockSuggestionNoted { stock: STOCK }]);
        let looked = react::<Stocked>(PART, stocked::Event::StockSuggestionsLookedAt {}, Some(now));
        let command = inventory::Command::LookAgain {};
        assert_eq!(
            looked,
            [Reaction::send(vec![Sending::of::<Inventory>(
                STOCK.stream(TENANT),
                command
            )])]
        );
    }
}
