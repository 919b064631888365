//! What integration tests and benches stand on: a database each, real servers, positions to wait for.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a broken test set-up must stop the test, loudly"
)]

pub mod bench;
pub mod database;
pub mod documented;
pub mod foreign;
pub mod hostile;
pub mod ledger;
pub mod metrics;
pub mod plans;
pub mod process;
pub mod proxy;
pub mod service;
pub mod unique;
pub mod wait;

pub use database::Database;
pub use ledger::Ledger;
pub use service::{Client, Service};
pub use wait::until;

/// The contexts of the program under test.
pub fn contexts() -> http::Contexts {
    daybook::contexts::all().expect("no two contexts go by one name")
}

/// Their read tables.
pub fn tables() -> Vec<&'static projections::Context> {
    contexts().tables().collect()
}

/// The contexts as decisions see them.
pub fn decisions() -> domain::Contexts {
    contexts().decisions().clone()
}

/// What they ask for by themselves, in the order in which it is asked.
pub fn policies() -> Vec<&'static dyn domain::Policy> {
    contexts().decisions().policies()
}

/// The servers that `./dev test` starts for the tests, or `./dev up` for everybody.
pub fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; run the tests through ./dev test"))
}

/// A client of NATS at this address, with the user and the password that stand in it.
pub async fn nats(url: &str) -> Result<async_nats::Client, async_nats::ConnectError> {
    let (address, options) = book::bus::reaching(url).expect("an address of NATS");
    options.connect(address).await
}

/// Says that a test was skipped, and fails it where everything that tests need has to be there.
pub fn skipped(why: &str) {
    println!("skipped: {why}");
    assert!(std::env::var_os("CI").is_none(), "{why}");
}
