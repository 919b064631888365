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
mod bus;
mod claims;
mod demo;
mod devices;
mod faults;
mod feed;
mod foreign;
mod hardening;
mod http;
mod idle;
mod jwks;
mod let_through;
mod limits;
mod orders_stock;
mod parking;
mod personal;
mod places;
mod plans;
mod policies;
mod principals;
mod processes;
mod projector;
mod proxy;
mod queries;
mod reading;
mod readme;
mod ready;
mod receipts;
mod relay;
mod roles;
mod rules;
mod scopes;
mod senders;
mod sign_ins;
mod silence;
mod stock;
mod unreadable;
mod upgrade;
mod workers;

/// Says that a test was skipped, and fails it where everything that tests need has to be there.
fn skipped(why: &str) {
    println!("skipped: {why}");
    assert!(std::env::var_os("CI").is_none(), "{why}");
}
