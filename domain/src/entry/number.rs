//! Numbers that Daybook gives: the keys of kinds whose documents say SERIAL.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::value::{Held, Kind, Value};

/// A number, from 1, that no other entry of the kind has in the tenant; none in a command whose sender does not know it yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Number(Option<i32>);

impl Number {
    /// The largest there is.
    pub const MAX: i32 = i32::MAX;

    #[must_use]
    pub const fn new(number: i32) -> Self {
        Self(Some(number))
    }

    #[must_use]
    pub const fn get(self) -> Option<i32> {
        self.0
    }

    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.0.is_none()
    }
}

impl Held for Number {
    const KIND: Kind = Kind::Integer;

    fn value(&self) -> Value {
        self.0.map_or(Value::Null, |number| Value::Whole(number.into()))
    }
}

impl JsonSchema for Number {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Number".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "format": "int32", "minimum": 1, "readOnly": true })
    }
}
