//! What can be asked of an entry, and what documents show of it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::Entry;
use crate::amendment::Amendment;

/// What can be asked of an entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command<K> {
    Enter(K),
    Amend(Amendment<K>),
    Strike {},
    ForgetContacts {},
    /// Takes the unique values that the entry has by now and had not when it was entered. Daybook alone sends it, and no
    /// document shows it.
    TakeAnew {},
}

/// The commands to a kind without contacts.
#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(dead_code, reason = "the schema of what is read as `Command`")]
enum Plain<K: 'static> {
    /// Takes the entry into use; also again after it was struck.
    Enter(K),
    /// Changes the fields that are named and leaves the others as they are; null takes a field away.
    Amend(Amendment<K>),
    /// Takes the entry out of use. What refers to it stays; new references are refused.
    Strike {},
}

/// Those to a kind with contacts.
#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(dead_code, reason = "the schema of what is read as `Command`")]
enum WithContacts<K: 'static> {
    /// Takes the entry into use; also again after it was struck.
    Enter(K),
    /// Changes the fields that are named and leaves the others as they are; null takes a field away.
    Amend(Amendment<K>),
    /// Takes the entry out of use. What refers to it stays; new references are refused.
    Strike {},
    /// Destroys the keys of all contacts that the entry ever had. This cannot be undone: they become unreadable
    /// everywhere. The entry stays in use, and may be amended to have others.
    ForgetContacts {},
}

// Written by hand because a kind without contacts has none to forget.
impl<K: Entry> JsonSchema for Command<K> {
    fn schema_name() -> Cow<'static, str> {
        Plain::<K>::schema_name()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        match K::CONTACTS {
            [] => Plain::<K>::json_schema(generator),
            _ => WithContacts::<K>::json_schema(generator),
        }
    }
}
