//! What a body's reader says beside the alerts: what was left out, cut, mended or not understood.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bounds;

/// Notes of one body. The last of so many says how many more there were.
pub const NOTES_MAX: usize = 32;
/// Characters of a note's sentence.
pub const NOTE_CHARS_MAX: usize = 300;

/// One thing that a reader of the delivery should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    pub kind: NoteKind,
    /// Which alert of the body it is about, counted from 0 (its sentence counts from 1); absent when it is about the body.
    pub alert: Option<u32>,
    /// A sentence that says what was found and what to do. At most 300 characters.
    pub text: String,
}

impl std::fmt::Display for Note {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.alert {
            Some(place) => write!(formatter, "Alert {}: {}", place + 1, self.text),
            None => formatter.write_str(&self.text),
        }
    }
}

/// What a note is about.
// Stored for ever. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr, strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum NoteKind {
    /// No format fits: no alert came of it.
    Unmapped,
    /// The source has a fixed format and the body is of another one.
    AnotherFormat,
    /// The body is well formed and holds no alert.
    NoAlerts,
    /// A part of the body is where an alert belongs and is none.
    NotAnAlert,
    /// A change, a deployment: context, not an alert.
    ChangeEvent,
    /// Something happened to an alert that changes neither its state nor its severity.
    OtherEvent,
    /// The sender asks whether this address wants its messages.
    SubscriptionRequested,
    /// The sender has ended the subscription.
    SubscriptionEnded,
    /// The sender itself left alerts out.
    TruncatedBySender,
    AlertsCut,
    TextCut,
    LabelsCut,
    LinksCut,
    /// A link that is no absolute URL of http or https.
    LinkDropped,
    /// The alert's part of the body is too large, or holds a number that no database keeps.
    RawDropped,
    /// Characters that JSON or the database refuses were replaced.
    TextMended,
    TimeNotUnderstood,
    /// A time without its zone: it could be any of a day.
    TimeWithoutZone,
    SeverityNotKnown,
    StatusNotKnown,
    /// A variable or macro of the sender that was not filled in.
    NotExpanded,
    /// A key or an identifier is kept as its digest.
    KeyDigested,
    /// There were more notes than are kept.
    NotesCut,
}

/// The notes of a body while it is read.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    kept: Vec<Note>,
    beyond: usize,
}

impl Notes {
    pub(crate) fn add(&mut self, kind: NoteKind, alert: Option<u32>, text: impl Into<String>) {
        if self.kept.len() >= NOTES_MAX - 1 {
            self.beyond += 1;
            return;
        }
        let text = bounds::line(&text.into(), NOTE_CHARS_MAX).0;
        let note = Note { kind, alert, text };
        if !self.kept.contains(&note) {
            self.kept.push(note);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    pub(crate) fn into_list(mut self) -> Vec<Note> {
        if self.beyond > 0 {
            let text = format!(
                "{} more notes are not kept; the body itself has what they are about.",
                self.beyond
            );
            self.kept.push(Note {
                kind: NoteKind::NotesCut,
                alert: None,
                text,
            });
        }
        self.kept
    }
}
