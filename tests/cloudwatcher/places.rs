//! Rows come in the order in which things happened, also those of one command, which are of one time.

use futures::future::join_all;
use http::query::cursor::Cursor;
use projections::Table;
use serde_json::{Value, json};
use sqlx::PgPool;
use tests::{Client, Service};
use uuid::Uuid;

/// Orders that are received in full.
const ORDERS: usize = 24;
/// Lines with which each is drafted; one is added later.
const LINES: i64 = 4;

/// A company in which small orders need nobody's approval.
struct Shop {
    service: Service,
    department: Uuid,
    supplier: Uuid,
    part: Uuid,
}

impl Shop {
    async fn opened() -> Self {
        let service = Service::start().await;
        let admin = &service.admin;
        let made = async |path: &str, body: Value| -> Uuid {
            let answer = admin.post(path, &body).await.ok();
            answer["stream"].as_str().unwrap().parse().unwrap()
        };
        let department = made("/v1/identity/departments", json!({"name": "Workshop"})).await;
        let supplier = made("/v1/cloudwatcher/suppliers", json!({"name": "Acme"})).await;
        let part = json!({"part_code": "P-1", "name": "bolt"});
        let part = made("/v1/cloudwatcher/parts", part).await;
        let thresholds = json!({"currencies": [{"currency": "EUR", "thresholds": [1_000_000]}]});
        made("/v1/cloudwatcher/approval-policies", thresholds).await;
        Self {
            service,
            department,
            supplier,
            part,
        }
    }

    /// Of so many parts, by which the line is known again.
    fn line(&self, quantity: i64) -> Value {
        json!({"part_id": self.part, "supplier_id": self.supplier, "quantity": quantity, "unit_price": "0.10"})
    }

    async fn order(&self, order: Uuid, command: &str, body: Value) -> Value {
        let path = format!("/v1/cloudwatcher/orders/{order}/{command}");
        self.service.admin.post(&path, &body).await.ok()
    }

    /// An order of lines of 1, 2, 3, .. parts that came all at once; and the position of the command that drafted it.
    async fn received(&self) -> (Uuid, i64) {
        let (admin, order) = (&self.service.admin, Uuid::now_v7());
        let items: Vec<Value> = (1..=LINES).map(|quantity| self.line(quantity)).collect();
        let draft = json!({"department_id": self.department, "currency": "EUR", "items": items});
        let drafted = self.order(order, "draft", draft).await["position"].as_i64().unwrap();
        self.order(order, "add-item", self.line(LINES + 1)).await;
        let submitted = self.order(order, "submit", json!({})).await["position"]
            .as_i64()
            .unwrap();
        let path = format!("/v1/cloudwatcher/orders/{order}");
        admin.get_after(&path, submitted).await.ok();
        admin.until(&path, |row| row["status"] == "approved").await;
        self.order(order, "place", json!({})).await;
        let lines = rows(admin, &format!("/v1/cloudwatcher/order_items?order_id={order}")).await;
        let received = lines
            .iter()
            .map(|line| json!({"item_id": line["id"], "quantity": line["quantity_ordered"]}));
        let received = json!({"lines": received.collect::<Vec<_>>()});
        let position = self.order(order, "receive", received).await["position"]
            .as_i64()
            .unwrap();
        admin.get_after(&path, position).await.ok();
        (order, drafted)
    }
}

/// All rows of a list, in pages of 200.
async fn rows(client: &Client, path: &str) -> Vec<Value> {
    paged(client, path, 200).await
}

/// All rows of a list, page by page.
async fn paged(client: &Client, path: &str, limit: usize) -> Vec<Value> {
    let sign = if path.contains('?') { '&' } else { '?' };
    let (mut rows, mut after) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("{path}{sign}limit={limit}{after}")).await.ok();
        rows.extend(page["rows"].as_array().unwrap().iter().cloned());
        let Some(next) = page["next"].as_str() else { return rows };
        after = format!("&after={next}");
    }
}

fn column(rows: &[Value], name: &str) -> Vec<Value> {
    rows.iter().map(|row| row[name].clone()).collect()
}

fn reversed<T>(mut rows: Vec<T>) -> Vec<T> {
    rows.reverse();
    rows
}

/// That the history tells the receipt as it happened, forwards and backwards, page by page.
async fn is_told_in_order(admin: &Client, order: Uuid) -> bool {
    let path = format!("/v1/cloudwatcher/order_history?order_id={order}");
    let forwards = rows(admin, &format!("{path}&order=created_at.asc")).await;
    let positions = column(&forwards, "position");
    let words = column(&forwards, "event_type");
    let (items_received, received) = (&forwards[forwards.len() - 2], &forwards[forwards.len() - 1]);
    assert_eq!(
        items_received["created_at"], received["created_at"],
        "one command is of one time"
    );
    let happened = words.ends_with(&[json!("items-received"), json!("received")])
        && words[0] == "created"
        && positions.is_sorted_by_key(|position| position.as_i64());
    let backwards = rows(admin, &path).await;
    let in_pages = paged(admin, &format!("{path}&order=created_at.asc"), 3).await;
    let pages_back = paged(admin, &format!("{path}&order=created_at.desc"), 2).await;
    happened && in_pages == forwards && backwards == reversed(forwards.clone()) && pages_back == backwards
}

async fn has_its_lines_in_order(admin: &Client, order: Uuid) -> bool {
    let path = format!("/v1/cloudwatcher/order_items?order_id={order}");
    let entered: Vec<Value> = (1..=LINES + 1).map(Value::from).collect();
    let lines = rows(admin, &path).await;
    let pages = paged(admin, &format!("{path}&order=created_at.asc"), 2).await;
    let backwards = rows(admin, &format!("{path}&order=created_at.desc")).await;
    column(&lines, "quantity_ordered") == entered && pages == lines && backwards == reversed(lines)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_command_did_is_listed_as_it_happened_of_every_one_of_many_orders() {
    let shop = Shop::opened().await;
    let admin = &shop.service.admin;
    let orders = join_all((0..ORDERS).map(|_| shop.received())).await;
    let (mut histories, mut lines): (Vec<Uuid>, Vec<Uuid>) = (Vec::new(), Vec::new());
    for (order, _) in &orders {
        histories.extend((!is_told_in_order(admin, *order).await).then_some(*order));
        lines.extend((!has_its_lines_in_order(admin, *order).await).then_some(*order));
    }
    assert!(
        histories.is_empty(),
        "{} of {ORDERS} histories: {histories:?}",
        histories.len()
    );
    assert!(lines.is_empty(), "{} of {ORDERS} orders: {lines:?}", lines.len());

    // A copy has the lines of the order, and one that goes leaves the others where they are.
    let (copy, of) = (Uuid::now_v7(), orders[0].0);
    shop.order(copy, "duplicate", json!({"of": of})).await;
    let path = format!("/v1/cloudwatcher/order_items?order_id={copy}");
    let second = admin
        .until(&path, |page| {
            page["rows"].as_array().is_some_and(|rows| !rows.is_empty())
        })
        .await["rows"][1]["id"]
        .clone();
    let removed = shop.order(copy, "remove-item", json!({"item_id": second})).await;
    let left = admin.get_after(&path, removed["position"].as_i64().unwrap()).await.ok();
    let left = left["rows"].as_array().unwrap();
    assert_eq!(column(left, "quantity_ordered"), [1, 3, 4, 5]);
    assert_eq!(column(left, "place"), [1, 3, 4, 5]);

    // What drafting the order changed, table by table, the lines as they were entered.
    let (order, drafted) = orders[1];
    let audit = "/v1/cloudwatcher/audit_logs";
    let all = rows(admin, &format!("{audit}?order=created_at.asc")).await;
    let of_draft: Vec<Value> = all.iter().filter(|row| row["position"] == drafted).cloned().collect();
    let mut tables = vec!["orders"];
    tables.extend(vec!["order_items"; usize::try_from(LINES).unwrap()]);
    tables.push("order_history");
    assert_eq!(column(&of_draft, "table_name"), tables);
    assert_eq!(
        column(&of_draft, "place"),
        (1..=LINES + 2).map(Value::from).collect::<Vec<_>>()
    );
    let entered = rows(admin, &format!("/v1/cloudwatcher/order_items?order_id={order}")).await;
    assert_eq!(column(&of_draft[1..=4], "record_id"), column(&entered[..4], "id"));
    let place = |row: &Value| (row["position"].as_i64(), row["place"].as_i64());
    assert!(all.is_sorted_by(|row, next| place(row) < place(next)));
    assert!(rows(admin, audit).await == reversed(all));
    shop.service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_row_is_missing_or_twice_in_pages_of_any_order_of_any_table() {
    let shop = Shop::opened().await;
    let admin = &shop.service.admin;
    let contexts = tests::contexts();
    let permissions: Vec<&String> = contexts.permissions().keys().take(30).collect();
    let define = json!({"name": "Many", "permissions": permissions});
    admin.post("/v1/identity/roles", &define).await.ok();
    join_all((0..3).map(|_| shop.received())).await;
    let mut tables = 0;
    for table in cloudwatcher_tables::CONTEXT.all_tables() {
        tables += usize::from(is_paged_exactly(admin, table).await);
    }
    assert!(tables > 10, "{tables} tables have rows");

    // A cursor of the form before, which ended with the key, is refused with what to do.
    let at = vec!["2026-01-31T08:00:00.000001Z".to_owned(), Uuid::now_v7().to_string()];
    let former = Cursor::write("created_at.desc", at.into_iter().map(Some).collect());
    let refused = admin
        .get(&format!("/v1/cloudwatcher/order_history?after={former}"))
        .await;
    let refused = refused.problem(400);
    assert!(refused["detail"].as_str().unwrap().contains("start over"), "{refused}");

    // Tables of a former version, which a process of this one meets until it has rebuilt them.
    let owner = PgPool::connect_with(shop.service.database.options.clone())
        .await
        .unwrap();
    let former = "alter table cloudwatcher.suppliers drop column position";
    sqlx::query(former).execute(&owner).await.unwrap();
    let later = admin.get("/v1/cloudwatcher/suppliers").await.problem(503);
    assert!(later["type"].as_str().unwrap().ends_with("not-yet-posted"), "{later}");
    owner.close().await;
    shop.service.end().await;
}

/// Whether the table has rows; they must be the same in pages of all sizes, whatever orders them.
async fn is_paged_exactly(admin: &Client, table: &'static Table) -> bool {
    let base = format!("/v1/{}/{}", table.context, table.name);
    let count = rows(admin, &base).await.len();
    for column in http::query::order::sortable(table) {
        let by = |direction: &str| format!("{base}?order={}.{direction}", column.name);
        let forwards = rows(admin, &by("asc")).await;
        assert_eq!(forwards.len(), count, "{}", by("asc"));
        assert!(paged(admin, &by("asc"), 7).await == forwards, "{}", by("asc"));
        assert!(
            paged(admin, &by("desc"), 5).await == reversed(forwards),
            "{}",
            by("desc")
        );
    }
    count > 0
}
