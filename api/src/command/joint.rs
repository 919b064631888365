//! Commands to several streams that stand or fall together: one answer, one receipt, one append.

use std::net::SocketAddr;

use book::{Answer, ExecuteError, Step, StreamAnswer};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::headers::Asked;
use super::registry::{self, Aggregate};
use super::{Reach, Sent, permitted};
use crate::app::App;
use crate::auth::By;
use crate::command::LET_THROUGH_MAX;
use crate::problem::Problem;

/// One of the commands.
#[derive(Debug)]
pub(crate) struct Part {
    pub aggregate: &'static Aggregate,
    pub stream: Uuid,
    pub command: &'static str,
    pub fields: Value,
}

impl Part {
    /// A command to a stream of this kind.
    ///
    /// # Errors
    /// When the kind is not served, which is a defect of this program.
    pub fn of(aggregate_type: &str, stream: Uuid, command: &'static str, fields: Value) -> Result<Self, Problem> {
        let aggregate = registry::by_type(aggregate_type)
            .ok_or_else(|| Problem::internal(&format_args!("{aggregate_type} is not served")))?;
        Ok(Self {
            aggregate,
            stream,
            command,
            fields,
        })
    }
}

/// What somebody asked for, as the commands that it takes.
pub(crate) struct Joint<'a> {
    /// The stream that the request names, and what the request calls what it wants of it: what makes a
    /// repeat of it the same.
    pub aggregate: &'static Aggregate,
    pub stream: Uuid,
    pub word: &'a str,
    /// The request's own fields.
    pub fields: Value,
    pub asked: Asked,
    pub peer: SocketAddr,
}

/// What an accepted request for several commands is answered.
#[derive(Debug, Serialize)]
pub(crate) struct Accepted<'a> {
    position: i64,
    streams: &'a [StreamAnswer],
}

impl<'a> From<&'a Answer> for Accepted<'a> {
    fn from(answer: &'a Answer) -> Self {
        Self {
            position: answer.position,
            streams: &answer.streams,
        }
    }
}

impl Joint<'_> {
    /// Carries the commands out as one, if each of them is one that the principal may send. `If-Match` is
    /// about the stream that the request names.
    ///
    /// # Errors
    /// [`Problem`] of the first that is not accepted; then nothing is done.
    pub(crate) async fn carry_out(&self, app: &App, by: &By, parts: &[Part]) -> Result<Answer, Problem> {
        let whole = self.sent(self.aggregate, self.stream, self.word);
        let envelope = whole.envelope(by, &self.fields);
        for _ in 0..LET_THROUGH_MAX {
            let steps = self.steps(app, by, parts).await?;
            match app.book.execute(envelope.clone(), steps).await {
                // A stream that was new is one no longer, so who may reach it is asked again. One that is not where
                // If-Match wants it will not be there either.
                Err(ExecuteError::Moved { .. }) if self.asked.if_match.is_none() => {}
                outcome => return outcome.map_err(|error| whole.told(error)),
            }
        }
        Err(ExecuteError::Contended.into())
    }

    async fn steps(&self, app: &App, by: &By, parts: &[Part]) -> Result<Vec<Step>, Problem> {
        let mut steps = Vec::with_capacity(parts.len());
        for part in parts {
            permitted(part.aggregate, part.command, by)?;
            let sent = self.sent(part.aggregate, part.stream, part.command);
            steps.push(self.step(app, by, &sent, part).await?);
        }
        Ok(steps)
    }

    async fn step(&self, app: &App, by: &By, sent: &Sent<'_>, part: &Part) -> Result<Step, Problem> {
        let is_named = (part.aggregate.aggregate_type, part.stream) == (self.aggregate.aggregate_type, self.stream);
        let mut step = sent.step(self.asked.if_match.filter(|_| is_named), &part.fields)?;
        let reach = sent.reach(app, by, &mut step, &part.fields).await?;
        if reach == Reach::Beyond {
            return Err(sent.not_found());
        }
        sent.hold(&mut step, reach)?;
        Ok(step)
    }

    fn sent<'a>(&self, aggregate: &'static Aggregate, stream: Uuid, command: &'a str) -> Sent<'a> {
        Sent {
            aggregate,
            stream,
            addressed: Some(stream),
            command,
            asked: self.asked.clone(),
            peer: self.peer,
        }
    }
}
