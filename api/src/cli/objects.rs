//! `daybook objects [--of <tenant>] [--verify]`

use std::collections::BTreeMap;

use clap::Args;
use domain::Standing;
use objects::{Objects, Usage};
use uuid::Uuid;

use super::{opened, say};
use http::Contexts;

use crate::{Config, Fault, mechanisms};

#[derive(Debug, Args)]
pub struct Stored {
    /// Those of this tenant alone
    #[arg(long, value_parser = http::cli::id)]
    of: Option<Uuid>,
    /// Read each object, and hold it against its name; sealed ones need no key for it
    #[arg(long)]
    verify: bool,
}

impl Stored {
    pub async fn run(&self, config: &Config, contexts: &Contexts) -> Result<(), Fault> {
        let opened = opened(config, contexts).await?;
        let objects = mechanisms::objects(config, opened.book.vault()).await?;
        let known = opened.book.tenants().await?.into_iter();
        let known: BTreeMap<Uuid, Standing> = known.map(|known| (known.tenant, known.standing)).collect();
        let mut tenants = objects.tenants().await.map_err(refused)?;
        tenants.retain(|tenant| self.of.is_none_or(|of| of == *tenant));
        let mut damaged = 0;
        for tenant in tenants {
            let standing = known.get(&tenant).map_or("unknown", |standing| standing.stored());
            damaged += self.tell(&objects, tenant, standing).await?;
        }
        match damaged {
            0 => Ok(()),
            _ => Err(Fault::Refused(format!(
                "{damaged} objects are damaged; put them back from a backup, or have their content sent again"
            ))),
        }
    }

    /// Says what a tenant has in the store; how much of it is damaged, as far as that is looked at.
    async fn tell(&self, objects: &Objects, tenant: Uuid, standing: &str) -> Result<usize, Fault> {
        let line = |usage: Usage| {
            format!(
                "{tenant}  {standing:<9}  {} objects, {} bytes",
                usage.objects, usage.bytes
            )
        };
        if !self.verify {
            let usage = objects.usage(tenant).await.map_err(refused)?;
            say(&line(usage))?;
            return Ok(0);
        }
        let verified = objects.verify(tenant).await.map_err(refused)?;
        say(&format!("{}, {} damaged", line(verified.read), verified.damaged.len()))?;
        for name in &verified.damaged {
            say(&format!("  {name} is not what its name says"))?;
        }
        Ok(verified.damaged.len())
    }
}

fn refused(error: objects::ObjectError) -> Fault {
    Fault::Refused(error.to_string())
}
