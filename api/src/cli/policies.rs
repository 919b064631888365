//! `daybook policies [--retry <policy>]`

use book::policy::missed;
use clap::Args;
use domain::Policy;

use super::{opened, say};
use http::Contexts;

use crate::{Config, Fault};

#[derive(Debug, Args)]
pub struct Policies {
    /// React again to what this policy could not react to
    #[arg(long)]
    retry: Option<String>,
}

impl Policies {
    pub async fn run(&self, config: &Config, contexts: &Contexts) -> Result<(), Fault> {
        let opened = opened(config, contexts).await?;
        if let Some(name) = &self.retry {
            let policy = named(contexts, name)?;
            let again = missed::retry(&opened.pools.writer, &opened.book, &opened.tail, policy, None).await?;
            say(&format!("{again} made good"))?;
        }
        for progress in missed::progress(&opened.pools.writer, None).await? {
            let next = progress
                .next_due_at
                .map_or_else(String::new, |due| format!(", the next at {due}"));
            say(&format!(
                "{} is at position {} (floor {}), {} reactions wait, {} timers{next}, reads {}",
                progress.policy,
                progress.position,
                progress.floor,
                progress.waiting,
                progress.timers,
                progress.kinds.join(", ")
            ))?;
            if let Some(unread) = unread(contexts, &progress) {
                say(&format!(
                    "  reads {} in a newer version, which has to lead",
                    unread.join(", ")
                ))?;
            }
            for missed in progress.missed {
                say(&format!("  missed position {}: {}", missed.position, missed.error))?;
            }
        }
        Ok(())
    }
}

/// The kinds of streams that this program does not read for the policy, though another version does.
fn unread<'a>(contexts: &Contexts, progress: &'a missed::Progress) -> Option<Vec<&'a str>> {
    let policy = named(contexts, &progress.policy).ok()?;
    let kinds = progress.kinds.iter().map(String::as_str);
    let unread: Vec<&str> = kinds.filter(|kind| !policy.reads().contains(kind)).collect();
    Some(unread).filter(|unread| !unread.is_empty())
}

/// The policy of this name.
///
/// # Errors
/// When there is none; lists those there are.
pub fn named(contexts: &Contexts, name: &str) -> Result<&'static dyn Policy, Fault> {
    let known = || contexts.decisions().policies().into_iter();
    known().find(|policy| policy.name() == name).ok_or_else(|| {
        let names: Vec<&str> = known().map(Policy::name).collect();
        Fault::Refused(format!("there is no policy {name}; there are: {}", names.join(", ")))
    })
}
