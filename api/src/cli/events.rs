//! `daybook events [--follow] [--after N] [--context C] [--type T] [--stream ID] [--json]`

use std::time::Duration;

use book::{BookError, Tail};
use clap::Args;
use domain::Recorded;
use uuid::Uuid;

use super::{opened, say};
use http::Contexts;
use http::audit::view::{Sight, masked, shown};

use crate::{Config, Fault};

const PAGE_EVENTS: i64 = 1_000;
const POLL_MS: u64 = 200;

#[derive(Debug, Args)]
pub struct Events {
    /// Go on as the log grows
    #[arg(long, short)]
    follow: bool,
    /// Begin after this position; at the end when following, at the beginning else
    #[arg(long)]
    after: Option<i64>,
    /// Only streams of this context
    #[arg(long)]
    context: Option<String>,
    /// Only events of this type, such as OrderDrafted
    #[arg(long = "type")]
    event_type: Option<String>,
    /// Only this stream
    #[arg(long, value_parser = http::cli::id)]
    stream: Option<Uuid>,
    /// Only this tenant
    #[arg(long = "only-tenant", value_parser = http::cli::id)]
    only_tenant: Option<Uuid>,
    /// Show what tells who people are; null without
    #[arg(long)]
    personal: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// Some of the book.
struct Page {
    /// How many events were looked at.
    read: usize,
    /// The position of the last of them.
    last: Option<i64>,
    wanted: Vec<Recorded<String>>,
}

impl Events {
    pub async fn run(&self, config: &Config, contexts: &Contexts) -> Result<(), Fault> {
        let opened = opened(config, contexts).await?;
        let mut position = match self.after {
            Some(position) => position,
            None if self.follow => opened.tail.end().await?,
            None => 0,
        };
        loop {
            let page = match self.page(&opened.tail, position).await {
                Ok(page) => page,
                Err(error) if self.follow && error.is_transient() => {
                    tracing::warn!(error = %error, "the book does not answer; trying again");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let read = page.read;
            position = page.last.unwrap_or(position);
            for recorded in page.wanted {
                say(&self.line(recorded, contexts)?)?;
            }
            if read == 0 && !self.follow {
                return Ok(());
            }
            if read == 0 {
                tokio::time::sleep(Duration::from_millis(POLL_MS)).await;
            }
        }
    }

    /// The next events, with the texts of those that are wanted opened.
    async fn page(&self, tail: &Tail, after: i64) -> Result<Page, BookError> {
        let page = if self.personal {
            tail.after(after, PAGE_EVENTS).await?
        } else {
            tail.sealed_after(after, PAGE_EVENTS).await?
        };
        let (read, last) = (page.len(), page.last().map(|recorded| recorded.position));
        let wanted = page.into_iter().filter(|recorded| self.wants(recorded)).collect();
        Ok(Page {
            read,
            last,
            wanted: tail.with_texts(wanted).await?,
        })
    }

    fn wants(&self, recorded: &Recorded<String>) -> bool {
        let context = recorded
            .aggregate_type
            .split_once('.')
            .map_or("", |(context, _)| context);
        self.context.as_deref().is_none_or(|wanted| wanted == context)
            && self
                .event_type
                .as_deref()
                .is_none_or(|wanted| wanted == recorded.event_type)
            && self.stream.is_none_or(|wanted| wanted == recorded.stream)
            && self.only_tenant.is_none_or(|wanted| wanted == recorded.tenant_id)
    }

    fn line(&self, recorded: Recorded<String>, contexts: &Contexts) -> Result<String, Fault> {
        let sight = Sight {
            personal: self.personal,
            contexts: contexts.decisions().clone(),
        };
        if self.json {
            return serde_json::to_string(&shown(recorded, &sight)).map_err(|error| Fault::Refused(error.to_string()));
        }
        let recorded = masked(recorded, &sight);
        let reason = recorded
            .metadata
            .reason
            .as_deref()
            .map_or(String::new(), |reason| format!(" because {reason:?}"));
        let unopened = match recorded.metadata.unopened.as_slice() {
            [] => String::new(),
            unopened => format!("  (could not be opened: {})", unopened.join(", ")),
        };
        Ok(format!(
            "{:>8}  {}  {}/{} #{}  {}  by {}{reason}  {}{unopened}",
            recorded.position,
            recorded.at.format("%Y-%m-%d %H:%M:%S%.3f"),
            recorded.aggregate_type,
            recorded.stream,
            recorded.sequence,
            recorded.event_type,
            recorded.metadata.actor,
            recorded.event
        ))
    }
}
