//! JSON of strangers: mended where nothing is lost by it, and looked at piece by piece without reading its numbers.
//!
//! A piece is the very text of the body. Numbers are never turned into floats, so that 2^53 + 1, 1.10 and 1e400 stay
//! as they were sent. Of members with one name the last counts, as it does in the database.

mod mended;

use std::borrow::Cow;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

#[cfg(test)]
pub(crate) use mended::Mends;
pub(crate) use mended::{Document, is_storable};

/// Levels of arrays and objects within each other.
pub const DEPTH_LEVELS_MAX: usize = 64;

/// A piece of JSON.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node<'a>(&'a RawValue);

/// An object, its members in the order of the text.
#[derive(Debug, Clone)]
pub(crate) struct Object<'a> {
    pub(crate) node: Node<'a>,
    members: Vec<(Cow<'a, str>, Node<'a>)>,
}

impl<'a> Node<'a> {
    /// The text of the piece, as it was sent.
    pub(crate) fn text(self) -> &'a str {
        self.0.get()
    }

    pub(crate) fn is_null(self) -> bool {
        self.text() == "null"
    }

    pub(crate) fn is_array(self) -> bool {
        self.text().starts_with('[')
    }

    pub(crate) fn object(self) -> Option<Object<'a>> {
        if !self.text().starts_with('{') {
            return None;
        }
        let Members(members) = serde_json::from_str(self.text()).ok()?;
        Some(Object { node: self, members })
    }

    /// The first `limit` pieces of an array, and how many there are.
    pub(crate) fn array(self, limit: usize) -> Option<(Vec<Node<'a>>, usize)> {
        if !self.is_array() {
            return None;
        }
        let mut deserializer = serde_json::Deserializer::from_str(self.text());
        deserializer.deserialize_seq(First { limit }).ok()
    }

    pub(crate) fn string(self) -> Option<Cow<'a, str>> {
        if !self.text().starts_with('"') {
            return None;
        }
        serde_json::from_str::<Text<'a>>(self.text())
            .ok()
            .map(|Text(text)| text)
    }

    /// A string, a number as it was sent, or a truth. Absent for what is empty or holds something else.
    pub(crate) fn scalar(self) -> Option<Cow<'a, str>> {
        let text = match self.text().as_bytes().first() {
            Some(b'"') => self.string()?,
            Some(b'{' | b'[' | b'n') | None => return None,
            Some(_) => Cow::Borrowed(self.text()),
        };
        (!text.trim().is_empty()).then_some(text)
    }

    /// What is at a path of member names and positions.
    pub(crate) fn at<'t>(self, path: impl IntoIterator<Item = &'t str>) -> Option<Node<'a>> {
        path.into_iter().try_fold(self, |node, step| {
            if node.is_array() {
                let position = step.parse::<usize>().ok()?;
                return node.array(position.checked_add(1)?)?.0.into_iter().nth(position);
            }
            node.object()?.member(step)
        })
    }
}

impl<'a> Object<'a> {
    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, Node<'a>)> {
        self.members.iter().map(|(name, node)| (name.as_ref(), *node))
    }

    /// A member that is there, be it null.
    pub(crate) fn member(&self, name: &str) -> Option<Node<'a>> {
        self.members
            .iter()
            .rev()
            .find(|(held, _)| held == name)
            .map(|(_, node)| *node)
    }

    /// A member that is there and not null.
    pub(crate) fn get(&self, name: &str) -> Option<Node<'a>> {
        self.member(name).filter(|node| !node.is_null())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The text of a member: see `Node::scalar`.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.get(name)?.scalar().map(Cow::into_owned)
    }

    /// The text of the first of several members that has one.
    pub(crate) fn first(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.text(name))
    }

    pub(crate) fn object(&self, name: &str) -> Option<Object<'a>> {
        self.get(name)?.object()
    }

    /// The object's text without one of its members.
    pub(crate) fn without(&self, name: &str) -> String {
        let mut text = String::from("{");
        for (held, node) in self.members().filter(|(held, _)| *held != name) {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(&quoted(held));
            text.push(':');
            text.push_str(node.text());
        }
        text.push('}');
        text
    }
}

/// A text as JSON.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// An object of texts as JSON; of equal names the last counts.
pub(crate) fn object_of<'t>(fields: impl IntoIterator<Item = (&'t str, &'t str)>) -> String {
    let members: Vec<String> = fields
        .into_iter()
        .map(|(name, text)| format!("{}:{}", quoted(name), quoted(text)))
        .collect();
    format!("{{{}}}", members.join(","))
}

#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

struct Members<'a>(Vec<(Cow<'a, str>, Node<'a>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Vec<(Cow<'de, str>, Node<'de>)>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(Text(name)) = map.next_key::<Text<'de>>()? {
                    members.push((name, Node(map.next_value::<&'de RawValue>()?)));
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Collect).map(Members)
    }
}

struct First {
    limit: usize,
}

impl<'de> Visitor<'de> for First {
    type Value = (Vec<Node<'de>>, usize);

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut first = Vec::new();
        while first.len() < self.limit {
            match sequence.next_element::<&'de RawValue>()? {
                Some(node) => first.push(Node(node)),
                None => {
                    let count = first.len();
                    return Ok((first, count));
                }
            }
        }
        let mut count = first.len();
        while sequence.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok((first, count))
    }
}
