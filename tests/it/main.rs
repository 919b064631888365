//! Integration tests: real Postgres and NATS, a database each, positions to wait for.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on must stop, loudly"
)]

mod admin;
mod append;
mod approvals;
mod audit_logs;
mod claims;
mod demo;
mod devices;
mod faults;
mod feed;
mod foreign;
mod hardening;
mod http;
mod jwks;
mod limits;
mod orders_stock;
mod places;
mod plans;
mod policies;
mod processes;
mod projector;
mod queries;
mod readme;
mod relay;
mod roles;
mod rules;
mod scopes;
mod stock;

/// Says that a test was skipped, and fails it where everything that tests need has to be there.
fn skipped(why: &str) {
    println!("skipped: {why}");
    assert!(std::env::var_os("CI").is_none(), "{why}");
}
