//! What an answer says beside the outcome: which command it was, whether that had been carried out before, all that is wrong
//! with a body at once, and which methods an address takes.

use reqwest::Method;
use serde_json::{Value, json};
use tests::Service;
use uuid::Uuid;

const SUPPLIERS: &str = "/v1/cloudwatcher/suppliers";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_names_its_command_and_a_repeated_one_says_so() {
    let service = Service::start().await;
    let admin = &service.admin;
    let enter = || {
        let request = admin.request(Method::POST, SUPPLIERS).header("Idempotency-Key", "k-1");
        admin.send(request.json(&json!({"name": "Acme"})))
    };
    let (first, again) = (enter().await, enter().await);
    let is_repeat = |reply: &tests::service::Reply| reply.headers.get("idempotent-replayed").map(|said| said == "true");
    assert_eq!((is_repeat(&first), is_repeat(&again)), (None, Some(true)));
    assert_eq!(first.text, again.text, "but for that it is the same answer");
    let made = first.ok();
    let event = admin.get(&format!("/v1/events/{}", made["position"])).await.ok();
    assert_eq!(event["command_id"], made["command_id"], "{event}");
    let tree = format!("/v1/commands/{}/tree", made["command_id"].as_str().unwrap());
    admin.get(&tree).await.ok();

    // Without a key each is another one.
    let once = || async { admin.post(SUPPLIERS, &json!({"name": Uuid::now_v7()})).await };
    let (one, other) = (once().await, once().await);
    assert_eq!((is_repeat(&one), is_repeat(&other)), (None, None));
    assert_ne!(one.ok()["command_id"], other.ok()["command_id"]);
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_is_wrong_with_a_body_is_told_at_once_each_with_its_path() {
    let service = Service::start().await;
    let admin = &service.admin;
    let told = |problem: &Value| -> Vec<(String, String)> {
        let problems = problem["problems"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mut told: Vec<_> = problems
            .iter()
            .map(|one| (text(&one["field"]), text(&one["detail"])))
            .collect();
        told.sort();
        told
    };
    let line = json!({"part_id": "bolt", "quantity": 1.5, "unit_price": "2", "colour": "red"});
    let draft = json!({"department_id": Uuid::nil(), "items": [line], "tolerance_percent": 101});
    let problem = admin.post("/v1/cloudwatcher/orders", &draft).await.problem(400);
    let of = |field: &str| {
        told(&problem)
            .into_iter()
            .find(|(told, _)| told == field)
            .map(|(_, detail)| detail)
    };
    for (field, said) in [
        ("currency", "is missing"),
        ("items[0].supplier_id", "is missing"),
        ("items[0].part_id", "must be a uuid"),
        ("items[0].quantity", "must be a whole number"),
        ("items[0].colour", "is no field here"),
        ("tolerance_percent", "must be at most 100"),
    ] {
        let detail = of(field).unwrap_or_default();
        assert!(
            detail.starts_with(&format!("{field} {said}")),
            "{field}: {detail} in {problem}"
        );
    }
    assert_eq!(told(&problem).len(), 6, "{problem}");
    let first = problem["problems"][0].clone();
    assert_eq!(
        (&first["field"], &first["detail"]),
        (&problem["field"], &problem["detail"])
    );

    // What can be read, and a rule of the domain refuses, as well; of one alone there is no list.
    let long = "x".repeat(5_000);
    let problem = admin.post(SUPPLIERS, &json!({"name": long, "website": long})).await;
    let problem = problem.problem(422);
    let (named, listed) = (problem["field"].clone(), told(&problem));
    assert!(listed.iter().any(|(field, _)| *field == named), "{problem}");
    let problem = admin.post(SUPPLIERS, &json!({})).await.problem(400);
    assert_eq!(
        (&problem["field"], &problem["problems"]),
        (&json!("name"), &Value::Null)
    );
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_method_that_an_address_does_not_take_is_told_which_it_does() {
    let service = Service::start().await;
    let admin = &service.admin;
    let id = Uuid::now_v7();
    for (method, path, allow) in [
        ("DELETE", "/v1/cloudwatcher/orders".to_owned(), "GET, HEAD, POST"),
        ("PUT", "/v1/cloudwatcher/audit_logs".to_owned(), "GET, HEAD"),
        ("POST", "/v1/cloudwatcher/audit_logs".to_owned(), "GET, HEAD"),
        ("PATCH", format!("/v1/cloudwatcher/orders/{id}"), "GET, HEAD"),
        ("POST", format!("/v1/cloudwatcher/orders/{id}"), "GET, HEAD"),
        ("GET", format!("/v1/cloudwatcher/orders/{id}/submit"), "POST"),
        ("POST", format!("/v1/cloudwatcher/audit_logs/{id}/history"), "GET, HEAD"),
        ("GET", "/v1/identity/departments".to_owned(), "POST"),
    ] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let refused = admin.send(admin.request(method.clone(), &path).json(&json!({}))).await;
        assert_eq!(
            refused.headers.get("allow").map(|it| it.to_str().unwrap()),
            Some(allow),
            "{method} {path}"
        );
        assert_eq!(
            refused.problem(405)["type"],
            "/problems/method-not-allowed",
            "{method} {path}"
        );
    }
    for (method, path) in [
        ("PUT", "/v1/cloudwatcher/nothing".to_owned()),
        ("GET", "/v1/cloudwatcher/nothing".to_owned()),
        ("POST", "/v1/cloudwatcher/nothing".to_owned()),
        ("GET", format!("/v1/cloudwatcher/orders/{id}/nothing")),
        ("POST", format!("/v1/cloudwatcher/orders/{id}/nothing")),
    ] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let refused = admin.send(admin.request(method.clone(), &path).json(&json!({}))).await;
        let allow = refused.headers.get("allow").map_or("", |allow| allow.to_str().unwrap());
        assert_eq!(allow, "", "{method} {path}");
        refused.problem(404);
    }
    service.end().await;
}
