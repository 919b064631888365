//! What investigations may ask.

use chrono::{DateTime, Utc};
use dod::tool::{Tool, ToolType};
use domain::register::{Change, Register};
use domain::{AnyEvent, Recorded};
use serde_json::Value;
use uuid::Uuid;

use projections::cell::Word;
use projections::fold::{FoldError, Project, actor, existing};
use projections::row;
use projections::table::Scope;

use crate::standing::Standing;

row! {
    /// Another system that investigations ask. A struck tool's row stays.
    ToolRow = dod.tools
    key {
        /// The tool's id.
        id: Uuid,
    }
    columns {
        /// The user who first entered it; null when Daybook itself did.
        created_by: Option<Uuid>,
        /// What procedures call it; unique without regard to case.
        name: String,
        /// What it is good for.
        description: Option<String>,
        /// What kind of tool it is: `mcp`, `custom_code`.
        r#type: Word<ToolType>,
        /// How it is reached; secrets are named in it, and are not.
        config: Value,
        /// Whether it is in use: `active`, `inactive`.
        status: Word<Standing>,
        /// When it was first entered.
        created_at: DateTime<Utc>,
        /// When it last changed.
        updated_at: DateTime<Utc>,
    }
    generated {}
    find { id, created_by, name, status, created_at }
    scope { Scope::Tenant }
    masked {}
}

impl Project for ToolRow {
    const OWNED: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        let change = recorded.of::<Register<Tool>>();
        change.map(|_| recorded.stream).into_iter().collect()
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(change) = recorded.of::<Register<Tool>>() else {
            return Ok(row);
        };
        let written = |entry: &Tool, (position, created_at, created_by)| Self {
            tenant_id: recorded.tenant_id,
            position,
            id,
            created_by,
            name: entry.name.clone(),
            description: entry.description.clone(),
            r#type: Word(entry.tool_type),
            config: entry.config.clone(),
            status: Word(Standing::Active),
            created_at,
            updated_at: recorded.at,
        };
        let came = |row: Self| (row.position, row.created_at, row.created_by);
        let first = || (recorded.position, recorded.at, actor(recorded));
        Ok(match change {
            Change::Entered(entry) => Some(written(entry, row.map_or_else(first, came))),
            Change::Amended(entry) => Some(written(entry, came(existing(row)?))),
            Change::Struck {} => Some(Self {
                status: Word(Standing::Inactive),
                updated_at: recorded.at,
                ..existing(row)?
            }),
            Change::Forgotten {} | Change::Taken {} => row,
        })
    }
}
