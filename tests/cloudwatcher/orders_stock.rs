//! Orders meet stock exactly once, whatever dies on the way.

use std::time::Duration;

use book::Step;
use cloudwatcher::OrderStatus;
use cloudwatcher::approval_policy::ApprovalPolicy;
use cloudwatcher::inventory::{Inventory, StockKey};
use cloudwatcher::location::Location;
use cloudwatcher::order::Order;
use cloudwatcher::part::Part;
use cloudwatcher::supplier::Supplier;
use domain::Decider;
use domain::register::Register;
use identity::department::Department;
use identity::user::User;
use serde_json::{Value, json};
use sqlx::PgPool;
use tests::process::Process;
use tests::{Client, Ledger, Service};
use uuid::Uuid;

const WAIT: Duration = Duration::from_secs(60);

fn command<C: serde::de::DeserializeOwned>(json: Value) -> C {
    serde_json::from_value(json).expect("a command")
}

async fn count(pool: &PgPool, query: &str) -> i64 {
    sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
}

/// Two locations, of which the first has stock; orders below a million need nobody's approval.
struct House<'a> {
    ledger: &'a Ledger,
    department: Uuid,
    supplier: Uuid,
    part: Uuid,
    locations: [Uuid; 2],
}

impl<'a> House<'a> {
    async fn built(ledger: &'a Ledger, stock: i32) -> Self {
        let house = Self {
            ledger,
            department: Uuid::now_v7(),
            supplier: Uuid::now_v7(),
            part: Uuid::now_v7(),
            locations: [Uuid::now_v7(), Uuid::now_v7()],
        };
        let register = json!({"register": {"name": "Ada", "email": "ada@example.com"}});
        house.does::<User>(ledger.actor, register).await;
        let enter = json!({"enter": {"name": "Workshop"}});
        house.does::<Register<Department>>(house.department, enter).await;
        let enter = json!({"enter": {"name": "Acme"}});
        house.does::<Register<Supplier>>(house.supplier, enter).await;
        let enter = json!({"enter": {"part_code": "P-1", "name": "bolt"}});
        house.does::<Register<Part>>(house.part, enter).await;
        for location in house.locations {
            let enter = json!({"enter": {"name": "Shed", "dept_id": house.department}});
            house.does::<Register<Location>>(location, enter).await;
        }
        let thresholds = json!({"enter": {"currencies": [{"currency": "EUR", "thresholds": [1_000_000]}]}});
        let policy = Register::<ApprovalPolicy>::only_stream(ledger.tenant);
        house.does::<Register<ApprovalPolicy>>(policy, thresholds).await;
        let receive = json!({"receive": {"quantity": stock, "stock": house.key(0)}});
        house
            .does::<Inventory>(house.key(0).stream(ledger.tenant), receive)
            .await;
        house
    }

    async fn does<D: Decider>(&self, stream: Uuid, json: Value) {
        self.ledger.does::<D>(stream, command(json)).await;
    }

    fn key(&self, shed: usize) -> StockKey {
        StockKey {
            part_id: self.part,
            variant_id: None,
            location_id: self.locations[shed],
        }
    }

    /// A transfer of one unit, handed in.
    async fn submitted(&self) -> Uuid {
        let order = Uuid::now_v7();
        let item = json!({"part_id": self.part, "supplier_id": self.supplier, "quantity": 1, "unit_price": "1.00"});
        let draft = json!({"draft": {
            "order_type": "internal_transfer", "department_id": self.department, "currency": "EUR", "items": [item],
            "from_location_id": self.locations[0], "location_id": self.locations[1],
        }});
        self.does::<Order>(order, draft).await;
        self.does::<Order>(order, json!({"submit": {}})).await;
        order
    }

    async fn received(&self, order: Uuid) {
        self.does::<Order>(order, json!({"place": {}})).await;
        let state = self
            .ledger
            .book
            .state::<Order>(self.ledger.tenant, order)
            .await
            .unwrap();
        let item = state.unwrap().content().unwrap().items[0].item_id;
        let receive = json!({"receive": {"lines": [{"item_id": item, "quantity": 1}]}});
        self.does::<Order>(order, receive).await;
    }

    /// On hand and reserved, read from the book now.
    async fn levels(&self, shed: usize) -> (i32, i32) {
        let stream = self.key(shed).stream(self.ledger.tenant);
        let found = self.ledger.book.fresh::<Inventory>(self.ledger.tenant, &[stream]).await;
        let levels = found.unwrap().pop().flatten().map(|inventory| inventory.levels());
        levels.map_or((0, 0), |levels| (levels.on_hand, levels.reserved))
    }

    /// Starts a worker of the policies and kills it in the middle of something, so many times; then lets
    /// one come to the end of the book.
    async fn killing(&self, kills: usize) {
        let pool = &self.ledger.pools.owner;
        let url = self.ledger.database.url();
        let start =
            async || Process::start(&url, &tests::setting("NATS_URL"), &self.ledger.database.name, "policy").await;
        for _ in 0..kills {
            let slowest = "select min(position) from book.policies";
            let before = count(pool, slowest).await;
            let worker = start().await;
            while count(pool, slowest).await == before && count(pool, "select book.last_position()").await > before {
                tokio::task::yield_now().await;
            }
            worker.kill();
        }
        let worker = start().await;
        tests::database::policies_caught_up(pool, WAIT).await;
        worker.kill();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_killed_again_and_again_keeps_moves_and_gives_back_every_unit_once() {
    const ORDERS: usize = 120;
    const KILLS: usize = 8;
    let ledger = Ledger::open().await;
    let house = House::built(&ledger, 1_000).await;
    let pool = &ledger.pools.owner;
    let events = async |event_type: &str| {
        count(
            pool,
            &format!("select count(*) from book.events where event_type = '{event_type}'"),
        )
        .await
    };

    let submitting = async {
        let mut orders = Vec::new();
        for _ in 0..ORDERS {
            orders.push(house.submitted().await);
        }
        orders
    };
    let (orders, ()) = tokio::join!(submitting, house.killing(KILLS));
    // The last worker may have been faster than the last order.
    house.killing(0).await;
    assert_eq!(house.levels(0).await, (1_000, 120));
    assert_eq!(events("StockReserved").await, 120);
    for order in ledger.book.fresh::<Order>(ledger.tenant, &orders).await.unwrap() {
        assert_eq!(order.unwrap().status(), Some(OrderStatus::Approved));
    }

    let finishing = async {
        for (n, order) in orders.iter().enumerate() {
            if n % 2 == 0 {
                house.received(*order).await;
            } else {
                let mut envelope = ledger.envelope();
                envelope.reason = Some("not needed".to_owned());
                let cancel = Step::of::<Order>(*order, None, command(json!({"cancel": {}})));
                ledger.book.execute(envelope, vec![cancel]).await.unwrap();
            }
        }
    };
    tokio::join!(finishing, house.killing(KILLS));
    house.killing(0).await;
    assert_eq!(house.levels(0).await, (940, 0));
    assert_eq!(house.levels(1).await, (60, 0));
    for (event_type, times) in [
        ("ReservationReleased", 60),
        ("StockTransferredOut", 60),
        ("StockTransferredIn", 60),
        ("OrderStockRefused", 0),
    ] {
        assert_eq!(events(event_type).await, times, "{event_type}");
    }
    assert_eq!(count(pool, "select count(*) from book.missed").await, 0);
}

/// What is made with a POST, by its stream.
async fn made(client: &Client, path: &str, body: &Value) -> Uuid {
    let answer = client.post(path, body).await.ok();
    answer["stream"].as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_accepted_suggestion_is_an_order_with_the_best_offer_and_counts_as_on_order() {
    let service = Service::start().await;
    let admin = &service.admin;
    let department = made(admin, "/v1/identity/departments", &json!({"name": "Workshop"})).await;
    let part = made(
        admin,
        "/v1/cloudwatcher/parts",
        &json!({"part_code": "P-1", "name": "bolt"}),
    )
    .await;
    let depot = json!({"name": "Depot", "dept_id": department});
    let location = made(admin, "/v1/cloudwatcher/locations", &depot).await;
    let thresholds = json!({"currencies": [{"currency": "CHF", "thresholds": [1_000]}]});
    made(admin, "/v1/cloudwatcher/approval-policies", &thresholds).await;
    let mut offers = Vec::new();
    for (name, cost) in [("Dear", "9.50"), ("Cheap", "2.50")] {
        let supplier = made(admin, "/v1/cloudwatcher/suppliers", &json!({"name": name})).await;
        let offer = json!({
            "part_id": part, "supplier_id": supplier, "supplier_cost": cost, "currency": "CHF", "minimum_order_qty": 30,
        });
        offers.push((supplier, made(admin, "/v1/cloudwatcher/part-suppliers", &offer).await));
    }
    let open = json!({"part_id": part, "location_id": location, "reorder_point": 5});
    let opened = admin.post("/v1/cloudwatcher/inventory", &open).await;
    let stock: Uuid = opened.json()["stream"].as_str().unwrap().parse().unwrap();
    let path = format!("/v1/cloudwatcher/reorder_suggestions?inventory_id={stock}");
    let suggestions = admin.get_after(&path, opened.position()).await.ok();
    let suggestion = suggestions["rows"][0]["id"].clone();
    assert_eq!(suggestions["rows"][0]["status"], "open");

    let path = format!("/v1/cloudwatcher/inventory/{stock}/accept-reorder");
    let wrong = admin.post(&path, &json!({"suggestion_id": Uuid::nil()})).await;
    assert_eq!(wrong.status, 422, "{}", wrong.text);
    let accept = json!({"suggestion_id": suggestion});
    let request = || {
        let request = admin.request(reqwest::Method::POST, &path);
        request.header("Idempotency-Key", "accept-1").json(&accept)
    };
    let accepted = admin.send(request()).await;
    assert_eq!(accepted.status, 200, "{}", accepted.text);
    // The suggestion is gone by now, and the repeat is answered what the first was answered.
    let again = admin.send(request()).await;
    assert_eq!((again.status, again.text), (accepted.status, accepted.text.clone()));

    let order = accepted.json()["streams"][0]["stream"].as_str().unwrap().to_owned();
    let position = accepted.position();
    let row = admin
        .get_after(&format!("/v1/cloudwatcher/orders/{order}"), position)
        .await
        .ok();
    assert_eq!((&row["status"], &row["currency"]), (&json!("draft"), &json!("CHF")));
    assert_eq!(row["location_id"], json!(location));
    let path = format!("/v1/cloudwatcher/order_items?order_id={order}");
    let items = admin.get_after(&path, position).await.ok();
    // Six would do, and the offer sells thirty at least; the cheaper one is taken up.
    assert_eq!(items["rows"][0]["quantity_ordered"], 30);
    assert_eq!(items["rows"][0]["supplier_id"], json!(offers[1].0));
    assert_eq!(items["rows"][0]["unit_price"], "2.50");
    let path = format!("/v1/cloudwatcher/reorder_suggestions?inventory_id={stock}");
    let rows = admin.get_after(&path, position).await.ok();
    assert_eq!(rows["rows"].as_array().unwrap().len(), 1, "{rows}");
    assert_eq!(rows["rows"][0]["status"], "accepted");
    assert_eq!(rows["rows"][0]["order_id"], json!(order));
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_is_booked_at_both_locations_or_at_none() {
    let service = Service::start().await;
    let admin = &service.admin;
    let mut locations = Vec::new();
    for name in ["North", "South"] {
        let department = made(admin, "/v1/identity/departments", &json!({"name": name})).await;
        let depot = json!({"name": name, "dept_id": department});
        locations.push((department, made(admin, "/v1/cloudwatcher/locations", &depot).await));
    }
    let part = made(
        admin,
        "/v1/cloudwatcher/parts",
        &json!({"part_code": "P-1", "name": "bolt"}),
    )
    .await;
    let open = json!({"part_id": part, "location_id": locations[0].1});
    let stock = made(admin, "/v1/cloudwatcher/inventory", &open).await;
    let path = |command: &str| format!("/v1/cloudwatcher/inventory/{stock}/{command}");
    admin.post(&path("receive"), &json!({"quantity": 10})).await.ok();
    let transfer = |quantity: i32| json!({"to_location_id": locations[1].1, "quantity": quantity});

    let pool = PgPool::connect_with(service.database.options.clone()).await.unwrap();
    let end = count(&pool, "select book.last_position()").await;
    let refused = admin.post(&path("transfer"), &transfer(11)).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    let now = count(&pool, "select book.last_position()").await;
    assert_eq!(now, end, "nothing is written of what is refused");
    let moved = admin.post(&path("transfer"), &transfer(4)).await;
    assert_eq!(moved.status, 200, "{}", moved.text);
    let rows = admin
        .get_after(
            &format!("/v1/cloudwatcher/inventory?part_id={part}&order=quantity_available.asc"),
            moved.position(),
        )
        .await
        .ok();
    let on_hand: Vec<_> = rows["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["quantity_on_hand"].as_i64())
        .collect();
    assert_eq!(on_hand, [Some(4), Some(6)]);

    // Whoever reaches one of the locations alone orders a transfer instead.
    let north = service.person(&["cloudwatcher.inventory.*"], &[locations[0].0]).await;
    service.database.settled().await;
    let end = count(&pool, "select book.last_position()").await;
    let refused = north.post(&path("transfer"), &transfer(1)).await;
    assert!(!refused.status.is_success(), "{}", refused.text);
    assert_eq!(count(&pool, "select book.last_position()").await, end);
    pool.close().await;
    service.end().await;
}
