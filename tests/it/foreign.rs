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
            ("post", ["v1", "identity", "redactions"]) => {
                let body = json!(self.note("asked"));
                Some(operation.at(operation.path, Some(body), Reach::Tenant, [200, 404, 403]))
            }
            ("post", ["v1", "identity", plural]) => {
                let body = Goods::one_more(plural)?;
                Some(operation.at(operation.path, Some(body), Reach::New, [200, 200, 403]))
            }
            ("post", ["v1", "identity", plural, "{id}", command]) => {
                let (id, body, owner) = self.command(plural, command)?;
                let path = operation.path.replace("{id}", &id.to_string());
                Some(operation.at(path, Some(body), Reach::Tenant, [owner, 404, 403]))
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
            ["health", _] | ["metrics"] | ["v1", "openapi.json"] => operation.at(template, None, Reach::Open, [200; 3]),
            ["problems", "{kind}"] => operation.at("/problems/claimed", None, Reach::Open, [200; 3]),
            ["problems", "{aggregate_type}", "{rule}"] => {
                operation.at("/problems/identity.user/erased", None, Reach::Open, [200; 3])
            }
            ["v1", "events"] | ["v1", "events", "stream"] => {
                return foreign::of_log()
                    .into_iter()
                    .find(|call| call.operation == operation.to_string());
            }
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
        ("post", ["rebuild", _]) => installation("/v1/admin/rebuild/nowhere".to_owned(), None, [404, 404, 403]),
        ("get", ["rebuild", _]) => installation("/v1/admin/rebuild/cloudwatcher".to_owned(), None, [404, 404, 403]),
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
        _ => None,
    }
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
    let policy = &all["policies"][0];
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
