//! What an investigation looks at: the alert, its history, the issue's other alerts, and what persons said before.

use book::BookError;
use chrono::{DateTime, SubsecRound as _, Utc};
use dod::issue::{EVIDENCE_BYTES_MAX, Opened};
use dod_skills::evidence::{Correction, Evidence, OtherAlert};
use domain::{AnyEvent, Recorded};
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

/// Times of firing, and others of the issue, that are asked for.
const FIRED_MAX: i64 = 200;
const OTHERS_MAX: usize = 50;
const CORRECTIONS_MAX: i64 = 5;
/// Bytes of the part of the body that is looked at.
const RAW_BYTES_MAX: usize = 32 << 10;

/// What is known now.
///
/// # Errors
/// The database's error.
pub async fn gather(
    pool: &PgPool,
    tenant: Uuid,
    begun: &Recorded<AnyEvent>,
    issue: &Opened,
) -> Result<Evidence, BookError> {
    let brief = &issue.brief;
    let first = issue.remembered.first().map(|first| first.alert_id);
    let (starts_at, raw) = match first {
        Some(alert_id) => of_alert(pool, tenant, alert_id).await?,
        None => (None, None),
    };
    let mut fired_at: Vec<DateTime<Utc>> = sqlx::query_scalar(
        "select received_at from dod.alerts
         where tenant_id = $1 and source = $2 and alert_type = $3 and title = $4
         order by received_at desc limit $5",
    )
    .bind(tenant)
    .bind(&brief.source)
    .bind(&brief.alert_type)
    .bind(&brief.title)
    .bind(FIRED_MAX)
    .fetch_all(pool)
    .await?;
    let is_whole = i64::try_from(fired_at.len()).is_ok_and(|found| found < FIRED_MAX);
    let fired_since = fired_at.last().copied().filter(|_| !is_whole);
    counts_this_one(&mut fired_at, brief.received_at);
    let others = issue
        .remembered
        .iter()
        .skip(1)
        .take(OTHERS_MAX)
        .map(|other| OtherAlert {
            alert_type: other.brief.alert_type.clone(),
            title: other.brief.title.clone(),
        });
    let mut evidence = Evidence {
        as_of: begun.at,
        title: brief.title.clone(),
        description: brief.description.clone(),
        source: brief.source.clone(),
        alert_type: brief.alert_type.clone(),
        severity: issue.severity,
        labels: brief.labels.clone(),
        starts_at,
        raw: raw.filter(|raw| raw.len() <= RAW_BYTES_MAX),
        fired_at,
        fired_since,
        is_flapping: brief.is_flapping,
        others: others.collect(),
        others_count: u32::try_from(issue.alerts.len().saturating_sub(1)).unwrap_or(u32::MAX),
        corrections: Vec::new(),
    }
    .bounded();
    // Written as JSON, texts may take much more than they are long.
    if written(&evidence) > EVIDENCE_BYTES_MAX {
        evidence.raw = None;
    }
    if written(&evidence) > EVIDENCE_BYTES_MAX {
        evidence.others.clear();
    }
    Ok(evidence)
}

fn written(evidence: &Evidence) -> usize {
    serde_json::to_vec(evidence).map_or(usize::MAX, |json| json.len())
}

async fn of_alert(
    pool: &PgPool,
    tenant: Uuid,
    alert_id: Uuid,
) -> Result<(Option<DateTime<Utc>>, Option<String>), BookError> {
    let found: Option<(Option<DateTime<Utc>>, Option<Value>)> =
        sqlx::query_as("select starts_at, raw_payload from dod.alerts where tenant_id = $1 and id = $2")
            .bind(tenant)
            .bind(alert_id)
            .fetch_optional(pool)
            .await?;
    let (starts_at, raw) = found.unwrap_or_default();
    Ok((starts_at, raw.map(|raw| raw.to_string())))
}

/// What persons said of issues about the same type of alert, the latest first. Their words are not looked at: they are shown
/// with the issue that they were said of.
///
/// # Errors
/// The database's error.
pub async fn corrections(pool: &PgPool, tenant: Uuid, issue: &Opened) -> Result<Vec<Correction>, BookError> {
    let found: Vec<(Uuid, DateTime<Utc>, Option<bool>)> = sqlx::query_as(
        "select id, corrected_at, is_real_issue from dod.issues
         where tenant_id = $1 and alert_type = $2 and corrected_at is not null
         order by corrected_at desc limit $3",
    )
    .bind(tenant)
    .bind(&issue.brief.alert_type)
    .bind(CORRECTIONS_MAX)
    .fetch_all(pool)
    .await?;
    let correction = |(id, at, is_real_issue): (Uuid, DateTime<Utc>, Option<bool>)| Correction {
        at,
        by: "a person".to_owned(),
        is_real_issue,
        text: format!("said of issue {id}"),
    };
    Ok(found.into_iter().map(correction).collect())
}

/// The tables may not show it yet, and they have no less than microseconds, which not every alert's time is cut to.
fn counts_this_one(fired_at: &mut Vec<DateTime<Utc>>, received_at: DateTime<Utc>) {
    let received_at = received_at.trunc_subsecs(6);
    if !fired_at.contains(&received_at) {
        fired_at.insert(0, received_at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_counts_once_whether_or_not_the_tables_show_it_and_however_exact_its_time_is() {
        let exact = DateTime::from_timestamp_nanos(1_772_366_400_123_456_789);
        let shown = exact.trunc_subsecs(6);
        for (before, is_shown) in [(vec![], false), (vec![shown], true)] {
            for received_at in [exact, shown] {
                let mut fired_at: Vec<DateTime<Utc>> = before.clone();
                counts_this_one(&mut fired_at, received_at);
                assert_eq!(fired_at, [shown], "{is_shown} {received_at}");
            }
        }
    }
}
