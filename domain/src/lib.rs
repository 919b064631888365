//! The engine of decisions, pure: what a kind of stream is, how a command is decided, what is stored of it.
//! The rules themselves live in the crates of contexts; this one knows none of them.
//!
//! Nothing here does input or output, reads a clock or draws a random number: time, ids and the
//! states of other streams arrive with the [`Request`].

pub mod aggregate;
pub mod amendment;
pub mod claim;
pub mod context;
pub mod decider;
pub mod erased;
pub mod event;
pub mod fact;
pub mod keys;
pub mod policy;
pub mod refusal;
pub mod sourced;

pub mod entry;
pub mod object;
pub mod register;
pub mod sealed;
pub mod setting;

pub mod bytes;
pub mod canonical;
pub mod exact;
pub mod faults;
pub mod interval;
pub mod misread;
pub mod moment;
pub mod money;
pub mod text;

pub use aggregate::Aggregate;
pub use claim::{Claim, ClaimChange};
pub use context::{Context, Contexts};
pub use cqrs_es::DomainEvent;
pub use decider::{Asking, Circumstances, Decider, Ids, Request, Together};
pub use erased::{AnyCommand, AnyEvent, Asker, Decided, NewEvent, Undecided};
pub use event::{DecodeError, Event, Metadata, Recorded};
pub use fact::{FactRef, Facts};
pub use keys::{Erase, Standing};
pub use policy::{Policy, Reaction, Seen, Sending};
pub use refusal::{Class, Refusal, Refuse};
pub use sealed::Sealed;

/// The actor of everything that Daybook does by itself: demo data, bootstrap, policies.
pub const SYSTEM: uuid::Uuid = uuid::Uuid::from_u128(0x0da7_b00c_0000_4000_8000_0000_0000_0001);

/// Whether no person goes by this id: Daybook acts under it by itself, or it stands for nobody.
#[must_use]
pub fn is_reserved(id: uuid::Uuid) -> bool {
    id == SYSTEM || id.is_nil() || id.is_max()
}
