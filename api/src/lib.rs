//! The binary `daybook`: the command line, the list of contexts, and a process with its workers. `serve` starts all of
//! it within a process, for `main` and for tests.

pub mod config;
pub mod contexts;

pub mod check;
pub mod logins;
pub mod mechanisms;
pub mod migrate;
pub mod serve;

pub mod forwarded;
mod listen;
mod peers;
mod timed;

pub mod sweeps;
pub mod tables;
pub mod workers;

pub mod cli;

pub use config::Config;
pub use http::Fault;
pub use migrate::migrate;
pub use serve::{Running, serve};
pub use workers::Role;
