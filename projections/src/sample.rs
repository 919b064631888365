//! A context for the engine's own tests: folders, and the papers in them.

use domain::faults::Faults;
use domain::register::{Change, Entry, Register};
use domain::text::Unfit;
use domain::{Aggregate, AnyEvent};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::context::Context;
use crate::projection::of;
use crate::register;
use crate::table::Scope;

/// Papers lie in it. A struck one's row stays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Folder {
    pub name: String,
}

impl Entry for Folder {
    const TYPE: &'static str = "sample.folder";
    const NOUN: &'static str = "folder";
    const ENTERED: &'static str = "FolderEntered";
    const AMENDED: &'static str = "FolderAmended";
    const STRUCK: &'static str = "FolderStruck";

    fn check(&self) -> Faults<Unfit> {
        Faults::default()
    }
}

/// A struck one's row goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Paper {
    pub folder_id: Uuid,
    pub title: String,
}

impl Entry for Paper {
    const TYPE: &'static str = "sample.paper";
    const NOUN: &'static str = "paper";
    const ENTERED: &'static str = "PaperEntered";
    const AMENDED: &'static str = "PaperAmended";
    const STRUCK: &'static str = "PaperStruck";
    const STRUCK_STAYS: bool = false;

    fn check(&self) -> Faults<Unfit> {
        Faults::default()
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

register! {
    /// A paper.
    PaperRow = sample.papers of Paper
    columns {
        /// Where it lies.
        folder_id: Uuid,
        /// What it is called.
        title: String,
    }
    in_use {}
    find { id, folder_id }
    scope { Scope::Tenant }
}

/// Large, so that few of them fit on a page.
const STRUCK_BYTES_MAX: usize = 512 << 10;

pub(crate) static CONTEXT: Context = Context {
    name: "sample",
    ddl: "
-- Two tables; what is said of them afterwards is executed once their rows are there.
create table folders (
    tenant_id  uuid        not null,
    id         uuid        primary key,
    name       text        not null,
    is_active  boolean     not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    position   bigint      not null
);
create table papers (
    tenant_id  uuid        not null,
    id         uuid        primary key,
    folder_id  uuid        not null,
    title      text        not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    position   bigint      not null
);
alter table papers add foreign key (folder_id) references folders;
create index papers_folder on papers (tenant_id, folder_id);
",
    reads: &[
        Aggregate::of::<Register<Folder>>("folders"),
        Aggregate::of::<Register<Paper>>("papers"),
    ],
    tables: &[&of::<FolderRow>(), &of::<PaperRow>()],
    audit: None,
    loads: |event: &AnyEvent| match event.of::<Register<Paper>>() {
        Some(Change::Struck {}) => STRUCK_BYTES_MAX,
        _ => 0,
    },
    history: include_str!("sample/history.json"),
    departments: None,
};
