//! Stock over HTTP, and how it loads: nothing is promised twice, and a busy key is no slower than a quiet one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use book::{Step, facts};
use cloudwatcher::inventory::{EVENTS_CARRIED_MIN, Inventory, StockKey};
use cloudwatcher::location::Location;
use cloudwatcher::part::Part;
use domain::register::Register;
use domain::{Decider, FactRef};
use futures::future::join_all;
use identity::department::Department;
use serde_json::{Value, json};
use tests::{Client, Ledger, Service, until};
use uuid::Uuid;

const WAIT: Duration = Duration::from_secs(30);

/// A part, and a location of each of two departments.
struct Sheds {
    service: Service,
    departments: [Uuid; 2],
    part: Uuid,
    locations: [Uuid; 2],
}

impl Sheds {
    async fn built() -> Self {
        let service = Service::start().await;
        let sheds = Self {
            service,
            departments: [Uuid::now_v7(), Uuid::now_v7()],
            part: Uuid::now_v7(),
            locations: [Uuid::now_v7(), Uuid::now_v7()],
        };
        let admin = &sheds.service.admin;
        let enter = async |plural: &str, id: Uuid, entry: Value| {
            admin.post(&format!("/v1/{plural}/{id}/enter"), &entry).await.ok();
        };
        let part = json!({"part_code": "P-1", "name": "bolt"});
        enter("cloudwatcher/parts", sheds.part, part).await;
        for (n, (department, location)) in sheds.departments.into_iter().zip(sheds.locations).enumerate() {
            let name = format!("department {n}");
            enter("identity/departments", department, json!({"name": name})).await;
            let entry = json!({"name": "shed", "dept_id": department, "location_type": "depot"});
            enter("cloudwatcher/locations", location, entry).await;
        }
        sheds
    }

    fn key(&self, shed: usize) -> StockKey {
        StockKey {
            part_id: self.part,
            variant_id: None,
            location_id: self.locations[shed],
        }
    }

    fn path(&self, shed: usize, command: &str) -> String {
        let stream = self.key(shed).stream(self.service.tenant);
        format!("/v1/cloudwatcher/inventory/{stream}/{command}")
    }

    /// So many are taken in; the record is opened by that.
    async fn filled(&self, shed: usize, quantity: i32) {
        let receive = json!({"quantity": quantity, "stock": self.key(shed)});
        let admin = &self.service.admin;
        admin.post(&self.path(shed, "receive"), &receive).await.ok();
    }

    /// The rows of a table that this person sees.
    async fn rows(&self, reader: &Client, table: &str) -> Vec<Value> {
        // Everything is posted that is in the book by now.
        let pool = sqlx::PgPool::connect_with(self.service.database.options.clone())
            .await
            .unwrap();
        let last: i64 = sqlx::query_scalar("select book.last_position()")
            .fetch_one(&pool)
            .await
            .unwrap();
        pool.close().await;
        let path = format!("/v1/cloudwatcher/{table}?limit=200");
        let page = reader.get_after(&path, last).await.ok();
        page["rows"].as_array().unwrap().clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_order_says_of_stock_is_said_by_nobody_else() {
    let sheds = Sheds::built().await;
    sheds.filled(0, 10).await;
    let admin = &sheds.service.admin;
    let order = Uuid::now_v7();
    let source = json!({"kind": "order", "id": order});
    for command in ["receive", "issue", "reserve"] {
        let of_order = json!({"quantity": 1, "source": source});
        let problem = admin.post(&sheds.path(0, command), &of_order).await.problem(422);
        assert_eq!(problem["rule"], "orders-own", "{problem}");
        assert!(
            problem["detail"].as_str().unwrap().contains(&order.to_string()),
            "{problem}"
        );
    }
    let expect = json!({"order_id": order, "quantity": 1});
    admin.post(&sheds.path(0, "expect"), &expect).await.problem(403);
    let row = &sheds.rows(admin, "inventory").await[0];
    assert_eq!(
        (&row["quantity_on_hand"], &row["quantity_reserved"]),
        (&json!(10), &json!(0)),
        "{row}"
    );
    sheds.service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_clients_for_a_hundred_units_get_exactly_a_hundred() {
    const CLIENTS: usize = 1_000;
    const UNITS: i32 = 100;
    let sheds = Sheds::built().await;
    sheds.filled(0, UNITS).await;
    let path = sheds.path(0, "reserve");
    let admin = &sheds.service.admin;
    let started = Instant::now();
    let replies = join_all((0..CLIENTS).map(|_| async { admin.post(&path, &json!({"quantity": 1})).await })).await;
    let took = started.elapsed();
    let (reserved, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 200);
    println!("{} reserved, {} refused in {took:?}", reserved.len(), refused.len());
    assert_eq!(reserved.len(), UNITS as usize);
    for reply in refused {
        let problem = reply.problem(422);
        assert!(
            problem["type"].as_str().unwrap().ends_with("not-available"),
            "{problem}"
        );
    }
    assert!(took < Duration::from_secs(5), "{took:?}");

    let stock = &sheds.rows(admin, "inventory").await[0];
    let quantity = |column: &str| stock[column].as_i64().unwrap();
    assert_eq!(
        (
            quantity("quantity_on_hand"),
            quantity("quantity_reserved"),
            quantity("quantity_available")
        ),
        (100, 100, 0)
    );
    assert_eq!(sheds.rows(admin, "stock_reservations").await.len(), 100);
    sheds.service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_sees_and_moves_the_stock_of_their_departments_alone() {
    const TABLES: [&str; 6] = [
        "inventory",
        "stock_moves",
        "stock_reservations",
        "stock_levels",
        "part_consumption",
        "reorder_suggestions",
    ];
    let sheds = Sheds::built().await;
    let admin = &sheds.service.admin;
    for shed in [0, 1] {
        sheds.filled(shed, 10).await;
        for (command, body) in [
            ("set-reorder", json!({"reorder_point": 20})),
            ("reserve", json!({"quantity": 2})),
            ("consume", json!({"quantity": 1})),
        ] {
            admin.post(&sheds.path(shed, command), &body).await.ok();
        }
    }
    let mut permissions = vec!["cloudwatcher.inventory.*".to_owned()];
    permissions.extend(TABLES.map(|table| format!("cloudwatcher.{table}.read")));
    let permissions: Vec<&str> = permissions.iter().map(String::as_str).collect();
    let storeman = sheds.service.person(&permissions, &sheds.departments[..1]).await;
    for table in TABLES {
        let all = sheds.rows(admin, table).await;
        let locations = |rows: &[Value]| {
            let mut ids: Vec<String> = rows
                .iter()
                .map(|row| row["location_id"].as_str().unwrap().to_owned())
                .collect();
            ids.sort();
            ids.dedup();
            ids
        };
        assert_eq!(locations(&all).len(), 2, "{table}: {all:?}");
        let seen = sheds.rows(&storeman, table).await;
        assert_eq!(locations(&seen), [sheds.locations[0].to_string()], "{table}");
        let key = all.iter().find(|row| row["location_id"] == json!(sheds.locations[1]));
        let id = key.unwrap()["id"].as_str().unwrap();
        let hidden = storeman.get(&format!("/v1/cloudwatcher/{table}/{id}")).await;
        hidden.problem(404);
    }

    storeman
        .post(&sheds.path(0, "issue"), &json!({"quantity": 1}))
        .await
        .ok();
    for (command, body) in [
        ("issue", json!({"quantity": 1})),
        ("release", json!({"reservation_id": Uuid::nil()})),
        ("receive", json!({"quantity": 1, "stock": sheds.key(1)})),
    ] {
        storeman.post(&sheds.path(1, command), &body).await.problem(404);
    }
    // A record that is not there yet: neither opened nor told apart from one at no location.
    let variant = Uuid::now_v7();
    let entry = json!({"part_id": sheds.part, "variant_code": "RED"});
    let path = format!("/v1/cloudwatcher/part-variants/{variant}/enter");
    admin.post(&path, &entry).await.ok();
    let open = |location: Uuid| json!({"part_id": sheds.part, "variant_id": variant, "location_id": location});
    let beyond = storeman
        .post("/v1/cloudwatcher/inventory", &open(sheds.locations[1]))
        .await;
    let beyond = beyond.problem(422);
    let nowhere = storeman.post("/v1/cloudwatcher/inventory", &open(Uuid::now_v7())).await;
    assert_eq!(beyond["type"], nowhere.problem(422)["type"]);
    let made = storeman
        .post("/v1/cloudwatcher/inventory", &open(sheds.locations[0]))
        .await;
    let made = made.ok();
    let of_variant = StockKey {
        variant_id: Some(variant),
        ..sheds.key(0)
    };
    assert_eq!(made["stream"], json!(of_variant.stream(sheds.service.tenant)));
    sheds.service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reservation_ends_by_itself_when_its_time_has_come() {
    let sheds = Sheds::built().await;
    sheds.filled(0, 10).await;
    let admin = &sheds.service.admin;
    let in_a_second = chrono::Utc::now() + chrono::TimeDelta::seconds(1);
    let reserve = json!({"quantity": 4, "expires_at": in_a_second});
    admin.post(&sheds.path(0, "reserve"), &reserve).await.ok();
    let look = || async {
        let rows = sheds.rows(admin, "stock_reservations").await;
        let row = rows.into_iter().next()?;
        (row["status"] == "expired").then_some(row)
    };
    let (row, _) = until("the reservation's end", WAIT, look).await;
    assert_eq!(row["quantity_left"], 0);
    let stock = &sheds.rows(admin, "inventory").await[0];
    assert_eq!(stock["quantity_available"], 10);
    let moves = sheds.rows(admin, "stock_moves").await;
    let expired = moves.iter().find(|row| row["kind"] == "expired").unwrap();
    // Nobody did it.
    assert_eq!(
        (&expired["moved_by"], &expired["quantity_reserved"]),
        (&Value::Null, &json!(-4))
    );
    sheds.service.end().await;
}

fn command<C: serde::de::DeserializeOwned>(json: Value) -> C {
    serde_json::from_value(json).expect("a command")
}

/// The median of cold loads of a record, and its state.
async fn loaded(ledger: &Ledger, stream: Uuid) -> (Duration, Arc<Inventory>) {
    const LOADS: usize = 51;
    let fact = FactRef::of::<Inventory>(stream);
    let mut took = Vec::new();
    let mut state = Arc::default();
    for _ in 0..LOADS {
        let started = Instant::now();
        let loaded = facts::load_one(&ledger.pools.writer, ledger.book.vault(), fact)
            .await
            .unwrap();
        took.push(started.elapsed());
        state = loaded.state.downcast().unwrap();
    }
    took.sort();
    (took[LOADS / 2], state)
}

/// How many rows the load of a record looks at, as Postgres counts them.
async fn rows_read(ledger: &Ledger, stream: Uuid) -> i64 {
    fn sum(node: &Value) -> i64 {
        let number = |name: &str| node[name].as_f64().unwrap_or(0.0);
        let rows = (number("Actual Rows") + number("Rows Removed by Filter")) * number("Actual Loops");
        let below = node["Plans"].as_array().into_iter().flatten();
        // What passes through further nodes is counted where it is read.
        let own = if node["Relation Name"] == "events" { rows } else { 0.0 };
        own as i64 + below.map(sum).sum::<i64>()
    }
    // Whatever the server knows of the table: it may have looked at it a moment ago, or never.
    sqlx::query("analyze book.events")
        .execute(&ledger.pools.owner)
        .await
        .unwrap();
    let explain = format!("explain (analyze, format json) {}", facts::LOAD);
    let plan: Value = sqlx::query_scalar(&explain)
        .bind(vec![Inventory::TYPE])
        .bind(vec![stream.to_string()])
        .bind(vec![Inventory::CARRIES_FORWARD])
        .bind(i64::MAX)
        .fetch_one(&ledger.pools.writer)
        .await
        .unwrap();
    sum(&plan[0]["Plan"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_moves_on_one_key_load_like_a_thousand() {
    /// Moves that are appended as one.
    const TOGETHER: usize = 100;
    let ledger = Ledger::open().await;
    let [department, part, location] = std::array::from_fn(|_| Uuid::now_v7());
    ledger
        .does::<Register<Department>>(department, command(json!({"enter": {"name": "Workshop"}})))
        .await;
    let entry = json!({"enter": {"part_code": "P-1", "name": "bolt"}});
    ledger.does::<Register<Part>>(part, command(entry)).await;
    let entry = json!({"enter": {"name": "shed", "dept_id": department}});
    ledger.does::<Register<Location>>(location, command(entry)).await;
    let stock = StockKey {
        part_id: part,
        variant_id: None,
        location_id: location,
    };
    let stream = stock.stream(ledger.tenant);
    let receive = json!({"receive": {"quantity": 1_000_000, "stock": stock}});
    ledger.does::<Inventory>(stream, command(receive)).await;
    let moved = async |moves: usize| {
        for _ in 0..moves / TOGETHER {
            let kept = Uuid::now_v7();
            let steps = (0..TOGETHER).map(|n| {
                let json = match n % 5 {
                    0 => json!({"reserve": {"quantity": 3, "reservation_id": kept}}),
                    1 => json!({"issue": {"quantity": 1, "reservation_id": kept}}),
                    2 => json!({"issue": {"quantity": 2, "reservation_id": kept}}),
                    3 => json!({"count": {"seen": 999_997, "counted": 999_998}}),
                    _ => json!({"receive": {"quantity": 2}}),
                };
                // Another reservation for each five.
                let text = json
                    .to_string()
                    .replace(&kept.to_string(), &Uuid::new_v5(&kept, &[n as u8 / 5]).to_string());
                Step::of::<Inventory>(stream, None, serde_json::from_str(&text).unwrap())
            });
            ledger.book.execute(ledger.envelope(), steps.collect()).await.unwrap();
        }
    };
    moved(1_000).await;
    let (after_thousand, state) = loaded(&ledger, stream).await;
    assert_eq!(state.on_hand(), 1_000_000);
    let started = Instant::now();
    moved(99_000).await;
    println!("99,000 moves in {:?}", started.elapsed());
    let (after_all, state) = loaded(&ledger, stream).await;
    assert_eq!((state.on_hand(), state.reserved()), (1_000_000, 0));
    let rows = rows_read(&ledger, stream).await;
    println!("a cold load took {after_thousand:?} after 1,000 moves and {after_all:?} after 100,000; {rows} rows read");
    // What was carried forward last and what came since, looked at backwards and read forwards.
    let most = 2 * (EVENTS_CARRIED_MIN as i64 + 2_048 / 16 / 8 + 2);
    assert!(rows <= most, "{rows} rows");
    assert!(
        after_all < 5 * after_thousand + Duration::from_millis(2),
        "{after_thousand:?}, {after_all:?}"
    );
    // Appending rests on the same load.
    let started = Instant::now();
    let cold = book::Book::new(ledger.pools.writer.clone(), master(), tests::decisions());
    let issue = command(json!({"issue": {"quantity": 1}}));
    let answer = cold
        .execute(ledger.envelope(), vec![Step::of::<Inventory>(stream, None, issue)])
        .await
        .unwrap();
    println!("the first command of a process took {:?}", started.elapsed());
    assert!(answer.streams[0].sequence > 100_000);
}

fn master() -> book::MasterKey {
    book::MasterKey::from_hex(tests::ledger::MASTER_KEY).unwrap()
}
