//! Locations, and what is in stock there.

use cloudwatcher::inventory::StockKey;
use serde_json::{Value, json};
use tests::Client;
use uuid::Uuid;

use super::{Goods, NAME, NOTE, Sent, done, event, text};

impl Goods {
    /// A store of the workshop.
    pub(super) fn location(&self) -> Value {
        json!({"name": format!("{NAME} store"), "dept_id": self.id("workshop")})
    }

    /// Bolts in stock, of which some are kept, and nuts; both are to be reordered.
    pub(super) async fn stock_up(&mut self, owner: &Client) {
        let mut bolts = self.record("bolt");
        bolts["reorder_point"] = json!(1_000);
        let kept = |kind: &str| json!({"quantity": 5, "reservation_id": self.id(kind)});
        for (command, body) in [
            ("open", bolts),
            ("receive", json!({"quantity": 100})),
            ("reserve", kept("to shorten")),
            ("reserve", kept("to release")),
            ("consume", json!({"quantity": 1, "notes": NOTE})),
        ] {
            done(owner, &self.path("inventory", "inventory", command), &body).await;
        }
        let mut nuts = self.record("parts");
        nuts["reorder_point"] = json!(5);
        let position = done(owner, &self.path("inventory", "nuts", "open"), &nuts).await;
        self.suggestion = text(&event(owner, position).await["payload"]["suggestion_id"]);
    }

    /// The stock of a part in the workshop's location.
    pub(super) fn stock(&self, part: &str) -> StockKey {
        StockKey {
            part_id: self.id(part),
            variant_id: None,
            location_id: self.id("locations"),
        }
    }

    /// What opens its record.
    pub(super) fn record(&self, part: &str) -> Value {
        json!({"part_id": self.id(part), "location_id": self.id("locations")})
    }

    /// What one does there.
    pub(super) fn stock_command(&self, plural: &str, command: &str) -> Option<Sent> {
        let none = || json!({});
        let (body, owner) = match (plural, command) {
            ("locations", "enter") => (self.location(), 422),
            ("locations", "amend") => {
                let mut location = self.location();
                location["address"] = json!("amended");
                (location, 200)
            }
            // One where nothing lies.
            ("locations", "strike") => return Some((self.id("spare place"), none(), 200)),
            ("stock-policies", "enter") => (none(), 422),
            ("stock-policies", "amend") => (json!({"not_sold": "refuse"}), 200),
            ("stock-policies", "strike") => (none(), 200),
            // Daybook alone notes these.
            ("stocked", "note-opened" | "look-again") => return Some((self.id("bolt"), none(), 403)),
            ("stocked", "note-suggested" | "note-answered") => {
                return Some((self.id("bolt"), json!({"stock": self.stock("bolt")}), 403));
            }
            ("inventory", "look-again") => (none(), 403),
            ("inventory", "open") => (self.record("bolt"), 422),
            ("inventory", "set-reorder") => (json!({"reorder_point": 3}), 200),
            ("inventory", "receive" | "issue" | "consume" | "reserve") => (json!({"quantity": 2}), 200),
            ("inventory", "shorten") => {
                let left = json!({"reservation_id": self.id("to shorten"), "quantity": 2});
                (left, 200)
            }
            ("inventory", "release") => (json!({"reservation_id": self.id("to release")}), 200),
            // Daybook alone says these.
            ("inventory", "expire") => (json!({"reservation_id": self.id("to shorten")}), 403),
            ("inventory", "expect") => (json!({"order_id": self.id("asked"), "quantity": 1}), 403),
            ("inventory", "count") => (json!({"seen": 97, "counted": 96}), 200),
            // Half of it is none.
            ("inventory", "transfer-out") => {
                let half = json!({"transfer_id": self.id("orders"), "to": self.stock("bolt"), "quantity": 1});
                (half, 422)
            }
            ("inventory", "transfer-in") => {
                let mut half = json!({"transfer_id": self.id("orders"), "from": self.stock("bolt"), "quantity": 1});
                half["to"] = json!(self.stock("bolt"));
                (half, 422)
            }
            // There is no other location to go to, and no such suggestion: refused, but not as unknown.
            ("inventory", "transfer") => (json!({"to_location_id": self.id("locations"), "quantity": 1}), 422),
            ("inventory", "accept-reorder") => (json!({"suggestion_id": Uuid::nil()}), 422),
            ("inventory", "dismiss-reorder") => {
                return Some((self.id("nuts"), json!({"suggestion_id": self.suggestion}), 200));
            }
            _ => return None,
        };
        Some((self.id(plural), body, owner))
    }
}
