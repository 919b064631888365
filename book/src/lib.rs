//! The book: append, load, tail, fan out. It knows the shape of an aggregate, and no context.

pub mod answer;
pub mod append;
pub mod appender;
pub mod cache;
pub mod claims;
mod draft;
pub mod end;
pub mod error;
pub mod execute;
pub mod facts;
mod gather;
pub mod keys;
pub mod logins;
pub mod master;
pub mod migrations;
pub mod pace;
pub mod pools;
mod progress;
pub mod rehearse;
pub mod rotation;
pub mod secrets;
pub mod step;
mod stream;
pub mod tail;
pub mod tenants;
pub mod texts;
mod trust;
pub mod turns;
pub mod vault;

pub mod bus;
pub mod feed;
pub mod lead;
pub mod lease;
pub mod worker;

pub mod policy;
pub mod relay;
pub mod retention;
pub mod seals;
pub mod timers;

pub use bus::Bus;
pub use end::End;
pub use error::{BookError, is_transient};
pub use execute::{Answer, Book, Envelope, ExecuteError, Refusal, StreamAnswer};
pub use feed::Feed;
pub use lease::{Lease, Leases};
pub use logins::Logins;
pub use master::{ClaimKey, MasterKey};
pub use migrations::MIGRATOR;
pub use pools::Pools;
pub use rehearse::Rehearsed;
pub use step::Step;
pub use tail::Tail;
pub use vault::Vault;
