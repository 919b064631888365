//! Integration tests: real Postgres and NATS, a database each, positions to wait for.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on must stop, loudly"
)]

mod admin;
mod answers;
mod append;
mod bus;
mod claim_names;
mod claims;
mod deploy;
mod dry_run;
mod erasures;
mod fairness;
mod faults;
mod feed;
mod foreign;
mod hardening;
mod http;
mod idle;
mod image;
mod jwks;
mod keys;
mod let_through;
mod limits;
mod logins;
mod metrics;
mod objects;
mod offers;
mod parking;
mod permissions;
mod personal;
mod policies;
mod principals;
mod problems;
mod processes;
mod projector;
mod proxy;
mod reactors;
mod reading;
mod readme;
mod ready;
mod ready_schema;
mod receipts;
mod refused;
mod relay;
mod restored;
mod rules;
mod seals;
mod senders;
mod service_keys;
mod settings;
mod sign_ins;
mod silence;
mod socket;
mod tenants;
mod texts;
mod tokens;
mod typed;
mod unheeded;
mod unread;
mod unreadable;
mod upgrade;
mod workers;
