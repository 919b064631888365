//! Texts are kept sealed wherever they get to, and opened only in columns that say that they have some.

use std::collections::BTreeSet;

use domain::event::{REASON, text_id};
use domain::{AnyEvent, DecodeError, Recorded};
use serde_json::{Map, Value};

use crate::context::Context;
use crate::golden;

/// How every sealed text begins.
const BEGINS: &str = "⟦text:";

/// The columns that a text gets into are those which say so: found by folding the golden history with a sealed text in
/// the place of each, reasons too.
pub(super) fn texts(context: &Context) -> Vec<String> {
    let folded = golden::stored(context).and_then(|stored| {
        let events = stored
            .into_iter()
            .filter_map(|recorded| sealed(context, recorded).transpose());
        let events = events
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| error.to_string())?;
        context.folded(&events).map_err(|unfolded| unfolded.to_string())
    });
    let folded = match folded {
        Ok(folded) => folded,
        Err(error) => {
            return vec![format!(
                "the golden history cannot be folded with its texts sealed: {error}"
            )];
        }
    };
    let mut found = Vec::new();
    for (name, rows) in folded {
        let Some(table) = context.table(name) else { continue };
        let cells = rows.iter().flat_map(Map::iter);
        let met: BTreeSet<&str> = cells
            .filter(|(_, value)| value.to_string().contains(BEGINS))
            .map(|(column, _)| column.as_str())
            .collect();
        let said: BTreeSet<&str> = table.texts.iter().copied().collect();
        found.extend(met.difference(&said).map(|column| {
            format!("{name}.{column} has texts, which are sealed, and is not among the texts of its table")
        }));
        found.extend(said.difference(&met).map(|column| {
            format!("{name}.{column} is among the texts of its table, and the golden history brings none there")
        }));
        found.extend(said.iter().filter(|column| table.find.contains(*column)).map(|column| {
            format!("{name}.{column} has texts, which are sealed, and can be neither filtered nor sorted by")
        }));
    }
    found
}

/// The event with its texts sealed; `None` when the context does not read its kind.
fn sealed(context: &Context, mut recorded: Recorded<String>) -> Result<Option<Recorded<AnyEvent>>, DecodeError> {
    let Some(event) = context.decode(&recorded)? else {
        return Ok(None);
    };
    let (texts, event_id) = (event.texts(), recorded.event_id);
    // As the book would have it: each has an id of its own, so that none is equal to another.
    let sealed = |field: &str| format!("{BEGINS}{}:AAAA⟧", text_id(event_id, field));
    if !texts.is_empty() {
        let mut payload: Map<String, Value> = serde_json::from_str(&recorded.event).unwrap_or_default();
        payload.extend(texts.into_iter().map(|text| (text.to_owned(), sealed(text).into())));
        recorded.event = Value::Object(payload).to_string();
    }
    recorded.metadata.reason = Some(sealed(REASON));
    let event = context.decode(&recorded)?;
    Ok(event.map(|event| recorded.map(|_| event)))
}
