//! Kinds of which a tenant has one entry, with a default that holds while there is none.

use std::borrow::Cow;

use uuid::Uuid;

use super::{Entry, Register};
use crate::{Decider, FactRef, Facts};

/// What holds for a tenant: the one entry, or the kind's default.
pub trait OnePerTenant: Entry + Default {
    /// The stream of the tenant's one entry.
    #[must_use]
    fn stream(tenant: Uuid) -> Uuid {
        Register::<Self>::only_stream(tenant)
    }

    /// The same, as a fact that a decision reads.
    #[must_use]
    fn fact(tenant: Uuid) -> FactRef {
        FactRef::of::<Register<Self>>(Self::stream(tenant))
    }

    /// What is in force: the entry, or the default while none is entered or it is struck.
    #[must_use]
    fn in_force(tenant: Uuid, facts: &Facts) -> Cow<'_, Self> {
        Self::of(facts.get::<Register<Self>>(Self::stream(tenant)))
    }

    /// The same, from the state of the entry's stream.
    #[must_use]
    fn of(state: Option<&Register<Self>>) -> Cow<'_, Self> {
        state
            .and_then(Register::active)
            .map_or_else(|| Cow::Owned(Self::default()), Cow::Borrowed)
    }
}
