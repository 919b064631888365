//! Kinds of reference data whose key is a number or a code, and not the id of their stream.

use book::Envelope;
use domain::Aggregate;
use domain::entry::{Key, Plain, Value as Cell};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use uuid::Uuid;

use super::Sent;
use crate::app::App;
use crate::problem::Problem;

/// What a segment of a URL has as it is.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Whether entries of the kind are told apart by something else than the id of their stream.
pub fn is_keyed(plain: &Plain) -> bool {
    !matches!(plain.key, Key::Id(_))
}

/// The stream that the URL names: by its id or by the key of the entry.
///
/// # Errors
/// 400, which says how the key is written.
pub fn stream(aggregate: &Aggregate, tenant: Uuid, id: &str) -> Result<Uuid, Problem> {
    // Nobody's ids: clients send them that have not set theirs, and whoever took one would have it in every tenant.
    let named = aggregate
        .stream_at(tenant, id)
        .filter(|stream| !stream.is_nil() && !stream.is_max());
    named.ok_or_else(|| {
        let keyed = aggregate.plain.filter(|plain| is_keyed(plain));
        let wanted = match keyed {
            None => domain::misread::UUID.to_owned(),
            Some(plain) => {
                let columns: Vec<_> = plain.key_columns().collect();
                let joined = if columns.len() > 1 { ", joined by %2F" } else { "" };
                format!("{}{joined}, or the uuid of the stream", columns.join(" and "))
            }
        };
        Problem::bad_value("id", format!("id must be {wanted}"))
    })
}

/// Refuses a number in what is sent: Daybook gives them.
///
/// # Errors
/// 400.
pub fn has_no_number(aggregate: &Aggregate, fields: &Value) -> Result<(), Problem> {
    match aggregate.plain.map(|plain| plain.key) {
        Some(Key::Number(number)) if fields.get(number).is_some() => Err(Problem::bad_value(
            number,
            format!("{number} is given by Daybook; leave it out"),
        )),
        _ => Ok(()),
    }
}

/// Gives the new entry its number, if it is of a kind that has numbers.
///
/// # Errors
/// The database's error.
pub async fn number(app: &App, envelope: &Envelope, sent: &Sent<'_>, fields: &mut Value) -> Result<(), Problem> {
    let (tenant, kind) = (envelope.tenant, sent.aggregate.aggregate_type);
    let Some(Key::Number(number)) = sent.aggregate.plain.map(|plain| plain.key) else {
        return Ok(());
    };
    // What cannot be read takes no number, and neither does what was done already and is answered once more.
    sent.parse(fields)?;
    let is_repeat = sent.headers.key.is_some() && app.book.has_receipt(envelope.command_id).await?;
    let drawn = if sent.headers.is_dry_run || is_repeat {
        app.book.next_number(tenant, kind).await?
    } else {
        app.book.draw_number(tenant, kind).await?
    };
    let Value::Object(fields) = fields else {
        return Ok(());
    };
    fields.insert(number.to_owned(), drawn.into());
    Ok(())
}

/// Where the row of an entry can be read, from what its stream says of its key; `None` where that cannot be read.
pub async fn location(app: &App, tenant: Uuid, aggregate: &'static Aggregate, stream: Uuid) -> Option<String> {
    let plain = aggregate.plain?;
    let (state, _) = app.book.seen(tenant, aggregate.fact(stream)).await.ok()?;
    let state = aggregate.state(&state?).ok()?;
    // One of the names of what an entry may be, and its fields.
    let fields = state.as_object()?.values().next()?;
    let of = |field: &domain::entry::Field| match fields.get(field.name) {
        Some(Value::String(text)) => Cell::Text(text.clone()),
        Some(Value::Number(number)) => number.as_i64().map_or(Cell::Null, Cell::Whole),
        Some(_) | None => Cell::Null,
    };
    let values: Vec<Cell> = plain.fields.iter().map(of).collect();
    let key = plain.key_text(&values)?;
    Some(format!(
        "/v1/{}/{}/{}",
        plain.context,
        plain.table,
        utf8_percent_encode(&key, SEGMENT)
    ))
}
