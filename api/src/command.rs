//! `POST /v1/{context}/{aggregates}/{id}/{command}` and `POST /v1/{context}/{aggregates}`.

pub mod body;
pub mod headers;
pub(crate) mod joint;
pub mod registry;

use std::fmt::Write as _;
use std::net::SocketAddr;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use book::{Answer, Envelope, ExecuteError, Refusal, Step};
use chrono::Utc;
use domain::fact::AnyState;
use domain::{Class, FactRef, canonical};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::app::App;
use crate::auth::{By, Principal};
use crate::cloudwatcher::receive;
use crate::extract::{self, POSITION, Path};
use crate::problem::{self, Problem};
use headers::Asked;
use registry::{Aggregate, Who};

/// How often a command is let through anew, because a stream that this rested on has moved on meanwhile.
const LET_THROUGH_MAX: usize = 5;

/// What an accepted command is answered.
#[derive(Debug, Serialize)]
struct Accepted<'a> {
    stream: Uuid,
    sequence: i64,
    position: i64,
    events: &'a [String],
}

/// Commands the aggregate that the URL names.
///
/// # Errors
/// [`Problem`].
pub async fn send(
    State(app): State<App>,
    by: By,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path((context, plural, id, command)): Path<(String, String, String, String)>,
    headers: HeaderMap,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Response, Problem> {
    let aggregate = aggregate(&context, &plural)?;
    let stream = extract::uuid("id", &id)?;
    let asked = Asked::read(&headers)?;
    let sent = Sent {
        aggregate,
        stream,
        addressed: Some(stream),
        command: &command,
        asked,
        peer,
    };
    Ok(accepted(&sent.read_and_carry_out(&app, &by, &headers, &body?).await?))
}

/// Makes a new aggregate under an id that the server chooses.
///
/// # Errors
/// [`Problem`].
pub async fn create(
    State(app): State<App>,
    by: By,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path((context, plural)): Path<(String, String)>,
    headers: HeaderMap,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Response, Problem> {
    let aggregate = aggregate(&context, &plural)?;
    if aggregate.borrows_id {
        let detail = format!(
            "way to leave the id to the server here: POST /v1/{context}/{plural}/{{id}}/{} under the id that it belongs to",
            aggregate.creates
        );
        return Err(Problem::not_found(detail));
    }
    let asked = Asked::read(&headers)?;
    permitted(aggregate, aggregate.creates, &by)?;
    let fields = body::fields(&headers, &body?)?;
    let sent = Sent {
        aggregate,
        // A repeat may draw another one, and is answered with the receipt's: the stream that the first made.
        stream: aggregate.stream_of(by.tenant, aggregate.creates, fields.clone()),
        addressed: None,
        command: aggregate.creates,
        asked,
        peer,
    };
    let answer = sent.carry_out(&app, &by, fields).await?;
    let location = answer.streams.first().and_then(|made| {
        let location = format!("/v1/{context}/{plural}/{}", made.stream);
        HeaderValue::try_from(location).ok()
    });
    let mut response = accepted(&answer);
    response
        .headers_mut()
        .extend(location.map(|location| (header::LOCATION, location)));
    Ok(response)
}

fn aggregate(context: &str, plural: &str) -> Result<&'static Aggregate, Problem> {
    registry::by_url(context, plural).ok_or_else(|| {
        let known = registry::AGGREGATES
            .iter()
            .filter(|aggregate| aggregate.context() == context);
        Problem::not_found(format!("aggregate {context}/{plural} that takes commands"))
            .allowed(known.map(|aggregate| aggregate.plural))
    })
}

/// Whether there is such a command, and whether the principal may send it to anything.
fn permitted(aggregate: &Aggregate, command: &str, by: &Principal) -> Result<(), Problem> {
    let known = aggregate.commands();
    if !known.iter().any(|(name, _)| name == command) {
        let mut detail = format!("{} has no command {command}", aggregate.aggregate_type);
        if let Some((_, instead)) = aggregate.moved.iter().find(|(name, _)| *name == command) {
            let _ = write!(detail, " any more; send {instead} instead");
        }
        return Err(Problem::new(problem::UNKNOWN_COMMAND, detail).allowed(known.iter().map(|(name, _)| name)));
    }
    by.require(&format!("{}.{command}", aggregate.aggregate_type))
}

/// The same id for every repeat of a command by the same user under the same key.
fn command_id(by: &Principal, key: &str) -> Uuid {
    Uuid::new_v5(&by.tenant, &[by.user.as_bytes(), key.as_bytes()].concat())
}

/// How a principal stands to a stream of a kind that belongs to departments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// It is within their departments, or of no department's concern.
    Free,
    /// It does not belong to any department yet, at this sequence: most likely it has no events.
    Homeless { sequence: i64 },
    /// It is not within their departments, but the decision itself knows who is entitled: an approver's
    /// delegate, for one.
    Beyond,
}

/// A command as it was sent.
pub(crate) struct Sent<'a> {
    pub aggregate: &'static Aggregate,
    pub stream: Uuid,
    /// The id in the URL; absent when the server chose it.
    pub addressed: Option<Uuid>,
    pub command: &'a str,
    pub asked: Asked,
    pub peer: SocketAddr,
}

impl Sent<'_> {
    async fn read_and_carry_out(
        &self,
        app: &App,
        by: &By,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Answer, Problem> {
        permitted(self.aggregate, self.command, by)?;
        // Only now: reading a large body is work, which is done for those alone who may ask for it.
        let fields = body::fields(headers, body)?;
        self.carry_out(app, by, fields).await
    }

    /// Carries the command out, if it is one that the principal may send.
    ///
    /// # Errors
    /// [`Problem`].
    pub(crate) async fn carry_out(&self, app: &App, by: &By, fields: Value) -> Result<Answer, Problem> {
        permitted(self.aggregate, self.command, by)?;
        if receive::concerns(self) {
            return receive::carry_out(self, app, by, fields).await;
        }
        let envelope = self.envelope(by, &fields);
        let span = tracing::Span::current();
        span.record("command_id", tracing::field::display(envelope.command_id));
        span.record("correlation_id", tracing::field::display(envelope.correlation_id));

        let answer = self.execute(app, by, &envelope, &fields).await?;
        app.principals.changed(&answer.streams);
        Ok(answer)
    }

    pub(crate) fn envelope(&self, by: &Principal, fields: &Value) -> Envelope {
        let command_id = self
            .asked
            .key
            .as_ref()
            .map_or_else(Uuid::now_v7, |key| command_id(by, key));
        // The reason is not part of it: whoever repeats a command may word it anew.
        let canonical = canonical::text(&json!([
            self.aggregate.aggregate_type,
            self.addressed,
            self.command,
            fields,
            self.asked.if_match
        ]));
        Envelope {
            tenant: by.tenant,
            actor: by.user,
            command_id,
            repeatable: self.asked.key.is_some(),
            body_hash: Sha256::digest(canonical).into(),
            correlation_id: command_id,
            causation_id: None,
            reason: self.asked.reason.clone(),
            ip: Some(self.peer.ip().to_canonical().to_string()),
            traceparent: self.asked.traceparent.clone(),
            at: Utc::now(),
            occurred_at: None,
        }
    }

    async fn execute(&self, app: &App, by: &By, envelope: &Envelope, fields: &Value) -> Result<Answer, Problem> {
        let mut tried = 1;
        loop {
            let mut step = self.step(self.asked.if_match, fields)?;
            let reach = self.reach(app, by, &mut step, fields).await?;
            self.hold(&mut step, reach)?;
            let is_held = step.if_match != self.asked.if_match || !step.let_through_on.is_empty();
            match app.book.execute(envelope.clone(), vec![step]).await {
                Ok(answer) => return Ok(answer),
                Err(ExecuteError::Moved { .. }) if is_held && tried < LET_THROUGH_MAX => tried += 1,
                Err(ExecuteError::Moved { .. }) if is_held && self.asked.if_match.is_none() => {
                    return Err(ExecuteError::Contended.into());
                }
                // Whoever the decision does not know as entitled may not learn that the stream is there.
                Err(
                    ExecuteError::Refused(Refusal {
                        class: Class::Forbidden,
                        ..
                    })
                    | ExecuteError::Moved { .. },
                ) if reach == Reach::Beyond => return Err(self.not_found()),
                Err(error) => return Err(self.told(error)),
            }
        }
    }

    /// Sees to it that the command meets the stream that it was let through to: which department that belongs to
    /// before it is born says nothing of the one that it may belong to a moment later.
    ///
    /// # Errors
    /// 404 when `If-Match` wants a stream that has no events, 412 when it wants one that has more than there are.
    fn hold(&self, step: &mut Step, reach: Reach) -> Result<(), Problem> {
        let Reach::Homeless { sequence } = reach else {
            return Ok(());
        };
        match step.if_match {
            Some(expected) if expected > sequence => Err(self.told(ExecuteError::Moved { expected, sequence })),
            // It is there, or the command is a repeat, or it will be refused.
            Some(_) => Ok(()),
            None => {
                step.if_match = Some(sequence);
                Ok(())
            }
        }
    }

    /// Refuses what lies outside the principal's departments. The step keeps what that rested on.
    async fn reach(&self, app: &App, by: &By, step: &mut Step, fields: &Value) -> Result<Reach, Problem> {
        if !self.aggregate.scoped || by.sees_all_departments() {
            return Ok(Reach::Free);
        }
        let state = app.book.step_state(by.tenant, step).await;
        let (state, sequence) = state.map_err(|error| self.told(error))?;
        let (home, commanded) = (self.aggregate.home(&state), step.department(&state));
        if let Some(home) = home
            && !app.principals.reaches(by, home).await?
        {
            return match commanded {
                Some(_) => Err(self.not_found()),
                None => Ok(Reach::Beyond),
            };
        }
        if let Some(department) = commanded
            && !app.principals.reaches(by, department).await?
        {
            let detail = format!("department {department} is not one of yours, nor below one of them");
            return Err(Problem::new(problem::FOREIGN_DEPARTMENT, detail).field("department_id"));
        }
        step.let_through_on = self.scope_of_concerns(app, by, &state, fields).await?;
        Ok(match home {
            Some(_) => Reach::Free,
            None => Reach::Homeless { sequence },
        })
    }

    /// A stream that the command draws on and that is out of reach is refused as one that does not exist. What was
    /// found to be in reach, with the sequence that it was at; what does not exist is, at 0.
    async fn scope_of_concerns(
        &self,
        app: &App,
        by: &By,
        state: &AnyState,
        fields: &Value,
    ) -> Result<Vec<(FactRef, i64)>, Problem> {
        let mut concerns = self.aggregate.concerns(self.command, fields.clone());
        let mut seen = Vec::new();
        while let Some(concern) = concerns.pop() {
            let (concerned, sequence) = app.book.seen(by.tenant, concern).await?;
            seen.push((concern, sequence));
            let Some(concerned) = concerned else {
                continue;
            };
            let kind = registry::by_type(concern.aggregate_type);
            if let Some(department) = kind.and_then(|kind| kind.home(&concerned))
                && !app.principals.reaches(by, department).await?
            {
                let who = Who {
                    tenant: by.tenant,
                    by: by.user,
                    stream: self.stream,
                };
                let refusal = self
                    .aggregate
                    .refusal_without_facts(&who, state, self.command, fields.clone());
                return Err(refusal.map_or_else(|| self.not_found(), |refusal| self.refused(refusal)));
            }
            concerns.extend(kind.map_or_else(Vec::new, |kind| kind.draws_on(&concerned)));
        }
        Ok(seen)
    }

    pub(crate) fn step(&self, if_match: Option<i64>, fields: &Value) -> Result<Step, Problem> {
        self.aggregate
            .parse(self.stream, if_match, self.command, fields.clone())
            .map_err(|unparsed| {
                let path = unparsed.path().to_string();
                let field = path.strip_prefix(self.command).unwrap_or(&path).trim_start_matches('.');
                let detail = unparsed.inner().to_string();
                let problem = Problem::new(problem::BAD_VALUE, detail);
                if field.is_empty() || field == "?" {
                    problem
                } else {
                    problem.field(field)
                }
            })
    }

    pub(crate) fn told(&self, error: ExecuteError) -> Problem {
        match error {
            ExecuteError::Refused(refusal) => self.refused(refusal),
            ExecuteError::NotFound { .. } => self.not_found(),
            // A stream without events; one that the caller may not know of is told in the same words.
            ExecuteError::Moved { sequence: 0, .. } => self.not_found(),
            error => error.into(),
        }
    }

    fn refused(&self, refusal: Refusal) -> Problem {
        match refusal.class {
            // Whoever makes a new stream lacks another one, and the refusal says which.
            Class::Missing if self.command == self.aggregate.creates => refusal.into(),
            Class::Missing => self.not_found(),
            Class::Forbidden | Class::Conflict | Class::Refused => refusal.into(),
        }
    }

    /// The same answer for a stream that does not exist, is another tenant's, or is out of reach.
    fn not_found(&self) -> Problem {
        let Aggregate {
            aggregate_type,
            creates,
            ..
        } = self.aggregate;
        let remedy = if self.command == *creates {
            "leave `If-Match` out, or choose another id".to_owned()
        } else {
            format!("send it `{creates}` first")
        };
        Problem::not_found(format!("{aggregate_type} {}; {remedy}", self.stream))
    }
}

fn accepted(answer: &Answer) -> Response {
    let Some(stream) = answer.streams.first() else {
        return Problem::internal(&"a receipt names no stream").into_response();
    };
    let body = Accepted {
        stream: stream.stream,
        sequence: stream.sequence,
        position: answer.position,
        events: &stream.events,
    };
    let mut response = (StatusCode::OK, axum::Json(body)).into_response();
    let etag = HeaderValue::try_from(format!("\"{}\"", stream.sequence)).ok();
    response.headers_mut().extend(etag.map(|etag| (header::ETAG, etag)));
    response
        .headers_mut()
        .insert(POSITION, HeaderValue::from(answer.position));
    response
}
