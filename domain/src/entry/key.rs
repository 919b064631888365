//! Keys: what tells one entry of a plain kind from all others, and the stream that follows from it.

use std::borrow::Cow;

use uuid::Uuid;

use super::field::Field;
use super::plain::Plain;
use super::value::Value;

/// What the key of a kind is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// The stream's id, in a column of this name.
    Id(&'static str),
    /// A number that Daybook draws, in a column of this name.
    Number(&'static str),
    /// Fields of the entry, which never change.
    Fields(&'static [&'static str]),
}

impl Plain {
    /// The columns of the key.
    pub fn key_columns(&self) -> impl Iterator<Item = &'static str> {
        let (one, many): (Option<&'static str>, &'static [&'static str]) = match self.key {
            Key::Id(column) | Key::Number(column) => (Some(column), &[]),
            Key::Fields(columns) => (None, columns),
        };
        one.into_iter().chain(many.iter().copied())
    }

    /// The fields of the key; none where it is the stream's id.
    pub fn key_fields(&self) -> impl Iterator<Item = &'static Field> {
        let columns = match self.key {
            Key::Id(_) => Vec::new(),
            Key::Number(_) | Key::Fields(_) => self.key_columns().collect(),
        };
        columns
            .into_iter()
            .filter_map(|column| self.fields.iter().find(|field| field.name == column))
    }

    /// The key as it stands in a URL, before it is escaped for one: the parts of several columns are parted by slashes, and
    /// have none of their own. `None` where it is the stream's id, or not known yet.
    #[must_use]
    pub fn key_text(&self, values: &[Value]) -> Option<String> {
        let of = |field: &Field| {
            let at = self.fields.iter().position(|other| other.name == field.name)?;
            values.get(at).filter(|value| **value != Value::Null)
        };
        let parts: Option<Vec<&Value>> = self.key_fields().map(of).collect();
        parts.filter(|parts| !parts.is_empty()).map(|parts| text(&parts))
    }

    /// The stream of the entry with this key, from its text; `None` where the key is the stream's id, or the text is no key
    /// of the kind's.
    #[must_use]
    pub fn stream_at(&self, tenant: Uuid, key: &str) -> Option<Uuid> {
        let fields: Vec<_> = self.key_fields().collect();
        let parts: Vec<Cow<'_, str>> = match fields.len() {
            0 => return None,
            1 => vec![Cow::Borrowed(key)],
            _ => key.split('/').map(unescaped).collect::<Option<_>>()?,
        };
        if parts.len() != fields.len() {
            return None;
        }
        let values = fields.iter().zip(&parts);
        let values: Option<Vec<Value>> = values.map(|(field, part)| Value::of_key(field.kind, part)).collect();
        Some(self.stream(tenant, &text(&values?.iter().collect::<Vec<_>>())))
    }

    /// The stream of the entry with these values.
    #[must_use]
    pub fn stream_of(&self, tenant: Uuid, values: &[Value]) -> Option<Uuid> {
        self.key_text(values).map(|key| self.stream(tenant, &key))
    }

    // Stored for ever, as the ids of streams.
    fn stream(&self, tenant: Uuid, key: &str) -> Uuid {
        Uuid::new_v5(&tenant, format!("{}/{key}", self.kind).as_bytes())
    }
}

fn text(parts: &[&Value]) -> String {
    match parts {
        [only] => only.text(),
        parts => {
            let parts: Vec<String> = parts.iter().map(|part| escaped(&part.text()).into_owned()).collect();
            parts.join("/")
        }
    }
}

/// A part of a key among others: without slashes of its own.
#[must_use]
pub fn escaped(part: &str) -> Cow<'_, str> {
    if !part.contains(['%', '/']) {
        return Cow::Borrowed(part);
    }
    Cow::Owned(part.replace('%', "%25").replace('/', "%2F"))
}

/// The part that was escaped so; `None` when it is not in that one form.
#[must_use]
pub fn unescaped(part: &str) -> Option<Cow<'_, str>> {
    if !part.contains('%') {
        return Some(Cow::Borrowed(part));
    }
    let plain = part.replace("%2F", "/").replace("%25", "%");
    (escaped(&plain) == part).then_some(Cow::Owned(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_key_comes_back_whatever_it_has() {
        for part in ["", "EUR", "a/b", "100%", "%2F", "a%25/", "\"quoted\"", "名前/🜁%"] {
            let escaped = escaped(part);
            assert!(!escaped.contains('/'), "{part}");
            assert_eq!(unescaped(&escaped).as_deref(), Some(part));
        }
        for wrong in ["%", "%2f", "%41", "a%"] {
            assert_eq!(unescaped(wrong), None, "{wrong}");
        }
    }
}
