//! What every context's read side is held to.

use projections::check;

use crate::CONTEXT;

#[test]
fn the_context_keeps_every_rule_of_a_read_side() {
    let kinds = [identity::CONTEXT.aggregates, dod::CONTEXT.aggregates].concat();
    assert_eq!(check::all(&CONTEXT, &kinds), Vec::<String>::new());
}
