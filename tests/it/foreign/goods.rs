//! What a tenant has: at least one thing of every kind, with names that occur nowhere else.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::Client;
use uuid::Uuid;

/// In the names of whatever the tenant has.
const NAME: &str = "Xyzzy";
/// In what belongs to one department.
const NOTE: &str = "Plugh";
/// A part's code that another tenant uses, too.
pub const CODE: &str = "M8";
const TABLES: [&str; 14] = [
    "users",
    "roles",
    "departments",
    "user_roles",
    "user_departments",
    "role_permissions",
    "suppliers",
    "parts",
    "part_variants",
    "part_suppliers",
    "requests",
    "orders",
    "order_items",
    "order_history",
];

/// Ids of tenant A, by the plural word of their kind. Things that orders refer to have a second
/// one, `spare`, that commands may take out of use.
pub struct Goods {
    ids: BTreeMap<&'static str, Uuid>,
    /// The key of one row of every table.
    pub keys: BTreeMap<&'static str, String>,
    items: Vec<String>,
    /// The position at which the order was drafted, and the command that did it.
    pub drafted: i64,
    pub command: String,
}

/// What a colleague in another department may do: read every table, command orders, read the log.
pub fn outsiders_permissions() -> Vec<&'static str> {
    let reads = TABLES.map(|table| &*format!("cloudwatcher.{table}.read").leak());
    reads
        .into_iter()
        .chain(["cloudwatcher.order.*", "audit.read"])
        .collect()
}

impl Goods {
    pub async fn made(owner: &Client) -> Self {
        let kinds = [
            "users",
            "roles",
            "departments",
            "suppliers",
            "parts",
            "part-variants",
            "part-suppliers",
            "requests",
            "orders",
            "workshop",
            "elsewhere",
            "clerk",
            "acme",
            "bolt",
        ];
        let mut goods = Self {
            ids: kinds.map(|kind| (kind, Uuid::now_v7())).into(),
            keys: BTreeMap::new(),
            items: Vec::new(),
            drafted: 0,
            command: String::new(),
        };
        let mut position = 0;
        for (path, id, body) in [
            (
                "identity/departments/{}/enter",
                "workshop",
                json!({"name": format!("{NAME} workshop")}),
            ),
            (
                "identity/departments/{}/enter",
                "elsewhere",
                json!({"name": format!("{NAME} elsewhere")}),
            ),
            (
                "identity/departments/{}/enter",
                "departments",
                json!({"name": format!("{NAME} spare")}),
            ),
            (
                "cloudwatcher/suppliers/{}/enter",
                "acme",
                json!({"name": format!("{NAME} supplies")}),
            ),
            (
                "cloudwatcher/suppliers/{}/enter",
                "suppliers",
                json!({"name": format!("{NAME} spare")}),
            ),
            (
                "cloudwatcher/parts/{}/enter",
                "bolt",
                json!({"part_code": format!("{NAME}-0"), "name": "bolt"}),
            ),
            (
                "cloudwatcher/parts/{}/enter",
                "parts",
                json!({"part_code": CODE, "name": format!("{NAME} nut")}),
            ),
            (
                "cloudwatcher/part-variants/{}/enter",
                "part-variants",
                json!({"part_id": goods.id("bolt"), "variant_code": NAME}),
            ),
            (
                "cloudwatcher/part-suppliers/{}/enter",
                "part-suppliers",
                goods.offer("suppliers"),
            ),
            ("cloudwatcher/requests/{}/receive", "requests", goods.request()),
            (
                "identity/roles/{}/define",
                "roles",
                json!({"name": format!("{NAME} role"), "permissions": ["xyzzy.read"]}),
            ),
            (
                "identity/roles/{}/define",
                "clerk",
                json!({"name": format!("{NAME} clerk")}),
            ),
            (
                "identity/users/{}/register",
                "users",
                json!({"name": format!("{NAME} person"), "email": "xyzzy@example.com"}),
            ),
            (
                "identity/users/{}/assign-role",
                "users",
                json!({"role_id": goods.id("roles")}),
            ),
            (
                "identity/users/{}/join-department",
                "users",
                json!({"department_id": goods.id("departments")}),
            ),
            ("cloudwatcher/orders/{}/draft", "orders", goods.order()),
        ] {
            let path = path.replace("{}", &goods.id(id).to_string());
            let reply = owner.post(&format!("/v1/{path}"), &body).await;
            assert_eq!(reply.status, 200, "{path}: {}", reply.text);
            position = reply.position();
        }
        goods.drafted = position;
        let event = owner.get(&format!("/v1/events/{position}")).await.ok();
        goods.command = event["command_id"].as_str().unwrap().to_owned();
        for table in TABLES {
            let rows = owner
                .get_after(&format!("/v1/cloudwatcher/{table}?limit=200"), position)
                .await
                .ok();
            let rows = rows["rows"].as_array().unwrap().clone();
            let ours = rows
                .iter()
                .find(|row| goods.ids.values().any(|id| row.to_string().contains(&id.to_string())));
            let key = ours.unwrap_or_else(|| panic!("{table} has no row of ours: {rows:?}"))["id"].clone();
            goods
                .keys
                .insert(table, key.as_str().map_or_else(|| key.to_string(), str::to_owned));
            if table == "order_items" {
                goods.items = rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
            }
        }
        goods
    }

    pub fn id(&self, kind: &str) -> Uuid {
        self.ids[kind]
    }

    /// What nobody outside the tenant may see.
    pub fn secrets(&self, tenant: Uuid) -> Vec<String> {
        let ids = self.ids.values().chain([&tenant]).map(Uuid::to_string);
        // Keys that are numbers are not the tenant's alone.
        let keys = self.keys.values().filter(|key| key.len() == 36).cloned();
        let words = [NAME, NOTE]
            .into_iter()
            .flat_map(|word| [word.to_owned(), word.to_lowercase()]);
        ids.chain(keys)
            .chain(self.items.clone())
            .chain([self.command.clone()])
            .chain(words)
            .collect()
    }

    /// What nobody outside the department may see.
    pub fn department_secrets(&self) -> Vec<String> {
        let own = [self.id("orders").to_string(), NOTE.to_owned(), self.command.clone()];
        own.into_iter().chain(self.items.clone()).collect()
    }

    fn item(&self) -> Value {
        json!({"part_id": self.id("bolt"), "supplier_id": self.id("acme"), "quantity": 3, "unit_price": "1.25"})
    }

    fn order(&self) -> Value {
        let items = [self.item(), self.item()];
        json!({"department_id": self.id("workshop"), "currency": "EUR", "note": NOTE, "items": items})
    }

    fn offer(&self, supplier: &str) -> Value {
        json!({"part_id": self.id("bolt"), "supplier_id": self.id(supplier)})
    }

    fn request(&self) -> Value {
        json!({"device_id": "truck-1", "request_type": "get_parts", "payload": {"for": NAME}})
    }

    /// The body that makes a new one, and what another tenant gets for it: what refers to things of
    /// this tenant is refused there.
    pub fn new(&self, plural: &str) -> Option<(Value, u16)> {
        Some(match plural {
            "users" => (json!({"name": "Somebody", "email": "somebody@example.com"}), 200),
            "roles" => (json!({"name": "another", "permissions": []}), 200),
            "departments" => (json!({"name": "another"}), 200),
            "suppliers" => (json!({"name": "another"}), 200),
            "parts" => (json!({"part_code": "M9", "name": "nut"}), 200),
            "part-variants" => (json!({"part_id": self.id("bolt"), "variant_code": "another"}), 422),
            "part-suppliers" => (self.offer("acme"), 422),
            "requests" => (
                json!({"device_id": "truck-1", "request_type": "get_parts", "payload": {}}),
                200,
            ),
            "orders" => (self.order(), 422),
            _ => return None,
        })
    }

    /// The stream and body of a command, and what the owner gets: what is there cannot be made again.
    pub fn command(&self, plural: &str, command: &str) -> Option<(Uuid, Value, u16)> {
        let none = || json!({});
        let (body, owner) = match (plural, command) {
            ("users", "register") => (json!({"name": "Somebody", "email": "again@example.com"}), 422),
            ("users", "rename") => (json!({"name": "Somebody else"}), 200),
            ("users", "change-email") => (json!({"email": "else@example.com"}), 200),
            ("users", "assign-role") => (json!({"role_id": self.id("clerk")}), 200),
            ("users", "unassign-role") => (json!({"role_id": self.id("roles")}), 200),
            ("users", "join-department") => (json!({"department_id": self.id("elsewhere")}), 200),
            ("users", "leave-department") => (json!({"department_id": self.id("elsewhere")}), 200),
            ("users", "deactivate" | "reactivate" | "sign-in" | "erase") => (none(), 200),
            ("roles", "define") => (json!({"name": "again"}), 422),
            ("roles", "describe") => (json!({"name": "described"}), 200),
            ("roles", "grant") => (json!({"permission": "plover.read"}), 200),
            ("roles", "revoke") => (json!({"permission": "xyzzy.read"}), 200),
            ("roles", "retire") => (none(), 200),
            ("departments" | "suppliers", "enter") => (json!({"name": "again"}), 422),
            ("departments" | "suppliers", "amend") => (json!({"name": "amended"}), 200),
            ("parts", "enter") => (json!({"part_code": "again", "name": "nut"}), 422),
            ("parts", "amend") => (json!({"part_code": "amended", "name": "nut"}), 200),
            ("part-variants", "enter") => (json!({"part_id": self.id("bolt"), "variant_code": "again"}), 422),
            ("part-variants", "amend") => (json!({"part_id": self.id("bolt"), "variant_code": "amended"}), 200),
            ("part-suppliers", "enter") => (self.offer("suppliers"), 422),
            ("part-suppliers", "amend") => {
                let mut offer = self.offer("suppliers");
                offer["sku"] = json!("amended");
                (offer, 200)
            }
            ("departments" | "suppliers" | "parts" | "part-variants" | "part-suppliers", "strike") => (none(), 200),
            ("requests", "receive") => (self.request(), 422),
            ("orders", "draft") => (self.order(), 422),
            // Under an id that is free: whether the copy is made depends on the original alone.
            ("orders", "duplicate") => {
                return Some((Uuid::from_u128(0xd0b1e), json!({"of": self.id("orders")}), 200));
            }
            ("orders", "add-item") => (self.item(), 200),
            ("orders", "change-item") => (json!({"item_id": self.items[0], "quantity": 7}), 200),
            ("orders", "remove-item") => (json!({"item_id": self.items[1]}), 200),
            ("orders", "submit" | "cancel") => (none(), 200),
            _ => return None,
        };
        Some((self.id(plural), body, owner))
    }
}
