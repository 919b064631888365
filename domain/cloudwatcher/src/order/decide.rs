//! The decisions about an order, and the state that events lead to.

use uuid::Uuid;

use super::begin::begun;
use super::check::{check_stock, content_reads, item_usable, parts_read, reference};
use super::edit::{brought_in, edit, edited};
use super::submit::{hand_in_reads, handed_in, place_reads, placeable, verdict};
use super::{Command, Event, ITEMS_MAX, Item, NewItem, NewOrder, Order, Refusal, Submitted};
use crate::OrderStatus;
use crate::approval::{Approval, Verdict};
use crate::location::Location;
use crate::request::{self, DeviceRequest};
use domain::register::Register;
use domain::{Asker, Asking, Claim, ClaimChange, Decider, FactRef, Request};
use identity::department::Department;

impl Decider for Order {
    const TYPE: &'static str = "cloudwatcher.order";
    const CREATES: &'static str = "draft";
    const CLAIMS: &'static [Claim] = &[request::ORDER];
    const SCOPED: bool = true;
    const ONLY_DAYBOOK: &'static [&'static str] = &["settle-approval", "note-stock-refused", "confirm-booked"];
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        let events = self.decided(request)?;
        Ok(self.name(events, request.facts))
    }

    fn evolve(&mut self, event: &Event) {
        *self = std::mem::take(self).after(event);
    }

    fn reads(&self, asking: &Asking<'_, Command>) -> Vec<FactRef> {
        let mut refs = self.rests_on(asking);
        let names = self.names_read(asking.command).into_iter();
        let is_known = |name: &FactRef, refs: &[FactRef]| {
            let mut known = refs.iter();
            known.any(|known| (known.aggregate_type, known.id) == (name.aggregate_type, name.id))
        };
        for name in names {
            if !is_known(&name, &refs) {
                refs.push(name);
            }
        }
        refs
    }

    fn body_bytes_max(command: &str) -> usize {
        match command {
            // Of so many items, or lines.
            "draft" => 512 << 10,
            "receive" | "confirm" => 128 << 10,
            _ => domain::decider::BODY_BYTES_MAX,
        }
    }

    fn claims(&self, _stream: Uuid, event: &Event) -> Vec<ClaimChange> {
        let claim = |request_id: &Uuid| (request::ORDER, request_id.to_string());
        match event {
            Event::OrderDrafted { request_id, .. } => {
                ClaimChange::between(Vec::new(), request_id.iter().map(claim).collect())
            }
            Event::OrderCancelled {} => {
                let held = self.content().and_then(|content| content.request_id);
                ClaimChange::between(held.iter().map(claim).collect(), Vec::new())
            }
            _ => Vec::new(),
        }
    }

    fn home(&self) -> Option<Uuid> {
        self.department_id()
    }

    fn department(&self, command: &Command) -> Option<Uuid> {
        match command {
            Command::Draft(NewOrder { department_id, .. }) => Some(*department_id),
            // That of the order that it copies, which is not known here.
            Command::Duplicate { .. } => None,
            _ => self.home(),
        }
    }

    fn draws_on(&self) -> Vec<FactRef> {
        let content = self.content();
        content.map_or_else(Vec::new, |content| {
            locations(content.location_id, content.from_location_id)
        })
    }

    fn concerns(command: &Command) -> Vec<FactRef> {
        match command {
            Command::Duplicate { of, .. } => vec![FactRef::of::<Self>(*of)],
            // Approval looks at what is spent, not at whose shelf is emptied.
            Command::Draft(NewOrder {
                location_id,
                from_location_id,
                ..
            }) => locations(*location_id, *from_location_id),
            _ => Vec::new(),
        }
    }

    fn offers(&self, command: &str, _stream: Uuid, asker: &Asker) -> Result<(), Refusal> {
        self.takes(command, asker.by)
    }
}

/// Locations that an order is about.
fn locations(to: Option<Uuid>, from: Option<Uuid>) -> Vec<FactRef> {
    let locations = to.into_iter().chain(from);
    locations.map(FactRef::of::<Register<Location>>).collect()
}

impl Order {
    /// The decision, before anything is called by name.
    fn decided(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        let Some(status) = self.status() else {
            return begun(request).map(|event| vec![event]);
        };
        match request.command {
            Command::Draft(_) | Command::Duplicate { .. } => Err(Refusal::AlreadyDrafted),
            Command::AddItem(_)
            | Command::ChangeItem(_)
            | Command::RemoveItem { .. }
            | Command::ChangeCurrency { .. } => self.changed(status, request),
            Command::Annotate { .. } => {
                let event = edit(self.annotatable(status)?, request.command, Uuid::nil())?;
                Ok(event.into_iter().collect())
            }
            &Command::Reschedule {
                item_id,
                expected_delivery_date,
            } => self.rescheduled(status, item_id, expected_delivery_date),
            Command::Confirm(confirmation) => self.confirmed(status, confirmation),
            Command::Submit {} => handed_in(self.draft(status)?, request).map(|event| vec![event]),
            Command::SettleApproval {} => match self.awaiting(status)? {
                Some(submitted) => settled(submitted, request).map(|event| vec![event]),
                None => Ok(Vec::new()),
            },
            Command::Place {} => {
                let (now, submitted) = self.approved(status)?;
                placeable(now, submitted, request).map(|()| vec![Event::OrderPlaced {}])
            }
            Command::Receive { lines } => {
                let (now, receipts) = self.receiving(status)?;
                let mut events = receipts.receive(now, lines, request.ids.draw())?;
                // What is closed short stays so, whatever comes late.
                events.retain(|event| *event != Event::OrderReceived {} || status != OrderStatus::ClosedShort);
                Ok(events)
            }
            &Command::ReverseReceipt { receipt_id } => {
                let (now, submitted, receipts) = self.reversible(status)?;
                let was_booked = now.moves_stock() && !submitted.waits_for_receipt(receipt_id);
                let left = match status {
                    OrderStatus::ClosedShort => Some(OrderStatus::ClosedShort),
                    _ => None,
                };
                receipts
                    .reverse(now, receipt_id, was_booked, left)
                    .map(|event| vec![event])
            }
            Command::NoteStockRefused { booking } => Ok(self.stock_refused(booking).into_iter().collect()),
            Command::RetryStock {} => self.stock_retried().map(|event| vec![event]),
            Command::ConfirmBooked { receipt_id } => self.booked(*receipt_id).map(|()| Vec::new()),
            Command::CloseShort {} => match self.closable(status)? {
                Some((now, receipts)) => {
                    reason_given(request)?;
                    let open = receipts.open(&now.items);
                    Ok(vec![Event::OrderClosedShort {
                        open,
                        named: Vec::new(),
                    }])
                }
                None => Ok(Vec::new()),
            },
            Command::Cancel {} => match self.cancellable(status)? {
                Some(_) => {
                    reason_given(request)?;
                    Ok(vec![Event::OrderCancelled {}])
                }
                None => Ok(Vec::new()),
            },
        }
    }

    /// The facts that the decision rests on.
    fn rests_on(&self, asking: &Asking<'_, Command>) -> Vec<FactRef> {
        let (stream, facts) = (asking.stream, asking.facts);
        match asking.command {
            Command::Draft(NewOrder {
                department_id,
                request_id,
                items,
                location_id,
                from_location_id,
                ..
            }) => {
                let mut refs = vec![FactRef::of::<Register<Department>>(*department_id)];
                refs.extend(locations(*location_id, *from_location_id));
                refs.extend(request_id.map(FactRef::of::<DeviceRequest>));
                refs.extend(parts_read(items.iter().take(ITEMS_MAX).map(NewItem::parts)));
                refs
            }
            Command::Duplicate { of, .. } if *of == stream => Vec::new(),
            Command::Duplicate { of, .. } => {
                let mut refs = vec![FactRef::of::<Order>(*of)];
                if let Some(source) = facts.get::<Order>(*of).and_then(Order::content) {
                    refs.extend(content_reads(source));
                }
                refs
            }
            Command::AddItem(_)
            | Command::ChangeItem(_)
            | Command::RemoveItem { .. }
            | Command::ChangeCurrency { .. } => self.change_reads(asking),
            Command::Annotate { .. } => Vec::new(),
            Command::Submit {} => match self {
                Self::Draft(now) => hand_in_reads(now, asking),
                Self::Undrafted
                | Self::PendingApproval(..)
                | Self::Approved(..)
                | Self::Placed(..)
                | Self::ClosedShort(..)
                | Self::Cancelled(..) => Vec::new(),
            },
            Command::SettleApproval {} => vec![FactRef::of::<Approval>(stream)],
            Command::Place {} => match self {
                Self::Approved(now, _) => place_reads(now, stream),
                Self::Undrafted
                | Self::Draft(_)
                | Self::PendingApproval(..)
                | Self::Placed(..)
                | Self::ClosedShort(..)
                | Self::Cancelled(..) => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    fn changed(&self, status: OrderStatus, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        let (now, is_submitted) = self.changeable(status)?;
        let Some(event) = edit(now, request.command, request.ids.draw())? else {
            return Ok(Vec::new());
        };
        if let Some(item) = brought_in(&event) {
            item_usable("", item, request.facts).map_err(reference)?;
        }
        let after = edited(now, &event);
        check_stock(&after)?;
        if is_submitted && after.is_more_than(now) {
            let submission = handed_in(&after, request)?;
            return Ok(vec![event, submission]);
        }
        Ok(vec![event])
    }

    fn change_reads(&self, asking: &Asking<'_, Command>) -> Vec<FactRef> {
        let changeable = self.status().map(|status| self.changeable(status));
        let Some(Ok((now, is_submitted))) = changeable else {
            return Vec::new();
        };
        // Which id a new item gets makes no difference to what is read.
        let Ok(Some(event)) = edit(now, asking.command, Uuid::nil()) else {
            return Vec::new();
        };
        let after = edited(now, &event);
        if is_submitted && after.is_more_than(now) {
            return hand_in_reads(&after, asking);
        }
        parts_read(brought_in(&event).map(Item::parts).into_iter())
    }
}

/// The decision of the order's approval, recorded with the order.
fn settled(submitted: &Submitted, request: &Request<'_, Command>) -> Result<Event, Refusal> {
    let revision = submitted.revision;
    match verdict(submitted, request) {
        Verdict::Granted { approved_by } => Ok(Event::OrderApproved { revision, approved_by }),
        Verdict::Rejected { by } => Ok(Event::OrderRejected {
            revision,
            rejected_by: by,
        }),
        Verdict::None | Verdict::Pending => Err(Refusal::NotDecided { revision }),
    }
}

fn reason_given(request: &Request<'_, Command>) -> Result<(), Refusal> {
    match request.reason {
        Some(reason) if !reason.trim().is_empty() => Ok(()),
        Some(_) | None => Err(Refusal::ReasonMissing),
    }
}
