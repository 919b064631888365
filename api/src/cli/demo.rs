//! A little demo data, made by commands like any other. Ids and command ids are derived from names,
//! so loading it again finds every receipt and changes nothing.

use book::{Book, Envelope, ExecuteError};
use chrono::Utc;
use domain::{SYSTEM, canonical};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tracing::{debug, info};
use uuid::Uuid;

use crate::Fault;
use crate::command::registry;

/// Loads the demo into a tenant.
///
/// # Errors
/// What the book fails with, or a command that is refused though the demo's data is not there.
pub async fn load(book: &Book, tenant: Uuid) -> Result<(), Fault> {
    let admin = administrator(book, tenant).await?;
    let demo = Demo { book, tenant };
    demo.people(admin).await?;
    demo.catalogue(admin).await?;
    demo.orders().await?;
    info!(%tenant, "the demo data is there");
    Ok(())
}

/// The demo's administrator, who is made with their role if need be.
///
/// # Errors
/// As [`load`].
pub async fn administrator(book: &Book, tenant: Uuid) -> Result<Uuid, Fault> {
    let demo = Demo { book, tenant };
    let (role, user) = (demo.id("role/admin"), demo.id("user/admin"));
    let define = json!({ "name": "Administrator", "description": "May do everything", "permissions": ["*"] });
    demo.give(SYSTEM, "identity/roles", role, "define", define).await?;
    let register = json!({ "email": "ada@daybook.example", "name": "Ada Admin" });
    demo.give(SYSTEM, "identity/users", user, "register", register).await?;
    demo.give(
        SYSTEM,
        "identity/users",
        user,
        "assign-role",
        json!({ "role_id": role }),
    )
    .await?;
    Ok(user)
}

struct Demo<'a> {
    book: &'a Book,
    tenant: Uuid,
}

/// What a buyer may do.
const BUYER: [&str; 11] = [
    "cloudwatcher.order.*",
    "cloudwatcher.orders.read",
    "cloudwatcher.order_items.read",
    "cloudwatcher.order_history.read",
    "cloudwatcher.requests.read",
    "cloudwatcher.suppliers.read",
    "cloudwatcher.parts.read",
    "cloudwatcher.part_variants.read",
    "cloudwatcher.part_suppliers.read",
    "cloudwatcher.departments.read",
    "audit.read",
];

impl Demo<'_> {
    fn id(&self, name: &str) -> Uuid {
        Uuid::new_v5(&self.tenant, format!("demo/{name}").as_bytes())
    }

    async fn people(&self, admin: Uuid) -> Result<(), Fault> {
        let operations = self.id("department/operations");
        let workshop = self.id("department/workshop");
        let enter = json!({ "name": "Operations", "description": "Keeps the fleet running", "manager_id": admin });
        self.give(admin, "identity/departments", operations, "enter", enter)
            .await?;
        let enter = json!({ "name": "Workshop", "parent_id": operations });
        self.give(admin, "identity/departments", workshop, "enter", enter)
            .await?;

        let (role, buyer) = (self.id("role/buyer"), self.id("user/buyer"));
        let define = json!({ "name": "Buyer", "description": "Drafts and submits orders", "permissions": BUYER });
        self.give(admin, "identity/roles", role, "define", define).await?;
        let register = json!({ "email": "ben@daybook.example", "name": "Ben Buyer" });
        self.give(admin, "identity/users", buyer, "register", register).await?;
        self.give(
            admin,
            "identity/users",
            buyer,
            "assign-role",
            json!({ "role_id": role }),
        )
        .await?;
        self.give(
            admin,
            "identity/users",
            buyer,
            "join-department",
            json!({ "department_id": workshop }),
        )
        .await
    }

    async fn catalogue(&self, admin: Uuid) -> Result<(), Fault> {
        let suppliers = [
            (
                "north",
                json!({ "name": "North Parts", "contact_email": "sales@north.example", "lead_time_days": 5, "is_preferred": true }),
            ),
            (
                "harbour",
                json!({ "name": "Harbour Supply", "website": "https://harbour.example", "lead_time_days": 12 }),
            ),
        ];
        for (name, entry) in suppliers {
            self.give(
                admin,
                "cloudwatcher/suppliers",
                self.id(&format!("supplier/{name}")),
                "enter",
                entry,
            )
            .await?;
        }
        let parts = [
            (
                "filter",
                json!({ "part_code": "FLT-100", "name": "Oil filter", "category": "engine" }),
            ),
            (
                "pump",
                json!({ "part_code": "PMP-200", "name": "Water pump", "category": "cooling" }),
            ),
            (
                "cable",
                json!({ "part_code": "CBL-300", "name": "Signal cable", "category": "electric", "unit_of_measure": "metre" }),
            ),
        ];
        for (name, entry) in parts {
            self.give(
                admin,
                "cloudwatcher/parts",
                self.id(&format!("part/{name}")),
                "enter",
                entry,
            )
            .await?;
        }
        self.offers(admin).await
    }

    async fn offers(&self, admin: Uuid) -> Result<(), Fault> {
        let (pump, large) = (self.id("part/pump"), self.id("variant/pump-large"));
        let variant = json!({
            "part_id": pump, "variant_code": "L", "variant_name": "Large", "attributes": { "litres_per_minute": 90 },
            "cost_per_unit": "118.00", "retail_price": "169.00",
        });
        self.give(admin, "cloudwatcher/part-variants", large, "enter", variant)
            .await?;
        let offers = [
            ("filter", None, "north", "8.40"),
            ("pump", Some(large), "north", "118.00"),
            ("pump", None, "harbour", "95.50"),
            ("cable", None, "harbour", "1.15"),
        ];
        for (part, variant, supplier, cost) in offers {
            let entry = json!({
                "part_id": self.id(&format!("part/{part}")), "variant_id": variant,
                "supplier_id": self.id(&format!("supplier/{supplier}")), "supplier_cost": cost,
            });
            self.give(
                admin,
                "cloudwatcher/part-suppliers",
                self.id(&format!("offer/{part}/{supplier}")),
                "enter",
                entry,
            )
            .await?;
        }
        Ok(())
    }

    async fn orders(&self) -> Result<(), Fault> {
        let buyer = self.id("user/buyer");
        let request = self.id("request/truck-001");
        let receive = json!({ "device_id": "truck-001", "request_type": "get_parts", "payload": { "parts": ["FLT-100"], "urgent": true } });
        self.give(buyer, "cloudwatcher/requests", request, "receive", receive)
            .await?;

        let item = |part: &str, supplier: &str, quantity: i32, price: &str| {
            json!({
                "part_id": self.id(&format!("part/{part}")), "supplier_id": self.id(&format!("supplier/{supplier}")),
                "quantity": quantity, "unit_price": price,
            })
        };
        let order = |items: Value, request: Option<Uuid>, note: &str| {
            json!({
                "department_id": self.id("department/workshop"), "currency": "EUR",
                "request_id": request, "note": note, "items": items,
            })
        };
        let (draft, submitted, cancelled) = (
            self.id("order/draft"),
            self.id("order/submitted"),
            self.id("order/cancelled"),
        );
        let items = json!([
            item("filter", "north", 10, "8.40"),
            item("cable", "harbour", 50, "1.15")
        ]);
        self.give(
            buyer,
            "cloudwatcher/orders",
            draft,
            "draft",
            order(items, Some(request), "For truck-001"),
        )
        .await?;
        let items = json!([item("pump", "harbour", 2, "95.50")]);
        self.give(
            buyer,
            "cloudwatcher/orders",
            submitted,
            "draft",
            order(items, None, "Spare pumps"),
        )
        .await?;
        self.give(buyer, "cloudwatcher/orders", submitted, "submit", json!({}))
            .await?;
        let items = json!([item("filter", "north", 500, "8.40")]);
        self.give(
            buyer,
            "cloudwatcher/orders",
            cancelled,
            "draft",
            order(items, None, "Stock for the winter"),
        )
        .await?;
        self.give(buyer, "cloudwatcher/orders", cancelled, "cancel", json!({}))
            .await
    }

    /// Gives a command as a user would. One that is refused because its effect is there already, from
    /// a time whose receipts are gone, is fine.
    async fn give(&self, actor: Uuid, url: &str, stream: Uuid, command: &str, body: Value) -> Result<(), Fault> {
        let unknown = || Fault::Refused(format!("the demo's command {url}/{command} is unknown"));
        let (context, plural) = url.split_once('/').ok_or_else(unknown)?;
        let aggregate = registry::by_url(context, plural).ok_or_else(unknown)?;
        let step = aggregate
            .parse(stream, None, command, body.clone())
            .map_err(|error| Fault::Refused(format!("the demo's command {url}/{command}: {error}")))?;
        let command_id = Uuid::new_v5(&stream, format!("demo/{command}").as_bytes());
        let envelope = Envelope {
            tenant: self.tenant,
            actor,
            command_id,
            repeatable: true,
            body_hash: Sha256::digest(canonical::text(&body)).into(),
            correlation_id: command_id,
            causation_id: None,
            reason: (command == "cancel").then(|| "Bought too much last year".to_owned()),
            ip: None,
            traceparent: None,
            at: Utc::now(),
            occurred_at: None,
        };
        match self.book.execute(envelope, vec![step]).await {
            Ok(answer) => {
                debug!(url, command, position = answer.position, "demo");
                Ok(())
            }
            Err(error @ (ExecuteError::Refused(_) | ExecuteError::KeyReused)) => {
                self.is_there(error, aggregate, stream).await
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn is_there(&self, error: ExecuteError, aggregate: &registry::Aggregate, stream: Uuid) -> Result<(), Fault> {
        match self.book.any_state(self.tenant, aggregate.fact(stream)).await? {
            Some(_) => {
                debug!(aggregate_type = aggregate.aggregate_type, %stream, error = %error, "demo: it is there already");
                Ok(())
            }
            None => Err(error.into()),
        }
    }
}
