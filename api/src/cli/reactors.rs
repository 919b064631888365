//! `daybook reactors [--letters <reactor>] [--retry <reactor>] [--letter <id>]`

use clap::Args;
use reactors::{letters, progress, retry};
use uuid::Uuid;

use super::{opened, say};
use http::Contexts;

use crate::{Config, Fault};

/// Dead letters that are read at once.
const LETTERS_READ_MAX: i64 = 1_000;

#[derive(Debug, Args)]
pub struct Reactors {
    /// Show the dead letters of this reactor
    #[arg(long)]
    letters: Option<String>,
    /// Have the dead letters of this reactor tried again
    #[arg(long)]
    retry: Option<String>,
    /// Of them this one alone
    #[arg(long, requires = "retry", value_parser = http::cli::id)]
    letter: Option<Uuid>,
}

impl Reactors {
    pub async fn run(&self, config: &Config, contexts: &Contexts) -> Result<(), Fault> {
        let opened = opened(config, contexts).await?;
        let pool = &opened.pools.writer;
        if let Some(name) = &self.retry {
            let reactor = named(contexts, name)?;
            let ids = self.letter.as_ref().map(std::slice::from_ref);
            let again = retry(pool, reactor, None, ids).await?.unwrap_or_default();
            say(&format!("{again} are tried again"))?;
        }
        if let Some(name) = &self.letters {
            let reactor = named(contexts, name)?;
            let mut after = (0, 0);
            loop {
                let some = letters(pool, reactor, None, after, LETTERS_READ_MAX).await?;
                let Some(last) = some.last() else { return Ok(()) };
                after = (last.position, last.place);
                for letter in some {
                    say(&format!(
                        "{} of tenant {} at position {} to {}: {}, after {} attempts",
                        letter.id, letter.tenant, letter.position, letter.target, letter.error, letter.attempts
                    ))?;
                }
            }
        }
        for progress in progress(pool, None).await? {
            let next = progress
                .next_due_at
                .map_or_else(String::new, |due| format!(", the next at {due}"));
            say(&format!(
                "{} is at position {} (floor {}, {} behind), {} wait{next}, {} dead letters, reads {}",
                progress.reactor,
                progress.position,
                progress.floor,
                progress.lag,
                progress.waiting,
                progress.dead,
                progress.kinds.join(", ")
            ))?;
        }
        Ok(())
    }
}

fn named(contexts: &Contexts, name: &str) -> Result<&'static str, Fault> {
    let known = contexts.reactor(name);
    known
        .map(|known| known.name)
        .map_err(|names| Fault::Refused(format!("there is no reactor {name}; there are: {}", names.join(", "))))
}
