//! Skills that are found by a model's vectors, by words while the model does not answer, and never by both at once.

use std::time::{Duration, Instant};

use dod_http::embed::stand_in::{Behaviour, StandIn};
use serde_json::{Value, json};
use tests::{Client, Service};

use crate::house::{Source, service_that_reaches};

/// Words of which no two are the same, and what is meant by them.
const MEANINGS: [&[&str]; 2] = [&["filesystem", "cannot write"], &["certificate", "out of date"]];

/// How the issue's skill was found, and why, once an alert of this title was looked into.
async fn looked_into(service: &Service, source: &Source, title: &str) -> (Value, String) {
    let admin = &service.admin;
    // Alerts of one type within half an hour are one issue.
    let body = json!({ "title": title, "alert_type": title, "severity": "high" }).to_string();
    let (status, told) = source.deliver(service, "", "application/json", body.into_bytes()).await;
    assert_eq!(status, 202, "{told}");
    let of_it = |page: &Value| {
        let rows = page["rows"].as_array().unwrap();
        rows.iter().find(|row| row["title"] == title).cloned()
    };
    let is_concluded = |page: &Value| of_it(page).is_some_and(|issue| !issue["ai_conclusion"].is_null());
    let issue = of_it(&admin.until("/v1/dod/issues", is_concluded).await).unwrap();
    let id = issue["id"].as_str().unwrap();
    let logs = admin
        .get(&format!("/v1/dod/issue_logs?issue_id={id}&log_type=skill_matched"))
        .await
        .ok();
    let why = logs["rows"][0]["content"].as_str().unwrap().to_owned();
    (issue, why)
}

/// Waits until the skill's vector is of this model.
async fn made_by(admin: &Client, model: &str) {
    let is_it = |page: &Value| page["rows"][0]["embedding_model"] == model;
    admin.until("/v1/dod/skills?select=id,embedding_model", is_it).await;
}

async fn configure(admin: &Client, key: &str, value: &str) -> String {
    let configuration =
        json!({ "config_type": "general", "config_key": key, "config_value": value, "hosts": ["127.0.0.1"] });
    let entered = admin.post("/v1/dod/configurations", &configuration).await.ok();
    entered["stream"].as_str().unwrap().to_owned()
}

async fn strike(admin: &Client, configuration: &str) {
    let path = format!("/v1/dod/configurations/{configuration}/strike");
    let struck = admin.post(&path, &json!({})).await;
    assert_eq!(struck.status, 200, "{}", struck.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configured_model_finds_skills_by_meaning_and_words_do_while_it_is_silent() {
    let model = StandIn::start(&MEANINGS).await.unwrap();
    model.want_key("sk-test-1");
    let service = service_that_reaches(&[model.base()]).await;
    let admin = &service.admin;
    let source = Source::entered(admin, json!({ "name": "Anything" })).await;
    let skill = json!({
        "name": "Full filesystem",
        "problem_description": "A filesystem has no space left.",
        "sop": "conclude real issue: see what fills it\n",
    });
    admin.post("/v1/dod/skills", &skill).await.ok();
    made_by(admin, "lexical-1").await;
    let (issue, why) = looked_into(&service, &source, "The box cannot write").await;
    assert_eq!(issue["matched_by"], "nothing", "{why}");

    let named = configure(admin, "embeddings-model", "meanings-1").await;
    configure(admin, "embeddings-api-key", "sk-test-1").await;
    let base = configure(admin, "embeddings-api-base", &model.base()).await;
    let port = model
        .base()
        .rsplit_once(':')
        .unwrap()
        .1
        .trim_end_matches("/v1")
        .to_owned();
    let name = format!("meanings-1 at 127.0.0.1:{port}");
    made_by(admin, &name).await;
    let (issue, why) = looked_into(&service, &source, "The disk cannot write any more").await;
    assert_eq!(issue["matched_by"], "similarity", "{why}");
    assert!(why.contains(&format!("by {name}")), "{why}");
    assert_eq!(model.faults(), Vec::<String>::new());

    // The alert's words are compared with the skill's, not with its vector.
    model.always(Behaviour::Hang);
    let begun = Instant::now();
    let (issue, why) = looked_into(&service, &source, "Filesystem of db-1 has no space").await;
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert_eq!(issue["matched_by"], "similarity", "{why}");
    assert!(
        why.contains("gave no vector") && why.contains("by its words alone, lexical-1"),
        "{why}"
    );

    // Half of a configuration asks nobody, and without the rest of it the skill is embedded anew.
    strike(admin, &base).await;
    let (issue, why) = looked_into(&service, &source, "No space on the filesystem").await;
    assert_eq!(issue["matched_by"], "similarity", "{why}");
    assert!(why.contains("only one of") && why.contains("lexical-1"), "{why}");
    strike(admin, &named).await;
    made_by(admin, "lexical-1").await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn among_more_skills_than_are_compared_one_by_one_the_index_finds_the_nearest() {
    let service = service_that_reaches(&[]).await;
    let admin = &service.admin;
    let source = Source::entered(admin, json!({ "name": "Anything" })).await;
    let skill = json!({
        "name": "Full filesystem",
        "problem_description": "A filesystem has no space left.",
        "sop": "conclude real issue: see what fills it\n",
    });
    admin.post("/v1/dod/skills", &skill).await.ok();
    made_by(admin, "lexical-1").await;
    let pool = sqlx::PgPool::connect_with(service.database.options.clone())
        .await
        .unwrap();
    // Rows alone: so many skills would take minutes to enter. Some have vectors, of which none is near.
    let others = "insert into dod.skills
        select (jsonb_populate_record(s, jsonb_build_object('id', gen_random_uuid(), 'name', 'Other ' || n, 'embedding',
                case when n <= 200 then (select jsonb_agg(sin(n * i))::text from generate_series(1, 1536) i) end))).*
        from dod.skills s, generate_series(1, 10001) n";
    sqlx::query(others).execute(&pool).await.unwrap();
    let (issue, why) = looked_into(&service, &source, "Filesystem of db-1 has no space left").await;
    assert_eq!(issue["matched_by"], "similarity", "{why}");
    assert!(why.contains("Of 10002 skills, \"Full filesystem\" is nearest"), "{why}");
    tests::until("the index's use", crate::house::WAIT, async || {
        let scans = "select idx_scan from pg_stat_user_indexes where indexrelname = 'skills_embedding'";
        let scans: i64 = sqlx::query_scalar(scans).fetch_one(&pool).await.unwrap();
        (scans > 0).then_some(())
    })
    .await;
    pool.close().await;
    service.end().await;
}
