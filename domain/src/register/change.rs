//! What happened to an entry, as it is stored: under the kind's own names for it.

use cqrs_es::DomainEvent;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;
use uuid::Uuid;

use super::{Entry, contacts};
use crate::Event;
use crate::event::Versioned;

/// A change of an entry. CRUD in the form of events, openly: reference data has no more to tell.
#[derive(Debug, Clone, PartialEq)]
pub enum Change<K> {
    Entered(K),
    Amended(K),
    Struck {},
    /// All contacts that it ever had are unreadable from now on.
    Forgotten {},
    /// Its unique values were taken anew. It is as it was.
    Taken {},
}

impl<K: Entry> Event for Change<K> {
    fn sealed_apart(&self, stream: Uuid) -> Vec<(&'static str, Uuid)> {
        match self {
            Self::Entered(_) | Self::Amended(_) => {
                K::CONTACTS.iter().map(|&contact| (contact, contacts(stream))).collect()
            }
            Self::Struck {} | Self::Forgotten {} | Self::Taken {} => Vec::new(),
        }
    }
}

impl<K: Entry> Versioned for Change<K> {
    const NAMES: &'static [&'static str] = match (K::FORGOTTEN.is_empty(), K::TAKEN.is_empty()) {
        (true, true) => &[K::ENTERED, K::AMENDED, K::STRUCK],
        (false, true) => &[K::ENTERED, K::AMENDED, K::STRUCK, K::FORGOTTEN],
        (true, false) => &[K::ENTERED, K::AMENDED, K::STRUCK, K::TAKEN],
        (false, false) => &[K::ENTERED, K::AMENDED, K::STRUCK, K::FORGOTTEN, K::TAKEN],
    };
}

impl<K: Entry> DomainEvent for Change<K> {
    fn event_type(&self) -> String {
        match self {
            Self::Entered(_) => K::ENTERED,
            Self::Amended(_) => K::AMENDED,
            Self::Struck {} => K::STRUCK,
            Self::Forgotten {} => K::FORGOTTEN,
            Self::Taken {} => K::TAKEN,
        }
        .to_owned()
    }
    fn event_version(&self) -> String {
        Self::version(&self.event_type()).to_owned()
    }
}

impl<K: Entry> JsonSchema for Change<K> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("ChangeOf{}", K::schema_name()).into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let entry = generator.subschema_for::<K>();
        let nothing = schemars::json_schema!({ "type": "object" });
        let named = |name: &str, fields: &schemars::Schema| {
            let properties = serde_json::Map::from_iter([(name.to_owned(), fields.clone().to_value())]);
            serde_json::json!({ "type": "object", "properties": properties, "required": [name] })
        };
        let mut variants = vec![
            named(K::ENTERED, &entry),
            named(K::AMENDED, &entry),
            named(K::STRUCK, &nothing),
        ];
        let others = [K::FORGOTTEN, K::TAKEN].into_iter().filter(|name| !name.is_empty());
        variants.extend(others.map(|name| named(name, &nothing)));
        schemars::json_schema!({ "oneOf": variants })
    }
}

// Written by hand because the tag is the kind's own name for the event, not the variant's.
impl<K: Entry> Serialize for Change<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let nothing = Value::Object(serde_json::Map::new());
        let mut tagged = serializer.serialize_map(Some(1))?;
        match self {
            Self::Entered(entry) => tagged.serialize_entry(K::ENTERED, entry)?,
            Self::Amended(entry) => tagged.serialize_entry(K::AMENDED, entry)?,
            Self::Struck {} => tagged.serialize_entry(K::STRUCK, &nothing)?,
            Self::Forgotten {} => tagged.serialize_entry(K::FORGOTTEN, &nothing)?,
            Self::Taken {} => tagged.serialize_entry(K::TAKEN, &nothing)?,
        }
        tagged.end()
    }
}

impl<'de, K: Entry> Deserialize<'de> for Change<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tagged = serde_json::Map::deserialize(deserializer)?;
        let (name, payload) = tagged
            .into_iter()
            .next()
            .ok_or_else(|| D::Error::custom("an event has a name"))?;
        let entry = |payload| serde_json::from_value(payload).map_err(D::Error::custom);
        match name.as_str() {
            name if name == K::ENTERED => Ok(Self::Entered(entry(payload)?)),
            name if name == K::AMENDED => Ok(Self::Amended(entry(payload)?)),
            name if name == K::STRUCK => Ok(Self::Struck {}),
            name if !K::FORGOTTEN.is_empty() && name == K::FORGOTTEN => Ok(Self::Forgotten {}),
            name if !K::TAKEN.is_empty() && name == K::TAKEN => Ok(Self::Taken {}),
            name => Err(D::Error::custom(format!("{} has no event {name}", K::TYPE))),
        }
    }
}
