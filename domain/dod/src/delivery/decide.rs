//! What happens when a command meets a delivery.

use domain::object::{self, ObjectRef};
use domain::text::{self, Unfit};
use domain::{Asker, Asking, Decider, Erase, FactRef, Request, Sealed};
use uuid::Uuid;

use super::{
    BODY_BYTES_MAX, BODY_WRITTEN_BYTES_MAX, Body, Command, Content, Delivery, Enclosed, Event, HEADERS_BYTES_MAX,
    HEADERS_MAX, NOTE_CHARS_MAX, Received, Refusal, Subscription, erased, recognise,
};
use crate::receiver::RECEIVER_IM_CHARS_MAX;
use crate::retention::Retention;
use crate::source::{SNS_TOPIC_CHARS_MAX, Source};

impl Decider for Delivery {
    const TYPE: &'static str = "dod.delivery";
    const CREATES: &'static str = "receive";
    const ONLY_DAYBOOK: &'static [&'static str] = &["receive", "recognise", "drop-body", "note-subscription"];
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        match (self, request.command) {
            (
                Self::Unreceived,
                Command::Receive {
                    source_id,
                    token_id,
                    enclosed,
                    body,
                    object,
                    sha256,
                    bytes,
                    is_brief,
                },
            ) => {
                check(enclosed, body.as_ref(), object.as_ref(), sha256, *bytes)?;
                if *is_brief && body.is_some() {
                    return Err(Refusal::Body);
                }
                let source = request.facts.get::<Source>(*source_id);
                if !source.is_some_and(Source::is_in_use) {
                    return Err(Refusal::NoSource);
                }
                let retention = request.facts.get::<Retention>(Retention::only_stream(request.tenant));
                Ok(vec![Event::DeliveryReceived {
                    source_id: *source_id,
                    token_id: *token_id,
                    enclosed: enclosed.clone(),
                    body: Sealed::Open(body.clone()),
                    object: object.clone(),
                    sha256: sha256.clone(),
                    bytes: *bytes,
                    body_until: Retention::body_until(retention, enclosed.received_at),
                    kept_bytes: Some(*bytes + enclosed.bytes() as u64),
                    is_counted: true,
                    is_brief: *is_brief,
                }])
            }
            (Self::Received(_), Command::Receive { .. }) => Err(Refusal::AlreadyReceived),
            (Self::Unreceived, _) => Err(Refusal::NotReceived),

            (Self::Received(received), Command::Recognise { .. }) if received.is_parsed => Ok(Vec::new()),
            (Self::Received(received), Command::Recognise { body }) => {
                let source = request.facts.get::<Source>(received.source_id);
                let source = source.ok_or(Refusal::NoSource)?;
                let body = match (&received.content, body) {
                    (Content::Here(body), _) => body,
                    (Content::Stored(_), Some(body)) => body,
                    (Content::Stored(_), None) => return Err(Refusal::BodyElsewhere),
                    (Content::Dropped, _) => return Err(Refusal::BodyDropped),
                };
                let bytes = body.bytes().ok_or(Refusal::Body)?;
                Ok(recognise::recognise(received, source, &bytes, request))
            }
            (Self::Received(received), Command::ParseAgain {}) => {
                offered(received)?;
                let round = received.round + 1;
                Ok(vec![Event::DeliveryParsedAgain { round }])
            }
            (Self::Received(received), Command::NoteSubscription { topic_arn, refused }) => {
                let unfit = |field| move |unfit| Refusal::Unfit { field, unfit };
                text::required(topic_arn, SNS_TOPIC_CHARS_MAX).map_err(unfit("topic_arn"))?;
                text::optional(refused.as_ref(), NOTE_CHARS_MAX).map_err(unfit("refused"))?;
                let is_known = received
                    .subscription
                    .as_ref()
                    .is_some_and(|known| (&known.topic_arn, &known.refused) == (topic_arn, refused));
                if is_known {
                    return Ok(Vec::new());
                }
                let topic_arn = topic_arn.clone();
                Ok(vec![match refused.clone() {
                    None => Event::SubscriptionConfirmed {
                        topic_arn,
                        confirmed_at: request.at,
                    },
                    Some(because) => Event::SubscriptionRefused { topic_arn, because },
                }])
            }
            (Self::Received(received), Command::DropBody {}) => {
                // One whose key is gone is dropped all the same, once, so that nobody counts it any more.
                let is_dropped = received.content == Content::Dropped && received.counted_bytes.is_none();
                let dropped = (!is_dropped).then_some(Event::DeliveryBodyDropped {
                    bytes: received.counted_bytes,
                });
                Ok(dropped.into_iter().collect())
            }
        }
    }

    fn evolve(&mut self, event: &Event) {
        match (&mut *self, event) {
            (
                _,
                Event::DeliveryReceived {
                    source_id,
                    enclosed,
                    body,
                    object,
                    bytes,
                    kept_bytes,
                    is_counted,
                    is_brief,
                    ..
                },
            ) => {
                let content = match (body.open(), object) {
                    (Some(Some(body)), _) => Content::Here(body.clone()),
                    (_, Some(object)) => Content::Stored(object.clone()),
                    (_, None) => Content::Dropped,
                };
                *self = Self::Received(Box::new(Received {
                    source_id: *source_id,
                    envelope: enclosed.clone(),
                    content,
                    object: object.clone(),
                    counted_bytes: is_counted.then(|| kept_bytes.unwrap_or(*bytes)),
                    is_brief: *is_brief,
                    round: 0,
                    is_parsed: false,
                    subscription: None,
                }));
            }
            (Self::Received(received), Event::DeliveryRecognised { .. } | Event::DeliveryUnreadable { .. }) => {
                received.is_parsed = true
            }
            (Self::Received(received), Event::DeliveryParsedAgain { round }) => {
                received.round = *round;
                received.is_parsed = false;
            }
            (Self::Received(received), Event::DeliveryBodyDropped { .. }) => {
                received.content = Content::Dropped;
                received.counted_bytes = None;
            }
            (Self::Received(received), Event::SubscriptionConfirmed { topic_arn, .. }) => {
                received.subscription = Some(Subscription {
                    topic_arn: topic_arn.clone(),
                    refused: None,
                });
            }
            (Self::Received(received), Event::SubscriptionRefused { topic_arn, because }) => {
                received.subscription = Some(Subscription {
                    topic_arn: topic_arn.clone(),
                    refused: Some(because.clone()),
                });
            }
            (Self::Received(_), Event::AlertsRecognised { .. } | Event::HeartbeatsHeard { .. })
            | (Self::Unreceived, _) => {}
        }
    }

    fn reads(&self, asking: &Asking<'_, Command>) -> Vec<FactRef> {
        match (self, asking.command) {
            (_, Command::Receive { source_id, .. }) => vec![
                FactRef::of::<Source>(*source_id),
                FactRef::of::<Retention>(Retention::only_stream(asking.tenant)),
            ],
            (Self::Received(received), Command::Recognise { .. }) => recognise::reads(received, asking),
            _ => Vec::new(),
        }
    }

    fn erases(stream: Uuid, event: &Event) -> Vec<Erase> {
        erased(stream, event)
    }

    fn offers(&self, command: &str, _stream: Uuid, _asker: &Asker) -> Result<(), Refusal> {
        match (self, command) {
            (Self::Unreceived, "receive") => Ok(()),
            (Self::Unreceived, _) => Err(Refusal::NotReceived),
            (Self::Received(_), "receive") => Err(Refusal::AlreadyReceived),
            (Self::Received(received), "parse-again") => offered(received),
            (Self::Received(_), _) => Ok(()),
        }
    }
}

/// Whether it can be parsed again.
fn offered(received: &Received) -> Result<(), Refusal> {
    match received.content {
        Content::Dropped => Err(Refusal::BodyDropped),
        Content::Here(_) | Content::Stored(_) if !received.is_parsed => Err(Refusal::UnderWay),
        Content::Here(_) | Content::Stored(_) => Ok(()),
    }
}

fn check(
    enclosed: &Enclosed,
    body: Option<&Body>,
    stored: Option<&ObjectRef>,
    sha256: &str,
    bytes: u64,
) -> Result<(), Refusal> {
    let fits = match (body, stored) {
        (Some(body), None) => body.written_bytes() <= BODY_WRITTEN_BYTES_MAX && body.bytes().is_some(),
        (None, Some(stored)) => stored.is_well_formed(),
        (Some(_), Some(_)) | (None, None) => false,
    };
    if !fits || bytes > BODY_BYTES_MAX as u64 {
        return Err(Refusal::Body);
    }
    let unfit = |field| move |unfit| Refusal::Unfit { field, unfit };
    if !object::is_sha256(sha256) {
        return Err(unfit("sha256")(Unfit::Form(
            "must be SHA-256 in lower-case hexadecimal",
        )));
    }
    let size = enclosed.bytes();
    if enclosed.headers.len() + enclosed.query.len() > HEADERS_MAX || size > HEADERS_BYTES_MAX {
        return Err(unfit("enclosed")(Unfit::TooLarge {
            bytes: size,
            max: HEADERS_BYTES_MAX,
        }));
    }
    text::optional(enclosed.receiver_im.as_ref(), RECEIVER_IM_CHARS_MAX).map_err(unfit("receiver_im"))
}
