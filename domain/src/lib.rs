//! The rules of Daybook, pure: what may happen, what happened, and why something may not.
//!
//! Nothing here does input or output, reads a clock or draws a random number: time, ids and the
//! states of other streams arrive with the [`Request`].

pub mod decider;
pub mod event;
pub mod fact;
pub mod policy;
pub mod refusal;
pub mod rehearsal;

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

pub use decider::{Asking, ClaimChange, Decider, Ids, Request, Together, Visit};
pub use event::{DecodeError, Event, Metadata, Recorded};
pub use fact::{FactRef, Facts};
pub use policy::{Policy, Reaction, Seen, Sending};
pub use refusal::{Class, Refuse};
pub use sealed::Sealed;

/// The actor of everything that Daybook does by itself: demo data, bootstrap, policies.
pub const SYSTEM: uuid::Uuid = uuid::Uuid::from_u128(0x0da7_b00c_0000_4000_8000_0000_0000_0001);

/// A valid history over every kind of stream and every event, as the book would hold it, with the
/// sealed fields in plain: a JSON array in order of position. A change of it is a decision.
pub const GOLDEN_HISTORY: &str = include_str!("../golden/history.json");

/// Hands every kind of stream to a macro, in reading order: its variant of [`AnyEvent`], its decider, and
/// what URLs call many of them. The one list of them: whoever needs all kinds asks here.
#[macro_export]
macro_rules! each_aggregate {
    ($then:ident) => {
        $then! {
            User = $crate::identity::user::User => "users",
            SignIns = $crate::identity::sign_in::SignIns => "sign-ins",
            Role = $crate::identity::role::Role => "roles",
            Department = $crate::register::Register<$crate::identity::department::Department> => "departments",
            Supplier = $crate::register::Register<$crate::cloudwatcher::supplier::Supplier> => "suppliers",
            Part = $crate::register::Register<$crate::cloudwatcher::part::Part> => "parts",
            PartVariant = $crate::register::Register<$crate::cloudwatcher::part_variant::PartVariant> => "part-variants",
            PartSupplier = $crate::register::Register<$crate::cloudwatcher::part_supplier::PartSupplier> => "part-suppliers",
            Location = $crate::register::Register<$crate::cloudwatcher::location::Location> => "locations",
            Inventory = $crate::cloudwatcher::inventory::Inventory => "inventory",
            DeviceRequest = $crate::cloudwatcher::request::DeviceRequest => "requests",
            DeviceConnection = $crate::cloudwatcher::device_connection::DeviceConnection => "device-connections",
            DevicePolicy = $crate::register::Register<$crate::cloudwatcher::device_policy::DevicePolicy> => "device-policies",
            Order = $crate::cloudwatcher::order::Order => "orders",
            ApprovalPolicy = $crate::register::Register<$crate::cloudwatcher::approval_policy::ApprovalPolicy> => "approval-policies",
            Delegations = $crate::cloudwatcher::delegation::Delegations => "delegations",
            Buyer = $crate::cloudwatcher::buyer::Buyer => "buyers",
            Approval = $crate::cloudwatcher::approval::Approval => "approvals",
        }
    };
}

macro_rules! aggregates {
    ($($kind:ident = $module:ty => $plural:literal,)+) => {
        /// Any domain event, by the kind of its stream.
        #[derive(Debug, Clone, PartialEq)]
        pub enum AnyEvent { $($kind(<$module as Decider>::Event)),+ }

        impl AnyEvent {
            /// Decodes a stored event; `Ok(None)` when this program knows no such kind of stream.
            ///
            /// # Errors
            /// [`DecodeError`] when the kind is known but the event's name, version or fields are not.
            pub fn decode(aggregate_type: &str, stored: &event::Stored<'_>) -> Result<Option<Self>, DecodeError> {
                match aggregate_type {
                    $(<$module as Decider>::TYPE => event::decode(stored).map(|event| Some(Self::$kind(event))),)+
                    _ => Ok(None),
                }
            }

            /// Folds a stream's state forward by this event: `before` is the state right before it, whether it was
            /// loaded or folded so itself, and what comes out is what folding the stream from its start would give.
            /// `None` when `before` is the state of another kind of stream.
            #[must_use]
            pub fn evolved(&self, before: fact::AnyState) -> Option<fact::AnyState> {
                match self {
                    $(Self::$kind(event) => fact::evolved::<$module>(before, event)),+
                }
            }

            /// The state of a stream of this event's kind before its first event.
            #[must_use]
            pub fn unborn(&self) -> fact::AnyState {
                match self {
                    $(Self::$kind(_) => std::sync::Arc::new(<$module>::default())),+
                }
            }
        }

        /// Any command, by the kind of the stream that it is for.
        #[derive(Debug, Clone, PartialEq)]
        pub enum AnyCommand { $($kind(<$module as Decider>::Command)),+ }

        impl AnyCommand {
            /// The kind of stream that the command is for.
            #[must_use]
            pub fn aggregate_type(&self) -> &'static str {
                match self { $(Self::$kind(_) => <$module as Decider>::TYPE),+ }
            }

            /// The command as JSON, the way it is sent: its name in kebab case, then its fields.
            ///
            /// # Errors
            /// When the command cannot be written as JSON (a map with keys that are no strings, say).
            pub fn to_value(&self) -> serde_json::Result<serde_json::Value> {
                match self { $(Self::$kind(command) => serde_json::to_value(command)),+ }
            }

            /// Reads a command from its JSON; `Ok(None)` when this program knows no such kind of stream.
            ///
            /// # Errors
            /// When the kind is known but it has no such command, or the command no such fields.
            pub fn parse(aggregate_type: &str, command: &serde_json::Value) -> serde_json::Result<Option<Self>> {
                use serde::Deserialize as _;
                match aggregate_type {
                    $(<$module as Decider>::TYPE =>
                        <$module as Decider>::Command::deserialize(command).map(|command| Some(Self::$kind(command))),)+
                    _ => Ok(None),
                }
            }

            /// Hands the command to `visitor` with its own type.
            pub fn dispatch<V: Visit>(self, visitor: V) -> V::Output {
                match self { $(Self::$kind(command) => visitor.visit::<$module>(command)),+ }
            }
        }

        impl FactRef {
            /// A stream by the stored name of its kind; `None` when this program knows no such kind.
            #[must_use]
            pub fn named(aggregate_type: &str, stream: uuid::Uuid) -> Option<Self> {
                match aggregate_type {
                    $(<$module as Decider>::TYPE => Some(Self::of::<$module>(stream)),)+
                    _ => None,
                }
            }
        }

        /// The stream types of [`AnyEvent`], in reading order.
        pub const AGGREGATE_TYPES: &[&str] = &[$(<$module as Decider>::TYPE),+];
    };
}

/// What Daybook asks for by itself, in the order in which it is asked.
pub static POLICIES: &[&dyn Policy] = &[
    &cloudwatcher::policies::OrderApprovals,
    &cloudwatcher::policies::OrderStock,
    &cloudwatcher::policies::StockExpiry,
];

each_aggregate!(aggregates);
