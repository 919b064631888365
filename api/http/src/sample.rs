//! A context for the engine's own tests: folders in a table, and visits, whose address not everybody sees.

use domain::register::{Entry, Register};
use domain::text::Unfit;
use domain::{Aggregate, Class, Decider, Refuse, Request, stored_by_variant};
use projections::projection::of;
use projections::{Scope, register};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::context::{Context, Contexts};

static CONTEXT: Context = Context::of(&DECISIONS, Some(&TABLES));

static DECISIONS: domain::Context = domain::Context {
    name: "sample",
    aggregates: &[
        Aggregate::of::<Register<Folder>>("folders"),
        Aggregate::of::<Visit>("visits"),
    ],
    policies: &[],
    history: "[]\n",
};

static TABLES: projections::Context = projections::Context {
    name: "sample",
    ddl: "",
    reads: &[Aggregate::of::<Register<Folder>>("folders")],
    tables: &[&of::<FolderRow>()],
    audit: None,
    loads: |_| 0,
    history: "[]\n",
    departments: None,
};

/// A context without anything, to add something to.
pub(crate) const fn empty(name: &'static str) -> domain::Context {
    domain::Context {
        name,
        aggregates: &[],
        policies: &[],
        history: "[]\n",
    }
}

/// The prelude and the sample.
pub(crate) fn contexts() -> Contexts {
    static IDENTITY: Context = Context::of(&identity::CONTEXT, None);
    Contexts::new(&[&IDENTITY, &CONTEXT]).unwrap()
}

/// A folder as it is entered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Folder {
    name: String,
    #[serde(default)]
    labels: Vec<Label>,
}

/// What sticks to a folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Label {
    text: String,
}

impl Entry for Folder {
    const TYPE: &'static str = "sample.folder";
    const NOUN: &'static str = "folder";
    const ENTERED: &'static str = "FolderEntered";
    const AMENDED: &'static str = "FolderAmended";
    const STRUCK: &'static str = "FolderStruck";

    fn check(&self) -> domain::faults::Faults<Unfit> {
        domain::faults::Faults::default()
    }
}

register! {
    /// A folder.
    FolderRow = sample.folders of Folder
    columns {
        /// What it is called.
        name: String,
    }
    in_use { is_active }
    find { id, name }
    scope { Scope::Tenant }
}

/// Somebody comes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Visit;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Command {
    /// Begins a visit.
    Begin { from_address: String, labels: Vec<Label> },
    /// Ends it.
    End {},
}

#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, strum::IntoStaticStr, strum::VariantNames,
)]
pub(crate) enum Event {
    VisitBegan { from_address: String, purpose: String },
}

stored_by_variant!(Event);

impl domain::Event for Event {}

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("nobody is here")]
pub(crate) struct Refusal;

impl Refuse for Refusal {
    fn class(&self) -> Class {
        Class::Refused
    }
    fn rule(&self) -> &'static str {
        "nobody"
    }
    fn rules() -> Vec<&'static str> {
        vec!["nobody"]
    }
    fn field(&self) -> Option<String> {
        None
    }
}

impl Decider for Visit {
    const TYPE: &'static str = "sample.visit";
    const CREATES: &'static str = "begin";
    const ADDRESSES: &'static [&'static str] = &["from_address"];
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, _request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        Err(Refusal)
    }

    fn evolve(&mut self, _event: &Event) {}
}
