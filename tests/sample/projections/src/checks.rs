//! What every context's read side is held to.

use projections::check;

use crate::CONTEXT;

#[test]
fn tables_come_before_loading_and_everything_else_after() {
    assert_eq!(check::statements(&CONTEXT), Vec::<String>::new());
}

#[test]
fn a_context_reads_every_kind_of_stream_that_a_table_of_it_posts() {
    assert_eq!(check::reads(&CONTEXT, sample::CONTEXT.aggregates), Vec::<String>::new());
}

#[test]
fn the_golden_history_leaves_a_row_in_every_table() {
    assert_eq!(check::rows(&CONTEXT), Vec::<String>::new());
}
