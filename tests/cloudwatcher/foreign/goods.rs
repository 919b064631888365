//! What a tenant has: at least one thing of every kind, with names that occur nowhere else.

mod catalogue;
mod devices;
mod orders;
mod stock;

use std::collections::BTreeMap;

use cloudwatcher::approval_policy::ApprovalPolicy;
use cloudwatcher::device_policy::DevicePolicy;
use cloudwatcher::request::DeviceRequest;
use cloudwatcher::stock_policy::StockPolicy;
use domain::register::OnePerTenant;
use serde_json::{Value, json};
use tests::foreign::Samples;
use tests::{Client, Service};
use uuid::Uuid;

/// In the names of whatever the tenant has.
const NAME: &str = "Xyzzy";
/// In what belongs to one department.
const NOTE: &str = "Plugh";
/// A device that another tenant has, too.
pub const DEVICE: &str = "truck-1";
/// A part's code that another tenant uses, too.
pub const CODE: &str = "M8";
/// Every table of the context.
fn tables() -> impl Iterator<Item = &'static str> {
    cloudwatcher_tables::CONTEXT.all_tables().map(|table| table.name)
}

/// Ids of tenant A, by the plural word of their kind. Things that orders refer to have a second
/// one, `spare`, that commands may take out of use.
pub struct Goods {
    ids: BTreeMap<&'static str, Uuid>,
    /// The key of one row of every table.
    pub keys: BTreeMap<&'static str, String>,
    items: Vec<String>,
    /// The command that submitted an order, and the event of it; policies have reacted to it.
    command: String,
    submitted: Value,
    /// What is asked of the owner.
    ask: String,
    /// An item that is on order, and the receipt of another one.
    on_order: String,
    receipt: String,
    delegation: String,
    file: String,
    /// What is suggested to be reordered.
    suggestion: String,
    /// Of plain kinds that have no goods of their own above.
    pub plain: Samples,
}

/// The stream of a command, its body, and the status for the owner.
pub type Sent = (Uuid, Value, u16);

impl Goods {
    pub async fn made(service: &Service) -> Self {
        let owner = &service.admin;
        let kinds = [
            "users",
            "roles",
            "departments",
            "suppliers",
            "parts",
            "part-variants",
            "part-suppliers",
            "locations",
            "spare place",
            "to shorten",
            "to release",
            "requests",
            devices::ANSWERED,
            "device-connections",
            "orders",
            "workshop",
            "elsewhere",
            "acme",
            "bolt",
            "works",
            "yard",
        ];
        let kinds = kinds
            .into_iter()
            .chain(orders::ASKED)
            .chain(orders::APPROVED)
            .chain(devices::REQUESTS);
        let mut goods = Self {
            ids: kinds.map(|kind| (kind, Uuid::now_v7())).collect(),
            keys: BTreeMap::new(),
            items: Vec::new(),
            command: String::new(),
            submitted: Value::Null,
            ask: String::new(),
            on_order: String::new(),
            receipt: String::new(),
            delegation: String::new(),
            file: String::new(),
            suggestion: String::new(),
            plain: Samples::default(),
        };
        goods
            .ids
            .insert("approval-policies", ApprovalPolicy::stream(owner.tenant));
        goods.ids.insert("device-policies", DevicePolicy::stream(owner.tenant));
        goods.ids.insert("stock-policies", StockPolicy::stream(owner.tenant));
        let response = DeviceRequest::response_id(goods.id("requests"));
        goods.ids.insert("responses", response);
        goods.ids.insert("delegations", owner.user);
        for (record, part) in [("inventory", "bolt"), ("nuts", "parts")] {
            let stream = goods.stock(part).stream(owner.tenant);
            goods.ids.insert(record, stream);
        }
        let approver = service.person(&["orders.approve"], &[]).await;
        for (path, id, body) in [
            (
                "identity/departments/{}/enter",
                "works",
                json!({"name": format!("{NAME} works"), "manager_id": approver.user}),
            ),
            (
                "identity/departments/{}/enter",
                "workshop",
                goods.department("workshop", owner.user),
            ),
            (
                "identity/departments/{}/enter",
                "yard",
                goods.department("yard", approver.user),
            ),
            (
                "cloudwatcher/approval-policies/{}/enter",
                "approval-policies",
                goods.policy(),
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
            ("cloudwatcher/locations/{}/enter", "locations", goods.location()),
            ("cloudwatcher/locations/{}/enter", "spare place", goods.location()),
            ("cloudwatcher/stock-policies/{}/enter", "stock-policies", json!({})),
            ("cloudwatcher/requests/{}/receive", "requests", goods.request()),
            (
                "identity/roles/{}/define",
                "roles",
                json!({"name": format!("{NAME} role"), "permissions": ["cloudwatcher.parts.read"]}),
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
            ("cloudwatcher/orders/{}/draft", "orders", goods.order("workshop")),
        ] {
            let path = path.replace("{}", &goods.id(id).to_string());
            done(owner, &format!("/v1/{path}"), &body).await;
        }
        let kinds = cloudwatcher::CONTEXT.aggregates.iter();
        let others = kinds.filter(|kind| !goods.ids.contains_key(kind.plural));
        goods.plain = Samples::made(service, others).await;
        goods.answer_devices(owner).await;
        goods.stock_up(owner).await;
        goods.order_and_approve(service).await;
        let path = goods.path("delegations", "delegations", "grant");
        let granted = done(owner, &path, &goods.grant()).await;
        goods.delegation = text(&event(owner, granted).await["payload"]["delegation_id"]);
        goods.read(owner, granted).await;
        goods
    }

    /// The key of a row of every table.
    async fn read(&mut self, owner: &Client, position: i64) {
        let goods = self;
        for table in tables() {
            if goods.plain.are_in(table) {
                continue;
            }
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
                goods.items.extend(rows.iter().map(|row| text(&row["id"])));
            }
        }
    }

    /// What nobody outside the tenant may see.
    pub fn of_tenant(&self) -> Vec<String> {
        let ids = self.ids.values().map(Uuid::to_string);
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
    pub fn of_department(&self) -> Vec<String> {
        let own = ["orders", "locations", "spare place", "inventory", "nuts", "to shorten"]
            .into_iter()
            .chain(orders::ASKED)
            .chain(orders::APPROVED);
        let own = own.map(|kind| self.id(kind).to_string());
        let words = [NOTE, &self.command, &self.ask, &self.receipt].map(str::to_owned);
        own.chain(words).chain(self.items.clone()).collect()
    }

    /// What a colleague in another department may do: read every table, command orders, locations and stock, approve,
    /// read the log.
    pub fn outsiders_permissions() -> Vec<String> {
        let reads = tables().map(|table| format!("cloudwatcher.{table}.read"));
        let commands = ["location", "inventory", "order", "approval", "delegation"];
        let commands = commands.map(|kind| format!("cloudwatcher.{kind}.*"));
        let others = ["orders.approve", "audit.read"].map(str::to_owned);
        reads.into_iter().chain(commands).chain(others).collect()
    }

    fn path(&self, plural: &str, kind: &str, command: &str) -> String {
        format!("/v1/cloudwatcher/{plural}/{}/{command}", self.id(kind))
    }

    pub fn id(&self, kind: &str) -> Uuid {
        self.ids[kind]
    }

    /// A department below the works.
    fn department(&self, name: &str, manager: Uuid) -> Value {
        json!({"name": format!("{NAME} {name}"), "parent_id": self.id("works"), "manager_id": manager})
    }

    /// The body that makes a new one, and what the owner, another tenant and the outsider get for it:
    /// what refers to things of this tenant is refused in the other.
    pub fn one_more(&self, plural: &str) -> Option<(Value, [u16; 3])> {
        const HERE: [u16; 3] = [200, 422, 403];
        const ANYWHERE: [u16; 3] = [200, 200, 403];
        Some(match plural {
            "suppliers" => (json!({"name": "another"}), ANYWHERE),
            "parts" => (json!({"part_code": "M9", "name": "nut"}), ANYWHERE),
            "part-variants" => (json!({"part_id": self.id("bolt"), "variant_code": "another"}), HERE),
            "part-suppliers" => (self.offer("acme"), HERE),
            "locations" => (self.location(), HERE),
            // To whom the location is out of reach, it is not there.
            "inventory" => {
                let mut record = self.record("bolt");
                record["variant_id"] = json!(self.id("part-variants"));
                (record, [200, 422, 422])
            }
            "requests" => {
                let request = json!({"device_id": DEVICE, "request_type": "get_parts", "payload": {}});
                (request, ANYWHERE)
            }
            "device-connections" => (devices::connection(), ANYWHERE),
            "device-policies" | "stock-policies" => (json!({}), [422, 200, 403]),
            "orders" => (self.order("workshop"), HERE),
            // A tenant has one, and this one has it.
            "approval-policies" => (json!({"currencies": orders::thresholds()}), [422, 200, 403]),
            _ => return None,
        })
    }

    /// The stream and body of a command, and what the owner gets: what is there cannot be made again.
    pub fn command(&self, plural: &str, command: &str) -> Option<Sent> {
        self.catalogue_command(plural, command)
            .or_else(|| self.stock_command(plural, command))
            .or_else(|| self.device_command(plural, command))
            .or_else(|| self.order_command(plural, command))
            .or_else(|| self.approval_command(plural, command))
    }
}

/// Does what must succeed, and says its position.
async fn done(client: &Client, path: &str, body: &Value) -> i64 {
    let reply = client.post(path, body).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.text);
    reply.position()
}

async fn event(client: &Client, position: i64) -> Value {
    client.get(&format!("/v1/events/{position}")).await.ok()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
