//! Which commands an order takes as it stands, whatever they say: what pages offer, and where decisions begin.

use uuid::Uuid;

use super::submit::by_a_user;
use super::{Content, ITEMS_MAX, Order, Quantity, Receipts, Refusal, Submitted};
use crate::OrderStatus;

impl Order {
    /// Whether a command of this name may be accepted.
    pub(super) fn takes(&self, command: &str, by: Uuid) -> Result<(), Refusal> {
        let Some(status) = self.status() else {
            return match command {
                "draft" | "duplicate" => by_a_user(by),
                _ => Err(Refusal::NotDrafted),
            };
        };
        match command {
            "draft" | "duplicate" => Err(Refusal::AlreadyDrafted),
            "add-item" => match self.changeable(status)?.0.items.len() {
                ..ITEMS_MAX => Ok(()),
                ITEMS_MAX.. => Err(Refusal::TooManyItems),
            },
            "remove-item" => match self.changeable(status)?.0.items.len() {
                0 | 1 => Err(Refusal::LastItem),
                2.. => Ok(()),
            },
            "change-item" | "change-currency" => self.changeable(status).map(drop),
            "annotate" => self.annotatable(status).map(drop),
            "reschedule" => self.awaited(status).map(drop),
            "confirm" => self.with_suppliers(status).map(drop),
            "submit" => self.draft(status).and_then(|_| by_a_user(by)),
            "settle-approval" => self.awaiting(status).map(drop),
            "place" => self.approved(status).map(drop),
            "receive" => self.receiving(status)?.1.has_room(),
            "reverse-receipt" => match self.reversible(status)?.2.is_empty() {
                true => Err(Refusal::NoSuchReceipt),
                false => Ok(()),
            },
            "close-short" => self.closable(status).map(drop),
            "cancel" => self.cancellable(status).map(drop),
            "retry-stock" => self.stock_retried().map(drop),
            // Stock answers late.
            "note-stock-refused" | "confirm-booked" => Ok(()),
            _ => self.annotatable(status).map(drop),
        }
    }

    /// The content that a change would meet, and whether it was submitted.
    pub(super) fn changeable(&self, status: OrderStatus) -> Result<(&Content, bool), Refusal> {
        match self {
            Self::Draft(now) => Ok((now, false)),
            Self::PendingApproval(now, _) | Self::Approved(now, _) => Ok((now, true)),
            Self::Undrafted | Self::Placed(..) | Self::ClosedShort(..) | Self::Cancelled(..) => {
                Err(Refusal::Fixed { status })
            }
        }
    }

    /// The order whose note can be changed.
    pub(super) fn annotatable(&self, status: OrderStatus) -> Result<&Content, Refusal> {
        match self {
            Self::Draft(now)
            | Self::PendingApproval(now, _)
            | Self::Approved(now, _)
            | Self::Placed(now, ..)
            | Self::ClosedShort(now, ..) => Ok(now),
            Self::Undrafted | Self::Cancelled(..) => Err(Refusal::Fixed { status }),
        }
    }

    /// An order that its suppliers know of, and that is not over.
    pub(super) fn with_suppliers(&self, status: OrderStatus) -> Result<(&Content, &Submitted, &Receipts), Refusal> {
        match self {
            Self::Placed(now, submitted, receipts) => Ok((now, submitted, receipts)),
            Self::Undrafted
            | Self::Draft(_)
            | Self::PendingApproval(..)
            | Self::Approved(..)
            | Self::ClosedShort(..)
            | Self::Cancelled(..) => Err(Refusal::NotWithSuppliers { status }),
        }
    }

    /// The order of which something is still to come.
    pub(super) fn awaited(&self, status: OrderStatus) -> Result<(&Content, Vec<Quantity>), Refusal> {
        let (now, _, receipts) = self.with_suppliers(status)?;
        let open = receipts.open(&now.items);
        if open.is_empty() {
            return Err(Refusal::AllCame);
        }
        Ok((now, open))
    }

    /// A draft, which alone is submitted. Buyers retry on timeouts, so a second submit must refuse, not repeat.
    pub(super) fn draft(&self, status: OrderStatus) -> Result<&Content, Refusal> {
        match self {
            Self::Draft(now) => Ok(now),
            Self::Undrafted
            | Self::PendingApproval(..)
            | Self::Approved(..)
            | Self::Placed(..)
            | Self::ClosedShort(..)
            | Self::Cancelled(..) => Err(Refusal::NotADraft { status }),
        }
    }

    /// The submission that waits for a decision; none when one was recorded already.
    pub(super) fn awaiting(&self, status: OrderStatus) -> Result<Option<&Submitted>, Refusal> {
        match self {
            Self::PendingApproval(_, submitted) => Ok(Some(submitted)),
            // A draft that was submitted is one that was rejected.
            Self::Draft(now) if now.revision > 0 => Ok(None),
            Self::Approved(..) | Self::Placed(..) | Self::ClosedShort(..) => Ok(None),
            Self::Undrafted | Self::Draft(_) | Self::Cancelled(..) => Err(Refusal::NotWaiting { status }),
        }
    }

    /// An approved order, which alone is placed. As with submitting, a second time must refuse.
    pub(super) fn approved(&self, status: OrderStatus) -> Result<(&Content, &Submitted), Refusal> {
        match self {
            Self::Approved(now, submitted) => Ok((now, submitted)),
            Self::Undrafted
            | Self::Draft(_)
            | Self::PendingApproval(..)
            | Self::Placed(..)
            | Self::ClosedShort(..)
            | Self::Cancelled(..) => Err(Refusal::NotApproved { status }),
        }
    }

    /// An order of which something is still to come, or may: what is tolerated may come after all that was ordered, and
    /// late goods after the order was closed short.
    pub(super) fn receiving(&self, status: OrderStatus) -> Result<(&Content, &Receipts), Refusal> {
        match self {
            Self::Placed(now, _, receipts) | Self::ClosedShort(now, _, receipts) if receipts.takes_more(now) => {
                Ok((now, receipts))
            }
            Self::Undrafted
            | Self::Draft(_)
            | Self::PendingApproval(..)
            | Self::Approved(..)
            | Self::Placed(..)
            | Self::ClosedShort(..)
            | Self::Cancelled(..) => Err(Refusal::NotOnOrder { status }),
        }
    }

    /// An order whose receipts, if there are any, can be taken back.
    pub(super) fn reversible(&self, status: OrderStatus) -> Result<(&Content, &Submitted, &Receipts), Refusal> {
        match self {
            Self::Placed(now, submitted, receipts) | Self::ClosedShort(now, submitted, receipts) => {
                Ok((now, submitted, receipts))
            }
            Self::Undrafted | Self::Draft(_) | Self::PendingApproval(..) | Self::Approved(..) | Self::Cancelled(..) => {
                Err(Refusal::NotReversible { status })
            }
        }
    }

    /// The order that is to be closed short; none when it is closed already.
    pub(super) fn closable(&self, status: OrderStatus) -> Result<Option<(&Content, &Receipts)>, Refusal> {
        match self {
            Self::Placed(now, _, receipts) if status != OrderStatus::Received => Ok(Some((now, receipts))),
            Self::ClosedShort(..) => Ok(None),
            Self::Undrafted
            | Self::Draft(_)
            | Self::PendingApproval(..)
            | Self::Approved(..)
            | Self::Placed(..)
            | Self::Cancelled(..) => Err(Refusal::NotClosable { status }),
        }
    }

    /// The order that is to be cancelled; none when it is cancelled already.
    pub(super) fn cancellable(&self, status: OrderStatus) -> Result<Option<&Content>, Refusal> {
        match self {
            Self::Placed(_, _, receipts) if !receipts.is_empty() => Err(Refusal::NotCancellable { status }),
            Self::Draft(now) | Self::PendingApproval(now, _) | Self::Approved(now, _) | Self::Placed(now, ..) => {
                Ok(Some(now))
            }
            Self::Cancelled(..) => Ok(None),
            Self::Undrafted | Self::ClosedShort(..) => Err(Refusal::NotCancellable { status }),
        }
    }
}
