//! The service: HTTP, workers and the command line. `serve` starts all of it within a process, for
//! `main` and for tests.

pub mod config;
pub mod fault;

pub mod app;
pub mod check;
pub mod migrate;
pub mod router;
pub mod serve;
pub mod workers;

pub mod auth;
pub mod extract;
pub mod moment;
pub mod problem;
pub mod rates;

pub mod command;
pub mod query;

pub mod cloudwatcher;

pub mod audit;

pub mod admin;
pub mod archive;
pub mod health;
pub mod openapi;
pub mod rebuilds;
pub mod roles;

pub mod cli;
pub mod demo;

pub use config::Config;
pub use fault::Fault;
pub use migrate::migrate;
pub use serve::{Running, serve};
pub use workers::Role;
