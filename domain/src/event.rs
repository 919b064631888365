//! Events as they are stored: names, versions, metadata, and the way back.

use std::collections::BTreeMap;
use std::fmt::{self, Debug};

use chrono::{DateTime, Utc};
use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An event as it was stored: what a decoder needs of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Stored<'a> {
    pub event_type: &'a str,
    pub version: &'a str,
    /// JSON text, its sealed fields opened.
    pub payload: &'a str,
    /// Who asked for it, or [`crate::SYSTEM`]: some earlier versions did not name them in the payload.
    pub actor: Uuid,
}

/// The names of an aggregate's events, and which version of each is written today.
pub trait Versioned {
    /// Every name, in the order of declaration.
    const NAMES: &'static [&'static str];

    /// The version under which events of this name are stored today.
    fn version(_event_type: &str) -> &'static str {
        EVENT_VERSION
    }
}

/// An event of one aggregate. The stored name is the variant's name, the payload its fields.
pub trait Event: DomainEvent + Versioned + 'static {
    /// Whether events of the kind have fields that tell who a person is, see [`Event::sealed`].
    const PERSONAL: bool = false;

    /// Fields that tell who a person is, as (field, person): encrypted in the book under the
    /// person's own key. Top-level fields only.
    fn sealed(&self, _stream: Uuid) -> Vec<(&'static str, Uuid)> {
        Vec::new()
    }

    /// Fields that tell who a person is who has no stream here, as (field, owner): each is sealed under a key of its own
    /// in the owner's name, and they go together, see [`crate::Erase::Person`]. Top-level fields only.
    fn sealed_apart(&self, _stream: Uuid) -> Vec<(&'static str, Uuid)> {
        Vec::new()
    }

    /// Fields with what somebody wrote in their own words, a note or a reason: each is sealed under a key of its own,
    /// which goes with its author's or alone. Top-level fields only, strings or null. A text is in one event alone: a
    /// copy would outlive it.
    fn texts(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// Turns a stored event of an earlier version into today's name and payload.
    ///
    /// # Errors
    /// [`DecodeError::Version`] when the version is not known, which is so for all but today's here;
    /// [`DecodeError::Fields`] when the payload is not what that version had.
    fn upcast(stored: &Stored<'_>) -> Result<(String, String), DecodeError> {
        Err(stored.unknown())
    }
}

/// Without the payload, whose sealed fields are open.
impl Debug for Stored<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored")
            .field("event_type", &self.event_type)
            .field("version", &self.version)
            .field("actor", &self.actor)
            .finish_non_exhaustive()
    }
}

impl Stored<'_> {
    /// That this program has no upcaster from the version of this event.
    #[must_use]
    pub fn unknown(&self) -> DecodeError {
        DecodeError::Version {
            event_type: self.event_type.to_owned(),
            version: self.version.to_owned(),
        }
    }

    /// The payload with more fields, for an upcaster: a field that is there already stays.
    ///
    /// # Errors
    /// [`DecodeError::Fields`] when the payload is no JSON object.
    pub fn with_fields<const N: usize>(&self, fields: [(&str, serde_json::Value); N]) -> Result<String, DecodeError> {
        let mut payload: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(self.payload).map_err(|error| DecodeError::Fields {
                event_type: self.event_type.to_owned(),
                detail: misfit(&error),
            })?;
        for (name, value) in fields {
            payload.entry(name).or_insert(value);
        }
        Ok(serde_json::Value::Object(payload).to_string())
    }
}

/// The version under which events are stored today, unless their aggregate says otherwise.
pub const EVENT_VERSION: &str = "1";

/// Implements the stored name (the variant's) and version for an event enum that derives
/// `strum::IntoStaticStr` and `strum::VariantNames`. Variants whose version is no longer "1" are named with theirs.
#[macro_export]
macro_rules! stored_by_variant {
    ($event:ident $({ $($variant:ident => $version:literal),+ $(,)? })?) => {
        impl $crate::event::Versioned for $event {
            const NAMES: &'static [&'static str] = <$event as strum::VariantNames>::VARIANTS;

            $(fn version(event_type: &str) -> &'static str {
                // Naming the pattern makes a variant that is not one a compile error.
                let _: fn(&$event) = |event| match event {
                    $($event::$variant { .. } => {})+
                    _ => {}
                };
                match event_type {
                    $(stringify!($variant) => $version,)+
                    _ => $crate::event::EVENT_VERSION,
                }
            })?
        }

        impl $crate::DomainEvent for $event {
            fn event_type(&self) -> String {
                <&'static str>::from(self).to_owned()
            }
            fn event_version(&self) -> String {
                <$event as $crate::event::Versioned>::version(self.into()).to_owned()
            }
        }
    };
}

/// A stored event that this program cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("event {event_type} has version {version}, which this program does not know; run a newer Daybook")]
    Version { event_type: String, version: String },
    #[error("event {event_type} does not have the fields it should: {detail}")]
    Fields { event_type: String, detail: String },
    /// Neither a row nor a reaction nor a decision may be made of an event that does not say everything.
    #[error(
        "sealed fields could not be opened ({0}); is the master key, and the person's key, the one they were sealed with?"
    )]
    Sealed(String),
}

/// What is wrong with some JSON, without the values in it, which serde quotes: errors are logged and kept.
#[must_use]
pub fn misfit(error: &serde_json::Error) -> String {
    let told = error.to_string();
    // Those quote names of fields.
    if ["missing field", "unknown field", "duplicate field"]
        .iter()
        .any(|about| told.starts_with(about))
    {
        return told;
    }
    match told.split_once(['"', '`', '\'']) {
        Some((words, _)) => format!(
            "{} at line {} column {}",
            words.trim_end(),
            error.line(),
            error.column()
        ),
        None => told,
    }
}

/// An event's stored payload, as JSON text.
///
/// # Errors
/// When the event cannot be written as JSON (a map with keys that are no strings, say).
pub fn encode<E: Event>(event: &E) -> Result<String, DecodeError> {
    let event_type = event.event_type();
    let tagged = serde_json::to_string(event).map_err(|error| DecodeError::Fields {
        event_type: event_type.clone(),
        detail: misfit(&error),
    })?;
    // Cut out of its tag, not parsed again: this is done for every event.
    let payload = tagged
        .strip_prefix(&format!("{{\"{event_type}\":"))
        .and_then(|rest| rest.strip_suffix('}'));
    payload.map(str::to_owned).ok_or_else(|| DecodeError::Fields {
        event_type,
        detail: "an event variant without fields must be written with {}".to_owned(),
    })
}

/// Reads an event back as it was stored, by way of the upcaster when its version is not today's.
///
/// # Errors
/// [`DecodeError`] when the name, the version or a field is unknown.
pub fn decode<E: Event>(stored: &Stored<'_>) -> Result<E, DecodeError> {
    let tagged = if stored.version == E::version(stored.event_type) {
        format!("{{\"{}\":{}}}", stored.event_type, stored.payload)
    } else {
        let (event_type, payload) = E::upcast(stored)?;
        format!("{{\"{event_type}\":{payload}}}")
    };
    serde_json::from_str(&tagged).map_err(|error| DecodeError::Fields {
        event_type: stored.event_type.to_owned(),
        detail: misfit(&error),
    })
}

/// Who, why and from where: kept with every event.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Metadata {
    /// Also a column of the book; here because a stream is loaded without that column.
    #[serde(default)]
    pub tenant_id: Uuid,
    /// The user who asked, or [`crate::SYSTEM`].
    pub actor: Uuid,
    /// The first command of a chain of causes; equal for all that followed from it.
    pub correlation_id: Uuid,
    /// The event or timer that caused the command; absent when a person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<Uuid>,
    pub command_id: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// The W3C trace context of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// When it happened, where that was before it was written down: history that was brought in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<DateTime<Utc>>,
    /// Which payload fields are sealed, and under whose key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sealed: BTreeMap<String, Uuid>,
    /// Sealed fields that could not be opened, which are null in the payload. Never stored: whoever reads the
    /// event next may be able to.
    #[serde(skip)]
    pub unopened: Vec<String>,
}

/// Without the reason, which is free text, and the address.
impl Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metadata")
            .field("tenant_id", &self.tenant_id)
            .field("actor", &self.actor)
            .field("correlation_id", &self.correlation_id)
            .field("causation_id", &self.causation_id)
            .field("command_id", &self.command_id)
            .field("occurred_at", &self.occurred_at)
            .field("sealed", &self.sealed)
            .field("unopened", &self.unopened)
            .finish_non_exhaustive()
    }
}

/// The name in [`Metadata::unopened`] when the metadata itself, or the name of the stream, is not what Daybook writes.
pub const UNREADABLE_METADATA: &str = "metadata";

/// An event with its place in the book. `E` is the decoded event, or the payload's JSON text.
#[derive(Clone, PartialEq)]
pub struct Recorded<E> {
    /// Place in the whole book: 1, 2, 3, ... without gaps.
    pub position: i64,
    /// v5 of stream and sequence.
    pub event_id: Uuid,
    pub tenant_id: Uuid,
    pub aggregate_type: String,
    pub stream: Uuid,
    /// Place in the stream, from 1.
    pub sequence: i64,
    pub event_type: String,
    pub event_version: String,
    pub metadata: Metadata,
    /// When it happened, UTC: when the book wrote it, unless it is history that was brought in.
    pub at: DateTime<Utc>,
    /// When the book wrote it, UTC; never goes backwards along positions.
    pub recorded_at: DateTime<Utc>,
    pub event: E,
}

/// Its name and place, without the payload, whose sealed fields are open.
impl<E> Debug for Recorded<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorded")
            .field("position", &self.position)
            .field("tenant_id", &self.tenant_id)
            .field("aggregate_type", &self.aggregate_type)
            .field("stream", &self.stream)
            .field("sequence", &self.sequence)
            .field("event_type", &self.event_type)
            .field("event_version", &self.event_version)
            .field("metadata", &self.metadata)
            .field("recorded_at", &self.recorded_at)
            .finish_non_exhaustive()
    }
}

impl Recorded<String> {
    /// The part of it that a decoder needs.
    #[must_use]
    pub fn stored(&self) -> Stored<'_> {
        Stored {
            event_type: &self.event_type,
            version: &self.event_version,
            payload: &self.event,
            actor: self.metadata.actor,
        }
    }

    /// That every sealed field of it was opened, or is erased.
    ///
    /// # Errors
    /// [`DecodeError::Sealed`] with the names of those that could not be.
    pub fn is_open(&self) -> Result<(), DecodeError> {
        match self.metadata.unopened.as_slice() {
            [] => Ok(()),
            unopened => Err(DecodeError::Sealed(unopened.join(", "))),
        }
    }
}

impl<E> Recorded<E> {
    /// The same place in the book with another view of the event, beside this one.
    pub fn with<F>(&self, event: F) -> Recorded<F> {
        Recorded {
            position: self.position,
            event_id: self.event_id,
            tenant_id: self.tenant_id,
            aggregate_type: self.aggregate_type.clone(),
            stream: self.stream,
            sequence: self.sequence,
            event_type: self.event_type.clone(),
            event_version: self.event_version.clone(),
            metadata: self.metadata.clone(),
            at: self.at,
            recorded_at: self.recorded_at,
            event,
        }
    }

    /// The same place in the book with another view of the event.
    pub fn map<F>(self, event: impl FnOnce(E) -> F) -> Recorded<F> {
        Recorded {
            position: self.position,
            event_id: self.event_id,
            tenant_id: self.tenant_id,
            aggregate_type: self.aggregate_type,
            stream: self.stream,
            sequence: self.sequence,
            event_type: self.event_type,
            event_version: self.event_version,
            metadata: self.metadata,
            at: self.at,
            recorded_at: self.recorded_at,
            event: event(self.event),
        }
    }
}

/// The field under which the reason of a command is named among the texts of its first event: no payload has one of
/// this name.
pub const REASON: &str = "@reason";

/// The id of a text, under which its key is kept: from the event that brought it and its field there. The reason of a
/// command, [`REASON`], is one text of the first event that the command made, however many there are.
#[must_use]
pub fn text_id(event_id: Uuid, field: &str) -> Uuid {
    Uuid::new_v5(&event_id, field.as_bytes())
}

/// The id of an event, from the name of its stream and its place there.
#[must_use]
pub fn event_id(aggregate_type: &str, stream: Uuid, sequence: i64) -> Uuid {
    Uuid::new_v5(&stream, format!("{aggregate_type}/{sequence}").as_bytes())
}
