//! A context as small as an honest one can be, to show what one more of them takes: jars, and what they are
//! labelled with; and a plain kind for each type of key.

pub mod colour;
pub mod drawer;
pub mod jar;
pub mod rate;
pub mod tin;

#[cfg(test)]
mod golden;

use domain::Context;

/// Its kinds of streams, none of which leads to anything by itself.
pub static CONTEXT: Context = Context {
    name: "sample",
    aggregates: &[
        jar::AGGREGATE,
        colour::AGGREGATE,
        drawer::AGGREGATE,
        tin::AGGREGATE,
        rate::AGGREGATE,
    ],
    policies: &[],
    history: include_str!("../golden/history.json"),
};
