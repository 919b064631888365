//! Settings that nobody is shown.

use chrono::{DateTime, Utc};
use dod::configuration::{ConfigType, Configuration};
use domain::register::{Change, Entry, Register};
use domain::{AnyEvent, Recorded};
use serde_json::{Value, json};
use uuid::Uuid;

use projections::cell::Word;
use projections::fold::{FoldError, Project, existing};
use projections::row;
use projections::table::Scope;

row! {
    /// A token or key of another service. A struck one's row is gone. The value is sealed, and no permission opens it.
    ConfigurationRow = dod.configurations
    key {
        /// The configuration's id.
        id: Uuid,
    }
    columns {
        /// What it is for: `lark`, `slack`, `general`.
        config_type: Word<ConfigType>,
        /// What it is found by; unique within its type.
        config_key: String,
        /// The value, sealed.
        config_value: String,
        /// The hosts that it may be sent to.
        hosts: Value,
        /// When it was first entered.
        created_at: DateTime<Utc>,
        /// When it last changed.
        updated_at: DateTime<Utc>,
    }
    generated {}
    find { id, config_type, created_at }
    scope { Scope::Tenant }
    masked { config_value }
}

const _: () = assert!(!Configuration::STRUCK_STAYS);

impl Project for ConfigurationRow {
    const OWNED: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        let change = recorded.of::<Register<Configuration>>();
        change.map(|_| recorded.stream).into_iter().collect()
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(change) = recorded.of::<Register<Configuration>>() else {
            return Ok(row);
        };
        let written = |entry: &Configuration, (position, created_at)| Self {
            tenant_id: recorded.tenant_id,
            position,
            id,
            config_type: Word(entry.config_type),
            config_key: entry.config_key.clone(),
            config_value: entry.config_value.clone(),
            hosts: json!(entry.hosts),
            created_at,
            updated_at: recorded.at,
        };
        let came = |row: Self| (row.position, row.created_at);
        Ok(match change {
            Change::Entered(entry) => Some(written(entry, row.map_or((recorded.position, recorded.at), came))),
            Change::Amended(entry) => Some(written(entry, came(existing(row)?))),
            Change::Struck {} => existing(row).map(|_| None)?,
            Change::Forgotten {} | Change::Taken {} => row,
        })
    }
}
