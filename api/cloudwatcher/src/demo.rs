//! Demo data that looks like a company: people, parts, stock, requests of devices, a year of orders.

pub mod catalogue;
pub mod company;
pub mod devices;
pub mod northwind;
pub mod orders;
pub mod stock;

use std::path::PathBuf;

use book::{Book, Tail};
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use clap::Args;
use futures::FutureExt as _;
use http::cli::{Opened, say};
use http::demo::{Demo, OnProgress, Story};
use http::{Contexts, Fault};
use indicatif::{ProgressBar, ProgressStyle};
use uuid::Uuid;

use crate::archive::command::parsed;

/// How far back the demo's history goes, in days.
pub const HISTORY_DAYS: i64 = 365;

/// The demo data that is loaded.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub tenant: Uuid,
    /// The same seed, on the same day, makes the same company.
    pub seed: u64,
    /// When the history ends.
    pub until: DateTime<Utc>,
    pub parts: u32,
    pub orders: u32,
    pub locations: u32,
    /// Stock keys, spread over the locations.
    pub stock: u32,
    pub requests: u32,
}

impl Plan {
    /// How many commands it will be, about, for a progress bar.
    #[must_use]
    pub fn commands(&self) -> u64 {
        let whole = self.parts * 3 + self.orders * 7 + self.locations * 4 + 150;
        u64::from(whole) + u64::from(self.requests.div_ceil(devices::BATCH_REQUESTS)) * 2
    }
}

/// Loads the demo into a tenant.
///
/// # Errors
/// The failure of the book, or a command that is refused though the demo's data is not there.
pub async fn load(
    contexts: &Contexts,
    book: &Book,
    tail: &Tail,
    plan: &Plan,
    on_progress: OnProgress<'_>,
) -> Result<(), Fault> {
    let story = Story::new(contexts, book, tail, plan.tenant, plan.seed, on_progress);
    let began = plan.until - TimeDelta::days(HISTORY_DAYS);
    let company = company::found(&story, contexts, began).await?;
    let offers = catalogue::stock(&story, &company, plan.parts, began).await?;
    stock::fill(&story, &company, &offers, plan, began).await?;
    devices::send(&story, &company, plan).await?;
    orders::write(&story, &company, &offers, plan).await
}

/// The demo as `daybook demo` loads it.
pub const DEMO: Demo = Demo {
    declared: |command| Options::augment_args(command),
    load: |opened, seed, matches| async move { parsed::<Options>(matches)?.run(opened, seed).await }.boxed(),
    send: None,
};

#[derive(Debug, Args)]
struct Options {
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
    /// Load the Northwind data instead, from the folder with its CSV files, into a tenant of its own
    #[arg(long, value_name = "FOLDER")]
    northwind: Option<PathBuf>,
}

impl Options {
    async fn run(&self, opened: &Opened, seed: u64) -> Result<(), Fault> {
        // Events of one day look the same whenever it is loaded on that day.
        let until = Utc::now().date_naive().and_time(NaiveTime::MIN).and_utc();
        if let Some(folder) = &self.northwind {
            let files = northwind::Files::read(folder)?;
            let bar = bar(files.commands());
            let tenant = northwind::tenant(opened.tenant);
            northwind::load(&opened.contexts, &opened.book, &opened.tail, tenant, &files, &|done| {
                bar.set_position(done)
            })
            .await?;
            bar.finish_and_clear();
            return say(&format!(
                "Northwind is in tenant {tenant}; `daybook token --admin --tenant {tenant}` gives a token"
            ));
        }
        let plan = Plan {
            tenant: opened.tenant,
            seed,
            until,
            parts: self.parts.max(1),
            orders: self.orders,
            locations: self.locations,
            stock: self.stock,
            requests: self.requests,
        };
        let bar = bar(plan.commands());
        load(&opened.contexts, &opened.book, &opened.tail, &plan, &|done| {
            bar.set_position(done)
        })
        .await?;
        bar.finish_and_clear();
        say(&format!("the demo data is in tenant {}", plan.tenant))
    }
}

/// A bar on the terminal; nothing where there is none.
fn bar(commands: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} commands, {elapsed} ({per_sec})");
    ProgressBar::new(commands).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
