//! A plain kind as data: what engines, tests and documents read of it.

use super::PlainEntry;
use super::bound::Bound;
use super::check::KEY_CHARS_MAX;
use super::field::Field;
use super::key::Key;
use super::value::Value;
use crate::register::{Change, Register};
use crate::{AnyEvent, Claim};

/// A plain kind. One value of this type per kind, written by `entry!`.
#[derive(Debug)]
pub struct Plain {
    /// The context, whose tables have the kind's.
    pub context: &'static str,
    pub table: &'static str,
    /// What an entry is, for documents.
    pub doc: &'static str,
    /// The stored name, `context.aggregate`.
    pub kind: &'static str,
    /// The word for one of them.
    pub noun: &'static str,
    pub key: Key,
    pub fields: &'static [Field],
    /// The column that says whether an entry is struck; without one a struck entry's row goes.
    pub in_use: Option<&'static str>,
    pub stamps: &'static [Stamp],
    /// Constraints of the table beside those that follow from the fields.
    pub constraints: &'static [&'static str],
    /// What an event of the kind tells; `None` of one of another.
    pub told: fn(&AnyEvent) -> Option<Told>,
}

/// What an event tells of an entry, its values in the order of the list.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    Entered(Vec<Value>),
    Amended(Vec<Value>),
    Struck,
    Forgotten,
    Taken,
}

impl Told {
    /// What an event of this kind tells.
    #[must_use]
    pub fn of<K: PlainEntry>(event: &AnyEvent) -> Option<Self> {
        Some(match event.of::<Register<K>>()? {
            Change::Entered(entry) => Self::Entered(entry.values()),
            Change::Amended(entry) => Self::Amended(entry.values()),
            Change::Struck {} => Self::Struck,
            Change::Forgotten {} => Self::Forgotten,
            Change::Taken {} => Self::Taken,
        })
    }
}

/// A column with what the book knows of an entry, beside when it was entered and last changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp {
    /// `version`: how often anything happened to it.
    Version,
    /// `created_by`: who first entered it.
    CreatedBy,
    /// `updated_by`: who last changed it.
    UpdatedBy,
}

impl Stamp {
    /// The stamp in the column of this name.
    ///
    /// # Panics
    /// While it is compiled, when there is none.
    #[must_use]
    pub const fn called(name: &str) -> Self {
        match name.as_bytes() {
            b"version" => Self::Version,
            b"created_by" => Self::CreatedBy,
            b"updated_by" => Self::UpdatedBy,
            _ => panic!("a stamp is version, created_by or updated_by"),
        }
    }

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::CreatedBy => "created_by",
            Self::UpdatedBy => "updated_by",
        }
    }
}

impl Plain {
    /// Whether entries belong to departments.
    #[must_use]
    pub const fn is_scoped(&self) -> bool {
        let mut at = 0;
        while at < self.fields.len() {
            if self.fields[at].spec.is_home {
                return true;
            }
            at += 1;
        }
        false
    }

    /// The field of this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The field that names the department which an entry belongs to, if entries belong to any.
    #[must_use]
    pub fn home_field(&self) -> Option<&'static str> {
        let home = self.fields.iter().find(|field| field.spec.is_home);
        home.map(|field| field.name)
    }

    /// Whether the field is of the key, which never changes.
    #[must_use]
    pub fn is_key(&self, field: &Field) -> bool {
        self.key_fields().any(|key| key.name == field.name)
    }
}

/// How many of a list there are of what becomes lists of its own.
#[derive(Debug, Clone, Copy)]
pub struct Counts {
    pub claims: usize,
    pub contacts: usize,
}

/// Counts them, and sees to it that the key is one.
///
/// # Panics
/// While it is compiled, when the key names no field, one that may be absent, or texts that are too long for an index.
#[must_use]
pub const fn counts(list: &Plain) -> Counts {
    let mut counts = Counts { claims: 0, contacts: 0 };
    let (mut at, mut keys, mut chars) = (0, 0, 0);
    while at < list.fields.len() {
        let field = &list.fields[at];
        counts.claims += field.spec.unique.is_some() as usize;
        counts.contacts += field.spec.is_contact as usize;
        if let Key::Fields(names) = list.key
            && is_among(field.name, names)
        {
            assert!(!field.nullable, "a field of a key is always there");
            keys += 1;
            if let Bound::Text { chars_max, .. } = field.spec.bound {
                chars += chars_max;
            }
        }
        at += 1;
    }
    if let Key::Fields(names) = list.key {
        assert!(keys == names.len(), "a key names fields of the list");
    }
    assert!(chars <= KEY_CHARS_MAX, "the texts of a key are too long for an index");
    counts
}

/// Whether a name is one of these, for what is made while it is compiled.
#[must_use]
pub const fn is_among(name: &str, names: &[&str]) -> bool {
    let mut at = 0;
    while at < names.len() {
        if is_same(name.as_bytes(), names[at].as_bytes()) {
            return true;
        }
        at += 1;
    }
    false
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// Every kind of unique value of a list that has so many.
#[must_use]
pub const fn claims_in<const N: usize>(list: &Plain) -> [Claim; N] {
    let mut claims = [Claim::new("."); N];
    let (mut at, mut next) = (0, 0);
    while at < list.fields.len() {
        if let Some(unique) = list.fields[at].spec.unique {
            claims[next] = unique.claim;
            next += 1;
        }
        at += 1;
    }
    claims
}

/// The fields with contacts of a list that has so many.
#[must_use]
pub const fn contacts_in<const N: usize>(list: &Plain) -> [&'static str; N] {
    let mut contacts = [""; N];
    let (mut at, mut next) = (0, 0);
    while at < list.fields.len() {
        if list.fields[at].spec.is_contact {
            contacts[next] = list.fields[at].name;
            next += 1;
        }
        at += 1;
    }
    contacts
}
