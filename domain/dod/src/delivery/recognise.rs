//! What is recognised in a body, cut into events.

use chrono::{DateTime, Utc};
use dod_formats::{Delivered, Observation};
use domain::Sealed;

use super::{ALERTS_BYTES_MAX, Event, NOTE_CHARS_MAX, NOTES_MAX, Received};
use crate::source::Source;

/// What there is in a body by the rules of its source.
pub(super) fn recognise(received: &Received, source: &Source, body: &[u8], at: DateTime<Utc>) -> Vec<Event> {
    let enclosed = &received.envelope;
    let delivered = Delivered {
        content_type: enclosed.content_type.as_deref(),
        headers: &enclosed.headers,
        query: &enclosed.query,
        body,
        received_at: enclosed.received_at,
    };
    let round = received.round;
    let recognised = match dod_formats::recognise(&delivered, &source.rules()) {
        Ok(recognised) => recognised,
        Err(unreadable) => {
            return vec![Event::DeliveryUnreadable {
                round,
                reason: cut(&unreadable.to_string()),
                recognised_at: at,
            }];
        }
    };
    let alerts = u32::try_from(recognised.observations.len()).unwrap_or(u32::MAX);
    let receiver_im = enclosed.receiver_im.clone();
    let receiver_im = receiver_im.or_else(|| source.receiver_im().map(str::to_owned));
    let mut events = Vec::new();
    let mut first = 0;
    for alerts in in_parts(recognised.observations) {
        let told = u32::try_from(alerts.len()).unwrap_or(u32::MAX);
        events.push(Event::AlertsRecognised {
            round,
            source_id: received.source_id,
            receiver_im: receiver_im.clone(),
            first,
            alerts: Sealed::Open(alerts),
            received_at: enclosed.received_at,
        });
        first += told;
    }
    let notes = recognised.notes.iter().map(|note| cut(&note.to_string()));
    events.push(Event::DeliveryRecognised {
        round,
        format: recognised.format.to_string(),
        alerts,
        notes: notes.take(NOTES_MAX).collect(),
        recognised_at: at,
    });
    events
}

/// As few parts as fit into an event each.
fn in_parts(observations: Vec<Observation>) -> Vec<Vec<Observation>> {
    let (mut parts, mut part, mut size) = (Vec::new(), Vec::new(), 0);
    for mut observation in observations {
        let mut bytes = written_bytes(&observation);
        if bytes > ALERTS_BYTES_MAX {
            // Its bounds hold for the text as it came; written within JSON it may take more.
            observation.raw = None;
            bytes = written_bytes(&observation);
        }
        if size + bytes > ALERTS_BYTES_MAX && !part.is_empty() {
            parts.push(std::mem::take(&mut part));
            size = 0;
        }
        size += bytes;
        part.push(observation);
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}

fn written_bytes(observation: &Observation) -> usize {
    serde_json::to_vec(observation).map_or(usize::MAX, |json| json.len())
}

fn cut(sentence: &str) -> String {
    sentence.chars().take(NOTE_CHARS_MAX).collect()
}
