//! What tests of contexts are written with: a book in memory, decisions as given/when/then, golden histories.

pub mod book;
pub mod chronicle;
pub mod given;
pub mod golden;
pub mod schemas;

pub use book::Rehearsal;
