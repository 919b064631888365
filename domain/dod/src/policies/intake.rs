//! From a body that came in to what is told of each alert in it.

use chrono::{DateTime, Utc};
use domain::{AnyEvent, Decider, Policy, Reaction, Recorded, Seen, Sending};
use uuid::Uuid;

use crate::delivery::{self, Content, Delivery};
use crate::signal::{self, Signal};

/// Has a body recognised, and tells each signal what it says of it.
#[derive(Debug)]
pub struct Intake;

impl Policy for Intake {
    fn name(&self) -> &'static str {
        "dod-intake"
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Delivery::TYPE]
    }

    fn wants_state(&self, recorded: &Recorded<AnyEvent>) -> bool {
        let event = recorded.of::<Delivery>();
        matches!(event, Some(delivery::Event::DeliveryParsedAgain { .. }))
    }

    fn react(&self, seen: &Seen<'_>) -> Vec<Reaction> {
        let recorded = seen.recorded;
        let Some(event) = recorded.of::<Delivery>() else {
            return Vec::new();
        };
        match event {
            delivery::Event::DeliveryReceived { object, body_until, .. } => {
                let drop = drop_body(recorded.stream, *body_until);
                // One that lies in the object store is brought from there by a reactor.
                let parse = object.is_none().then(|| recognise(recorded.stream));
                parse.into_iter().chain([drop]).collect()
            }
            delivery::Event::DeliveryParsedAgain { .. } => {
                let received = seen.state::<Delivery>().and_then(Delivery::received);
                let is_here = received.is_some_and(|received| matches!(received.content, Content::Here(_)));
                is_here.then(|| recognise(recorded.stream)).into_iter().collect()
            }
            delivery::Event::AlertsRecognised {
                source_id,
                receiver_im,
                alerts,
                received_at,
                ..
            } => {
                let alerts = alerts.open().into_iter().flatten();
                let observe = |observation: &dod_formats::Observation| {
                    let stream = Signal::stream(*source_id, &observation.dedup_key);
                    let command = signal::Command::Observe {
                        source_id: *source_id,
                        delivery_id: recorded.stream,
                        receiver_im: receiver_im.clone(),
                        observation: Box::new(observation.clone()),
                        received_at: *received_at,
                    };
                    Reaction::send(vec![Sending::of::<Signal>(stream, command)])
                };
                alerts.map(observe).collect()
            }
            // The timer is set anew after all of the body's alerts were told to their signals: what is dropped takes along what
            // they are told from.
            delivery::Event::DeliveryRecognised { body_until, .. } => {
                let sooner = body_until.map(|until| drop_body(recorded.stream, until));
                sooner.into_iter().collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Drops a body when its time has come.
fn drop_body(stream: Uuid, due_at: DateTime<Utc>) -> Reaction {
    Reaction::Wait {
        timer: Uuid::new_v5(&stream, b"body"),
        due_at,
        sending: Sending::of::<Delivery>(stream, delivery::Command::DropBody {}),
    }
}

fn recognise(stream: Uuid) -> Reaction {
    let recognise = delivery::Command::Recognise { body: None };
    Reaction::send(vec![Sending::of::<Delivery>(stream, recognise)])
}
