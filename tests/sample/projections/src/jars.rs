//! Jars that bear a label.

use chrono::{DateTime, Utc};
use domain::{AnyEvent, Recorded};
use projections::fold::{FoldError, Project, actor};
use projections::row;
use projections::table::Scope;
use sample::jar::{Event, Jar};
use uuid::Uuid;

row! {
    /// A jar that bears a label. The row of a bare jar is gone.
    JarRow = sample.jars
    key {
        /// The jar's id.
        id: Uuid,
    }
    columns {
        /// What is written on it; no two jars bear the same.
        label: String,
        /// The user who wrote it.
        labelled_by: Option<Uuid>,
        /// When it was written.
        labelled_at: DateTime<Utc>,
    }
    generated {}
    find { id, label, labelled_by, labelled_at }
    scope { Scope::Tenant }
    masked {}
}

impl Project for JarRow {
    const OWNED: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        let event = recorded.of::<Jar>();
        event.map(|_| recorded.stream).into_iter().collect()
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(Event::JarLabelled { label }) = recorded.of::<Jar>() else {
            return Ok(row);
        };
        let position = row.map_or(recorded.position, |row| row.position);
        Ok(label.clone().map(|label| Self {
            tenant_id: recorded.tenant_id,
            id,
            label,
            labelled_by: actor(recorded),
            labelled_at: recorded.at,
            position,
        }))
    }
}
