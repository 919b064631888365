//! `daybook archive [--dry-run]`

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::{opened, say, stop_on_signal};
use crate::archive::{ArchiveError, Archiver};
use http::{Config, Fault};

#[derive(Debug, Args)]
pub struct Archive {
    /// Say what is due, and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl Archive {
    pub async fn run(&self, config: &Config) -> Result<(), Fault> {
        let opened = opened(config).await?;
        let archiver = Archiver::new(
            opened.pools.projector.clone(),
            opened.book.clone(),
            config.archive.clone(),
        );
        if self.dry_run {
            for due in archiver.due().await.map_err(refused)? {
                let (tenant, before) = (due.tenant, due.before);
                say(&format!(
                    "tenant {tenant}: {} closed requests have not changed since {before} or longer and nothing refers to them",
                    due.requests
                ))?;
            }
            return Ok(());
        }
        let stop = CancellationToken::new();
        stop_on_signal(stop.clone())?;
        let report = archiver.run(&stop).await.map_err(refused)?;
        for name in &report.archives {
            say(&format!("wrote {}", config.archive.join(name).display()))?;
        }
        say(&format!(
            "{} requests left the tables, {} stay because something changed meanwhile",
            report.archived, report.kept
        ))
    }
}

fn refused(error: ArchiveError) -> Fault {
    Fault::Refused(error.to_string())
}
