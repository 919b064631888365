//! kill -9 of the whole program while alerts come in and are looked into: every issue is concluded once, and every message
//! arrives under one id.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dod_messages::stand_in::{Door, StandIn};
use reqwest::StatusCode;
use serde_json::json;
use sqlx::PgPool;
use tests::process::Process;
use tests::{Client, Database, Ledger, service, until};
use uuid::Uuid;

use crate::house::alertmanager;

const ALL: &str = "api,relay,projector,policy,reactor";
/// How long all that is left may take.
const SETTLED_MAX: Duration = Duration::from_secs(600);
const PROGRESS_MAX: Duration = Duration::from_secs(60);
/// Alerts of one issue.
const TOGETHER: usize = 4;
/// Issues that one receiver is told of: each is told one thing a second.
const ISSUES_OF_RECEIVER: usize = 10;

/// What is asked of the database.
async fn count(pool: &PgPool, query: &str) -> i64 {
    sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
}

/// A campaign: a database over which one program after the other is killed, and whoever is told.
struct Campaign {
    stand_in: StandIn,
    database: Database,
    pool: PgPool,
    admin: Client,
    /// The address of the source, without the program's.
    path: String,
}

async fn started(database: &Database, stand_in: &StandIn) -> Process {
    let port = stand_in.base().rsplit_once(':').unwrap().1.to_owned();
    let objects = std::env::temp_dir().join("daybook-objects-of-tests");
    let environment = [
        ("DAYBOOK_EGRESS_PRIVATE_NETWORKS", "127.0.0.0/8"),
        ("DAYBOOK_EGRESS_PLAIN_HTTP", "127.0.0.0/8"),
        ("DAYBOOK_EGRESS_PORTS", &port),
        ("DAYBOOK_OBJECTS", objects.to_str().unwrap()),
    ];
    let nats = tests::setting("NATS_URL");
    Process::start_with(&database.url(), &nats, &database.name, ALL, &environment).await
}

impl Campaign {
    /// Settings for so many alerts, and the first program.
    async fn prepared(alerts: usize) -> (Self, Process) {
        let stand_in = StandIn::start().await.unwrap();
        let database = Database::create().await;
        let pool = PgPool::connect_with(database.options.clone()).await.unwrap();
        let process = started(&database, &stand_in).await;
        let admin = service::administrator(&database, &process.url, Uuid::new_v4()).await;
        for n in 0..(alerts / TOGETHER).div_ceil(ISSUES_OF_RECEIVER) {
            let receiver = json!({
                "name": receiver(n), "receiver_im": receiver(n), "im_type": "lark", "app_id": "cli_daybook",
                "bot_token": "a secret of this test alone", "destination_id": receiver(n), "api_base": stand_in.lark_api(),
            });
            admin.post("/v1/dod/receivers", &receiver).await.ok();
        }
        let skill = json!({
            "name": "Everything",
            "problem_description": "Something of a campaign.",
            "sop": "1. check label instance exists\n2. check severity at least high\n3. check title contains Campaign\n4. check not flapping\nconclude real issue: it was looked into\n",
        });
        let skill_id = admin.post("/v1/dod/skills", &skill).await.ok()["stream"].clone();
        let binding =
            json!({ "alert_pattern": "Campaign", "pattern_kind": "keyword", "field": "any", "skill_id": skill_id });
        let bound = admin.post("/v1/dod/bindings", &binding).await;
        admin
            .get_after("/v1/dod/alert_skill_bindings", bound.position())
            .await
            .ok();
        let source = admin.post("/v1/dod/sources", &json!({ "name": "Campaign" })).await.ok();
        let tokens = format!("/v1/dod/sources/{}/tokens", source["stream"].as_str().unwrap());
        let path = admin.post(&tokens, &json!({})).await.ok()["path"]
            .as_str()
            .unwrap()
            .to_owned();
        let campaign = Self {
            stand_in,
            database,
            pool,
            admin,
            path,
        };
        (campaign, process)
    }

    /// Sends the n-th alert as a sender does: again until it is taken.
    async fn send(&self, process: &Process, n: usize) {
        let issue = n / TOGETHER;
        let body = alertmanager(
            &format!("Campaign{issue}"),
            &format!("host-{n}"),
            "firing",
            "2026-01-05T12:00:00Z",
        );
        let url = format!(
            "{}{}?receiver_im={}",
            process.url,
            self.path,
            receiver(issue / ISSUES_OF_RECEIVER)
        );
        let http = service::http();
        let taken = async || {
            let request = http
                .post(&url)
                .header("Content-Type", "application/json")
                .body(body.clone());
            let answer = request.send().await.ok()?;
            (answer.status() == StatusCode::ACCEPTED).then_some(())
        };
        until("an alert that is taken", PROGRESS_MAX, taken).await;
    }

    async fn steps(&self) -> i64 {
        count(
            &self.pool,
            "select count(*) from book.events where event_type = 'InvestigationStepTaken'",
        )
        .await
    }

    /// Kills one program after the other, each in the middle of investigations, while all alerts come in.
    async fn suffer(&self, mut process: Process, alerts: usize, kills: usize) -> Process {
        let mut sent = 0;
        for kill in 0..kills {
            let before = self.steps().await;
            while sent < alerts * (kill + 1) / kills {
                self.send(&process, sent).await;
                sent += 1;
            }
            let looks = async || (self.steps().await > before).then_some(());
            until("another step", PROGRESS_MAX, looks).await;
            let next = started(&self.database, &self.stand_in).await;
            process.kill();
            process = next;
        }
        process
    }

    /// Waits until nothing is left to be done.
    async fn settle(&self, alerts: usize) {
        let issues = i64::try_from(alerts / TOGETHER).unwrap();
        let settled = async || {
            let told = "select count(*) from dod.messages where status = 'sent' and sent_revision = revision and tells = 'concluded'";
            let bound = "select count(*) from dod.alerts where issue_id is not null";
            let done = count(&self.pool, told).await == issues
                && count(&self.pool, bound).await == i64::try_from(alerts).unwrap();
            done.then_some(())
        };
        until("every issue is concluded and told of", SETTLED_MAX, settled).await;
    }

    /// What has to hold afterwards, whatever happened.
    async fn judge(&self, alerts: usize) {
        let (pool, issues) = (&self.pool, i64::try_from(alerts / TOGETHER).unwrap());
        assert_eq!(
            count(pool, "select count(*) from dod.alerts").await,
            i64::try_from(alerts).unwrap()
        );
        let of_issue = "select count(*) from (select issue_id from dod.alerts group by 1 having count(*) = 4) i";
        assert_eq!(count(pool, of_issue).await, issues, "those of one type are one issue");
        let concluded = "select count(*) from dod.issues where concluded_at is not null and is_real_issue";
        assert_eq!(count(pool, concluded).await, issues);
        for (what, once) in [
            ("IssueConcluded", "aggregate_id"),
            ("IssueSkillMatched", "aggregate_id"),
            (
                "InvestigationStepTaken",
                "aggregate_id, payload -> 'finding' ->> 'step'",
            ),
        ] {
            let twice = format!(
                "select count(*) from (select from book.events where event_type = '{what}' group by {once} having count(*) > 1) e"
            );
            assert_eq!(count(pool, &twice).await, 0, "{what} comes once");
        }
        let conclusions = "select count(*) from book.events where event_type = 'IssueConcluded'";
        assert_eq!(count(pool, conclusions).await, issues);
        self.judge_messages(issues).await;
    }

    async fn judge_messages(&self, issues: i64) {
        let received = self.stand_in.received();
        let mut ids: BTreeMap<(Uuid, u32), BTreeSet<String>> = BTreeMap::new();
        for message in received.iter().filter(|message| message.door == Door::LarkSend) {
            let telling = (message.issue_id.unwrap(), message.revision.unwrap());
            ids.entry(telling).or_default().extend(message.uuid.clone());
        }
        assert!(ids.values().all(|ids| ids.len() == 1), "one id for each: {ids:?}");
        let told: Vec<(Uuid, i32)> = sqlx::query_as("select issue_id, revision from dod.messages")
            .fetch_all(&self.pool)
            .await
            .unwrap();
        assert_eq!(i64::try_from(told.len()).unwrap(), issues);
        for (issue, revision) in told {
            let arrived = received.iter().any(|message| {
                message.arrived && message.issue_id == Some(issue) && message.revision == u32::try_from(revision).ok()
            });
            assert!(arrived, "the latest of issue {issue} has arrived");
        }
    }
}

fn receiver(n: usize) -> String {
    format!("on-call-{n}")
}

async fn survives(alerts: usize, kills: usize) {
    let (campaign, process) = Campaign::prepared(alerts).await;
    let process = campaign.suffer(process, alerts, kills).await;
    campaign.settle(alerts).await;
    campaign.judge(alerts).await;
    let latest = campaign.admin.at(&process.url);
    latest.get("/v1/dod/issues?limit=1").await.ok();
    campaign.pool.close().await;
    let ledger = Ledger::over(campaign.database, &tests::setting("NATS_URL")).await;
    let context = &dod_tables::CONTEXT;
    let report = projections::rebuild::rebuild(&ledger.pools, &ledger.tail, context, false, &|_| {}).await;
    let report = report.unwrap();
    assert!(report.compared && report.differences.is_empty(), "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_killed_five_times_among_alerts_concludes_each_issue_once_and_tells_of_it_under_one_id() {
    survives(100, 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes many minutes; run it by ./dev test --run-ignored only -E 'test(killed_fifty_times)'"]
async fn a_program_killed_fifty_times_among_a_thousand_alerts_does_the_same() {
    survives(1_000, 50).await;
}
