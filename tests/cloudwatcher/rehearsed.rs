//! Dry runs and offers where departments, approvers and several streams are concerned.

use cloudwatcher::inventory::StockKey;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use tests::service::Reply;
use tests::{Client, Service};
use uuid::Uuid;

use crate::approvals::Company;

async fn rehearsed(client: &Client, path: &str, body: &Value) -> Reply {
    let request = client.request(Method::POST, path).header("Daybook-Dry-Run", "true");
    client.send(request.json(body)).await
}

async fn end(service: &Service) -> i64 {
    let pool = PgPool::connect_with(service.database.options.clone()).await.unwrap();
    let last = sqlx::query_scalar("select book.last_position()").fetch_one(&pool).await;
    pool.close().await;
    last.unwrap()
}

/// What is made with a POST, by its stream.
async fn made(client: &Client, path: &str, body: &Value) -> Uuid {
    let answer = client.post(path, body).await.ok();
    answer["stream"].as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_that_is_rehearsed_moves_nothing_and_is_refused_as_it_would_be() {
    let service = Service::start().await;
    let admin = &service.admin;
    let (mut departments, mut locations) = (Vec::new(), Vec::new());
    for name in ["North", "South"] {
        let department = made(admin, "/v1/identity/departments", &json!({"name": name})).await;
        let depot = json!({"name": name, "dept_id": department});
        departments.push(department);
        locations.push(made(admin, "/v1/cloudwatcher/locations", &depot).await);
    }
    let bolt = json!({"part_code": "P-1", "name": "bolt"});
    let part_id = made(admin, "/v1/cloudwatcher/parts", &bolt).await;
    let open = json!({"part_id": part_id, "location_id": locations[0]});
    let stock = made(admin, "/v1/cloudwatcher/inventory", &open).await;
    let path = |command: &str| format!("/v1/cloudwatcher/inventory/{stock}/{command}");
    admin.post(&path("receive"), &json!({"quantity": 10})).await.ok();
    let north = service.person(&["cloudwatcher.inventory.*"], &departments[..1]).await;
    let before = end(&service).await;

    let transfer = |quantity: i32| json!({"to_location_id": locations[1], "quantity": quantity});
    let would = rehearsed(admin, &path("transfer"), &transfer(4)).await.ok();
    let there = StockKey {
        part_id,
        variant_id: None,
        location_id: locations[1],
    };
    let there = there.stream(admin.tenant);
    let streams = would["streams"].as_array().unwrap();
    let streams: Vec<_> = streams.iter().map(|stream| stream["stream"].clone()).collect();
    assert_eq!(streams, [json!(stock), json!(there)]);
    assert_eq!(would["events"][0]["event_type"], "StockTransferredOut");
    for (client, body) in [(admin, transfer(11)), (&north, transfer(1))] {
        let told = |reply: Reply| {
            let mut problem = reply.json();
            problem.as_object_mut().unwrap().remove("request_id");
            (reply.status, problem)
        };
        let dry = told(rehearsed(client, &path("transfer"), &body).await);
        assert!(dry.0.is_client_error(), "{dry:?}");
        assert_eq!(dry, told(client.post(&path("transfer"), &body).await));
    }
    let decisions = json!({"decisions": [{"order_id": Uuid::now_v7(), "revision": 1, "decision": "approve"}]});
    let problem = rehearsed(admin, "/v1/cloudwatcher/approvals/decide", &decisions)
        .await
        .problem(400);
    assert_eq!(problem["field"], "Daybook-Dry-Run");
    assert_eq!(end(&service).await, before);
    admin.post(&path("transfer"), &transfer(4)).await.ok();
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_of_a_device_that_is_rehearsed_is_not_received() {
    let service = Service::start().await;
    let admin = &service.admin;
    let request = json!({
        "device_id": "truck-001", "request_type": "get_parts", "payload": {"a": 1}, "request_key": "r-1",
    });
    let before = end(&service).await;
    let would = rehearsed(admin, "/v1/cloudwatcher/requests", &request).await.ok();
    assert_eq!(end(&service).await, before);
    let received = admin.post("/v1/cloudwatcher/requests", &request).await.ok();
    // The request's own key says which stream it is, also when it is only rehearsed.
    assert_eq!(would["streams"][0]["stream"], received["stream"]);
    assert_eq!(would["streams"][0]["events"], received["events"]);
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approver_rehearses_a_decision_without_seeing_the_events_of_a_department_out_of_reach() {
    let company = Company::found().await;
    let [director, _, manager] = &company.managers;
    let admin = &company.service.admin;
    let audit = json!({"name": "auditor", "permissions": ["audit.read"]});
    let role = made(admin, "/v1/identity/roles", &audit).await;
    for person in [director, manager] {
        let path = format!("/v1/identity/users/{}/assign-role", person.user);
        admin.post(&path, &json!({"role_id": role})).await.ok();
    }
    let order = company.submitted(1, "5.00").await;
    company.ask(manager, order).await;
    let path = format!("/v1/cloudwatcher/approvals/{order}/approve");
    let body = json!({"revision": 1});
    let would = rehearsed(manager, &path, &body).await.ok();
    assert_eq!((&would["dry_run"], &would["events"]), (&json!(true), &Value::Null));
    assert!(!would["streams"][0]["events"].as_array().unwrap().is_empty(), "{would}");
    rehearsed(director, &path, &body).await.problem(404);
    company.approve(manager, order, 1).await.ok();
    company.service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_offers_its_commands_to_the_members_of_its_department_alone() {
    let company = Company::found().await;
    let order = company.submitted(1, "5.00").await;
    let path = format!("/v1/streams/cloudwatcher/order/{order}/commands");
    let told = company.buyer.get(&path).await.ok();
    let offer = |command: &str| {
        let offers = told["commands"].as_array().unwrap();
        offers.iter().find(|offer| offer["command"] == command).unwrap().clone()
    };
    assert_eq!(offer("cancel")["offered"], true);
    let place = offer("place");
    assert_eq!((&place["permitted"], &place["offered"]), (&json!(true), &json!(false)));
    let refused = company
        .buyer
        .post(&format!("/v1/cloudwatcher/orders/{order}/place"), &json!({}))
        .await;
    assert_eq!(place["why_not"]["rule"], refused.problem(422)["rule"]);

    let outsider = company
        .service
        .person(&["cloudwatcher.order.*", "audit.read"], &[])
        .await;
    outsider.get(&path).await.problem(404);
    company.service.end().await;
}
