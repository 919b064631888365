//! The command line: what its commands work with, and those that contexts bring.

use std::io::Write as _;
use std::path::PathBuf;

use book::{Book, Pools, Tail};
use clap::ArgMatches;
use domain::{Standing, text};
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use tracing::info;
use uuid::Uuid;

use crate::{Contexts, Fault};

/// The parts of an opened installation that subcommands work with.
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
}

impl Opened {
    /// Makes sure that the tenant which the settings name may be written for.
    ///
    /// # Errors
    /// When nobody has made it, or it is suspended or deleted, with what to do; the database's error.
    pub async fn require_active_tenant(&self) -> Result<(), Fault> {
        let tenant = self.tenant;
        let known = self
            .book
            .tenants()
            .await?
            .into_iter()
            .find(|known| known.tenant == tenant);
        match require_tenant(tenant, known.map(|known| known.standing))? {
            Standing::Active => Ok(()),
            Standing::Suspended | Standing::Deleted => Err(Fault::Refused(format!(
                "tenant {tenant} is suspended; `daybook tenant resume {tenant}` it first"
            ))),
        }
    }
}

/// How a tenant stands that is there.
///
/// # Errors
/// When nobody has made it, or it is deleted.
pub fn require_tenant(tenant: Uuid, told: Option<Standing>) -> Result<Standing, Fault> {
    match told {
        Some(Standing::Deleted) => Err(Fault::Refused(format!("tenant {tenant} is deleted"))),
        Some(standing) => Ok(standing),
        None => Err(Fault::Refused(format!(
            "there is no tenant {tenant}; `daybook tenant create <NAME> --id {tenant}` makes it"
        ))),
    }
}

/// The subcommands of the program itself, which no context has.
pub const SUBCOMMANDS: [&str; 17] = [
    "bi", "demo", "events", "health", "help", "keys", "migrate", "objects", "policies", "reactors", "rebuild", "roles",
    "seal", "serve", "token", "unpark", "verify",
];
/// The options of `daybook demo` that all contexts share.
pub const SHARED_OF_DEMO: [&str; 2] = ["seed", "to"];
/// The options of every subcommand: settings and help.
pub const OPTIONS: [&str; 29] = [
    "archive",
    "egress-ca-file",
    "egress-calls",
    "egress-calls-of-tenant",
    "egress-plain-http",
    "egress-ports",
    "egress-private-networks",
    "h",
    "help",
    "jwks-http",
    "jwks-refresh-seconds",
    "jwks-url",
    "jwt-audience",
    "jwt-issuer",
    "listen",
    "listen-health",
    "log-format",
    "nats-open",
    "nats-prefix",
    "nats-stream",
    "nats-stream-bytes",
    "objects",
    "proxies",
    "rate-per-second",
    "stored-bytes",
    "tenant",
    "unsafe-settings",
    "V",
    "version",
];

/// A subcommand of a context.
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

/// Writes a line to standard output; the log goes to standard error. Whatever of it is from data does nothing to a
/// terminal.
///
/// # Errors
/// When nobody reads it.
pub fn say(line: &str) -> Result<(), Fault> {
    let line = text::visible(line);
    writeln!(std::io::stdout().lock(), "{line}").map_err(Fault::io("standard output is closed"))
}

/// An id that somebody typed. The nil id stands for nothing.
///
/// # Errors
/// When it is none, in words for whoever typed it.
pub fn id(typed: &str) -> Result<Uuid, String> {
    let id: Uuid = typed.parse().map_err(|error: uuid::Error| error.to_string())?;
    if id.is_nil() || id.is_max() {
        return Err("it stands for nothing; name the id of something".to_owned());
    }
    Ok(id)
}

/// The id of a person that somebody typed.
///
/// # Errors
/// As [`id`], and when nobody can be registered under it.
pub fn person(typed: &str) -> Result<Uuid, String> {
    let id = id(typed)?;
    if domain::is_reserved(id) {
        return Err("Daybook keeps it for itself; name the id of a registered user".to_owned());
    }
    Ok(id)
}

/// Cancels `stop` at SIGTERM or Ctrl-C, and ends the process at the second.
///
/// # Errors
/// When signals cannot be received.
pub fn stop_on_signal(stop: CancellationToken) -> Result<(), Fault> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).map_err(Fault::io("signals cannot be received"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Fault::io("signals cannot be received"))?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.cancel();
        info!("stopping; requests under way may end");
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        // Asked twice: whoever asks does not want to wait.
        std::process::exit(130);
    });
    Ok(())
}
