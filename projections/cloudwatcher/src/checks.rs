//! What every context's read side is held to.

use domain::Recorded;
use projections::page::Page;
use projections::{check, golden};

use crate::CONTEXT;

#[test]
fn the_context_keeps_every_rule_of_a_read_side() {
    let kinds = [identity::CONTEXT.aggregates, cloudwatcher::CONTEXT.aggregates].concat();
    assert_eq!(check::all(&CONTEXT, &kinds), Vec::<String>::new());
    assert!(CONTEXT.departments.is_some());
}

#[test]
fn a_page_of_archived_requests_is_cut() {
    let history = golden::history(&CONTEXT).unwrap();
    let archived = history
        .iter()
        .max_by_key(|recorded| (CONTEXT.loads)(&recorded.event))
        .unwrap();
    let events = (1..=1_000).map(|position| Recorded {
        position,
        ..archived.clone()
    });
    let page = Page {
        to: 1_000,
        events: events.collect(),
        parks: Vec::new(),
    };
    let portions = page.portions(&CONTEXT).len();
    assert!(portions >= 16, "{portions}");
}
