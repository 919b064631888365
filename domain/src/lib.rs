//! The rules of Daybook, pure: what may happen, what happened, and why something may not.
//!
//! Nothing here does input or output, reads a clock or draws a random number: time, ids and the
//! states of other streams arrive with the [`Request`].

pub mod decider;
pub mod event;
pub mod fact;
pub mod refusal;

pub mod canonical;
pub mod money;
pub mod text;

pub mod register;
pub mod sealed;
pub mod sourced;

pub mod cloudwatcher;
pub mod identity;

#[cfg(test)]
mod given;
#[cfg(test)]
mod golden;

pub use decider::{ClaimChange, Decider, Ids, Request};
pub use event::{DecodeError, Event, Metadata, Recorded};
pub use fact::{FactRef, Facts};
pub use refusal::{Class, Refuse};
pub use sealed::Sealed;

/// The actor of everything that Daybook does by itself: demo data, bootstrap, policies.
pub const SYSTEM: uuid::Uuid = uuid::Uuid::from_u128(0x0da7_b00c_0000_4000_8000_0000_0000_0001);

/// A valid history over every kind of stream and every event, as the book would hold it, with the
/// sealed fields in plain: a JSON array in order of position. A change of it is a decision.
pub const GOLDEN_HISTORY: &str = include_str!("../golden/history.json");

/// Every kind of stream, written out once; a test compares it with the modules.
macro_rules! aggregates {
    ($($kind:ident = $module:path),+ $(,)?) => {
        /// Any domain event, by the kind of its stream.
        #[derive(Debug, Clone, PartialEq)]
        pub enum AnyEvent { $($kind(<$module as Decider>::Event)),+ }

        impl AnyEvent {
            /// Decodes a stored event; `Ok(None)` when this program knows no such kind of stream.
            ///
            /// # Errors
            /// [`DecodeError`] when the kind is known but the event's name, version or fields are not.
            pub fn decode(aggregate_type: &str, event_type: &str, version: &str, payload: &str) -> Result<Option<Self>, DecodeError> {
                match aggregate_type {
                    $(<$module as Decider>::TYPE => event::decode(event_type, version, payload).map(|event| Some(Self::$kind(event))),)+
                    _ => Ok(None),
                }
            }
        }

        /// The stream types of [`AnyEvent`], in reading order.
        pub const AGGREGATE_TYPES: &[&str] = &[$(<$module as Decider>::TYPE),+];
    };
}

aggregates! {
    User = identity::user::User,
    Role = identity::role::Role,
    Department = register::Register<identity::department::Department>,
    Supplier = register::Register<cloudwatcher::supplier::Supplier>,
    Part = register::Register<cloudwatcher::part::Part>,
    PartVariant = register::Register<cloudwatcher::part_variant::PartVariant>,
    PartSupplier = register::Register<cloudwatcher::part_supplier::PartSupplier>,
    DeviceRequest = cloudwatcher::request::DeviceRequest,
    Order = cloudwatcher::order::Order,
}
