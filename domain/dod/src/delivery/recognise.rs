//! What is recognised in a body, cut into events.

use chrono::{DateTime, TimeDelta, Utc};
use dod_formats::{Delivered, Format, Observation, Signal};
use domain::{Asking, Decider as _, FactRef, Request, Sealed};
use uuid::Uuid;

use super::{ALERTS_BYTES_MAX, BRIEF_BODY_MINUTES, Command, Event, NOTE_CHARS_MAX, NOTES_MAX, Received};
use crate::conditions::Subject;
use crate::expectation::Expectations;
use crate::heartbeat::Heartbeat;
use crate::source::Source;

/// The source, what is expected of it, and when that was heard.
pub(super) fn reads(received: &Received, asking: &Asking<'_, Command>) -> Vec<FactRef> {
    let all = Expectations::only_stream(asking.tenant);
    let expected = asking.facts.get::<Expectations>(all);
    let expected = expected.into_iter().flat_map(|all| all.of_source(received.source_id));
    let heartbeats = expected.map(|(id, _)| FactRef::of::<Heartbeat>(Heartbeat::stream(all, id)));
    let first = [
        FactRef::of::<Source>(received.source_id),
        FactRef::of::<Expectations>(all),
    ];
    first.into_iter().chain(heartbeats).collect()
}

/// What there is in a body by the rules of its source.
pub(super) fn recognise(
    received: &Received,
    source: &Source,
    body: &[u8],
    request: &Request<'_, Command>,
) -> Vec<Event> {
    let at: DateTime<Utc> = request.at;
    let enclosed = &received.envelope;
    let delivered = Delivered {
        content_type: enclosed.content_type.as_deref(),
        headers: &enclosed.headers,
        query: &enclosed.query,
        body,
        received_at: enclosed.received_at,
    };
    let round = received.round;
    let mut recognised = match dod_formats::recognise(&delivered, &source.rules()) {
        Ok(recognised) => recognised,
        Err(unreadable) => {
            return vec![Event::DeliveryUnreadable {
                round,
                reason: cut(&unreadable.to_string()),
                recognised_at: at,
            }];
        }
    };
    if received.is_brief {
        // Each part would be kept in the book for as long as the book is.
        recognised.observations.iter_mut().for_each(|told| told.raw = None);
    }
    // What nobody has understood yet stays as long as any other: it is told by its body alone.
    let goes_soon = received.is_brief && recognised.format != Format::Unmapped;
    let alerts = u32::try_from(recognised.observations.len()).unwrap_or(u32::MAX);
    let receiver_im = enclosed.receiver_im.clone();
    let receiver_im = receiver_im.or_else(|| source.receiver_im().map(str::to_owned));
    let mut events = Vec::new();
    let expectations = heard(received, source, &recognised.observations, request);
    if !expectations.is_empty() {
        events.push(Event::HeartbeatsHeard {
            round,
            expectations,
            received_at: enclosed.received_at,
        });
    }
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
    let brief = received.is_brief.then(|| brief(goes_soon));
    let notes = recognised.notes.iter().map(|note| cut(&note.to_string()));
    let notes = brief.into_iter().chain(notes);
    events.push(Event::DeliveryRecognised {
        round,
        format: recognised.format.to_string(),
        alerts,
        notes: notes.take(NOTES_MAX).collect(),
        recognised_at: at,
        body_until: goes_soon.then(|| at + TimeDelta::minutes(BRIEF_BODY_MINUTES)),
    });
    events
}

/// Why the alerts of a body show no part of it, and how long it stays.
fn brief(goes_soon: bool) -> String {
    let stays = match goes_soon {
        true => format!("it is kept for {BRIEF_BODY_MINUTES} minutes"),
        false => "it is kept until it is understood, or its time has come".to_owned(),
    };
    format!(
        "The tenant's bodies took all the room that they may when this one came: {stays}, and its alerts show no part of it."
    )
}

/// The expectations that a delivery meets, as far as it is worth noting. What is parsed again says nothing of now.
fn heard(
    received: &Received,
    source: &Source,
    observations: &[Observation],
    request: &Request<'_, Command>,
) -> Vec<Uuid> {
    let all = Expectations::only_stream(request.tenant);
    let Some(expected) = request.facts.get::<Expectations>(all).filter(|_| received.round == 0) else {
        return Vec::new();
    };
    let firing = observations.iter().filter(|told| told.signal != Signal::Resolved);
    let subjects: Vec<Subject<'_>> = firing
        .map(|told| Subject {
            source: source.name(),
            source_id: received.source_id,
            alert_type: &told.alert_type,
            severity: told.severity,
            title: &told.title,
            description: told.description.as_deref(),
            labels: &told.labels,
        })
        .collect();
    let notes = |id: &Uuid| {
        let heartbeat = request.facts.get::<Heartbeat>(Heartbeat::stream(all, *id));
        heartbeat.is_some_and(|heartbeat| heartbeat.notes(received.envelope.received_at, request.at))
    };
    let expected = expected.of_source(received.source_id);
    let met = expected.filter(|(id, expectation)| notes(id) && expectation.is_met(&subjects));
    met.map(|(id, _)| id).collect()
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
