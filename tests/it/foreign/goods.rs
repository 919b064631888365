//! What a tenant has: at least one thing of every kind, with names that occur nowhere else.

use std::collections::BTreeMap;
use std::time::Duration;

use cloudwatcher::approval_policy::ApprovalPolicy;
use cloudwatcher::device_policy::DevicePolicy;
use cloudwatcher::inventory::StockKey;
use cloudwatcher::request::DeviceRequest;
use serde_json::{Value, json};
use sqlx::PgPool;
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
const TABLES: [&str; 30] = [
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
    "locations",
    "inventory",
    "stock_moves",
    "stock_reservations",
    "stock_levels",
    "part_consumption",
    "reorder_suggestions",
    "requests",
    "request_metadata",
    "responses",
    "response_metadata",
    "cloud_file_refs",
    "agent_decisions",
    "device_connections",
    "orders",
    "order_items",
    "order_history",
    "order_approvals",
    "approval_delegations",
    "audit_logs",
];
/// What a buyer submitted. The owner is asked to approve each of them, and none of these is decided.
pub const ASKED: [&str; 5] = ["asked", "to approve", "to reject", "to decide", "to reassign"];
/// What a buyer submitted and the owner approved.
const APPROVED: [&str; 4] = ["to place", "to receive", "to reverse", "to close"];

/// Requests to which nothing has happened, and one that has a response.
const REQUESTS: [&str; 3] = ["to begin", "to answer", "to fail"];
const ANSWERED: &str = "to deliver";

/// Ids of tenant A, by the plural word of their kind. Things that orders refer to have a second
/// one, `spare`, that commands may take out of use.
pub struct Goods {
    ids: BTreeMap<&'static str, Uuid>,
    /// The key of one row of every table.
    pub keys: BTreeMap<&'static str, String>,
    items: Vec<String>,
    /// The position at which the order was drafted.
    pub drafted: i64,
    /// The command that submitted an order, and the event of it; policies have reacted to it.
    pub command: String,
    pub submitted: Value,
    /// What is asked of the owner.
    ask: String,
    /// An item that is on order, and the receipt of another one.
    on_order: String,
    receipt: String,
    delegation: String,
    file: String,
    /// What is suggested to be reordered.
    suggestion: String,
}

/// What asks for approvals.
pub const POLICY: &str = "order-approvals";
/// Commands whose effect was there already, by the policies' doing: the owner is answered 200, and nothing is written.
pub const SILENT: [&str; 3] = ["settle-approval", "ask", "note-submission"];

/// What a colleague in another department may do: read every table, command orders, locations and stock, approve, read
/// the log.
pub fn outsiders_permissions() -> Vec<&'static str> {
    let reads = TABLES.map(|table| &*format!("cloudwatcher.{table}.read").leak());
    reads
        .into_iter()
        .chain([
            "cloudwatcher.location.*",
            "cloudwatcher.inventory.*",
            "cloudwatcher.order.*",
            "cloudwatcher.approval.*",
            "cloudwatcher.delegation.*",
        ])
        .chain(["orders.approve", "audit.read"])
        .collect()
}

/// Waits until the policies have reacted to the whole book.
pub async fn caught_up(pool: &PgPool) {
    let behind = "select exists (select from book.policies where position < book.last_position())";
    tests::until("the policies' catching up", Duration::from_secs(30), async || {
        let behind: bool = sqlx::query_scalar(behind).fetch_one(pool).await.unwrap();
        (!behind).then_some(())
    })
    .await;
}

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
            "to shorten",
            "to release",
            "requests",
            ANSWERED,
            "device-connections",
            "orders",
            "workshop",
            "elsewhere",
            "clerk",
            "acme",
            "bolt",
            "works",
            "yard",
        ];
        let kinds = kinds.into_iter().chain(ASKED).chain(APPROVED).chain(REQUESTS);
        let mut goods = Self {
            ids: kinds.map(|kind| (kind, Uuid::now_v7())).collect(),
            keys: BTreeMap::new(),
            items: Vec::new(),
            drafted: 0,
            command: String::new(),
            submitted: Value::Null,
            ask: String::new(),
            on_order: String::new(),
            receipt: String::new(),
            delegation: String::new(),
            file: String::new(),
            suggestion: String::new(),
        };
        goods
            .ids
            .insert("approval-policies", ApprovalPolicy::stream(owner.tenant));
        goods.ids.insert("device-policies", DevicePolicy::stream(owner.tenant));
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
            ("cloudwatcher/orders/{}/draft", "orders", goods.order("workshop")),
        ] {
            let path = path.replace("{}", &goods.id(id).to_string());
            goods.drafted = done(owner, &format!("/v1/{path}"), &body).await;
        }
        goods.answer_devices(owner).await;
        goods.stock_up(owner).await;
        goods.order_and_approve(service).await;
        let path = goods.path("delegations", "delegations", "grant");
        let granted = done(owner, &path, &goods.grant()).await;
        goods.delegation = text(&event(owner, granted).await["payload"]["delegation_id"]);
        goods.read(owner, granted).await;
        goods
    }

    /// Requests at every stage, and a connection.
    async fn answer_devices(&mut self, owner: &Client) {
        for kind in REQUESTS.into_iter().chain([ANSWERED]) {
            let mut body = self.request();
            body["payload"]["kind"] = json!(kind);
            done(owner, &self.path("requests", kind, "receive"), &body).await;
        }
        let respond = json!({"content": {"for": NAME}, "metadata": {"desk": NAME}});
        done(owner, &self.path("requests", ANSWERED, "respond"), &respond).await;
        done(owner, &self.path("requests", "requests", "respond"), &respond).await;
        let path = self.path("requests", "requests", "attach-file");
        let position = done(owner, &path, &file()).await;
        self.file = text(&event(owner, position).await["payload"]["file_id"]);
        let path = self.path("requests", "requests", "record-decision");
        done(owner, &path, &decision()).await;
        let path = self.path("device-connections", "device-connections", "connect");
        done(owner, &path, &connection()).await;
        let path = self.path("device-policies", "device-policies", "enter");
        done(owner, &path, &json!({})).await;
    }

    /// Bolts in stock, of which some are kept, and nuts; both are to be reordered.
    async fn stock_up(&mut self, owner: &Client) {
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
    fn stock(&self, part: &str) -> StockKey {
        StockKey {
            part_id: self.id(part),
            variant_id: None,
            location_id: self.id("locations"),
        }
    }

    /// What opens its record.
    fn record(&self, part: &str) -> Value {
        json!({"part_id": self.id(part), "location_id": self.id("locations")})
    }

    /// Orders that somebody else submitted, at every stage.
    async fn order_and_approve(&mut self, service: &Service) {
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

    /// The key of a row of every table.
    async fn read(&mut self, owner: &Client, position: i64) {
        let goods = self;
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
                goods.items.extend(rows.iter().map(|row| text(&row["id"])));
            }
        }
    }

    /// Has a policy miss an event to which it has reacted, so that reacting again changes nothing.
    pub async fn miss(&self, pool: &PgPool) {
        sqlx::query(
            "insert into book.missed (policy, event_id, tenant_id, position, error)
             select $1, event_id, tenant_id, position, $2 from book.events where position = $3",
        )
        .bind(POLICY)
        .bind(format!("{NAME} cannot be read"))
        .bind(self.submitted["position"].as_i64())
        .execute(pool)
        .await
        .unwrap();
    }

    /// Where one reads what policies made of a submitted order: the approval, the buyer, and the command for both.
    pub async fn of_policies(&self, owner: &Client) -> Vec<String> {
        let approval = format!("/v1/streams/cloudwatcher/approval/{}", self.id("asked"));
        let buyer = format!("/v1/streams/cloudwatcher/buyer/{}", self.id("buyers"));
        let asked = owner.get(&approval).await.ok();
        let command = text(&asked["events"][0]["command_id"]);
        let states = [&approval, &buyer].map(|stream| format!("{stream}/state"));
        let streams = [approval, buyer, format!("/v1/commands/{command}/tree")];
        streams.into_iter().chain(states).collect()
    }

    fn path(&self, plural: &str, kind: &str, command: &str) -> String {
        format!("/v1/cloudwatcher/{plural}/{}/{command}", self.id(kind))
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
        let orders = ["orders", "locations", "inventory", "nuts", "to shorten"]
            .into_iter()
            .chain(ASKED)
            .chain(APPROVED);
        let orders = orders.map(|kind| self.id(kind).to_string());
        let own = [NOTE, &self.command, &self.ask, &self.receipt].map(str::to_owned);
        orders.chain(own).chain(self.items.clone()).collect()
    }

    /// A department below the works.
    fn department(&self, name: &str, manager: Uuid) -> Value {
        json!({"name": format!("{NAME} {name}"), "parent_id": self.id("works"), "manager_id": manager})
    }

    /// One level for every order.
    fn policy(&self) -> Value {
        let of_department = json!({"department_id": self.id("workshop"), "levels_min": 1});
        json!({"currencies": thresholds(), "departments": [of_department]})
    }

    fn grant(&self) -> Value {
        let week = chrono::Utc::now() + chrono::TimeDelta::days(7);
        json!({"to": self.id("buyers"), "ends_at": week, "department_ids": [self.id("workshop")]})
    }

    fn note_submission(&self) -> Value {
        json!({"order_id": self.id("asked"), "revision": 1, "submitted_at": self.submitted["at"]})
    }

    pub fn decisions(&self) -> Value {
        json!({"decisions": [{"order_id": self.id("to decide"), "revision": 1, "decision": "approve"}]})
    }

    fn item(&self) -> Value {
        json!({"part_id": self.id("bolt"), "supplier_id": self.id("acme"), "quantity": 3, "unit_price": "1.25"})
    }

    fn order(&self, department: &str) -> Value {
        let items = [self.item(), self.item()];
        json!({"department_id": self.id(department), "currency": "EUR", "note": NOTE, "items": items})
    }

    fn offer(&self, supplier: &str) -> Value {
        json!({"part_id": self.id("bolt"), "supplier_id": self.id(supplier)})
    }

    fn location(&self) -> Value {
        json!({"name": format!("{NAME} store"), "dept_id": self.id("workshop")})
    }

    fn request(&self) -> Value {
        let metadata = json!({"network_type": NAME});
        json!({"device_id": DEVICE, "request_type": "get_parts", "payload": {"for": NAME}, "metadata": metadata})
    }

    /// The body that makes a new one, and what the owner, another tenant and the outsider get for it:
    /// what refers to things of this tenant is refused in the other.
    pub fn one_more(&self, plural: &str) -> Option<(Value, [u16; 3])> {
        const HERE: [u16; 3] = [200, 422, 403];
        const ANYWHERE: [u16; 3] = [200, 200, 403];
        Some(match plural {
            "users" => (json!({"name": "Somebody", "email": "somebody@example.com"}), ANYWHERE),
            "roles" => (json!({"name": "another", "permissions": []}), ANYWHERE),
            "departments" => (json!({"name": "another"}), ANYWHERE),
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
            "device-connections" => (connection(), ANYWHERE),
            "device-policies" => (json!({}), [422, 200, 403]),
            "orders" => (self.order("workshop"), HERE),
            // A tenant has one, and this one has it.
            "approval-policies" => (json!({"currencies": thresholds()}), [422, 200, 403]),
            _ => return None,
        })
    }

    /// The stream and body of a command, and what the owner gets: what is there cannot be made again. Answered 200
    /// without an event is what was so already, see `SILENT`.
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
            ("users", "deactivate" | "reactivate" | "erase") => (none(), 200),
            // Of somebody who stays.
            ("sign-ins", "record") => return Some((self.id("buyers"), none(), 200)),
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
            ("locations", "enter") => (self.location(), 422),
            ("locations", "amend") => {
                let mut location = self.location();
                location["address"] = json!("amended");
                (location, 200)
            }
            ("locations", "strike") => (none(), 200),
            // Sent again with another body; the same would be answered what it was answered before.
            ("requests", "receive") => {
                let body = json!({"device_id": DEVICE, "request_type": "get_parts", "payload": {"for": NAME, "n": 2}});
                (body, 409)
            }
            ("requests", "begin") => return Some((self.id("to begin"), none(), 200)),
            ("requests", "respond") => return Some((self.id("to answer"), json!({"content": {}}), 200)),
            ("requests", "fail") => return Some((self.id("to fail"), json!({"error": "no"}), 200)),
            ("requests", "deliver") => return Some((self.id(ANSWERED), none(), 200)),
            ("requests", "annotate") => (json!({"metadata": {"app_version": "2"}}), 200),
            ("requests", "attach-file") => (file(), 200),
            ("requests", "mark-file") => (json!({"file_id": self.file, "sync_status": "synced"}), 200),
            ("requests", "record-decision") => (decision(), 200),
            // Daybook's own business.
            ("requests", "archive") => (json!({"archive": "a", "sha256": "0".repeat(64)}), 403),
            ("device-connections", "connect") => (connection(), 422),
            ("device-connections", "disconnect") => (none(), 200),
            ("device-policies", "enter") => (none(), 422),
            ("device-policies", "amend") => (json!({"retention_days": 30}), 200),
            ("device-policies", "strike") => (none(), 200),
            ("inventory", "open") => (self.record("bolt"), 422),
            ("inventory", "set-reorder") => (json!({"reorder_point": 3}), 200),
            ("inventory", "receive" | "issue" | "consume" | "reserve") => (json!({"quantity": 2}), 200),
            ("inventory", "shorten") => {
                let left = json!({"reservation_id": self.id("to shorten"), "quantity": 2});
                (left, 200)
            }
            ("inventory", "release") => (json!({"reservation_id": self.id("to release")}), 200),
            // It stands until it is used or released.
            ("inventory", "expire") => (json!({"reservation_id": self.id("to shorten")}), 422),
            ("inventory", "count") => (json!({"seen": 50, "counted": 49}), 200),
            ("inventory", "expect") => (json!({"order_id": self.id("asked"), "quantity": 1}), 200),
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
            // What only Daybook says, and what nothing was refused of.
            ("orders", "note-stock-refused") => (json!({"booking": {"reservation": {"revision": 1}}}), 403),
            ("orders", "confirm-booked") => (json!({"receipt_id": self.receipt}), 403),
            ("orders", "retry-stock") => (none(), 422),
            ("orders", "submit" | "cancel") => (none(), 200),
            ("orders", "settle-approval" | "place") => return Some((self.id("to place"), none(), 200)),
            ("orders", "receive") => {
                let line = json!({"item_id": self.on_order, "quantity": 2});
                return Some((self.id("to receive"), json!({"lines": [line]}), 200));
            }
            ("orders", "reverse-receipt") => {
                return Some((self.id("to reverse"), json!({"receipt_id": self.receipt}), 200));
            }
            ("orders", "close-short") => return Some((self.id("to close"), none(), 200)),
            ("approval-policies", "enter") => (json!({"currencies": thresholds()}), 422),
            ("approval-policies", "amend") => (json!({"currencies": thresholds(), "deadline_hours": 1}), 200),
            ("approval-policies", "strike") => (none(), 200),
            ("delegations", "grant") => (self.grant(), 200),
            ("delegations", "revoke") => (json!({"delegation_id": self.delegation}), 200),
            ("buyers", "note-submission") => (self.note_submission(), 200),
            ("approvals", "ask") => return Some((self.id("asked"), json!({"revision": 1}), 200)),
            ("approvals", "approve") => return Some((self.id("to approve"), json!({"revision": 1}), 200)),
            ("approvals", "reject") => {
                let body = json!({"revision": 1, "notes": "too dear"});
                return Some((self.id("to reject"), body, 200));
            }
            // It is not due, and it is still needed.
            ("approvals", "escalate") => return Some((self.id("asked"), json!({"ask_id": self.ask}), 422)),
            ("approvals", "void") => return Some((self.id("asked"), none(), 422)),
            ("approvals", "reassign") => return Some((self.id("to reassign"), none(), 200)),
            _ => return None,
        };
        Some((self.id(plural), body, owner))
    }
}

fn file() -> Value {
    json!({"file_type": "request", "cloud_provider": "local", "cloud_path": format!("/{NAME}.jpg")})
}

fn decision() -> Value {
    json!({"agent_name": NAME, "decision_type": "routing", "decision_value": NAME, "confidence_score": 0.5})
}

fn connection() -> Value {
    json!({"device_id": NAME, "connection_type": "polling"})
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

/// One level from the first cent on.
fn thresholds() -> Value {
    json!(["EUR", "USD"].map(|currency| json!({"currency": currency, "thresholds": ["0"]})))
}
