//! The files in `golden` and the story that makes them: two jars, and what is written on them.

use chrono::{DateTime, Utc};
use domain::Contexts;
use rehearsal::chronicle::id;
use rehearsal::{Chronicle, History};
use serde_json::json;
use uuid::Uuid;

use crate::CONTEXT;
use crate::jar::Jar;

rehearsal::rules!(CONTEXT, story);

/// 2026-01-05T07:00:00Z, a Monday.
const MORNING: DateTime<Utc> = DateTime::from_timestamp_nanos(1_767_596_400_000_000_000);

const KEEPER: Uuid = id(1, 1);
const UPPER: Uuid = id(2, 1);
const LOWER: Uuid = id(2, 2);

/// The golden history, decided anew. The lower jar ends up bare.
fn story() -> History {
    let contexts = Contexts::new(&[&CONTEXT]).unwrap();
    let mut chronicle = Chronicle::new(contexts, KEEPER, MORNING);
    chronicle
        .send::<Jar>(UPPER, json!({"label": {"label": "Screws"}}))
        .send::<Jar>(LOWER, json!({"label": {"label": "Nuts"}}))
        .send::<Jar>(LOWER, json!({"clear": {}}))
        .send::<Jar>(UPPER, json!({"label": {"label": "Nuts"}}))
        .plain_kinds(&CONTEXT);
    chronicle.ended()
}
