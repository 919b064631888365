//! `GET /v1/events` and `GET /v1/events/{position}`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Duration, Utc};
use projections::history;
use serde::Serialize;
use uuid::Uuid;

use super::log::{self, PAGE_BYTES_MAX, PAGE_EVENTS, PAGE_EVENTS_MAX, PAGE_SECONDS_MAX, Range, Size, Visible, Wanted};
use super::view::{Shown, shown};
use super::words::Words;
use crate::app::App;
use crate::auth::{By, Principal};
use crate::extract::{self, Parameters, Path};
use crate::problem::Problem;
use crate::query::value;

/// Filters that the list and the live stream share.
pub const FILTERS: [&str; 6] = ["context", "aggregate", "type", "stream", "actor", "correlation"];
/// Besides the filters.
pub const PAGING: [&str; 6] = ["after", "before", "from", "to", "order", "limit"];

/// The filters as they stand in a request.
#[derive(Debug)]
pub struct Asked {
    words: Words,
    stream: Option<Uuid>,
    actor: Option<Uuid>,
    correlation: Option<Uuid>,
}

impl Asked {
    /// Takes them out of the parameters.
    ///
    /// # Errors
    /// 400, naming the parameter.
    pub fn take(parameters: &mut Parameters) -> Result<Self, Problem> {
        Ok(Self {
            words: Words::take(parameters)?,
            stream: parameters.parse("stream", "a uuid")?,
            actor: parameters.parse("actor", "a uuid")?,
            correlation: parameters.parse("correlation", "a uuid")?,
        })
    }

    /// The events that they mean to this principal.
    ///
    /// # Errors
    /// As [`Words::meant`].
    pub async fn wanted(self, app: &App, by: &Principal) -> Result<Wanted, Problem> {
        let meant = self.words.meant(app, by, self.stream.is_some()).await?;
        Ok(Wanted {
            tenant: by.tenant,
            types: meant.types,
            event_type: meant.event_type,
            stream: self.stream,
            actor: self.actor,
            correlation: self.correlation,
        })
    }
}

/// A page of the log.
///
/// # Errors
/// [`Problem`].
pub async fn list(State(app): State<App>, by: By, mut parameters: Parameters) -> Result<Response, Problem> {
    let sight = super::sight(&app, &by)?;
    let asked = Asked::take(&mut parameters)?;
    app.unmark(&mut parameters)?;
    let page = Page::take(&mut parameters, true)?;
    parameters.finish(FILTERS.into_iter().chain(PAGING))?;
    let wanted = asked.wanted(&app, &by).await?;
    respond(&app, &by, &wanted, page, sight).await
}

/// Which part of the log is asked for, in which order.
#[derive(Debug)]
pub struct Page {
    after: Option<i64>,
    before: Option<i64>,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    backwards: bool,
    limit: i64,
}

impl Page {
    /// # Errors
    /// 400, naming the parameter.
    pub fn take(parameters: &mut Parameters, backwards_by_default: bool) -> Result<Self, Problem> {
        let time = |name: &str, text: Option<String>| {
            let parse = |text: String| {
                value::time(&text).ok_or_else(|| {
                    Problem::bad_value(name, format!("{name} must be a time such as 2026-01-31T08:00:00Z"))
                })
            };
            text.map(parse).transpose()
        };
        let position = |name: &str, text: Option<String>| text.map(|text| extract::position(name, &text)).transpose();
        let after = position("after", parameters.take("after")?)?;
        let before = position("before", parameters.take("before")?)?;
        let backwards = match parameters.take("order")?.as_deref() {
            Some("asc") => false,
            Some("desc") => true,
            Some(_) => return Err(Problem::bad_value("order", "order must be asc or desc")),
            // Whoever says where to begin goes on from there.
            None => backwards_by_default && (after.is_none() || before.is_some()),
        };
        let limit = parameters.limit(PAGE_EVENTS, PAGE_EVENTS_MAX)?;
        let (from, to) = (
            time("from", parameters.take("from")?)?,
            time("to", parameters.take("to")?)?,
        );
        Ok(Self {
            after,
            before,
            from,
            to,
            backwards,
            limit,
        })
    }

    async fn range(&self, app: &App) -> Result<Range, Problem> {
        let mut range = Range {
            above: self.after.unwrap_or(0),
            upto: app.end_now().await?,
        };
        if let Some(before) = self.before {
            range.upto = range.upto.min(before - 1);
        }
        if let Some(from) = self.from {
            // Positions whose time is before `from` are left out.
            let last_before = history::position_at(&app.tail, from - Duration::microseconds(1)).await?;
            range.above = range.above.max(last_before);
        }
        if let Some(to) = self.to {
            range.upto = range.upto.min(history::position_at(&app.tail, to).await?);
        }
        Ok(range)
    }
}

/// Searches and answers. `next` is the `after`, or backwards the `before`, of the next page. It takes turns with other
/// searches, so the caller holds none.
///
/// # Errors
/// [`Problem`].
pub async fn respond(
    app: &App,
    by: &Principal,
    wanted: &Wanted,
    page: Page,
    sight: super::view::Sight,
) -> Result<Response, Problem> {
    if let Some(after) = page.after {
        app.reached("after", after).await?;
    }
    let turn = app.log_turn(by.bearer()).await?;
    let range = page.range(app).await?;
    drop(turn);
    let size = Size {
        events: page.limit,
        bytes: PAGE_BYTES_MAX,
        patience: std::time::Duration::from_secs(PAGE_SECONDS_MAX),
    };
    let found = log::search(app, by, wanted, range, page.backwards, size).await?;
    let next = found
        .rest
        .map(|rest| app.marked(if page.backwards { rest.upto + 1 } else { rest.above }));
    let events: Vec<_> = found
        .events
        .into_iter()
        .map(|recorded| shown(recorded, &sight))
        .collect();
    Ok(Json(Listed { events, next }).into_response())
}

/// A page of events. Written at once: as a value in between, numbers would lose digits.
#[derive(Serialize)]
struct Listed<N> {
    events: Vec<Shown>,
    /// From where the next page goes on.
    next: Option<N>,
}

/// One event.
///
/// # Errors
/// [`Problem`].
pub async fn one(
    State(app): State<App>,
    by: By,
    Path(position): Path<String>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let sight = super::sight(&app, &by)?;
    let position = extract::position("position", &position)?;
    parameters.finish([] as [&str; 0])?;
    let _turn = app.log_turn(by.bearer).await?;
    let found = app.tail.at(&[position]).await?.pop();
    let none = || Problem::not_found(format!("event at position {position}"));
    let recorded = found.ok_or_else(none)?;
    if !Visible::default().shows(&app, &by, &recorded).await? {
        return Err(none());
    }
    let recorded = app.tail.with_texts(vec![recorded]).await?.pop().ok_or_else(none)?;
    Ok(Json(shown(recorded, &sight)).into_response())
}
