//! Orders at every stage, and who approves them.

use serde_json::{Value, json};
use sqlx::PgPool;
use tests::Service;
use tests::foreign::caught_up;
use uuid::Uuid;

use super::{Goods, NOTE, Sent, done, event, text};

/// What a buyer submitted. The owner is asked to approve each of them, and none of these is decided.
pub(super) const ASKED: [&str; 5] = ["asked", "to approve", "to reject", "to decide", "to reassign"];
/// What a buyer submitted and the owner approved.
pub(super) const APPROVED: [&str; 4] = ["to place", "to receive", "to reverse", "to close"];

impl Goods {
    /// Orders that somebody else submitted, at every stage.
    pub(super) async fn order_and_approve(&mut self, service: &Service) {
        let owner = &service.admin;
        let pool = PgPool::connect_with(service.database.options.clone()).await.unwrap();
        let buyer = service.person(&["cloudwatcher.order.*"], &[self.id("works")]).await;
        self.ids.insert("buyers", buyer.user);
        for kind in ASKED.into_iter().chain(APPROVED) {
            let department = if kind == "to reassign" { "yard" } else { "workshop" };
            done(&buyer, &self.path("orders", kind, "draft"), &self.order(department)).await;
            let position = done(&buyer, &self.path("orders", kind, "submit"), &json!({})).await;
            if kind == "asked" {
                self.submitted = event(owner, position).await;
                self.command = text(&self.submitted["command_id"]);
            }
        }
        caught_up(&pool).await;
        // Whoever is asked about the order in the yard does not manage it any more.
        let path = format!("/v1/identity/departments/{}/amend", self.id("yard"));
        done(owner, &path, &self.department("yard", owner.user)).await;
        for kind in APPROVED {
            done(owner, &self.path("approvals", kind, "approve"), &json!({"revision": 1})).await;
        }
        caught_up(&pool).await;
        pool.close().await;
        let mut position = 0;
        for kind in APPROVED.into_iter().skip(1) {
            position = done(owner, &self.path("orders", kind, "place"), &json!({})).await;
        }
        let items = async |kind: &str| {
            let path = format!("/v1/cloudwatcher/order_items?order=id.asc&order_id={}", self.id(kind));
            let rows = owner.get_after(&path, position).await.ok();
            let rows = rows["rows"].as_array().unwrap().iter();
            rows.map(|row| text(&row["id"])).collect::<Vec<_>>()
        };
        let (own, on_order, received) = (
            items("orders").await,
            items("to receive").await,
            items("to reverse").await,
        );
        let line = json!({"lines": [{"item_id": received[0], "quantity": 1}]});
        let position = done(owner, &self.path("orders", "to reverse", "receive"), &line).await;
        self.receipt = text(&event(owner, position).await["payload"]["receipt_id"]);
        self.on_order = on_order[0].clone();
        // Those of the order that is changed come first.
        self.items = [own, on_order, received].concat();
        let path = format!(
            "/v1/cloudwatcher/order_approvals?approver_id={}&order_id={}",
            owner.user,
            self.id("asked")
        );
        let asks = owner.get_after(&path, position).await.ok();
        self.ask = text(&asks["rows"][0]["id"]);
    }

    /// One level for every order.
    pub(super) fn policy(&self) -> Value {
        let of_department = json!({"department_id": self.id("workshop"), "levels_min": 1});
        json!({"currencies": thresholds(), "departments": [of_department]})
    }

    pub(super) fn grant(&self) -> Value {
        let week = chrono::Utc::now() + chrono::TimeDelta::days(7);
        json!({"to": self.id("buyers"), "ends_at": week, "department_ids": [self.id("workshop")]})
    }

    pub(super) fn note_submission(&self) -> Value {
        json!({"order_id": self.id("asked"), "revision": 1, "submitted_at": self.submitted["at"]})
    }

    pub fn decisions(&self) -> Value {
        json!({"decisions": [{"order_id": self.id("to decide"), "revision": 1, "decision": "approve"}]})
    }

    pub(super) fn item(&self) -> Value {
        json!({"part_id": self.id("bolt"), "supplier_id": self.id("acme"), "quantity": 3, "unit_price": "1.25"})
    }

    pub(super) fn order(&self, department: &str) -> Value {
        let items = [self.item(), self.item()];
        json!({"department_id": self.id(department), "currency": "EUR", "note": NOTE, "items": items})
    }

    /// What one does with an order.
    pub(super) fn order_command(&self, plural: &str, command: &str) -> Option<Sent> {
        let none = || json!({});
        let (body, owner) = match (plural, command) {
            ("orders", "draft") => (self.order("workshop"), 422),
            // Under an id that is free: whether the copy is made depends on the original alone.
            ("orders", "duplicate") => {
                return Some((Uuid::from_u128(0xd0b1e), json!({"of": self.id("orders")}), 200));
            }
            ("orders", "add-item") => (self.item(), 200),
            ("orders", "change-item") => (json!({"item_id": self.items[0], "quantity": 7}), 200),
            ("orders", "remove-item") => (json!({"item_id": self.items[1]}), 200),
            ("orders", "change-currency") => (json!({"currency": "USD"}), 200),
            ("orders", "annotate") => (json!({"note": "another"}), 200),
            // Daybook alone says these.
            ("orders", "settle-approval") => (none(), 403),
            ("orders", "note-stock-refused") => (json!({"booking": {"reservation": {"revision": 1}}}), 403),
            ("orders", "confirm-booked") => (json!({"receipt_id": self.receipt}), 403),
            // Nothing was refused.
            ("orders", "retry-stock") => (none(), 422),
            ("orders", "submit" | "cancel") => (none(), 200),
            ("orders", "place") => return Some((self.id("to place"), none(), 200)),
            ("orders", "receive") => {
                let line = json!({"item_id": self.on_order, "quantity": 2});
                return Some((self.id("to receive"), json!({"lines": [line]}), 200));
            }
            ("orders", "reverse-receipt") => {
                return Some((self.id("to reverse"), json!({"receipt_id": self.receipt}), 200));
            }
            ("orders", "reschedule") => {
                return Some((
                    self.id("to receive"),
                    json!({"expected_delivery_date": "2026-03-02"}),
                    200,
                ));
            }
            ("orders", "confirm") => return Some((self.id("to receive"), json!({"reference": "A-1"}), 200)),
            ("orders", "close-short") => return Some((self.id("to close"), none(), 200)),
            _ => return None,
        };
        Some((self.id(plural), body, owner))
    }

    /// Who approves, and what they do.
    pub(super) fn approval_command(&self, plural: &str, command: &str) -> Option<Sent> {
        let none = || json!({});
        let (body, owner) = match (plural, command) {
            ("approval-policies", "enter") => (json!({"currencies": thresholds()}), 422),
            ("approval-policies", "amend") => (json!({"currencies": thresholds(), "deadline_hours": 1}), 200),
            ("approval-policies", "strike") => (none(), 200),
            ("delegations", "grant") => (self.grant(), 200),
            ("delegations", "revoke") => (json!({"delegation_id": self.delegation}), 200),
            ("buyers", "note-submission") => (self.note_submission(), 403),
            // Daybook alone says these.
            ("approvals", "ask") => return Some((self.id("asked"), json!({"revision": 1}), 403)),
            ("approvals", "escalate") => return Some((self.id("asked"), json!({"ask_id": self.ask}), 403)),
            ("approvals", "void") => return Some((self.id("asked"), none(), 403)),
            ("approvals", "approve") => return Some((self.id("to approve"), json!({"revision": 1}), 200)),
            ("approvals", "reject") => {
                let body = json!({"revision": 1, "notes": "too dear"});
                return Some((self.id("to reject"), body, 200));
            }
            ("approvals", "reassign") => return Some((self.id("to reassign"), none(), 200)),
            _ => return None,
        };
        Some((self.id(plural), body, owner))
    }
}

/// One level from the first cent on.
pub(super) fn thresholds() -> Value {
    json!(["EUR", "USD"].map(|currency| json!({"currency": currency, "thresholds": ["0"]})))
}
