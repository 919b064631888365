//! The schema of an entry: what its type says, and what bounds each field.

use schemars::Schema;
use serde_json::{Map, Value as Json, json};

use super::PlainEntry;
use super::bound::{Bound, Form};
use super::field::Field;

/// For `#[schemars(transform)]`: adds to the schema what the list says of each field.
pub fn bounded<K: PlainEntry>(schema: &mut Schema) {
    let Some(Json::Object(properties)) = schema.get_mut("properties") else {
        return;
    };
    for field in K::LIST.fields {
        if let Some(Json::Object(property)) = properties.get_mut(field.name) {
            bound(field, property);
        }
    }
}

fn bound(field: &Field, property: &mut Map<String, Json>) {
    let told = field.spec.bound.told();
    let doc = if told.is_empty() {
        field.doc.to_owned()
    } else {
        format!("{} {told}", field.doc)
    };
    property.insert("description".to_owned(), doc.into());
    let mut say = |name: &str, value: Json| {
        property.insert(name.to_owned(), value);
    };
    match field.spec.bound {
        Bound::Text { chars_max, form, .. } => {
            match form {
                // The shortest address there is: a@b.
                Form::Email => say("minLength", 3.into()),
                Form::Free if field.nullable => {}
                Form::Free => say("minLength", 1.into()),
            }
            say("maxLength", chars_max.into());
        }
        Bound::Whole { min, max } => {
            say("minimum", min.into());
            say("maximum", max.into());
        }
        Bound::Amount {
            digits,
            decimals,
            is_signed,
        } => {
            let types = if field.nullable {
                json!(["string", "number", "null"])
            } else {
                json!(["string", "number"])
            };
            let below = 10_f64.powi(i32::try_from(digits - decimals).unwrap_or(i32::MAX));
            let sign = if is_signed { "-?" } else { "" };
            say("type", types);
            say(
                "pattern",
                format!(r"^{sign}\d{{1,{}}}(\.\d{{1,{decimals}}})?$", digits - decimals).into(),
            );
            match is_signed {
                true => say("exclusiveMinimum", whole(-below)),
                false => say("minimum", 0.into()),
            }
            say("exclusiveMaximum", whole(below));
        }
        Bound::Texts { items_max, chars_max } => {
            say("maxItems", items_max.into());
            say(
                "items",
                json!({ "type": "string", "minLength": 1, "maxLength": chars_max }),
            );
        }
        Bound::Vector { dimensions } => {
            say("minItems", dimensions.into());
            say("maxItems", dimensions.into());
        }
        Bound::Word { .. } | Bound::Json { .. } | Bound::Bytes { .. } | Bound::Any => {}
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a power of ten that 64 bits hold stays whole"
)]
fn whole(power: f64) -> Json {
    if power.abs() < 1e18 {
        (power as i64).into()
    } else {
        power.into()
    }
}
