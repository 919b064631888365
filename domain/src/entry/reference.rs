//! Fields that name something else.

use uuid::Uuid;

use super::plain::Plain;
use super::value::Value;
use crate::register::{Entry, Register};
use crate::{Decider, FactRef, Facts};

/// A kind of stream that fields of others name.
pub trait Referred: Decider {
    /// What is said of the field when it names none that may be named: "names no supplier in use; ...".
    const LACKING: Lacking;

    /// Whether new references to it are let pass.
    fn is_in_use(&self) -> bool;

    /// The list of the kind, if it is a plain one.
    #[must_use]
    fn list() -> Option<&'static Plain> {
        None
    }
}

/// The words for what is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lacking {
    /// "supplier".
    pub noun: &'static str,
    /// "in use; enter it or choose another".
    pub remedy: &'static str,
}

impl<K: Entry> Referred for Register<K> {
    const LACKING: Lacking = Lacking {
        noun: K::NOUN,
        remedy: "in use; enter it or choose another",
    };

    fn is_in_use(&self) -> bool {
        self.active().is_some()
    }

    fn list() -> Option<&'static Plain> {
        K::PLAIN
    }
}

/// What a field names.
#[derive(Debug, Clone, Copy)]
pub struct Reference {
    /// The stored name of the kind.
    pub kind: &'static str,
    /// The table and the column of what is named, where the kind does not say it itself.
    pub rows: Option<(&'static str, &'static str)>,
    pub cascades: bool,
    /// See [`Referred::list`].
    pub list: fn() -> Option<&'static Plain>,
    pub(super) fact: fn(Uuid) -> FactRef,
    pub(super) is_in_use: fn(Uuid, &Facts) -> bool,
    pub(super) lacking: Lacking,
}

impl Reference {
    /// A reference to streams of `D`.
    #[must_use]
    pub const fn to<D: Referred>() -> Self {
        Self {
            kind: D::TYPE,
            rows: None,
            cascades: false,
            list: D::list,
            fact: FactRef::of::<D>,
            is_in_use: |stream, facts| facts.get::<D>(stream).is_some_and(D::is_in_use),
            lacking: D::LACKING,
        }
    }

    /// The stream that a value names; `None` when it names none.
    #[must_use]
    pub fn stream(&self, tenant: Uuid, value: &Value) -> Option<Uuid> {
        match value {
            Value::Null => None,
            Value::Uuid(id) => Some(*id),
            value => (self.list)()?.stream_at(tenant, &value.text()),
        }
    }

    /// The same, as a fact that a decision reads.
    #[must_use]
    pub fn fact(&self, tenant: Uuid, value: &Value) -> Option<FactRef> {
        self.stream(tenant, value).map(self.fact)
    }

    /// Whether the value names something in use, or nothing.
    ///
    /// # Errors
    /// What is said of the field.
    pub fn judge(&self, field: &str, tenant: Uuid, value: &Value, facts: &Facts) -> Result<(), String> {
        let is_in_use = |stream| (self.is_in_use)(stream, facts);
        if *value == Value::Null || self.stream(tenant, value).is_some_and(is_in_use) {
            return Ok(());
        }
        let Lacking { noun, remedy } = self.lacking;
        Err(format!("{field} names no {noun} {remedy}"))
    }
}
