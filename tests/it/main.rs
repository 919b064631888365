//! Integration tests: real Postgres and NATS, a database each, positions to wait for.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on must stop, loudly"
)]

mod append;
mod approvals;
mod faults;
mod hardening;
mod http;
mod policies;
mod projector;
mod readme;
mod relay;
mod rules;
