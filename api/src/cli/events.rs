//! `daybook events [--follow] [--after N] [--context C] [--aggregate A] [--type T] [--stream ID] [--json]`

use std::collections::BTreeSet;
use std::time::Duration;

use book::{BookError, Tail};
use clap::Args;
use domain::Recorded;
use uuid::Uuid;

use super::{opened, say};
use http::Contexts;
use http::audit::view::{Sight, masked, shown};
use http::audit::words::{Meant, Words};

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
    /// Only streams of this kind, such as identity.user
    #[arg(long)]
    aggregate: Option<String>,
    /// Only events of this type, such as UserRegistered or identity.user.UserRegistered
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
        let meant = self.meant(contexts, &opened.tail).await?;
        let mut position = match self.after {
            Some(position) => position,
            None if self.follow => opened.tail.end().await?,
            None => 0,
        };
        loop {
            let page = match self.page(&opened.tail, &meant, position).await {
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
    async fn page(&self, tail: &Tail, meant: &Meant, after: i64) -> Result<Page, BookError> {
        let page = if self.personal {
            tail.after(after, PAGE_EVENTS).await?
        } else {
            tail.sealed_after(after, PAGE_EVENTS).await?
        };
        let (read, last) = (page.len(), page.last().map(|recorded| recorded.position));
        let wanted = page
            .into_iter()
            .filter(|recorded| self.wants(meant, recorded))
            .collect();
        Ok(Page {
            read,
            last,
            wanted: tail.with_texts(wanted).await?,
        })
    }

    /// What the words mean, of which one that means nothing would show nothing.
    async fn meant(&self, contexts: &Contexts, tail: &Tail) -> Result<Meant, Fault> {
        let words = Words {
            context: self.context.clone(),
            aggregate: self.aggregate.clone(),
            event_type: self.event_type.clone(),
        };
        if words.is_empty() {
            return Ok(Meant::default());
        }
        let meant = words.of_kinds(contexts, tail.kinds().await?);
        meant.map_err(|problem| Fault::Refused(problem.detail().to_owned()))
    }

    fn wants(&self, meant: &Meant, recorded: &Recorded<String>) -> bool {
        let types = meant.types.as_ref();
        let event_type = meant.event_type.as_deref();
        types.is_none_or(|types| types.contains(&recorded.aggregate_type))
            && event_type.is_none_or(|wanted| wanted == recorded.event_type)
            && self.stream.is_none_or(|wanted| wanted == recorded.stream)
            && self.only_tenant.is_none_or(|wanted| wanted == recorded.tenant_id)
    }

    fn line(&self, recorded: Recorded<String>, contexts: &Contexts) -> Result<String, Fault> {
        let sight = Sight {
            personal: self.personal,
            // Whoever may run this may read the tables.
            hidden: BTreeSet::new(),
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
