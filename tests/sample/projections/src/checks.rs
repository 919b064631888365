//! What every context's read side is held to.

use projections::check;

use crate::CONTEXT;

#[test]
fn the_context_keeps_every_rule_of_a_read_side() {
    assert_eq!(check::all(&CONTEXT, sample::CONTEXT.aggregates), Vec::<String>::new());
}
