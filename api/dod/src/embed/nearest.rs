//! The skill whose described problem is nearest to an alert's words, where nothing is bound to such alerts.
//!
//! Vectors are compared with those of the same maker alone. Skills that have none of the maker that is configured now, and
//! all of them while that maker does not answer, are compared by their words, as they are read.

use std::time::{Duration, Instant};

use book::BookError;
use dod::issue::MatchedBy;
use dod_skills::subject::Subject;
use dod_skills::{lexical, vectors};
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

use super::endpoint::Maker;
use crate::investigate::skills::{Found, sop_of};
use crate::outward::Outward;

/// How long a model may take for the vector of an alert, in seconds: an investigation waits no longer.
pub const ALERT_SECONDS_MAX: u64 = 3;
/// Skills whose vectors are compared one by one; above that the index finds the nearest.
const EXACT_SKILLS_MAX: i64 = 10_000;
/// Entries of the index that are looked at for one alert, however many of them are other tenants'.
const SCANNED_MAX: i64 = 100_000;
/// Skills that are compared by their words at one go, and for how long, in milliseconds.
const WORDS_AT_ONCE: i64 = 500;
const WORDS_MS_MAX: u64 = 2_000;

/// The nearest of some skills.
struct Near {
    id: Uuid,
    name: String,
    cosine: f32,
    /// The maker of the vectors that were compared.
    model: String,
}

impl Near {
    fn is_near(&self) -> bool {
        self.cosine >= vectors::threshold(&self.model)
    }
}

/// The skill that is nearest, if one is near enough, and how it was found.
///
/// # Errors
/// The database's error.
pub async fn nearest(
    outward: &Outward,
    pool: &PgPool,
    tenant: Uuid,
    subject: &Subject<'_>,
) -> Result<Found, BookError> {
    let text = vectors::text_of_alert(subject);
    let maker = Maker::of(outward, tenant).await?;
    let (asked, unasked) = match &maker {
        Maker::Words => (Some((lexical::MODEL, lexical::embed(&text))), None),
        Maker::Model(endpoint) => {
            let texts = [text.clone()];
            let asking = endpoint.vectors(&outward.egress, tenant, &texts, ALERT_SECONDS_MAX);
            match asking.await {
                Ok(mut made) => (made.pop().map(|vector| (endpoint.name(), vector)), None),
                Err(error) => (
                    None,
                    Some(format!("The model {} gave no vector: {error}.", endpoint.name())),
                ),
            }
        }
        Maker::Nobody { because } => (None, Some(format!("No model is asked: {because}."))),
    };
    let mut told = vec!["No binding matches.".to_owned()];
    told.extend(unasked.clone());
    let (skills, with) = count(pool, tenant, asked.as_ref().map(|(name, _)| *name)).await?;
    let mut best = match &asked {
        Some((name, vector)) if with > 0 => by_vectors(pool, tenant, name, vector, with).await?,
        _ => None,
    };
    let without = skills - with;
    let is_found = best.as_ref().is_some_and(Near::is_near);
    // Where all vectors are of words, those that have none yet may be nearer.
    if without > 0 && (!is_found || matches!(maker, Maker::Words)) {
        let name = asked.as_ref().map(|(name, _)| *name);
        let (of_words, looked_at) = by_words(pool, tenant, name, text).await?;
        let maker = name.filter(|name| *name != lexical::MODEL);
        if let Some(maker) = maker {
            told.push(format!("{without} of {skills} skills have no vector of {maker} yet."));
        }
        if looked_at < without {
            told.push(format!(
                "Only {looked_at} of {without} skills were compared by their words in the time for it."
            ));
        }
        best = nearer(best, of_words);
    }
    let metadata = json!({
        "model": best.as_ref().map(|near| &near.model),
        "similarity": best.as_ref().map(|near| near.cosine),
        "nearest": best.as_ref().map(|near| near.id),
        "skills": skills,
        "without_vector": without,
        "not_asked": unasked,
    });
    let Some(near) = best else {
        told.push("No skill is in use that could be near. What is always looked at is looked at.".to_owned());
        return Ok(nothing(&told, metadata));
    };
    let how = match near.model == lexical::MODEL {
        true => format!("by its words alone, {}", lexical::MODEL),
        false => format!("by {}", near.model),
    };
    let (name, cosine, threshold) = (&near.name, near.cosine, vectors::threshold(&near.model));
    let sop = match near.is_near() {
        true => sop_of(pool, tenant, near.id).await?,
        false => None,
    };
    let Some(sop) = sop else {
        told.push(format!(
            "No skill is near: the nearest of {skills}, {name:?}, has {cosine:.2} ({how}), and one is taken from \
             {threshold:.2} on. What is always looked at is looked at."
        ));
        return Ok(nothing(&told, metadata));
    };
    told.push(format!(
        "Of {skills} skills, {name:?} is nearest to the alert's words ({how}: {cosine:.2}; from {threshold:.2} on a skill \
         is taken)."
    ));
    Ok(Found {
        skill_id: Some(near.id),
        by: MatchedBy::Similarity,
        why: told.join(" "),
        sop: Some(sop),
        metadata,
    })
}

fn nothing(told: &[String], metadata: serde_json::Value) -> Found {
    Found {
        skill_id: None,
        by: MatchedBy::Nothing,
        why: told.join(" "),
        sop: None,
        metadata,
    }
}

/// Of two that were found by different vectors, one that is near enough; of two of one maker the nearer. What another maker
/// says of nearness cannot be compared.
fn nearer(first: Option<Near>, second: Option<Near>) -> Option<Near> {
    match (first, second) {
        (Some(first), Some(second)) if first.model == second.model => match second.cosine > first.cosine {
            true => Some(second),
            false => Some(first),
        },
        (Some(first), Some(second)) => match second.is_near() && !first.is_near() {
            true => Some(second),
            false => Some(first),
        },
        (first, second) => first.or(second),
    }
}

/// How many skills are in use, and how many of them have a vector of this maker.
async fn count(pool: &PgPool, tenant: Uuid, maker: Option<&str>) -> Result<(i64, i64), BookError> {
    let asking = sqlx::query_as(
        "select count(*), count(*) filter (where embedding_model = $2 and embedding_text_sha256 = text_sha256)
         from dod.skills where tenant_id = $1 and status = 'active'",
    );
    Ok(asking.bind(tenant).bind(maker).fetch_one(pool).await?)
}

/// The nearest of the skills that have a vector of this maker.
async fn by_vectors(
    pool: &PgPool,
    tenant: Uuid,
    maker: &str,
    vector: &[f32],
    with: i64,
) -> Result<Option<Near>, BookError> {
    let mut transaction = pool.begin().await?;
    if with <= EXACT_SKILLS_MAX {
        // A filtered walk through an index may find fewer than there are; few skills are compared one by one.
        let exactly = sqlx::query("set local enable_indexscan = off");
        exactly.execute(&mut *transaction).await?;
    } else {
        // What it costs to read large vectors the planner does not know: left alone it would compare them all, and sort.
        let by_index = sqlx::query(
            "select set_config('enable_sort', 'off', true), set_config('hnsw.iterative_scan', 'strict_order', true),
                    set_config('hnsw.max_scan_tuples', $1, true)",
        );
        by_index
            .bind(SCANNED_MAX.to_string())
            .execute(&mut *transaction)
            .await?;
    }
    let found: Option<(Uuid, String, f64)> = sqlx::query_as(
        "select id, name, 1 - (embedding <=> $2::vector) from dod.skills
         where tenant_id = $1 and status = 'active' and embedding_model = $3 and embedding_text_sha256 = text_sha256
         order by embedding <=> $2::vector limit 1",
    )
    .bind(tenant)
    .bind(written(vector))
    .bind(maker)
    .fetch_optional(&mut *transaction)
    .await?;
    transaction.rollback().await?;
    Ok(found.map(|(id, name, cosine)| Near {
        id,
        name,
        cosine: cosine as f32,
        model: maker.to_owned(),
    }))
}

/// By its words, the nearest of the skills that have no vector of this maker, and how many were compared in the time for it.
async fn by_words(
    pool: &PgPool,
    tenant: Uuid,
    maker: Option<&str>,
    text: String,
) -> Result<(Option<Near>, i64), BookError> {
    let until = Instant::now() + Duration::from_millis(WORDS_MS_MAX);
    let query = lexical::embed(&text);
    let (mut after, mut looked_at, mut best) = (Uuid::nil(), 0, None);
    while Instant::now() < until {
        let rows: Vec<(Uuid, String, String)> = sqlx::query_as(
            "select id, name, problem_description from dod.skills
             where tenant_id = $1 and id > $2 and status = 'active'
               and (embedding_model is distinct from $3 or embedding_text_sha256 is distinct from text_sha256)
             order by id limit $4",
        )
        .bind(tenant)
        .bind(after)
        .bind(maker)
        .bind(WORDS_AT_ONCE)
        .fetch_all(pool)
        .await?;
        let Some((last, ..)) = rows.last() else { break };
        after = *last;
        looked_at += i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let query = query.clone();
        // Hundreds of texts take longer than others should wait.
        let comparing = tokio::task::spawn_blocking(move || {
            let near = |(id, name, problem): (Uuid, String, String)| Near {
                cosine: vectors::cosine(&query, &lexical::embed(&vectors::text_of_skill(&name, &problem))),
                id,
                name,
                model: lexical::MODEL.to_owned(),
            };
            rows.into_iter()
                .map(near)
                .reduce(|first, second| if second.cosine > first.cosine { second } else { first })
        });
        let of_these = comparing.await.map_err(|error| BookError::Broken(error.to_string()))?;
        best = nearer(best, of_these);
    }
    Ok((best, looked_at))
}

/// A vector as Postgres reads it.
fn written(numbers: &[f32]) -> String {
    let numbers: Vec<String> = numbers.iter().map(f32::to_string).collect();
    format!("[{}]", numbers.join(","))
}
