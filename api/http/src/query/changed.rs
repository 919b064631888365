//! What changed in a table since a position or a time, for those who keep a copy of it: each row as it is now, in the order
//! of its last change, and the keys of those that went.

mod statement;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::response::Response;
use chrono::Duration as Span;
use projections::table::{ColumnKind, Table};
use serde_json::{Value as Json, json};
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::cursor::Cursor;
use super::filter::{Query, findable};
use super::read::{self, Plan};
use super::sql::Reader;
use super::value::Value;
use super::{Source, answer, streams, texts};
use crate::app::App;
use crate::auth::By;
use crate::extract::Parameters;
use crate::moment::Moment;
use crate::problem::{self, Problem};
pub use statement::{Start, changed};

/// The parameter that names a position or a time.
pub const CHANGED: &str = "changed";
/// The same by a time alone, as a table's column of this name says it.
pub const UPDATED_AT: &str = "updated_at";
/// Hexadecimal digits by which rules are told apart.
const RULES_CHARS: usize = 8;
/// How long a page is looked for that has found nothing yet, in seconds.
pub const CHANGED_SECONDS_MAX: u64 = 10;
/// The order of pages, for their cursors: the position of a row's last change, and its key; and the rules that the tables
/// were posted by when the first page was read.
const ORDER: &str = "changed.asc";
const KINDS: [ColumnKind; 3] = [ColumnKind::Bigint, ColumnKind::Text, ColumnKind::Text];

/// `gt.17`, `gte.2026-01-31T08:00:00Z`, or what the last page said of where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since {
    moment: Moment,
    /// Whether what changed at the moment itself is meant, too.
    at_it: bool,
    /// The rules that the tables were posted by at that position.
    rules: Option<String>,
    name: &'static str,
}

impl Since {
    /// Takes it out of the parameters of a list.
    ///
    /// # Errors
    /// 400 when it is not of its form, or there twice.
    pub fn take(table: &'static Table, parameters: &mut Parameters) -> Result<Option<Self>, Problem> {
        let mut found = None;
        for name in [CHANGED, UPDATED_AT] {
            // A table may have an index for a column of that name.
            if findable(table).any(|column| column.name == name) {
                continue;
            }
            let Some(text) = parameters.take(name)? else { continue };
            if found.is_some() {
                let detail = format!("{CHANGED} and {UPDATED_AT} say the same; send one of them");
                return Err(Problem::bad_value(name, detail));
            }
            found = Some(Self::parse(name, &text)?);
        }
        Ok(found)
    }

    fn parse(name: &'static str, text: &str) -> Result<Self, Problem> {
        let (at_it, written) = match text.split_once('.') {
            Some(("gt", written)) => (false, written),
            Some(("gte", written)) => (true, written),
            Some(_) | None => {
                let form = match name {
                    CHANGED => "a position or a time: gt.17 or gte.2026-01-31T08:00:00Z",
                    _ => "a time: gte.2026-01-31T08:00:00Z",
                };
                let detail = format!("{name} is compared by gt. or gte. with {form}");
                return Err(Problem::bad_value(name, detail).allowed(["gt.", "gte."]));
            }
        };
        let (written, rules) = match written.split_once('_') {
            Some((position, rules)) if name == CHANGED && is_rules(rules) => (position, Some(rules.to_owned())),
            Some(_) | None => (written, None),
        };
        let moment = Moment::parse(name, written)?;
        if name == UPDATED_AT && matches!(moment, Moment::Position(_)) {
            let detail = format!("{name} is a time such as 2026-01-31T08:00:00Z; {CHANGED} takes positions");
            return Err(Problem::bad_value(name, detail));
        }
        Ok(Self {
            moment,
            at_it,
            rules,
            name,
        })
    }

    /// Where a page of changes ended.
    ///
    /// # Errors
    /// 400 when this is no such place.
    pub fn cursor(text: &str) -> Result<Cursor, Problem> {
        Cursor::parse(ORDER, &KINDS, text)
    }

    /// The last position whose changes are not meant.
    async fn position(&self, app: &App, by: &By) -> Result<i64, Problem> {
        let moment = match self.moment {
            Moment::Time(time) if self.at_it => Moment::Time(time - Span::microseconds(1)),
            moment => moment,
        };
        let position = moment.position(app, by.bearer, self.name).await?;
        let is_position = matches!(moment, Moment::Position(_));
        Ok(position - i64::from(self.at_it && is_position))
    }
}

/// Whether a text is of the form that `book.rules` has.
fn is_rules(text: &str) -> bool {
    text.len() == RULES_CHARS && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// A page of what changed.
///
/// # Errors
/// [`Problem`].
pub async fn list(
    app: &App,
    by: &By,
    source: Source,
    reader: Reader,
    query: Query,
    since: Since,
    posted: Option<i64>,
) -> Result<Response, Problem> {
    if let Some(audit) = source
        .context
        .audit
        .filter(|audit| audit.table().name == source.table.name)
    {
        let detail = format!(
            "rows of {} come and never change; order them by a time",
            audit.table().name
        );
        return Err(Problem::bad_value(since.name, detail));
    }
    // What it goes on after lies behind where it began.
    let (mut start, known) = match query.after.as_ref().map(|after| after.0.as_slice()) {
        Some(
            [
                Some(Value::Bigint(position)),
                Some(Value::Text(key)),
                Some(Value::Text(rules)),
            ],
        ) => {
            let (position, key) = (*position, key.clone());
            (Start { position, key }, Some(rules.clone()))
        }
        _ => {
            let (position, key) = (since.position(app, by).await? + 1, String::new());
            (Start { position, key }, since.rules.clone())
        }
    };
    let tells_gone = reader.departments.is_none();
    let shows = streams::told(app, source, query.streams);
    let (limit, query, begun) = (query.limit, Arc::new(query), Instant::now());
    let (mut read, rules, rest) = loop {
        let (asked, reader, from) = (query.clone(), reader.clone(), start.clone());
        let build = move || changed(source.table, &asked, &from, shows, &reader);
        let plan = Plan::OfValues.of_page(limit);
        let mut read = read::rows(app, source.context, by.bearer, posted, plan, build).await?;
        // Nothing came of tables that are not there yet.
        let (rules, rest) = match read.rows.is_empty() {
            true => (String::new(), None),
            false => ended(&read.rows.remove(0))?,
        };
        match rest {
            Some(next) if read.rows.is_empty() && begun.elapsed() < Duration::from_secs(CHANGED_SECONDS_MAX) => {
                start = next;
            }
            rest => break (read, rules, rest),
        }
    };
    if known.is_some_and(|known| known != rules) {
        let detail =
            "the tables were posted anew by other rules since, so that any row may have changed; begin anew with gt.0";
        return Err(Problem::new(problem::FORMER_HISTORY, detail).field(since.name));
    }
    let shown = usize::try_from(limit).unwrap_or_default().min(read.rows.len());
    let has_more = read.is_cut || read.rows.len() > shown;
    let place = match read.rows.get(shown.wrapping_sub(1)).filter(|_| has_more) {
        Some(last) => Some(last.try_get::<Vec<Option<String>>, _>("place")?),
        None => rest.map(|next| vec![Some(next.position.to_string()), Some(next.key)]),
    };
    // Everything up to where the tables were posted was told, once there is no more.
    let since = match place {
        None => app.marked(format!("{}_{rules}", read.posted)).into(),
        Some(_) => Json::Null,
    };
    let place = place.map(|place| [place, vec![Some(rules)]].concat());
    read.rows.truncate(shown);
    let mut gone: Vec<String> = Vec::new();
    let mut there = Vec::new();
    for row in read.rows {
        match row.try_get::<Option<&str>, _>("row")? {
            Some(_) => there.push(row),
            None => gone.push(row.try_get("key")?),
        }
    }
    let mut rows = texts::rows(app, by.tenant, source.table, &there).await?;
    streams::add(shows, &there, &mut rows)?;
    let gone = if tells_gone { json!(gone) } else { Json::Null };
    let next = place.map_or(Json::Null, |place| app.marked(Cursor::write(ORDER, place)).into());
    let rows = rows.join(",");
    let json = format!("{{\"rows\":[{rows}],\"gone\":{gone},\"next\":{next},\"since\":{since}}}");
    Ok(answer(json, read.posted))
}

/// The rules that the tables were posted by, and where looking ended; `None` at the end.
fn ended(row: &PgRow) -> Result<(String, Option<Start>), sqlx::Error> {
    let place: Option<Vec<String>> = row.try_get("place")?;
    let next = match place.as_deref() {
        Some([position, key]) => position.parse().ok().map(|position| Start {
            position,
            key: key.clone(),
        }),
        Some(_) | None => None,
    };
    let rules: Option<String> = row.try_get("rules")?;
    Ok((rules.unwrap_or_default(), next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_asked_for_by_a_position_or_a_time_and_nothing_else() {
        for (name, text) in [
            (CHANGED, "gt.17"),
            (CHANGED, "gte.17"),
            (CHANGED, "gt.17_0a1b2c3d"),
            (CHANGED, "gt.2026-01-31T08:00:00Z"),
            (UPDATED_AT, "gte.2026-01-31T08:00:00Z"),
        ] {
            assert!(Since::parse(name, text).is_ok(), "{name}={text}");
        }
        for (name, text) in [
            (CHANGED, "17"),
            (CHANGED, "lt.17"),
            (CHANGED, "gt."),
            (CHANGED, "gt.17_"),
            (CHANGED, "gt.17_zz"),
            (CHANGED, "gt.-1"),
            (CHANGED, "not.gt.17"),
            (UPDATED_AT, "gte.17"),
            (UPDATED_AT, "lte.2026-01-31T08:00:00Z"),
        ] {
            let problem = Since::parse(name, text).unwrap_err();
            assert_eq!(problem.status, axum::http::StatusCode::BAD_REQUEST, "{name}={text}");
        }
    }
}
