//! A valid past: random wishes go through the real decisions; what is refused does not happen.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use domain::cloudwatcher::OrderStatus;
use domain::cloudwatcher::approval::Approval;
use domain::cloudwatcher::approval_policy::ApprovalPolicy;
use domain::cloudwatcher::location::Location;
use domain::cloudwatcher::order::{Event as OrderEvent, Order};
use domain::cloudwatcher::part::Part;
use domain::cloudwatcher::part_supplier::PartSupplier;
use domain::cloudwatcher::part_variant::PartVariant;
use domain::cloudwatcher::request::DeviceRequest;
use domain::cloudwatcher::supplier::Supplier;
use domain::identity::department::Department;
use domain::identity::role::Role;
use domain::identity::user::{Event as UserEvent, User};
use domain::register::Register;
use domain::rehearsal::{Circumstances, Rehearsal};
use domain::{AnyCommand, AnyEvent, Decider, Recorded};
use serde_json::{Value, json};
use uuid::Uuid;

use super::wish::{Kind, TOP, Wish, id};

const TENANT: Uuid = Uuid::from_u128(0x7e);
/// Who asks for nearly everything; never erased.
const BUYER: Uuid = Uuid::from_u128(0xb0);
/// Who approves or rejects what is submitted, as the manager of [`TOP`]; never erased.
const APPROVER: Uuid = Uuid::from_u128(0xa0);
const APPROVERS: Uuid = Uuid::from_u128(0xa1);

/// What happened, and what a decision needs to know of it.
pub(super) struct Past {
    pub events: Vec<Recorded<AnyEvent>>,
    book: Rehearsal,
    erased: BTreeSet<Uuid>,
}

impl Past {
    pub(super) fn of(wishes: Vec<Wish>) -> Self {
        let mut past = Self {
            events: Vec::new(),
            book: Rehearsal::new(TENANT),
            erased: BTreeSet::new(),
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
            Kind::Location => self.ask::<Register<Location>>(stream, wish.location()),
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
        let parsed = AnyCommand::parse(D::TYPE, &command).unwrap_or_else(|error| panic!("{command}: {error}"));
        let before = self.book.events().len();
        let circumstances = Circumstances {
            by,
            at: DateTime::<Utc>::UNIX_EPOCH + TimeDelta::milliseconds(i64::try_from(before).unwrap()),
            reason: Some("because"),
        };
        // What is refused does not happen.
        if self.book.ask_one(stream, parsed.unwrap(), &circumstances).is_err() {
            return;
        }
        for recorded in &self.book.events()[before..] {
            let event = AnyEvent::decode(&recorded.aggregate_type, &recorded.stored())
                .unwrap()
                .unwrap();
            if matches!(event, AnyEvent::User(UserEvent::UserErased { .. })) {
                self.erased.insert(stream);
            }
            self.events.push(recorded.clone().map(|_| event));
        }
    }

    fn state<D: Decider>(&self, stream: Uuid) -> D {
        self.book.state(stream).unwrap()
    }
}
