//! The golden history on its way: commands in the words of a story, carried out by a [`Rehearsal`].

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::rehearsal::{Circumstances, Rehearsal};
use crate::{AnyCommand, Decider, Sending};

pub(super) const TENANT: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);

/// Seconds between two commands.
const STEP: TimeDelta = TimeDelta::seconds(90);

pub(super) struct Ledger {
    actor: Uuid,
    now: DateTime<Utc>,
    book: Rehearsal,
}

impl Ledger {
    pub(super) fn new(actor: Uuid, now: DateTime<Utc>) -> Self {
        Self {
            actor,
            now,
            book: Rehearsal::new(TENANT),
        }
    }

    /// Everything that happened, as the golden file holds it.
    pub(super) fn events(self) -> Vec<Value> {
        let events = self.book.events().iter();
        events
            .map(|recorded| {
                json!({
                    "position": recorded.position,
                    "tenant_id": recorded.tenant_id,
                    "aggregate_type": recorded.aggregate_type,
                    "stream": recorded.stream,
                    "sequence": recorded.sequence,
                    "event_type": recorded.event_type,
                    "event_version": recorded.event_version,
                    "payload": payload(&recorded.event),
                    "metadata": recorded.metadata,
                    "recorded_at": recorded.recorded_at,
                })
            })
            .collect()
    }

    /// What follows is asked by this user.
    pub(super) fn by(&mut self, actor: Uuid) -> &mut Self {
        self.actor = actor;
        self
    }

    /// What follows is asked so many hours later.
    pub(super) fn later(&mut self, hours: i64) -> &mut Self {
        self.now += TimeDelta::hours(hours);
        self
    }

    /// The field of the latest event under this id that has it.
    pub(super) fn named(&self, stream: Uuid, field: &str) -> Value {
        let of_stream = self
            .book
            .events()
            .iter()
            .rev()
            .filter(|recorded| recorded.stream == stream);
        let mut fields = of_stream.filter_map(|recorded| payload(&recorded.event).get(field).cloned());
        fields.next().unwrap()
    }

    /// The `place`-th item that the latest event of a stream lists.
    pub(super) fn item(&self, stream: Uuid, place: usize) -> Value {
        self.named(stream, "items")[place]["item_id"].clone()
    }

    /// What follows is about the time at which the next command is asked.
    pub(super) fn next(&self) -> DateTime<Utc> {
        self.now + STEP
    }

    pub(super) fn send<D: Decider>(&mut self, stream: Uuid, command: Value) -> &mut Self {
        self.carry_out(&[sending::<D>(stream, &command)], None)
    }

    pub(super) fn send_because<D: Decider>(&mut self, stream: Uuid, command: Value, reason: &str) -> &mut Self {
        self.carry_out(&[sending::<D>(stream, &command)], Some(reason))
    }

    /// An event that no command makes any more, as an earlier program wrote it.
    pub(super) fn wrote<D: Decider>(&mut self, stream: Uuid, event: &D::Event) -> &mut Self {
        self.now += STEP;
        let circumstances = Circumstances {
            by: self.actor,
            at: self.now,
            reason: None,
        };
        self.book.wrote::<D>(stream, event, &circumstances).unwrap();
        self
    }

    /// Commands that are carried out as one.
    pub(super) fn carry_out(&mut self, sendings: &[Sending], reason: Option<&str>) -> &mut Self {
        self.now += STEP;
        let circumstances = Circumstances {
            by: self.actor,
            at: self.now,
            reason,
        };
        let happened = self
            .book
            .ask(sendings, &circumstances)
            .unwrap_or_else(|unasked| panic!("{sendings:?}: {unasked}"));
        assert!(happened > 0, "{sendings:?} changes nothing");
        self
    }
}

/// A command as people write it.
pub(super) fn sending<D: Decider>(stream: Uuid, command: &Value) -> Sending {
    let parsed = AnyCommand::parse(D::TYPE, command);
    Sending::to(
        stream,
        parsed.unwrap_or_else(|error| panic!("{command}: {error}")).unwrap(),
    )
}

fn payload(event: &str) -> Value {
    serde_json::from_str(event).unwrap()
}
