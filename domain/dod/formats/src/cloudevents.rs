//! CloudEvents 1.0: structured, in batches, or binary with the attributes in `ce-` headers.
//!
//! Data of a known format is read as that. Any other event is an alert by itself: (source, id) is the telling, source,
//! type and subject are the key, unless its data says more.

use std::borrow::Cow;

use crate::content::{Unreadable, header};
use crate::draft::{Draft, Reading};
use crate::json::{Document, Node, Object, quoted};
use crate::note::NoteKind;
use crate::recognise::read_enclosed;
use crate::{Format, digest, generic};

const REQUIRED: [&str; 4] = ["id", "source", "specversion", "type"];

pub(crate) fn is_event(object: &Object<'_>) -> bool {
    REQUIRED.iter().all(|name| object.text(name).is_some())
}

/// Reads a body that says it is one event or a batch of them.
pub(crate) fn read(root: Node<'_>, reading: &mut Reading<'_>, envelopes: u8) -> Result<Option<Format>, Unreadable> {
    if !root.is_array() {
        let Some(event) = root.object() else {
            return Err(Unreadable::NotCloudEvent { missing: "the event" });
        };
        return read_checked(&event, reading, envelopes);
    }
    let mut format = None;
    let events = reading.elements(root);
    if events.is_empty() {
        reading.note(NoteKind::NoAlerts, "The batch is empty.");
    }
    for (place, event) in (0..).zip(events) {
        reading.place = Some(place);
        let found = event.object().ok_or(Unreadable::NotCloudEvent { missing: "the event" });
        match found.and_then(|event| read_checked(&event, reading, envelopes)) {
            Ok(found) => format = format.or(found),
            // One bad event does not take the others with it.
            Err(unreadable) => {
                reading.place = Some(place);
                reading.note(NoteKind::NotAnAlert, unreadable.to_string());
            }
        }
    }
    reading.place = None;
    Ok(format.or(Some(Format::Cloudevents)))
}

fn read_checked(event: &Object<'_>, reading: &mut Reading<'_>, envelopes: u8) -> Result<Option<Format>, Unreadable> {
    match REQUIRED.iter().find(|name| event.text(name).is_none()) {
        Some(missing) => Err(Unreadable::NotCloudEvent { missing }),
        None => Ok(read_event(event, reading, envelopes)),
    }
}

/// Reads a body whose attributes are in headers.
pub(crate) fn read_binary(body: &[u8], reading: &mut Reading<'_>) -> Result<Option<Format>, Unreadable> {
    let headers = reading.headers;
    let mut members = Vec::new();
    for (name, value) in headers {
        if let Some(attribute) = name.strip_prefix("ce-") {
            members.push(format!("{}:{}", quoted(attribute), quoted(&decoded(value))));
        }
    }
    let missing = REQUIRED
        .iter()
        .find(|name| header(headers, &format!("ce-{name}")).is_none_or(|held| held.trim().is_empty()));
    if let Some(missing) = missing {
        return Err(Unreadable::NotCloudEvent { missing });
    }
    // Data that is no JSON is a text.
    let document = Document::read(body);
    let data = match document
        .as_ref()
        .ok()
        .and_then(|document| document.root().ok().map(|root| (document, root)))
    {
        Some((document, root)) => {
            reading.mended(document);
            root.text().to_string()
        }
        None if body.trim_ascii().is_empty() => "null".to_string(),
        None => quoted(&String::from_utf8_lossy(body).replace('\0', "\u{fffd}")),
    };
    members.push(format!("\"data\":{data}"));
    let event = format!("{{{}}}", members.join(","));
    let document = Document::read(event.as_bytes())?;
    read(document.root()?, reading, 0)
}

// Header values are percent-encoded where they are not ASCII.
fn decoded(value: &str) -> String {
    percent_encoding::percent_decode_str(value)
        .decode_utf8_lossy()
        .into_owned()
}

pub(crate) fn read_event(event: &Object<'_>, reading: &mut Reading<'_>, envelopes: u8) -> Option<Format> {
    let text = |name: &str| event.text(name).unwrap_or_default();
    let telling = digest::of(["cloudevent", &text("source"), &text("id")]);
    let outer = reading.envelope.replace(telling.clone());
    let format = event.get("data").and_then(|data| {
        // Data as a text may be JSON all the same.
        match data.string() {
            Some(text) => {
                let document = Document::read(text.as_bytes()).ok()?;
                let root = document.root().ok()?;
                reading.mended(&document);
                read_enclosed(root, &[], reading, envelopes)
            }
            // What the event says of itself is read together with data of no format.
            None => read_enclosed(data, &[Format::Generic], reading, envelopes),
        }
    });
    reading.envelope = outer;
    if format.is_none() {
        read_itself(event, telling, reading);
    }
    Some(format.unwrap_or(Format::Cloudevents))
}

fn read_itself(event: &Object<'_>, telling: String, reading: &mut Reading<'_>) {
    let (source, kind, subject) = (event.text("source"), event.text("type"), event.text("subject"));
    let data = event.object("data");
    if event.has("data_base64") {
        reading.note(
            NoteKind::OtherEvent,
            "The event's data is binary; only its attributes are looked at.",
        );
    }
    let mut draft = match &data {
        Some(data) => generic::draft(data, reading),
        None => Draft {
            description: event.text("data"),
            ..Draft::default()
        },
    };
    for (name, value) in [("source", &source), ("subject", &subject)] {
        if let Some(value) = value {
            draft.labels.entry(name.to_string()).or_insert_with(|| value.clone());
        }
    }
    let words: Vec<&str> = [kind.as_deref(), subject.as_deref()].into_iter().flatten().collect();
    let title = words.join(" ");
    let key = || digest::of([source.as_deref(), kind.as_deref(), subject.as_deref()].map(Option::unwrap_or_default));
    draft.key = draft.key.or_else(|| Some(key()));
    draft.event = Some(telling);
    draft.title = draft.title.or(Some(title));
    draft.alert_type = kind;
    draft.word = draft.word.or_else(|| event.first(&["severitytext", "severity"]));
    draft.starts_at = draft.starts_at.or_else(|| reading.time(event, &["time"]));
    draft.raw = Cow::Borrowed(event.node.text());
    reading.tell(draft);
}
