//! The decisions about a stock key.

use uuid::Uuid;

use super::open::{in_place, keys_read, opened};
use super::to_come::{order_of, still_to_come};
use super::{Command, Event, Inventory, Record, Refusal, StockKey, reorder};
use crate::location::Location;
use crate::order::Order;
use crate::part_supplier::PartSupplier;
use crate::stock_policy::StockPolicy;
use domain::register::{OnePerTenant, Register};
use domain::{Asker, Asking, Decider, FactRef, Request, SYSTEM};
use identity::user::User;

impl Decider for Inventory {
    const TYPE: &'static str = "cloudwatcher.inventory";
    const CREATES: &'static str = "open";
    const SCOPED: bool = true;
    const CARRIES_FORWARD: Option<&'static str> = Some("StockCarriedForward");
    const ONLY_DAYBOOK: &'static [&'static str] = &["expect", "expire", "look-again"];
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        if request.by != SYSTEM {
            self.leaves_orders_alone(request.command)?;
        }
        if let Some(stock) = request.command.stock() {
            in_place(stock, request)?;
        }
        let mut events = self.begun(request)?;
        let mut after = self.clone();
        after.evolve_all(&events);
        let happened = match &after {
            Self::Open(record) => record.happens(request)?,
            Self::Unopened => return Err(Refusal::NotOpened),
        };
        after.evolve_all(&happened);
        events.extend(happened);
        if events.is_empty() && *request.command != (Command::LookAgain {}) {
            return Ok(events);
        }
        let reorder = after.record().and_then(|record| record.reorder(request));
        after.evolve_all(reorder.as_slice());
        events.extend(reorder);
        if !events.is_empty() {
            events.extend(after.carried());
        }
        Ok(events)
    }

    fn evolve(&mut self, event: &Event) {
        self.evolved(event);
    }

    fn reads(&self, asking: &Asking<'_, Command>) -> Vec<FactRef> {
        let in_use = match self {
            Self::Unopened => asking.command.stock().map(keys_read).unwrap_or_default(),
            Self::Open(record) => record.in_use_reads(asking.command),
        };
        let named = match asking.command {
            Command::Consume(of) => {
                let other = of.consumed_by.filter(|&user| user != asking.by);
                Vec::from_iter(other.map(FactRef::of::<User>))
            }
            // Asked whether it wants what is kept for it, or is over and brings nothing more.
            Command::Reserve { source, .. }
            | Command::Receive {
                source,
                still_to_come: Some(_),
                ..
            }
            | Command::Issue {
                source,
                still_to_come: Some(_),
                ..
            }
            | Command::TransferOut {
                source,
                still_to_come: Some(_),
                ..
            }
            | Command::TransferIn {
                source,
                still_to_come: Some(_),
                ..
            } => {
                let order = order_of(source.as_ref());
                Vec::from_iter(order.map(FactRef::of::<Order>))
            }
            Command::Expect { order_id, .. } => vec![FactRef::of::<Order>(*order_id)],
            Command::AcceptReorder { part_supplier_id, .. } => vec![
                FactRef::of::<Register<PartSupplier>>(*part_supplier_id),
                StockPolicy::fact(asking.tenant),
            ],
            _ => Vec::new(),
        };
        in_use.into_iter().chain(named).collect()
    }

    fn stream_of(tenant: Uuid, command: &Command) -> Option<Uuid> {
        command.stock().map(|stock| stock.stream(tenant))
    }

    fn home(&self) -> Option<Uuid> {
        self.department_id()
    }

    fn offers(&self, command: &str, _stream: Uuid, _asker: &Asker) -> Result<(), Refusal> {
        match (self, command) {
            // These say of what a record is, and so open it.
            (Self::Unopened, "open" | "receive" | "expect" | "transfer-in") => Ok(()),
            (Self::Unopened, _) => Err(Refusal::NotOpened),
            (Self::Open(_), "open") => Err(Refusal::AlreadyOpen),
            (Self::Open(record), _) => record.takes(command),
        }
    }

    /// A user who opens a record has to reach its location; one who goes on with it, the record.
    fn concerns(command: &Command) -> Vec<FactRef> {
        let location = |stock: StockKey| FactRef::of::<Register<Location>>(stock.location_id);
        command.stock().map(location).into_iter().collect()
    }
}

impl Inventory {
    /// An order moves, keeps and expects goods by itself, by way of Daybook: whoever did it beside would say of the order
    /// what it does not know.
    fn leaves_orders_alone(&self, command: &Command) -> Result<(), Refusal> {
        let kept = command.reservation_id().zip(self.record());
        let kept = kept.and_then(|(id, record)| record.live(id));
        let sources = [command.source(), kept.and_then(|live| live.source)];
        match sources.iter().find_map(|source| order_of(source.as_ref())) {
            Some(order_id) => Err(Refusal::OrdersOwn { order_id }),
            None => Ok(()),
        }
    }

    fn evolve_all(&mut self, events: &[Event]) {
        events.iter().for_each(|event| self.evolved(event));
    }

    /// The opening of the record, which comes before everything else, if the command says of what it is.
    fn begun(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        let (reorder_point, reorder_quantity) = match (self, request.command) {
            (Self::Open(_), Command::Open { .. }) => return Err(Refusal::AlreadyOpen),
            (Self::Open(_), _) => return Ok(Vec::new()),
            // A notice that nothing is to come opens no record.
            (&Self::Unopened, &Command::Expect { order_id, quantity, .. })
                if still_to_come(order_id, quantity, request) == 0 =>
            {
                return Err(Refusal::NotOpened);
            }
            (
                Self::Unopened,
                &Command::Open {
                    reorder_point,
                    reorder_quantity,
                    ..
                },
            ) => (reorder_point, reorder_quantity),
            (Self::Unopened, _) => (None, None),
        };
        let Some(stock) = request.command.stock() else {
            return Err(Refusal::NotOpened);
        };
        reorder::check(reorder_point, reorder_quantity)?;
        opened(stock, reorder_point, reorder_quantity, request).map(|event| vec![event])
    }
}

impl Record {
    /// Whether a command of this name, other than the one that opens the record, may be accepted.
    fn takes(&self, command: &str) -> Result<(), Refusal> {
        let now = self.levels();
        match command {
            "receive" | "transfer-in" => self.with(1).map(drop),
            // Reserved or not, there is nothing to give.
            "issue" | "consume" | "transfer-out" if now.on_hand == 0 => Err(Refusal::NotAvailable { available: 0 }),
            // A repeat of what is reserved is one also when nothing is left.
            "reserve" if self.reservations.is_empty() && now.available() <= 0 => {
                Err(Refusal::NotAvailable { available: 0 })
            }
            "accept-reorder" | "dismiss-reorder" if self.suggestion.is_none() => Err(Refusal::NoSuchSuggestion),
            _ => Ok(()),
        }
    }

    fn happens(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        let one = |event: Event| vec![event];
        match request.command {
            Command::Open { .. } | Command::LookAgain {} => Ok(Vec::new()),
            &Command::SetReorder {
                reorder_point,
                reorder_quantity,
            } => self.reorder_set(reorder_point, reorder_quantity),
            &Command::Receive { quantity, source, .. } => {
                self.takes_in(request.facts)?;
                self.received(quantity, source, request).map(one)
            }
            &Command::Issue {
                quantity,
                reservation_id,
                source,
                ..
            } => self.issued(quantity, reservation_id, source, request).map(one),
            Command::Consume(of) => self.consumed(of, request).map(one),
            &Command::Reserve {
                quantity,
                reservation_id,
                source,
                expires_at,
            } => self.reserved(quantity, reservation_id, source, expires_at, request),
            &Command::Shorten {
                reservation_id,
                quantity,
            } => self.shortened(reservation_id, quantity),
            &Command::Release { reservation_id } => Ok(self.released(reservation_id)),
            &Command::Expire { reservation_id } => self.expired(reservation_id, request.at),
            &Command::Count {
                seen,
                counted,
                seen_sequence,
            } => {
                self.as_seen(seen, seen_sequence, request.sequence)?;
                self.counted(seen, counted).map(one)
            }
            &Command::TransferOut {
                transfer_id,
                to,
                quantity,
                reservation_id,
                source,
                ..
            } => self
                .transferred_out(transfer_id, to, quantity, reservation_id, source, request)
                .map(one),
            &Command::TransferIn {
                transfer_id,
                from,
                to: _,
                quantity,
                source,
                ..
            } => self
                .transferred_in(transfer_id, from, quantity, source, request)
                .map(one),
            &Command::Expect { order_id, quantity, .. } => self.expected(order_id, quantity, request),
            &Command::AcceptReorder {
                suggestion_id,
                order_id,
                quantity,
                part_supplier_id,
            } => self
                .reorder_accepted(suggestion_id, order_id, quantity, part_supplier_id, request)
                .map(one),
            &Command::DismissReorder { suggestion_id } => self.reorder_dismissed(suggestion_id).map(one),
        }
    }
}
