//! `daybook keys list`, `daybook keys rotate [--bus [--at-once]]`

use book::{BookError, MasterKey, Pools, rotation};
use clap::{Args, Subcommand};
use http::cli::say;

use crate::{Config, Fault, check, migrate};

#[derive(Debug, Args)]
pub struct Keys {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// List the keys of the book, and how many others each has wrapped
    List,
    /// Wrap all keys anew, so that DAYBOOK_MASTER_KEY_NEXT takes the place of DAYBOOK_MASTER_KEY; processes serve meanwhile
    Rotate {
        /// Give the bus another key instead; messages under the former one are accepted until they age out
        #[arg(long)]
        bus: bool,
        /// Accept none of them any more, because the former key is known to others; the stream is made anew
        #[arg(long, requires = "bus")]
        at_once: bool,
    },
}

impl Keys {
    pub async fn run(&self, config: &Config) -> Result<(), Fault> {
        let pools = Pools::connect(&config.database()?).await?;
        migrate::check(&pools.owner).await?;
        match self.act {
            Act::List => list(&pools).await,
            Act::Rotate { bus: true, at_once } => {
                let master = config.master()?;
                check::master_key(&pools, master.clone()).await?;
                let rotated = rotation::rotate_bus(&pools.owner, &master, at_once).await;
                let generation = rotated.map_err(refused)?;
                say(&format!(
                    "the bus has key {generation}; processes use it within seconds"
                ))
            }
            Act::Rotate { bus: false, .. } => {
                let (master, next) = (config.master_alone()?, config.next_master()?);
                let next = next.ok_or_else(|| Fault::setting("DAYBOOK_MASTER_KEY_NEXT must be set"))?;
                rotate(&pools, &master, &next).await
            }
        }
    }
}

async fn rotate(pools: &Pools, master: &MasterKey, next: &MasterKey) -> Result<(), Fault> {
    // Makes what a book of a former version lacks.
    check::master_key(pools, master.clone().or(next.clone())).await?;
    say("wrapping all keys anew; this takes some seconds and may be begun again")?;
    let rotated = rotation::rotate(&pools.owner, master, next).await.map_err(refused)?;
    if rotated.resumed {
        say("an earlier run had begun it")?;
    }
    say(&format!(
        "{} keys are wrapped by wrapping key {}; processes that start from now on need the key of \
         DAYBOOK_MASTER_KEY_NEXT, as DAYBOOK_MASTER_KEY or beside it",
        rotated.keys, rotated.generation
    ))
}

async fn list(pools: &Pools) -> Result<(), Fault> {
    for key in rotation::list(&pools.owner).await.map_err(refused)? {
        let until = key
            .accepted_until
            .map_or_else(String::new, |until| format!(", accepted until {until}"));
        let wraps = match key.wraps {
            0 => String::new(),
            wraps => format!(", wraps {wraps} keys of persons and texts"),
        };
        let (name, generation, made) = (key.name, key.generation, key.created_at);
        say(&format!("{name} {generation}, made {made}{until}{wraps}"))?;
    }
    Ok(())
}

fn refused(error: BookError) -> Fault {
    match error {
        BookError::Database(error) => Fault::Database(error),
        BookError::Key(detail) => Fault::Refused(detail.to_owned()),
        error => error.into(),
    }
}
