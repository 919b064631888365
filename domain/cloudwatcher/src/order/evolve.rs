//! The state of an order that events lead to.

use std::collections::BTreeMap;

use super::{Agreed, Content, Event, Order, Receipts, Submitted, total};

impl Order {
    /// The order after the event.
    pub(super) fn after(self, event: &Event) -> Self {
        match (self, event) {
            (
                _,
                Event::OrderDrafted {
                    order_type,
                    department_id,
                    currency,
                    request_id,
                    note,
                    duplicate_of: _,
                    items,
                    drafted_by,
                    tolerance_percent,
                    location_id,
                    from_location_id,
                    left_out: _,
                    is_reorder,
                    named: _,
                },
            ) => Order::Draft(Content {
                order_type: *order_type,
                department_id: *department_id,
                currency: currency.clone(),
                request_id: *request_id,
                location_id: *location_id,
                from_location_id: *from_location_id,
                note: note.clone(),
                items: items.clone(),
                total: total(items),
                tolerance_percent: *tolerance_percent,
                drafted_by: *drafted_by,
                revision: 0,
                is_reorder: *is_reorder,
            }),

            (
                mut order,
                Event::OrderItemAdded { .. }
                | Event::OrderItemChanged { .. }
                | Event::OrderItemRemoved { .. }
                | Event::OrderCurrencyChanged { .. }
                | Event::OrderNoteChanged { .. }
                | Event::OrderRescheduled { .. },
            ) => {
                if let Some(content) = order.content_mut() {
                    content.changed_by(event);
                }
                order
            }
            (
                Order::Draft(mut now) | Order::PendingApproval(mut now, _) | Order::Approved(mut now, _),
                Event::OrderSubmitted {
                    revision,
                    items,
                    total: sum,
                    content_hash,
                    drafted_by: _,
                    submitted_by,
                },
            ) => {
                now.changed_by(event);
                let submitted = Submitted {
                    revision: *revision,
                    content_hash: content_hash.clone(),
                    // Not the event's own: version 1 of it did not name who drafted the order.
                    drafted_by: now.drafted_by,
                    submitted_by: *submitted_by,
                    items: items.clone(),
                    currency: now.currency.clone(),
                    department_id: now.department_id,
                    total: *sum,
                    refused: Vec::new(),
                    is_unreserved: false,
                    reversed: Vec::new(),
                    never_booked: Vec::new(),
                    confirmed: BTreeMap::new(),
                };
                Order::PendingApproval(now, submitted)
            }
            (Order::PendingApproval(now, submitted), Event::OrderApproved { .. }) => Order::Approved(now, submitted),
            (Order::PendingApproval(now, _), Event::OrderRejected { .. }) => Order::Draft(now),
            (Order::Approved(now, submitted), Event::OrderPlaced {}) => {
                Order::Placed(now, submitted, Receipts::default())
            }
            (mut order, Event::OrderItemsReceived { receipt_id, lines, .. }) => {
                if let Some((_, receipts)) = order.receipts_mut() {
                    receipts.add(*receipt_id, lines);
                }
                order
            }
            (
                mut order,
                Event::OrderReceiptReversed {
                    receipt_id, was_booked, ..
                },
            ) => {
                if let Some((submitted, receipts)) = order.receipts_mut() {
                    receipts.remove(*receipt_id);
                    submitted.reverse_receipt(*receipt_id, *was_booked);
                }
                order
            }
            (Order::Placed(now, submitted, receipts), Event::OrderClosedShort { .. }) => {
                Order::ClosedShort(now, submitted, receipts)
            }
            (Order::Draft(now), Event::OrderCancelled {}) => Order::Cancelled(now, None),
            (
                Order::PendingApproval(now, submitted)
                | Order::Approved(now, submitted)
                | Order::Placed(now, submitted, _),
                Event::OrderCancelled {},
            ) => Order::Cancelled(now, Some(submitted)),

            (mut order, Event::OrderStockRefused { booking, is_open }) => {
                if let Some(submitted) = order.submitted_mut() {
                    submitted.refuse(booking, *is_open);
                }
                order
            }
            (mut order, Event::OrderStockRetried { bookings }) => {
                if let Some(submitted) = order.submitted_mut() {
                    submitted.retried(bookings);
                }
                order
            }
            (
                mut order,
                Event::OrderConfirmed {
                    supplier_id,
                    reference,
                    items,
                },
            ) => {
                if let Some(submitted) = order.submitted_mut() {
                    let agreed = Agreed {
                        reference: reference.clone(),
                        items: items.clone(),
                    };
                    submitted.confirmed.insert(*supplier_id, agreed);
                }
                order
            }
            // The receipts tell that everything has come.
            (order, Event::OrderReceived {}) => order,
            // None of these was ever stored for an order in such a state.
            (
                order,
                Event::OrderSubmitted { .. }
                | Event::OrderApproved { .. }
                | Event::OrderRejected { .. }
                | Event::OrderPlaced {}
                | Event::OrderClosedShort { .. }
                | Event::OrderCancelled {},
            ) => order,
        }
    }

    fn content_mut(&mut self) -> Option<&mut Content> {
        match self {
            Self::Undrafted => None,
            Self::Draft(content)
            | Self::PendingApproval(content, _)
            | Self::Approved(content, _)
            | Self::Placed(content, ..)
            | Self::ClosedShort(content, ..)
            | Self::Cancelled(content, _) => Some(content),
        }
    }

    fn submitted_mut(&mut self) -> Option<&mut Submitted> {
        match self {
            Self::Undrafted | Self::Draft(_) => None,
            Self::PendingApproval(_, submitted)
            | Self::Approved(_, submitted)
            | Self::Placed(_, submitted, _)
            | Self::ClosedShort(_, submitted, _) => Some(submitted),
            Self::Cancelled(_, submitted) => submitted.as_mut(),
        }
    }

    /// The receipts of an order that takes them, and what was submitted, which keeps those that were reversed.
    fn receipts_mut(&mut self) -> Option<(&mut Submitted, &mut Receipts)> {
        match self {
            Self::Placed(_, submitted, receipts) | Self::ClosedShort(_, submitted, receipts) => {
                Some((submitted, receipts))
            }
            Self::Undrafted | Self::Draft(_) | Self::PendingApproval(..) | Self::Approved(..) | Self::Cancelled(..) => {
                None
            }
        }
    }
}
