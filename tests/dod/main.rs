//! Integration tests of context `dod`: real Postgres and NATS, a database each, positions to wait for.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop, loudly")]

mod answers;
mod archive;
mod before;
mod conforms;
mod deaths;
mod demo;
mod embeddings;
mod fair;
mod flow;
mod foreign;
mod house;
mod plans;
mod reactors;
mod rehearse;
mod replay;
mod room;
mod secrets;
mod signed;
mod silences;
mod sweeps;
mod unique_keys;
mod unseen;
