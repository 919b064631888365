//! Plain kinds, by their lists: samples for stories, and the table of what each list lets pass and what not.

mod listed;

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::entry::{self, Field, Key, Plain, Reference, Sampled, Value as Cell};
use domain::fact::AnyState;
use domain::{
    Aggregate, AnyCommand, Asker, Circumstances, ClaimChange, Context, Decided, Refusal, Sending, Together, Undecided,
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

pub use listed::plain_lists_are_those_of_the_golden_file;

use crate::book::{Occasion, Rehearsal, Unasked};
use crate::chronicle::{History, Step, TENANT};

/// A number that no sample has.
const NOBODYS: i32 = 900_001;
/// Samples of tests, beside those of stories.
const FIRST: u16 = 101;

/// A book with samples of plain kinds in it.
pub struct Samples<'a> {
    book: &'a mut Rehearsal,
    by: Uuid,
    at: DateTime<Utc>,
    /// Every command that was carried out.
    pub steps: Vec<Step>,
}

/// A sample: its stream, and the body that entered it.
#[derive(Debug, Clone)]
pub struct Sample {
    pub stream: Uuid,
    pub body: Sampled,
}

impl<'a> Samples<'a> {
    /// Samples that this person enters.
    pub fn of(book: &'a mut Rehearsal, by: Uuid, at: DateTime<Utc>) -> Self {
        let steps = Vec::new();
        Self { book, by, at, steps }
    }

    /// The body of a kind's `n`th sample, whose references name what is in use.
    #[must_use]
    pub fn body(&self, list: &Plain, n: u16) -> Sampled {
        let mut body = entry::sample(list, n, &|reference| self.named(reference));
        if let Key::Number(number) = list.key {
            body.insert(number.to_owned(), n.into());
        }
        body
    }

    /// A value that names something of the kind that is in use; none while there is nothing.
    #[must_use]
    pub fn named(&self, reference: &Reference) -> Option<Cell> {
        let kind = self.book.contexts().aggregate(reference.kind)?;
        let events = self.book.events().iter();
        let streams: BTreeSet<Uuid> = events
            .filter(|event| event.aggregate_type == reference.kind)
            .map(|event| event.stream)
            .collect();
        streams.into_iter().find_map(|stream| {
            let state = self.book.load(kind.fact(stream)).unwrap();
            let value = match (reference.list)().filter(|list| !matches!(list.key, Key::Id(_))) {
                Some(list) => key_of(kind, list, &state)?,
                None => Cell::Uuid(stream),
            };
            let mut facts = domain::Facts::default();
            facts.insert(kind.aggregate_type, stream, state);
            reference.judge("", TENANT, &value, &facts).is_ok().then_some(value)
        })
    }

    /// A command to a plain kind, from its name and fields.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn command(kind: &Aggregate, name: &str, body: &Sampled) -> Result<AnyCommand, String> {
        let parsed = kind.parse(name, &mut Value::Object(body.clone()));
        parsed.map_err(|unparsed| format!("{} {}", unparsed.path(), unparsed.inner()))
    }

    /// The stream of a kind's entry with this body: that of its key, or one of the sample's own.
    fn stream(kind: &Aggregate, n: u16, command: &AnyCommand) -> Uuid {
        let own = || Uuid::new_v5(&TENANT, format!("{kind:?}/sample/{n}").as_bytes());
        command.stream(TENANT).unwrap_or_else(own)
    }

    /// Enters a kind's `n`th sample with these changes.
    ///
    /// # Errors
    /// Why it was not.
    pub fn enter(&mut self, kind: &'static Aggregate, n: u16, changes: &Sampled) -> Result<Sample, Unasked> {
        let list = list_of(kind);
        let mut body = self.body(list, n);
        body.extend(changes.clone());
        let command = Self::command(kind, "enter", &body).unwrap_or_else(|error| panic!("{kind:?}: {error}"));
        let stream = Self::stream(kind, n, &command);
        self.ask(stream, command)?;
        Ok(Sample { stream, body })
    }

    /// Sends a command that takes these fields.
    ///
    /// # Errors
    /// Why it led to nothing.
    pub fn send(&mut self, kind: &Aggregate, stream: Uuid, name: &str, body: &Sampled) -> Result<(), Unasked> {
        let command = Self::command(kind, name, body).unwrap_or_else(|error| panic!("{kind:?}: {error}"));
        self.ask(stream, command)
    }

    fn ask(&mut self, stream: Uuid, command: AnyCommand) -> Result<(), Unasked> {
        let occasion = Occasion {
            by: self.by,
            at: self.at,
            reason: None,
        };
        let sending = Sending {
            stream,
            command: command.clone(),
        };
        self.book.ask(&[sending], &occasion)?;
        self.steps.push(Step {
            by: self.by,
            at: self.at,
            stream,
            command,
        });
        Ok(())
    }

    /// What a decision makes of entering this body.
    fn entering(&self, kind: &Aggregate, n: u16, body: &Sampled) -> Result<Decided, Refused> {
        let command = Self::command(kind, "enter", body).map_err(Refused::Unread)?;
        let stream = Self::stream(kind, n, &command);
        self.decide(kind, stream, &command)
    }

    /// What a decision makes of amending an entry so.
    fn amending(&self, kind: &Aggregate, stream: Uuid, amendment: &Sampled) -> Result<Decided, Refused> {
        let command = Self::command(kind, "amend", amendment).map_err(Refused::Unread)?;
        self.decide(kind, stream, &command)
    }

    fn decide(&self, kind: &Aggregate, stream: Uuid, command: &AnyCommand) -> Result<Decided, Refused> {
        let state = self.book.load(kind.fact(stream)).unwrap();
        let asker = Asker {
            tenant: TENANT,
            by: self.by,
            at: self.at,
        };
        let facts = self.book.facts(command, &state, &asker, stream).unwrap();
        let circumstances = Circumstances {
            tenant: TENANT,
            stream,
            sequence: self.book.sequence(kind.aggregate_type, stream),
            by: self.by,
            at: self.at,
            seed: stream,
            reason: None,
            facts: Arc::new(facts),
            together: Together::default(),
        };
        command
            .decide(&state, &circumstances)
            .map_err(|undecided| match undecided {
                Undecided::Refused(refusal) => Refused::Rule(refusal),
                undecided => panic!("{kind:?}: {undecided}"),
            })
    }
}

/// Why a body was not taken.
#[derive(Debug)]
enum Refused {
    Unread(String),
    Rule(Refusal),
}

impl Refused {
    /// Whether it is about this field, among others.
    fn names(&self, field: &str) -> bool {
        match self {
            Self::Unread(told) => told.contains(field),
            Self::Rule(refusal) => {
                let others = refusal.others.iter().map(|other| other.field.as_str());
                refusal.field.as_deref() == Some(field) || others.into_iter().any(|other| other == field)
            }
        }
    }

    fn told(&self) -> String {
        match self {
            Self::Unread(told) => told.clone(),
            Self::Rule(refusal) => {
                let others: Vec<&str> = refusal.others.iter().map(|other| other.detail.as_str()).collect();
                format!("{}: {}; {}", refusal.rule, refusal.detail, others.join("; "))
            }
        }
    }
}

fn list_of(kind: &Aggregate) -> &'static Plain {
    kind.plain.unwrap_or_else(|| panic!("{kind:?} is no plain kind"))
}

fn key_of(kind: &Aggregate, list: &Plain, state: &AnyState) -> Option<Cell> {
    let written = kind.state(state).ok()?;
    let fields = written.as_object()?.values().next()?.clone();
    let field = list.key_fields().next()?;
    match &fields[field.name] {
        Value::String(text) => Some(Cell::Text(text.clone())),
        Value::Number(number) => number.as_i64().map(Cell::Whole),
        _ => None,
    }
}

/// A field that an amendment may change, with another value than its sample has.
fn amendable(list: &Plain) -> Option<(&'static str, Value)> {
    let may = |field: &&Field| {
        let spec = field.spec;
        !(spec.stays || spec.is_home || spec.reference.is_some() || list.is_key(field))
    };
    let others = |field: &'static Field| {
        let (one, other) = (entry::fitting(field, 1), entry::fitting(field, 3));
        (one != other).then_some((field.name, other))
    };
    let fields = || list.fields.iter().filter(may);
    let flag = || {
        let flag = fields().find(|field| field.kind == entry::Kind::Boolean)?;
        Some((flag.name, Value::Bool(false)))
    };
    fields().find_map(others).or_else(flag)
}

/// Tells of every plain kind of the context of which the story has not told yet: two samples, of which the first is amended
/// and the other struck.
///
/// # Panics
/// When a sample is refused.
pub fn tell(context: &'static Context, samples: &mut Samples<'_>) {
    for kind in context.aggregates.iter().filter(|kind| kind.plain.is_some()) {
        let is_told = samples
            .book
            .events()
            .iter()
            .any(|event| event.aggregate_type == kind.aggregate_type);
        if is_told {
            continue;
        }
        let list = list_of(kind);
        let did = |done: Result<(), Unasked>| done.unwrap_or_else(|unasked| panic!("{kind:?}: {unasked}"));
        let first = samples.enter(kind, 1, &Map::new());
        let first = first.unwrap_or_else(|unasked| panic!("{kind:?}: {unasked}"));
        if let Some((field, value)) = amendable(list) {
            let amendment = Map::from_iter([(field.to_owned(), value)]);
            did(samples.send(kind, first.stream, "amend", &amendment));
        }
        let second = samples.enter(kind, 2, &Map::new());
        let second = second.unwrap_or_else(|unasked| panic!("{kind:?}: {unasked}"));
        did(samples.send(kind, second.stream, "strike", &Map::new()));
        if list.fields.iter().any(|field| field.spec.is_contact) {
            did(samples.send(kind, first.stream, "forget-contacts", &Map::new()));
        }
    }
}

/// Tries every plain kind of the context: what its list says is refused, by rule and field and in words that name the limit,
/// and all of it at once.
///
/// # Panics
/// When a list does not hold, by the names of the kind and the field.
pub fn plain_kinds_take_what_their_lists_say_and_nothing_else(context: &'static Context, history: &History) {
    for kind in context
        .aggregates
        .iter()
        .filter(|kind| kind.plain.is_some() && !kind.one_per_tenant)
    {
        let mut book = history.book.clone();
        let by = history.steps.first().map_or_else(Uuid::nil, |step| step.by);
        let mut samples = Samples::of(&mut book, by, history.ended_at);
        let first = samples.enter(kind, FIRST, &Map::new());
        let first = first.unwrap_or_else(|unasked| panic!("{kind:?}: its sample is refused: {unasked}"));
        limits(kind, &samples);
        references(kind, &first, &mut samples);
        claims(kind, &first, &mut samples);
        stays(kind, &first, &samples);
    }
}

/// Columns that every table has, or that say where a row stands in the book: no field is called so.
const RESERVED: [&str; 6] = [
    "tenant_id",
    "stream_id",
    "position",
    "place",
    "created_at",
    "updated_at",
];

fn limits(kind: &Aggregate, samples: &Samples<'_>) {
    let list = list_of(kind);
    let taken = list.fields.iter().find(|field| RESERVED.contains(&field.name));
    assert!(
        taken.is_none(),
        "{kind:?} calls a field as tables call a column of their own: {taken:?}"
    );
    let n = FIRST + 1;
    let whole = samples.body(list, n);
    let mut all = whole.clone();
    let mut wrong = Vec::new();
    let bounded = list
        .fields
        .iter()
        .filter(|field| !matches!((list.key, field.name), (Key::Number(number), name) if number == name));
    for field in bounded {
        for (value, told) in entry::unfit(field) {
            let mut body = whole.clone();
            body.insert(field.name.to_owned(), value.clone());
            let refused = samples.entering(kind, n, &body).err();
            let refused = refused.unwrap_or_else(|| panic!("{kind:?}.{} takes {value}", field.name));
            assert!(
                refused.names(field.name) && refused.told().contains(&told),
                "{kind:?}.{}: {} does not say that {told}",
                field.name,
                refused.told()
            );
            if matches!(refused, Refused::Rule(_)) && all.insert(field.name.to_owned(), value) != Some(Value::Null) {
                wrong.push(field.name);
            }
        }
        let mut body = whole.clone();
        body.remove(field.name);
        if let Err(refused) = samples.entering(kind, n, &body) {
            assert!(
                refused.names(field.name),
                "{kind:?}.{} is missing: {}",
                field.name,
                refused.told()
            );
        }
    }
    wrong.dedup();
    if wrong.is_empty() {
        return;
    }
    let refused = samples.entering(kind, n, &all).err();
    let refused = refused.unwrap_or_else(|| panic!("{kind:?} takes what none of its fields takes"));
    for field in wrong {
        assert!(
            refused.names(field),
            "{kind:?}.{field} is wrong, among others, and not told: {}",
            refused.told()
        );
    }
}

fn references(kind: &'static Aggregate, first: &Sample, samples: &mut Samples<'_>) {
    let list = list_of(kind);
    for field in list.fields {
        let Some(reference) = &field.spec.reference else {
            continue;
        };
        let Some(named) = samples.named(reference) else {
            continue;
        };
        let unknown = match field.kind {
            entry::Kind::Uuid => json!(Uuid::from_u128(0xdead)),
            entry::Kind::Text => json!("nowhere"),
            _ => json!(NOBODYS),
        };
        let another = samples.body(list, FIRST + 2);
        let refuses = |samples: &Samples<'_>, value: Value, why: &str| {
            let mut body = another.clone();
            body.insert(field.name.to_owned(), value);
            let refused = samples.entering(kind, FIRST + 2, &body).err();
            let refused = refused.unwrap_or_else(|| panic!("{kind:?}.{} names {why}, and is taken", field.name));
            let is_told = refused.names(field.name) && refused.told().contains("reference");
            assert!(is_told, "{kind:?}.{} names {why}: {}", field.name, refused.told());
        };
        refuses(samples, unknown, "what is not there");

        // Out of use while something refers to it: that stays as it is, and nothing else may.
        let target = samples.book.contexts().aggregate(reference.kind).unwrap();
        let Some(stream) = reference.stream(TENANT, &named) else {
            continue;
        };
        let Ok(strike) = Samples::command(target, "strike", &Map::new()) else {
            continue;
        };
        let book = samples.book.clone();
        if samples.ask(stream, strike).is_err() {
            continue;
        }
        let value = match field.kind {
            entry::Kind::Uuid | entry::Kind::Text => json!(named.text()),
            _ => named.text().parse::<i64>().unwrap().into(),
        };
        refuses(samples, value, "what is struck");
        if let Some((other, value)) = amendable(list) {
            let amendment = Map::from_iter([(other.to_owned(), value)]);
            let amended = samples.amending(kind, first.stream, &amendment);
            assert!(
                amended.is_ok(),
                "{kind:?} cannot be amended once what its {} names is struck: {:?}",
                field.name,
                amended.err()
            );
        }
        *samples.book = book;
    }
}

fn claims(kind: &'static Aggregate, first: &Sample, samples: &mut Samples<'_>) {
    let list = list_of(kind);
    for field in list.fields {
        let Some(unique) = field.spec.unique else { continue };
        let taken = first.body[field.name].clone();
        let same = Map::from_iter([(field.name.to_owned(), taken)]);
        let book = samples.book.clone();
        match samples.enter(kind, FIRST + 3, &same) {
            Err(Unasked::Claimed { claim, .. }) => assert_eq!(claim, unique.claim, "{kind:?}.{}", field.name),
            other => panic!("{kind:?}.{} is taken, and taken again: {other:?}", field.name),
        }
        *samples.book = book;
        let decided = samples.entering(kind, FIRST + 3, &samples.body(list, FIRST + 3));
        let takes = decided.is_ok_and(|decided| {
            let mut claims = decided.claims.iter();
            claims.any(|change| matches!(change, ClaimChange::Take { claim, .. } if *claim == unique.claim))
        });
        assert!(takes, "{kind:?}.{} takes no claim", field.name);
    }
}

fn stays(kind: &Aggregate, first: &Sample, samples: &Samples<'_>) {
    let list = list_of(kind);
    for field in list.fields {
        if !(field.spec.stays || field.spec.is_home || list.is_key(field)) {
            continue;
        }
        let other = match field.kind {
            entry::Kind::Uuid => json!(Uuid::from_u128(0xbeef)),
            _ if matches!(list.key, Key::Number(number) if number == field.name) => json!(NOBODYS),
            _ => entry::fitting(field, FIRST + 9),
        };
        let amendment = Map::from_iter([(field.name.to_owned(), other)]);
        let refused = samples.amending(kind, first.stream, &amendment);
        assert!(refused.is_err(), "{kind:?}.{} stays, and is amended", field.name);
    }
}
