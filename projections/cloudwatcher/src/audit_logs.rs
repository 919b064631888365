//! Who changed what, when and why, in every other table.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use projections::audit::{Audit, Entry};
use projections::cell::{Json, List, Listed, Word};
use projections::image::Image;
use projections::row;
use projections::table::Scope;

/// What happened to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Operation {
    Insert,
    Update,
    Delete,
}

impl From<Operation> for &'static str {
    fn from(operation: Operation) -> Self {
        match operation {
            Operation::Insert => "INSERT",
            Operation::Update => "UPDATE",
            Operation::Delete => "DELETE",
        }
    }
}

/// The names of this context's tables: those that there are today can be asked for.
pub struct Tables;

impl List for Tables {
    fn words() -> Vec<&'static str> {
        crate::TABLES.iter().map(|projection| projection.table().name).collect()
    }
}

row! {
    /// What one event did to one row of another table. It tells of all departments, and never changes.
    AuditLogRow = cloudwatcher.audit_logs
    key {
        /// Made of the event's id, the table and the row's key.
        id: Uuid,
    }
    columns {
        /// The table whose row changed.
        table_name: Listed<Tables>,
        /// `INSERT`, `UPDATE` or `DELETE`.
        operation: Word<Operation>,
        /// The key of the row that changed.
        record_id: String,
        /// The user who asked for it; null when Daybook itself did, or somebody who was no user yet.
        user_id: Option<Uuid>,
        /// Whoever asked for it: a user, or Daybook itself.
        actor_id: Uuid,
        /// The changed columns before an update, the whole row before it went. Columns that are masked or
        /// tell who a person is are left out, and so
        /// are those of a whole row that are null.
        old_values: Option<Json>,
        /// The changed columns after an update, the whole row when it came; the same are left out.
        new_values: Option<Json>,
        /// The reason that was given.
        change_reason: Option<String>,
        /// Where the request came from.
        ip_address: Option<IpAddr>,
        /// When it happened.
        created_at: DateTime<Utc>,
        /// Its place among the rows that the event changed, from 1: table by table, parents before what refers to
        /// them, and in each in the order in which the event names them.
        place: i32,
    }
    generated {}
    find { id, table_name, operation, record_id, user_id, created_at }
    scope { Scope::Whole }
    masked { ip_address }
    texts { old_values, new_values, change_reason }
}

impl Audit for AuditLogRow {
    const USERS: &'static str = "users";

    fn row(entry: Entry<'_>) -> Self {
        let Entry {
            id,
            recorded,
            table,
            record,
            image,
            user,
            place,
        } = entry;
        let (operation, old_values, new_values) = match image {
            Image::Insert { new } => (Operation::Insert, None, Some(new)),
            Image::Update { old, new } => (Operation::Update, Some(old), Some(new)),
            Image::Delete { old } => (Operation::Delete, Some(old), None),
        };
        Self {
            tenant_id: recorded.tenant_id,
            id,
            table_name: Listed::from(table.to_owned()),
            operation: Word(operation),
            record_id: record.to_owned(),
            user_id: user,
            actor_id: recorded.metadata.actor,
            old_values,
            new_values,
            change_reason: recorded.metadata.reason.clone(),
            ip_address: recorded.metadata.ip.as_deref().and_then(|ip| ip.parse().ok()),
            position: recorded.position,
            created_at: recorded.at,
            place,
        }
    }

    fn position(&self) -> i64 {
        self.position
    }
}

#[cfg(test)]
mod tests;
