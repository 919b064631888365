//! What a refusal tells: no value that the sender may not read, no difference between what is not there and what is
//! out of reach, and nothing that is not so.

use reqwest::Method;
use serde_json::{Value, json};
use tests::service::Reply;
use tests::{Client, Service};
use uuid::Uuid;

use crate::approvals::Company;

async fn made(client: &Client, path: &str, body: &Value) -> Uuid {
    let answer = client.post(path, body).await.ok();
    answer["stream"].as_str().unwrap().parse().unwrap()
}

/// What a problem tells, apart from the request that it answers.
fn told(reply: Reply) -> (u16, Value) {
    let status = reply.status.as_u16();
    let mut problem = reply.problem(status);
    let fields = problem.as_object_mut().unwrap();
    fields.remove("instance");
    fields.remove("request_id");
    (status, problem)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_refusal_tells_the_price_of_an_offer() {
    let service = Service::start().await;
    let admin = &service.admin;
    let department = made(admin, "/v1/identity/departments", &json!({"name": "Workshop"})).await;
    let depot = json!({"name": "Depot", "dept_id": department});
    let location = made(admin, "/v1/cloudwatcher/locations", &depot).await;
    let thresholds = json!({"currencies": [{"currency": "CHF", "thresholds": [1_000]}]});
    made(admin, "/v1/cloudwatcher/approval-policies", &thresholds).await;
    let supplier = made(admin, "/v1/cloudwatcher/suppliers", &json!({"name": "Acme"})).await;
    let mut parts = Vec::new();
    for (code, cost) in [("P-1", Some("47.11")), ("P-2", Some("47.11")), ("P-3", None)] {
        let part = json!({"part_code": code, "name": "bolt"});
        let part = made(admin, "/v1/cloudwatcher/parts", &part).await;
        let offer = json!({"part_id": part, "supplier_id": supplier, "supplier_cost": cost, "currency": "CHF"});
        parts.push((part, made(admin, "/v1/cloudwatcher/part-suppliers", &offer).await));
    }
    let open = json!({"part_id": parts[0].0, "location_id": location, "reorder_point": 5});
    let opened = admin.post("/v1/cloudwatcher/inventory", &open).await;
    let stock = opened.json()["stream"].as_str().unwrap().to_owned();
    let path = format!("/v1/cloudwatcher/reorder_suggestions?inventory_id={stock}");
    let suggestions = admin.get_after(&path, opened.position()).await.ok();
    let suggestion = suggestions["rows"][0]["id"].clone();

    let permissions = ["cloudwatcher.inventory.accept-reorder", "cloudwatcher.order.*"];
    let clerk = service.person(&permissions, &[department]).await;
    let path = format!("/v1/cloudwatcher/inventory/{stock}/accept-reorder");
    let accept = |offer: Uuid, quantity: i32| json!({"suggestion_id": suggestion, "part_supplier_id": offer, "quantity": quantity});
    let none = told(clerk.post(&path, &accept(Uuid::now_v7(), i32::MAX)).await);
    // Of another part, with and without a price: as if there were no such offer.
    for (_, offer) in &parts[1..] {
        for quantity in [1, i32::MAX] {
            assert_eq!(told(clerk.post(&path, &accept(*offer, quantity)).await), none);
        }
    }
    let (status, large) = told(clerk.post(&path, &accept(parts[0].1, i32::MAX)).await);
    assert_eq!((status, &large["rule"]), (422, &json!("line-too-large")), "{large}");
    let detail = large["detail"].as_str().unwrap();
    assert!(detail.contains("10000000000"), "the limit: {detail}");
    let product = "101167954610"; // 2,147,483,647 times 47.11
    assert!(!detail.contains(&product[..6]), "{detail}");
    clerk.post(&path, &accept(parts[0].1, 7)).await.ok();
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_location_out_of_reach_is_told_as_one_that_is_not_there_and_no_other_is() {
    let service = Service::start().await;
    let admin = &service.admin;
    let mut locations = Vec::new();
    for name in ["North", "South"] {
        let department = made(admin, "/v1/identity/departments", &json!({"name": name})).await;
        let depot = json!({"name": name, "dept_id": department});
        locations.push((department, made(admin, "/v1/cloudwatcher/locations", &depot).await));
    }
    let [(north, mine), (_, foreign)] = locations[..] else {
        panic!("two locations")
    };
    let part = made(
        admin,
        "/v1/cloudwatcher/parts",
        &json!({"part_code": "P-1", "name": "bolt"}),
    )
    .await;
    let supplier = made(admin, "/v1/cloudwatcher/suppliers", &json!({"name": "Acme"})).await;
    let northerner = service
        .person(&["cloudwatcher.order.*", "cloudwatcher.inventory.*"], &[north])
        .await;
    let transfer = |from: Uuid, to: Uuid| {
        let item = json!({"part_id": part, "supplier_id": supplier, "quantity": 1, "unit_price": "1.00"});
        json!({
            "order_type": "internal_transfer", "department_id": north, "currency": "EUR", "items": [item],
            "from_location_id": from, "location_id": to,
        })
    };
    let missing = Uuid::now_v7();
    for (field, of_foreign, of_missing) in [
        ("from_location_id", transfer(foreign, mine), transfer(missing, mine)),
        ("location_id", transfer(mine, foreign), transfer(mine, missing)),
        ("location_id", transfer(foreign, missing), transfer(missing, foreign)),
    ] {
        for path in [
            "/v1/cloudwatcher/orders".to_owned(),
            format!("/v1/cloudwatcher/orders/{}/draft", Uuid::now_v7()),
        ] {
            let as_foreign = told(northerner.post(&path, &of_foreign).await);
            assert_eq!(as_foreign, told(northerner.post(&path, &of_missing).await));
            let (status, problem) = as_foreign;
            assert_eq!((status, &problem["field"]), (422, &json!(field)), "{problem}");
            assert_eq!(
                problem["detail"],
                format!("{field} names no location in use; choose another")
            );
        }
    }
    // What is wrong with the rest of it is told in both cases, too.
    let mut of_nothing = transfer(foreign, mine);
    of_nothing["items"] = json!([]);
    let (_, problem) = told(northerner.post("/v1/cloudwatcher/orders", &of_nothing).await);
    assert_eq!(problem["rule"], "no-items", "{problem}");

    // Of two commands as one, the record of the goods is there and the location they are to go to is not.
    let open = json!({"part_id": part, "location_id": mine});
    let stock = made(&northerner, "/v1/cloudwatcher/inventory", &open).await;
    let path = |command: &str| format!("/v1/cloudwatcher/inventory/{stock}/{command}");
    northerner.post(&path("receive"), &json!({"quantity": 3})).await.ok();
    let goes = |to: Uuid| json!({"to_location_id": to, "quantity": 1});
    let as_foreign = told(northerner.post(&path("transfer"), &goes(foreign)).await);
    assert_eq!(
        as_foreign,
        told(northerner.post(&path("transfer"), &goes(missing)).await)
    );
    assert_eq!(
        as_foreign.1["detail"],
        "location_id names no location in use; enter it or choose another"
    );
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delegate_is_told_that_an_approval_has_moved_and_a_stranger_that_there_is_none_within_reach() {
    let company = Company::found().await;
    let [_, _, manager] = &company.managers;
    let permissions = ["orders.approve", "cloudwatcher.approval.*"];
    let delegate = company.service.person(&permissions, &[]).await;
    let stranger = company.service.person(&permissions, &[]).await;
    let order = company.submitted(1, "5.00").await;
    company.ask(manager, order).await;
    let until = chrono::Utc::now() + chrono::TimeDelta::days(7);
    let grants = format!("/v1/cloudwatcher/delegations/{}/grant", manager.user);
    let grant = json!({"to": delegate.user, "ends_at": until});
    manager.post(&grants, &grant).await.ok();

    let path = |order: Uuid| format!("/v1/cloudwatcher/approvals/{order}/approve");
    let approves = async |client: &Client, order: Uuid, if_match: Option<&str>| {
        let mut request = client.request(Method::POST, &path(order)).json(&json!({"revision": 1}));
        if let Some(sequence) = if_match {
            request = request.header("If-Match", sequence);
        }
        client.send(request).await
    };
    let (status, moved) = told(approves(&delegate, order, Some("7")).await);
    assert_eq!((status, &moved["type"]), (412, &json!("/problems/moved")), "{moved}");
    let at = moved["sequence"].as_i64().unwrap().to_string();
    for if_match in [None, Some("7"), Some(at.as_str())] {
        let (status, hidden) = told(approves(&stranger, order, if_match).await);
        assert_eq!(status, 404, "{hidden}");
        let detail = hidden["detail"].as_str().unwrap();
        assert!(detail.contains("within your reach"), "{detail}");
        assert!(!detail.contains("If-Match"), "none that helps: {detail}");
        let missing = Uuid::now_v7();
        let (status, unknown) = told(approves(&stranger, missing, if_match).await);
        let as_hidden = detail.replace(&order.to_string(), &missing.to_string());
        assert_eq!((status, &unknown["detail"]), (404, &json!(as_hidden)));
    }
    approves(&delegate, order, Some(&at)).await.ok();

    // Who makes a new stream is told to leave out only what was sent.
    let copy = json!({"of": order});
    let new = format!("/v1/cloudwatcher/orders/{}/draft", Uuid::now_v7());
    let request = company.buyer.request(Method::POST, &new).header("If-Match", "1");
    let item = json!({"part_id": order, "supplier_id": order, "quantity": 1, "unit_price": "1.00"});
    let draft = json!({"department_id": company.departments[2], "currency": "EUR", "items": [item]});
    let (_, problem) = told(company.buyer.send(request.json(&draft)).await);
    assert!(
        problem["detail"].as_str().unwrap().contains("leave `If-Match` out"),
        "{problem}"
    );
    let outsider = company.service.person(&["cloudwatcher.order.*"], &[]).await;
    let there = format!("/v1/cloudwatcher/orders/{order}/duplicate");
    let (_, problem) = told(outsider.post(&there, &copy).await);
    assert!(!problem["detail"].as_str().unwrap().contains("If-Match"), "{problem}");
    company.service.end().await;
}
