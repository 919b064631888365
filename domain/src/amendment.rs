//! What somebody changes of an entry: the fields that they name, and no others.

use std::any::TypeId;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::marker::PhantomData;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::aggregate::Unparsed;
use crate::exact;
use crate::misread::{self, Misread};

/// The name of the command.
const AMEND: &str = "amend";

/// Fields of a `K` as they are to be. What is not named stays as it is, also what a `K` cannot be without; null takes a
/// field away, or back to what it is when absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Amendment<K> {
    fields: Map<String, Value>,
    #[serde(skip)]
    of: PhantomData<fn() -> K>,
}

/// The names of a `K`'s fields.
struct Names {
    all: BTreeSet<String>,
    /// Those that it cannot be without.
    required: BTreeSet<String>,
}

impl<K: Serialize + DeserializeOwned + JsonSchema + 'static> Amendment<K> {
    /// What is named under this name, null included.
    #[must_use]
    pub fn named(&self, field: &str) -> Option<&Value> {
        self.fields.get(field)
    }

    /// The entry with what is named in the place of what it has.
    ///
    /// # Errors
    /// The field that does not go together with the others.
    pub fn onto(&self, now: &K) -> Result<K, Misread> {
        let unwritten = |error: serde_json::Error| Misread {
            field: String::new(),
            detail: error.to_string(),
        };
        let Value::Object(mut amended) = serde_json::to_value(now).map_err(unwritten)? else {
            return misread::read(Value::Object(self.fields.clone()));
        };
        let names = Names::of::<K>();
        for (name, value) in &self.fields {
            if names.clears(name, value) {
                amended.remove(name);
            } else {
                amended.insert(name.clone(), value.clone());
            }
        }
        misread::read(Value::Object(amended))
    }

    /// A command of a kind whose `amend` has an amendment of `K`: what that names are fields of a `K`, each of its type.
    ///
    /// # Errors
    /// The path to what is wrong.
    pub fn read<C: DeserializeOwned>(command: &Value) -> Result<C, Unparsed> {
        if let Some(fields) = command.get(AMEND) {
            let (names, mut named) = (Names::of::<K>(), fields.clone());
            if let Value::Object(named) = &mut named {
                named.retain(|name, value| !names.clears(name, value));
            }
            let named = Value::Object(Map::from_iter([(AMEND.to_owned(), named)]));
            match exact::read::<Whole<K>>(&named) {
                // Told last: whatever is named was read before.
                Err(unparsed) if !lacks_a_field(&unparsed) => return Err(unparsed),
                Ok(_) | Err(_) => {}
            }
        }
        exact::read(command)
    }
}

/// Those of each kind of which they were wanted.
static KNOWN: LazyLock<Mutex<HashMap<TypeId, Arc<Names>>>> = LazyLock::new(Mutex::default);

impl Names {
    /// They never change and are wanted again and again while one amendment is decided, so a kind's are made once.
    fn of<K: JsonSchema + 'static>() -> Arc<Self> {
        let kind = TypeId::of::<K>();
        if let Some(names) = Self::known().get(&kind) {
            return Arc::clone(names);
        }
        // Without the lock: others have their names meanwhile, and two that make the same ones make equal ones.
        let names = Arc::new(Self::from_schema::<K>());
        Self::known().insert(kind, Arc::clone(&names));
        names
    }

    fn known() -> MutexGuard<'static, HashMap<TypeId, Arc<Self>>> {
        // Nothing is half done in it.
        KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn from_schema<K: JsonSchema>() -> Self {
        let schema = schemars::schema_for!(K).to_value();
        let properties = schema["properties"].as_object();
        let required = schema["required"].as_array();
        let text = |name: &Value| name.as_str().map(str::to_owned);
        Self {
            all: properties.into_iter().flat_map(Map::keys).cloned().collect(),
            required: required.into_iter().flatten().filter_map(text).collect(),
        }
    }

    /// Whether this takes the field away. One that is needed, or that there is not, is told of where it is read.
    fn clears(&self, name: &str, value: &Value) -> bool {
        value.is_null() && self.all.contains(name) && !self.required.contains(name)
    }
}

/// A command that names every field: so the paths of what is wrong are those of any command.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Whole<K> {
    Amend(K),
}

/// Whether it lacks no more than a field that the entry has already.
fn lacks_a_field(unparsed: &Unparsed) -> bool {
    unparsed.path().to_string() == AMEND && unparsed.inner().to_string().starts_with("missing field")
}

/// An amendment that names every field.
impl<K: Serialize + JsonSchema + 'static> From<K> for Amendment<K> {
    fn from(entry: K) -> Self {
        let written = serde_json::to_value(entry).unwrap_or_default();
        let mut fields = match written {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        for name in &Names::of::<K>().all {
            fields.entry(name.clone()).or_insert(Value::Null);
        }
        Self {
            fields,
            of: PhantomData,
        }
    }
}

/// That of `K`, of which no field is needed and each that is not may be null.
impl<K: JsonSchema + 'static> JsonSchema for Amendment<K> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}Amendment", K::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let names = Names::of::<K>();
        let mut schema = K::json_schema(generator);
        schema.remove("required");
        let of = schema.get("description").and_then(Value::as_str).unwrap_or_default();
        let said = format!(
            "{of} What is not named stays as it is: what fields are when absent is said of entering, and null leads back to it."
        );
        schema.insert("description".to_owned(), said.trim_start().into());
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            for (name, property) in properties {
                // What is not named stays: whoever fills in what a field is when absent would change it.
                if let Value::Object(said) = property {
                    said.remove("default");
                }
                if !names.required.contains(name) {
                    may_be_null(property);
                }
            }
        }
        schema
    }
}

fn may_be_null(property: &mut Value) {
    let Value::Object(said) = property else { return };
    match said.get_mut("enum") {
        Some(Value::Array(words)) if !words.contains(&Value::Null) => words.push(Value::Null),
        Some(_) | None => {}
    }
    for forms in ["oneOf", "anyOf"] {
        let null = json!({ "type": "null" });
        match said.get_mut(forms) {
            Some(Value::Array(forms)) if !forms.contains(&null) => forms.push(null),
            Some(_) | None => {}
        }
    }
    if let Some(reference) = said.remove("$ref") {
        said.insert("anyOf".to_owned(), json!([{ "$ref": reference }, { "type": "null" }]));
    }
    match said.get_mut("type") {
        Some(Value::Array(types)) if types.iter().all(|known| known != "null") => types.push(json!("null")),
        Some(Value::String(only)) => {
            let only = std::mem::take(only);
            said.insert("type".to_owned(), json!([only, "null"]));
        }
        Some(_) | None => {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Shelf {
        name: String,
        #[serde(default)]
        room: Option<String>,
        #[serde(default = "boards")]
        boards: i32,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        labels: Vec<Label>,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
    struct Label {
        text: String,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Command {
        Amend(Amendment<Shelf>),
    }

    fn boards() -> i32 {
        3
    }

    fn shelf() -> Shelf {
        Shelf {
            name: "A".to_owned(),
            room: Some("north".to_owned()),
            boards: 5,
            labels: vec![Label { text: "x".to_owned() }],
        }
    }

    fn amended(fields: &Value) -> Result<Shelf, Misread> {
        let command = json!({ "amend": fields });
        let read = Amendment::<Shelf>::read(&command);
        let Command::Amend(amendment) = read.map_err(|unparsed| Misread::of(&unparsed, "amend"))?;
        amendment.onto(&shelf())
    }

    #[test]
    fn what_is_named_changes_and_the_rest_stays() {
        assert_eq!(amended(&json!({})), Ok(shelf()));
        let renamed = Shelf {
            name: "B".to_owned(),
            ..shelf()
        };
        assert_eq!(amended(&json!({"name": "B"})), Ok(renamed));
    }

    #[test]
    fn null_takes_a_field_away_or_back_to_what_it_is_when_absent() {
        let bare = Shelf {
            room: None,
            boards: 3,
            labels: Vec::new(),
            ..shelf()
        };
        let cleared = amended(&json!({"room": null, "boards": null, "labels": null}));
        assert_eq!(cleared, Ok(bare.clone()));
        let named = |entry: Shelf| Amendment::from(entry).onto(&shelf());
        assert_eq!(named(bare.clone()), Ok(bare));
    }

    #[test]
    fn what_is_wrong_is_told_by_its_path_before_there_is_an_entry() {
        let refused = |fields: Value| amended(&fields).unwrap_err();
        assert_eq!(refused(json!({"name": null})).field, "name");
        assert_eq!(refused(json!({"boards": "many"})).field, "boards");
        assert_eq!(refused(json!({"colour": null})).field, "colour");
        assert_eq!(refused(json!({"labels": [{}]})).field, "labels[0].text");
        assert_eq!(
            refused(json!(7)).detail,
            "what was sent must be an object, and is a whole number"
        );
    }

    /// A kind that counts how often it is asked for its schema.
    #[derive(Serialize, Deserialize)]
    struct Counted {
        name: String,
    }

    static ASKED: AtomicUsize = AtomicUsize::new(0);

    impl JsonSchema for Counted {
        fn schema_name() -> Cow<'static, str> {
            "Counted".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            ASKED.fetch_add(1, Ordering::Relaxed);
            schemars::json_schema!({"properties": {"name": {"type": "string"}}, "required": ["name"]})
        }
    }

    #[test]
    fn a_kind_is_asked_for_its_schema_once_however_often_it_is_amended() {
        for name in ["A", "B", "C"] {
            let now = Counted { name: name.to_owned() };
            let amendment = Amendment::from(Counted { name: "D".to_owned() });
            assert_eq!(amendment.onto(&now).map(|counted| counted.name), Ok("D".to_owned()));
        }
        assert_eq!(ASKED.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn the_schema_needs_no_field_and_takes_null_for_those_that_can_be_absent() {
        let schema = schemars::schema_for!(Amendment<Shelf>).to_value();
        assert_eq!(schema.get("required"), None);
        assert_eq!(schema["properties"]["name"]["type"], "string");
        assert_eq!(schema["properties"]["boards"]["type"], json!(["integer", "null"]));
        // Whoever filled in what a field is when absent would change what is not named.
        assert!(!schema.to_string().contains("\"default\""), "{schema}");
        let mut words = json!({"type": "string", "enum": ["a", "b"]});
        may_be_null(&mut words);
        assert_eq!(words, json!({"type": ["string", "null"], "enum": ["a", "b", null]}));
        let mut referred = json!({"$ref": "#/$defs/Words"});
        may_be_null(&mut referred);
        assert_eq!(
            referred,
            json!({"anyOf": [{"$ref": "#/$defs/Words"}, {"type": "null"}]})
        );
    }
}
