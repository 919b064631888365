//! A context as small as an honest one can be, to show what one more of them takes: jars, and what they are
//! labelled with.

pub mod jar;

#[cfg(test)]
mod golden;

use domain::Context;

/// Its one kind of stream, which leads to nothing by itself.
pub static CONTEXT: Context = Context {
    name: "sample",
    aggregates: &[jar::AGGREGATE],
    policies: &[],
    history: include_str!("../golden/history.json"),
};
