//! Context `sample` as a read table.

pub mod jars;

#[cfg(test)]
mod checks;

use projections::context::Context;
use projections::projection::of;

/// Posted from its own aggregate alone.
pub static CONTEXT: Context = Context {
    name: "sample",
    ddl: include_str!("../../migrations/sample.sql"),
    reads: &[sample::jar::AGGREGATE],
    tables: &[&of::<jars::JarRow>()],
    audit: None,
    loads: |_| 0,
    history: sample::CONTEXT.history,
    departments: None,
};
