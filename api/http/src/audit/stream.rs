//! `GET /v1/streams/{context}/{aggregate}/{id}` and its state at a moment.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use domain::Aggregate;
use serde_json::json;
use uuid::Uuid;

use super::events::{self, PAGING, Page};
use super::log::{Visible, Wanted};
use super::view::{hide, masked};
use crate::app::App;
use crate::auth::{By, Principal};
use crate::context::Contexts;
use crate::extract::{self, Parameters, Path};
use crate::moment::Moment;
use crate::problem::Problem;

/// The events of one stream, in order.
///
/// # Errors
/// [`Problem`].
pub async fn list(
    State(app): State<App>,
    by: By,
    Path((context, aggregate, id)): Path<(String, String, String)>,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    let sight = super::sight(&app, &by)?;
    let (aggregate, stream) = named(&app.contexts, &context, &aggregate, &id)?;
    app.unmark(&mut parameters)?;
    let page = Page::take(&mut parameters, false)?;
    parameters.finish(PAGING)?;
    let turn = app.log_turn(by.bearer).await?;
    first(&app, &by, aggregate, stream).await?;
    drop(turn);
    let wanted = Wanted {
        tenant: by.tenant,
        types: Some(vec![aggregate.aggregate_type.to_owned()]),
        stream: Some(stream),
        ..Wanted::default()
    };
    events::respond(&app, &by, &wanted, page, sight).await
}

/// The state that the events of a stream lead to: now, at a moment, or just before a position.
///
/// # Errors
/// [`Problem`].
pub async fn state(
    State(app): State<App>,
    by: By,
    Path((context, aggregate, id)): Path<(String, String, String)>,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    let sight = super::sight(&app, &by)?;
    let (aggregate, stream) = named(&app.contexts, &context, &aggregate, &id)?;
    let at = parameters
        .take("at")?
        .map(|text| Moment::parse("at", &text))
        .transpose()?;
    let before = parameters
        .take("before")?
        .map(|text| extract::position("before", &text))
        .transpose()?;
    parameters.finish(["at", "before"])?;
    let mut upto = match at {
        Some(moment) => moment.position(&app, by.bearer, "at").await?,
        None => i64::MAX,
    };
    upto = before.map_or(upto, |before| upto.min(before - 1));

    let turn = app.log_turn(by.bearer).await?;
    first(&app, &by, aggregate, stream).await?;
    drop(turn);
    // A few events at a time, however long the stream is, and by turns with others.
    let mut state = aggregate.unborn();
    let (mut sequence, mut last, mut unopened) = (0, None, BTreeSet::new());
    let tail = app.tail.clone();
    loop {
        let _turn = app.log_turn(by.bearer).await?;
        let some = tail.stream(aggregate.aggregate_type, stream, sequence, upto).await?;
        let Some(latest) = some.last() else { break };
        sequence = latest.sequence;
        last = Some((latest.position, latest.at));
        for recorded in tail.with_texts(some).await? {
            unopened.extend(recorded.metadata.unopened.iter().cloned());
            let recorded = masked(recorded, &sight);
            let event = aggregate.decode(&recorded.stored());
            let event = event.map_err(|error| Problem::internal(&error))?;
            state = event
                .evolved(state)
                .ok_or_else(|| Problem::internal(&"an event of another kind"))?;
        }
    }
    let mut state = aggregate.state(&state).map_err(|error| Problem::internal(&error))?;
    hide(&mut state, aggregate.aggregate_type, &sight);
    Ok(Json(json!({
        "aggregate_type": aggregate.aggregate_type,
        "stream": stream,
        // Of the last event that the state includes; 0 before the first.
        "sequence": sequence,
        "position": last.map_or(0, |(position, _)| position),
        "at": last.map(|(_, at)| at),
        "unopened": unopened,
        "state": state,
    }))
    .into_response())
}

/// The stream that a URL names.
///
/// # Errors
/// 404 that lists the kinds that there are.
pub fn named(
    contexts: &Contexts,
    context: &str,
    aggregate: &str,
    id: &str,
) -> Result<(&'static Aggregate, Uuid), Problem> {
    let known = contexts.aggregate(&format!("{context}.{aggregate}"));
    let known = known.ok_or_else(|| {
        let kinds = contexts.decisions().aggregates();
        let types = kinds.map(|known| known.aggregate_type.replace('.', "/"));
        Problem::not_found(format!("aggregate {context}/{aggregate}")).allowed(types)
    })?;
    Ok((known, extract::uuid("id", id)?))
}

/// Refuses a stream that has no events, or none that the principal may see.
async fn first(app: &App, by: &Principal, aggregate: &Aggregate, stream: Uuid) -> Result<(), Problem> {
    let earliest = app.tail.first(aggregate.aggregate_type, stream).await?;
    let earliest = earliest.ok_or_else(|| none(aggregate, stream))?;
    if Visible::default().shows(app, by, &earliest).await? {
        Ok(())
    } else {
        Err(none(aggregate, stream))
    }
}

fn none(aggregate: &Aggregate, stream: Uuid) -> Problem {
    Problem::not_found(format!("stream {} {stream}", aggregate.aggregate_type))
}
