//! A book in memory, just enough to write the golden history: it loads facts, decides, checks
//! claims and appends, as the real one does.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use cqrs_es::DomainEvent;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::event::{self, Metadata};
use crate::{Asking, ClaimChange, Decider, FactRef, Facts, Ids, Request};

pub(super) const TENANT: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);

/// Seconds between two commands.
const STEP: TimeDelta = TimeDelta::seconds(90);

/// An event as facts are folded from it.
struct Stored {
    event_type: String,
    version: String,
    payload: String,
    actor: Uuid,
}

impl Stored {
    fn as_stored(&self) -> event::Stored<'_> {
        event::Stored {
            event_type: &self.event_type,
            version: &self.version,
            payload: &self.payload,
            actor: self.actor,
        }
    }
}

pub(super) struct Ledger {
    actor: Uuid,
    now: DateTime<Utc>,
    commands: u32,
    events: Vec<Value>,
    /// Per kind and stream.
    streams: BTreeMap<(&'static str, Uuid), Vec<Stored>>,
    /// Per claim: who holds it.
    claims: BTreeMap<(&'static str, String), Uuid>,
}

impl Ledger {
    pub(super) fn new(actor: Uuid, now: DateTime<Utc>) -> Self {
        Self {
            actor,
            now,
            commands: 0,
            events: Vec::new(),
            streams: BTreeMap::new(),
            claims: BTreeMap::new(),
        }
    }

    pub(super) fn events(self) -> Vec<Value> {
        self.events
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
        let has_it = |stored: &&Value| stored["stream"] == json!(stream) && stored["payload"].get(field).is_some();
        self.events.iter().rfind(has_it).unwrap()["payload"][field].clone()
    }

    /// What follows is about the time at which the next command is asked.
    pub(super) fn next(&self) -> DateTime<Utc> {
        self.now + STEP
    }

    pub(super) fn send<D: Decider>(&mut self, stream: Uuid, command: Value) -> &mut Self {
        self.decide::<D>(stream, command, None)
    }

    pub(super) fn send_because<D: Decider>(&mut self, stream: Uuid, command: Value, reason: &str) -> &mut Self {
        self.decide::<D>(stream, command, Some(reason))
    }

    /// The `place`-th item that the latest event of a stream lists.
    pub(super) fn item(&self, stream: Uuid, place: usize) -> Value {
        let of_stream = |stored: &&Value| stored["stream"] == json!(stream) && stored["payload"].get("items").is_some();
        let latest = self.events.iter().rfind(of_stream).unwrap();
        latest["payload"]["items"][place]["item_id"].clone()
    }

    fn decide<D: Decider>(&mut self, stream: Uuid, command: Value, reason: Option<&str>) -> &mut Self {
        self.commands += 1;
        self.now += STEP;
        let command_id = Uuid::new_v5(&TENANT, &self.commands.to_be_bytes());
        let text = command.to_string();
        let command: D::Command = serde_json::from_value(command).unwrap();
        let mut state = self.fold::<D>(stream);
        let facts = self.facts(&state, stream, &command);
        let request = Request {
            tenant: TENANT,
            stream,
            by: self.actor,
            at: self.now,
            ids: Ids::new(command_id),
            reason,
            facts: &facts,
            command: &command,
        };
        let events = state
            .decide(&request)
            .unwrap_or_else(|refusal| panic!("{text}: {refusal}"));
        assert!(!events.is_empty(), "{text} changes nothing");
        for event in events {
            state
                .claims(stream, &event)
                .into_iter()
                .for_each(|change| self.claim(stream, change));
            self.append::<D>(stream, &event, command_id, reason);
            state.evolve(&event);
        }
        self
    }

    fn fold<D: Decider>(&self, stream: Uuid) -> D {
        let mut state = D::default();
        for stored in self.streams.get(&(D::TYPE, stream)).into_iter().flatten() {
            state.evolve(&event::decode(&stored.as_stored()).unwrap());
        }
        state
    }

    fn facts<D: Decider>(&self, state: &D, stream: Uuid, command: &D::Command) -> Facts {
        let mut facts = Facts::default();
        let mut named = BTreeSet::new();
        loop {
            let mut reads = state.reads(&Asking {
                tenant: TENANT,
                by: self.actor,
                stream,
                command,
                facts: &facts,
            });
            reads.retain(|read| named.insert((read.aggregate_type, read.id)));
            if reads.is_empty() {
                return facts;
            }
            for FactRef {
                aggregate_type,
                id,
                fold,
            } in reads
            {
                let Some(events) = self.streams.get(&(aggregate_type, id)) else {
                    continue;
                };
                let mut events = events.iter().map(Stored::as_stored);
                facts.insert(aggregate_type, id, fold(&mut events).unwrap());
            }
        }
    }

    fn claim(&mut self, stream: Uuid, change: ClaimChange) {
        match change {
            ClaimChange::Take { name, value } => {
                let holder = self.claims.insert((name, value.clone()), stream);
                assert_eq!(holder, None, "{name} {value} is taken");
            }
            ClaimChange::Release { name, value } => {
                let holder = self.claims.remove(&(name, value.clone()));
                assert_eq!(holder, Some(stream), "{name} {value} is released by who holds it");
            }
        }
    }

    fn append<D: Decider>(&mut self, stream: Uuid, event: &D::Event, command_id: Uuid, reason: Option<&str>) {
        let (event_type, version) = (event.event_type(), event.event_version());
        let payload: Value = serde_json::from_str(&event::encode(event).unwrap()).unwrap();
        let stored = self.streams.entry((D::TYPE, stream)).or_default();
        stored.push(Stored {
            event_type: event_type.clone(),
            version: version.clone(),
            payload: payload.to_string(),
            actor: self.actor,
        });
        let metadata = Metadata {
            tenant_id: TENANT,
            actor: self.actor,
            correlation_id: command_id,
            command_id,
            reason: reason.map(str::to_owned),
            ..Metadata::default()
        };
        self.events.push(json!({
            "position": self.events.len() + 1,
            "tenant_id": TENANT,
            "aggregate_type": D::TYPE,
            "stream": stream,
            "sequence": stored.len(),
            "event_type": event_type,
            "event_version": version,
            "payload": payload,
            "metadata": metadata,
            "recorded_at": self.now,
        }));
    }
}
