//! Confirms subscriptions of SNS: a topic of a source sends nothing before it was called back. What is called was signed by
//! SNS, lies with SNS, and is of a topic that the source names.

use book::BookError;
use dod::delivery::{BODY_BYTES_MAX, Command, Content, Delivery, Event, NOTE_CHARS_MAX};
use dod::source::Source;
use dod_formats::sns::Envelope;
use domain::{AnyEvent, Decider as _, Recorded, Sending};
use egress::Egress;
use http::crew::Worker;
use objects::Objects;
use reactors::{Doing, Done, Known, Reactor, Task};

use crate::outward;
use crate::sns::{self, Certificates, MESSAGE_TYPE, Unbelieved};

/// What SNS calls the message that is to be confirmed.
const CONFIRMATION: &str = "SubscriptionConfirmation";

/// What it is known by.
pub const KNOWN: Known = Known {
    name: "dod-subscriptions",
    reads: &[Delivery::TYPE],
};

/// The worker.
pub static WORKER: Worker = Worker {
    name: "dod subscriptions",
    lock: "daybook dod subscriptions",
    start: |crew| {
        let (Some(egress), Some(objects)) = (crew.states.get::<Egress>(), crew.states.get::<Objects>()) else {
            return;
        };
        let subscriber = Subscriber {
            egress: egress.clone(),
            objects: objects.clone(),
            certificates: Certificates::default(),
        };
        outward::perform(crew, &WORKER, subscriber);
    },
};

/// Confirms subscriptions.
#[derive(Debug)]
pub struct Subscriber {
    pub egress: Egress,
    pub objects: Objects,
    pub certificates: Certificates,
}

impl Reactor for Subscriber {
    fn known(&self) -> Known {
        KNOWN
    }

    fn tasks(&self, recorded: &Recorded<AnyEvent>) -> Vec<Task> {
        let Some(Event::DeliveryReceived { enclosed, .. }) = recorded.of::<Delivery>() else {
            return Vec::new();
        };
        let mut headers = enclosed.headers.iter();
        if !headers.any(|(name, value)| name == MESSAGE_TYPE && value == CONFIRMATION) {
            return Vec::new();
        }
        vec![Task {
            key: "confirm".to_owned(),
            lane: recorded.stream,
            target: "sns".to_owned(),
            due_at: None,
        }]
    }

    async fn perform(&self, doing: &Doing<'_>) -> Result<Done, BookError> {
        let stream = doing.recorded.stream;
        let delivery = doing.book.now::<Delivery>(doing.tenant, stream).await?;
        let Some(received) = delivery.as_deref().and_then(Delivery::received) else {
            return Ok(Done::Done);
        };
        let bytes = match &received.content {
            Content::Here(body) => body.bytes(),
            // It came while its tenant's bodies took all the room.
            Content::Stored(object) => match self.objects.get(doing.tenant, object, BODY_BYTES_MAX).await {
                Ok(bytes) => Some(bytes.to_vec()),
                Err(error) => return Ok(Done::again(error.to_string())),
            },
            Content::Dropped => None,
        };
        let Some(envelope) = bytes.as_deref().and_then(Envelope::read) else {
            return Ok(Done::Done);
        };
        let source = doing.book.now::<Source>(doing.tenant, received.source_id).await?;
        // As it is now: a topic may have been taken off it since.
        let topics = source
            .as_deref()
            .and_then(Source::settings)
            .map(|settings| settings.sns_topics.clone());
        let topics = topics.unwrap_or_default();
        let confirmed = async {
            sns::believe(&self.egress, &self.certificates, doing.tenant, &topics, &envelope).await?;
            sns::confirm(&self.egress, doing.tenant, &envelope).await
        };
        let refused = match confirmed.await {
            Ok(()) => None,
            Err(why @ Unbelieved::Unreachable(_)) => return Ok(Done::again(why.to_string())),
            Err(why) => Some(why.to_string().chars().take(NOTE_CHARS_MAX).collect()),
        };
        let note = Command::NoteSubscription {
            topic_arn: envelope.topic_arn,
            refused,
        };
        let step = format!("noted/{}", doing.round);
        doing.send(&step, vec![Sending::of::<Delivery>(stream, note)]).await?;
        Ok(Done::Done)
    }
}
