//! What belongs to a department is seen by its members and those of the departments above, wherever one looks.

use cloudwatcher::inventory::StockKey;
use serde_json::{Value, json};
use tests::{Client, Service};
use uuid::Uuid;

const MEMBER: [&str; 9] = [
    "cloudwatcher.orders.read",
    "cloudwatcher.order_items.read",
    "cloudwatcher.order_history.read",
    "cloudwatcher.order_approvals.read",
    "cloudwatcher.locations.read",
    "cloudwatcher.inventory.read",
    "cloudwatcher.stock_levels.read",
    "cloudwatcher.stock_moves.read",
    "audit.read",
];

/// A department with something of everything that belongs to departments.
struct Department {
    id: Uuid,
    order: Uuid,
    location: Uuid,
    stock: Uuid,
}

impl Department {
    async fn found(admin: &Client, name: &str, parent: Option<&Self>, [supplier, part]: [Uuid; 2]) -> Self {
        let [id, order, location] = std::array::from_fn(|_| Uuid::now_v7());
        let entry = json!({"name": name, "parent_id": parent.map(|parent| parent.id)});
        admin
            .post(&format!("/v1/identity/departments/{id}/enter"), &entry)
            .await
            .ok();
        let item = json!({"part_id": part, "supplier_id": supplier, "quantity": 1, "unit_price": "1.00"});
        let draft = json!({"department_id": id, "currency": "EUR", "items": [item]});
        admin
            .post(&format!("/v1/cloudwatcher/orders/{order}/draft"), &draft)
            .await
            .ok();
        let entry = json!({"name": format!("{name} store"), "dept_id": id});
        admin
            .post(&format!("/v1/cloudwatcher/locations/{location}/enter"), &entry)
            .await
            .ok();
        let key = StockKey {
            part_id: part,
            variant_id: None,
            location_id: location,
        };
        let receive = json!({"quantity": 3, "stock": key});
        let stock = key.stream(admin.tenant);
        let path = format!("/v1/cloudwatcher/inventory/{stock}");
        admin.post(&format!("{path}/receive"), &receive).await.ok();
        let set = json!({"reorder_point": 5});
        admin.post(&format!("{path}/set-reorder"), &set).await.ok();
        Self {
            id,
            order,
            location,
            stock,
        }
    }

    /// What only its members, and those above, may look at.
    fn addresses(&self) -> Vec<String> {
        let Self {
            order, location, stock, ..
        } = self;
        vec![
            format!("/v1/cloudwatcher/orders/{order}"),
            format!("/v1/cloudwatcher/orders/{order}/history"),
            format!("/v1/cloudwatcher/orders/{order}?at=2100-01-01T00:00:00Z"),
            format!("/v1/cloudwatcher/orders/{order}/approvals"),
            format!("/v1/streams/cloudwatcher/order/{order}"),
            format!("/v1/streams/cloudwatcher/order/{order}/state"),
            format!("/v1/cloudwatcher/locations/{location}"),
            format!("/v1/cloudwatcher/locations/{location}/history"),
            format!("/v1/streams/cloudwatcher/location/{location}"),
            format!("/v1/cloudwatcher/inventory/{stock}"),
            format!("/v1/cloudwatcher/inventory/{stock}/history"),
            format!("/v1/streams/cloudwatcher/inventory/{stock}"),
            format!("/v1/streams/cloudwatcher/inventory/{stock}/state"),
        ]
    }
}

/// The values of a column, over all rows.
fn column(page: &Value, list: &str, name: &str) -> Vec<Uuid> {
    let rows = page[list].as_array().unwrap().iter();
    let mut values: Vec<Uuid> = rows.map(|row| row[name].as_str().unwrap().parse().unwrap()).collect();
    values.sort_unstable();
    values.dedup();
    values
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_see_their_own_department_and_those_below_in_tables_queries_history_and_log() {
    let service = Service::start().await;
    let admin = &service.admin;
    let goods = [Uuid::now_v7(), Uuid::now_v7()];
    let [supplier, part] = goods;
    admin
        .post(
            &format!("/v1/cloudwatcher/suppliers/{supplier}/enter"),
            &json!({"name": "Acme"}),
        )
        .await
        .ok();
    let entry = json!({"part_code": "P", "name": "bolt"});
    admin
        .post(&format!("/v1/cloudwatcher/parts/{part}/enter"), &entry)
        .await
        .ok();
    let company = Department::found(admin, "company", None, goods).await;
    let north = Department::found(admin, "north", Some(&company), goods).await;
    let depot = Department::found(admin, "depot", Some(&north), goods).await;
    let south = Department::found(admin, "south", Some(&company), goods).await;
    let member = service.person(&MEMBER, &[north.id]).await;
    let last = admin.get("/v1/events?limit=1").await.ok();
    let position = last["events"][0]["position"].as_i64().unwrap();
    admin.get_after("/v1/cloudwatcher/orders?limit=1", position).await.ok();

    for (department, status) in [(&company, 404), (&north, 200), (&depot, 200), (&south, 404)] {
        for address in department.addresses() {
            let reply = member.get(&address).await;
            assert_eq!(reply.status, status, "{address}: {}", reply.text);
            assert_eq!(admin.get(&address).await.status, 200, "{address}");
        }
    }
    let mut orders = vec![north.order, depot.order];
    orders.sort_unstable();
    for (table, name) in [
        ("orders", "id"),
        ("order_items", "order_id"),
        ("order_history", "order_id"),
    ] {
        let rows = member.get(&format!("/v1/cloudwatcher/{table}?limit=200")).await.ok();
        assert_eq!(column(&rows, "rows", name), orders, "{table}");
    }
    let mut locations = vec![north.location, depot.location];
    locations.sort_unstable();
    let mut stock = vec![north.stock, depot.stock];
    stock.sort_unstable();
    for (table, name, own) in [
        ("locations", "id", &locations),
        ("inventory", "id", &stock),
        ("stock_levels", "location_id", &locations),
        ("stock_moves", "inventory_id", &stock),
    ] {
        let rows = member.get(&format!("/v1/cloudwatcher/{table}")).await.ok();
        assert_eq!(column(&rows, "rows", name), *own, "{table}");
    }
    for department in [&company, &north, &depot, &south] {
        let reorder = format!("/v1/cloudwatcher/inventory/reorder?location_id={}", department.location);
        let found = column(&member.get(&reorder).await.ok(), "rows", "id");
        let is_own = stock.contains(&department.stock);
        assert_eq!(found, if is_own { vec![department.stock] } else { Vec::new() });
    }
    for (aggregate, streams) in [("order", orders), ("location", locations), ("inventory", stock)] {
        let log = member
            .get(&format!(
                "/v1/events?context=cloudwatcher&aggregate={aggregate}&limit=200"
            ))
            .await
            .ok();
        assert_eq!(column(&log, "events", "stream"), streams, "{aggregate}");
    }
    service.end().await;
}
