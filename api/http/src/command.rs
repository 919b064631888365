//! `POST /v1/{context}/{aggregates}/{id}/{command}` and `POST /v1/{context}/{aggregates}`.

pub mod answer;
pub mod body;
pub mod form;
pub mod headers;
pub mod joint;
mod keyed;
mod looked;
pub mod measured;
pub mod offers;
pub mod past;
pub mod sent;

use std::fmt::Write as _;
use std::net::SocketAddr;

use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use book::{Answer, Envelope, Rehearsed, StreamAnswer};
use domain::fact::AnyState;
use domain::{Aggregate, AnyCommand, Asker, Refusal};
use futures::future::BoxFuture;
use uuid::Uuid;

use crate::app::App;
use crate::auth::{By, Principal};
use crate::context::Contexts;
use crate::extract::{Body, Path};
use crate::problem::{self, Problem};
use crate::query::streams::shown_in;
use crate::query::{Source, may_read};
use headers::CommandHeaders;
use measured::{Measured, Outcome};
pub use sent::Sent;

/// A command that is carried out in another way than others: its receiver decides under which stream and envelope.
#[derive(Debug, Clone, Copy)]
pub struct Receiver {
    pub aggregate_type: &'static str,
    pub command: &'static str,
    pub carry_out: for<'a> fn(Received<'a>) -> BoxFuture<'a, Result<Answer, Problem>>,
    /// Tells what carrying it out would lead to, for a dry run. It fails as carrying it out would.
    pub rehearse: for<'a> fn(Received<'a>) -> BoxFuture<'a, Result<Would, Problem>>,
    /// Says whether the receiver may accept the command when it is sent to a stream in this state: it may accept what
    /// the decision alone refuses.
    pub offers: fn(&AnyState, Uuid, &Asker) -> Result<(), Refusal>,
}

/// What a command that has a receiver would lead to.
#[derive(Debug)]
pub enum Would {
    Happen(Rehearsed),
    /// It repeats what was done before, and would get this answer again.
    Repeat(Answer),
}

/// A command on its way to its [`Receiver`]. The principal holds the permission for it.
#[derive(Clone)]
pub struct Received<'a> {
    pub app: &'a App,
    pub by: &'a By,
    pub sent: &'a Sent<'a>,
    pub envelope: Envelope,
    pub command: AnyCommand,
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
    body: Body,
) -> Result<Response, Problem> {
    let aggregate = aggregate(&app.contexts, &context, &plural)?;
    let measured = Measured::begin(&app.contexts, [(aggregate, command.as_str())]);
    let answering = async {
        let stream = keyed::stream(aggregate, by.tenant, &id)?;
        let sent = Sent {
            aggregate,
            stream,
            addressed: Some(stream),
            command: &command,
            headers: CommandHeaders::read(&headers)?,
            peer,
        };
        permitted(&app.contexts, aggregate, &command, &by)?;
        sent_to(&app, &by, &sent, &headers, body).await
    };
    let answer = answering.await;
    measured.ended(Outcome::of_response(&answer));
    answer
}

async fn sent_to(app: &App, by: &By, sent: &Sent<'_>, headers: &HeaderMap, body: Body) -> Result<Response, Problem> {
    let body_bytes_max = (sent.aggregate.body_bytes_max)(sent.command);
    let mut body = body.read(app, by, body_bytes_max).await?;
    let mut fields = body::fields(headers, &mut body)?;
    keyed::has_no_number(sent.aggregate, &fields)?;
    sent.come_in(app, by, &mut fields).await?;
    let envelope = sent.envelope(by, &fields);
    sent.complete(app, by, &mut fields).await?;
    let done = async {
        let parsed = sent.parse(&mut fields)?;
        if sent.headers.is_dry_run {
            return sent.rehearse(app, by, envelope, parsed).await;
        }
        let (answer, warnings) = sent.carry_out(app, by, envelope, parsed).await?;
        Ok(answer::accepted(&answer, &warnings))
    };
    done.await
        .map_err(|problem| form::complete(problem, sent.aggregate, sent.command, &fields))
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
    body: Body,
) -> Result<Response, Problem> {
    let aggregate = aggregate(&app.contexts, &context, &plural)?;
    if aggregate.borrows_id {
        let detail = format!(
            "way to leave the id to the server here: POST /v1/{context}/{plural}/{{id}}/{} under the id that it belongs to",
            aggregate.creates
        );
        return Err(Problem::not_found(detail));
    }
    let measured = Measured::begin(&app.contexts, [(aggregate, aggregate.creates)]);
    let answering = async {
        let sent = Sent {
            aggregate,
            // A repeat may draw another one, and is answered with the receipt's: the stream that the first made.
            stream: Uuid::now_v7(),
            addressed: None,
            command: aggregate.creates,
            headers: CommandHeaders::read(&headers)?,
            peer,
        };
        permitted(&app.contexts, aggregate, aggregate.creates, &by)?;
        made(&app, &by, sent, &headers, body).await
    };
    let answer = answering.await;
    measured.ended(Outcome::of_response(&answer));
    answer
}

async fn made(app: &App, by: &By, mut sent: Sent<'_>, headers: &HeaderMap, body: Body) -> Result<Response, Problem> {
    let aggregate = sent.aggregate;
    let body_bytes_max = (aggregate.body_bytes_max)(aggregate.creates);
    let mut body = body.read(app, by, body_bytes_max).await?;
    let mut fields = body::fields(headers, &mut body)?;
    keyed::has_no_number(sent.aggregate, &fields)?;
    sent.come_in(app, by, &mut fields).await?;
    let envelope = sent.envelope(by, &fields);
    let making = async {
        keyed::number(app, &envelope, &sent, &mut fields).await?;
        let parsed = sent.parse(&mut fields)?;
        // The one that it can be sent to, where what it says decides that.
        sent.stream = parsed.stream(by.tenant).unwrap_or(sent.stream);
        if sent.headers.is_dry_run {
            return sent.rehearse(app, by, envelope, parsed).await;
        }
        let (answer, warnings) = sent.carry_out(app, by, envelope, parsed).await?;
        let location = match answer.streams.first() {
            Some(made) if aggregate.plain.is_some_and(keyed::is_keyed) => {
                keyed::location(app, by.tenant, aggregate, made.stream).await
            }
            Some(made) => location(&app.contexts, aggregate, made, by),
            None => None,
        };
        let location = location.and_then(|location| HeaderValue::try_from(location).ok());
        let mut response = answer::accepted(&answer, &warnings);
        response
            .headers_mut()
            .extend(location.map(|location| (header::LOCATION, location)));
        Ok(response)
    };
    making
        .await
        .map_err(|problem| form::complete(problem, aggregate, aggregate.creates, &fields))
}

/// Where it can be read what a command made: its row, also in another context's table that the sender may read, or its stream's
/// state. There is no such place for one of many things that a stream holds, or for what a tenant has only one of, where no table
/// shows it.
fn location(contexts: &Contexts, aggregate: &Aggregate, made: &StreamAnswer, by: &Principal) -> Option<String> {
    let context = aggregate.context();
    let id = match aggregate.part {
        Some(field) => made.ids.get(field)?,
        None => &made.stream,
    };
    let name = aggregate.shown_in.unwrap_or(aggregate.plural);
    match Source::of(contexts, context, name) {
        Ok(source) if source.table.key.len() == 1 => Some(format!("/v1/{context}/{name}/{id}")),
        Ok(_) => None,
        Err(_) if aggregate.one_per_tenant || aggregate.part.is_some() => None,
        Err(_) => {
            let tables = contexts
                .tables()
                .flat_map(|of| of.all_tables().map(move |table| (of, table)));
            let mut showing = tables.filter(|(of, table)| {
                let shown = shown_in(contexts, of, table);
                shown.is_some_and(|kind| kind.aggregate_type == aggregate.aggregate_type)
                    && by.permits(&may_read(table))
            });
            Some(match showing.next() {
                Some((of, table)) => format!("/v1/{}/{}/{id}", of.name, table.name),
                None => format!("/v1/streams/{context}/{}/{id}/state", aggregate.name()),
            })
        }
    }
}

fn aggregate(contexts: &Contexts, context: &str, plural: &str) -> Result<&'static Aggregate, Problem> {
    contexts.by_url(context, plural).ok_or_else(|| {
        let Some(known) = contexts.decisions().iter().find(|known| known.name == context) else {
            let names = contexts.decisions().iter().map(|known| known.name);
            return Problem::not_found(format!("context {context:?} that takes commands")).allowed(names);
        };
        // Of some kinds Daybook alone commands the streams.
        let takes = |aggregate: &&Aggregate| {
            let mut commands = contexts.commands(aggregate).iter();
            commands.any(|command| !aggregate.only_daybook.contains(&command.as_str()))
        };
        Problem::not_found(format!("aggregate {context}/{plural} that takes commands"))
            .allowed(known.aggregates.iter().filter(takes).map(|aggregate| aggregate.plural))
    })
}

/// Whether there is such a command, and whether the principal may send it to anything.
fn permitted(contexts: &Contexts, aggregate: &Aggregate, command: &str, by: &Principal) -> Result<(), Problem> {
    let known = contexts.commands(aggregate);
    if !known.iter().any(|name| name == command) {
        let mut detail = format!("{} has no command {command}", aggregate.aggregate_type);
        if let Some((_, instead)) = aggregate.moved.iter().find(|(name, _)| *name == command) {
            let _ = write!(detail, " any more; send {instead} instead");
        }
        return Err(Problem::new(problem::UNKNOWN_COMMAND, detail).allowed(known));
    }
    if aggregate.only_daybook.contains(&command) {
        // No permission would help.
        return Err(Refusal::only_daybook(aggregate.aggregate_type, command).into());
    }
    by.require(&permission(aggregate, command))
}

/// The permission that a command needs.
#[must_use]
pub fn permission(aggregate: &Aggregate, command: &str) -> String {
    format!("{}.{command}", aggregate.aggregate_type)
}
