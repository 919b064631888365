//! A small context beside those of the program: notes, which have one table.

use domain::register::{Entry, Register};
use domain::text::Unfit;
use domain::{Aggregate, Claim};
use projections::projection::of;
use projections::register;
use projections::table::Scope;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// No two notes have the same.
pub const MARK: Claim = Claim::new("shelf.notes.mark");

const AGGREGATES: &[Aggregate] = &[Aggregate::of::<Register<Note>>("notes")];

const HISTORY: &str = "[]\n";

static DECISIONS: domain::Context = domain::Context {
    name: "shelf",
    aggregates: AGGREGATES,
    policies: &[],
    history: HISTORY,
};

static TABLES: projections::Context = projections::Context {
    name: "shelf",
    ddl: "
create table notes (
    tenant_id  uuid        not null,
    id         uuid        primary key,
    mark       text        not null,
    is_active  boolean     not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    position   bigint      not null
);
create unique index notes_mark on notes (tenant_id, mark);
",
    reads: AGGREGATES,
    tables: &[&of::<NoteRow>()],
    audit: None,
    loads: |_| 0,
    history: HISTORY,
    departments: None,
};

pub static CONTEXT: http::Context = http::Context::of(&DECISIONS, Some(&TABLES));

/// A note; a struck one's row stays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    pub mark: String,
}

impl Entry for Note {
    const TYPE: &'static str = "shelf.note";
    const NOUN: &'static str = "note";
    const ENTERED: &'static str = "NoteEntered";
    const AMENDED: &'static str = "NoteAmended";
    const STRUCK: &'static str = "NoteStruck";
    const CLAIMS: &'static [Claim] = &[MARK];

    fn check(&self) -> Result<(), (&'static str, Unfit)> {
        Ok(())
    }

    fn claims(&self) -> Vec<(Claim, String)> {
        vec![(MARK, self.mark.clone())]
    }
}

register! {
    /// A note.
    NoteRow = shelf.notes of Note
    columns {
        /// What tells it from others.
        mark: String,
    }
    in_use { is_active }
    find { id, mark }
    scope { Scope::Tenant }
}
