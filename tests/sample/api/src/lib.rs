//! Context `sample` as it is served, with one of each thing that a context may have beside its commands and tables.

pub mod clear;
pub mod command;
pub mod demo;
pub mod printer;
pub mod queries;
pub mod shelf;

use axum::routing::get;
use http::context::{Gauge, Route, States};
use http::crew::Tasks;
use http::roles::Grants;
use http::{App, Context};

use shelf::Shelf;

/// The context as it is served.
pub static CONTEXT: Context = Context {
    queries: &[&queries::LABELLED_BY],
    routes,
    paths: shelf::describe,
    receivers: &[clear::RECEIVER],
    state,
    workers: &[&printer::WORKER],
    tasks,
    gauges: &[&CLEARED],
    roles: GRANTS,
    commands: &[command::LABEL],
    demo: Some(&demo::DEMO),
    ..Context::of(&sample::CONTEXT, Some(&sample_tables::CONTEXT))
};

/// A role of this context alone, and one that other contexts know, too.
const GRANTS: &[Grants] = &[
    Grants {
        role: "keeper",
        description: "Jars and what is in them",
        does: &["sample.jar.*"],
        reads: true,
    },
    Grants {
        role: "manager",
        description: "Department management",
        does: &["sample.jar.clear"],
        reads: true,
    },
];

fn routes() -> Vec<Route> {
    vec![Route::new(shelf::ADDRESS, get(shelf::show))]
}

fn state(states: &mut States) {
    states.insert(Shelf::default());
}

fn tasks(app: &App, tasks: &mut Tasks<'_>) {
    let app = app.clone();
    tasks.keep("the shelf", move |stop| {
        let app = app.clone();
        async move {
            // There as soon as the state was added.
            let Ok(shelf) = app.of::<Shelf>() else { return };
            shelf.follow(app.end.clone(), &stop).await;
        }
    });
}

static CLEARED: Gauge = Gauge {
    name: "sample_jars_cleared",
    help: "Jars that this process has cleared.",
    value: |app| app.of::<Shelf>().ok().map(|shelf| shelf.cleared() as f64),
};
