//! `daybook unpark <context> [aggregate/id]`

use clap::Args;
use projections::park;
use uuid::Uuid;

use super::rebuild::named;
use super::{opened, say};
use http::Contexts;

use crate::{Config, Fault};

#[derive(Debug, Args)]
pub struct Unpark {
    /// The context whose streams are parked
    context: String,
    /// One stream, such as `context.aggregate/0190...`; all without
    stream: Option<String>,
}

impl Unpark {
    pub async fn run(&self, config: &Config, contexts: &Contexts) -> Result<(), Fault> {
        let context = named(contexts, &self.context)?;
        let stream = self.stream.as_deref().map(parsed).transpose()?;
        let opened = opened(config, contexts).await?;
        let all = park::parked(&opened.pools.projector, context).await?;
        if let Some((kind, _)) = &stream
            && contexts.aggregate(kind).is_none()
            && !all.iter().any(|parked| parked.aggregate_type == *kind)
        {
            let kinds = contexts.decisions().aggregates();
            let kinds: Vec<&str> = kinds.map(|kind| kind.aggregate_type).collect();
            return Err(Fault::Refused(format!(
                "there is no kind of stream {kind}; there are {}",
                kinds.join(", ")
            )));
        }
        for parked in all {
            let position = parked.position;
            say(&format!(
                "parked {}/{} at position {position}: {}",
                parked.aggregate_type, parked.aggregate_id, parked.error
            ))?;
        }
        let outcome = park::unpark(&opened.pools.projector, &opened.tail, context, stream.as_ref()).await;
        let outcome = outcome.map_err(|error| Fault::Refused(error.to_string()))?;
        for (aggregate_type, id) in &outcome.posted {
            say(&format!("posted {aggregate_type}/{id}"))?;
        }
        for ((aggregate_type, id), error) in &outcome.parked {
            say(&format!("still parked {aggregate_type}/{id}: {error}"))?;
        }
        say(&format!(
            "{} posted, {} still parked",
            outcome.posted.len(),
            outcome.parked.len()
        ))?;
        match outcome.parked.len() {
            0 => Ok(()),
            streams => Err(Fault::Refused(format!(
                "{streams} of the streams are still parked; see above why"
            ))),
        }
    }
}

fn parsed(text: &str) -> Result<(String, Uuid), Fault> {
    let known = text
        .split_once('/')
        .and_then(|(aggregate_type, id)| Some((aggregate_type.to_owned(), http::cli::id(id).ok()?)));
    known.ok_or_else(|| Fault::Refused(format!("{text} is no stream; write context.aggregate/<uuid>")))
}
