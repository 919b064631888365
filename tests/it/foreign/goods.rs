//! What a tenant has of people and roles, and one order of each kind that the book's own operations are tried with:
//! a draft, and one that somebody submitted.

use std::collections::BTreeMap;

use cloudwatcher::approval_policy::ApprovalPolicy;
use domain::register::OnePerTenant;
use identity::redaction::Text;
use serde_json::{Value, json};
use sqlx::PgPool;
use tests::foreign::caught_up;
use tests::{Client, Service};
use uuid::Uuid;

/// In the names of whatever the tenant has.
const NAME: &str = "Xyzzy";
/// In what belongs to one department.
const NOTE: &str = "Plugh";
/// What asks for approvals.
pub const POLICY: &str = "order-approvals";

const KINDS: [&str; 12] = [
    "service",
    "users",
    "roles",
    "clerk",
    "departments",
    "works",
    "workshop",
    "elsewhere",
    "acme",
    "bolt",
    "orders",
    "asked",
];

/// The stream of a command, its body, and the status for the owner.
type Sent = (Uuid, Value, u16);

/// Ids of the tenant's things, by the plural word of their kind or by a word of their own.
pub struct Goods {
    ids: BTreeMap<&'static str, Uuid>,
    items: Vec<String>,
    /// The position at which the order was drafted.
    pub drafted: i64,
    /// The command that submitted an order, and the position of that; policies have reacted to it.
    pub command: String,
    submitted: i64,
}

impl Goods {
    pub async fn made(service: &Service) -> Self {
        let mut goods = Self {
            ids: KINDS.map(|kind| (kind, Uuid::now_v7())).into(),
            items: Vec::new(),
            drafted: 0,
            command: String::new(),
            submitted: 0,
        };
        goods.hire(service).await;
        goods.issue(service).await;
        goods.order(service).await;
        goods
    }

    /// Departments, roles, and somebody.
    async fn hire(&self, service: &Service) {
        let owner = &service.admin;
        let approver = service.person(&["orders.approve"], &[]).await;
        let named = |name: &str| json!({"name": format!("{NAME} {name}")});
        let mut works = named("works");
        works["manager_id"] = json!(approver.user);
        let mut workshop = named("workshop");
        workshop["parent_id"] = json!(self.id("works"));
        workshop["manager_id"] = json!(owner.user);
        let mut role = named("role");
        role["permissions"] = json!(["cloudwatcher.parts.read"]);
        let mut person = named("person");
        person["email"] = json!("xyzzy@example.com");
        let mut service = named("service");
        service["email"] = json!("service@example.com");
        service["oauth_provider"] = json!("service");
        let into = json!({"department_id": self.id("departments")});
        for (plural, kind, command, body) in [
            ("departments", "works", "enter", works),
            ("departments", "workshop", "enter", workshop),
            ("departments", "elsewhere", "enter", named("elsewhere")),
            ("departments", "departments", "enter", named("spare")),
            ("roles", "roles", "define", role),
            ("roles", "clerk", "define", named("clerk")),
            ("users", "users", "register", person),
            ("users", "service", "register", service),
            ("users", "users", "assign-role", json!({"role_id": self.id("roles")})),
            ("users", "users", "join-department", into),
        ] {
            let path = format!("/v1/identity/{plural}/{}/{command}", self.id(kind));
            owner.post(&path, &body).await.ok();
        }
    }

    /// A key of a service.
    async fn issue(&mut self, service: &Service) {
        let mut asked = self.one_more("keys").unwrap();
        asked["name"] = json!(format!("{NAME} key"));
        let issued = service.admin.post("/v1/identity/keys", &asked).await.ok();
        self.ids.insert("keys", text(&issued["id"]).parse().unwrap());
    }

    /// An order of the workshop that is a draft, and one that a buyer submitted and the owner is asked to approve.
    async fn order(&mut self, service: &Service) {
        let owner = &service.admin;
        let buyer = service.person(&["cloudwatcher.order.*"], &[self.id("works")]).await;
        self.ids.insert("buyers", buyer.user);
        let approvals = ApprovalPolicy::stream(owner.tenant);
        let levels = json!({
            "currencies": [{"currency": "EUR", "thresholds": ["0"]}],
            "departments": [{"department_id": self.id("workshop"), "levels_min": 1}],
        });
        let item = json!({
            "part_id": self.id("bolt"), "supplier_id": self.id("acme"), "quantity": 3, "unit_price": "1.25",
        });
        let draft = json!({
            "department_id": self.id("workshop"), "currency": "EUR", "note": NOTE, "items": [item],
        });
        let done = async |client: &Client, plural: &str, id: Uuid, command: &str, body: &Value| {
            let path = format!("/v1/cloudwatcher/{plural}/{id}/{command}");
            let reply = client.post(&path, body).await;
            assert_eq!(reply.status, 200, "{path}: {}", reply.text);
            reply.position()
        };
        done(owner, "approval-policies", approvals, "enter", &levels).await;
        let acme = json!({"name": format!("{NAME} supplies")});
        done(owner, "suppliers", self.id("acme"), "enter", &acme).await;
        let bolt = json!({"part_code": format!("{NAME}-0"), "name": "bolt"});
        done(owner, "parts", self.id("bolt"), "enter", &bolt).await;
        self.drafted = done(owner, "orders", self.id("orders"), "draft", &draft).await;
        done(&buyer, "orders", self.id("asked"), "draft", &draft).await;
        self.submitted = done(&buyer, "orders", self.id("asked"), "submit", &json!({})).await;
        let submitted = owner.get(&format!("/v1/events/{}", self.submitted)).await.ok();
        self.command = text(&submitted["command_id"]);
        let items = owner
            .get_after("/v1/cloudwatcher/order_items?limit=200", self.submitted)
            .await
            .ok();
        self.items
            .extend(items["rows"].as_array().unwrap().iter().map(|row| text(&row["id"])));
    }

    /// Has a policy miss an event to which it has reacted, so that reacting again changes nothing.
    pub async fn miss(&self, pool: &PgPool) {
        caught_up(pool).await;
        sqlx::query(
            "insert into book.missed (policy, event_id, tenant_id, position, error)
             select $1, event_id, tenant_id, position, $2 from book.events where position = $3",
        )
        .bind(POLICY)
        .bind(format!("{NAME} cannot be read"))
        .bind(self.submitted)
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
        let of_streams = [&approval, &buyer].map(|stream| ["state", "commands"].map(|word| format!("{stream}/{word}")));
        let streams = [approval, buyer, format!("/v1/commands/{command}/tree")];
        streams.into_iter().chain(of_streams.into_iter().flatten()).collect()
    }

    pub fn id(&self, kind: &str) -> Uuid {
        self.ids[kind]
    }

    /// What nobody outside the tenant may see.
    pub fn of_tenant(&self) -> Vec<String> {
        let ids = self.ids.values().map(Uuid::to_string);
        let words = [NAME, NOTE]
            .into_iter()
            .flat_map(|word| [word.to_owned(), word.to_lowercase()]);
        ids.chain(self.items.clone())
            .chain([self.command.clone()])
            .chain(words)
            .collect()
    }

    /// What nobody outside the workshop may see.
    pub fn of_department(&self) -> Vec<String> {
        let orders = ["orders", "asked"].map(|kind| self.id(kind).to_string());
        let own = [NOTE, &self.command].map(str::to_owned);
        orders.into_iter().chain(own).chain(self.items.clone()).collect()
    }

    /// What a colleague in another department may do: command orders and approve, read them and the log.
    pub fn outsiders_permissions() -> Vec<String> {
        [
            "cloudwatcher.orders.read",
            "cloudwatcher.order_items.read",
            "cloudwatcher.order.*",
            "cloudwatcher.approval.*",
            "cloudwatcher.delegation.*",
            "orders.approve",
            "audit.read",
        ]
        .map(str::to_owned)
        .into()
    }

    /// The note of an order.
    pub fn note(&self, order: &str) -> Text {
        Text {
            aggregate_type: "cloudwatcher.order".to_owned(),
            stream: self.id(order),
            sequence: 1,
            field: "note".to_owned(),
        }
    }

    /// The body that makes a new one.
    pub fn one_more(&self, plural: &str) -> Option<Value> {
        Some(match plural {
            "users" => json!({"name": "Somebody", "email": "somebody@example.com"}),
            "roles" => json!({"name": "another", "permissions": []}),
            "keys" => json!({
                "name": "another", "user_id": self.id("service"),
                "expires_at": chrono::Utc::now() + chrono::TimeDelta::days(1),
            }),
            "departments" => json!({"name": "another"}),
            _ => return None,
        })
    }

    /// The stream and body of a command, and what the owner gets: what is there cannot be made again.
    pub fn command(&self, plural: &str, command: &str) -> Option<Sent> {
        let none = || json!({});
        let (body, owner) = match (plural, command) {
            ("users", "register") => (json!({"name": "Somebody", "email": "again@example.com"}), 422),
            ("users", "rename") => (json!({"name": "Somebody else"}), 200),
            ("users", "change-email") => (json!({"email": "else@example.com"}), 200),
            ("users", "assign-role") => (json!({"role_id": self.id("clerk")}), 200),
            ("users", "unassign-role") => (json!({"role_id": self.id("roles")}), 200),
            ("users", "join-department" | "leave-department") => (json!({"department_id": self.id("elsewhere")}), 200),
            ("users", "deactivate" | "reactivate" | "erase") => (none(), 200),
            ("redactions", "redact") => {
                let note = self.note("orders");
                return Some((note.id(), json!(note), 200));
            }
            // Of somebody who stays.
            ("sign-ins", "record") => return Some((self.id("buyers"), none(), 200)),
            ("keys", "revoke") => (none(), 200),
            ("roles", "define") => (json!({"name": "again"}), 422),
            ("roles", "describe") => (json!({"name": "described"}), 200),
            ("roles", "grant") => (json!({"permission": "cloudwatcher.suppliers.read"}), 200),
            ("roles", "revoke") => (json!({"permission": "cloudwatcher.parts.read"}), 200),
            ("departments", "enter") => (json!({"name": "again"}), 422),
            ("departments", "amend") => (json!({"name": "amended"}), 200),
            ("roles", "retire") | ("departments", "strike") => (none(), 200),
            _ => return None,
        };
        Some((self.id(plural), body, owner))
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
