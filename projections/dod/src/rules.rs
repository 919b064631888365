//! Which alerts belong together, and which ones tell nobody.

use chrono::{DateTime, Utc};
use dod::correlation::{self, Correlations};
use dod::silence::{self, SilenceKind, Silences};
use domain::{AnyEvent, Recorded};
use serde_json::{Value, json};
use uuid::Uuid;

use projections::cell::Word;
use projections::fold::{FoldError, Project, actor, existing};
use projections::row;
use projections::table::Scope;

row! {
    /// A rule by which alerts belong together. A rule that was dropped is gone.
    CorrelationRuleRow = dod.correlation_rules
    key {
        /// The rule's id.
        id: Uuid,
    }
    columns {
        /// What people call it.
        name: String,
        /// The alerts that it is for: those for which all of these hold.
        conditions: Value,
        /// The fields whose values make one group.
        fields: Value,
        /// Minutes without another alert after which a group takes no more.
        window_minutes: i32,
        /// Rules of a higher priority are asked first, and among equals the older.
        priority: i32,
        /// The user who first set it; null when Daybook itself did.
        created_by: Option<Uuid>,
        /// When it was first set.
        created_at: DateTime<Utc>,
        /// When it last changed.
        updated_at: DateTime<Utc>,
    }
    generated {}
    find { id, priority, created_at }
    scope { Scope::Tenant }
    masked {}
}

// Not OWNED: whoever sets a rule may choose its id, and so choose one that is another tenant's.
impl Project for CorrelationRuleRow {
    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        match recorded.of::<Correlations>() {
            Some(
                correlation::Event::CorrelationRuleSet { rule_id, .. }
                | correlation::Event::CorrelationRuleDropped { rule_id },
            ) => vec![*rule_id],
            None => Vec::new(),
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(event) = recorded.of::<Correlations>() else {
            return Ok(row);
        };
        if row.as_ref().is_some_and(|row| row.tenant_id != recorded.tenant_id) {
            return Err(taken("correlation_rules"));
        }
        match event {
            correlation::Event::CorrelationRuleSet {
                rule_id: _,
                name,
                when,
                by,
                window_minutes,
                priority,
            } => {
                let first = (recorded.position, recorded.at, actor(recorded));
                let came = row.map_or(first, |row| (row.position, row.created_at, row.created_by));
                let (position, created_at, created_by) = came;
                Ok(Some(Self {
                    tenant_id: recorded.tenant_id,
                    position,
                    id,
                    name: name.clone(),
                    conditions: json!(when),
                    fields: json!(by),
                    window_minutes: *window_minutes,
                    priority: *priority,
                    created_by,
                    created_at,
                    updated_at: recorded.at,
                }))
            }
            correlation::Event::CorrelationRuleDropped { .. } => existing(row).map(|_| None),
        }
    }
}

row! {
    /// A time in which alerts tell nobody. One that has ended stays.
    SilenceRow = dod.silences
    key {
        /// The silence's id.
        id: Uuid,
    }
    columns {
        /// What people call it.
        name: String,
        /// Why, in somebody's own words.
        comment: Option<String>,
        /// The alerts that it keeps quiet: those for which all of these hold.
        conditions: Value,
        /// Whether work is done there (`maintenance`) or somebody knows of the alerts (`silence`).
        kind: Word<SilenceKind>,
        /// From when on.
        starts_at: DateTime<Utc>,
        /// Until when.
        ends_at: DateTime<Utc>,
        /// The user who first set it; null when Daybook itself did.
        created_by: Option<Uuid>,
        /// The user who ended it before its time; null when nobody did, or Daybook itself.
        ended_by: Option<Uuid>,
        /// When it was first set.
        created_at: DateTime<Utc>,
        /// When it last changed.
        updated_at: DateTime<Utc>,
    }
    generated {}
    find { id, ends_at, created_at }
    scope { Scope::Tenant }
    masked {}
    texts { comment }
}

// Not OWNED, as rules are not.
impl Project for SilenceRow {
    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        match recorded.of::<Silences>() {
            Some(
                silence::Event::AlertsSilenced { silence_id, .. } | silence::Event::SilenceEnded { silence_id, .. },
            ) => vec![*silence_id],
            None => Vec::new(),
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(event) = recorded.of::<Silences>() else {
            return Ok(row);
        };
        if row.as_ref().is_some_and(|row| row.tenant_id != recorded.tenant_id) {
            return Err(taken("silences"));
        }
        Ok(Some(match event {
            silence::Event::AlertsSilenced {
                silence_id: _,
                name,
                comment,
                when,
                starts_at,
                ends_at,
                kind,
                silenced_at: _,
            } => {
                let first = (recorded.position, recorded.at, actor(recorded));
                let came = row.map_or(first, |row| (row.position, row.created_at, row.created_by));
                let (position, created_at, created_by) = came;
                Self {
                    tenant_id: recorded.tenant_id,
                    position,
                    id,
                    name: name.clone(),
                    comment: comment.clone(),
                    conditions: json!(when),
                    kind: Word(*kind),
                    starts_at: *starts_at,
                    ends_at: *ends_at,
                    created_by,
                    ended_by: None,
                    created_at,
                    updated_at: recorded.at,
                }
            }
            silence::Event::SilenceEnded { ended_at, .. } => {
                let row = existing(row)?;
                Self {
                    ends_at: row.ends_at.min(*ended_at),
                    ended_by: actor(recorded),
                    updated_at: recorded.at,
                    ..row
                }
            }
        }))
    }
}

/// An id that was chosen is that of a row which another tenant has.
pub(crate) fn taken(table: &'static str) -> FoldError {
    FoldError::Unfit {
        table,
        column: "id",
        detail: "another tenant has a row of this id".to_owned(),
    }
}
