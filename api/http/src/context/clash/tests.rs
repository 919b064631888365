use axum::routing::get;
use clap::Arg;

use super::*;
use crate::cli::Subcommand;
use crate::context::{Contexts, Gauge, Route};
use crate::crew::Worker;
use crate::demo::Demo;
use crate::sample;

static OF_A: domain::Context = sample::empty("a");
static OF_B: domain::Context = sample::empty("b");

fn bare(decisions: &'static domain::Context) -> Context {
    Context::of(decisions, None)
}

fn kept<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// The sentence with which the contexts are refused.
fn refusal<const N: usize>(contexts: [Context; N]) -> String {
    let contexts = contexts.map(kept);
    Contexts::new(&contexts).map(|_| "nothing").unwrap_err().to_string()
}

/// The refusals of two contexts that both bring something, and of one that brings it twice.
fn refusals(bring: impl Fn(Context) -> Context) -> String {
    refusal([bring(bare(&OF_A)), bring(bare(&OF_B))])
}

static WORKER: Worker = Worker {
    name: "sweeper",
    lock: "daybook sweeper",
    start: |_| {},
};

#[test]
fn two_workers_have_neither_one_name_nor_one_lock() {
    static SAME_LOCK: Worker = Worker {
        name: "duster",
        ..WORKER
    };
    let both = refusals(|context| Context {
        workers: kept([&WORKER]),
        ..context
    });
    assert_eq!(both, "contexts a and b both bring the worker sweeper");
    let one = Context {
        workers: kept([&WORKER, &SAME_LOCK]),
        ..bare(&OF_A)
    };
    assert_eq!(refusal([one]), "context a brings the lock daybook sweeper twice");
}

#[test]
fn a_worker_and_its_lock_are_not_called_like_those_of_the_engines() {
    for name in ["relay", "timers", "projector a", "policy x"] {
        let worker = kept(Worker { name, ..WORKER });
        let context = Context {
            workers: kept([worker]),
            ..bare(&OF_A)
        };
        assert_eq!(
            refusal([context]),
            format!("context a brings the worker {name}, which is Daybook's own")
        );
    }
    for lock in [
        book::timers::FORMER_LOCK_NAME,
        "daybook projector a",
        "daybook rebuilds",
    ] {
        let worker = kept(Worker { lock, ..WORKER });
        let context = Context {
            workers: kept([worker]),
            ..bare(&OF_A)
        };
        assert_eq!(
            refusal([context]),
            format!("context a brings the lock {lock}, which is Daybook's own")
        );
    }
}

#[test]
fn two_subcommands_have_not_one_name_and_none_that_of_an_own_one() {
    const fn named(name: &'static str) -> Subcommand {
        Subcommand {
            name,
            declared: |command| command,
            run: |_, _| Box::pin(async { Ok(()) }),
        }
    }
    let both = refusals(|context| Context {
        commands: kept([named("sweep")]),
        ..context
    });
    assert_eq!(both, "contexts a and b both bring the subcommand sweep");
    let serve = Context {
        commands: kept([named("serve")]),
        ..bare(&OF_A)
    };
    assert_eq!(
        refusal([serve]),
        "context a brings the subcommand serve, which is Daybook's own"
    );
    let tenant = Context {
        commands: kept([Subcommand {
            declared: |command| command.arg(Arg::new("tenant").long("tenant")),
            ..named("sweep")
        }]),
        ..bare(&OF_A)
    };
    assert_eq!(
        refusal([tenant]),
        "context a brings the option tenant, which is Daybook's own"
    );
}

#[test]
fn two_demos_have_no_option_in_common_and_the_seed_is_the_engines() {
    static ORDERS: Demo = Demo {
        declared: |command| command.arg(Arg::new("orders").long("orders")),
        load: |_, _, _| Box::pin(async { Ok(()) }),
        send: None,
    };
    static SEEDED: Demo = Demo {
        declared: |command| command.arg(Arg::new("chance").long("seed")),
        ..ORDERS
    };
    let both = refusals(|context| Context {
        demo: Some(&ORDERS),
        ..context
    });
    assert_eq!(both, "contexts a and b both bring the option of daybook demo orders");
    let seeded = Context {
        demo: Some(&SEEDED),
        ..bare(&OF_A)
    };
    assert_eq!(
        refusal([seeded]),
        "context a brings the option of daybook demo seed, which is Daybook's own"
    );
}

#[test]
fn two_gauges_have_not_one_name_and_none_that_of_an_engines_metric() {
    static AWAITED: Gauge = Gauge {
        name: "daybook_awaited",
        help: "Somebody waits.",
        value: |_| None,
    };
    static LAG: Gauge = Gauge {
        name: "daybook_projector_lag",
        ..AWAITED
    };
    let both = refusals(|context| Context {
        gauges: kept([&AWAITED]),
        ..context
    });
    assert_eq!(both, "contexts a and b both bring the metric daybook_awaited");
    let lag = Context {
        gauges: kept([&LAG]),
        ..bare(&OF_A)
    };
    assert_eq!(
        refusal([lag]),
        "context a brings the metric daybook_projector_lag, which is Daybook's own"
    );
}

#[test]
fn routes_lie_below_their_contexts_name_and_no_two_are_the_same() {
    let elsewhere = Context {
        routes: || vec![Route::new("/v1/b/things", get(async || ()))],
        ..bare(&OF_A)
    };
    let refused = refusal([elsewhere, bare(&OF_B)]);
    assert_eq!(
        refused,
        "the route /v1/b/things of context a does not begin with /v1/a/"
    );
    let twice = Context {
        routes: || {
            let route = |path| Route::new(path, get(async || ()));
            vec![route("/v1/a/things/{id}/parts"), route("/v1/a/things/{key}/parts")]
        },
        ..bare(&OF_A)
    };
    assert_eq!(
        refusal([twice]),
        "context a brings the route /v1/a/things/{}/parts twice"
    );
    static EVENTS: domain::Context = sample::empty("events");
    let refused = refusal([bare(&EVENTS)]);
    assert_eq!(
        refused,
        "context events is called like routes of Daybook itself: /v1/events"
    );
}
