//! Commands to several streams that stand or fall together: one answer, one receipt, one append.

use std::net::SocketAddr;

use axum::response::Response;
use book::{Answer, Envelope, ExecuteError, Step};
use domain::{Aggregate, AnyCommand};
use serde_json::Value;
use uuid::Uuid;

use super::headers::{CommandHeaders, no_span};
use super::measured::{self, Measured};
use super::sent::{LET_THROUGH_MAX, Reach, may_rehearse};
use super::{Sent, answer, permission, permitted};
use crate::app::App;
use crate::audit;
use crate::auth::{By, Principal};
use crate::problem::Problem;

/// A request that takes several commands, as its context declares it: who may send it, what a stream offers and what
/// OpenAPI says follow.
#[derive(Debug)]
pub struct JointRequest {
    /// The kind of the stream that the URL names.
    pub aggregate: &'static Aggregate,
    /// The last word of the URL.
    pub word: &'static str,
    /// The command to that stream.
    pub command: &'static str,
    /// The commands to other streams. Those to others of the same kind are not sent alone.
    pub beside: &'static [(&'static Aggregate, &'static str)],
}

impl JointRequest {
    /// The path of its URL, as OpenAPI writes it.
    #[must_use]
    pub fn address(&self) -> String {
        let (context, plural, word) = (self.aggregate.context(), self.aggregate.plural, self.word);
        format!("/v1/{context}/{plural}/{{id}}/{word}")
    }

    /// The permissions that it needs: those of its commands.
    pub fn permissions(&self) -> impl Iterator<Item = String> {
        let named = std::iter::once((self.aggregate, self.command));
        let all = named.chain(self.beside.iter().copied());
        all.map(|(aggregate, command)| permission(aggregate, command))
    }

    /// Whether a command to streams of this kind goes by this request.
    #[must_use]
    pub fn takes(&self, aggregate: &Aggregate, command: &str) -> bool {
        let is_beside = |&(of, name): &(&Aggregate, &str)| *of == *aggregate && name == command;
        *self.aggregate == *aggregate && (self.command == command || self.beside.iter().any(is_beside))
    }

    /// # Errors
    /// 403 for the first permission that is missing.
    pub fn require(&self, by: &Principal) -> Result<(), Problem> {
        self.permissions().try_for_each(|permission| by.require(&permission))
    }
}

/// One of the commands of a request that takes several.
#[derive(Clone)]
pub struct Member {
    pub aggregate: &'static Aggregate,
    pub stream: Uuid,
    /// The command's name in kebab case.
    pub command: &'static str,
    pub fields: Value,
}

/// A request that takes several commands.
pub struct Joint<'a> {
    /// The stream that the request names, and what the request calls what it wants of it: a repeat has the same.
    pub aggregate: &'static Aggregate,
    pub stream: Uuid,
    pub word: &'a str,
    /// The request's own fields.
    pub fields: Value,
    pub headers: CommandHeaders,
    pub peer: SocketAddr,
}

/// The outcome of a request for several commands.
#[derive(Debug)]
pub enum Outcome {
    /// With what decisions let pass and whoever sent the request should know.
    Accepted(Answer, Vec<String>),
    /// It was a dry run, and this is the whole answer to it.
    Rehearsed(Response),
}

impl Joint<'_> {
    /// Carries the commands out as one, if each of them is one that the principal may send. `If-Match` is
    /// about the stream that the request names.
    ///
    /// # Errors
    /// [`Problem`] of the first that is not accepted; then nothing is done.
    pub async fn carry_out(&self, app: &App, by: &By, members: Vec<Member>) -> Result<Outcome, Problem> {
        let commands = members.iter().map(|member| (member.aggregate, member.command));
        let measured = Measured::begin(&app.contexts, commands);
        let outcome = self.carry_out_all(app, by, members).await;
        measured.ended(match &outcome {
            Ok(Outcome::Accepted(answer, _)) if answer.is_repeat => measured::Outcome::Repeated,
            Ok(Outcome::Accepted(..)) => measured::Outcome::Accepted,
            Ok(Outcome::Rehearsed(_)) => measured::Outcome::Rehearsed,
            Err(problem) => measured::Outcome::of_problem(problem),
        });
        outcome
    }

    async fn carry_out_all(&self, app: &App, by: &By, members: Vec<Member>) -> Result<Outcome, Problem> {
        no_span(self.headers.span.is_some())?;
        let envelope = self
            .sent(self.aggregate, self.stream, self.word)
            .envelope(by, &self.fields);
        let mut commands = Vec::with_capacity(members.len());
        for mut member in members {
            permitted(&app.contexts, member.aggregate, member.command, by)?;
            if self.headers.is_dry_run {
                may_rehearse(member.aggregate, by)?;
            }
            let sent = self.sent(member.aggregate, member.stream, member.command);
            let command = sent.parse(&mut member.fields)?;
            commands.push((sent, command));
        }
        if self.headers.is_dry_run {
            let rehearsing = |steps| app.book.rehearse(envelope.clone(), steps);
            let (rehearsed, seen) = self.let_through(app, by, &envelope, &commands, rehearsing).await?;
            let sight = audit::sight(app, by).ok();
            let warnings = warnings(app, by, &commands, seen).await;
            return Ok(Outcome::Rehearsed(answer::would(
                rehearsed,
                sight.as_ref(),
                None,
                warnings,
            )));
        }
        // Before it is read what the commands are let through on.
        let kinds = commands.iter().map(|(sent, _)| sent.aggregate.aggregate_type);
        let paced = app.book.keep_pace(&envelope, kinds).await?;
        let executing = |steps| app.book.execute_paced(envelope.clone(), steps, paced);
        let (answer, seen) = self.let_through(app, by, &envelope, &commands, executing).await?;
        app.principals.changed(&answer.streams);
        let warnings = warnings(app, by, &commands, seen).await;
        Ok(Outcome::Accepted(answer, warnings))
    }

    /// Does something with the commands that are let through; anew when a stream that this rested on has moved on
    /// meanwhile.
    async fn let_through<T, F>(
        &self,
        app: &App,
        by: &By,
        envelope: &Envelope,
        commands: &[(Sent<'_>, AnyCommand)],
        attempt: impl Fn(Vec<Step>) -> F,
    ) -> Result<(T, Vec<String>), Problem>
    where
        F: Future<Output = Result<T, ExecuteError>>,
    {
        let mut seen = None;
        for _ in 0..LET_THROUGH_MAX {
            let steps = self.steps(app, by, commands).await?;
            if let Some(hidden) = steps.iter().position(|step| !step.hidden.is_empty()) {
                // Asked for the refusal alone, as of one command.
                match app.book.rehearse(envelope.clone(), steps).await {
                    Err(ExecuteError::Moved { .. }) if self.headers.if_match.is_none() => continue,
                    Err(error) => return Err(self.sent(self.aggregate, self.stream, self.word).problem(error)),
                    Ok(_) => return Err(commands[hidden].0.not_found()),
                }
            }
            if seen.is_none() {
                seen = Some(guarded(app, by, commands).await?);
            }
            match attempt(steps).await {
                // A stream that was new is one no longer, so who may reach it is asked again. One that is not where
                // If-Match wants it will not be there either.
                Err(ExecuteError::Moved { .. }) if self.headers.if_match.is_none() => {}
                Ok(done) => return Ok((done, seen.unwrap_or_default())),
                Err(error) => return Err(self.sent(self.aggregate, self.stream, self.word).problem(error)),
            }
        }
        Err(ExecuteError::Contended.into())
    }

    async fn steps(&self, app: &App, by: &By, commands: &[(Sent<'_>, AnyCommand)]) -> Result<Vec<Step>, Problem> {
        let mut steps = Vec::with_capacity(commands.len());
        for (sent, command) in commands {
            let is_named = (sent.aggregate, sent.stream) == (self.aggregate, self.stream);
            let mut step = Step::new(sent.stream, self.headers.if_match.filter(|_| is_named), command.clone());
            let reach = sent.reach(app, by, &mut step).await?;
            if reach == Reach::Beyond {
                return Err(sent.out_of_reach());
            }
            sent.hold(&mut step, reach)?;
            steps.push(step);
        }
        Ok(steps)
    }

    fn sent<'a>(&self, aggregate: &'static Aggregate, stream: Uuid, command: &'a str) -> Sent<'a> {
        Sent {
            aggregate,
            stream,
            addressed: Some(stream),
            command,
            headers: self.headers.clone(),
            peer: self.peer,
        }
    }
}

/// What guards see at each of the commands and let pass. What they would refuse is for the decisions of such a request to refuse:
/// they know what it calls its fields.
async fn guarded(app: &App, by: &By, commands: &[(Sent<'_>, AnyCommand)]) -> Result<Vec<String>, Problem> {
    let mut all = Vec::new();
    for (sent, command) in commands {
        for seen in sent.seen(app, by, command).await? {
            all.extend(seen.warnings);
        }
    }
    Ok(all)
}

/// What is warned of because of each of the commands, beside what was seen before.
async fn warnings(app: &App, by: &By, commands: &[(Sent<'_>, AnyCommand)], mut all: Vec<String>) -> Vec<String> {
    for (sent, command) in commands {
        all.extend(sent.warnings(app, by, command).await);
    }
    all
}
