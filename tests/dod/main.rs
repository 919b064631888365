//! Integration tests of context `dod`: real Postgres and NATS, a database each, positions to wait for.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on must stop, loudly"
)]

mod conforms;
mod flow;
mod foreign;
mod house;
mod plans;
mod unique_keys;
mod unseen;
