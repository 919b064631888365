//! How what is over leaves the tables: written down first, each once, whoever dies.

mod past;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use dod::alert::Alert;
use dod::group::Group;
use dod::issue::Issue;
use dod::message::Message;
use dod::retention::Retention;
use domain::{Decider as _, SYSTEM};
use serde_json::{Value, json};
use tests::service;
use uuid::Uuid;

use past::{Past, Written, step};

/// Issues that have ended long ago: an archive and a half.
const OLD: usize = 300;

fn days_ago(days: i64) -> DateTime<Utc> {
    Utc::now() - TimeDelta::days(days)
}

/// Tables of which rows leave, and what they are called in the line of an issue.
const LEFT: [(&str, &str, &str); 6] = [
    ("issues", "issue", "id"),
    ("issue_alert_bindings", "bindings", "issue_id"),
    ("issue_logs", "logs", "issue_id"),
    ("messages", "messages", "issue_id"),
    ("escalations", "escalation", "issue_id"),
    ("alerts", "alerts", "issue_id"),
];

fn by_id(rows: &Value) -> BTreeMap<String, Value> {
    let rows = match rows {
        Value::Array(rows) => rows.clone(),
        row => vec![row.clone()],
    };
    let keyed = rows
        .into_iter()
        .map(|row| (row["id"].as_str().unwrap().to_owned(), row));
    keyed.collect()
}

/// The only line of the only archive of these things.
fn only<'a>(archives: &'a BTreeMap<String, Written>, things: &str) -> (&'a String, &'a Value) {
    let mut of = archives.iter().filter(|(name, _)| name.starts_with(things));
    let (name, written) = of.next().unwrap();
    assert!(of.next().is_none() && written.lines.len() == 1, "{archives:?}");
    (name, &written.lines[0])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ended_a_year_ago_leaves_for_a_file_that_has_its_rows_and_comes_back_as_another_issue() {
    let past = Past::open().await;
    let (tenant, ben) = (past.service.tenant, past.service.admin.user);
    let old = days_ago(400);
    let [alert, issue] = past.escalated(tenant, "old", old).await;
    past.does(tenant, SYSTEM, old, past.ends(tenant, "old", issue, old))
        .await;
    let correct = json!({"correct": {"is_real_issue": true, "conclusion": "Xyzzy was the disk."}});
    past.does(tenant, ben, old, vec![step::<Issue>(issue, &correct)]).await;
    // Of no issue, and what stays: one that has ended of late, one that goes on, and one whose body is there.
    let lonely = past.opens(tenant, "lonely", old, None).await;
    past.does(tenant, ben, old, vec![step::<Alert>(lonely, &json!({"resolve": {}}))])
        .await;
    past.does(
        tenant,
        SYSTEM,
        old,
        vec![step::<Alert>(lonely, &json!({"drop-raw": {}}))],
    )
    .await;
    let [young, open, unread] = [Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7()];
    let lately = days_ago(300);
    past.opens(tenant, "young", lately, Some(young)).await;
    past.does(tenant, SYSTEM, lately, past.ends(tenant, "young", young, lately))
        .await;
    past.opens(tenant, "open", old, Some(open)).await;
    past.opens(tenant, "unread", old, Some(unread)).await;
    let mut ends = past.ends(tenant, "unread", unread, old);
    ends.pop();
    past.does(tenant, SYSTEM, old, ends).await;
    // Another tenant keeps the same for longer.
    let foreign = service::administrator(&past.service.database, &past.service.url, Uuid::new_v4()).await;
    past.knows(foreign.tenant).await;
    let kept = Uuid::now_v7();
    past.opens(foreign.tenant, "old", old, Some(kept)).await;
    past.does(foreign.tenant, SYSTEM, old, past.ends(foreign.tenant, "old", kept, old))
        .await;
    let longer = json!({"set": {"body_days": 90, "closed_days": 3_650}});
    let retention = Retention::only_stream(foreign.tenant);
    past.does(
        foreign.tenant,
        foreign.user,
        old,
        vec![step::<Retention>(retention, &longer)],
    )
    .await;
    past.posted().await;

    let dry = past.archives(&["--dry-run"]).await;
    for (tenant, things, count) in [
        (tenant, "issues", 1),
        (tenant, "alerts", 1),
        (foreign.tenant, "issues", 0),
    ] {
        assert!(
            dry.contains(&format!("tenant {tenant}: {count} {things} are over")),
            "{dry}"
        );
    }
    assert!(!past.folder.exists());

    let mut rows = BTreeMap::new();
    for (table, name, column) in LEFT {
        rows.insert(name, past.rows(table, column, issue).await);
    }
    let lonely_row = past.rows("alerts", "id", lonely).await;
    let told = past.archives(&[]).await;
    assert!(told.contains("1 issues left the tables, 0 stay"), "{told}");
    assert!(told.contains("1 alerts left the tables, 0 stay"), "{told}");
    past.posted().await;

    let archives = past.written();
    let (name, line) = only(&archives, "dod.issues.");
    for (table, named, column) in LEFT {
        assert_eq!(by_id(&line[named]), by_id(&rows[named]), "{named}");
        assert!(!by_id(&rows[named]).is_empty(), "{table}");
        assert_eq!(past.rows(table, column, issue).await, json!([]), "{table}");
    }
    assert!(
        !line.to_string().contains("Xyzzy"),
        "what somebody wrote is sealed: {line}"
    );
    let manifest = &archives[name].manifest;
    assert_eq!(manifest["issues"][0]["id"], json!(issue));
    let counts = json!({"issues": 1, "messages": 1, "escalations": 1, "bindings": 1, "logs": 3, "alerts": 1});
    assert_eq!(manifest["counts"], counts);
    let (_, line) = only(&archives, "dod.alerts.");
    assert_eq!(by_id(&line["alert"]), by_id(&lonely_row));
    let there = past.ids("issues").await;
    assert_eq!(there, BTreeSet::from([young, open, unread, kept]));

    // People hear that it is archived, also of what belonged to it.
    let admin = &past.service.admin;
    for (stream, kind, command) in [
        (issue, "issues", "reopen"),
        (alert, "alerts", "acknowledge"),
        (Message::stream(issue, "ops"), "messages", "send-again"),
    ] {
        let path = format!("/v1/dod/{kind}/{stream}/{command}");
        let problem = admin.post(&path, &json!({})).await.problem(422);
        assert!(problem["type"].as_str().unwrap().ends_with("/archived"), "{problem}");
    }
    assert!(past.archives(&[]).await.contains("0 issues left the tables"));
    past.rebuilds().await;

    // The same fires again.
    let now = Utc::now();
    let again = past.fires(tenant, "old", now).await;
    assert_ne!(again, alert);
    let state = past.book.now::<Alert>(tenant, again).await.unwrap().unwrap();
    let group_id = state.opened().unwrap().group_id;
    let join = json!({"join": {"alert_id": again, "window_minutes": 1_000_000}});
    past.does(tenant, SYSTEM, now, vec![step::<Group>(group_id, &join)])
        .await;
    let group = past.book.now::<Group>(tenant, group_id).await.unwrap().unwrap();
    assert_ne!(group.latest.as_ref().unwrap().issue_id, issue);
    past.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_dies_while_archiving_issues_loses_nothing_and_doubles_nothing() {
    let past = Past::open().await;
    let tenant = past.service.tenant;
    let old = days_ago(400);
    let mut wanted = BTreeSet::new();
    for n in 0..OLD {
        let (issue, name) = (Uuid::now_v7(), format!("old-{n}"));
        let at = old + TimeDelta::minutes(i64::try_from(n).unwrap());
        past.opens(tenant, &name, at, Some(issue)).await;
        past.does(tenant, SYSTEM, at, past.ends(tenant, &name, issue, at)).await;
        wanted.insert(issue);
    }
    past.posted().await;
    // The book is held in the middle of the first archive, and whoever archives is killed there.
    past.dies_on_the_way().await;
    let left = past.events("IssueArchived").await;
    assert!((1..i64::try_from(OLD).unwrap()).contains(&left), "{left}");
    assert_eq!(past.events("AlertArchived").await, left, "as one");
    assert_eq!(past.pending(), 1);

    let told = past.archives(&[]).await;
    assert!(
        told.contains(&format!("{OLD} issues left the tables, 0 stay")),
        "{told}"
    );
    let archives = past.written();
    assert_eq!(archives.len(), 2);
    let lines = archives.values().flat_map(|written| &written.lines);
    let issues: Vec<Uuid> = lines
        .map(|line| line["issue"]["id"].as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!(issues.len(), OLD, "each issue is written once");
    assert_eq!(issues.into_iter().collect::<BTreeSet<_>>(), wanted);
    for event in ["IssueArchived", "AlertArchived"] {
        assert_eq!(past.events(event).await, i64::try_from(OLD).unwrap(), "{event}");
    }
    past.posted().await;
    for (table, _, _) in LEFT {
        assert!(past.ids(table).await.is_empty(), "{table}");
    }
    past.rebuilds().await;
    past.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_issue_of_very_many_alerts_leaves_before_them() {
    let past = Past::open().await;
    let tenant = past.service.tenant;
    let (old, issue) = (days_ago(400), Uuid::now_v7());
    for n in 0..=200 {
        past.opens(tenant, &format!("many-{n}"), old, Some(issue)).await;
    }
    for n in 0..=200 {
        let ends = past.ends(tenant, &format!("many-{n}"), issue, old);
        past.does(tenant, SYSTEM, old, ends).await;
    }
    past.posted().await;
    let told = past.archives(&[]).await;
    assert!(told.contains("1 issues left the tables, 0 stay"), "{told}");
    past.posted().await;
    assert_eq!(past.ids("issue_alert_bindings").await, BTreeSet::new());
    let told = past.archives(&[]).await;
    let after = past.written();
    let alerts: usize = after
        .iter()
        .filter(|(name, _)| name.starts_with("dod.alerts."))
        .map(|(_, written)| written.lines.len())
        .sum();
    assert_eq!(alerts, 201, "{told}");
    past.posted().await;
    assert_eq!(past.ids("alerts").await, BTreeSet::new());
    past.end().await;
}
