//! `daybook tenant create|rename|suspend|resume|delete|list`

use std::sync::Arc;
use std::time::{Duration, Instant};

use book::{Book, ExecuteError, Step};
use clap::{ArgMatches, FromArgMatches as _, Subcommand as _};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::Fault;
use http::cli::{self, Opened, Subcommand, say};
use identity::tenant::{Command, Tenant};
use projections::{Context, forget};
use tracing::info;
use uuid::Uuid;

use crate::operator;

/// How long it is waited until tables show what has happened, in seconds, and how often it is looked, in milliseconds.
const POSTED_SECONDS_MAX: u64 = 30;
const LOOK_MS: u64 = 100;

/// The subcommand as the program knows it.
pub const TENANT: Subcommand = Subcommand {
    name: "tenant",
    declared: |command| {
        Wanted::augment_subcommands(command)
            .about("Make a tenant, say how it stands, or list all")
            .override_usage(
                "daybook tenant create <NAME> [--id <UUID>]\n       daybook tenant rename <ID> <NAME>\n       \
                 daybook tenant suspend|resume <ID> [--reason <TEXT>]\n       \
                 daybook tenant delete <ID> --called <NAME> [--reason <TEXT>]\n       daybook tenant list",
            )
            .subcommand_required(true)
    },
    run: |opened, matches| run(opened, matches).boxed(),
};

#[derive(Debug, clap::Subcommand)]
enum Wanted {
    /// Make a tenant; its first administrator is made by `daybook admin`
    Create {
        /// What it is called
        name: String,
        /// The id that tokens name it by; a new one without
        #[arg(long, value_parser = cli::id)]
        id: Option<Uuid>,
    },
    /// Change what a tenant is called
    Rename {
        #[arg(value_parser = cli::id)]
        id: Uuid,
        /// What it is called from now on
        name: String,
    },
    /// Stop a tenant: it reads, and every command of it is refused
    Suspend {
        #[arg(value_parser = cli::id)]
        id: Uuid,
        /// Why, for the log
        #[arg(long)]
        reason: Option<String>,
    },
    /// Let a suspended tenant go on where it was stopped
    Resume {
        #[arg(value_parser = cli::id)]
        id: Uuid,
        /// Why, for the log
        #[arg(long)]
        reason: Option<String>,
    },
    /// Destroy all keys of a suspended tenant and delete its rows, for good
    Delete {
        #[arg(value_parser = cli::id)]
        id: Uuid,
        /// What it is called, so that no other one is deleted by mistake
        #[arg(long)]
        called: String,
        /// Why, for the log
        #[arg(long)]
        reason: Option<String>,
    },
    /// Show all tenants, how they stand and since when
    List,
}

async fn run(opened: &Opened, matches: &ArgMatches) -> Result<(), Fault> {
    let wanted = Wanted::from_arg_matches(matches).map_err(|error| Fault::Refused(error.to_string()))?;
    let book = &opened.book;
    match wanted {
        Wanted::Create { name, id } => {
            let id = id.unwrap_or_else(Uuid::now_v7);
            send(book, id, None, Command::Create { name: name.clone() }).await?;
            say(&format!(
                "tenant {id} is {name:?}; `daybook admin --tenant {id} --email <EMAIL> --name <NAME>` makes its first \
                 administrator"
            ))
        }
        Wanted::Rename { id, name } => {
            send(book, id, None, Command::Rename { name: name.clone() }).await?;
            say(&format!("tenant {id} is {name:?}"))
        }
        Wanted::Suspend { id, reason } => {
            if !matches!(*of(book, id).await?, Tenant::Suspended { .. }) {
                send(book, id, reason.as_deref(), Command::Suspend {}).await?;
            }
            say(&format!("tenant {id} is suspended: it reads, and commands nothing"))
        }
        Wanted::Resume { id, reason } => {
            send(book, id, reason.as_deref(), Command::Resume {}).await?;
            say(&format!(
                "tenant {id} is active; what has waited for it is done from now on"
            ))
        }
        Wanted::Delete { id, called, reason } => delete(opened, id, &called, reason.as_deref()).await,
        Wanted::List => list(book).await,
    }
}

/// Deletes a tenant, and what its tables show of it; again, it does what of that is left.
async fn delete(opened: &Opened, id: Uuid, called: &str, reason: Option<&str>) -> Result<(), Fault> {
    let tenant = of(&opened.book, id).await?;
    if *tenant != Tenant::Deleted {
        if let Some(name) = tenant.name().filter(|name| *name != called) {
            return Err(Fault::Refused(format!(
                "tenant {id} is called {name:?}; say --called {name:?} if it is the one to delete"
            )));
        }
        send(&opened.book, id, reason, Command::Delete {}).await?;
    }
    opened.book.destroy_keys(id).await.map_err(|error| {
        Fault::Refused(format!(
            "tenant {id} is deleted, but its keys are not all destroyed ({error}): run this again, or leave the rest of them to a \
             process with the role `projector`"
        ))
    })?;
    let (end, mut rows) = (opened.tail.end().await?, 0);
    for context in opened.contexts.tables() {
        posted(opened, context, end).await?;
        let forgotten = forget::tenant(&opened.pools.projector, context, id).await;
        rows += forgotten.map_err(|error| Fault::Refused(format!("{}: {error}", context.name)))?;
    }
    say(&format!(
        "tenant {id} is deleted: its keys are destroyed, and {rows} rows of it are gone from the tables; backups of before \
         have both"
    ))
}

/// Waits until the tables of a context show all that has happened: what is posted later would come back.
async fn posted(opened: &Opened, context: &'static Context, end: i64) -> Result<(), Fault> {
    let since = Instant::now();
    loop {
        let posted = forget::is_posted(&opened.pools.projector, context, end).await;
        if posted.map_err(|error| Fault::Refused(format!("{}: {error}", context.name)))? {
            return Ok(());
        }
        if since.elapsed() > Duration::from_secs(POSTED_SECONDS_MAX) {
            return Err(Fault::Refused(format!(
                "its keys are destroyed, but the tables of {} do not show the whole book yet: run this again once a \
                 process with the role `projector` has posted it, and its rows are deleted, too",
                context.name
            )));
        }
        tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
    }
}

async fn list(book: &Book) -> Result<(), Fault> {
    for known in book.tenants().await? {
        let tenant = book.now::<Tenant>(known.tenant, known.tenant).await?;
        let name = tenant.as_deref().and_then(Tenant::name).unwrap_or_default();
        let (standing, since) = (known.standing.stored(), known.since.format("%Y-%m-%dT%H:%M:%SZ"));
        say(&format!("{}  {standing:<9}  since {since}  {name}", known.tenant))?;
    }
    Ok(())
}

/// The tenant as it stands.
async fn of(book: &Book, id: Uuid) -> Result<Arc<Tenant>, Fault> {
    let found = book.now::<Tenant>(id, id).await?;
    Ok(found.unwrap_or_default())
}

async fn send(book: &Book, id: Uuid, reason: Option<&str>, command: Command) -> Result<(), Fault> {
    let step = Step::of::<Tenant>(id, None, command);
    operator::carry_out(book, id, reason, vec![step]).await.map(|_| ())
}

/// The name of a tenant that was there before tenants had any.
fn unnamed(id: Uuid) -> String {
    format!("Tenant {id}")
}

/// Gives the tenants streams that were there before tenants had any, or were made by a program of that time. Several
/// processes may do so at one time.
pub fn tell(book: &Book) -> BoxFuture<'_, Result<(), Fault>> {
    async move {
        for id in book.tenants_untold().await? {
            let step = Step::of::<Tenant>(id, None, Command::Create { name: unnamed(id) });
            let command_id = Uuid::new_v5(&id, b"a tenant of before");
            match book.execute(operator::envelope(id, command_id, None), vec![step]).await {
                Ok(_) => info!(tenant = %id, "a tenant of before has a stream of its own"),
                // Another process was faster.
                Err(ExecuteError::Refused(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
    .boxed()
}
