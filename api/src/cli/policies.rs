//! `daybook policies [--retry <policy>]`

use book::policy::missed;
use clap::Args;
use domain::Policy;

use super::{opened, say};
use crate::{Config, Fault};

#[derive(Debug, Args)]
pub struct Policies {
    /// React again to what this policy could not react to
    #[arg(long)]
    retry: Option<String>,
}

impl Policies {
    pub async fn run(&self, config: &Config) -> Result<(), Fault> {
        let opened = opened(config).await?;
        if let Some(name) = &self.retry {
            let policy = named(name)?;
            let again = missed::retry(&opened.pools.writer, &opened.book, &opened.tail, policy, None).await?;
            say(&format!("{again} made good"))?;
        }
        for progress in missed::progress(&opened.pools.writer, None).await? {
            let next = progress
                .next_due_at
                .map_or_else(String::new, |due| format!(", the next at {due}"));
            say(&format!(
                "{} is at position {} (floor {}), {} timers{next}",
                progress.policy, progress.position, progress.floor, progress.timers
            ))?;
            for missed in progress.missed {
                say(&format!("  missed position {}: {}", missed.position, missed.error))?;
            }
        }
        Ok(())
    }
}

/// The policy of this name.
///
/// # Errors
/// When there is none; lists those there are.
pub fn named(name: &str) -> Result<&'static dyn Policy, Fault> {
    let known = || domain::POLICIES.iter().copied();
    known().find(|policy| policy.name() == name).ok_or_else(|| {
        let names: Vec<&str> = known().map(Policy::name).collect();
        Fault::Refused(format!("there is no policy {name}; there are: {}", names.join(", ")))
    })
}
