//! The tools of the tests of contexts: a book in memory, decisions as given/when/then, golden histories, and the
//! rules that hold for every kind of stream.
#![expect(clippy::unwrap_used, reason = "an error here fails the test that called it")]

pub mod amending;
pub mod book;
pub mod chronicle;
pub mod folding;
pub mod given;
pub mod golden;
pub mod offering;
pub mod plain;
pub mod reaching;
pub mod rules;
pub mod schemas;
pub mod sourcing;
pub mod written;

pub use book::{Occasion, Rehearsal, Unasked, sending};
pub use chronicle::{Chronicle, History, Step};
pub use golden::Golden;
