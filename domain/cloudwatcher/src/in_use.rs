//! Whether what something refers to is in use.

use uuid::Uuid;

use domain::Facts;
use domain::register::{Entry, Register};

/// The entry of this id; none when there is none, or it is struck.
pub(crate) fn in_use<K: Entry>(id: Uuid, facts: &Facts) -> Option<&K> {
    facts.get::<Register<K>>(id).and_then(Register::active)
}
