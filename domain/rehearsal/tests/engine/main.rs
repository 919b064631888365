//! The engine of decisions, with kinds of streams that no context has.
#![expect(
    clippy::unwrap_used,
    reason = "these are tests; the lint knows only functions marked as such"
)]

mod book;
mod contexts;
mod erased;
mod facts;
mod offering;
mod reaching;
mod register;
mod sample;
mod sourcing;
mod written;
