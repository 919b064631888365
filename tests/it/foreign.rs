//! Every operation of the OpenAPI document, as somebody whose business it is not.

mod goods;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;
use tests::service::Reply;
use tests::{Client, Service};
use uuid::Uuid;

use goods::Goods;

/// Whose the subject of an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// A department's: hidden from other departments and other tenants.
    Department,
    /// A tenant's: hidden from other tenants; whoever has the permission within it may see it.
    Tenant,
    /// Nobody's yet: it becomes the asking tenant's.
    New,
    /// The whole installation's.
    Installation,
    /// Everybody's, without a token.
    Open,
}

/// An operation with real ids of tenant A in its path and body.
#[derive(Debug)]
struct Call {
    operation: String,
    method: Method,
    path: String,
    body: Option<Value>,
    reach: Reach,
    /// What the owner gets, as the proof that the call is a good one.
    owner: u16,
    /// What the administrator of another tenant gets.
    other: u16,
    /// What somebody of another department gets.
    outsider: u16,
}

/// The call that tries an operation; none when nobody has thought of it yet.
fn call(goods: &Goods, method: &str, template: &str) -> Option<Call> {
    let words: Vec<&str> = template.trim_start_matches('/').split('/').collect();
    let call = |path: String, body: Option<Value>, reach, [owner, other, outsider]: [u16; 3]| {
        let operation = format!("{method} {template}");
        let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
        Some(Call {
            operation,
            method,
            path,
            body,
            reach,
            owner,
            other,
            outsider,
        })
    };
    let read = |path: String, table: &str, statuses| call(path, None, reach_of(table), statuses);
    match (method, words.as_slice()) {
        ("get", ["health", _] | ["metrics" | "docs"] | ["v1", "openapi.json"]) => {
            // The page lies below its address.
            let path = if template == "/docs" {
                "/docs/".to_owned()
            } else {
                template.to_owned()
            };
            call(path, None, Reach::Open, [200; 3])
        }
        ("get", ["v1", "events"]) => call("/v1/events?limit=200".into(), None, Reach::Department, [200; 3]),
        ("get", ["v1", "events", "stream"]) => call(template.into(), None, Reach::Department, [200; 3]),
        ("get", ["v1", "events", "{position}"]) => call(
            format!("/v1/events/{}", goods.drafted),
            None,
            Reach::Department,
            [200, 404, 404],
        ),
        ("get", ["v1", "commands", "{command_id}", "tree"]) => call(
            format!("/v1/commands/{}/tree", goods.command),
            None,
            Reach::Department,
            [200, 404, 404],
        ),
        ("get", ["v1", "streams", _, _, "{id}", rest @ ..]) => {
            let path = format!("/v1/streams/cloudwatcher/order/{}", goods.id("orders"));
            let path = [&[path.as_str()], rest].concat().join("/");
            call(path, None, Reach::Department, [200, 404, 404])
        }
        ("post", ["v1", "admin", "rebuild", _]) => {
            let path = "/v1/admin/rebuild/nowhere".to_owned();
            call(path, None, Reach::Installation, [404, 404, 403])
        }
        ("get", ["v1", "admin", "rebuild", _]) => {
            let path = "/v1/admin/rebuild/cloudwatcher".to_owned();
            call(path, None, Reach::Installation, [404, 404, 403])
        }
        ("get", ["v1", "admin", "parked"]) => call(template.into(), None, Reach::Installation, [200, 200, 403]),
        ("post", ["v1", "admin", "unpark"]) => {
            let body = Some(json!({"context": "cloudwatcher"}));
            call(template.into(), body, Reach::Installation, [200, 200, 403])
        }
        // The asker's tenant's timers and what was missed of its events; how far a policy is, is no secret.
        ("get", ["v1", "admin", "policies"]) => call(template.into(), None, Reach::Tenant, [200, 200, 403]),
        ("post", ["v1", "admin", "policies", "{policy}", "retry"]) => {
            let path = format!("/v1/admin/policies/{}/retry", goods::POLICY);
            call(path, Some(json!({})), Reach::Installation, [200, 200, 403])
        }
        ("get", ["v1", "cloudwatcher", "approvals", "inbox"]) => {
            let path = "/v1/cloudwatcher/approvals/inbox?limit=200".to_owned();
            call(path, None, Reach::Department, [200; 3])
        }
        ("post", ["v1", "cloudwatcher", "approvals", "decide"]) => call(
            template.into(),
            Some(goods.decisions()),
            Reach::Department,
            [200, 404, 404],
        ),
        ("get", ["v1", "cloudwatcher", "requests", "pending"]) => {
            let path = format!("{template}?device_id={}", goods::DEVICE);
            read(path, "requests", [200; 3])
        }
        ("get", ["v1", "cloudwatcher", "inventory", "reorder"]) => {
            let path = format!("{template}?location_id={}", goods.id("locations"));
            read(path, "inventory", [200; 3])
        }
        ("get", ["v1", "cloudwatcher", "part-suppliers", "best"]) => {
            let path = format!("{template}?part_id={}", goods.id("bolt"));
            read(path, "part_suppliers", [200; 3])
        }
        ("get", ["v1", "cloudwatcher", "orders", "{id}", "approvals"]) => {
            let path = template.replace("{id}", &goods.id("asked").to_string());
            read(path, "order_approvals", [200, 404, 404])
        }
        (
            "get",
            [
                "v1",
                "cloudwatcher",
                "departments" | "users",
                "{id}",
                "subtree" | "permissions",
            ],
        ) => {
            let path = template.replace("{id}", &goods.id(words[2]).to_string());
            read(path, words[2], [200, 404, 200])
        }
        ("get", ["v1", "cloudwatcher", "requests", "{id}", "response", rest @ ..]) => {
            let path = format!("/v1/cloudwatcher/requests/{}/response", goods.id("requests"));
            let path = [&[path.as_str()], rest].concat().join("/");
            call(path, None, Reach::Tenant, [200, 404, 200])
        }
        // Only who sees every department reads it, whatever else they may.
        ("get", ["v1", _, "audit_logs"]) => {
            let path = format!("{template}?limit=200");
            call(path, None, Reach::Department, [200, 200, 403])
        }
        ("get", ["v1", _, "audit_logs", "{key}", ..]) => {
            let path = template.replace("{key}", goods.keys.get("audit_logs")?);
            call(path, None, Reach::Tenant, [200, 404, 403])
        }
        ("get", ["v1", context, table]) => read(format!("/v1/{context}/{table}?limit=200"), table, [200; 3]),
        ("get", ["v1", context, table, "{key}", rest @ ..]) => {
            let key = goods.keys.get(*table)?;
            let path = [&["/v1", context, table, key.as_str()], rest].concat().join("/");
            let hidden = if reach_of(table) == Reach::Department { 404 } else { 200 };
            read(path, table, [200, 404, hidden])
        }
        ("post", ["v1", _, plural]) => {
            let (body, statuses) = goods.one_more(plural)?;
            call(template.into(), Some(body), Reach::New, statuses)
        }
        ("post", ["v1", context, plural, "{id}", command]) => {
            let (id, body, owner) = goods.command(plural, command)?;
            let path = format!("/v1/{context}/{plural}/{id}/{command}");
            // There is nothing of that order in the other tenant: the copy has no original.
            let hidden = if *command == "duplicate" { 422 } else { 404 };
            let (reach, outsider) = match *plural {
                "orders" | "approvals" | "locations" | "inventory" => (Reach::Department, hidden),
                _ => (Reach::Tenant, 403),
            };
            call(path, Some(body), reach, [owner, hidden, outsider])
        }
        _ => None,
    }
}

fn reach_of(table: &str) -> Reach {
    const OF_LOCATIONS: [&str; 4] = ["locations", "inventory", "part_consumption", "reorder_suggestions"];
    if table.starts_with("order") || table.starts_with("stock_") || OF_LOCATIONS.contains(&table) {
        Reach::Department
    } else {
        Reach::Tenant
    }
}

/// Every operation of the document, with the call that tries it: reads first, then orders, and at the
/// end what takes out of use what others refer to.
async fn calls(goods: &Goods, anybody: &Client) -> Vec<Call> {
    let document = anybody.with_token("").get("/v1/openapi.json").await.ok();
    let (mut calls, mut new) = (Vec::new(), Vec::new());
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            match call(goods, method, path) {
                Some(call) => calls.push(call),
                None => new.push(format!("{method} {path}")),
            }
        }
    }
    assert!(new.is_empty(), "say in this file who may do what is new: {new:#?}");
    assert!(calls.len() >= 100, "{} operations", calls.len());
    let ends = |path: &str| ["/strike", "/retire", "/erase"].iter().any(|end| path.ends_with(end));
    calls.sort_by_key(|call| {
        (
            call.method == Method::POST,
            !call.path.contains("/orders"),
            ends(&call.path),
        )
    });
    calls
}

async fn made(client: &Client, call: &Call, pool: &PgPool) -> Reply {
    let request = client.request(call.method.clone(), &call.path);
    if call.path == "/v1/events/stream" {
        let last = "select max(position) from book.events where tenant_id = $1";
        let end = sqlx::query_scalar(last)
            .bind(client.tenant)
            .fetch_one(pool)
            .await
            .unwrap();
        return followed(request.header("Last-Event-ID", "0"), end).await;
    }
    let request = match &call.body {
        Some(body) => request
            .header("Idempotency-Key", &call.path)
            .header("Daybook-Reason", "a test wants it so")
            .json(body),
        None => request,
    };
    let reply = client.send(request).await;
    if call.path.ends_with("/decide") && reply.status == 200 {
        return outcome(reply);
    }
    reply
}

/// The only outcome of a request for several, as the answer that it stands for.
fn outcome(reply: Reply) -> Reply {
    let all = reply.json();
    let [outcome] = all["outcomes"].as_array().unwrap().as_slice() else {
        panic!("{all}");
    };
    let status = outcome["status"].as_u64().and_then(|status| u16::try_from(status).ok());
    Reply {
        status: StatusCode::from_u16(status.unwrap()).unwrap(),
        text: outcome.to_string(),
        ..reply
    }
}

/// The event stream up to this position, as an answer.
async fn followed(request: reqwest::RequestBuilder, end: i64) -> Reply {
    let mut response = request.send().await.expect("the service answers");
    let (status, headers) = (response.status(), response.headers().clone());
    let mut text = String::new();
    if status != 200 {
        return Reply {
            status,
            headers,
            text: response.text().await.unwrap(),
        };
    }
    let reached = |text: &str| {
        let ids = text.lines().filter_map(|line| line.strip_prefix("id:"));
        ids.filter_map(|id| id.trim().parse::<i64>().ok()).any(|id| id >= end) && text.ends_with("\n\n")
    };
    let reading = async {
        while !reached(&text) {
            text.push_str(&String::from_utf8_lossy(&response.chunk().await.unwrap().unwrap()));
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), reading)
        .await
        .expect("the stream reaches the end");
    Reply { status, headers, text }
}

/// Asserts that an answer shows none of these; a refusal may repeat the path that it refuses.
#[track_caller]
fn assert_hides(call: &Call, reply: &Reply, secrets: &[String]) {
    for secret in secrets {
        let asked =
            call.path.contains(secret) || call.body.as_ref().is_some_and(|body| body.to_string().contains(secret));
        let shown = reply.text.contains(secret) && (reply.status == 200 || !asked);
        assert!(
            !shown,
            "{} shows {secret}: {} {}",
            call.operation, reply.status, reply.text
        );
    }
}

async fn last_position(pool: &PgPool) -> i64 {
    sqlx::query_scalar("select book.last_position()")
        .fetch_one(pool)
        .await
        .unwrap()
}

/// Whether this person has written something since; what policies write besides is not theirs.
async fn wrote(pool: &PgPool, client: &Client, since: i64) -> bool {
    sqlx::query_scalar("select exists (select from book.events where position > $1 and metadata ->> 'actor' = $2)")
        .bind(since)
        .bind(client.user.to_string())
        .fetch_one(pool)
        .await
        .unwrap()
}

/// Reactions that policies have missed.
async fn missed(pool: &PgPool) -> i64 {
    sqlx::query_scalar("select count(*) from book.missed")
        .fetch_one(pool)
        .await
        .unwrap()
}

/// A checksum of every row of a tenant, in every table.
async fn rows(pool: &PgPool, tenant: Uuid) -> Vec<String> {
    let mut sums = Vec::new();
    for context in tests::tables() {
        for table in context.all_tables() {
            let (schema, table) = (context.name, table.name);
            let sum = format!(
                "select '{table} ' || count(*) || ' ' || coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)
                 from {schema}.{table} t where tenant_id = $1"
            );
            sums.push(sqlx::query_scalar(&sum).bind(tenant).fetch_one(pool).await.unwrap());
        }
    }
    sums
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_operation_shows_or_changes_what_is_anothers_and_each_serves_its_owner() {
    let service = Service::start().await;
    let owner = &service.admin;
    let goods = Goods::made(&service).await;
    let calls = calls(&goods, owner).await;
    let other = Service::start_tenant(&service).await;
    let outsider = service
        .person(&goods::outsiders_permissions(), &[goods.id("elsewhere")])
        .await;
    let nobody = owner.with_token("");
    // A code that is taken by one tenant is free for another, which learns nothing of it.
    let part = json!({"part_code": goods::CODE, "name": "nut"});
    owner.post("/v1/cloudwatcher/parts", &part).await.problem(409);
    other.post("/v1/cloudwatcher/parts", &part).await.ok();
    let pool = PgPool::connect_with(service.database.options.clone()).await.unwrap();
    goods.miss(&pool).await;
    goods::caught_up(&pool).await;
    let end = last_position(&pool).await;
    owner.get_after("/v1/cloudwatcher/users?limit=1", end).await.ok();
    let before = rows(&pool, service.tenant).await;

    for call in &calls {
        let before = last_position(&pool).await;
        let unsigned = made(&nobody, call, &pool).await;
        let wanted = if call.reach == Reach::Open { 200 } else { 401 };
        assert_eq!(
            unsigned.status, wanted,
            "{} without a token: {}",
            call.operation, unsigned.text
        );
        assert_hides(call, &unsigned, &goods.secrets(service.tenant));

        let foreign = made(&other, call, &pool).await;
        assert_eq!(
            foreign.status, call.other,
            "{} as another tenant: {}",
            call.operation, foreign.text
        );
        assert_hides(call, &foreign, &goods.secrets(service.tenant));
        let written: Vec<Uuid> = sqlx::query_scalar("select tenant_id from book.events where position > $1")
            .bind(before)
            .fetch_all(&pool)
            .await
            .unwrap();
        let own = usize::from(call.reach == Reach::New && call.other == 200);
        assert!(
            written.iter().all(|tenant| *tenant == other.tenant) && (written.is_empty() == (own == 0)),
            "{} wrote {written:?}",
            call.operation
        );

        let before = last_position(&pool).await;
        let outside = made(&outsider, call, &pool).await;
        assert_eq!(
            outside.status, call.outsider,
            "{} from elsewhere: {}",
            call.operation, outside.text
        );
        assert_hides(call, &outside, &goods.department_secrets());
        assert_eq!(last_position(&pool).await, before, "{} wrote something", call.operation);
    }
    // The operations tried the order's stream and command; what policies made of it is as hidden.
    for path in goods.of_policies(owner).await {
        owner.get(&path).await.ok();
        other.get(&path).await.problem(404);
        outsider.get(&path).await.problem(404);
    }
    let timers = async |client: &Client| {
        let all = client.get("/v1/admin/policies").await.ok();
        (
            all["policies"][0]["timers"].clone(),
            all["policies"][0]["next_due_at"].is_null(),
        )
    };
    assert_eq!(timers(&other).await, (json!(0), true));
    assert_eq!(timers(owner).await, (json!(goods::ASKED.len()), false));
    let position = last_position(&pool).await;
    owner.get_after("/v1/cloudwatcher/users?limit=1", position).await.ok();
    assert_eq!(rows(&pool, service.tenant).await, before, "rows of the tenant changed");
    assert_eq!(
        missed(&pool).await,
        1,
        "what was missed of one tenant is not another's to retry"
    );

    // The same calls are good ones: their owner is served.
    let mut wrong = Vec::new();
    for call in &calls {
        let before = last_position(&pool).await;
        let served = made(owner, call, &pool).await;
        let wrote = wrote(&pool, owner, before).await;
        let silent = goods::SILENT
            .iter()
            .any(|word| call.operation.ends_with(&format!("/{word}")));
        let commands = call.method == Method::POST && call.reach != Reach::Installation && call.owner == 200 && !silent;
        let shows = call.method == Method::GET && matches!(call.reach, Reach::Department | Reach::Tenant);
        let secrets = match call.reach {
            Reach::Department => goods.department_secrets(),
            _ => goods.secrets(service.tenant),
        };
        let shown = secrets.iter().any(|secret| served.text.contains(secret));
        if served.status != call.owner || wrote != commands || shows && !shown {
            wrong.push(format!(
                "{}: {}, wrote: {wrote}, {}",
                call.operation, served.status, served.text
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(missed(&pool).await, 0, "the owner's retry made it good");
    pool.close().await;
    service.end().await;
}
