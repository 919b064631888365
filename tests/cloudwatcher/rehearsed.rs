//! Dry runs and offers where departments, approvers and several streams are concerned.

use cloudwatcher::inventory::StockKey;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use tests::service::Reply;
use tests::{Client, Service};
use uuid::Uuid;

use crate::approvals::{APPROVER, Company};

async fn rehearsed(client: &Client, path: &str, body: &Value) -> Reply {
    let request = client.request(Method::POST, path).header("Daybook-Dry-Run", "true");
    client.send(request.json(body)).await
}

/// The last event of this context: others have things of their own to note meanwhile.
async fn end(service: &Service) -> i64 {
    let pool = PgPool::connect_with(service.database.options.clone()).await.unwrap();
    let last = "select coalesce(max(position), 0) from book.events where aggregate_type like 'cloudwatcher.%'";
    let last = sqlx::query_scalar(last).fetch_one(&pool).await;
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
async fn a_request_that_was_received_is_offered_again_and_rehearsed_as_the_repeat_that_it_is() {
    let service = Service::start().await;
    let admin = &service.admin;
    let keyed = json!({
        "device_id": "truck-001", "request_type": "get_parts", "payload": {"a": 1}, "request_key": "r-1",
    });
    let keyless = json!({"device_id": "truck-001", "request_type": "get_parts", "payload": {"a": 2}});
    for request in [&keyed, &keyless] {
        let first = admin.post("/v1/cloudwatcher/requests", request).await.ok();
        let stream = first["stream"].as_str().unwrap();
        let offers = admin
            .get(&format!("/v1/streams/cloudwatcher/request/{stream}/commands"))
            .await
            .ok();
        let offers = offers["commands"].as_array().unwrap();
        let receive = offers.iter().find(|offer| offer["command"] == "receive").unwrap();
        assert_eq!((&receive["offered"], &receive["why_not"]), (&json!(true), &Value::Null));

        let before = end(&service).await;
        let to_it = format!("/v1/cloudwatcher/requests/{stream}/receive");
        for path in ["/v1/cloudwatcher/requests", to_it.as_str()] {
            let would = rehearsed(admin, path, request).await.ok();
            let again = admin.post(path, request).await.ok();
            assert_eq!(
                (&again["position"], &again["stream"]),
                (&first["position"], &first["stream"])
            );
            let told = (&would["repeats"], &would["streams"][0]["stream"], &would["events"]);
            assert_eq!(told, (&first["position"], &first["stream"], &json!([])), "{would}");
        }
        // What says something else under its id is refused, done as rehearsed.
        let mut other = request.clone();
        other["payload"] = json!({"b": 1});
        let dry = rehearsed(admin, &to_it, &other).await;
        let done = admin.post(&to_it, &other).await;
        assert_eq!(dry.problem(409)["rule"], done.problem(409)["rule"]);
        assert_eq!(end(&service).await, before);
    }
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_offers_the_request_that_takes_several_commands_and_not_the_parts_of_it() {
    let service = Service::start().await;
    let admin = &service.admin;
    let department = made(admin, "/v1/identity/departments", &json!({"name": "North"})).await;
    let depot = json!({"name": "North", "dept_id": department});
    let location_id = made(admin, "/v1/cloudwatcher/locations", &depot).await;
    let bolt = json!({"part_code": "P-1", "name": "bolt"});
    let part_id = made(admin, "/v1/cloudwatcher/parts", &bolt).await;
    let open = json!({"part_id": part_id, "location_id": location_id});
    let stock = made(admin, "/v1/cloudwatcher/inventory", &open).await;
    let receive = format!("/v1/cloudwatcher/inventory/{stock}/receive");
    admin.post(&receive, &json!({"quantity": 10})).await.ok();
    let path = format!("/v1/streams/cloudwatcher/inventory/{stock}/commands");
    let clerk = service.person(&["cloudwatcher.inventory.*"], &[department]).await;
    let half = service
        .person(&["cloudwatcher.inventory.transfer-out"], &[department])
        .await;
    let told = async |client: &Client, command: &str| {
        let told = client.get(&path).await.ok();
        let mut offers = told["commands"].as_array().unwrap().iter();
        offers.find(|offer| offer["command"] == command).cloned()
    };
    for part in ["transfer-out", "transfer-in"] {
        assert_eq!(told(admin, part).await, None, "alone it is always refused");
    }
    let transfer = told(&clerk, "transfer").await.unwrap();
    assert_eq!(
        (&transfer["permitted"], &transfer["offered"]),
        (&json!(true), &json!(true))
    );
    let transfer = told(&half, "transfer").await.unwrap();
    assert_eq!(transfer["permitted"], false);
    let accept = told(&clerk, "accept-reorder").await.unwrap();
    let detail = accept["why_not"]["detail"].as_str().unwrap();
    assert!(detail.contains("cloudwatcher.order.draft"), "{accept}");
    let refused = clerk
        .post(
            &format!("/v1/cloudwatcher/inventory/{stock}/accept-reorder"),
            &json!({"suggestion_id": Uuid::now_v7()}),
        )
        .await
        .problem(403);
    assert_eq!(refused["permission"], "cloudwatcher.order.draft");
    let accept = told(admin, "accept-reorder").await.unwrap();
    assert_eq!(
        (&accept["permitted"], &accept["offered"]),
        (&json!(true), &json!(false))
    );
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_offers_its_decision_to_whom_it_is_asked_of_and_is_not_there_for_others() {
    let company = Company::found().await;
    let [director, head, manager] = &company.managers;
    let deputy = company.service.person(&APPROVER, &[]).await;
    let stranger = company.service.person(&APPROVER, &[]).await;
    // Three levels.
    let order = company.submitted(1_200, "10.00").await;
    company.ask(manager, order).await;
    let path = format!("/v1/streams/cloudwatcher/approval/{order}/commands");
    let decides = async |client: &Client| {
        let told = client.get(&path).await.ok();
        let both = ["approve", "reject"]
            .map(|command| json!({"command": command, "permitted": true, "offered": true, "why_not": null}));
        assert_eq!(told["commands"], json!(both), "{told}");
    };
    decides(manager).await;
    for other in [head, director, &deputy, &stranger] {
        let problem = other.get(&path).await.problem(404);
        let missing = format!("/v1/streams/cloudwatcher/approval/{}/commands", Uuid::now_v7());
        let of_none = other.get(&missing).await.problem(404);
        let words = |problem: &Value| problem["detail"].as_str().unwrap().split(' ').count();
        assert_eq!(words(&problem), words(&of_none), "{problem}");
    }
    let until = chrono::Utc::now() + chrono::TimeDelta::days(7);
    let grant = json!({"to": deputy.user, "ends_at": until});
    let grants = format!("/v1/cloudwatcher/delegations/{}/grant", manager.user);
    manager.post(&grants, &grant).await.ok();
    decides(&deputy).await;
    company.approve(&deputy, order, 1).await.ok();
    // Whoever was asked may hear what became of it: nothing is left for them.
    for decided in [manager, &deputy] {
        let told = decided.get(&path).await.ok();
        let offered = told["commands"].as_array().unwrap().iter();
        assert!(offered.clone().all(|offer| offer["offered"] == false), "{told}");
        assert_eq!(offered.count(), 2, "{told}");
    }
    company.ask(head, order).await;
    decides(head).await;
    company.approve(head, order, 1).await.ok();
    company.ask(director, order).await;
    decides(director).await;
    stranger.get(&path).await.problem(404);
    // The order itself stays its department's.
    let of_order = format!("/v1/streams/cloudwatcher/order/{order}/commands");
    director.get(&of_order).await.problem(403);
    company.service.end().await;
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
