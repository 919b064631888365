//! `daybook roles [--tenant UUID]`

use clap::Args;

use super::{opened, say};
use http::Contexts;
use http::roles::{self, Outcome};

use crate::{Config, Fault};

#[derive(Debug, Args)]
pub struct Roles {}

impl Roles {
    pub async fn run(&self, config: &Config, contexts: &Contexts) -> Result<(), Fault> {
        let opened = opened(config, contexts).await?;
        opened.require_active_tenant().await?;
        for role in roles::standard(contexts) {
            let outcome = roles::define(&opened.book, config.tenant, &role, None).await?;
            let (name, id) = (role.name, roles::id(config.tenant, role.name));
            say(&match outcome {
                Outcome::Defined => format!("{name}: defined as {id}"),
                Outcome::WasThere { without } if without.is_empty() => format!("{name}: {id} is there"),
                Outcome::WasThere { without } => format!(
                    "{name}: {id} is there and left alone; it does not permit {}",
                    without.join(", ")
                ),
                Outcome::Retired => format!("{name}: {id} was retired and is left alone"),
                Outcome::NameTaken => format!("{name}: another role has this name; it is left alone"),
            })?;
        }
        Ok(())
    }
}
