//! Context `dod` as it is served, beside its commands and tables: where senders of alerts send, and what follows outside:
//! investigations, messages to people, vectors of skills; and archives of what is over.

pub mod counts;
pub mod enqueue;
pub mod refused;
pub mod room;
mod secrets;
pub mod senders;
pub mod signed;
pub mod sns;
pub mod tokens;
pub mod webhooks;

pub mod edges;
pub mod outward;
pub mod receivers;

pub mod embed;
pub mod fetch;
pub mod investigate;
pub mod notify;
pub mod silences;
pub mod subscribe;
pub mod tools;

pub mod archive;
pub mod command;
pub mod demo;
pub mod rehearse;
pub mod replay;
mod shown;

pub mod paths;
pub mod roles;

use axum::routing::{get, post};
use http::Context;
use http::context::{Route, States};

/// The context as it is served.
pub static CONTEXT: Context = Context {
    routes,
    paths: paths::add,
    edges: edges::EDGES,
    warnings: &[
        receivers::OF_SOURCE,
        receivers::OF_POLICY,
        receivers::OF_EXPECTATION,
        tools::OF_TOOL,
    ],
    rehearsals: rehearse::REHEARSALS,
    state,
    tasks: room::tasks,
    gauges: &[&room::SHARE],
    counts: &[refused::COUNTED],
    objects: Some(fetch::named),
    reactors: outward::REACTORS,
    workers: &[
        &fetch::WORKER,
        &subscribe::WORKER,
        &investigate::WORKER,
        &notify::WORKER,
        &embed::WORKER,
        &silences::WORKER,
        &archive::WORKER,
    ],
    permissions: &[(
        tokens::ISSUE,
        "Has tokens issued by which senders of alerts are let in.",
    )],
    roles: roles::GRANTS,
    commands: &[command::DOD],
    demo: Some(&demo::DEMO),
    ..Context::of(&dod::CONTEXT, Some(&dod_tables::CONTEXT))
};

fn routes() -> Vec<Route> {
    vec![
        Route {
            takes_parameters: true,
            is_secret: true,
            ..Route::new(webhooks::ADDRESS, post(webhooks::receive))
        },
        Route {
            takes_parameters: true,
            is_secret: true,
            ..Route::new(webhooks::ADDRESS_OF_PROMETHEUS, post(webhooks::receive))
        },
        Route {
            takes_parameters: true,
            ..Route::new(enqueue::ADDRESS, post(enqueue::receive))
        },
        Route::new(tokens::ADDRESS, post(tokens::issue)),
        Route::new(counts::ADDRESS, get(counts::show)),
    ]
}

fn state(states: &mut States) {
    states.insert(senders::Senders::default());
    states.insert(refused::Refusals::default());
    states.insert(room::Room::default());
    states.insert(sns::Certificates::default());
}
