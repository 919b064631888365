//! `GET /v1/sample/shelf`: what one process knows of the jars.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use axum::extract::State;
use axum::response::Response;
use http::app::App;
use http::auth::By;
use http::openapi::Paths;
use http::openapi::parts::{answer, answers, needs, parameter, position};
use http::problem::Problem;
use http::query;
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Its address.
pub const ADDRESS: &str = "/v1/sample/shelf";
/// Whoever may clear jars may see it.
pub const PERMISSION: &str = "sample.jar.clear";

/// What the handlers of one process share.
#[derive(Debug, Default)]
pub struct Shelf {
    cleared: AtomicU64,
    end: AtomicI64,
}

impl Shelf {
    /// Jars that this process has cleared.
    #[must_use]
    pub fn cleared(&self) -> u64 {
        self.cleared.load(Ordering::Relaxed)
    }

    pub fn clear(&self) {
        self.cleared.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes the end of the book until `stop`.
    pub async fn follow(&self, mut end: watch::Receiver<i64>, stop: &CancellationToken) {
        loop {
            self.end.store(*end.borrow_and_update(), Ordering::Relaxed);
            tokio::select! {
                changed = end.changed() => if changed.is_err() { return },
                () = stop.cancelled() => return,
            }
        }
    }
}

/// Shows it.
///
/// # Errors
/// [`Problem`].
pub async fn show(State(app): State<App>, by: By) -> Result<Response, Problem> {
    by.require(PERMISSION)?;
    let shelf = app.of::<Shelf>()?;
    let shown = json!({ "cleared": shelf.cleared(), "position": shelf.end.load(Ordering::Relaxed) });
    Ok(query::answer(shown.to_string(), 0))
}

/// Adds it to the OpenAPI document.
pub fn describe(paths: &mut Paths) {
    let shelf = json!({
        "type": "object",
        "required": ["cleared", "position"],
        "properties": {
            "cleared": { "type": "integer", "minimum": 0, "description": "Jars that this process has cleared." },
            "position": position(),
        },
    });
    let shelf = paths.schema("sample.shelf", shelf);
    paths.add(
        ADDRESS,
        "get",
        json!({
            "operationId": "sample.shelf",
            "tags": ["sample"],
            "summary": "What the process that answers knows of the jars.",
            "security": needs([PERMISSION]),
            "parameters": [parameter("RequestId")],
            "responses": answers(vec![("200", answer("The shelf.", shelf))], &[]),
        }),
    );
}
