//! The API with all its workers: what a client may do, sees, and is told when it may not.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tests::service::person;
use tests::{Client, Service};
use uuid::Uuid;

/// What an order needs: a department, a supplier, a part.
struct Goods {
    department: Uuid,
    supplier: Uuid,
    part: Uuid,
}

async fn goods(admin: &Client) -> Goods {
    let (department, supplier, part) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    let manager = person(admin, admin.tenant, &["orders.approve"], &[]).await;
    admin
        .post(
            &format!("/v1/identity/departments/{department}/enter"),
            &json!({"name": "Workshop", "manager_id": manager.user}),
        )
        .await
        .ok();
    admin
        .post(
            &format!("/v1/cloudwatcher/suppliers/{supplier}/enter"),
            &json!({"name": "Acme"}),
        )
        .await
        .ok();
    let code = part.simple().to_string();
    let body = json!({"part_code": code, "name": "bolt"});
    admin
        .post(&format!("/v1/cloudwatcher/parts/{part}/enter"), &body)
        .await
        .ok();
    Goods {
        department,
        supplier,
        part,
    }
}

fn draft(goods: &Goods) -> Value {
    let item = json!({"part_id": goods.part, "supplier_id": goods.supplier, "quantity": 10, "unit_price": "2.50"});
    json!({"department_id": goods.department, "currency": "EUR", "items": [item, item]})
}

async fn drafted(client: &Client, goods: &Goods) -> (Uuid, i64) {
    let order = Uuid::now_v7();
    let reply = client
        .post(&format!("/v1/cloudwatcher/orders/{order}/draft"), &draft(goods))
        .await;
    let position = reply.json()["position"].as_i64().unwrap_or_default();
    reply.ok();
    (order, position)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_goes_from_draft_to_rows_history_and_blame() {
    let service = Service::start().await;
    let admin = &service.admin;
    let goods = goods(admin).await;
    let (order, position) = drafted(admin, &goods).await;
    let items = admin
        .get_after(&format!("/v1/cloudwatcher/order_items?order_id={order}"), position)
        .await
        .ok();
    let items = items["rows"].as_array().unwrap();
    assert_eq!(items.len(), 2, "the same part twice stays two items");
    let item = items[0]["id"].as_str().unwrap();

    let path = format!("/v1/cloudwatcher/orders/{order}");
    let changed = admin
        .post(&format!("{path}/change-item"), &json!({"item_id": item, "quantity": 4}))
        .await;
    assert_eq!(changed.headers["etag"], "\"2\"");
    changed.ok();
    let submitted = admin.post(&format!("{path}/submit"), &json!({})).await;
    let position = submitted.position();
    let answer = submitted.ok();
    assert_eq!(answer["events"], json!(["OrderSubmitted"]));

    let row = admin.get_after(&path, position).await.ok();
    assert_eq!(
        (&row["status"], &row["total"]),
        (&json!("pending-approval"), &json!("35.00")),
        "{row}"
    );
    let history = admin
        .get(&format!(
            "/v1/cloudwatcher/order_history?order_id={order}&order=created_at.asc"
        ))
        .await
        .ok();
    let words: Vec<_> = history["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["event_type"].clone())
        // What follows is the approval that Daybook asks for by itself.
        .take(3)
        .collect();
    assert_eq!(
        words,
        [json!("created"), json!("item-changed"), json!("submitted")],
        "{history}"
    );
    let blame = admin.get(&format!("{path}/history")).await.ok();
    assert!(blame.to_string().contains("pending-approval"), "{blame}");
    let before = admin.get(&format!("{path}?at={}", position - 1)).await.ok();
    assert_eq!(before["status"], "draft");
    let stream = admin.get(&format!("/v1/streams/cloudwatcher/order/{order}")).await.ok();
    assert!(stream.to_string().contains("OrderSubmitted"), "{stream}");
    let found = admin
        .get("/v1/cloudwatcher/orders?status=eq.pending-approval")
        .await
        .ok();
    assert_eq!(found["rows"].as_array().unwrap().len(), 1);
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_with_its_key_gets_the_same_bytes_and_another_body_a_409() {
    let service = Service::start().await;
    let admin = &service.admin;
    let body = json!({"name": "Acme"});
    let enter = |body: &Value| {
        let request = admin
            .request(Method::POST, "/v1/cloudwatcher/suppliers")
            .header("Idempotency-Key", "k-1")
            .json(body);
        admin.send(request)
    };
    let first = enter(&body).await;
    let again = enter(&body).await;
    assert_eq!(first.text, again.text);
    first.ok();
    enter(&json!({"name": "Bolts"})).await.problem(409);
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_may_write_the_same_json_in_other_words_and_no_other_json() {
    let service = Service::start().await;
    let admin = &service.admin;
    let goods = goods(admin).await;
    let (part, supplier) = (goods.part, goods.supplier);
    let (order, _) = drafted(admin, &goods).await;
    let add = |body: String| {
        let path = format!("/v1/cloudwatcher/orders/{order}/add-item");
        let request = admin.request(Method::POST, &path).header("Idempotency-Key", "k-1");
        admin.send(
            request
                .header("content-type", "application/json; charset=utf-8")
                .body(body),
        )
    };
    let first = add(format!(
        r#"{{"part_id":"{part}","supplier_id":"{supplier}","quantity":1,"unit_price":2.5}}"#
    ));
    let first = first.await;
    assert_eq!(first.status, 200, "{}", first.text);
    for spelled in ["2.5", "2.50", "25e-1", "0.25E1"] {
        let again = add(format!(
            "\t{{ \"unit_price\" : {spelled},\r\n  \"quantity\": 1, \"supplier_id\": \"{supplier}\", \"\\u0070art_id\": \"{part}\" }}\n"
        ));
        assert_eq!(again.await.text, first.text, "{spelled}");
    }
    // The same amount as a text is another body, as is a field more.
    for other in [r#""2.5""#, "2.51", r#"2.5,"expected_delivery_date":null"#] {
        let body = format!(r#"{{"part_id":"{part}","supplier_id":"{supplier}","quantity":1,"unit_price":{other}}}"#);
        let refused = add(body).await.problem(409);
        assert_eq!(refused["type"], "/problems/key-reused", "{other}");
    }
    // A field that is there twice is no JSON that can be understood, whatever the first attempt was.
    let twice = r#"{"quantity":1,"quantity":1}"#.to_owned();
    add(twice).await.problem(400);
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_gets_a_clear_refusal_and_writes_nothing() {
    let service = Service::start().await;
    let admin = &service.admin;
    let goods = goods(admin).await;
    let (order, position) = drafted(admin, &goods).await;
    let path = format!("/v1/cloudwatcher/orders/{order}");
    let raw = |path: &str, body: &'static str, content_type: &'static str| {
        admin.send(
            admin
                .request(Method::POST, path)
                .header("content-type", content_type)
                .body(body),
        )
    };
    raw(&format!("{path}/submit"), "{", "application/json")
        .await
        .problem(400);
    let unknown = raw(&format!("{path}/add-item"), r#"{"colour": "red"}"#, "application/json")
        .await
        .problem(400);
    assert!(unknown.to_string().contains("colour"), "{unknown}");
    raw(&format!("{path}/submit"), "a=b", "application/x-www-form-urlencoded")
        .await
        .problem(415);
    let huge = json!({"name": "x".repeat(3 << 20)});
    admin.post("/v1/cloudwatcher/suppliers", &huge).await.problem(413);
    admin.post(&format!("{path}/fly"), &json!({})).await.problem(404);
    admin.post("/v1/cloudwatcher/dragons", &json!({})).await.problem(404);
    admin
        .post(
            &format!("/v1/cloudwatcher/orders/{}/submit", Uuid::now_v7()),
            &json!({}),
        )
        .await
        .problem(404);
    admin
        .post("/v1/cloudwatcher/orders/no-uuid/submit", &json!({}))
        .await
        .problem(400);
    let stale = admin
        .request(Method::POST, &format!("{path}/submit"))
        .header("If-Match", "\"9\"")
        .json(&json!({}));
    admin.send(stale).await.problem(412);
    let mut bad = draft(&goods);
    bad["items"][1]["quantity"] = json!(0);
    let refused = admin.post("/v1/cloudwatcher/orders", &bad).await.problem(422);
    assert!(
        refused["field"].as_str().unwrap().contains("items[1].quantity"),
        "{refused}"
    );
    assert!(refused["rule"].is_string(), "{refused}");
    for (price, status) in [
        (json!("2.555"), 422),
        (json!("-1"), 422),
        (json!("100000000"), 422),
        (json!("NaN"), 400),
        (json!(null), 400),
    ] {
        let mut bad = draft(&goods);
        bad["items"][0]["unit_price"] = price;
        let refused = admin.post("/v1/cloudwatcher/orders", &bad).await.problem(status);
        assert!(
            refused["field"].as_str().unwrap().contains("items[0].unit_price"),
            "{refused}"
        );
    }
    let mut nul = draft(&goods);
    nul["note"] = json!("a\u{0}b");
    admin.post("/v1/cloudwatcher/orders", &nul).await.problem(422);
    let code = json!({"part_code": goods.part.simple().to_string(), "name": "another"});
    let taken = admin.post("/v1/cloudwatcher/parts", &code).await.problem(409);
    assert!(taken.to_string().contains("part_code"), "{taken}");
    admin.get("/v1/cloudwatcher/orders?colour=red").await.problem(400);
    admin
        .get("/v1/cloudwatcher/orders?created_at=gte.yesterday")
        .await
        .problem(400);
    admin.get("/v1/cloudwatcher/orders?order=note.asc").await.problem(400);
    admin.get("/v1/cloudwatcher/orders?limit=100000").await.problem(400);
    admin.get("/v1/cloudwatcher/orders?after=nonsense").await.problem(400);
    admin
        .get(&format!("/v1/cloudwatcher/orders/{}", Uuid::now_v7()))
        .await
        .problem(404);
    admin.send(admin.request(Method::DELETE, &path)).await.problem(405);
    admin.get("/v1/events?direction=backward").await.problem(400);
    let log = admin.get("/v1/events?limit=1&order=desc").await.ok();
    assert_eq!(
        log["events"][0]["position"], position,
        "no event for a refused command: {log}"
    );
    let pool = sqlx::PgPool::connect_with(service.database.options.clone())
        .await
        .unwrap();
    let last: i64 = sqlx::query_scalar("select book.last_position()")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(last, position, "nor in any other tenant");
    pool.close().await;
    service.end().await;
}

/// Every route, as somebody of another tenant and as somebody of another department.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_sees_or_changes_what_is_anothers() {
    let service = Service::start().await;
    let admin = &service.admin;
    let goods = goods(admin).await;
    let elsewhere = Uuid::now_v7();
    admin
        .post(
            &format!("/v1/identity/departments/{elsewhere}/enter"),
            &json!({"name": "Elsewhere"}),
        )
        .await
        .ok();
    let (order, _) = drafted(admin, &goods).await;
    let outsider = service
        .person(&["cloudwatcher.*", "identity.*", "audit.read"], &[elsewhere])
        .await;
    let insider = service.person(&["cloudwatcher.*"], &[goods.department]).await;
    let (_, position) = drafted(&insider, &goods).await;
    let orders = insider.get_after("/v1/cloudwatcher/orders", position).await.ok();
    assert_eq!(orders["rows"].as_array().unwrap().len(), 2);

    let other = Service::start_tenant(&service).await;
    for stranger in [&outsider, &other] {
        for path in [
            format!("/v1/cloudwatcher/orders/{order}"),
            format!("/v1/cloudwatcher/orders/{order}/history"),
            format!("/v1/cloudwatcher/orders/{order}?at={position}"),
            format!("/v1/streams/cloudwatcher/order/{order}"),
            format!("/v1/streams/cloudwatcher/order/{order}/state"),
        ] {
            let refused = stranger.get_after(&path, position).await.problem(404);
            assert_eq!(refused["type"], "/problems/not-found", "{path}");
        }
        for table in ["orders", "order_items", "order_history"] {
            let rows = stranger
                .get_after(&format!("/v1/cloudwatcher/{table}"), position)
                .await
                .ok();
            assert_eq!(rows["rows"], json!([]), "{table}");
        }
        let events = stranger.get("/v1/events?type=OrderDrafted").await.ok();
        assert_eq!(events["events"], json!([]));
        for (command, body) in [
            ("submit", json!({})),
            ("cancel", json!({})),
            ("add-item", draft(&goods)["items"][0].clone()),
        ] {
            stranger
                .post(&format!("/v1/cloudwatcher/orders/{order}/{command}"), &body)
                .await
                .problem(404);
        }
    }
    outsider
        .post("/v1/cloudwatcher/orders", &draft(&goods))
        .await
        .problem(403);
    let copy = outsider
        .post(
            &format!("/v1/cloudwatcher/orders/{}/duplicate", Uuid::now_v7()),
            &json!({"of": order}),
        )
        .await
        .problem(422);
    assert!(!copy.to_string().contains("EUR"), "{copy}");
    let nobody = service.person(&[], &[goods.department]).await;
    let refused = nobody
        .post(&format!("/v1/cloudwatcher/orders/{order}/submit"), &json!({}))
        .await
        .problem(403);
    assert_eq!(refused["permission"], "cloudwatcher.order.submit");
    nobody.get("/v1/cloudwatcher/orders").await.problem(403);
    nobody.get("/v1/events").await.problem(403);
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_live_stream_resumes_without_a_seam() {
    let service = Service::start().await;
    let admin = &service.admin;
    let entered = |n: u32| {
        let admin = admin.clone();
        async move {
            admin
                .post("/v1/cloudwatcher/suppliers", &json!({"name": format!("Acme {n}")}))
                .await
                .position()
        }
    };
    let first = entered(1).await;
    let read = |after: i64, count: usize| {
        let request = admin
            .request(Method::GET, "/v1/events/stream")
            .header("Last-Event-ID", after.to_string());
        async move {
            let mut response = request.send().await.unwrap();
            assert_eq!(response.status(), 200);
            let mut text = String::new();
            loop {
                // Frames without data only tell where the stream stands.
                let frames = text
                    .split_inclusive("\n\n")
                    .filter(|frame| frame.ends_with("\n\n") && frame.contains("data:"));
                let ids = frames
                    .flat_map(|frame| frame.lines())
                    .filter_map(|line| line.strip_prefix("id:"));
                let place = |id: &str| id.trim().split('.').next().unwrap().parse().unwrap();
                let ids: Vec<i64> = ids.map(place).collect();
                if ids.len() >= count {
                    return ids;
                }
                let chunk = tokio::time::timeout(Duration::from_secs(10), response.chunk())
                    .await
                    .expect("in time");
                text.push_str(std::str::from_utf8(&chunk.unwrap().unwrap()).unwrap());
            }
        }
    };
    let live = tokio::spawn(read(first, 3));
    for n in 2..5 {
        entered(n).await;
    }
    let seen = live.await.unwrap();
    assert_eq!(seen[..3], [first + 1, first + 2, first + 3]);
    assert_eq!(read(first + 1, 2).await[..2], [first + 2, first + 3]);
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_metrics_and_documents_are_served() {
    let service = Service::start().await;
    let admin = &service.admin;
    for path in [
        "/health/live",
        "/health/ready",
        "/metrics",
        "/v1/openapi.json",
        "/docs/",
    ] {
        let reply = admin.with_token("").get(path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text);
    }
    let document = admin.get("/v1/openapi.json").await.ok();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    admin.get("/v1/nowhere").await.problem(404);
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_made_can_be_read_where_the_answer_says_and_what_takes_no_parameters_refuses_them() {
    let service = Service::start().await;
    let admin = &service.admin;
    let email = format!("{}@example.com", Uuid::now_v7().simple());
    let code = Uuid::now_v7().simple().to_string();
    for (path, body) in [
        ("/v1/identity/users", json!({"name": "Grace", "email": email})),
        ("/v1/identity/departments", json!({"name": "Workshop"})),
        ("/v1/cloudwatcher/parts", json!({"part_code": code, "name": "bolt"})),
    ] {
        let made = admin.post(path, &body).await;
        let location = made.headers["location"].to_str().unwrap();
        admin.get_after(location, made.position()).await.ok();
    }
    for path in [
        "/v1/me",
        "/v1/permissions",
        "/v1/events/types",
        "/v1/openapi.json",
        "/v1/admin/parked",
        "/v1/admin/policies",
        "/v1/admin/reactors",
        "/problems/claimed",
        "/problems/identity.user/last-administrator",
        "/v1/identity/keys",
    ] {
        let url = format!("{path}?nothing=1");
        assert_eq!(admin.get(&url).await.problem(400)["field"], "nothing", "{url}");
    }
    service.end().await;
}
