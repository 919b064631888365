//! Context `cloudwatcher` as it is served, beside its commands and tables: the queries that its document
//! and its users name, the requests of devices, its archives and its demo data.

pub mod archive;
pub mod codes;
pub mod decide;
pub mod demo;
pub mod inbox;
pub mod minimum;
pub mod offers;
pub mod paths;
pub mod queries;
pub mod receive;
pub mod response;
pub mod roles;
pub mod stock;
pub mod struck;
pub mod waiting;

use axum::routing::{get, post};
use http::context::{Gauge, Route, States};
use http::crew::Tasks;
use http::{App, Context};

use receive::UnderWay;
use waiting::Waiting;

/// The context as it is served.
pub static CONTEXT: Context = Context {
    queries: queries::QUERIES,
    routes,
    paths: paths::add,
    receivers: &[receive::RECEIVER],
    guards: &[minimum::GUARD],
    warnings: &[struck::PART, struck::VARIANT, struck::LOCATION],
    joint: &[&stock::TRANSFER, &stock::ACCEPT_REORDER],
    state,
    workers: &[&archive::WORKER],
    tasks,
    gauges: &[&RESPONSES_AWAITED],
    permissions: &[(
        "orders.approve",
        "Approves and rejects orders, as a department's manager or in a manager's place.",
    )],
    of_devices: &["cloudwatcher.request.receive", response::READ],
    roles: roles::GRANTS,
    commands: &[archive::command::ARCHIVE],
    demo: Some(&demo::DEMO),
    prepare: codes::take,
    ..Context::of(&cloudwatcher::CONTEXT, Some(&cloudwatcher_tables::CONTEXT))
};

fn routes() -> Vec<Route> {
    vec![
        Route::new("/v1/cloudwatcher/inventory/{id}/transfer", post(stock::transfer)),
        Route::new(
            "/v1/cloudwatcher/inventory/{id}/accept-reorder",
            post(stock::accept_reorder),
        ),
        Route::new("/v1/cloudwatcher/approvals/inbox", get(inbox::list)),
        Route::new("/v1/cloudwatcher/approvals/decide", post(decide::send)),
        Route {
            waits_seconds: response::WAIT_SECONDS_MAX,
            ..Route::new("/v1/cloudwatcher/requests/{id}/response", get(response::wait))
        },
        Route::new("/v1/cloudwatcher/requests/{id}/response/stream", get(response::stream)),
    ]
}

fn state(states: &mut States) {
    states.insert(UnderWay::default());
    states.insert(Waiting::default());
}

fn tasks(app: &App, tasks: &mut Tasks<'_>) {
    let app = app.clone();
    tasks.keep("devices that wait", move |stop| {
        let app = app.clone();
        async move {
            // There as soon as the state was added.
            let Ok(waiting) = app.of::<Waiting>() else { return };
            let means = waiting::Means {
                pool: app.pools.projector.clone(),
                posted: app.posted.clone(),
                context: &cloudwatcher_tables::CONTEXT,
                end: app.end.clone(),
            };
            waiting::follow(waiting.clone(), means, stop).await;
        }
    });
}

static RESPONSES_AWAITED: Gauge = Gauge {
    name: "daybook_responses_awaited",
    help: "Requests of devices that somebody waits for a response to, at this process.",
    value: |app| app.of::<Waiting>().ok().map(|waiting| waiting.requests() as f64),
};

#[cfg(test)]
mod tests;
