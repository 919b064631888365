//! A valid past: random wishes go through the real decisions; what is refused does not happen.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use cloudwatcher::OrderStatus;
use cloudwatcher::approval::Approval;
use cloudwatcher::approval_policy::ApprovalPolicy;
use cloudwatcher::device_connection::DeviceConnection;
use cloudwatcher::inventory::Inventory;
use cloudwatcher::location::Location;
use cloudwatcher::order::{Event as OrderEvent, Order};
use cloudwatcher::part::Part;
use cloudwatcher::part_supplier::PartSupplier;
use cloudwatcher::part_variant::PartVariant;
use cloudwatcher::request::{DeviceRequest, Event as RequestEvent};
use cloudwatcher::supplier::Supplier;
use domain::register::{OnePerTenant, Register};
use domain::{AnyEvent, Contexts, Decider, Recorded, SYSTEM, Sending};
use identity::department::Department;
use identity::role::Role;
use identity::sign_in::SignIns;
use identity::user::{Event as UserEvent, User};
use rehearsal::{Occasion, Rehearsal, sending};
use serde_json::{Value, json};
use uuid::Uuid;

use super::wish::{Kind, TOP, Wish, id};

const TENANT: Uuid = Uuid::from_u128(0x7e);
/// Who asks for nearly everything; never erased.
const BUYER: Uuid = Uuid::from_u128(0xb0);
/// Who approves or rejects what is submitted, as the manager of [`TOP`]; never erased.
const APPROVER: Uuid = Uuid::from_u128(0xa0);
const APPROVERS: Uuid = Uuid::from_u128(0xa1);

/// The first day, counted from 1970: 2000-02-13.
const DAY_ZERO: i64 = 11_000;

/// What happened, and what a decision needs to know of it.
pub(super) struct Past {
    pub events: Vec<Recorded<AnyEvent>>,
    book: Rehearsal,
    erased: BTreeSet<Uuid>,
}

impl Past {
    pub(super) fn of(wishes: Vec<Wish>) -> Self {
        let contexts = Contexts::new(&[&identity::CONTEXT, &cloudwatcher::CONTEXT]).unwrap();
        let mut past = Self {
            events: Vec::new(),
            book: Rehearsal::new(contexts, TENANT),
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
            Kind::Request => {
                let command = wish.request(self.file(stream));
                let by = if command.get("archive").is_some() {
                    SYSTEM
                } else {
                    BUYER
                };
                self.ask_by::<DeviceRequest>(by, stream, command);
            }
            Kind::Connection => self.ask::<DeviceConnection>(stream, wish.connection()),
            Kind::Order => {
                let order = self.state::<Order>(stream);
                let items = order.content().map_or_else(Vec::new, |content| content.items.clone());
                self.ask::<Order>(stream, wish.order(&items, self.receipt(stream)));
                if wish.first > 0 {
                    self.approve(stream, wish.second > 0, wish.first > 1);
                }
            }
            Kind::Inventory if wish.moves_stock() => self.transfer(&wish),
            Kind::Inventory if wish.accepts() => self.accept(&wish),
            Kind::Inventory => {
                let stream = wish.stock().stream(TENANT);
                let now = self.state::<Inventory>(stream);
                self.ask::<Inventory>(stream, wish.inventory(&now));
            }
            Kind::SignIn if wish.long => self.sign_in_as_before(id(Kind::User, wish.which)),
            Kind::SignIn => self.ask::<SignIns>(id(Kind::User, wish.which), json!({ "record": {} })),
        }
    }

    /// A sign-in of the time when they were written down with the user.
    fn sign_in_as_before(&mut self, user: Uuid) {
        if !self.state::<User>(user).is_active() {
            return;
        }
        let occasion = self.occasion(user);
        let written = self.book.wrote::<User>(user, &UserEvent::UserSignedIn {}, &occasion);
        written.unwrap();
        self.take_note();
    }

    fn transfer(&mut self, wish: &Wish) {
        let (from, to) = (wish.stock(), wish.elsewhere());
        let half = json!({"transfer_id": Uuid::from_u128(u128::from(wish.more)), "quantity": 2, "to": to});
        let mut other = half.clone();
        other["from"] = json!(from);
        self.ask_together(&[
            sending::<Inventory>(from.stream(TENANT), &json!({ "transfer-out": half })),
            sending::<Inventory>(to.stream(TENANT), &json!({ "transfer-in": other })),
        ]);
    }

    /// Follows the open suggestion, with an order of its own.
    fn accept(&mut self, wish: &Wish) {
        let (stock, part_supplier_id) = (wish.stock(), id(Kind::PartSupplier, wish.second));
        let stream = stock.stream(TENANT);
        let (now, offer) = (
            self.state::<Inventory>(stream),
            self.state::<Register<PartSupplier>>(part_supplier_id),
        );
        let (Some(open), Some(offer)) = (now.open_suggestion(), offer.active()) else {
            return;
        };
        let order_id = Uuid::new_v5(&stream, open.suggestion_id.as_bytes());
        let item = json!({
            "part_id": stock.part_id, "variant_id": stock.variant_id, "supplier_id": offer.supplier_id,
            "quantity": 9, "unit_price": "0.10",
        });
        let draft = json!({ "draft": {
            "department_id": id(Kind::Department, wish.first), "currency": "EUR", "location_id": stock.location_id,
            "items": [item],
        } });
        let accept = json!({ "accept-reorder": {
            "suggestion_id": open.suggestion_id, "order_id": order_id, "quantity": 9, "part_supplier_id": part_supplier_id,
        } });
        self.ask_together(&[
            sending::<Order>(order_id, &draft),
            sending::<Inventory>(stream, &accept),
        ]);
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
        let of_receipt = |recorded: &Recorded<AnyEvent>| match recorded.of::<Order>() {
            Some(OrderEvent::OrderItemsReceived { receipt_id, .. }) if recorded.stream == order => Some(*receipt_id),
            _ => None,
        };
        self.events.iter().rev().find_map(of_receipt).unwrap_or_default()
    }

    /// The file of the request that was attached last.
    fn file(&self, request: Uuid) -> Uuid {
        let of_file = |recorded: &Recorded<AnyEvent>| match recorded.of::<DeviceRequest>() {
            Some(RequestEvent::RequestFileAttached { file_id, .. }) if recorded.stream == request => Some(*file_id),
            _ => None,
        };
        self.events.iter().rev().find_map(of_file).unwrap_or_default()
    }

    fn ask<D: Decider>(&mut self, stream: Uuid, command: Value) {
        self.ask_by::<D>(BUYER, stream, command);
    }

    fn ask_by<D: Decider>(&mut self, by: Uuid, stream: Uuid, command: Value) {
        self.carry_out(by, &[sending::<D>(stream, &command)]);
    }

    fn ask_together(&mut self, sendings: &[Sending]) {
        self.carry_out(BUYER, sendings);
    }

    /// Lets the commands happen as one, if the rules and the claims allow.
    fn carry_out(&mut self, by: Uuid, sendings: &[Sending]) {
        let occasion = self.occasion(by);
        // What is refused does not happen.
        if self.book.ask(sendings, &occasion).is_ok() {
            self.take_note();
        }
    }

    fn occasion(&self, by: Uuid) -> Occasion<'static> {
        Occasion {
            by,
            // A day each, so that what is to expire does.
            at: DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(DAY_ZERO + i64::try_from(self.events.len()).unwrap()),
            reason: Some("because"),
        }
    }

    /// Reads what has just happened.
    fn take_note(&mut self) {
        for recorded in &self.book.events()[self.events.len()..] {
            let event = self.book.contexts().decode(recorded).unwrap().unwrap();
            if let Some(UserEvent::UserErased { .. }) = event.of::<User>() {
                self.erased.insert(recorded.stream);
            }
            self.events.push(recorded.clone().map(|_| event));
        }
    }

    fn state<D: Decider>(&self, stream: Uuid) -> D {
        self.book.state(stream).unwrap()
    }
}
