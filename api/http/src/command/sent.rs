//! A command on its way from a request to the book: who may send it, and what it is let through on.

use std::iter;
use std::net::SocketAddr;

use axum::response::Response;
use book::{Answer, Envelope, ExecuteError, Repeat, Step};
use chrono::Utc;
use domain::misread::Misread;
use domain::{Aggregate, AnyCommand, Claim, Class, Refusal, canonical};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::headers::CommandHeaders;
use super::measured::{Measured, Outcome};
use super::{Received, Would, answer, form, permitted};
use crate::app::App;
use crate::audit;
use crate::auth::{By, Principal};
use crate::openapi::commands;
use crate::problem::{self, Problem};

/// How often a command is let through anew, because a stream that this rested on has moved on meanwhile.
pub(super) const LET_THROUGH_MAX: usize = 5;

/// How a principal stands to a stream of a kind that belongs to departments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// It is within their departments, or of no department's concern.
    Free,
    /// It does not belong to any department yet, at this sequence: most likely it has no events.
    Homeless { sequence: i64 },
    /// It is not within their departments, but the decision itself knows who is entitled: somebody who
    /// stands in for another, for one.
    Beyond,
}

/// A command that was let through.
struct LetThrough {
    reach: Reach,
    /// What was seen before it was decided, and let pass.
    warnings: Vec<String>,
}

/// The stream that a command is sent to, and how.
#[derive(Debug, Clone)]
pub struct Sent<'a> {
    pub aggregate: &'static Aggregate,
    pub stream: Uuid,
    /// The id in the URL; absent when the server chose it.
    pub addressed: Option<Uuid>,
    /// The command's name in kebab case.
    pub command: &'a str,
    pub headers: CommandHeaders,
    pub peer: SocketAddr,
}

impl Sent<'_> {
    /// Carries the command with these fields out, if the principal may send it.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn carry_out_fields(&self, app: &App, by: &By, fields: Value) -> Result<Answer, Problem> {
        let measured = Measured::begin(&app.contexts, [(self.aggregate, self.command)]);
        let answer = self.carry_out_of(app, by, fields).await;
        measured.ended(Outcome::of_answer(&answer));
        answer
    }

    async fn carry_out_of(&self, app: &App, by: &By, mut fields: Value) -> Result<Answer, Problem> {
        permitted(&app.contexts, self.aggregate, self.command, by)?;
        self.come_in(app, by, &mut fields).await?;
        let envelope = self.envelope(by, &fields);
        self.complete(app, by, &mut fields).await?;
        let (answer, _) = self.carry_out(app, by, envelope, self.parse(&mut fields)?).await?;
        Ok(answer)
    }

    /// Does to the fields what is done as they come in, see [`crate::context::Edge`].
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn come_in(&self, app: &App, by: &Principal, fields: &mut Value) -> Result<(), Problem> {
        match app.contexts.edge(self.aggregate, self.command) {
            Some(edge) => (edge.change)(app, by.tenant, fields).await,
            None => Ok(()),
        }
    }

    /// Fills in what was left out and nobody can send again.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn complete(&self, app: &App, by: &Principal, fields: &mut Value) -> Result<(), Problem> {
        let edge = app.contexts.edge(self.aggregate, self.command);
        match edge.and_then(|edge| edge.complete) {
            Some(complete) => complete(app, by.tenant, self.stream, fields).await,
            None => Ok(()),
        }
    }

    /// Carries out a command that the principal holds the permission for, if its streams are within their reach; with what
    /// they should know though it is accepted.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn carry_out(
        &self,
        app: &App,
        by: &By,
        envelope: Envelope,
        command: AnyCommand,
    ) -> Result<(Answer, Vec<String>), Problem> {
        self.check(app, &envelope, &command).await?;
        if let Some(receiver) = app.contexts.receiver(self.aggregate, self.command) {
            let answer = (receiver.carry_out)(self.received(app, by, envelope, command.clone())).await?;
            return Ok((answer, self.warnings(app, by, &command).await));
        }
        let span = tracing::Span::current();
        span.record("command_id", tracing::field::display(envelope.command_id));
        span.record("correlation_id", tracing::field::display(envelope.correlation_id));

        // Before it is read what the command is let through on.
        let kinds = iter::once(self.aggregate.aggregate_type);
        let paced = app.book.keep_pace(&envelope, kinds).await?;
        let executing = |step| app.book.execute_paced(envelope.clone(), vec![step], paced);
        let (let_through, answer) = self.let_through(app, by, &envelope, &command, executing).await?;
        app.principals.changed(&answer.streams);
        let mut warnings = let_through.warnings;
        warnings.extend(self.warnings(app, by, &command).await);
        Ok((answer, warnings))
    }

    /// Rehearses the command: answers what carrying it out would lead to.
    ///
    /// # Errors
    /// [`Problem`], as carrying it out would have it.
    pub async fn rehearse(
        &self,
        app: &App,
        by: &By,
        envelope: Envelope,
        command: AnyCommand,
    ) -> Result<Response, Problem> {
        may_rehearse(self.aggregate, by)?;
        let on_the_past = self.on_the_past(app, by).await?;
        self.check(app, &envelope, &command).await?;
        if let Some(receiver) = app.contexts.receiver(self.aggregate, self.command) {
            let would = (receiver.rehearse)(self.received(app, by, envelope, command)).await?;
            let sight = audit::sight(app, by).ok();
            return Ok(match would {
                Would::Happen(rehearsed) => answer::would(rehearsed, sight.as_ref(), None, Vec::new()),
                Would::Repeat(first) => answer::would_repeat(first, sight.as_ref()),
            });
        }
        let rehearsing = |step| app.book.rehearse(envelope.clone(), vec![step]);
        let (let_through, rehearsed) = self.let_through(app, by, &envelope, &command, rehearsing).await?;
        // Who commands a stream without seeing it in the log does not see its events here either.
        let sight = audit::sight(app, by)
            .ok()
            .filter(|_| let_through.reach != Reach::Beyond);
        let past = match on_the_past {
            Some((rehearsal, span)) => Some(self.look_at_the_past(app, by, &rehearsed, rehearsal, span).await?),
            None => None,
        };
        let mut warnings = let_through.warnings;
        warnings.extend(self.warnings(app, by, &command).await);
        Ok(answer::would(rehearsed, sight.as_ref(), past, warnings))
    }

    fn received<'a>(&'a self, app: &'a App, by: &'a By, envelope: Envelope, command: AnyCommand) -> Received<'a> {
        Received {
            app,
            by,
            sent: self,
            envelope,
            command,
        }
    }

    /// The same envelope for every repeat by the same user under the same key.
    pub fn envelope(&self, by: &Principal, fields: &Value) -> Envelope {
        let keyed = |key: &String| Uuid::new_v5(&by.tenant, &[by.user.as_bytes(), key.as_bytes()].concat());
        let command_id = self.headers.key.as_ref().map_or_else(Uuid::now_v7, keyed);
        // The reason is not part of it: who repeats a command may word it anew.
        let canonical = canonical::text(&json!([
            self.aggregate.aggregate_type,
            self.addressed,
            self.command,
            fields,
            self.headers.if_match
        ]));
        Envelope {
            tenant: by.tenant,
            actor: by.user,
            command_id,
            repeat: match self.headers.key {
                Some(_) => Repeat::Asked,
                None => Repeat::Never,
            },
            body_hash: Sha256::digest(canonical).into(),
            correlation_id: command_id,
            causation_id: None,
            reason: self.headers.reason.clone(),
            ip: Some(self.peer.ip().to_canonical().to_string()),
            traceparent: self.headers.traceparent.clone(),
            at: Utc::now(),
            occurred_at: None,
        }
    }

    /// Does something with the command that is let through; anew when a stream that this rested on has moved on
    /// meanwhile.
    async fn let_through<T, F>(
        &self,
        app: &App,
        by: &By,
        envelope: &Envelope,
        command: &AnyCommand,
        attempt: impl Fn(Step) -> F,
    ) -> Result<(LetThrough, T), Problem>
    where
        F: Future<Output = Result<T, ExecuteError>>,
    {
        let (mut tried, mut witnesses, mut seen) = (1, None, None);
        loop {
            let mut step = Step::new(self.stream, self.headers.if_match, command.clone());
            step.witnesses = witnesses.clone().unwrap_or_default();
            let reach = self.reach(app, by, &mut step).await?;
            if !step.hidden.is_empty() {
                // Asked for the refusal alone: what the decision does without is not to be commanded either.
                step.let_through_on.clear();
                let refused = app.book.rehearse(envelope.clone(), vec![step]).await.err();
                return Err(refused.map_or_else(|| self.not_found(), |error| self.problem(error)));
            }
            self.hold(&mut step, reach)?;
            if seen.is_none() && reach != Reach::Beyond {
                seen = Some(self.guarded(app, by, envelope, command).await?);
            }
            let is_held = step.if_match != self.headers.if_match || !step.let_through_on.is_empty();
            let outcome = attempt(step).await;
            if let (Err(ExecuteError::Refused(refusal)), None) = (&outcome, &witnesses)
                && let Some(of_rule) = app.contexts.witnesses(refusal)
            {
                witnesses = Some((of_rule.find)(&app.book, by.tenant).await?);
                continue;
            }
            match outcome {
                Ok(done) => {
                    let warnings = seen.unwrap_or_default();
                    return Ok((LetThrough { reach, warnings }, done));
                }
                Err(ExecuteError::Moved { .. }) if is_held && tried < LET_THROUGH_MAX => tried += 1,
                Err(ExecuteError::Moved { .. }) if is_held && self.headers.if_match.is_none() => {
                    return Err(ExecuteError::Contended.into());
                }
                Err(moved @ ExecuteError::Moved { .. }) if reach == Reach::Beyond => {
                    let unmatched = vec![Step::new(self.stream, None, command.clone())];
                    let entitled = app.book.rehearse(envelope.clone(), unmatched).await;
                    return Err(self.moved_beyond(moved, entitled.err()));
                }
                Err(error) => return Err(self.problem_at(reach, error)),
            }
        }
    }

    /// Sees to it that the command meets the stream that it was let through to: which department that belongs to
    /// before it is born says nothing of the one that it may belong to a moment later.
    ///
    /// # Errors
    /// 404 when `If-Match` wants a stream that has no events, 412 when it wants one that has more than there are.
    pub(super) fn hold(&self, step: &mut Step, reach: Reach) -> Result<(), Problem> {
        let Reach::Homeless { sequence } = reach else {
            return Ok(());
        };
        match step.if_match {
            Some(expected) if expected > sequence => Err(self.problem(ExecuteError::Moved { expected, sequence })),
            // It is there, or the command is a repeat, or it will be refused.
            Some(_) => Ok(()),
            None => {
                step.if_match = Some(sequence);
                Ok(())
            }
        }
    }

    /// Refuses a stream outside of the principal's departments. The step keeps what that rested on.
    pub(super) async fn reach(&self, app: &App, by: &By, step: &mut Step) -> Result<Reach, Problem> {
        if !self.aggregate.scoped || by.sees_all_departments() {
            return Ok(Reach::Free);
        }
        let state = app.book.step_state(by.tenant, step).await;
        let (state, sequence) = state.map_err(|error| self.problem(error))?;
        let (home, commanded) = (self.aggregate.home(&state), step.department(&state));
        if let Some(home) = home
            && !app.principals.reaches(by, home).await?
        {
            return match commanded {
                Some(_) => Err(self.out_of_reach()),
                None => Ok(Reach::Beyond),
            };
        }
        if let Some(department) = commanded
            && !app.principals.reaches(by, department).await?
        {
            let detail =
                format!("department {department} is not one of yours, nor below one of them; choose one that is");
            return Err(Problem::new(problem::FOREIGN_DEPARTMENT, detail).field("department_id"));
        }
        self.scope_of_concerns(app, by, step).await?;
        Ok(match home {
            Some(_) => Reach::Free,
            None => Reach::Homeless { sequence },
        })
    }

    /// Looks at what the command draws on, and hides from the decision what is out of reach. The step keeps the
    /// sequences that all this was at; what does not exist is at 0.
    async fn scope_of_concerns(&self, app: &App, by: &By, step: &mut Step) -> Result<(), Problem> {
        let mut concerns = step.command.concerns();
        while let Some(concern) = concerns.pop() {
            let (concerned, sequence) = app.book.seen(by.tenant, concern).await?;
            step.let_through_on.push((concern, sequence));
            let Some(concerned) = concerned else {
                continue;
            };
            let kind = app.contexts.aggregate(concern.aggregate_type);
            if let Some(department) = kind.and_then(|kind| kind.home(&concerned))
                && !app.principals.reaches(by, department).await?
            {
                step.hidden.push(concern);
            } else {
                concerns.extend(kind.map_or_else(Vec::new, |kind| kind.draws_on(&concerned)));
            }
        }
        Ok(())
    }

    /// The command from its fields.
    ///
    /// # Errors
    /// 400, naming the field.
    pub fn parse(&self, fields: &mut Value) -> Result<AnyCommand, Problem> {
        let parsed = self.aggregate.parse(self.command, fields);
        let parsed = parsed.map_err(|unparsed| Misread::of(&unparsed, self.command))?;
        form::is_as_documented(self.aggregate, self.command, fields)?;
        Ok(parsed)
    }

    /// As [`Sent::problem`]. A sender whom the decision does not know as entitled may not learn that the stream is
    /// there.
    fn problem_at(&self, reach: Reach, error: ExecuteError) -> Problem {
        if reach == Reach::Beyond && is_forbidden(&error) {
            return self.out_of_reach();
        }
        self.problem(error)
    }

    /// That a stream beyond the sender's departments is not where `If-Match` wants it. Where it is, only those may
    /// learn whom the decision lets in: `otherwise` is why it would not have been accepted without `If-Match`.
    fn moved_beyond(&self, moved: ExecuteError, otherwise: Option<ExecuteError>) -> Problem {
        match otherwise {
            Some(error @ (ExecuteError::Book(_) | ExecuteError::Contended)) => self.problem(error),
            Some(error) if is_forbidden(&error) => self.out_of_reach(),
            Some(_) | None => self.problem(moved),
        }
    }

    /// Why the command was not accepted, as the sender is told.
    pub fn problem(&self, error: ExecuteError) -> Problem {
        match error {
            ExecuteError::Refused(refusal) => self.refused(refusal),
            ExecuteError::NotFound { .. } => self.out_of_reach(),
            // A stream without events; one that the caller may not know of is told in the same words.
            ExecuteError::Moved { sequence: 0, .. } => self.not_found(),
            ExecuteError::Claimed { claim } => {
                let problem = Problem::from(ExecuteError::Claimed { claim });
                match self.field_of(claim) {
                    Some(field) => problem.field(field),
                    None => problem,
                }
            }
            error => error.into(),
        }
    }

    /// The last of the claim's columns that is a field of the command: those before it say within what the value is unique.
    fn field_of(&self, claim: Claim) -> Option<&'static str> {
        let fields = commands::fields(self.aggregate, self.command);
        claim
            .columns()
            .filter(|column| fields.iter().any(|field| field == column))
            .last()
    }

    pub(super) fn refused(&self, refusal: Refusal) -> Problem {
        match refusal.class {
            // A sender who makes a new stream lacks another one, and the refusal says which.
            Class::Missing if self.command == self.aggregate.creates => refusal.into(),
            Class::Missing => self.not_found(),
            Class::Forbidden | Class::Conflict | Class::Refused => refusal.into(),
        }
    }

    /// The same answer for a stream that is another tenant's or out of reach: whoever wants to make a new one under its
    /// id needs another id, and learns no more than that it is used.
    pub(super) fn out_of_reach(&self) -> Problem {
        if self.command != self.aggregate.creates || self.aggregate.borrows_id {
            return self.not_found();
        }
        let detail = format!(
            "the id {} of the {} that you want to begin is in use, out of your reach; choose another, or leave it to \
             the server",
            self.stream, self.aggregate.aggregate_type
        );
        Problem::new(problem::ID_TAKEN, detail).field("id")
    }

    /// The same answer for a stream that does not exist, is another tenant's, or is out of reach.
    pub(super) fn not_found(&self) -> Problem {
        if self.command != self.aggregate.creates {
            return out_of_reach(self.aggregate, self.stream);
        }
        let remedy = match self.headers.if_match {
            Some(_) => "leave `If-Match` out, or choose another id",
            None => "choose another id",
        };
        let aggregate_type = self.aggregate.aggregate_type;
        Problem::not_found(format!("{aggregate_type} {} within your reach; {remedy}", self.stream))
    }
}

/// The answer for a stream that does not exist, is another tenant's, or is out of reach. It is true of each.
#[must_use]
pub fn out_of_reach(aggregate: &Aggregate, stream: Uuid) -> Problem {
    let Aggregate {
        aggregate_type,
        creates,
        ..
    } = aggregate;
    let begins = match aggregate.only_daybook.contains(creates) {
        true => format!("Daybook begins one with `{creates}` when something has happened that wants it"),
        false => format!("one that is new begins with `{creates}`"),
    };
    Problem::not_found(format!("{aggregate_type} {stream} within your reach; {begins}"))
}

/// Refuses a dry run of what tells who people are to those who may not read that: it would confirm each guess at a
/// name or an address, and leave no trace.
///
/// # Errors
/// 403, naming the permission.
pub(super) fn may_rehearse(aggregate: &Aggregate, by: &Principal) -> Result<(), Problem> {
    if aggregate.personal && !by.permits(audit::PERSONAL) {
        let what = format!("a dry run of a command to {}", aggregate.aggregate_type);
        return Err(by.missing(&what, audit::PERSONAL));
    }
    Ok(())
}

fn is_forbidden(error: &ExecuteError) -> bool {
    matches!(error, ExecuteError::Refused(refusal) if refusal.class == Class::Forbidden)
}
