//! Amazon SNS: the envelope, its handshake, and what must hold before either is believed. No RSA and no network here:
//! the caller gets the certificate from `SigningCertURL` once `allowed_cert_url` has agreed.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::bounds::URL_CHARS_MAX;
use crate::content::header;
use crate::draft::{Draft, Reading, shown};
use crate::json::{Document, Object};
use crate::note::NoteKind;
use crate::recognise::read_enclosed;
use crate::{Format, digest};

/// What SNS asks before it sends: whoever fetches the URL agrees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    pub topic_arn: String,
    pub message_id: String,
    pub subscribe_url: String,
}

/// An envelope with everything that is signed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Envelope {
    /// `Notification`, `SubscriptionConfirmation` or `UnsubscribeConfirmation`.
    pub kind: String,
    pub message_id: String,
    pub topic_arn: String,
    pub subject: Option<String>,
    pub message: String,
    /// As it was sent: it is signed in this spelling.
    pub timestamp: String,
    pub token: Option<String>,
    pub subscribe_url: Option<String>,
    /// `1`: RSA with SHA-1. `2`: RSA with SHA-256.
    pub signature_version: String,
    /// In base64.
    pub signature: String,
    pub signing_cert_url: String,
}

impl Envelope {
    /// The envelope of a body. Absent when the body is none.
    pub fn read(body: &[u8]) -> Option<Self> {
        // A mended text is another one than was signed; nobody signs such a text, so the signature would rightly fail.
        let document = Document::read(body).ok()?;
        let object = document.root().ok()?.object()?;
        let string = |name: &str| object.get(name)?.string().map(Cow::into_owned);
        Some(Self {
            kind: string("Type")?,
            message_id: string("MessageId")?,
            topic_arn: string("TopicArn")?,
            subject: string("Subject"),
            message: string("Message")?,
            timestamp: string("Timestamp")?,
            token: string("Token"),
            subscribe_url: string("SubscribeURL").or_else(|| string("SubscribeUrl")),
            signature_version: string("SignatureVersion")?,
            signature: string("Signature")?,
            signing_cert_url: string("SigningCertURL").or_else(|| string("SigningCertUrl"))?,
        })
    }

    /// The texts of which one is signed. There are two for the end of a subscription, for senders and libraries
    /// disagree whether the token belongs to it: either will do.
    pub fn strings_to_sign(&self) -> Vec<String> {
        match self.kind.as_str() {
            "SubscriptionConfirmation" => vec![self.string_to_sign(true)],
            "UnsubscribeConfirmation" => vec![self.string_to_sign(true), self.string_to_sign(false)],
            _ => vec![self.string_to_sign(false)],
        }
    }

    fn string_to_sign(&self, with_token: bool) -> String {
        let is_notification = self.kind == "Notification";
        let keys = [
            ("Message", Some(self.message.as_str())),
            ("MessageId", Some(self.message_id.as_str())),
            ("Subject", self.subject.as_deref().filter(|_| is_notification)),
            (
                "SubscribeURL",
                self.subscribe_url.as_deref().filter(|_| !is_notification),
            ),
            ("Timestamp", Some(self.timestamp.as_str())),
            ("Token", self.token.as_deref().filter(|_| with_token)),
            ("TopicArn", Some(self.topic_arn.as_str())),
            ("Type", Some(self.kind.as_str())),
        ];
        let present = keys.into_iter().filter_map(|(key, value)| Some((key, value?)));
        present.map(|(key, value)| format!("{key}\n{value}\n")).collect()
    }
}

/// Whether a certificate may be fetched from a URL: https, SNS's own host, a file that ends with `.pem`.
pub fn allowed_cert_url(url: &str) -> bool {
    on_sns_host(url).is_some_and(|path| path.ends_with(".pem") && !path.contains(['?', '#']))
}

/// Whether a subscription may be confirmed by fetching a URL: https, SNS's own host, and nothing but a confirmation.
pub fn allowed_subscribe_url(url: &str) -> bool {
    on_sns_host(url).is_some_and(|path| {
        let query = path.split_once('?').map(|(_, query)| query).unwrap_or_default();
        !path.contains('#') && query.split('&').any(|pair| pair == "Action=ConfirmSubscription")
    })
}

// The path and query of a URL of `sns.<region>.amazonaws.com`, or `.com.cn`. Nothing is decoded or made lenient: what
// is not plainly SNS is not SNS.
fn on_sns_host(url: &str) -> Option<&str> {
    if url.len() > URL_CHARS_MAX || !url.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        return None;
    }
    let (host, path) = url.strip_prefix("https://")?.split_once('/')?;
    let region = host.strip_prefix("sns.")?;
    let region = region
        .strip_suffix(".amazonaws.com")
        .or_else(|| region.strip_suffix(".amazonaws.com.cn"))?;
    let is_region = region.len() >= 3 && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (is_region && !path.split(['/', '?']).any(|step| step == "..")).then_some(path)
}

pub(crate) fn is_envelope(object: &Object<'_>) -> bool {
    let is_plain = object.has("Type") && object.has("MessageId") && object.has("TopicArn");
    is_plain || records(object).is_some()
}

// As a function of Lambda gets them.
fn records<'a>(object: &Object<'a>) -> Option<crate::json::Node<'a>> {
    let records = object.get("Records").filter(|records| records.is_array())?;
    let (first, _) = records.array(1)?;
    first.first()?.object()?.has("Sns").then_some(records)
}

/// Reads an envelope and what is in it; the format is that of the message.
pub(crate) fn read(object: &Object<'_>, reading: &mut Reading<'_>, envelopes: u8) -> Option<Format> {
    let Some(records) = records(object) else {
        return read_one(object, reading, envelopes);
    };
    let mut format = None;
    for record in reading.elements(records) {
        match record.object().and_then(|record| record.object("Sns")) {
            Some(message) => format = format.or(read_one(&message, reading, envelopes)),
            None => reading.note(NoteKind::NotAnAlert, "A record is not one of SNS and is left out."),
        }
    }
    format
}

fn read_one(object: &Object<'_>, reading: &mut Reading<'_>, envelopes: u8) -> Option<Format> {
    let topic_arn = object.text("TopicArn").unwrap_or_default();
    let kind = object
        .text("Type")
        .or_else(|| header(reading.headers, "x-amz-sns-message-type").map(str::to_string));
    match kind.as_deref() {
        Some("SubscriptionConfirmation") => {
            subscription(object, topic_arn, reading);
            return Some(Format::Cloudwatch);
        }
        Some("UnsubscribeConfirmation") => {
            let text = format!(
                "The subscription to {} has ended; SNS sends nothing more.",
                shown(&topic_arn)
            );
            reading.note(NoteKind::SubscriptionEnded, text);
            return Some(Format::Cloudwatch);
        }
        _ => {}
    }
    let message_id = object.text("MessageId");
    let message = object
        .get("Message")
        .and_then(|message| message.string())
        .unwrap_or_default();
    reading.envelope = message_id.clone();
    let format = read_message(&message, reading, envelopes);
    reading.envelope = None;
    format.or_else(|| {
        read_text(object, &message, topic_arn, message_id, reading);
        Some(Format::Cloudwatch)
    })
}

fn subscription(object: &Object<'_>, topic_arn: String, reading: &mut Reading<'_>) {
    let Some(subscribe_url) = object.first(&["SubscribeURL", "SubscribeUrl"]) else {
        reading.note(
            NoteKind::NotAnAlert,
            "A subscription is asked for without its SubscribeURL; it cannot be confirmed.",
        );
        return;
    };
    let text = format!("SNS asks to confirm the subscription to {}.", shown(&topic_arn));
    reading.note(NoteKind::SubscriptionRequested, text);
    let message_id = object.text("MessageId").unwrap_or_default();
    reading.subscription = Some(Subscription {
        topic_arn,
        message_id,
        subscribe_url,
    });
}

// A message that is JSON of a known format is read as that.
fn read_message(message: &str, reading: &mut Reading<'_>, envelopes: u8) -> Option<Format> {
    if !message.trim_start().starts_with(['{', '[']) {
        return None;
    }
    let document = Document::read(message.as_bytes()).ok()?;
    let root = document.root().ok()?;
    reading.mended(&document);
    read_enclosed(root, &[], reading, envelopes)
}

// Any other message is an alert by its text: somebody sends it to where alerts are sent.
fn read_text(
    object: &Object<'_>,
    message: &str,
    topic_arn: String,
    message_id: Option<String>,
    reading: &mut Reading<'_>,
) {
    let subject = object.text("Subject");
    let title = subject.or_else(|| {
        message
            .lines()
            .map(str::trim)
            .find(|line| !line.is_empty())
            .map(str::to_string)
    });
    let Some(title) = title else {
        reading.note(NoteKind::NoAlerts, "The message of the notification is empty.");
        return;
    };
    let topic = topic_arn.rsplit(':').next().unwrap_or_default().to_string();
    let starts_at = reading.time(object, &["Timestamp"]);
    reading.tell(Draft {
        key: Some(digest::of([topic_arn.as_str(), title.as_str()])),
        event: message_id,
        alert_type: Some(topic),
        title: Some(title),
        description: Some(message.to_string()),
        labels: [("topic_arn".to_string(), topic_arn)].into(),
        starts_at,
        raw: Cow::Borrowed(object.node.text()),
        ..Draft::default()
    });
}
