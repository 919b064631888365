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
        let ["v1", "cloudwatcher", words @ ..] = words.as_slice() else {
            return None;
        };
        let call = match operation.method {
            "get" => question(self, operation, words),
            "post" => command(self, operation, words),
            _ => None,
        };
        call.or_else(|| self.plain.call(operation))
    }

    fn secrets(&self) -> Vec<String> {
        self.of_tenant().into_iter().chain(self.plain.secrets()).collect()
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

    /// Orders come before what they refer to.
    fn turn(&self, call: &Call) -> u8 {
        u8::from(!call.path.contains("/orders"))
    }
}

/// The call of a read, by the words behind the context's.
fn question(goods: &Goods, operation: Operation<'_>, words: &[&str]) -> Option<Call> {
    let template = operation.path;
    let read = |path: String, table: &str, statuses| Some(operation.at(path, None, reach_of(table), statuses));
    match words {
        ["approvals", "inbox"] => {
            let path = format!("{template}?limit=200");
            Some(operation.at(path, None, Reach::Department, [200; 3]))
        }
        ["requests", "pending"] => {
            let path = format!("{template}?device_id={}", goods::DEVICE);
            read(path, "requests", [200; 3])
        }
        ["inventory", "reorder"] => {
            let path = format!("{template}?location_id={}", goods.id("locations"));
            read(path, "inventory", [200; 3])
        }
        ["part-suppliers", "best"] => {
            let path = format!("{template}?part_id={}", goods.id("bolt"));
            read(path, "part_suppliers", [200; 3])
        }
        ["orders", "{id}", "approvals"] => {
            let path = template.replace("{id}", &goods.id("asked").to_string());
            read(path, "order_approvals", [200, 404, 404])
        }
        [kind @ ("departments" | "users"), "{id}", "subtree" | "permissions"] => {
            let path = template.replace("{id}", &goods.id(kind).to_string());
            read(path, kind, [200, 404, 200])
        }
        ["requests", "{id}", "response", ..] => {
            let path = template.replace("{id}", &goods.id("requests").to_string());
            Some(operation.at(path, None, Reach::Tenant, [200, 404, 200]))
        }
        // Only who sees every department reads it, whatever else they may.
        ["audit_logs"] => {
            let path = format!("{template}?limit=200");
            Some(operation.at(path, None, Reach::Department, [200, 200, 403]))
        }
        ["audit_logs", "{key}", ..] => {
            let path = template.replace("{key}", goods.keys.get("audit_logs")?);
            Some(operation.at(path, None, Reach::Tenant, [200, 404, 403]))
        }
        [table] => read(format!("{template}?limit=200"), table, [200; 3]),
        [table, "{key}", ..] => {
            let path = template.replace("{key}", goods.keys.get(*table)?);
            let hidden = if reach_of(table) == Reach::Department { 404 } else { 200 };
            read(path, table, [200, 404, hidden])
        }
        _ => None,
    }
}

/// The call of a command, by the words behind the context's.
fn command(goods: &Goods, operation: Operation<'_>, words: &[&str]) -> Option<Call> {
    match words {
        ["approvals", "decide"] => {
            let body = Some(goods.decisions());
            let call = operation.at(operation.path, body, Reach::Department, [200, 404, 404]);
            Some(call.outcomes())
        }
        [plural] => {
            let (body, statuses) = goods.one_more(plural)?;
            Some(operation.at(operation.path, Some(body), Reach::New, statuses))
        }
        [plural, "{id}", command] => {
            let (id, body, owner) = goods.command(plural, command)?;
            let path = operation.path.replace("{id}", &id.to_string());
            let kind = tests::contexts().by_url("cloudwatcher", plural)?;
            let hidden = match *command {
                // There is nothing of that order in the other tenant: the copy has no original.
                "duplicate" => 422,
                // Who begins something is told that the id is taken, and no more.
                begins if begins == kind.creates && !kind.borrows_id => 409,
                _ => 404,
            };
            let (reach, outsider) = match *plural {
                "orders" | "approvals" | "locations" | "inventory" => (Reach::Department, hidden),
                _ => (Reach::Tenant, 403),
            };
            Some(operation.at(path, Some(body), reach, [owner, hidden, outsider]))
        }
        _ => None,
    }
}

fn reach_of(table: &str) -> Reach {
    const OF_LOCATIONS: [&str; 4] = ["locations", "inventory", "part_consumption", "reorder_suggestions"];
    let is_of_stock = table.starts_with("stock_") && table != "stock_policies";
    if table.starts_with("order") || is_of_stock || OF_LOCATIONS.contains(&table) {
        Reach::Department
    } else {
        Reach::Tenant
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_operation_of_the_context_shows_or_changes_what_is_anothers_and_each_serves_its_owner() {
    let service = Service::start().await;
    let goods = Goods::made(&service).await;
    let contexts = tests::contexts();
    let trial = Trial::prepared(&service, &contexts, &goods, Share::Context("cloudwatcher")).await;
    assert!(trial.calls() >= 170, "{} calls", trial.calls());
    // A code that is taken by one tenant is free for another, which learns nothing of it.
    let part = json!({"part_code": goods::CODE, "name": "nut"});
    service.admin.post("/v1/cloudwatcher/parts", &part).await.problem(409);
    trial.other.post("/v1/cloudwatcher/parts", &part).await.ok();
    trial.hides().await;
    let before = trial.refuses_what_is_not_offered().await;
    trial.serves_the_owner().await;
    // In other states other commands are not offered.
    let after = trial.refuses_what_is_not_offered().await;
    assert!(before >= 70 && after >= 100, "{before} and {after} were tried");
    trial.end().await;
    service.end().await;
}
