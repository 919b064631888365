//! The command that Daybook sends by itself when somebody's time on a request is over.

use uuid::Uuid;

use super::wait;
use crate::request::{Command, DeviceRequest, Event};
use domain::{Decider, Policy, Reaction, Seen};

/// Takes requests back from those whose lease has run out.
#[derive(Debug)]
pub struct RequestLeases;

impl Policy for RequestLeases {
    fn name(&self) -> &'static str {
        "request-leases"
    }

    fn reads(&self) -> &'static [&'static str] {
        &[DeviceRequest::TYPE]
    }

    fn react(&self, seen: &Seen<'_>) -> Vec<Reaction> {
        let Some(event) = seen.recorded.of::<DeviceRequest>() else {
            return Vec::new();
        };
        let stream = seen.recorded.stream;
        match event {
            Event::RequestBegun { until: Some(until), .. }
            | Event::RequestProlonged { until, .. }
            | Event::RequestTakenOver { until, .. } => {
                vec![wait::<DeviceRequest>(timer(stream), *until, stream, Command::Lapse {})]
            }
            Event::RequestReleased { .. } | Event::RequestCompleted { .. } | Event::RequestFailed { .. } => {
                vec![Reaction::Forget { timer: timer(stream) }]
            }
            _ => Vec::new(),
        }
    }
}

/// One to a request: a longer lease takes the place of the one before.
fn timer(stream: Uuid) -> Uuid {
    Uuid::new_v5(&stream, b"lease")
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use serde_json::json;

    use super::*;
    use crate::policies::tests::recorded;
    use domain::Sending;

    const REQUEST: Uuid = Uuid::from_u128(0x50);
    const CLERK: Uuid = Uuid::from_u128(0x51);

    fn until() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(30)
    }

    fn react(event: Event) -> Vec<Reaction> {
        RequestLeases.react(&Seen::new(&recorded::<DeviceRequest>(REQUEST, event), None))
    }

    fn begun(until: Option<DateTime<Utc>>) -> Event {
        Event::RequestBegun {
            response_id: REQUEST,
            by: until.map(|_| CLERK),
            until,
        }
    }

    #[test]
    fn a_lease_is_waited_for_and_a_longer_one_takes_its_place() {
        let waits = [Reaction::Wait {
            timer: timer(REQUEST),
            due_at: until(),
            sending: Sending::of::<DeviceRequest>(REQUEST, Command::Lapse {}),
        }];
        let (by, from) = (CLERK, REQUEST);
        assert_eq!(react(begun(Some(until()))), waits);
        assert_eq!(react(Event::RequestProlonged { by, until: until() }), waits);
        assert_eq!(
            react(Event::RequestTakenOver {
                by,
                from,
                until: until()
            }),
            waits
        );
        assert_eq!(react(begun(None)), []);
    }

    #[test]
    fn what_is_given_back_or_answered_is_waited_for_no_longer() {
        let forgotten = [Reaction::Forget { timer: timer(REQUEST) }];
        assert_eq!(react(Event::RequestReleased { from: Some(CLERK) }), forgotten);
        assert_eq!(
            react(Event::RequestFailed {
                response_id: REQUEST,
                content: json!({}).into(),
                ai_processed: false,
                metadata: crate::request::Metadata::new(),
            }),
            forgotten
        );
    }
}
