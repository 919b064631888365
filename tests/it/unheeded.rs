//! What would go unheeded is refused, and no refusal repeats more than a little of what was sent.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use tests::Service;
use tests::service::Reply;
use uuid::Uuid;

/// What an answer that refuses may take, in bytes.
const PROBLEM_BYTES_MAX: usize = 8 << 10;

/// The addresses of every operation that is sent with POST and takes no parameters, each with an id in it.
fn posts() -> Vec<String> {
    let contexts = tests::contexts();
    let document = http::openapi::document(&contexts);
    let routes = http::router::routes(&contexts).into_iter();
    let taking: Vec<&str> = routes
        .filter(|route| route.takes_parameters)
        .map(|route| route.path)
        .collect();
    let paths = document["paths"].as_object().unwrap().iter();
    let posts = paths.filter(|(path, methods)| methods.get("post").is_some() && !taking.contains(&path.as_str()));
    posts.map(|(path, _)| filled(path)).collect()
}

fn filled(path: &str) -> String {
    let words = path.split('/').map(|word| match word {
        "{context}" => "cloudwatcher".to_owned(),
        word if word.starts_with('{') => Uuid::now_v7().to_string(),
        word => word.to_owned(),
    });
    words.collect::<Vec<_>>().join("/")
}

async fn end(pool: &PgPool) -> i64 {
    sqlx::query_scalar("select book.last_position()")
        .fetch_one(pool)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_with_parameters_is_refused_wherever_it_goes() {
    let service = Service::start().await;
    let admin = &service.admin;
    let pool = PgPool::connect_with(service.database.options.clone()).await.unwrap();
    let before = end(&pool).await;
    let posts = posts();
    assert!(posts.len() > 50, "{posts:#?}");
    for path in &posts {
        for (parameter, told) in [
            ("Daybook-Dry-Run=true", "Daybook-Dry-Run is a header"),
            ("dry_run=true", "Daybook-Dry-Run is a header"),
            ("x=1", "what is sent with POST takes none"),
        ] {
            let problem = admin
                .post(&format!("{path}?{parameter}"), &json!({}))
                .await
                .problem(400);
            assert_eq!(problem["type"], "/problems/unknown-parameter", "{path}");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.ends_with(told), "{path}: {detail}");
        }
        let request = admin.request(Method::POST, path).header("Trailer", "Daybook-Dry-Run");
        let problem = admin.send(request.json(&json!({}))).await.problem(400);
        assert_eq!(problem["field"], "Trailer", "{path}");
    }
    // What is no route stays none.
    let unknown = admin.post("/v1/events?x=1", &json!({})).await;
    assert_eq!(unknown.status, 405, "{}", unknown.text);
    admin.post("/v2/orders?x=1", &json!({})).await.problem(404);
    assert_eq!(end(&pool).await, before, "nothing is carried out");
    let body = json!({"name": "Acme"});
    admin.post("/v1/cloudwatcher/suppliers?", &body).await.ok();
    pool.close().await;
    service.end().await;
}

/// The addresses that a page loads scripts, styles and pictures from.
fn loaded(page: &str) -> Vec<&str> {
    let of = |attribute: &'static str| page.split(attribute).skip(1).filter_map(|rest| rest.split('"').next());
    of(" src=\"").chain(of(" href=\"")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_of_the_document_loads_nothing_from_elsewhere_and_stands_in_no_other_page() {
    let service = Service::start().await;
    let admin = &service.admin;
    let page = admin.get("/docs/").await;
    assert_eq!(page.status, 200, "{}", page.text);
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    for part in ["default-src 'self'", "img-src 'self' data:", "frame-ancestors 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(
        !policy.contains("script-src") && !policy.contains("unsafe-eval"),
        "{policy}"
    );
    assert_eq!(page.headers["x-frame-options"], "DENY");
    // What the policy forbids, the page does without.
    let scripts = page.text.matches("<script").count();
    assert!(
        scripts > 0 && scripts == page.text.matches("<script src=\"").count(),
        "{}",
        page.text
    );
    for inline in [" onload=", " onclick=", "javascript:"] {
        assert!(!page.text.contains(inline), "{}", page.text);
    }
    let loaded = loaded(&page.text);
    assert!(loaded.len() > 3, "{loaded:?}");
    for address in loaded {
        assert!(!address.contains("//"), "{address}");
        let part = admin.get(&format!("/docs/{}", address.trim_start_matches("./"))).await;
        assert_eq!(part.status, 200, "{address}");
        assert!(part.headers.contains_key("content-security-policy"), "{address}");
        let again = admin.get(&format!("/docs/{}", address.trim_start_matches("./"))).await;
        assert_eq!(
            (again.status, &again.text, again.headers.get("content-type")),
            (part.status, &part.text, part.headers.get("content-type")),
            "{address}"
        );
        assert!(again.headers.contains_key("content-security-policy"), "{address}");
    }
    admin.get("/docs/no-such-part").await.problem(404);
    service.end().await;
}

fn is_brief(what: &str, reply: &Reply) {
    assert!(reply.status.is_client_error(), "{what}: {}", reply.status);
    let bytes = reply.text.len();
    assert!(bytes <= PROBLEM_BYTES_MAX, "{what}: {bytes} bytes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_problem_is_larger_than_8_kib_whatever_is_sent() {
    let service = Service::start().await;
    let admin = &service.admin;
    let user = Uuid::now_v7();
    let commands = [
        format!("/v1/identity/users/{user}/register"),
        "/v1/cloudwatcher/orders".to_owned(),
        "/v1/cloudwatcher/approvals/decide".to_owned(),
        "/v1/admin/unpark".to_owned(),
    ];
    for much in ["\u{7f}".repeat(1_000_000), "é".repeat(500_000), "x".repeat(1_000_000)] {
        let named: Value = [(much.clone(), json!(1))].into_iter().collect();
        let field = serde_json::to_string(&much[..much.len() / 2 / 2 * 2]).unwrap();
        for path in &commands {
            for (what, body) in [
                ("a name", named.to_string()),
                ("a value", json!({"name": [much]}).to_string()),
                ("a word", json!({"order_type": much}).to_string()),
                ("a context", json!({"context": much}).to_string()),
                ("a name twice", format!("{{{field}: 1, {field}: 2}}")),
                ("digits", format!("{{\"n\": {}}}", "9".repeat(1_000_000))),
            ] {
                let request = admin.request(Method::POST, path);
                let request = request.header("Content-Type", "application/json").body(body);
                is_brief(&format!("{what} to {path}"), &admin.send(request).await);
            }
        }
    }
    let long = "x".repeat(20_000);
    for path in [
        format!("/v1/cloudwatcher/orders?{long}=1"),
        format!("/v1/cloudwatcher/orders?order={long}"),
        format!("/v1/cloudwatcher/orders?status=eq.{long}"),
        format!("/v1/cloudwatcher/{long}"),
        format!("/v1/{long}/orders"),
        format!("/{long}"),
        format!("/v1/cloudwatcher/orders/{long}"),
    ] {
        is_brief(&path[..40], &admin.get(&path).await);
        is_brief(&path[..40], &admin.post(&path, &json!({})).await);
    }
    let request = admin.request(Method::GET, "/v1/cloudwatcher/orders");
    is_brief("a header", &admin.send(request.header("Daybook-After", &long)).await);
    service.end().await;
}
