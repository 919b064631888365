//! Every operation of the context, as somebody whose business it is not.

mod goods;

use serde_json::json;
use tests::Service;
use tests::foreign::{self, Call, Operation, Reach, Share, Trial};
use uuid::Uuid;

use goods::Goods;

impl foreign::Goods for Goods {
    fn call(&self, operation: Operation<'_>) -> Option<Call> {
        let words = operation.words();
        let ["v1", "dod", words @ ..] = words.as_slice() else {
            return None;
        };
        match (operation.method, words) {
            // Who shows a token is let in, whoever else they are; with one that nobody issued nobody is.
            ("post", ["webhooks", "{token}"] | ["webhooks", "{token}", "api", "v2", "alerts"]) => {
                let path = operation.path.replace("{token}", goods::NO_TOKEN);
                let call = operation.at(path, Some(json!({})), Reach::New, [401; 3]);
                Some(call.without_key())
            }
            ("post", ["v2", "enqueue"]) => {
                let payload = json!({"summary": "Disk is full", "source": "db-1", "severity": "error"});
                let body = json!({"routing_key": goods::NO_TOKEN, "event_action": "trigger", "payload": payload});
                Some(
                    operation
                        .at(operation.path, Some(body), Reach::New, [401; 3])
                        .without_key(),
                )
            }
            ("post", ["sources", "{id}", "tokens"]) => {
                let path = operation.path.replace("{id}", &self.id("sources").to_string());
                let call = operation.at(path, None, Reach::Tenant, [200, 404, 403]);
                // Daybook itself draws it, and writes what is kept of it.
                Some(call.without_key().silent())
            }
            ("post", words) => command(self, operation, words),
            ("get", words) => Some(question(self, operation, words)),
            _ => None,
        }
    }

    fn secrets(&self) -> Vec<String> {
        self.of_tenant()
    }

    /// No department holds an alert.
    fn department_secrets(&self) -> Vec<String> {
        Vec::new()
    }

    fn outsiders_permissions(&self) -> Vec<String> {
        let reads = goods::tables().map(|table| format!("dod.{table}.read"));
        reads.chain(["audit.read".to_owned()]).collect()
    }

    fn elsewhere(&self) -> Uuid {
        self.id("elsewhere")
    }

    /// Alerts and issues come before what they rest on.
    fn turn(&self, call: &Call) -> u8 {
        let path = &call.path;
        u8::from(!(path.contains("/alerts") || path.contains("/issues") || path.contains("/messages")))
    }
}

/// The call of a read, by the words behind the context's.
fn question(goods: &Goods, operation: Operation<'_>, words: &[&str]) -> Call {
    let read = |path: String, other| operation.at(path, None, Reach::Tenant, [200, other, 200]);
    match words {
        [table, "{key}", ..] => read(operation.path.replace("{key}", &goods.keys[*table]), 404),
        [table] if goods.keys.contains_key(*table) => read(format!("{}?limit=200", operation.path), 200),
        _ => read(operation.path.to_owned(), 200),
    }
}

/// The call of a command, by the words behind the context's.
fn command(goods: &Goods, operation: Operation<'_>, words: &[&str]) -> Option<Call> {
    match words {
        [plural] => {
            let (body, other) = goods.one_more(plural)?;
            Some(operation.at(operation.path, Some(body), Reach::New, [200, other, 403]))
        }
        [plural, "{id}", command] => {
            let (id, body, owner) = goods.command(plural, command)?;
            let path = operation.path.replace("{id}", &id.to_string());
            let kind = tests::contexts().by_url("dod", plural)?;
            let other = match *command {
                begins if begins == kind.creates && !kind.borrows_id => 409,
                _ => 404,
            };
            Some(operation.at(path, Some(body), Reach::Tenant, [owner, other, 403]))
        }
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_operation_of_the_context_shows_or_changes_what_is_anothers_and_each_serves_its_owner() {
    let service = Service::start().await;
    let goods = Goods::made(&service).await;
    let contexts = tests::contexts();
    let trial = Trial::prepared(&service, &contexts, &goods, Share::Context("dod")).await;
    trial.hides().await;
    trial.refuses_what_is_not_offered().await;
    trial.serves_the_owner().await;
    trial.end().await;
    service.end().await;
}
