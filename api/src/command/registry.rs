//! Which aggregates are served, under which word of the URL.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use book::{Refusal, Step};
use chrono::Utc;
use domain::fact::AnyState;
use domain::{Decider, DecodeError, FactRef, Facts, Ids, Recorded, Refuse as _, Request, Together, event};
use schemars::Schema;
use serde_json::{Map, Value};
use uuid::Uuid;

/// Why a body is no such command.
pub type Unparsed = serde_path_to_error::Error<serde_json::Error>;

/// One kind of aggregate with its command's type erased.
pub struct Aggregate {
    /// The last word of its URL: `orders`.
    pub plural: &'static str,
    /// `cloudwatcher.order`.
    pub aggregate_type: &'static str,
    /// The command that makes a new one.
    pub creates: &'static str,
    /// Whether streams of the kind belong to departments.
    pub scoped: bool,
    /// Whether a stream's id is that of something else, so that a new one cannot be made without it.
    pub borrows_id: bool,
    /// See [`Decider::MOVED`].
    pub moved: &'static [(&'static str, &'static str)],
    stream_of: fn(Uuid, Value) -> Option<Uuid>,
    home: fn(&AnyState) -> Option<Uuid>,
    concerns: fn(Value) -> Vec<FactRef>,
    draws_on: fn(&AnyState) -> Vec<FactRef>,
    schema: fn() -> Schema,
    parse: fn(Uuid, Option<i64>, Value) -> Result<Step, Unparsed>,
    folding: fn() -> Box<dyn Folding>,
    refusal: fn(&Who, &AnyState, Value) -> Option<Refusal>,
    fact: fn(Uuid) -> FactRef,
}

/// A stream's state on its way through the stream's events.
pub trait Folding: Send {
    /// Takes the next event in.
    ///
    /// # Errors
    /// When the event cannot be read.
    fn after(&mut self, recorded: &Recorded<String>) -> Result<(), DecodeError>;

    /// The state as JSON.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    fn state(&self) -> Result<Value, DecodeError>;
}

/// Who asks, and of which stream.
#[derive(Debug, Clone, Copy)]
pub struct Who {
    pub tenant: Uuid,
    pub by: Uuid,
    pub stream: Uuid,
}

macro_rules! served {
    ($($kind:ident = $module:ty => $plural:literal,)+) => {
        /// Every aggregate, as it is served.
        pub const AGGREGATES: &[Aggregate] = &[$(Aggregate::of::<$module>($plural)),+];
    };
}

domain::each_aggregate!(served);

/// The kind that a URL means, also when it spells the word as its table does.
#[must_use]
pub fn by_url(context: &str, plural: &str) -> Option<&'static Aggregate> {
    let plural = plural.replace('_', "-");
    AGGREGATES
        .iter()
        .find(|aggregate| aggregate.context() == context && aggregate.plural == plural)
}

/// The kind of a stored name.
#[must_use]
pub fn by_type(aggregate_type: &str) -> Option<&'static Aggregate> {
    AGGREGATES
        .iter()
        .find(|aggregate| aggregate.aggregate_type == aggregate_type)
}

impl Aggregate {
    const fn of<D: Decider>(plural: &'static str) -> Self {
        Self {
            plural,
            aggregate_type: D::TYPE,
            creates: D::CREATES,
            scoped: D::SCOPED,
            borrows_id: D::BORROWS_ID,
            moved: D::MOVED,
            stream_of: stream_of::<D>,
            home: home::<D>,
            concerns: concerns::<D>,
            draws_on: draws_on::<D>,
            schema: schema::<D>,
            parse: parse::<D>,
            folding: || Box::new(Folded(D::default())),
            refusal: refusal::<D>,
            fact: FactRef::of::<D>,
        }
    }

    #[must_use]
    pub fn context(&self) -> &'static str {
        self.aggregate_type.split_once('.').map_or("", |(context, _)| context)
    }

    /// The aggregate's own word: `order`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.aggregate_type
            .split_once('.')
            .map_or(self.aggregate_type, |(_, name)| name)
    }

    /// The commands' names with the JSON schema of their bodies, in the order of their declaration.
    #[must_use]
    pub fn commands(&self) -> &'static [(String, Value)] {
        static ALL: OnceLock<BTreeMap<&'static str, Vec<(String, Value)>>> = OnceLock::new();
        let all = ALL.get_or_init(|| {
            AGGREGATES
                .iter()
                .map(|aggregate| (aggregate.aggregate_type, variants((aggregate.schema)())))
                .collect()
        });
        all.get(self.aggregate_type).map_or(&[], Vec::as_slice)
    }

    /// A step from a command's name and the fields of its body.
    ///
    /// # Errors
    /// The path to what is wrong in the body.
    pub fn parse(&self, stream: Uuid, if_match: Option<i64>, command: &str, body: Value) -> Result<Step, Unparsed> {
        (self.parse)(stream, if_match, tagged(command, body))
    }

    /// What the decider would refuse if none of the streams that it reads existed.
    #[must_use]
    pub fn refusal_without_facts(&self, who: &Who, state: &AnyState, command: &str, body: Value) -> Option<Refusal> {
        (self.refusal)(who, state, tagged(command, body))
    }

    /// The state of a stream without events, on its way through them.
    #[must_use]
    pub fn folding(&self) -> Box<dyn Folding> {
        (self.folding)()
    }

    /// The department that a stream in this state belongs to; a stream never changes it.
    #[must_use]
    pub fn home(&self, state: &AnyState) -> Option<Uuid> {
        (self.home)(state)
    }

    /// The stream as something that the book can load.
    #[must_use]
    pub fn fact(&self, stream: Uuid) -> FactRef {
        (self.fact)(stream)
    }

    /// Other streams that a command draws on, and that therefore must be within reach of who sends it.
    #[must_use]
    pub fn concerns(&self, command: &str, body: Value) -> Vec<FactRef> {
        (self.concerns)(tagged(command, body))
    }

    /// What whoever draws on a stream in this state draws on besides.
    #[must_use]
    pub fn draws_on(&self, state: &AnyState) -> Vec<FactRef> {
        (self.draws_on)(state)
    }

    /// The stream that a command without an id is sent to: the one that it can be sent to, where what it
    /// says decides that, and a new one else.
    #[must_use]
    pub fn stream_of(&self, tenant: Uuid, command: &str, body: Value) -> Uuid {
        (self.stream_of)(tenant, tagged(command, body)).unwrap_or_else(Uuid::now_v7)
    }
}

impl std::fmt::Debug for Aggregate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.aggregate_type)
    }
}

fn tagged(command: &str, body: Value) -> Value {
    Value::Object(Map::from_iter([(command.to_owned(), body)]))
}

fn schema<D: Decider>() -> Schema {
    // Subschemas in place: OpenAPI has no other place for definitions of one schema.
    let settings = schemars::generate::SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    settings.into_generator().into_root_schema_for::<D::Command>()
}

/// The variants of an externally tagged enum, from its schema.
fn variants(schema: Schema) -> Vec<(String, Value)> {
    let mut variants = Vec::new();
    for variant in schema.get("oneOf").and_then(Value::as_array).into_iter().flatten() {
        let doc = variant.get("description").cloned();
        for (name, body) in variant
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let mut body = body.clone();
            if let (Some(body), Some(doc)) = (body.as_object_mut(), doc.clone()) {
                body.insert("description".to_owned(), doc);
            }
            variants.push((name.clone(), body));
        }
    }
    variants
}

fn parse<D: Decider>(stream: Uuid, if_match: Option<i64>, tagged: Value) -> Result<Step, Unparsed> {
    let command: D::Command = serde_path_to_error::deserialize(tagged)?;
    Ok(Step::of::<D>(stream, if_match, command))
}

struct Folded<D>(D);

impl<D: Decider> Folding for Folded<D> {
    fn after(&mut self, recorded: &Recorded<String>) -> Result<(), DecodeError> {
        self.0.evolve(&event::decode(&recorded.stored())?);
        Ok(())
    }

    fn state(&self) -> Result<Value, DecodeError> {
        serde_json::to_value(&self.0).map_err(|error| DecodeError::Fields {
            event_type: D::TYPE.to_owned(),
            detail: error.to_string(),
        })
    }
}

fn home<D: Decider>(state: &AnyState) -> Option<Uuid> {
    state.downcast_ref::<D>()?.home()
}

fn concerns<D: Decider>(tagged: Value) -> Vec<FactRef> {
    serde_json::from_value(tagged).map_or_else(|_| Vec::new(), |command| D::concerns(&command))
}

fn draws_on<D: Decider>(state: &AnyState) -> Vec<FactRef> {
    state.downcast_ref::<D>().map_or_else(Vec::new, D::draws_on)
}

fn stream_of<D: Decider>(tenant: Uuid, tagged: Value) -> Option<Uuid> {
    D::stream_of(tenant, &serde_json::from_value(tagged).ok()?)
}

fn refusal<D: Decider>(who: &Who, state: &AnyState, tagged: Value) -> Option<Refusal> {
    let command: D::Command = serde_json::from_value(tagged).ok()?;
    let request = Request {
        tenant: who.tenant,
        stream: who.stream,
        by: who.by,
        at: Utc::now(),
        ids: Ids::new(who.stream),
        reason: None,
        facts: &Facts::default(),
        together: &Together::default(),
        command: &command,
    };
    let refusal = state.downcast_ref::<D>()?.decide(&request).err()?;
    Some(Refusal {
        aggregate_type: D::TYPE,
        class: refusal.class(),
        rule: refusal.rule(),
        field: refusal.field(),
        detail: refusal.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_aggregate_lists_its_commands_and_the_one_that_creates() {
        for aggregate in AGGREGATES {
            let commands: Vec<_> = aggregate.commands().iter().map(|(name, _)| name.as_str()).collect();
            assert!(commands.contains(&aggregate.creates), "{aggregate:?}: {commands:?}");
        }
    }

    #[test]
    fn a_command_that_moved_is_gone_and_what_to_send_instead_is_served() {
        for aggregate in AGGREGATES {
            for (command, instead) in aggregate.moved {
                assert!(
                    aggregate.commands().iter().all(|(name, _)| name != command),
                    "{command}"
                );
                let words: Vec<&str> = instead.split('/').collect();
                let ["POST ", "v1", context, plural, id, new] = words[..] else {
                    panic!("{instead}");
                };
                let served = by_url(context, plural).unwrap();
                assert!(id.starts_with('{') && served.commands().iter().any(|(name, _)| name == new));
            }
        }
    }

    #[test]
    fn an_unknown_field_is_named_with_its_path() {
        let orders = by_url("cloudwatcher", "orders").unwrap();
        let item =
            json!({"part_id": Uuid::nil(), "supplier_id": Uuid::nil(), "quantity": 1, "unit_price": "1", "colour": 7});
        let body = json!({"department_id": Uuid::nil(), "currency": "EUR", "items": [item]});
        let error = orders.parse(Uuid::nil(), None, "draft", body).unwrap_err();
        assert_eq!(error.path().to_string(), "draft.items[0].colour");
    }

    #[test]
    fn a_duplicate_draws_on_the_order_that_it_copies() {
        let orders = by_url("cloudwatcher", "orders").unwrap();
        let of = Uuid::from_u128(7);
        let concerns = orders.concerns("duplicate", json!({"of": of}));
        assert_eq!(
            concerns
                .iter()
                .map(|fact| (fact.aggregate_type, fact.id))
                .collect::<Vec<_>>(),
            [("cloudwatcher.order", of)]
        );
        assert!(orders.concerns("submit", json!({})).is_empty());
    }

    #[test]
    fn a_kind_is_scoped_exactly_when_its_table_is() {
        for aggregate in AGGREGATES {
            let Some(table) = crate::query::table(aggregate.context(), &aggregate.plural.replace('-', "_")) else {
                continue;
            };
            let scoped = !matches!(table.scope, projections::Scope::Tenant);
            assert_eq!(aggregate.scoped, scoped, "{aggregate:?}");
        }
    }
}
