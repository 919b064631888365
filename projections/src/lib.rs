//! The read side: tables, folds, projectors, generations. Any table can be thrown away and posted
//! again from the book; any cell can say which event put its value there.

pub mod aside;
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

pub mod check;
pub mod context;
pub mod golden;

pub mod error;
pub mod forget;
pub mod generation;
pub mod page;
pub mod plain;
pub mod poster;

pub mod erasures;
pub mod park;
pub mod posted;
pub mod projector;
pub mod rebuild;

pub mod bi;
pub mod conform;
pub mod history;

#[cfg(test)]
mod sample;

pub use context::{Context, Departments};
pub use error::PostError;
pub use posted::Posted;
pub use projection::Projection;
pub use projector::Projector;
pub use table::{Column, ColumnKind, Scope, Table};
