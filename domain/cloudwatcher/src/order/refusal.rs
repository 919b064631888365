//! Why a command to an order is refused.

use rust_decimal::Decimal;
use strum::VariantNames;

use super::{ITEMS_MAX, RECEIPTS_MAX};
use crate::approval::route::{NO_ROUTE, NoRoute};
use crate::stock::STOCK_MAX;
use crate::{OrderStatus, OrderType};
use domain::text::Unfit;
use domain::{Class, Refuse};

/// Why a command to an order is refused.
// The names of its variants are those of the rules, which clients know.
#[derive(Debug, Clone, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Refusal {
    #[error("there is no such order; draft it first")]
    NotDrafted,
    #[error("this order is drafted already; draft another under a new id")]
    AlreadyDrafted,
    #[error("an order is drafted and submitted by a person; send the command as a user")]
    NeedsAUser,
    #[error("this order is {status}; only a draft is submitted, so {}", to_submit(*.status))]
    NotADraft { status: OrderStatus },
    #[error("this order is {status} and can no longer be changed; {}", to_change(*.status))]
    Fixed { status: OrderStatus },
    #[error("this order is {status} and waits for no approval; {}", to_have_approved(*.status))]
    NotWaiting { status: OrderStatus },
    #[error(
        "no decision stands for revision {revision} of this order as it was submitted; its approvers must approve or \
         reject that revision first"
    )]
    NotDecided { revision: i32 },
    #[error("this order is {status}; only an approved order is placed, so {}", to_place(*.status))]
    NotApproved { status: OrderStatus },
    #[error(
        "no approval stands for exactly what was submitted as revision {revision}; duplicate the order and have the \
         copy approved"
    )]
    ApprovalGone { revision: i32 },
    #[error(
        "the order says more than what was approved as revision {revision}; duplicate it and have the copy approved"
    )]
    BeyondApproval { revision: i32 },
    #[error("this order is {status}; goods are received of an order that is placed and has room for them, so {}", to_receive(*.status))]
    NotOnOrder { status: OrderStatus },
    #[error("lines are 1 to {ITEMS_MAX}; list what came, and book the rest as another receipt")]
    ReceiptLines,
    #[error("{field} names an item that an earlier line names; book each item once with its whole quantity")]
    ItemTwice { field: String },
    #[error(
        "{field}: at most {receivable} more of this item can be received; {ordered} were ordered with a tolerance of \
         {tolerance_percent} %, so book at most that and send the rest back"
    )]
    TooMuchReceived {
        field: String,
        ordered: i32,
        tolerance_percent: i32,
        receivable: i64,
    },
    #[error(
        "an order has at most {RECEIPTS_MAX} receipts; reverse some and book their quantities as one, or close the \
         order short"
    )]
    TooManyReceipts,
    #[error(
        "this order is {status}; a receipt is reversed of an order of which goods were received, so {}",
        to_reverse(*.status)
    )]
    NotReversible { status: OrderStatus },
    #[error(
        "receipt_id names no receipt of this order that still counts; name one of its receipts that was not reversed"
    )]
    NoSuchReceipt,
    #[error(
        "this order is {status}; deliveries are rescheduled and confirmed while an order is with its suppliers, so {}",
        to_hear_of(*.status)
    )]
    NotWithSuppliers { status: OrderStatus },
    #[error("everything of this order has come; there is nothing left to reschedule")]
    AllCame,
    #[error("item_id names an item that has come in full; name one that is still to come, or leave it out")]
    ItemCame,
    #[error("supplier_id names none of this order's suppliers; name one that delivers some of its items")]
    NoSuchSupplier,
    #[error("the items of this order come from several suppliers; say in supplier_id which of them confirms")]
    WhichSupplier,
    #[error("{field} names no item that this supplier delivers; name one of theirs")]
    NotOfSupplier { field: String },
    #[error("{field} names an item that an earlier date is for; give each item one date")]
    DateTwice { field: String },
    #[error("dates are at most {ITEMS_MAX}, one for each item")]
    TooManyDates,
    #[error("this order is {status} and cannot be closed short; {}", to_close(*.status))]
    NotClosable { status: OrderStatus },
    #[error("this order is {status} and cannot be cancelled; {}", to_cancel(*.status))]
    NotCancellable { status: OrderStatus },
    #[error("cancelling an order or closing it short needs a reason; give it in the header Daybook-Reason")]
    ReasonMissing,
    #[error("an order has at least one item; list what is ordered")]
    NoItems,
    #[error("an order has at most {ITEMS_MAX} items; split it into several orders")]
    TooManyItems,
    #[error("the last item of an order cannot be removed; add another first or cancel the order")]
    LastItem,
    #[error("{field} names no item of this order; name one that its items list")]
    NoSuchItem { field: String },
    #[error("variant_id and without_variant contradict each other; give the variant or take it away")]
    VariantGivenAndTaken,
    #[error("currency is no ISO 4217 code in circulation; use three capitals such as EUR")]
    UnknownCurrency,
    #[error("{field} {unfit}")]
    Unfit { field: String, unfit: Unfit },
    // Without the product: the price may come from an offer that the sender may not read.
    #[error("{field}: quantity times price must stay below {below}; order less in one line")]
    LineTooLarge { field: String, below: Decimal },
    #[error("{field} {detail}; choose another")]
    Reference { field: String, detail: &'static str },
    #[error("{place} of the order {detail}; {to_do}")]
    Outdated {
        place: String,
        detail: &'static str,
        to_do: &'static str,
    },
    #[error("{field}: {order_type} orders {detail}")]
    Locations {
        field: &'static str,
        order_type: OrderType,
        detail: &'static str,
    },
    #[error(
        "{field}: the items of one part and variant add up to {total}; stock holds at most {STOCK_MAX} of them, so split the order"
    )]
    TooMuchForStock { field: String, total: i64 },
    #[error("stock never booked this receipt, so there is nothing to book back")]
    NeverBooked,
    #[error("everything that this order asked of stock is booked or on its way; there is nothing to retry")]
    NothingRefused,
    #[error(transparent)]
    NoRoute(#[from] NoRoute),
}

fn to_submit(status: OrderStatus) -> &'static str {
    match status {
        OrderStatus::Draft => "submit it",
        OrderStatus::PendingApproval => "wait for its approvers or change it",
        OrderStatus::Approved => "place it or change it",
        OrderStatus::Ordered
        | OrderStatus::PartiallyReceived
        | OrderStatus::Received
        | OrderStatus::ClosedShort
        | OrderStatus::Cancelled => "duplicate it and submit the copy",
    }
}

fn to_change(status: OrderStatus) -> &'static str {
    match status {
        OrderStatus::Draft | OrderStatus::PendingApproval | OrderStatus::Approved => "change it before it is placed",
        OrderStatus::Ordered => "cancel it or close it short, and draft another for what is to be different",
        OrderStatus::PartiallyReceived => "close it short, and draft another for what is to be different",
        OrderStatus::Received | OrderStatus::ClosedShort | OrderStatus::Cancelled => "duplicate it and change the copy",
    }
}

fn to_have_approved(status: OrderStatus) -> &'static str {
    match status {
        OrderStatus::Draft => "submit it first",
        OrderStatus::PendingApproval
        | OrderStatus::Approved
        | OrderStatus::Ordered
        | OrderStatus::PartiallyReceived
        | OrderStatus::Received
        | OrderStatus::ClosedShort => "its approval is settled",
        OrderStatus::Cancelled => "duplicate it and submit the copy",
    }
}

fn to_place(status: OrderStatus) -> &'static str {
    match status {
        OrderStatus::Draft => "submit it for approval first",
        OrderStatus::PendingApproval => "its approvers must decide first",
        OrderStatus::Approved => "place it",
        OrderStatus::Ordered | OrderStatus::PartiallyReceived | OrderStatus::Received => "place another one instead",
        OrderStatus::ClosedShort | OrderStatus::Cancelled => "duplicate it and have the copy approved",
    }
}

fn to_receive(status: OrderStatus) -> &'static str {
    match status {
        OrderStatus::Draft | OrderStatus::PendingApproval => "have it approved and place it first",
        OrderStatus::Approved => "place it first",
        OrderStatus::Ordered | OrderStatus::PartiallyReceived => "book what came",
        OrderStatus::Received => {
            "reverse a receipt first if one was booked wrongly, or send back what is beyond the order and its tolerance"
        }
        OrderStatus::ClosedShort => {
            "send back what is beyond the order and its tolerance, or reverse a receipt first if one was booked wrongly"
        }
        OrderStatus::Cancelled => "send the goods back or order them anew",
    }
}

fn to_reverse(status: OrderStatus) -> &'static str {
    match status {
        OrderStatus::Draft | OrderStatus::PendingApproval | OrderStatus::Approved => {
            "place it and receive something first"
        }
        OrderStatus::Ordered | OrderStatus::PartiallyReceived | OrderStatus::Received | OrderStatus::ClosedShort => {
            "name one of its receipts"
        }
        OrderStatus::Cancelled => "there is nothing to reverse",
    }
}

fn to_hear_of(status: OrderStatus) -> &'static str {
    match status {
        OrderStatus::Draft => "have it approved and place it first, or change the item itself",
        OrderStatus::PendingApproval | OrderStatus::Approved => "place it first, or change the item itself",
        OrderStatus::Ordered | OrderStatus::PartiallyReceived | OrderStatus::Received => "say what is to be",
        OrderStatus::ClosedShort => "book what comes all the same with receive",
        OrderStatus::Cancelled => "duplicate it and place the copy",
    }
}

fn to_close(status: OrderStatus) -> &'static str {
    match status {
        OrderStatus::Draft | OrderStatus::PendingApproval | OrderStatus::Approved => {
            "nothing of it is on order yet, so cancel it"
        }
        OrderStatus::Ordered | OrderStatus::PartiallyReceived => "say why",
        OrderStatus::Received => "everything has come; reverse a receipt first if one was booked wrongly",
        OrderStatus::ClosedShort => "it is closed already",
        OrderStatus::Cancelled => "nothing of it is on order any more",
    }
}

fn to_cancel(status: OrderStatus) -> &'static str {
    match status {
        OrderStatus::Draft | OrderStatus::PendingApproval | OrderStatus::Approved | OrderStatus::Ordered => "say why",
        OrderStatus::PartiallyReceived => {
            "close it short with close-short, or take back what was received with reverse-receipt first"
        }
        OrderStatus::Received => "take back what was received with reverse-receipt first",
        OrderStatus::ClosedShort => "nothing more of it is awaited",
        OrderStatus::Cancelled => "it is cancelled already",
    }
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        match self {
            Self::NotDrafted => Class::Missing,
            Self::NeedsAUser => Class::Forbidden,
            Self::AlreadyDrafted
            | Self::NotADraft { .. }
            | Self::Fixed { .. }
            | Self::NotWaiting { .. }
            | Self::NotDecided { .. }
            | Self::NotApproved { .. }
            | Self::ApprovalGone { .. }
            | Self::BeyondApproval { .. }
            | Self::NotOnOrder { .. }
            | Self::ReceiptLines
            | Self::ItemTwice { .. }
            | Self::TooMuchReceived { .. }
            | Self::TooManyReceipts
            | Self::NotReversible { .. }
            | Self::NoSuchReceipt
            | Self::NotWithSuppliers { .. }
            | Self::AllCame
            | Self::ItemCame
            | Self::NoSuchSupplier
            | Self::WhichSupplier
            | Self::NotOfSupplier { .. }
            | Self::DateTwice { .. }
            | Self::TooManyDates
            | Self::NotClosable { .. }
            | Self::NotCancellable { .. }
            | Self::ReasonMissing
            | Self::Locations { .. }
            | Self::TooMuchForStock { .. }
            | Self::NothingRefused
            | Self::NeverBooked
            | Self::NoItems
            | Self::TooManyItems
            | Self::LastItem
            | Self::NoSuchItem { .. }
            | Self::VariantGivenAndTaken
            | Self::UnknownCurrency
            | Self::Unfit { .. }
            | Self::LineTooLarge { .. }
            | Self::Reference { .. }
            | Self::Outdated { .. }
            | Self::NoRoute(_) => Class::Refused,
        }
    }
    fn rule(&self) -> &'static str {
        match self {
            Self::NoRoute(no_route) => no_route.rule(),
            own => own.into(),
        }
    }
    fn rules() -> Vec<&'static str> {
        let own = <Self as VariantNames>::VARIANTS.iter();
        let own = own.filter(|name| **name != NO_ROUTE);
        own.chain(NoRoute::VARIANTS).copied().collect()
    }
    fn field(&self) -> Option<String> {
        match self {
            Self::Locations { field, .. } => Some((*field).to_owned()),
            Self::TooMuchForStock { field, .. } => Some(field.clone()),
            Self::NoItems => Some("items".to_owned()),
            Self::LastItem | Self::ItemCame => Some("item_id".to_owned()),
            Self::NoSuchSupplier | Self::WhichSupplier => Some("supplier_id".to_owned()),
            Self::TooManyDates => Some("dates".to_owned()),
            Self::ReceiptLines => Some("lines".to_owned()),
            Self::NoSuchReceipt => Some("receipt_id".to_owned()),
            Self::VariantGivenAndTaken => Some("variant_id".to_owned()),
            Self::UnknownCurrency => Some("currency".to_owned()),
            Self::NoSuchItem { field }
            | Self::ItemTwice { field }
            | Self::NotOfSupplier { field }
            | Self::DateTwice { field }
            | Self::TooMuchReceived { field, .. }
            | Self::Unfit { field, .. }
            | Self::LineTooLarge { field, .. }
            | Self::Reference { field, .. } => Some(field.clone()),
            // A field of the order's, not of the command.
            Self::NoRoute(_) | Self::Outdated { .. } => None,
            Self::NotDrafted
            | Self::AlreadyDrafted
            | Self::NeedsAUser
            | Self::NothingRefused
            | Self::NeverBooked
            | Self::NotADraft { .. }
            | Self::Fixed { .. }
            | Self::NotWaiting { .. }
            | Self::NotDecided { .. }
            | Self::NotApproved { .. }
            | Self::ApprovalGone { .. }
            | Self::BeyondApproval { .. }
            | Self::NotOnOrder { .. }
            | Self::TooManyReceipts
            | Self::NotReversible { .. }
            | Self::NotWithSuppliers { .. }
            | Self::AllCame
            | Self::NotClosable { .. }
            | Self::NotCancellable { .. }
            | Self::ReasonMissing
            | Self::TooManyItems => None,
        }
    }
}
