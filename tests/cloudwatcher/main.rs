//! Integration tests of context `cloudwatcher`: real Postgres and NATS, a database each, positions to wait for.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on must stop, loudly"
)]

mod approvals;
mod audit_logs;
mod catalogue;
mod conforms;
mod demo;
mod devices;
mod foreign;
mod guide;
mod lists;
mod orders_stock;
mod places;
mod plans;
mod queries;
mod rehearsed;
mod roles;
mod scopes;
mod stock;
mod telling;
mod unique_keys;
