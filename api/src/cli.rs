//! The command line.

mod archive;
mod demo;
mod events;
mod policies;
mod rebuild;
mod roles;
mod token;
mod unpark;

use std::io::Write as _;

use book::{Book, Pools, Tail};
use clap::{Parser, Subcommand};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::{Config, Fault, Role, check, migrate, serve};

/// Daybook: an operations back office whose tables are posted from one append-only book.
#[derive(Debug, Parser)]
#[command(name = "daybook", version)]
pub struct Cli {
    #[command(flatten)]
    pub config: Config,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve HTTP and run the workers, until SIGTERM or Ctrl-C
    #[command(override_usage = "daybook serve [--roles <ROLES>]")]
    Serve {
        /// What this process does
        #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Role::Api, Role::Relay, Role::Projector, Role::Policy, Role::Reactor])]
        roles: Vec<Role>,
    },
    /// Apply the book's migrations; connect as the database's owner
    Migrate,
    /// Build a context's tables anew beside the live ones, compare, and swap
    #[command(
        override_usage = "daybook rebuild <CONTEXT> [--rollback | --force]\n       daybook rebuild --all [--rollback | --force]"
    )]
    Rebuild(rebuild::Rebuild),
    /// Post parked streams again
    #[command(override_usage = "daybook unpark <CONTEXT> [AGGREGATE/ID]")]
    Unpark(unpark::Unpark),
    /// Show how far each policy is, its timers, and what it could not do
    #[command(override_usage = "daybook policies [--retry <POLICY>]")]
    Policies(policies::Policies),
    /// Define the roles admin, manager, technician and viewer in a tenant, as far as they are missing
    #[command(override_usage = "daybook roles [--tenant <UUID>]")]
    Roles(roles::Roles),
    /// Write closed requests of devices that are old into archives, and take them out of the tables
    #[command(override_usage = "daybook archive [--dry-run]")]
    Archive(archive::Archive),
    /// Load demo data that looks like a company; again, it changes nothing
    #[command(override_usage = "daybook demo [--parts <N>] [--orders <N>] [--seed <N>] [--northwind <FOLDER>]")]
    Demo(demo::Demo),
    /// Print a token that is signed with DAYBOOK_JWT_SECRET
    #[command(
        override_usage = "daybook token --admin [--tenant <UUID>] [--hours <N>]\n       daybook token --user <UUID> [--tenant <UUID>] [--hours <N>]"
    )]
    Token(token::Token),
    /// Print the log, and follow it
    #[command(override_usage = "daybook events [OPTIONS]")]
    Events(events::Events),
}

/// Carries out a command.
///
/// # Errors
/// [`Fault`].
pub async fn run(cli: Cli) -> Result<(), Fault> {
    let Cli { config, command } = cli;
    match command {
        Command::Serve { roles } => {
            let stop = CancellationToken::new();
            stop_on_signal(stop.clone())?;
            serve(config, roles, stop).await?.ended().await;
            Ok(())
        }
        Command::Migrate => migrate(&Pools::connect(&config.database()?).await?.owner).await,
        Command::Rebuild(rebuild) => rebuild.run(&config).await,
        Command::Unpark(unpark) => unpark.run(&config).await,
        Command::Policies(policies) => policies.run(&config).await,
        Command::Roles(roles) => roles.run(&config).await,
        Command::Archive(archive) => archive.run(&config).await,
        Command::Demo(demo) => demo.run(&config).await,
        Command::Token(token) => token.run(&config).await,
        Command::Events(events) => events.run(&config).await,
    }
}

/// What commands that touch the database work with.
struct Opened {
    pools: Pools,
    book: Book,
    tail: Tail,
}

async fn opened(config: &Config) -> Result<Opened, Fault> {
    let pools = Pools::connect(&config.database()?).await?;
    migrate::check(&pools.owner).await?;
    let master = config.master()?;
    check::master_key(&pools, master.clone()).await?;
    let book = Book::new(pools.writer.clone(), master);
    let tail = Tail::new(pools.projector.clone(), book.vault().clone());
    Ok(Opened { pools, book, tail })
}

/// Writes a line to standard output; the log goes to standard error.
fn say(line: &str) -> Result<(), Fault> {
    writeln!(std::io::stdout().lock(), "{line}").map_err(Fault::io("standard output is closed"))
}

fn stop_on_signal(stop: CancellationToken) -> Result<(), Fault> {
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
