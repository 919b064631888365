//! Every operation of the context, as somebody whose business it is not.

use serde_json::{Value, json};
use tests::Service;
use tests::foreign::{self, Call, Operation, Reach, Samples, Share, Trial};
use uuid::Uuid;

use crate::context;

/// On the jar, and nowhere else.
const LABEL: &str = "Xyzzy";

/// A jar, and a department for somebody who has nothing to do with it.
struct Goods {
    owner: Uuid,
    jar: Uuid,
    elsewhere: Uuid,
    plain: Samples,
}

impl Goods {
    async fn made(service: &Service) -> Self {
        let [jar, elsewhere] = std::array::from_fn(|_| Uuid::now_v7());
        let label = json!({ "label": LABEL });
        let department = json!({"name": "Elsewhere"});
        for (path, body) in [
            (format!("/v1/sample/jars/{jar}/label"), label),
            (format!("/v1/identity/departments/{elsewhere}/enter"), department),
        ] {
            service.admin.post(&path, &body).await.ok();
        }
        Self {
            owner: service.admin.user,
            jar,
            elsewhere,
            plain: Samples::made(service, sample::CONTEXT.aggregates.iter()).await,
        }
    }
}

impl foreign::Goods for Goods {
    fn call(&self, operation: Operation<'_>) -> Option<Call> {
        let words = operation.words();
        let path = operation.path.replace("{id}", &self.jar.to_string());
        let path = path.replace("{key}", &self.jar.to_string());
        let read = |path: String, statuses| Some(operation.at(path, None, Reach::Tenant, statuses));
        let sent = |body: Value, reach, statuses| Some(operation.at(path.clone(), Some(body), reach, statuses));
        match (operation.method, &words[2..]) {
            ("get", ["jars"]) => read(path, [200; 3]),
            ("get", ["jars", "labelled-by"]) => read(format!("{path}?labelled_by={}", self.owner), [200; 3]),
            ("get", ["jars", "{key}", ..]) => read(path, [200, 404, 200]),
            // Of the process, and so of every tenant.
            ("get", ["shelf"]) => Some(operation.at(path, None, Reach::Installation, [200, 200, 403])),
            ("post", ["jars"]) => sent(json!({"label": "another"}), Reach::New, [200, 200, 403]),
            ("post", ["jars", _, "label"]) => sent(json!({"label": "else"}), Reach::Tenant, [200, 409, 403]),
            ("post", ["jars", _, "clear"]) => sent(json!({}), Reach::Tenant, [200, 404, 403]),
            _ => self.plain.call(operation),
        }
    }

    fn secrets(&self) -> Vec<String> {
        let own = [self.jar.to_string(), LABEL.to_owned()];
        own.into_iter().chain(self.plain.secrets()).collect()
    }

    /// Jars are the whole tenant's.
    fn department_secrets(&self) -> Vec<String> {
        Vec::new()
    }

    fn outsiders_permissions(&self) -> Vec<String> {
        let tables = sample_tables::CONTEXT.all_tables();
        let read = tables.map(|table| format!("sample.{}.read", table.name));
        read.chain(["audit.read".to_owned()]).collect()
    }

    fn elsewhere(&self) -> Uuid {
        self.elsewhere
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_operation_of_the_context_shows_or_changes_what_is_anothers_and_each_serves_its_owner() {
    let contexts = context::alone();
    let service = Service::of(contexts.clone()).await;
    let goods = Goods::made(&service).await;
    let trial = Trial::prepared(&service, &contexts, &goods, Share::Context("sample")).await;
    trial.hides().await;
    trial.serves_the_owner().await;
    trial.end().await;
    service.end().await;
}
