//! From a delivery to its alerts: whose format it is, and who reads it.

use crate::content::{self, Delivered, Kind, Unreadable};
use crate::draft::{Reading, shown};
use crate::json::{Document, Node, Object};
use crate::note::{Note, NoteKind, Notes};
use crate::sns::Subscription;
use crate::{Format, Observation, Rules};
use crate::{
    alertmanager, cloudevents, cloudwatch, datadog, generic, grafana, mapping, opsgenie, pagerduty, sentry, sns, zabbix,
};

/// Alerts of one body; of those beyond only the delivery's body tells, and a note.
pub const ALERTS_MAX: usize = 1_000;
/// Envelopes within each other: an SNS notification with a CloudEvent with an alert.
const ENVELOPES_MAX: u8 = 3;

/// What a body tells. Never nothing: observations, notes or a subscription.
#[derive(Debug, Clone, PartialEq)]
pub struct Recognised {
    pub format: Format,
    /// In the order of the body, at most 1,000.
    pub observations: Vec<Observation>,
    /// What was left out, cut, mended or not understood, at most 32.
    pub notes: Vec<Note>,
    /// What Amazon SNS asks for before it sends anything. Verify the envelope's signature and the URL first.
    pub subscription: Option<Subscription>,
}

/// Reads a body: finds out its format, or takes the source's, and tells its alerts.
///
/// # Errors
/// `Unreadable` when the body is not what its content type says, or larger in number or depth than is looked at. JSON of
/// no known format is no error: it is `Format::Unmapped`, with a note.
pub fn recognise(delivered: &Delivered<'_>, rules: &Rules) -> Result<Recognised, Unreadable> {
    // The data of a CloudEvent in the binary mode may be of any type; its headers are the alert.
    let is_binary_event = delivered.header("ce-specversion").is_some();
    let kind = match content::kind(delivered.content_type) {
        Err(_) if is_binary_event => Kind::Json,
        other => other?,
    };
    let mut reading = Reading {
        rules,
        headers: delivered.headers,
        received_at: delivered.received_at,
        notes: Notes::default(),
        observations: Vec::new(),
        subscription: None,
        envelope: None,
        place: None,
        has_huge_number: false,
        beyond: 0,
    };
    let format = if is_binary_event && !matches!(kind, Kind::CloudEvent | Kind::CloudEvents) {
        cloudevents::read_binary(delivered.body, &mut reading)?
    } else {
        let body = content::as_json(delivered, kind)?;
        let document = Document::read(&body)?;
        let root = document.root()?;
        reading.mended(&document);
        match kind {
            Kind::CloudEvent | Kind::CloudEvents => cloudevents::read(root, &mut reading, 0)?,
            Kind::Json | Kind::Form => read(root, &mut reading, 0),
        }
    };
    Ok(conclude(format, reading))
}

fn conclude(format: Option<Format>, mut reading: Reading<'_>) -> Recognised {
    reading.place = None;
    if reading.beyond > 0 {
        let text = format!(
            "{} alerts beyond the first {ALERTS_MAX} of the body were not taken; the delivery has them. Make the sender put \
             fewer into one request.",
            reading.beyond
        );
        reading.notes.add(NoteKind::AlertsCut, None, text);
    }
    if reading.observations.is_empty() && reading.subscription.is_none() && reading.notes.is_empty() {
        reading.note(NoteKind::NoAlerts, "The body holds no alert; the delivery keeps it.");
    }
    Recognised {
        format: format.unwrap_or(Format::Unmapped),
        observations: reading.observations,
        notes: reading.notes.into_list(),
        subscription: reading.subscription,
    }
}

impl Reading<'_> {
    /// Notes what was mended of a text before it could be read.
    pub(crate) fn mended(&mut self, document: &Document<'_>) {
        let mends = document.mends;
        self.has_huge_number |= mends.has_huge_number;
        let mut told = Vec::new();
        if mends.is_not_utf8 {
            told.push("bytes that are no UTF-8".to_string());
        }
        for (count, what) in [
            (mends.zeros, "times U+0000"),
            (mends.surrogates, "halves of a surrogate pair"),
            (mends.controls, "control characters without an escape"),
        ] {
            if count > 0 {
                told.push(format!("{count} {what}"));
            }
        }
        if !told.is_empty() {
            let text = format!(
                "The body had {}, which were replaced; the delivery has it as it was sent.",
                told.join(", ")
            );
            self.note(NoteKind::TextMended, text);
        }
    }
}

/// Reads JSON of any format. Absent: it is of none.
pub(crate) fn read(root: Node<'_>, reading: &mut Reading<'_>, envelopes: u8) -> Option<Format> {
    if let Some(object) = root.object() {
        return read_object(&object, reading, envelopes).or_else(|| unmapped(Some(&object), reading));
    }
    if !root.is_array() {
        return unmapped(None, reading);
    }
    read_list(root, reading, envelopes)
}

fn read_list(root: Node<'_>, reading: &mut Reading<'_>, envelopes: u8) -> Option<Format> {
    if mapping::read(root, reading) {
        return Some(Format::Mapped);
    }
    let elements = reading.elements(root);
    if elements.is_empty() {
        reading.note(NoteKind::NoAlerts, "The body is an empty list.");
        return Some(reading.rules.format.unwrap_or(Format::Generic));
    }
    let mut format = None;
    for (place, element) in (0..).zip(elements) {
        reading.place = Some(place);
        let object = element.object();
        let found = match &object {
            Some(object) if alertmanager::is_posted(object) => {
                alertmanager::read_posted(object, reading);
                Some(Format::AlertmanagerApi)
            }
            Some(object) => read_object(object, reading, envelopes),
            None => None,
        };
        reading.place = Some(place);
        if found.is_none() {
            unmapped(object.as_ref(), reading);
        }
        format = format.or(found);
    }
    reading.place = None;
    format
}

fn read_object(object: &Object<'_>, reading: &mut Reading<'_>, envelopes: u8) -> Option<Format> {
    let fixed = reading.rules.format;
    if fixed == Some(Format::Mapped) && mapping::read(object.node, reading) {
        return fixed;
    }
    if let Some(format) = fixed.filter(|format| is_of(*format, object, reading, true)) {
        return read_as(format, object, reading, envelopes);
    }
    let place = reading.place;
    let found = read_as(found_out(object, reading)?, object, reading, envelopes)?;
    // An envelope may well hold what the source is said to send.
    if let Some(fixed) = fixed.filter(|fixed| *fixed != found) {
        let text = format!("The source's format is {fixed}, and this body is read as {found}: check the source.");
        reading.notes.add(NoteKind::AnotherFormat, place, text);
    }
    Some(found)
}

/// The formats in the order in which their marks are looked for; the generic one takes what has a title.
const KNOWN: &[Format] = &[
    Format::Cloudwatch,
    Format::Cloudevents,
    Format::Grafana,
    Format::Alertmanager,
    Format::GrafanaLegacy,
    Format::PagerdutyEvents,
    Format::PagerdutyWebhook,
    Format::Sentry,
    Format::Opsgenie,
    Format::Datadog,
    Format::Zabbix,
];

fn found_out(object: &Object<'_>, reading: &Reading<'_>) -> Option<Format> {
    let known = KNOWN
        .iter()
        .copied()
        .find(|format| is_of(*format, object, reading, false));
    known.or_else(|| {
        [Format::Mapped, Format::Generic]
            .into_iter()
            .find(|format| is_of(*format, object, reading, false))
    })
}

// A source whose format is fixed needs fewer marks where the body is the tenant's own template.
fn is_of(format: Format, object: &Object<'_>, reading: &Reading<'_>, is_fixed: bool) -> bool {
    match format {
        Format::Alertmanager => alertmanager::is_webhook(object),
        Format::AlertmanagerApi => is_fixed && alertmanager::is_posted(object),
        Format::Grafana => grafana::is_unified(object),
        Format::GrafanaLegacy => grafana::is_legacy(object),
        Format::Cloudwatch => sns::is_envelope(object) || cloudwatch::is_alarm(object),
        Format::Datadog => datadog::is_datadog(object, is_fixed),
        Format::PagerdutyEvents => pagerduty::is_event(object),
        Format::PagerdutyWebhook => pagerduty::webhook::is_webhook(object),
        Format::Sentry => sentry::is_sentry(object, reading),
        Format::Opsgenie => opsgenie::is_opsgenie(object),
        Format::Zabbix => zabbix::is_zabbix(object, is_fixed),
        Format::Cloudevents => cloudevents::is_event(object),
        Format::Generic => generic::is_generic(object),
        Format::Mapped => mapping::fits(object.node, reading),
        Format::Unmapped => false,
    }
}

fn read_as(format: Format, object: &Object<'_>, reading: &mut Reading<'_>, envelopes: u8) -> Option<Format> {
    match format {
        Format::Alertmanager => alertmanager::read_webhook(object, reading),
        Format::AlertmanagerApi => alertmanager::read_posted(object, reading),
        Format::Grafana => grafana::read_unified(object, reading),
        Format::GrafanaLegacy => grafana::read_legacy(object, reading),
        Format::Datadog => datadog::read(object, reading),
        Format::PagerdutyEvents => pagerduty::read(object, reading),
        Format::PagerdutyWebhook => pagerduty::webhook::read(object, reading),
        Format::Sentry => sentry::read(object, reading),
        Format::Opsgenie => opsgenie::read(object, reading),
        Format::Zabbix => zabbix::read(object, reading),
        Format::Generic => generic::read(object, reading),
        Format::Mapped => {
            mapping::read(object.node, reading);
        }
        // What is in an envelope has a format of its own.
        Format::Cloudwatch if sns::is_envelope(object) => return sns::read(object, reading, envelopes),
        Format::Cloudwatch => cloudwatch::read(object, reading),
        Format::Cloudevents => return cloudevents::read_event(object, reading, envelopes),
        Format::Unmapped => return None,
    }
    Some(format)
}

/// Reads what is in an envelope, unless there are too many around it. Absent: it is of no format, or of one of `besides`;
/// nothing is noted.
pub(crate) fn read_enclosed(
    node: Node<'_>,
    besides: &[Format],
    reading: &mut Reading<'_>,
    envelopes: u8,
) -> Option<Format> {
    if envelopes >= ENVELOPES_MAX {
        return None;
    }
    match node.object() {
        Some(object) => {
            let format = found_out(&object, reading).filter(|format| !besides.contains(format))?;
            read_as(format, &object, reading, envelopes + 1)
        }
        None if node.is_array() => read_list(node, reading, envelopes + 1),
        None => None,
    }
}

fn unmapped(object: Option<&Object<'_>>, reading: &mut Reading<'_>) -> Option<Format> {
    let text = match object {
        Some(object) => {
            let names: Vec<&str> = object.members().map(|(name, _)| name).take(8).collect();
            format!(
                "No format is known with the members {}; the delivery keeps the body. Give the source a mapping for it.",
                shown(&names.join(", "))
            )
        }
        None => "It is neither an object nor a list of objects; the delivery keeps it. Send an object with a title."
            .to_string(),
    };
    reading.note(NoteKind::Unmapped, text);
    None
}
