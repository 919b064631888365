//! Every operation of no context and of the prelude, as somebody whose business it is not. Those of other contexts are
//! tried in their own targets.

mod goods;

use serde_json::{Value, json};
use sqlx::PgPool;
use tests::foreign::{self, Call, Operation, Reach, Share, Trial};
use tests::{Client, Service};
use uuid::Uuid;

use goods::Goods;

impl foreign::Goods for Goods {
    fn call(&self, operation: Operation<'_>) -> Option<Call> {
        let words = operation.words();
        match (operation.method, words.as_slice()) {
            (_, ["v1", "admin", ..]) => administration(operation, &words),
            ("post", ["v1", "identity", "keys"]) => {
                // It speaks for a service of the owner's. What it makes Daybook itself is told to have made.
                let body = Some(self.one_more("keys")?);
                let call = operation.at(operation.path, body, Reach::New, [200, 422, 403]);
                Some(call.silent().without_key())
            }
            ("post", ["v1", "identity", "redactions"]) => {
                let body = json!(self.note("asked"));
                Some(operation.at(operation.path, Some(body), Reach::Tenant, [200, 404, 403]))
            }
            ("post", ["v1", "identity", plural]) => {
                let body = self.one_more(plural)?;
                Some(operation.at(operation.path, Some(body), Reach::New, [200, 200, 403]))
            }
            ("post", ["v1", "identity", plural, "{id}", command]) => {
                let (id, body, owner) = self.command(plural, command)?;
                let path = operation.path.replace("{id}", &id.to_string());
                // Who begins something is told that the id is taken, and no more.
                let begins = ["register", "define", "enter"].contains(command);
                let other = if begins { 409 } else { 404 };
                Some(operation.at(path, Some(body), Reach::Tenant, [owner, other, 403]))
            }
            ("get", _) => self.read(operation, &words),
            _ => None,
        }
    }

    fn secrets(&self) -> Vec<String> {
        self.of_tenant()
    }

    fn department_secrets(&self) -> Vec<String> {
        self.of_department()
    }

    fn outsiders_permissions(&self) -> Vec<String> {
        Self::outsiders_permissions()
    }

    fn elsewhere(&self) -> Uuid {
        self.id("elsewhere")
    }
}

impl Goods {
    /// The call of a read of the book or of the service.
    fn read(&self, operation: Operation<'_>, words: &[&str]) -> Option<Call> {
        let template = operation.path;
        let hidden = |path: String| operation.at(path, None, Reach::Department, [200, 404, 404]);
        Some(match words {
            // The page lies below its address.
            ["docs"] => operation.at("/docs/", None, Reach::Open, [200; 3]),
            ["health", _] | ["metrics"] | ["v1", "openapi.json"] | ["v1", "events", "types"] => {
                operation.at(template, None, Reach::Open, [200; 3])
            }
            ["problems", "{kind}"] => operation.at("/problems/claimed", None, Reach::Open, [200; 3]),
            ["problems", "{aggregate_type}", "{rule}"] => {
                operation.at("/problems/identity.user/erased", None, Reach::Open, [200; 3])
            }
            ["v1", "events"] | ["v1", "events", "stream"] => {
                return foreign::of_log()
                    .into_iter()
                    .find(|call| call.operation == operation.to_string());
            }
            ["v1", "identity", "keys"] => operation.at(template, None, Reach::Tenant, [200, 200, 403]),
            ["v1", "me"] | ["v1", "permissions"] => operation.at(template, None, Reach::Installation, [200; 3]),
            ["v1", "events", "{position}"] => hidden(format!("/v1/events/{}", self.drafted)),
            ["v1", "commands", "{command_id}", "tree"] => hidden(format!("/v1/commands/{}/tree", self.command)),
            ["v1", "streams", "{context}", "{aggregate}", "{id}"]
            | [
                "v1",
                "streams",
                "{context}",
                "{aggregate}",
                "{id}",
                "state" | "commands",
            ] => {
                let path = template.replace("{context}", "cloudwatcher");
                let path = path.replace("{aggregate}", "order");
                hidden(path.replace("{id}", &self.id("orders").to_string()))
            }
            _ => return None,
        })
    }
}

/// The call of what operators do.
fn administration(operation: Operation<'_>, words: &[&str]) -> Option<Call> {
    let installation = |path: String, body: Option<Value>, statuses| {
        let call = operation.at(path, body, Reach::Installation, statuses);
        Some(call)
    };
    let template = operation.path;
    match (operation.method, &words[2..]) {
        ("post", ["rebuild", _]) => installation("/v1/admin/rebuild/nowhere".to_owned(), None, [403; 3]),
        ("get", ["rebuild", _]) => installation("/v1/admin/rebuild/cloudwatcher".to_owned(), None, [403; 3]),
        ("get", ["parked"]) => installation(template.to_owned(), None, [200, 200, 403]),
        ("post", ["unpark"]) => {
            let body = json!({"context": "cloudwatcher"});
            installation(template.to_owned(), Some(body), [200, 200, 403])
        }
        // The asker's tenant's timers and what was missed of its events; how far a policy is, is no secret.
        ("get", ["policies"]) => Some(operation.at(template, None, Reach::Tenant, [200, 200, 403])),
        ("post", ["policies", "{policy}", "retry"]) => {
            let path = template.replace("{policy}", goods::POLICY);
            installation(path, Some(json!({})), [200, 200, 403])
        }
        // Nothing is to be done outside for anybody here; what is, each context shows in tests of its own.
        ("get", ["reactors"]) => installation(template.to_owned(), None, [200, 200, 403]),
        ("get", ["reactors", "{reactor}", "letters"]) => {
            installation(template.replace("{reactor}", reactor()), None, [200, 200, 403])
        }
        ("post", ["reactors", "{reactor}", "retry"]) => {
            let path = template.replace("{reactor}", reactor());
            installation(path, Some(json!({})), [200, 200, 403])
        }
        ("post", ["reactors", "{reactor}", "letters", "{letter}", "retry"]) => {
            let path = template.replace("{reactor}", reactor());
            let path = path.replace("{letter}", &Uuid::from_u128(7).to_string());
            installation(path, Some(json!({})), [404, 404, 403])
        }
        _ => None,
    }
}

/// A reactor, if any context has one.
fn reactor() -> &'static str {
    tests::contexts().reactors().next().map_or("none", |known| known.name)
}

/// Reactions that policies have missed.
async fn missed(pool: &PgPool) -> i64 {
    sqlx::query_scalar("select count(*) from book.missed")
        .fetch_one(pool)
        .await
        .unwrap()
}

/// How many timers the asker is shown, and whether none is due.
async fn timers(client: &Client) -> (Value, bool) {
    let all = client.get("/v1/admin/policies").await.ok();
    let policies = all["policies"].as_array().unwrap();
    let policy = policies
        .iter()
        .find(|policy| policy["policy"] == "order-approvals")
        .unwrap();
    (policy["timers"].clone(), policy["next_due_at"].is_null())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_operation_shows_or_changes_what_is_anothers_and_each_serves_its_owner() {
    let service = Service::start().await;
    let owner = &service.admin;
    let goods = Goods::made(&service).await;
    let contexts = tests::contexts();
    let trial = Trial::prepared(&service, &contexts, &goods, Share::Everybody).await;
    assert!(trial.calls() >= 39, "{} calls", trial.calls());
    goods.miss(&trial.pool).await;
    trial.hides().await;
    // The operations tried the order's stream and command; what policies made of it is as hidden.
    for path in goods.of_policies(owner).await {
        owner.get(&path).await.ok();
        trial.other.get(&path).await.problem(404);
        trial.outsider.get(&path).await.problem(404);
    }
    assert_eq!(timers(&trial.other).await, (json!(0), true));
    assert_eq!(timers(owner).await, (json!(1), false), "of what is asked for");
    assert_eq!(
        missed(&trial.pool).await,
        1,
        "what was missed of one tenant is not another's to retry"
    );
    trial.refuses_what_is_not_offered().await;
    trial.serves_the_owner().await;
    assert!(trial.refuses_what_is_not_offered().await > 0);
    assert_eq!(missed(&trial.pool).await, 0, "the owner's retry made it good");
    trial.end().await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_that_is_taken_elsewhere_is_told_to_be_taken_and_no_more() {
    let service = Service::start().await;
    let (admin, other) = (&service.admin, &Service::start_tenant(&service).await);
    let [department, north, role, user, supplier, order, part] = std::array::from_fn(|_| Uuid::now_v7());
    for (path, body) in [
        (
            format!("identity/departments/{department}/enter"),
            json!({"name": "South"}),
        ),
        (format!("identity/departments/{north}/enter"), json!({"name": "North"})),
        (
            format!("cloudwatcher/suppliers/{supplier}/enter"),
            json!({"name": "Acme"}),
        ),
        (
            format!("cloudwatcher/parts/{part}/enter"),
            json!({"part_code": "P", "name": "bolt"}),
        ),
    ] {
        admin.post(&format!("/v1/{path}"), &body).await.ok();
    }
    let item = json!({"part_id": part, "supplier_id": supplier, "quantity": 1, "unit_price": "1.00"});
    let draft = |department: Uuid| json!({"department_id": department, "currency": "EUR", "items": [item]});
    let northerner = service.person(&["cloudwatcher.order.*"], &[north]).await;
    let taken = async |client: &Client, path: &str, body: Value| {
        let problem = client.post(path, &body).await.problem(409);
        assert_eq!(
            (&problem["type"], &problem["field"]),
            (&json!("/problems/id-taken"), &json!("id")),
            "{problem}"
        );
        problem["detail"].as_str().unwrap().to_owned()
    };
    let person = json!({"name": "Bo", "email": "bo@example.com"});
    for (plural, id, command, body) in [
        (
            "identity/roles",
            role,
            "define",
            json!({"name": "clerk", "permissions": []}),
        ),
        ("identity/users", user, "register", person),
        ("cloudwatcher/suppliers", supplier, "enter", json!({"name": "Acme"})),
    ] {
        let path = |id: Uuid| format!("/v1/{plural}/{id}/{command}");
        admin.post(&path(id), &body).await;
        // In its own tenant it is told what is there.
        admin.post(&path(id), &body).await.problem(422);
        let detail = taken(other, &path(id), body.clone()).await;
        assert!(detail.contains("choose another"), "{detail}");
        other.post(&path(Uuid::now_v7()), &body).await.ok();
    }
    let path = format!("/v1/cloudwatcher/orders/{order}/draft");
    admin.post(&path, &draft(department)).await.ok();
    // Another department's and another tenant's are told in the same words.
    let elsewhere = taken(&northerner, &path, draft(north)).await;
    assert_eq!(taken(other, &path, draft(department)).await, elsewhere);
    // What is no beginning is not told to be anything.
    let submit = path.replace("draft", "submit");
    for client in [&northerner, other] {
        client.post(&submit, &json!({})).await.problem(404);
    }
    service.end().await;
}
