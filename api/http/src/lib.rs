//! The engine of HTTP: authentication, commands, queries, audit, OpenAPI, health. It serves the contexts that it is
//! handed as values, and names none but the prelude `identity`.

pub mod app;
pub mod asked_once;
pub mod bounds;
pub mod context;
pub mod crew;
pub mod fair;
pub mod fault;
mod lent;
pub mod mark;
mod methods;
pub mod metric;
pub mod outgoing;
pub mod router;
pub mod shares;

pub mod auth;
pub mod extract;
pub mod moment;
pub mod problem;
pub mod rates;
mod security;

pub mod command;
pub mod query;

pub mod audit;

pub mod admin;
mod docs;
pub mod health;
pub mod me;
pub mod openapi;
pub mod permissions;
pub mod rebuilds;
pub mod redaction;

pub mod cli;
pub mod demo;
pub mod roles;

#[cfg(test)]
mod sample;

pub use app::App;
pub use context::{Context, Contexts};
pub use fault::Fault;
pub use problem::Problem;
