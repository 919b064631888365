//! What every context's read side is held to.

use domain::Recorded;
use projections::page::Page;
use projections::{check, golden};

use crate::CONTEXT;

#[test]
fn tables_come_before_loading_and_everything_else_after() {
    assert_eq!(check::statements(&CONTEXT), Vec::<String>::new());
}

#[test]
fn a_context_reads_every_kind_of_stream_that_a_table_of_it_posts() {
    let kinds = [identity::CONTEXT.aggregates, cloudwatcher::CONTEXT.aggregates].concat();
    assert_eq!(check::reads(&CONTEXT, &kinds), Vec::<String>::new());
}

#[test]
fn the_golden_history_leaves_a_row_in_every_table() {
    assert_eq!(check::rows(&CONTEXT), Vec::<String>::new());
}

#[test]
fn a_page_of_archived_requests_is_cut() {
    let history = golden::history(&CONTEXT).unwrap();
    let archived = history
        .iter()
        .find(|recorded| (CONTEXT.loads)(&recorded.event) > 0)
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

#[test]
fn departments_are_told_by_columns_that_their_table_has() {
    assert_eq!(check::departments(&CONTEXT), Vec::<String>::new());
    assert!(CONTEXT.departments.is_some());
}
