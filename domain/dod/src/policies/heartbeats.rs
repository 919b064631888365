//! From what is expected to an alert when it does not come, and back when it does.

use chrono::{DateTime, Utc};
use domain::{AnyEvent, Decider, Policy, Reaction, Recorded, Seen, Sending};
use uuid::Uuid;

use crate::alert::{self, Alert};
use crate::delivery::{self, Delivery};
use crate::expectation::{self, Expectations};
use crate::heartbeat::{self, Heartbeat, Terms};

/// Follows expectations, and opens and ends their alerts.
#[derive(Debug)]
pub struct Heartbeats;

impl Policy for Heartbeats {
    fn name(&self) -> &'static str {
        "dod-heartbeats"
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Expectations::TYPE, Delivery::TYPE, Heartbeat::TYPE]
    }

    fn react(&self, seen: &Seen<'_>) -> Vec<Reaction> {
        let recorded = seen.recorded;
        if let Some(event) = recorded.of::<Expectations>() {
            return vec![of_expectation(event, recorded.stream)];
        }
        if let Some(delivery::Event::HeartbeatsHeard {
            expectations,
            received_at,
            ..
        }) = recorded.of::<Delivery>()
        {
            let all = Expectations::only_stream(recorded.tenant_id);
            let hear = |&expectation_id: &Uuid| {
                let hear = heartbeat::Command::Hear {
                    received_at: *received_at,
                    delivery_id: recorded.stream,
                };
                send(Heartbeat::stream(all, expectation_id), hear)
            };
            return expectations.iter().map(hear).collect();
        }
        match recorded.of::<Heartbeat>() {
            Some(event) => of_heartbeat(event, recorded),
            None => Vec::new(),
        }
    }
}

fn of_expectation(event: &expectation::Event, stream: Uuid) -> Reaction {
    match event {
        expectation::Event::ExpectationSet {
            expectation_id,
            expectation,
        } => {
            let terms = Box::new(Terms {
                expectation_id: *expectation_id,
                expectation: (**expectation).clone(),
            });
            let stream = Heartbeat::stream(stream, *expectation_id);
            send(stream, heartbeat::Command::Watch { terms })
        }
        expectation::Event::ExpectationDropped { expectation_id } => {
            let stream = Heartbeat::stream(stream, *expectation_id);
            send(stream, heartbeat::Command::Unwatch {})
        }
    }
}

fn of_heartbeat(event: &heartbeat::Event, recorded: &Recorded<AnyEvent>) -> Vec<Reaction> {
    let stream = recorded.stream;
    match event {
        heartbeat::Event::HeartbeatWatched { due_at, .. } | heartbeat::Event::HeartbeatExcused { due_at } => {
            vec![look(stream, *due_at)]
        }
        heartbeat::Event::HeartbeatHeard {
            heard_at,
            due_at,
            ended_alert_id,
            ..
        } => {
            let ended = ended_alert_id.map(|alert_id| clear(alert_id, *heard_at));
            ended.into_iter().chain([look(stream, *due_at)]).collect()
        }
        heartbeat::Event::HeartbeatMissed {
            alert_id,
            source_id,
            brief,
            since,
            ..
        } => {
            let open = alert::Command::Open {
                // No sender tells of it: it is what Daybook itself follows.
                signal_id: stream,
                source_id: *source_id,
                delivery_id: stream,
                brief: brief.clone(),
                original_severity: None,
                starts_at: Some(*since),
                links: Vec::new(),
                raw: None,
                is_heartbeat: false,
            };
            vec![Reaction::send(vec![Sending::of::<Alert>(*alert_id, open)])]
        }
        heartbeat::Event::HeartbeatUnwatched {
            ended_alert_id,
            unwatched_at,
        } => {
            let ended = ended_alert_id.map(|alert_id| clear(alert_id, *unwatched_at));
            let forget = Reaction::Forget { timer: timer(stream) };
            ended.into_iter().chain([forget]).collect()
        }
    }
}

fn send(stream: Uuid, command: heartbeat::Command) -> Reaction {
    Reaction::send(vec![Sending::of::<Heartbeat>(stream, command)])
}

fn clear(alert_id: Uuid, cleared_at: DateTime<Utc>) -> Reaction {
    let clear = alert::Command::Clear {
        cleared_at,
        expired: false,
    };
    Reaction::send(vec![Sending::of::<Alert>(alert_id, clear)])
}

/// Each coming sets the timer anew.
fn look(stream: Uuid, due_at: DateTime<Utc>) -> Reaction {
    Reaction::Wait {
        timer: timer(stream),
        due_at,
        sending: Sending::of::<Heartbeat>(stream, heartbeat::Command::Look {}),
    }
}

fn timer(stream: Uuid) -> Uuid {
    Uuid::new_v5(&stream, b"due")
}
