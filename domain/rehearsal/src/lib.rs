//! What tests of contexts are written with: a book in memory, decisions as given/when/then, golden histories,
//! and what must hold for every kind of stream.
#![expect(
    clippy::unwrap_used,
    reason = "whatever goes wrong here fails the test that called it"
)]

pub mod book;
pub mod chronicle;
pub mod folding;
pub mod given;
pub mod golden;
pub mod offering;
pub mod schemas;

pub use book::{Occasion, Rehearsal, Unasked, sending};
pub use chronicle::{Chronicle, History};
pub use golden::Golden;
