//! The catalogue as those find it who buy and stock by it: what is cheapest for what is needed, codes that people call the
//! same, amounts that a currency can be paid in, and what is struck.

use std::time::Duration;

use cloudwatcher::inventory::StockKey;
use serde_json::{Value, json};
use tests::{Client, Service, until};
use uuid::Uuid;

const WAIT: Duration = Duration::from_secs(30);

/// A company with a depot, a part and a supplier.
struct Company {
    service: Service,
    department: Uuid,
    depot: Uuid,
    part: Uuid,
    supplier: Uuid,
}

impl Company {
    async fn founded() -> Self {
        let service = Service::start().await;
        let admin = &service.admin;
        let department = made(admin, "/v1/identity/departments", &json!({"name": "Workshop"})).await;
        let depot = json!({"name": "Depot", "dept_id": department});
        let depot = made(admin, "/v1/cloudwatcher/locations", &depot).await;
        let part = json!({"part_code": "P-1", "name": "bolt"});
        let part = made(admin, "/v1/cloudwatcher/parts", &part).await;
        let supplier = made(admin, "/v1/cloudwatcher/suppliers", &json!({"name": "Acme"})).await;
        Self {
            department,
            depot,
            part,
            supplier,
            service,
        }
    }

    fn admin(&self) -> &Client {
        &self.service.admin
    }

    /// A price offer of the part by a supplier of its own.
    async fn offered(&self, name: &str, offer: Value) -> Uuid {
        let supplier = made(self.admin(), "/v1/cloudwatcher/suppliers", &json!({"name": name})).await;
        let mut offer = offer;
        offer["part_id"] = json!(self.part);
        offer["supplier_id"] = json!(supplier);
        made(self.admin(), "/v1/cloudwatcher/part-suppliers", &offer).await
    }

    fn item(&self, quantity: i32, unit_price: &str) -> Value {
        json!({"part_id": self.part, "supplier_id": self.supplier, "quantity": quantity, "unit_price": unit_price})
    }

    fn draft(&self, currency: &str, item: &Value) -> Value {
        json!({"department_id": self.department, "currency": currency, "items": [item]})
    }

    /// The record of the part in the depot, with a command to it.
    fn stock(&self, command: &str) -> String {
        let key = StockKey {
            part_id: self.part,
            variant_id: None,
            location_id: self.depot,
        };
        format!(
            "/v1/cloudwatcher/inventory/{}/{command}",
            key.stream(self.service.tenant)
        )
    }

    /// Opens that record, with a point to reorder at; the suggestion that follows, once it is noted by what it names.
    async fn low(&self) -> Value {
        let open = json!({"part_id": self.part, "location_id": self.depot, "reorder_point": 5});
        let opened = self.admin().post("/v1/cloudwatcher/inventory", &open).await;
        self.suggestions(opened.position()).await[0].clone()
    }

    async fn suggestions(&self, position: i64) -> Vec<Value> {
        let path = "/v1/cloudwatcher/reorder_suggestions";
        let page = self.admin().get_after(path, position).await.ok();
        page["rows"].as_array().unwrap().clone()
    }
}

/// What is made with a POST, by its stream.
async fn made(client: &Client, path: &str, body: &Value) -> Uuid {
    let answer = client.post(path, body).await.ok();
    answer["stream"].as_str().unwrap().parse().unwrap()
}

fn column(page: &Value, name: &str) -> Vec<Value> {
    let rows = page["rows"].as_array().unwrap().iter();
    rows.map(|row| row[name].clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_offer_that_is_cheapest_for_what_is_needed_comes_first() {
    let company = Company::founded().await;
    for (name, cost, currency, minimum, pack) in [
        ("bulk", "0.99", "EUR", 4_000, 1),
        ("shop", "1.00", "EUR", 1, 1),
        ("packer", "0.80", "EUR", 1, 10),
        ("overseas", "1", "JPY", 1, 1),
    ] {
        let offer = json!({
            "supplier_cost": cost, "currency": currency, "minimum_order_qty": minimum, "pack_qty": pack,
        });
        company.offered(name, offer).await;
    }
    let admin = company.admin();
    let position = admin
        .post(
            &company.stock("open"),
            &json!({"part_id": company.part, "location_id": company.depot}),
        )
        .await
        .position();
    let path = format!("/v1/cloudwatcher/part-suppliers/best?part_id={}", company.part);
    let best = async |more: &str| {
        let page = admin.get_after(&format!("{path}{more}"), position).await.ok();
        let names: Vec<String> = column(&page, "supplier")
            .iter()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect();
        (names, page)
    };
    let (names, page) = best("&quantity=6&currency=EUR").await;
    assert_eq!(names, ["shop", "packer", "bulk"]);
    assert_eq!(column(&page, "quantity_to_order"), [6, 10, 4_000]);
    let costs: Vec<f64> = column(&page, "cost_to_order")
        .iter()
        .map(|cost| cost.as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!(costs, [6.0, 8.0, 3_960.0]);
    assert_eq!(best("&quantity=9&currency=EUR").await.0, ["packer", "shop", "bulk"]);
    assert_eq!(best("&quantity=4000&currency=EUR").await.0, ["packer", "bulk", "shop"]);
    assert_eq!(best("&currency=JPY").await.0, ["overseas"]);
    // Without a currency those of each stand together.
    assert_eq!(best("&quantity=6").await.0, ["shop", "packer", "bulk", "overseas"]);
    assert_eq!(best("").await.0, ["shop", "packer", "bulk", "overseas"]);
    let none = admin.get(&format!("{path}&quantity=0")).await.problem(400);
    assert_eq!(none["field"], "quantity", "{none}");
    company.service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suggestion_is_accepted_with_the_cheapest_offer_for_what_is_suggested() {
    let company = Company::founded().await;
    let bulk = json!({"supplier_cost": "0.99", "currency": "EUR", "minimum_order_qty": 4_000});
    let bulk = company.offered("bulk", bulk).await;
    let shop = json!({"supplier_cost": "1.00", "currency": "EUR", "pack_qty": 4});
    company.offered("shop", shop).await;
    let suggestion = company.low().await;
    assert_eq!(suggestion["quantity"], 6);
    let admin = company.admin();
    let accept = |more: Value| {
        let mut accept = json!({"suggestion_id": suggestion["id"]});
        accept
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        accept
    };
    let path = company.stock("accept-reorder");
    // Fewer than the supplier sells are warned of, and refused where the policy says so.
    let few = accept(json!({"part_supplier_id": bulk, "quantity": 10}));
    let dry = admin
        .request(reqwest::Method::POST, &path)
        .header("Daybook-Dry-Run", "true");
    let told = admin.send(dry.json(&few)).await.ok();
    let warning = "items[0].quantity is 10, and the supplier sells no fewer than 4000; order 4000";
    assert_eq!(told["warnings"], json!([warning]), "{told}");
    let other = accept(json!({"part_supplier_id": bulk, "currency": "JPY"}));
    assert_eq!(admin.post(&path, &other).await.problem(400)["field"], "currency");
    let policy = made(admin, "/v1/cloudwatcher/stock-policies", &json!({"not_sold": "refuse"})).await;
    let refused = admin.post(&path, &few).await.problem(422);
    assert_eq!(
        (&refused["rule"], &refused["field"]),
        (&json!("not-sold"), &json!("quantity")),
        "{refused}"
    );
    let strike = format!("/v1/cloudwatcher/stock-policies/{policy}/strike");
    admin.post(&strike, &json!({})).await.ok();

    let accepted = admin.post(&path, &accept(json!({}))).await;
    assert_eq!(accepted.status, 200, "{}", accepted.text);
    assert_eq!(accepted.json()["warnings"], Value::Null, "{}", accepted.text);
    let items = admin
        .get_after("/v1/cloudwatcher/order_items", accepted.position())
        .await
        .ok();
    // Six are suggested, and are sold by fours.
    assert_eq!(column(&items, "quantity_ordered"), [8]);
    assert_eq!(column(&items, "unit_price"), ["1.00"]);
    company.service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_of_what_is_not_sold_is_warned_of_or_refused_as_the_policy_says() {
    let company = Company::founded().await;
    let admin = company.admin();
    let offer = json!({
        "part_id": company.part, "supplier_id": company.supplier, "supplier_cost": "1.00", "currency": "EUR",
        "minimum_order_qty": 12, "pack_qty": 12,
    });
    made(admin, "/v1/cloudwatcher/part-suppliers", &offer).await;
    let draft = company.draft("EUR", &company.item(10, "1.00"));
    let warned = admin.post("/v1/cloudwatcher/orders", &draft).await.ok();
    let warning = "items[0].quantity is 10, and the supplier sells no fewer than 12, in packs of 12; order 12";
    assert_eq!(warned["warnings"], json!([warning]), "{warned}");
    let order = warned["stream"].as_str().unwrap();
    let fine = company.draft("EUR", &company.item(24, "1.00"));
    assert_eq!(
        admin.post("/v1/cloudwatcher/orders", &fine).await.ok()["warnings"],
        Value::Null
    );

    made(admin, "/v1/cloudwatcher/stock-policies", &json!({"not_sold": "refuse"})).await;
    let refused = admin.post("/v1/cloudwatcher/orders", &draft).await.problem(422);
    assert_eq!(refused["field"], "items[0].quantity", "{refused}");
    assert_eq!(refused["detail"], warning);
    let submit = format!("/v1/cloudwatcher/orders/{order}/submit");
    let refused = admin.post(&submit, &json!({})).await.problem(422);
    assert_eq!(refused["field"], "items[0].quantity", "{refused}");
    let more = format!("/v1/cloudwatcher/orders/{order}/add-item");
    let refused = admin.post(&more, &company.item(13, "1.00")).await.problem(422);
    assert_eq!(refused["field"], "quantity", "{refused}");
    admin.post("/v1/cloudwatcher/orders", &fine).await.ok();
    // What an order buys of one thing counts as a whole.
    admin.post(&more, &company.item(14, "1.00")).await.ok();
    let unapproved = admin.post(&submit, &json!({})).await.problem(422);
    assert_eq!(unapproved["rule"], "no-approver", "{unapproved}");

    // Who sees no price offers is not told what they say, and who cannot reach an order not what it buys.
    let buys = ["cloudwatcher.order.*", "cloudwatcher.orders.read"];
    let buyer = company.service.person(&buys, &[company.department]).await;
    let refused = buyer.post("/v1/cloudwatcher/orders", &draft).await.problem(422);
    assert_eq!(refused["field"], "items[0].quantity", "{refused}");
    assert!(!refused["detail"].as_str().unwrap().contains("12"), "{refused}");
    let elsewhere = made(admin, "/v1/identity/departments", &json!({"name": "Elsewhere"})).await;
    let stranger = company.service.person(&buys, &[elsewhere]).await;
    stranger.post(&more, &company.item(13, "1.00")).await.problem(404);
    company.service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_amount_has_the_plain_form_and_no_more_decimals_than_its_currency() {
    let company = Company::founded().await;
    let admin = company.admin();
    let drafted = async |currency: &str, price: Value| {
        let mut item = company.item(1, "1");
        item["unit_price"] = price;
        admin
            .post("/v1/cloudwatcher/orders", &company.draft(currency, &item))
            .await
    };
    for price in [json!("100"), json!(100), json!("100.00")] {
        assert_eq!(drafted("JPY", price).await.status, 200);
    }
    let refused = drafted("JPY", json!("100.55")).await.problem(422);
    assert_eq!(refused["field"], "items[0].unit_price", "{refused}");
    let refused = drafted("KWD", json!("1.23")).await.problem(422);
    assert_eq!(refused["field"], "currency", "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("3 decimals"), "{refused}");
    for price in ["1_000.50", "+5", "1e3", " 5", "5."] {
        let refused = drafted("EUR", json!(price)).await.problem(400);
        assert_eq!(refused["field"], "items[0].unit_price", "{price}: {refused}");
    }
    let policy = json!({"currencies": [{"currency": "JPY", "thresholds": ["100.55"]}]});
    let refused = admin
        .post("/v1/cloudwatcher/approval-policies", &policy)
        .await
        .problem(422);
    assert_eq!(refused["field"], "currencies", "{refused}");
    for total in ["1_000", "+5"] {
        let path = format!("/v1/cloudwatcher/orders?total=gte.{}", total.replace('+', "%2B"));
        admin.get(&path).await.problem(400);
    }
    company.service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codes_that_a_person_would_call_the_same_are_taken_once() {
    let company = Company::founded().await;
    let admin = company.admin();
    for code in ["p-1", "P-1 ", " P-1", "P\u{200b}-1", "Ｐ-1"] {
        let part = json!({"part_code": code, "name": "another"});
        let claimed = admin.post("/v1/cloudwatcher/parts", &part).await.problem(409);
        assert_eq!(claimed["claim"], "parts.part_code", "{code:?}: {claimed}");
    }
    let variant = |code: &str| json!({"part_id": company.part, "variant_code": code});
    let path = "/v1/cloudwatcher/part-variants";
    made(admin, path, &variant("Red M")).await;
    admin.post(path, &variant("red  m")).await.problem(409);
    // Within its part alone.
    let other = made(
        admin,
        "/v1/cloudwatcher/parts",
        &json!({"part_code": "P-2", "name": "nut"}),
    )
    .await;
    made(admin, path, &json!({"part_id": other, "variant_code": "red m"})).await;
    company.service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_struck_is_suggested_no_more_and_a_struck_location_takes_nothing_in() {
    let company = Company::founded().await;
    let admin = company.admin();
    assert_eq!(company.low().await["status"], "open");
    let fill = json!({"quantity": 3});
    let position = admin.post(&company.stock("receive"), &fill).await.position();
    company.suggestions(position).await;
    let litres = json!({"part_code": "P-1", "name": "bolt", "unit_of_measure": "litre"});
    let amend = format!("/v1/cloudwatcher/parts/{}/amend", company.part);
    let look = || async {
        let refused = admin.post(&amend, &litres).await;
        (refused.status == 422).then(|| refused.problem(422))
    };
    // The note that it is stocked is a moment behind.
    let (refused, _) = until("the unit of measure to stay", WAIT, look).await;
    assert_eq!(refused["field"], "unit_of_measure", "{refused}");

    let strike = async |plural: &str, id: Uuid| {
        let struck = admin
            .post(&format!("/v1/cloudwatcher/{plural}/{id}/strike"), &json!({}))
            .await;
        assert_eq!(struck.status, 200, "{}", struck.text);
        (struck.json()["warnings"].clone(), struck.position())
    };
    let (warnings, position) = strike("parts", company.part).await;
    let told = warnings[0].as_str().unwrap();
    assert!(
        told.starts_with("3 are on hand and 0 on order under 1 stock keys"),
        "{told}"
    );
    let look = || async {
        let rows = company.suggestions(position).await;
        (rows.len() == 1 && rows[0]["status"] == "lapsed").then_some(())
    };
    until("the suggestion to end", WAIT, look).await;
    // Goods go out, and nothing is suggested though there are fewer.
    let position = admin
        .post(&company.stock("issue"), &json!({"quantity": 1}))
        .await
        .position();
    assert_eq!(company.suggestions(position).await.len(), 1);

    let (warnings, _) = strike("locations", company.depot).await;
    assert!(warnings[0].as_str().unwrap().contains("moved out"), "{warnings}");
    let refused = admin.post(&company.stock("receive"), &fill).await.problem(422);
    assert_eq!(refused["rule"], "location-struck", "{refused}");
    let yard = json!({"name": "Yard", "dept_id": company.department});
    let yard = made(admin, "/v1/cloudwatcher/locations", &yard).await;
    let away = json!({"to_location_id": yard, "quantity": 1});
    let refused = admin.post(&company.stock("transfer"), &away).await.problem(422);
    // A record of a struck part is opened nowhere.
    assert_eq!(refused["field"], "part_id", "{refused}");
    admin
        .post(&company.stock("count"), &json!({"seen": 2, "counted": 1}))
        .await
        .ok();
    admin.post(&company.stock("issue"), &json!({"quantity": 1})).await.ok();
    company.service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_count_of_what_the_book_did_not_say_is_asked_again() {
    let company = Company::founded().await;
    let admin = company.admin();
    let open = json!({"part_id": company.part, "location_id": company.depot});
    let opened = admin.post("/v1/cloudwatcher/inventory", &open).await.ok();
    admin
        .post(&company.stock("receive"), &json!({"quantity": 28}))
        .await
        .ok();
    let path = company.stock("count");
    let refused = admin.post(&path, &json!({"seen": 0, "counted": 28})).await.problem(422);
    assert_eq!(
        (&refused["rule"], &refused["field"]),
        (&json!("seen-otherwise"), &json!("seen")),
        "{refused}"
    );
    assert!(
        refused["detail"].as_str().unwrap().contains("28 are on hand"),
        "{refused}"
    );
    // By a list from before they came, on which nothing was missing.
    let seen = json!({"seen": 0, "counted": 0, "seen_sequence": opened["sequence"]});
    let counted = admin.post(&path, &seen).await;
    assert_eq!(counted.status, 200, "{}", counted.text);
    let rows = admin
        .get_after("/v1/cloudwatcher/inventory", counted.position())
        .await
        .ok();
    assert_eq!(column(&rows, "quantity_on_hand"), [28]);
    company.service.end().await;
}

/// A claim as the book stores it: digest and holder.
type Stored = (Vec<u8>, String);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codes_of_before_are_taken_when_a_process_starts_and_two_that_are_alike_both_stay() {
    let company = Company::founded().await;
    let admin = company.admin();
    let pools = book::Pools::connect(&company.service.database.options).await.unwrap();
    let claims = async || -> Vec<Stored> {
        let stored = "select digest, aggregate_id from book.claims where name = 'parts.part_code' order by digest";
        sqlx::query_as(stored).fetch_all(&pools.owner).await.unwrap()
    };
    let forget = async || {
        let all = "delete from book.claims where name = 'parts.part_code'";
        sqlx::query(all).execute(&pools.owner).await.unwrap();
    };
    let part = |code: &str| json!({"part_code": code, "name": "washer"});
    forget().await;
    // As a former version took them: each as it is written alone, which is what one has and not the other.
    let path = "/v1/cloudwatcher/parts";
    let first = made(admin, path, &part("W-1")).await;
    let of_first = claims().await;
    forget().await;
    let second = made(admin, path, &part("w-1 ")).await;
    let of_second = claims().await;
    forget().await;
    let alike = of_first
        .iter()
        .find(|(digest, _)| of_second.iter().any(|(other, _)| other == digest));
    let alike = alike.unwrap().0.clone();
    for (digest, holder) in of_first.iter().chain(&of_second).filter(|(digest, _)| *digest != alike) {
        let take = "insert into book.claims values ($1, 'parts.part_code', $2, 'cloudwatcher.part', $3)";
        let take = sqlx::query(take).bind(company.service.tenant).bind(digest).bind(holder);
        take.execute(&pools.owner).await.unwrap();
    }
    let master = book::MasterKey::from_hex(tests::ledger::MASTER_KEY).unwrap();
    let book = book::Book::new(pools.writer.clone(), master, tests::decisions());
    for _ in 0..2 {
        cloudwatcher_http::codes::take(&book).await.unwrap();
        let holders: Vec<_> = claims()
            .await
            .into_iter()
            .filter(|(digest, _)| *digest == alike)
            .collect();
        assert_eq!(holders.len(), 1);
        assert_eq!(claims().await.len(), 3);
    }
    admin.post(path, &part("W\u{a0}-1")).await.ok();
    admin.post(path, &part("Ｗ-1")).await.problem(409);
    for (id, code) in [(first, "W-1"), (second, "w-1 ")] {
        let amend = format!("/v1/cloudwatcher/parts/{id}/amend");
        let renamed = json!({"part_code": code, "name": "renamed"});
        admin.post(&amend, &renamed).await.ok();
    }
    pools.close().await;
    company.service.end().await;
}
