//! What somebody wants, as numbers that choose among everything that can be asked.

use cloudwatcher::inventory::{Inventory, StockKey};
use cloudwatcher::order::Item;
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

#[derive(Debug, Clone)]
pub(crate) struct Wish {
    /// The kind of stream.
    pub what: u8,
    /// Which stream of the kind.
    pub which: u8,
    /// What the command refers to.
    pub first: u8,
    pub second: u8,
    /// Which command.
    pub choice: u8,
    /// Which of an order's commands, of which there are more.
    pub more: u8,
    /// Whether texts are as long as they may be.
    pub long: bool,
}

/// In an order in which each may refer to those before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Department,
    Role,
    User,
    Supplier,
    Part,
    PartVariant,
    PartSupplier,
    Location,
    Request,
    Connection,
    Order,
    Inventory,
    SignIn,
}

impl Kind {
    pub(crate) const ALL: [Self; 13] = [
        Self::Department,
        Self::Role,
        Self::User,
        Self::Supplier,
        Self::Part,
        Self::PartVariant,
        Self::PartSupplier,
        Self::Location,
        Self::Request,
        Self::Connection,
        Self::Order,
        Self::Inventory,
        Self::SignIn,
    ];
}

/// The department above all others.
pub(crate) const TOP: Uuid = Uuid::from_u128(0x70);

/// The stream of this kind and number.
pub(crate) fn id(kind: Kind, which: u8) -> Uuid {
    Uuid::from_u128((kind as u128 + 1) << 8 | u128::from(which))
}

impl Arbitrary for Wish {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;
    fn arbitrary_with((): ()) -> Self::Strategy {
        // Orders as often as everything else together, since they refer to everything, and stock half as often.
        let what = prop_oneof![2 => 0..13_u8, 2 => Just(Kind::Order as u8), 1 => Just(Kind::Inventory as u8)];
        (what, 0..3_u8, 0..3_u8, 0..3_u8, 0..16_u8, 0..4_u8, any::<bool>())
            .prop_map(|(what, which, first, second, choice, more, long)| Self {
                what,
                which,
                first,
                second,
                choice,
                more,
                long,
            })
            .boxed()
    }
}

impl Wish {
    pub(crate) fn kind(&self) -> Kind {
        Kind::ALL[usize::from(self.what)]
    }

    /// A text that fits the column exactly, in letters of two bytes; or a short one.
    fn text(&self, chars: usize) -> String {
        if self.long {
            "é".repeat(chars)
        } else {
            format!("text {}", self.second)
        }
    }

    fn email(&self) -> String {
        let name = if self.long { "é".repeat(240) } else { "name".to_owned() };
        format!("{name}@{}.example", self.second)
    }

    fn price(&self) -> &'static str {
        if self.long { "99999999.99" } else { "0.10" }
    }

    /// First enter, then anything.
    fn register(&self, entry: Value) -> Value {
        match self.choice % 5 {
            0 | 1 => json!({ "enter": entry }),
            2 | 3 => json!({ "amend": entry }),
            _ => json!({ "strike": {} }),
        }
    }

    pub(crate) fn department(&self) -> Value {
        let parent = if self.first > 0 {
            id(Kind::Department, self.first)
        } else {
            TOP
        };
        let manager = (self.second > 0).then(|| id(Kind::User, self.second));
        self.register(json!({
            "name": self.text(255), "parent_id": parent, "description": self.text(4_000), "manager_id": manager,
        }))
    }

    pub(crate) fn role(&self) -> Value {
        let permission = if self.long {
            "a".repeat(100)
        } else {
            format!("cloudwatcher.order.{}", ["add", "cancel", "*"][usize::from(self.first)])
        };
        match self.choice % 6 {
            0 | 1 => {
                json!({ "define": { "name": self.text(100), "permissions": [permission, "cloudwatcher.parts.read"] } })
            }
            2 => json!({ "describe": { "name": self.text(100), "description": self.text(4_000) } }),
            3 => json!({ "grant": { "permission": permission } }),
            4 => json!({ "revoke": { "permission": permission } }),
            _ => json!({ "retire": {} }),
        }
    }

    pub(crate) fn user(&self) -> Value {
        let (role, department) = (id(Kind::Role, self.first), id(Kind::Department, self.first));
        match self.choice {
            0..3 => json!({ "register": {
                "email": self.email(), "name": self.text(255), "oauth_provider": self.text(50), "oauth_id": self.text(255),
            } }),
            3 => json!({ "rename": { "name": self.text(255) } }),
            4 => json!({ "change-email": { "email": self.email() } }),
            5 | 6 => json!({ "assign-role": { "role_id": role } }),
            7 => json!({ "unassign-role": { "role_id": role } }),
            8 | 9 => json!({ "join-department": { "department_id": department } }),
            10 => json!({ "leave-department": { "department_id": department } }),
            11 | 12 => json!({ "deactivate": {} }),
            13 | 14 => json!({ "reactivate": {} }),
            _ => json!({ "erase": {} }),
        }
    }

    pub(crate) fn supplier(&self) -> Value {
        self.register(json!({
            "name": self.text(255), "contact_email": self.email(), "contact_phone": self.text(20),
            "website": self.text(255), "lead_time_days": 3_650, "is_preferred": self.long,
        }))
    }

    pub(crate) fn part(&self) -> Value {
        self.register(json!({
            "part_code": self.text(50), "name": self.text(255), "description": self.text(4_000),
            "category": self.text(100), "unit_of_measure": self.text(20),
        }))
    }

    pub(crate) fn part_variant(&self) -> Value {
        self.register(json!({
            "part_id": id(Kind::Part, self.first), "variant_code": self.text(50), "variant_name": self.text(255),
            "attributes": { "colour": self.text(20) }, "cost_per_unit": self.price(), "retail_price": self.price(),
            "currency": "EUR",
        }))
    }

    pub(crate) fn part_supplier(&self) -> Value {
        self.register(json!({
            "part_id": id(Kind::Part, self.first), "variant_id": self.variant(),
            "supplier_id": id(Kind::Supplier, self.second), "sku": self.text(100), "supplier_cost": self.price(),
            "currency": "EUR",
        }))
    }

    fn variant(&self) -> Option<Uuid> {
        self.long.then(|| id(Kind::PartVariant, self.second))
    }

    pub(crate) fn location(&self) -> Value {
        self.register(json!({
            "name": self.text(255), "dept_id": id(Kind::Department, self.first), "address": self.text(4_000),
            "location_type": if self.long { "warehouse" } else { "garage" },
        }))
    }

    /// A command to a request that has this file.
    pub(crate) fn request(&self, file_id: Uuid) -> Value {
        let metadata = || json!({ self.text(100): self.text(4_000), "a_second_one": self.text(20) });
        match self.choice {
            0..4 => json!({ "receive": {
                "device_id": self.text(50), "request_type": self.text(50), "payload": { "n": self.first },
                "metadata": metadata(),
            } }),
            4 if self.second == 0 => json!({ "take-over": {} }),
            4 if self.second == 1 => json!({ "release": {} }),
            4 => json!({ "begin": {} }),
            5 | 6 => json!({ "annotate": { "metadata": metadata() } }),
            7 | 8 => json!({ "respond": { "content": { "n": self.first }, "metadata": metadata() } }),
            9 => json!({ "fail": { "error": self.text(4_000), "metadata": metadata() } }),
            10 => json!({ "deliver": {} }),
            11 | 12 => json!({ "attach-file": {
                "file_type": if self.long { "request" } else { "response" }, "cloud_provider": "google-drive",
                "cloud_path": self.text(500), "file_size_bytes": i64::MAX, "uploaded_at": "9999-12-31T23:59:59Z",
            } }),
            13 => json!({ "mark-file": { "file_id": file_id, "sync_status": "synced" } }),
            14 if self.second == 0 => json!({ "record-decision": {
                "agent_name": self.text(100), "decision_type": self.text(100), "decision_value": self.text(4_000),
                "reasoning": { "why": self.text(20) }, "confidence_score": if self.long { "1.00" } else { "0.5" },
            } }),
            _ => json!({ "archive": { "archive": self.text(200), "sha256": "0".repeat(64) } }),
        }
    }

    pub(crate) fn connection(&self) -> Value {
        match self.choice % 3 {
            0 | 1 => json!({ "connect": {
                "device_id": self.text(50), "user_id": self.long.then(|| id(Kind::User, self.first)),
                "connection_type": "webhook", "ip_address": if self.long { "2001:db8::1" } else { "10.0.0.1" },
                "connected_at": "2026-01-05T12:00:00.123456789Z",
            } }),
            _ => json!({ "disconnect": { "disconnected_at": "9999-12-31T23:59:59Z" } }),
        }
    }

    /// A command to an order of these items, of which `receipt_id` is a receipt.
    pub(crate) fn order(&self, items: &[Item], receipt_id: Uuid) -> Value {
        let item_id = items
            .get(usize::from(self.first))
            .map_or(Uuid::nil(), |item| item.item_id);
        let all: Vec<Value> = items
            .iter()
            .map(|item| json!({ "item_id": item.item_id, "quantity": item.quantity }))
            .collect();
        let item = json!({
            "part_id": id(Kind::Part, self.first), "variant_id": self.variant(),
            "supplier_id": id(Kind::Supplier, self.second), "quantity": if self.long { 99 } else { i32::MAX },
            "unit_price": self.price(), "expected_delivery_date": "9999-12-31",
        });
        let depot = |which| Some(id(Kind::Location, which));
        let (order_type, from, to) = match self.more {
            0 => ("internal_transfer", depot(self.first), depot(self.second)),
            1 => ("return", depot(self.first), None),
            2 => ("purchase", None, depot(self.first)),
            _ => ("purchase", None, None),
        };
        match self.choice * 4 + self.more {
            0..12 => json!({ "draft": {
                "order_type": order_type, "location_id": to, "from_location_id": from,
                "department_id": id(Kind::Department, self.second), "currency": "EUR", "note": self.text(2_000),
                "tolerance_percent": if self.long && order_type == "purchase" { 100 } else { 0 },
                "request_id": self.long.then(|| id(Kind::Request, self.first)), "items": [item, item],
            } }),
            12..18 => json!({ "duplicate": { "of": id(Kind::Order, self.second), "note": self.text(2_000) } }),
            18..22 => json!({ "add-item": item }),
            22..26 => json!({ "change-item": { "item_id": item_id, "quantity": 7, "unit_price": self.price() } }),
            26..28 => json!({ "change-item": {
                "item_id": item_id, "part_id": id(Kind::Part, self.second), "without_variant": true,
                "supplier_id": id(Kind::Supplier, self.first),
            } }),
            28..31 => json!({ "remove-item": { "item_id": item_id } }),
            31 => json!({ "change-currency": { "currency": if self.long { "EUR" } else { "USD" } } }),
            32 => json!({ "annotate": { "note": self.long.then(|| self.text(2_000)) } }),
            33..42 => json!({ "submit": {} }),
            42..48 => json!({ "place": {} }),
            48..51 => json!({ "receive": { "lines": [{ "item_id": item_id, "quantity": 7 }] } }),
            51..54 => json!({ "receive": { "lines": all } }),
            54..57 => json!({ "reverse-receipt": { "receipt_id": receipt_id } }),
            57 => json!({ "reschedule": { "expected_delivery_date": "9999-12-31" } }),
            58 => json!({ "confirm": {
                "supplier_id": items.get(usize::from(self.first)).map(|item| item.supplier_id),
                "reference": self.text(100),
                "dates": [{ "item_id": item_id, "confirmed_delivery_date": "9999-12-31" }],
            } }),
            59..61 => json!({ "close-short": {} }),
            61 => json!({ "retry-stock": {} }),
            _ => json!({ "cancel": {} }),
        }
    }

    /// The stock that a command is about.
    pub(crate) fn stock(&self) -> StockKey {
        StockKey {
            part_id: id(Kind::Part, self.which),
            variant_id: self.variant(),
            location_id: id(Kind::Location, self.first),
        }
    }

    /// Where it may be moved to.
    pub(crate) fn elsewhere(&self) -> StockKey {
        StockKey {
            location_id: id(Kind::Location, self.first + 1),
            ..self.stock()
        }
    }

    /// Whether it is moved there.
    pub(crate) fn moves_stock(&self) -> bool {
        self.choice == 15
    }

    /// Whether a suggestion is accepted.
    pub(crate) fn accepts(&self) -> bool {
        self.choice == 14
    }

    /// A command to the stock as it stands.
    pub(crate) fn inventory(&self, now: &Inventory) -> Value {
        let stock = self.stock();
        let reservation_id = Uuid::from_u128(u128::from(self.more));
        let drawn_on = (self.second > 0).then_some(reservation_id);
        let quantity = i32::from(self.more) * 3 + 1;
        let kind = ["order", "request", "other"][usize::from(self.second)];
        let source = json!({"kind": kind, "id": id(Kind::Request, 0)});
        match self.choice {
            0 => json!({ "open": {
                "part_id": stock.part_id, "variant_id": stock.variant_id, "location_id": stock.location_id,
                "reorder_point": 7, "reorder_quantity": if self.long { 1_000_000_000 } else { 1 },
            } }),
            1 | 2 => json!({ "receive": {
                "quantity": if self.more == 3 { 1_000_000_000 } else { 8 }, "source": source, "stock": stock,
            } }),
            3 | 4 => json!({ "reserve": {
                "quantity": quantity, "reservation_id": reservation_id, "source": source,
                "expires_at": (self.second == 0).then_some("2000-07-01T00:00:00Z"),
            } }),
            5 => json!({ "issue": { "quantity": quantity, "reservation_id": drawn_on } }),
            6 => json!({ "consume": {
                "quantity": quantity, "reservation_id": drawn_on, "consumption_date": "2000-01-01",
                "consumed_by": self.long.then(|| id(Kind::User, self.second)), "notes": self.text(2_000),
            } }),
            7 => json!({ "shorten": { "reservation_id": reservation_id, "quantity": 2 } }),
            8 => json!({ "release": { "reservation_id": reservation_id } }),
            9 => json!({ "expire": { "reservation_id": reservation_id } }),
            10 => json!({ "count": { "seen": now.on_hand(), "counted": quantity } }),
            11 => json!({ "set-reorder": { "reorder_point": if self.long { 1_000_000_000 } else { 4 } } }),
            12 => json!({ "expect": { "order_id": id(Kind::Order, self.second), "quantity": quantity } }),
            _ => {
                let suggestion_id = now.open_suggestion().map(|open| open.suggestion_id);
                json!({ "dismiss-reorder": { "suggestion_id": suggestion_id.unwrap_or_default() } })
            }
        }
    }
}
