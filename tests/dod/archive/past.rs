//! A tenant's past, written directly into the book: nothing follows from it by itself, since nobody reacts.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Child, Command as Program, Stdio};
use std::time::Duration;

use book::{Book, Envelope, MasterKey, Pools, Step, Tail, Vault};
use chrono::{DateTime, TimeDelta, Utc};
use daybook::Role;
use dod::alert::Alert;
use dod::escalation::Escalation;
use dod::escalation_policy::EscalationPolicies;
use dod::group::Group;
use dod::issue::Issue;
use dod::message::Message;
use dod::signal::Signal;
use dod::source::Source;
use domain::{Decider, SYSTEM};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use tests::{Database, Service};
use uuid::Uuid;

use crate::house::WAIT;

/// Without those who react: what is written is all that happens.
const ROLES: [Role; 3] = [Role::Api, Role::Relay, Role::Projector];
/// The lock under which appends follow each other.
const LOCK: &str = "select pg_advisory_xact_lock(7236270102)";

pub fn step<D: Decider>(stream: Uuid, command: &Value) -> Step {
    Step::of::<D>(stream, None, serde_json::from_value(command.clone()).unwrap())
}

/// An archive: its manifest and its lines.
#[derive(Debug)]
pub struct Written {
    pub manifest: Value,
    pub lines: Vec<Value>,
}

pub struct Past {
    pub service: Service,
    pub book: Book,
    pub folder: PathBuf,
    pools: Pools,
    pool: PgPool,
}

/// The only source of a tenant.
fn source(tenant: Uuid) -> Uuid {
    Uuid::new_v5(&tenant, b"source")
}

fn signal(tenant: Uuid, name: &str) -> Uuid {
    Signal::stream(source(tenant), name)
}

impl Past {
    pub async fn open() -> Self {
        let service = Service::configured(Database::create().await, ROLES.into(), |_| {}).await;
        let pools = Pools::connect(&service.database.options).await.unwrap();
        let master = MasterKey::from_hex(tests::ledger::MASTER_KEY).unwrap();
        let decisions = service.database.contexts.decisions().clone();
        let past = Self {
            book: Book::new(pools.writer.clone(), master, decisions),
            folder: std::env::temp_dir().join(format!("daybook-dod-{}", Uuid::now_v7().simple())),
            pool: PgPool::connect_with(service.database.options.clone()).await.unwrap(),
            pools,
            service,
        };
        past.knows(past.service.tenant).await;
        past
    }

    /// The tenant has a source.
    pub async fn knows(&self, tenant: Uuid) {
        let enter = json!({"enter": {"name": "Prometheus"}});
        let steps = vec![step::<Source>(source(tenant), &enter)];
        self.does(tenant, SYSTEM, Utc::now(), steps).await;
    }

    /// Carries out steps as one, as if it had been then.
    pub async fn does(&self, tenant: Uuid, by: Uuid, at: DateTime<Utc>, steps: Vec<Step>) {
        let envelope = Envelope {
            occurred_at: Some(at),
            ..Envelope::once(tenant, by, at)
        };
        self.book.execute(envelope, steps).await.unwrap();
    }

    /// Something of this name fires, and an alert opens.
    pub async fn fires(&self, tenant: Uuid, name: &str, at: DateTime<Utc>) -> Uuid {
        let stream = signal(tenant, name);
        let observation = json!({"event_id": at.to_rfc3339(), "dedup_key": name, "signal": "firing", "severity": "critical",
            "original_severity": null, "alert_type": name, "title": name, "description": null, "labels": {"name": name},
            "starts_at": at, "ends_at": null, "links": [], "is_heartbeat": false, "raw": "{\"a\": 1}"});
        let observe = json!({"observe": {"source_id": source(tenant), "delivery_id": Uuid::now_v7(), "receiver_im": "ops",
            "observation": observation, "received_at": at}});
        self.does(tenant, SYSTEM, at, vec![step::<Signal>(stream, &observe)])
            .await;
        let episodes = self.book.now::<Signal>(tenant, stream).await.unwrap().unwrap().episodes;
        let alert = Signal::alert_id(stream, episodes);
        let brief = json!({"source": "Prometheus", "alert_type": name, "severity": "critical", "title": name,
            "description": null, "labels": {"name": name}, "receiver_im": "ops", "is_flapping": false, "received_at": at});
        let open = json!({"open": {"signal_id": stream, "source_id": source(tenant), "delivery_id": Uuid::now_v7(),
            "brief": brief, "original_severity": null, "starts_at": at, "links": [], "raw": "{\"a\": 1}",
            "is_heartbeat": false}});
        self.does(tenant, SYSTEM, at, vec![step::<Alert>(alert, &open)]).await;
        alert
    }

    /// As [`Past::fires`], and it belongs to the issue.
    pub async fn opens(&self, tenant: Uuid, name: &str, at: DateTime<Utc>, issue: Option<Uuid>) -> Uuid {
        let alert = self.fires(tenant, name, at).await;
        if let Some(issue) = issue {
            let bind = step::<Issue>(issue, &json!({"bind": {"alert_id": alert}}));
            let note = step::<Alert>(alert, &json!({"note-issue": {"issue_id": issue}}));
            self.does(tenant, SYSTEM, at, vec![bind, note]).await;
        }
        alert
    }

    /// An alert, by its group of an issue that is told of and escalated: the ids of both.
    pub async fn escalated(&self, tenant: Uuid, name: &str, at: DateTime<Utc>) -> [Uuid; 2] {
        let alert = self.fires(tenant, name, at).await;
        let state = self.book.now::<Alert>(tenant, alert).await.unwrap().unwrap();
        let group_id = state.opened().unwrap().group_id;
        let join = json!({"join": {"alert_id": alert, "window_minutes": 30}});
        self.does(tenant, SYSTEM, at, vec![step::<Group>(group_id, &join)])
            .await;
        let group = self.book.now::<Group>(tenant, group_id).await.unwrap().unwrap();
        let issue = group.latest.as_ref().unwrap().issue_id;
        let steps = vec![
            step::<Issue>(issue, &json!({"bind": {"alert_id": alert}})),
            step::<Alert>(alert, &json!({"note-issue": {"issue_id": issue}})),
        ];
        self.does(tenant, SYSTEM, at, steps).await;
        let policy = json!({"set-policy": {"name": "Nights", "steps": [{"after_minutes": 10, "receiver_im": "boss"}]}});
        let begin = json!({"begin": {"issue_id": issue}});
        let policies = EscalationPolicies::only_stream(tenant);
        let steps = [
            step::<EscalationPolicies>(policies, &policy),
            step::<Escalation>(Escalation::stream(issue), &begin),
        ];
        self.does(tenant, self.service.admin.user, at, steps[..1].to_vec())
            .await;
        self.does(tenant, SYSTEM, at, steps[1..].to_vec()).await;
        let later = at + TimeDelta::minutes(20);
        let take = json!({"take-step": {"issue_id": issue, "round": 1, "step": 1}});
        self.does(
            tenant,
            SYSTEM,
            later,
            vec![step::<Escalation>(Escalation::stream(issue), &take)],
        )
        .await;
        let notice = json!({"tells": "opened", "title": name, "severity": "critical", "source": "Prometheus",
            "alert_type": name, "alerts": 1, "alerts_open": 1, "description": null, "labels": [], "conclusion": null,
            "is_real_issue": null, "links": [], "opened_at": at, "told_at": at});
        let want = json!({"want": {"issue_id": issue, "receiver_im": "ops", "notice": notice}});
        let message = Message::stream(issue, "ops");
        self.does(tenant, SYSTEM, later, vec![step::<Message>(message, &want)])
            .await;
        let round = json!({"conclude": {"round": 1, "conclusion": {"text": "It is not known.", "is_real_issue": null,
            "evidence": [], "unknown": []}}});
        self.does(tenant, SYSTEM, later, vec![step::<Issue>(issue, &round)])
            .await;
        [alert, issue]
    }

    /// The latest alert of this name is over, its issue hears of it, and its body is dropped, in this order.
    pub fn ends(&self, tenant: Uuid, name: &str, issue: Uuid, at: DateTime<Utc>) -> Vec<Step> {
        let stream = signal(tenant, name);
        let alert = Signal::alert_id(stream, 1);
        let over = json!({"event_id": "over", "dedup_key": name, "signal": "resolved", "severity": "critical",
            "original_severity": null, "alert_type": name, "title": name, "description": null, "labels": {"name": name},
            "starts_at": at, "ends_at": at, "links": [], "is_heartbeat": false, "raw": "{\"a\": 1}"});
        let observe = json!({"observe": {"source_id": source(tenant), "delivery_id": Uuid::now_v7(), "receiver_im": null,
            "observation": over, "received_at": at}});
        vec![
            step::<Signal>(stream, &observe),
            step::<Alert>(alert, &json!({"clear": {"cleared_at": at, "expired": false}})),
            step::<Issue>(issue, &json!({"note-alert-ended": {"alert_id": alert}})),
            step::<Alert>(alert, &json!({"drop-raw": {}})),
        ]
    }

    pub async fn posted(&self) {
        let look = async || {
            let behind = "select position < book.last_position() from book.generations
                          where context = 'dod' and state = 'live'";
            let behind: bool = sqlx::query_scalar(behind).fetch_one(&self.pool).await.unwrap();
            (!behind).then_some(())
        };
        tests::until("the rows", WAIT, look).await;
        let parked: i64 = sqlx::query_scalar("select count(*) from book.parked")
            .fetch_one(&self.pool)
            .await
            .unwrap();
        assert_eq!(parked, 0);
    }

    /// The rows of a table whose column has this id, as an archive has them.
    pub async fn rows(&self, table: &str, column: &str, id: Uuid) -> Value {
        let text = format!(
            "select coalesce(jsonb_agg(to_jsonb(t) - 'tenant_id'), '[]') from dod.{table} t where t.{column} = $1"
        );
        let rows = sqlx::query_scalar(&text).bind(id).persistent(false);
        rows.fetch_one(&self.pool).await.unwrap()
    }

    pub async fn ids(&self, table: &str) -> BTreeSet<Uuid> {
        let text = format!("select id from dod.{table}");
        let ids = sqlx::query_scalar(&text).persistent(false);
        ids.fetch_all(&self.pool).await.unwrap().into_iter().collect()
    }

    pub async fn events(&self, event_type: &str) -> i64 {
        sqlx::query_scalar("select count(*) from book.events where event_type = $1")
            .bind(event_type)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    fn archiving(&self, database_url: &str, arguments: &[&str]) -> Child {
        Program::new(tests::setting("DAYBOOK_BIN"))
            .args(["dod", "archive"])
            .args(arguments)
            .envs([
                ("DATABASE_URL", database_url),
                ("DAYBOOK_MASTER_KEY", tests::ledger::MASTER_KEY),
                ("DAYBOOK_ARCHIVE", self.folder.to_str().unwrap()),
                ("RUST_LOG", "warn"),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// What the program says when it archives.
    pub async fn archives(&self, arguments: &[&str]) -> String {
        let child = self.archiving(&self.service.database.url(), arguments);
        let waiting = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
        let output = waiting.await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Archives until appends are on their way, lets one batch of them through, and kills who does.
    pub async fn dies_on_the_way(&self) {
        let mut held = self.pool.begin().await.unwrap();
        sqlx::query(LOCK).execute(&mut *held).await.unwrap();
        let (application, url) = tests::process::named(&self.service.database.url());
        let mut child = self.archiving(&url, &[]);
        let waits = async |name: &str| {
            let waiting = "select exists (select from pg_stat_activity where application_name = $1
                           and datname = current_database() and wait_event = 'advisory')";
            let look = async || {
                let waiting = sqlx::query_scalar::<_, bool>(waiting).bind(name);
                waiting.fetch_one(&self.pool).await.unwrap().then_some(())
            };
            tests::until("somebody on the way", Duration::from_secs(60), look).await;
        };
        waits(&application).await;
        // Whoever asks for the lock gets it in turn: behind what waits by now, and before what comes then.
        let mut next = self.pool.begin().await.unwrap();
        sqlx::query("set local application_name = 'next'")
            .execute(&mut *next)
            .await
            .unwrap();
        let queued = async {
            sqlx::query(LOCK).execute(&mut *next).await.unwrap();
        };
        let released = async {
            waits("next").await;
            held.rollback().await.unwrap();
        };
        tokio::join!(queued, released);
        child.kill().unwrap();
        child.wait().unwrap();
        self.service.database.ends_sessions_of(&application).await;
        next.rollback().await.unwrap();
    }

    /// Archives that are begun and not closed.
    pub fn pending(&self) -> usize {
        let names = std::fs::read_dir(&self.folder).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".manifest.pending.json")).count()
    }

    /// Everything in the folder, by the names of the archives; each is what its manifest says.
    pub fn written(&self) -> BTreeMap<String, Written> {
        let mut found = BTreeMap::new();
        for entry in std::fs::read_dir(&self.folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let Some(name) = name.strip_suffix(".manifest.json") else {
                assert!(name.ends_with(".jsonl.gz"), "{name} is left behind");
                continue;
            };
            let manifest: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            let data = std::fs::read(self.folder.join(manifest["file"]["name"].as_str().unwrap())).unwrap();
            assert_eq!(manifest["file"]["sha256"], hex::encode(Sha256::digest(&data)));
            let mut text = String::new();
            flate2::read::GzDecoder::new(data.as_slice())
                .read_to_string(&mut text)
                .unwrap();
            assert_eq!(manifest["sha256"], hex::encode(Sha256::digest(&text)));
            assert_eq!(manifest["kept"], json!([]), "{manifest}");
            let lines = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            found.insert(name.to_owned(), Written { manifest, lines });
        }
        found
    }

    /// The tables are what the book says.
    pub async fn rebuilds(&self) {
        let master = MasterKey::from_hex(tests::ledger::MASTER_KEY).unwrap();
        let pool = &self.pools.projector;
        let tail = Tail::new(pool.clone(), Vault::new(pool.clone(), master));
        let context = &dod_tables::CONTEXT;
        let report = projections::rebuild::rebuild(&self.pools, &tail, context, false, &|_| {}).await;
        let report = report.unwrap();
        assert!(report.compared && report.differences.is_empty(), "{report:?}");
    }

    pub async fn end(self) {
        self.pool.close().await;
        self.pools.close().await;
        self.service.end().await;
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
