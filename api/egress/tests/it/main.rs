//! The way out against servers that behave badly, by real sockets.
#![expect(
    clippy::unwrap_used,
    reason = "these are tests; the lint knows only functions marked as such"
)]

mod servers;

mod addresses;
mod answers;
mod fairness;
mod own;
mod pinned;
mod refused;
mod secrets;
mod tls;
