//! Which skill an issue calls for: what persons have bound to such alerts, then what is nearest to its words.

use std::sync::Arc;

use book::BookError;
use chrono::{DateTime, Utc};
use dod::issue::{MatchedBy, Opened};
use dod_skills::matching::{Binding, Matcher};
use dod_skills::pattern::PatternKind;
use dod_skills::subject::Subject;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::embed::nearest::nearest;
use crate::outward::Outward;

/// Tenants whose bindings are kept ready.
const TENANTS_MAX: u64 = 1_000;

/// What was found.
#[derive(Debug)]
pub struct Found {
    pub skill_id: Option<Uuid>,
    pub by: MatchedBy,
    pub why: String,
    pub sop: Option<String>,
    pub metadata: Value,
}

/// The bindings of late, ready to be asked.
#[derive(Clone)]
pub struct Skills(moka::future::Cache<Uuid, Ready>);

#[derive(Clone)]
struct Ready {
    /// What they were made of: how many, and when one changed last.
    of: (i64, Option<DateTime<Utc>>),
    matcher: Arc<Matcher>,
}

impl std::fmt::Debug for Skills {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Skills")
    }
}

impl Default for Skills {
    fn default() -> Self {
        Self(moka::future::Cache::new(TENANTS_MAX))
    }
}

impl Skills {
    /// The skill that the issue's first alert calls for.
    ///
    /// # Errors
    /// The database's error.
    pub async fn find(
        &self,
        outward: &Outward,
        pool: &PgPool,
        tenant: Uuid,
        issue: &Opened,
    ) -> Result<Found, BookError> {
        let brief = &issue.brief;
        let subject = Subject {
            title: &brief.title,
            description: brief.description.as_deref().unwrap_or_default(),
            source: &brief.source,
            alert_type: &brief.alert_type,
            severity: brief.severity,
            labels: &brief.labels,
        };
        let matcher = self.matcher(pool, tenant).await?;
        if let Some(met) = matcher.first(&subject)
            && let Some(sop) = sop_of(pool, tenant, met.skill_id).await?
        {
            return Ok(Found {
                skill_id: Some(met.skill_id),
                by: MatchedBy::Binding,
                metadata: json!({
                    "binding_id": met.binding_id,
                    "others": met.others,
                    "others_count": met.others_count,
                }),
                why: met.why,
                sop: Some(sop),
            });
        }
        nearest(outward, pool, tenant, &subject).await
    }

    async fn matcher(&self, pool: &PgPool, tenant: Uuid) -> Result<Arc<Matcher>, BookError> {
        let of: (i64, Option<DateTime<Utc>>) =
            sqlx::query_as("select count(*), max(updated_at) from dod.alert_skill_bindings where tenant_id = $1")
                .bind(tenant)
                .fetch_one(pool)
                .await?;
        if let Some(ready) = self.0.get(&tenant).await.filter(|ready| ready.of == of) {
            return Ok(ready.matcher);
        }
        let rows: Vec<(Uuid, Uuid, String, String, String, i32, i64)> = sqlx::query_as(
            "select b.id, b.skill_id, b.pattern_kind, b.field, b.alert_pattern, coalesce(b.priority, 0), b.position
             from dod.alert_skill_bindings b join dod.skills s on s.id = b.skill_id
             where b.tenant_id = $1 and s.status = 'active'",
        )
        .bind(tenant)
        .fetch_all(pool)
        .await?;
        let bindings = rows.into_iter().filter_map(binding).collect();
        // A thousand expressions take tenths of a second, and nobody else is to wait for that.
        let making = tokio::task::spawn_blocking(move || Matcher::new(bindings).0);
        let made = making.await.map_err(|error| BookError::Broken(error.to_string()))?;
        let matcher = Arc::new(made);
        let ready = Ready {
            of,
            matcher: matcher.clone(),
        };
        self.0.insert(tenant, ready).await;
        Ok(matcher)
    }
}

/// A binding from its row.
pub fn binding(row: (Uuid, Uuid, String, String, String, i32, i64)) -> Option<Binding> {
    let (id, skill_id, kind, field, pattern, priority, since) = row;
    Some(Binding {
        id,
        skill_id,
        kind: match kind.as_str() {
            "regex" => PatternKind::Regex,
            _ => PatternKind::Keyword,
        },
        field: field.parse().ok()?,
        pattern,
        priority,
        since,
    })
}

/// The procedure of a skill in use.
///
/// # Errors
/// The database's error.
pub async fn sop_of(pool: &PgPool, tenant: Uuid, skill: Uuid) -> Result<Option<String>, BookError> {
    let asking =
        sqlx::query_scalar("select sop from dod.skills where tenant_id = $1 and id = $2 and status = 'active'");
    Ok(asking.bind(tenant).bind(skill).fetch_optional(pool).await?)
}
