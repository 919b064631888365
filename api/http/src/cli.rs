//! Subcommands of `daybook` that a context brings.

use std::path::PathBuf;

use book::{Book, Pools, Tail};
use clap::ArgMatches;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{Contexts, Fault};

/// What a subcommand works with.
#[derive(Debug, Clone)]
pub struct Opened {
    pub pools: Pools,
    pub book: Book,
    pub tail: Tail,
    pub contexts: Contexts,
    /// The tenant that the settings name.
    pub tenant: Uuid,
    /// The folder of archives.
    pub archive: PathBuf,
    /// Cancelled by SIGTERM and Ctrl-C.
    pub stop: CancellationToken,
}

/// A subcommand.
#[derive(Clone, Copy)]
pub struct Subcommand {
    pub name: &'static str,
    /// Its help and its arguments.
    pub declared: fn(clap::Command) -> clap::Command,
    pub run: for<'a> fn(&'a Opened, &'a ArgMatches) -> BoxFuture<'a, Result<(), Fault>>,
}

impl std::fmt::Debug for Subcommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Subcommand").field(&self.name).finish()
    }
}
