//! A valid past: random wishes go through the real decisions; what is refused does not happen.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use domain::cloudwatcher::OrderStatus;
use domain::cloudwatcher::approval::Approval;
use domain::cloudwatcher::approval_policy::ApprovalPolicy;
use domain::cloudwatcher::order::{Event as OrderEvent, Order};
use domain::cloudwatcher::part::Part;
use domain::cloudwatcher::part_supplier::PartSupplier;
use domain::cloudwatcher::part_variant::PartVariant;
use domain::cloudwatcher::request::DeviceRequest;
use domain::cloudwatcher::supplier::Supplier;
use domain::event::Stored;
use domain::identity::department::Department;
use domain::identity::role::Role;
use domain::identity::user::{Event as UserEvent, User};
use domain::register::Register;
use domain::{AnyEvent, Asking, ClaimChange, Decider, FactRef, Facts, Ids, Metadata, Recorded, Request, event};
use serde_json::{Value, json};
use uuid::Uuid;

use super::wish::{Kind, TOP, Wish, id};

const TENANT: Uuid = Uuid::from_u128(0x7e);
/// Who asks for nearly everything; never erased.
const BUYER: Uuid = Uuid::from_u128(0xb0);
/// Who approves or rejects what is submitted, as the manager of [`TOP`]; never erased.
const APPROVER: Uuid = Uuid::from_u128(0xa0);
const APPROVERS: Uuid = Uuid::from_u128(0xa1);

/// An event's name, version and payload; all are of today's version, which names who asked where it matters.
type Kept = (String, String, String);

fn stored((event_type, version, payload): &Kept) -> Stored<'_> {
    Stored {
        event_type,
        version,
        payload,
        actor: BUYER,
    }
}

/// What happened, and what a decision needs to know of it.
pub(super) struct Past {
    pub events: Vec<Recorded<AnyEvent>>,
    streams: BTreeMap<(&'static str, Uuid), Vec<Kept>>,
    claims: BTreeMap<(&'static str, String), Uuid>,
    erased: BTreeSet<Uuid>,
    commands: u32,
}

impl Past {
    pub(super) fn of(wishes: Vec<Wish>) -> Self {
        let mut past = Self {
            events: Vec::new(),
            streams: BTreeMap::new(),
            claims: BTreeMap::new(),
            erased: BTreeSet::new(),
            commands: 0,
        };
        past.ask::<User>(
            BUYER,
            json!({"register": {"email": "buyer@example.com", "name": "Buyer"}}),
        );
        past.staff();
        // One of each, so that most wishes refer to something.
        for kind in Kind::ALL {
            past.grant(Wish {
                what: kind as u8,
                which: 0,
                first: 0,
                second: 0,
                choice: 0,
                more: 0,
                long: false,
            });
        }
        wishes.into_iter().for_each(|wish| past.grant(wish));
        past
    }

    pub(super) fn is_erased(&self, user: Uuid) -> bool {
        self.erased.contains(&user)
    }

    fn grant(&mut self, wish: Wish) {
        let (kind, stream) = (wish.kind(), id(wish.kind(), wish.which));
        match kind {
            Kind::Department => self.ask::<Register<Department>>(stream, wish.department()),
            Kind::Role => self.ask::<Role>(stream, wish.role()),
            Kind::User => self.ask::<User>(stream, wish.user()),
            Kind::Supplier => self.ask::<Register<Supplier>>(stream, wish.supplier()),
            Kind::Part => self.ask::<Register<Part>>(stream, wish.part()),
            Kind::PartVariant => self.ask::<Register<PartVariant>>(stream, wish.part_variant()),
            Kind::PartSupplier => self.ask::<Register<PartSupplier>>(stream, wish.part_supplier()),
            Kind::Request => self.ask::<DeviceRequest>(stream, wish.request()),
            Kind::Order => {
                let order = self.state::<Order>(stream);
                let items = order.content().map_or_else(Vec::new, |content| content.items.clone());
                self.ask::<Order>(stream, wish.order(&items, self.receipt(stream)));
                if wish.first > 0 {
                    self.approve(stream, wish.second > 0, wish.first > 1);
                }
            }
        }
    }

    /// One level of approval by one person, whatever it costs.
    fn staff(&mut self) {
        self.ask::<User>(
            APPROVER,
            json!({"register": {"email": "approver@example.com", "name": "Approver"}}),
        );
        self.ask::<Role>(
            APPROVERS,
            json!({"define": {"name": "Approvers", "permissions": ["orders.approve"]}}),
        );
        self.ask::<User>(APPROVER, json!({"assign-role": {"role_id": APPROVERS}}));
        self.ask::<Register<Department>>(TOP, json!({"enter": {"name": "Top", "manager_id": APPROVER}}));
        let currencies = json!([{"currency": "EUR", "thresholds": [0]}, {"currency": "USD", "thresholds": [0]}]);
        self.ask::<Register<ApprovalPolicy>>(
            ApprovalPolicy::stream(TENANT),
            json!({"enter": {"currencies": currencies}}),
        );
    }

    /// What Daybook and the approver do about an order that waits for approval; mostly it is granted.
    fn approve(&mut self, order: Uuid, is_granted: bool, is_placed: bool) {
        let state = self.state::<Order>(order);
        if state.status() != Some(OrderStatus::PendingApproval) {
            return;
        }
        let revision = state.submitted().map(|submitted| submitted.revision);
        self.ask::<Approval>(order, json!({"ask": {"revision": revision}}));
        let decision = if is_granted {
            json!({"approve": {"revision": revision}})
        } else {
            json!({"reject": {"revision": revision, "notes": "no"}})
        };
        self.ask_by::<Approval>(APPROVER, order, decision);
        self.ask::<Order>(order, json!({"settle-approval": {}}));
        if is_placed {
            self.ask::<Order>(order, json!({"place": {}}));
        }
    }

    /// The receipt of the order that was booked last.
    fn receipt(&self, order: Uuid) -> Uuid {
        let of_receipt = |recorded: &Recorded<AnyEvent>| match &recorded.event {
            AnyEvent::Order(OrderEvent::OrderItemsReceived { receipt_id, .. }) if recorded.stream == order => {
                Some(*receipt_id)
            }
            _ => None,
        };
        self.events.iter().rev().find_map(of_receipt).unwrap_or_default()
    }

    fn ask<D: Decider>(&mut self, stream: Uuid, command: Value) {
        self.ask_by::<D>(BUYER, stream, command);
    }

    /// Lets the command happen, if the rules and the claims allow.
    fn ask_by<D: Decider>(&mut self, by: Uuid, stream: Uuid, command: Value) {
        self.commands += 1;
        let command: D::Command = serde_json::from_value(command.clone()).unwrap_or_else(|e| panic!("{command}: {e}"));
        let mut state = self.state::<D>(stream);
        let facts = self.facts(&state, by, stream, &command);
        let request = Request {
            tenant: TENANT,
            stream,
            by,
            at: DateTime::<Utc>::UNIX_EPOCH,
            ids: Ids::new(Uuid::new_v5(&TENANT, &self.commands.to_be_bytes())),
            reason: Some("because"),
            facts: &facts,
            command: &command,
        };
        let Ok(events) = state.decide(&request) else { return };
        for event in events {
            let changes = state.claims(stream, &event);
            if !self.claimed(stream, changes) {
                return;
            }
            state.evolve(&event);
            self.append::<D>(by, stream, &event);
        }
    }

    fn state<D: Decider>(&self, stream: Uuid) -> D {
        let mut state = D::default();
        for kept in self.streams.get(&(D::TYPE, stream)).into_iter().flatten() {
            state.evolve(&event::decode(&stored(kept)).unwrap());
        }
        state
    }

    fn facts<D: Decider>(&self, state: &D, by: Uuid, stream: Uuid, command: &D::Command) -> Facts {
        let mut facts = Facts::default();
        let mut named = BTreeSet::new();
        loop {
            let mut reads = state.reads(&Asking {
                tenant: TENANT,
                by,
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
                if let Some(events) = self.streams.get(&(aggregate_type, id)) {
                    let mut events = events.iter().map(stored);
                    facts.insert(aggregate_type, id, fold(&mut events).unwrap());
                }
            }
        }
    }

    /// Whether nobody else holds what is to be taken.
    fn claimed(&mut self, stream: Uuid, changes: Vec<ClaimChange>) -> bool {
        let taken = |change: &ClaimChange| match change {
            ClaimChange::Take { name, value } => self
                .claims
                .get(&(*name, value.clone()))
                .is_some_and(|holder| *holder != stream),
            ClaimChange::Release { .. } => false,
        };
        if changes.iter().any(taken) {
            return false;
        }
        for change in changes {
            match change {
                ClaimChange::Take { name, value } => _ = self.claims.insert((name, value), stream),
                ClaimChange::Release { name, value } => _ = self.claims.remove(&(name, value)),
            }
        }
        true
    }

    fn append<D: Decider>(&mut self, by: Uuid, stream: Uuid, event: &D::Event) {
        use cqrs_es::DomainEvent as _;
        let position = i64::try_from(self.events.len()).unwrap() + 1;
        let (event_type, event_version) = (event.event_type(), event.event_version());
        let kept = (event_type.clone(), event_version.clone(), event::encode(event).unwrap());
        let decoded = AnyEvent::decode(D::TYPE, &stored(&kept)).unwrap().unwrap();
        if matches!(decoded, AnyEvent::User(UserEvent::UserErased { .. })) {
            self.erased.insert(stream);
        }
        let events = self.streams.entry((D::TYPE, stream)).or_default();
        events.push(kept);
        let sequence = i64::try_from(events.len()).unwrap();
        self.events.push(Recorded {
            position,
            event_id: event::event_id(D::TYPE, stream, sequence),
            tenant_id: TENANT,
            aggregate_type: D::TYPE.to_owned(),
            stream,
            sequence,
            event_type,
            event_version,
            metadata: Metadata {
                tenant_id: TENANT,
                actor: by,
                reason: Some("because".to_owned()),
                ..Metadata::default()
            },
            at: DateTime::<Utc>::UNIX_EPOCH + TimeDelta::milliseconds(position),
            recorded_at: DateTime::<Utc>::UNIX_EPOCH + TimeDelta::milliseconds(position),
            event: decoded,
        });
    }
}
