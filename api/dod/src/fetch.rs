//! Brings bodies from the object store to where they are parsed, and says which of them events name.

use std::collections::HashSet;

use book::keys::Naming;
use book::{Book, BookError};
use dod::delivery::{BODY_BYTES_MAX, Body, Command, Content, Delivery, Event};
use domain::{AnyEvent, Decider as _, Recorded, Sending};
use futures::future::BoxFuture;
use http::crew::Worker;
use objects::Objects;
use reactors::{Doing, Done, Known, Reactor, Task};
use uuid::Uuid;

use crate::outward;

/// What it is known by.
pub const KNOWN: Known = Known {
    name: "dod-bodies",
    reads: &[Delivery::TYPE],
};

/// The worker.
pub static WORKER: Worker = Worker {
    name: "dod bodies",
    lock: "daybook dod bodies",
    start: |crew| {
        let Some(objects) = crew.states.get::<Objects>().cloned() else {
            return;
        };
        outward::perform(crew, &WORKER, Fetcher { objects });
    },
};

/// Where bodies are named that lie in the object store: each is sealed in the name of its delivery.
const NAMING: Naming = Naming {
    aggregate_type: Delivery::TYPE,
    event_type: "DeliveryReceived",
    path: &["object", "sha256"],
};

/// The bodies of a tenant that are named and not dropped.
pub fn named(book: &Book, tenant: Uuid) -> BoxFuture<'_, Result<HashSet<String>, BookError>> {
    Box::pin(objects::named(book, tenant, NAMING))
}

/// Reads stored bodies.
#[derive(Debug)]
pub struct Fetcher {
    pub objects: Objects,
}

impl Reactor for Fetcher {
    fn known(&self) -> Known {
        KNOWN
    }

    fn tasks(&self, recorded: &Recorded<AnyEvent>) -> Vec<Task> {
        let key = match recorded.of::<Delivery>() {
            Some(Event::DeliveryReceived { object: Some(_), .. }) => "parse".to_owned(),
            // Whether it is a stored one is seen when it is done.
            Some(Event::DeliveryParsedAgain { round }) => format!("parse/{round}"),
            Some(Event::DeliveryBodyDropped { .. }) => "delete".to_owned(),
            _ => return Vec::new(),
        };
        vec![Task {
            key,
            lane: recorded.stream,
            target: "objects".to_owned(),
            due_at: None,
        }]
    }

    async fn perform(&self, doing: &Doing<'_>) -> Result<Done, BookError> {
        let delivery = doing.book.now::<Delivery>(doing.tenant, doing.recorded.stream).await?;
        let Some(received) = delivery.as_deref().and_then(Delivery::received) else {
            return Ok(Done::Done);
        };
        let Some(object) = received.object.as_ref() else {
            return Ok(Done::Done);
        };
        if received.content == Content::Dropped {
            return match self.objects.delete(doing.tenant, object).await {
                Ok(_) => Ok(Done::Done),
                Err(error) => Ok(Done::again(error.to_string())),
            };
        }
        if received.is_parsed {
            return Ok(Done::Done);
        }
        let bytes = match self.objects.get(doing.tenant, object, BODY_BYTES_MAX).await {
            Ok(bytes) => bytes,
            Err(error) => return Ok(Done::again(error.to_string())),
        };
        let recognise = Command::Recognise {
            body: Some(Body::of(&bytes)),
        };
        let sending = Sending::of::<Delivery>(doing.recorded.stream, recognise);
        let step = format!("recognise/{}", doing.round);
        match doing.send(&step, vec![sending]).await? {
            Some(_) => Ok(Done::Done),
            None => Ok(Done::dead("the delivery takes no body any more")),
        }
    }
}
