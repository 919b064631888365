//! `daybook dod archive [--dry-run]`

use archives::{ArchiveError, Archiver};
use clap::{ArgMatches, Args, FromArgMatches as _};
use http::Fault;
use http::cli::{Opened, say, stop_on_signal};
use tokio_util::sync::CancellationToken;

use super::ARCHIVES;

/// The word of the subcommand.
pub const ARCHIVE: &str = "archive";
/// How it is written.
pub const USAGE: &str = "daybook dod archive [--dry-run]";

/// Write issues that have ended and alerts that are closed into archives, and take them out of the tables
#[derive(Debug, Args)]
#[group(skip)]
struct Archive {
    /// Say what is due, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// The subcommand as it is declared.
#[must_use]
pub fn declared() -> clap::Command {
    Archive::augment_args(clap::Command::new(ARCHIVE)).override_usage(USAGE)
}

/// Archives what is due now, or says what that is.
///
/// # Errors
/// When another process archives, or something cannot be read or written.
pub async fn run(opened: &Opened, matches: &ArgMatches) -> Result<(), Fault> {
    let archive = Archive::from_arg_matches(matches).map_err(|error| Fault::Refused(error.to_string()))?;
    let (pool, book) = (opened.pools.projector.clone(), opened.book.clone());
    let archiver = Archiver::new(&ARCHIVES, pool, book, opened.archive.clone());
    if archive.dry_run {
        let due = archiver.due().await.map_err(refused)?;
        if due.is_empty() {
            say("nothing is due")?;
        }
        for due in due {
            let (tenant, before, things) = (due.tenant, due.before, due.kind.things);
            say(&format!(
                "tenant {tenant}: {} {things} are over since {before} or longer",
                due.count
            ))?;
        }
        return Ok(());
    }
    let stop = CancellationToken::new();
    stop_on_signal(stop.clone())?;
    let report = archiver.run(&stop).await.map_err(refused)?;
    for name in &report.archives {
        say(&format!("wrote {}", opened.archive.join(name).display()))?;
    }
    for &kind in archiver.kinds() {
        let (left, things) = (report.of(kind), kind.things);
        say(&format!(
            "{} {things} left the tables, {} stay because something changed meanwhile",
            left.archived, left.kept
        ))?;
    }
    Ok(())
}

fn refused(error: ArchiveError) -> Fault {
    Fault::Refused(error.to_string())
}
