//! What one more context takes, and one less: context `sample`, whose crates lie beside this, is served with the others
//! and without them. And the shape of the house, which makes that possible.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop, loudly")]

mod added;
mod asked;
mod beside;
mod context;
mod failing;
mod first;
mod foreign;
mod house;
mod left_out;
mod plain;
mod plans;
mod running;
mod served;
mod unique_keys;
