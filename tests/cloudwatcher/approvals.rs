//! The whole chain over HTTP: an order is submitted, approved level by level, placed, received.

mod further;

use serde_json::{Value, json};
use tests::{Client, Service};
use uuid::Uuid;

pub const APPROVER: [&str; 4] = [
    "orders.approve",
    "cloudwatcher.approval.*",
    "cloudwatcher.delegation.*",
    "cloudwatcher.order_approvals.read",
];
const BUYER: [&str; 4] = [
    "cloudwatcher.order.*",
    "cloudwatcher.orders.read",
    "cloudwatcher.order_items.read",
    "cloudwatcher.order_approvals.read",
];

/// A tree of three departments with their managers, a buyer in the lowest, and something to order.
pub struct Company {
    pub service: Service,
    pub departments: [Uuid; 3],
    /// Director, head, manager.
    pub managers: [Client; 3],
    pub buyer: Client,
    supplier: Uuid,
    part: Uuid,
}

impl Company {
    pub async fn found() -> Self {
        let service = Service::start().await;
        let admin = &service.admin;
        let departments = [Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7()];
        let managers = [
            service.person(&APPROVER, &[]).await,
            service.person(&APPROVER, &[]).await,
            service.person(&APPROVER, &[]).await,
        ];
        let mut parent: Option<Uuid> = None;
        for (department, manager) in departments.iter().zip(&managers) {
            let entry =
                json!({"name": department.simple().to_string(), "parent_id": parent, "manager_id": manager.user});
            let path = format!("/v1/identity/departments/{department}/enter");
            admin.post(&path, &entry).await.ok();
            parent = Some(*department);
        }
        let (supplier, part) = (Uuid::now_v7(), Uuid::now_v7());
        let path = format!("/v1/cloudwatcher/suppliers/{supplier}/enter");
        admin.post(&path, &json!({"name": "Acme"})).await.ok();
        let entry = json!({"part_code": part.simple().to_string(), "name": "bolt"});
        let path = format!("/v1/cloudwatcher/parts/{part}/enter");
        admin.post(&path, &entry).await.ok();
        let buyer = service.person(&BUYER, &[departments[2]]).await;
        Self {
            service,
            departments,
            managers,
            buyer,
            supplier,
            part,
        }
    }

    /// A submitted order of the buyer, and where its submission is in the book.
    pub async fn submitted(&self, quantity: i32, price: &str) -> Uuid {
        let order = Uuid::now_v7();
        let item =
            json!({"part_id": self.part, "supplier_id": self.supplier, "quantity": quantity, "unit_price": price});
        let draft = json!({"department_id": self.departments[2], "currency": "EUR", "items": [item]});
        self.order(order, "draft", draft).await;
        self.order(order, "submit", json!({})).await;
        order
    }

    pub async fn order(&self, order: Uuid, command: &str, body: Value) -> Value {
        let path = format!("/v1/cloudwatcher/orders/{order}/{command}");
        self.buyer.post(&path, &body).await.ok()
    }

    /// The order's row once it has this status.
    pub async fn until_status(&self, order: Uuid, status: &str) -> Value {
        let path = format!("/v1/cloudwatcher/orders/{order}");
        let reader = &self.service.admin;
        // The row is there once it is posted; the first answer can be a 404.
        loop {
            if reader.get(&path).await.status == 200 {
                break;
            }
        }
        reader.until(&path, |row| row["status"] == status).await
    }

    /// What waits for this person, once something about the order does.
    pub async fn ask(&self, person: &Client, order: Uuid) -> Value {
        let inbox = person
            .until("/v1/cloudwatcher/approvals/inbox", |inbox| {
                of_order(inbox, order).is_some()
            })
            .await;
        of_order(&inbox, order).unwrap()
    }

    pub async fn approve(&self, person: &Client, order: Uuid, revision: i32) -> tests::service::Reply {
        let path = format!("/v1/cloudwatcher/approvals/{order}/approve");
        person.post(&path, &json!({"revision": revision})).await
    }
}

fn of_order(inbox: &Value, order: Uuid) -> Option<Value> {
    let asks = inbox["asks"].as_array()?;
    asks.iter().find(|ask| ask["order_id"] == json!(order)).cloned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_needs_every_level_before_it_can_be_placed_and_received() {
    let company = Company::found().await;
    let [director, head, manager] = &company.managers;
    // 12,000: three levels.
    let order = company.submitted(1_200, "10.00").await;
    let place = format!("/v1/cloudwatcher/orders/{order}/place");
    for (level, person) in [(1, manager), (2, head), (3, director)] {
        company.buyer.post(&place, &json!({})).await.problem(422);
        let ask = company.ask(person, order).await;
        assert_eq!((&ask["level"], &ask["revision"]), (&json!(level), &json!(1)), "{ask}");
        assert_eq!(
            (&ask["order_total"], &ask["items"][0]["quantity"]),
            (&json!("12000.00"), &json!(1_200)),
            "{ask}"
        );
        company.approve(person, order, 1).await.ok();
    }
    let row = company.until_status(order, "approved").await;
    assert_eq!(row["approved_by"], json!(director.user));
    company.order(order, "place", json!({})).await;

    let items = company
        .service
        .admin
        .get(&format!("/v1/cloudwatcher/order_items?order_id={order}"))
        .await
        .ok();
    let item = items["rows"][0]["id"].clone();
    company
        .order(order, "receive", json!({"lines": [{"item_id": item, "quantity": 200}]}))
        .await;
    company.until_status(order, "partially-received").await;
    let cancel = company
        .buyer
        .post(&format!("/v1/cloudwatcher/orders/{order}/cancel"), &json!({}))
        .await;
    cancel.problem(422);
    let too_many = json!({"lines": [{"item_id": item, "quantity": 1_001}]});
    company
        .buyer
        .post(&format!("/v1/cloudwatcher/orders/{order}/receive"), &too_many)
        .await
        .problem(422);
    company
        .order(
            order,
            "receive",
            json!({"lines": [{"item_id": item, "quantity": 1_000}]}),
        )
        .await;
    company.until_status(order, "received").await;
    company.service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_but_the_one_who_is_asked_decides() {
    let company = Company::found().await;
    let [director, head, manager] = &company.managers;
    let order = company.submitted(1, "5.00").await;
    company.ask(manager, order).await;
    // The next level up, somebody with every permission, and whoever drafted it.
    company.approve(head, order, 1).await.problem(404);
    company.approve(director, order, 1).await.problem(404);
    let refused = company.approve(&company.service.admin, order, 1).await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    company.approve(&company.buyer, order, 1).await.problem(403);
    let stale = company.approve(manager, order, 2).await;
    assert_eq!(stale.status, 422, "a revision that nobody has seen: {}", stale.text);
    company.approve(manager, order, 1).await.ok();
    company.until_status(order, "approved").await;
    company.service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delegate_decides_in_anothers_place_and_the_row_says_so() {
    let company = Company::found().await;
    let [_, _, manager] = &company.managers;
    let delegate = company.service.person(&APPROVER, &[]).await;
    let order = company.submitted(1, "5.00").await;
    company.ask(manager, order).await;
    company.approve(&delegate, order, 1).await.problem(404);
    let until = chrono::Utc::now() + chrono::TimeDelta::days(7);
    let grant = json!({"to": delegate.user, "ends_at": until, "department_ids": [company.departments[1]], "total_max": "5.00", "currency": "EUR"});
    let grants = format!("/v1/cloudwatcher/delegations/{}/grant", manager.user);
    // Nobody delegates what is another's.
    company.service.admin.post(&grants, &grant).await.problem(403);
    manager.post(&grants, &grant).await.ok();
    let ask = company.ask(&delegate, order).await;
    assert_eq!(ask["approver_id"], json!(manager.user), "{ask}");
    assert!(ask["delegation_id"].is_string(), "{ask}");
    company.approve(&delegate, order, 1).await.ok();
    company.until_status(order, "approved").await;
    let rows = company
        .service
        .admin
        .get(&format!("/v1/cloudwatcher/order_approvals?order_id={order}"))
        .await
        .ok();
    let row = &rows["rows"][0];
    assert_eq!(
        (&row["status"], &row["approver_id"], &row["decided_by"]),
        (&json!("approved"), &json!(manager.user), &json!(delegate.user)),
        "{row}"
    );
    // Dearer than the delegation goes: it does not even reach the delegate's inbox.
    let dearer = company.submitted(2, "5.00").await;
    company.ask(manager, dearer).await;
    let inbox = delegate.get("/v1/cloudwatcher/approvals/inbox").await.ok();
    assert!(of_order(&inbox, dearer).is_none(), "{inbox}");
    company.approve(&delegate, dearer, 1).await.problem(404);
    // Nor does what is within a limit in another currency.
    let other = company.service.person(&APPROVER, &[]).await;
    let grant = json!({"to": other.user, "ends_at": until, "total_max": "5000", "currency": "USD"});
    let granted = manager.post(&grants, &grant).await.position();
    let inbox = other.get_after("/v1/cloudwatcher/approvals/inbox", granted).await.ok();
    assert!(of_order(&inbox, dearer).is_none(), "{inbox}");
    company.service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_material_change_voids_what_was_approved_and_asks_again() {
    let company = Company::found().await;
    let [_, head, manager] = &company.managers;
    let order = company.submitted(200, "10.00").await;
    company.ask(manager, order).await;
    company.approve(manager, order, 1).await.ok();
    company.ask(head, order).await;
    let items = company
        .service
        .admin
        .get(&format!("/v1/cloudwatcher/order_items?order_id={order}"))
        .await
        .ok();
    let item = items["rows"][0]["id"].clone();
    // Fewer of them keep what was decided.
    let kept = company
        .order(order, "change-item", json!({"item_id": item, "quantity": 150}))
        .await;
    assert_eq!(kept["events"], json!(["OrderItemChanged"]));
    let asked_anew = company
        .order(order, "change-item", json!({"item_id": item, "quantity": 160}))
        .await;
    assert_eq!(asked_anew["events"], json!(["OrderItemChanged", "OrderSubmitted"]));
    let path = format!("/v1/cloudwatcher/order_approvals?order_id={order}&order=created_at.asc");
    let rows = company
        .service
        .admin
        .until(&path, |rows| {
            rows["rows"].as_array().is_some_and(|rows| rows.len() == 3)
        })
        .await;
    let statuses: Vec<_> = rows["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["status"].clone())
        .collect();
    assert_eq!(statuses, ["voided", "voided", "pending"], "{rows}");
    // Neither is a member of the department, and both were asked.
    let over = company.approve(head, order, 1).await.problem(422);
    assert_eq!(over["rule"], "over", "{over}");
    let became = &over["particulars"];
    assert_eq!(
        (&became["became"], &became["by"], &became["level"]),
        (&json!("resubmitted"), &json!(company.buyer.user), &json!(2)),
        "{over}"
    );
    let stale = company.approve(manager, order, 1).await.problem(422);
    assert_eq!(stale["rule"], "stale-revision", "{stale}");
    assert_eq!(stale["particulars"]["by"], json!(company.buyer.user), "{stale}");
    company.approve(manager, order, 2).await.ok();
    company.ask(head, order).await;
    company.approve(head, order, 2).await.ok();
    company.until_status(order, "approved").await;
    company.service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_decisions_at_once_each_have_their_own_outcome() {
    let company = Company::found().await;
    let [_, _, manager] = &company.managers;
    let (fine, refused, none) = (
        company.submitted(1, "1.00").await,
        company.submitted(1, "2.00").await,
        Uuid::now_v7(),
    );
    company.ask(manager, fine).await;
    company.ask(manager, refused).await;
    let body = json!({"decisions": [
        {"order_id": fine, "revision": 1, "decision": "approve"},
        {"order_id": refused, "revision": 1, "decision": "reject"},
        {"order_id": none, "revision": 1, "decision": "approve"},
    ]});
    let outcomes = manager.post("/v1/cloudwatcher/approvals/decide", &body).await.ok();
    let statuses: Vec<_> = outcomes["outcomes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["status"].clone())
        .collect();
    assert_eq!(statuses, [200, 400, 404].map(|status| json!(status)), "{outcomes}");
    let why = outcomes["outcomes"][1]["problem"]["detail"].as_str().unwrap();
    assert!(why.contains("notes"), "{outcomes}");
    company.until_status(fine, "approved").await;
    let twice = json!({"decisions": [
        {"order_id": fine, "revision": 1, "decision": "approve"},
        {"order_id": fine, "revision": 1, "decision": "reject", "notes": "no"},
    ]});
    manager
        .post("/v1/cloudwatcher/approvals/decide", &twice)
        .await
        .problem(400);
    let reject =
        json!({"decisions": [{"order_id": refused, "revision": 1, "decision": "reject", "notes": "too dear"}]});
    manager.post("/v1/cloudwatcher/approvals/decide", &reject).await.ok();
    let row = company.until_status(refused, "draft").await;
    assert_eq!(row["revision"], 1);
    company.service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_nobody_may_approve_is_refused_with_what_would_help() {
    let company = Company::found().await;
    let order = Uuid::now_v7();
    let item = json!({"part_id": company.part, "supplier_id": company.supplier, "quantity": 1, "unit_price": "1.00"});
    let draft = json!({"department_id": company.departments[2], "currency": "JPY", "items": [item]});
    company.order(order, "draft", draft).await;
    let submit = format!("/v1/cloudwatcher/orders/{order}/submit");
    let refused = company.buyer.post(&submit, &json!({})).await.problem(422);
    assert_eq!(refused["rule"], "no-thresholds", "{refused}");
    let policy = json!({"currencies": [{"currency": "JPY", "thresholds": ["0"]}], "deadline_hours": 1});
    company
        .service
        .admin
        .post("/v1/cloudwatcher/approval-policies", &policy)
        .await
        .ok();
    company.buyer.post(&submit, &json!({})).await.ok();
    let ask = company.ask(&company.managers[2], order).await;
    let hours = |time: &Value| chrono::DateTime::parse_from_rfc3339(time.as_str().unwrap()).unwrap();
    let open = hours(&ask["due_at"]) - hours(&ask["asked_at"]);
    assert!((55..=60).contains(&open.num_minutes()), "{ask}");
    company.service.end().await;
}
