//! `daybook demo`

use std::path::PathBuf;

use chrono::{NaiveTime, Utc};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::{opened, say};
use crate::demo::{self, Plan, northwind};
use crate::{Config, Fault};

#[derive(Debug, Args)]
pub struct Demo {
    /// Parts of the catalogue
    #[arg(long, default_value_t = 1_000)]
    parts: u32,
    /// Orders, in every state
    #[arg(long, default_value_t = 500)]
    orders: u32,
    /// Locations where parts are kept
    #[arg(long, default_value_t = 100)]
    locations: u32,
    /// Stock keys, spread over the locations
    #[arg(long, default_value_t = 5_000)]
    stock: u32,
    /// Device requests
    #[arg(long, default_value_t = 20_000)]
    requests: u32,
    /// The same seed makes the same company
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Load the Northwind data instead, from the folder with its CSV files, into a tenant of its own
    #[arg(long, value_name = "FOLDER")]
    northwind: Option<PathBuf>,
}

impl Demo {
    pub async fn run(&self, config: &Config) -> Result<(), Fault> {
        let opened = opened(config).await?;
        let _alone = demo::alone(&opened.pools.writer).await?;
        // Events of one day look the same whenever it is loaded on that day.
        let until = Utc::now().date_naive().and_time(NaiveTime::MIN).and_utc();
        if let Some(folder) = &self.northwind {
            let files = northwind::Files::read(folder)?;
            let bar = bar(files.commands());
            let tenant = northwind::tenant(config.tenant);
            northwind::load(&opened.book, &opened.tail, tenant, &files, &|done| {
                bar.set_position(done)
            })
            .await?;
            bar.finish_and_clear();
            return say(&format!(
                "Northwind is in tenant {tenant}; `daybook token --admin --tenant {tenant}` gives a token"
            ));
        }
        let plan = Plan {
            tenant: config.tenant,
            seed: self.seed,
            until,
            parts: self.parts.max(1),
            orders: self.orders,
            locations: self.locations,
            stock: self.stock,
            requests: self.requests,
        };
        let bar = bar(plan.commands());
        demo::load(&opened.book, &opened.tail, &plan, &|done| bar.set_position(done)).await?;
        bar.finish_and_clear();
        say(&format!("the demo data is in tenant {}", plan.tenant))
    }
}

/// A bar on the terminal; nothing where there is none.
fn bar(commands: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} commands, {elapsed} ({per_sec})");
    ProgressBar::new(commands).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
