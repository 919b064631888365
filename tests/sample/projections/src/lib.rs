//! Context `sample` as read tables.

pub mod jars;

#[cfg(test)]
mod checks;

use projections::context::Context;
use projections::plain;
use projections::projection::of;

/// Posted from its own aggregates alone.
pub static CONTEXT: Context = Context {
    name: "sample",
    ddl: include_str!("../../migrations/sample.sql"),
    reads: sample::CONTEXT.aggregates,
    tables: &[
        &of::<jars::JarRow>(),
        plain!(sample::colour::Colour),
        plain!(sample::drawer::Drawer),
        plain!(sample::tin::Tin),
        plain!(sample::rate::Rate),
    ],
    audit: None,
    loads: |_| 0,
    history: sample::CONTEXT.history,
    departments: None,
};
