//! The read side: tables, folds, projectors, generations. Any table can be thrown away and posted
//! again from the book; any cell can say which event put its value there.

pub mod cell;
pub mod copy;
pub mod image;
pub mod row;
pub mod table;

pub mod audit;
pub mod fold;
pub mod projection;
pub mod register;
pub mod sql;

pub mod context;
pub mod golden;

pub mod error;
pub mod generation;
pub mod ledger;
pub mod page;

pub mod park;
pub mod posted;
pub mod projector;
pub mod rebuild;

pub mod conform;
pub mod history;

pub mod cloudwatcher;

pub use context::Context;
pub use error::PostError;
pub use posted::Posted;
pub use projection::Projection;
pub use projector::Projector;
pub use table::{Column, Kind, Scope, Table};

/// Every context, in the order of the documents. A new document adds its context here.
pub static CONTEXTS: &[&Context] = &[&cloudwatcher::CONTEXT];

/// The context of this name.
#[must_use]
pub fn context(name: &str) -> Option<&'static Context> {
    CONTEXTS.iter().copied().find(|context| context.name == name)
}
