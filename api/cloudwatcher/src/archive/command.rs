//! `daybook archive [--dry-run]`

use archives::{ArchiveError, Archiver};
use clap::{ArgMatches, Args, FromArgMatches};
use futures::FutureExt as _;
use http::Fault;
use http::cli::{Opened, Subcommand, say, stop_on_signal};
use tokio_util::sync::CancellationToken;

use super::{ARCHIVES, REQUESTS};

/// The subcommand.
pub const ARCHIVE: Subcommand = Subcommand {
    name: "archive",
    declared: |command| Archive::augment_args(command).override_usage("daybook archive [--dry-run]"),
    run: |opened, matches| async move { parsed::<Archive>(matches)?.run(opened).await }.boxed(),
};

/// Write closed requests of devices that are old into archives, and take them out of the tables
#[derive(Debug, Args)]
struct Archive {
    /// Say what is due, and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl Archive {
    async fn run(&self, opened: &Opened) -> Result<(), Fault> {
        let (pool, book) = (opened.pools.projector.clone(), opened.book.clone());
        let archiver = Archiver::new(&ARCHIVES, pool, book, opened.archive.clone());
        if self.dry_run {
            let due = archiver.due().await.map_err(refused)?;
            if due.is_empty() {
                say("nothing is due")?;
            }
            for due in due {
                let (tenant, before) = (due.tenant, due.before);
                say(&format!(
                    "tenant {tenant}: {} closed requests have not changed since {before} or longer and nothing refers to them",
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
        let left = report.of(&REQUESTS);
        say(&format!(
            "{} requests left the tables, {} stay because something changed meanwhile",
            left.archived, left.kept
        ))
    }
}

fn refused(error: ArchiveError) -> Fault {
    Fault::Refused(error.to_string())
}

/// The options of a subcommand.
///
/// # Errors
/// When they are not those that it declares, which is a defect of this program.
pub fn parsed<T: FromArgMatches>(matches: &ArgMatches) -> Result<T, Fault> {
    T::from_arg_matches(matches).map_err(|error| Fault::Refused(error.to_string()))
}
