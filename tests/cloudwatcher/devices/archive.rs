//! How old requests leave the tables: written down first, each once, whoever dies.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Program, Output, Stdio};

use book::{Book, Envelope, MasterKey, Pools, Step};
use chrono::{DateTime, TimeDelta, Utc};
use cloudwatcher::order::Order;
use cloudwatcher::part::Part;
use cloudwatcher::request::DeviceRequest;
use cloudwatcher::supplier::Supplier;
use domain::Decider;
use domain::register::Register;
use futures::StreamExt as _;
use identity::department::Department;
use sha2::{Digest as _, Sha256};

use super::*;

/// Closed requests that are old enough: two archives and a half.
const OLD: usize = 2_500;

/// A tenant's past, written directly into the book.
pub(super) struct Past {
    pub(super) service: Service,
    pools: Pools,
    book: Book,
    pool: PgPool,
    folder: PathBuf,
}

fn days_ago(days: i64) -> DateTime<Utc> {
    Utc::now() - TimeDelta::days(days)
}

fn step<D: Decider>(stream: Uuid, command: Value) -> Step {
    Step::of::<D>(stream, None, serde_json::from_value(command).unwrap())
}

impl Past {
    pub(super) async fn open() -> Self {
        let service = Service::start().await;
        let pools = Pools::connect(&service.database.options).await.unwrap();
        let master = MasterKey::from_hex(tests::ledger::MASTER_KEY).unwrap();
        let folder = std::env::temp_dir().join(format!("daybook-it-{}", Uuid::now_v7().simple()));
        Self {
            book: Book::new(pools.writer.clone(), master, tests::decisions()),
            pool: pool(&service).await,
            pools,
            service,
            folder,
        }
    }

    /// Carries out steps as one, as if it had been that day.
    async fn does(&self, at: DateTime<Utc>, steps: Vec<Step>) {
        let envelope = Envelope {
            reason: Some("a test wants it so".to_owned()),
            occurred_at: Some(at),
            ..Envelope::once(self.service.tenant, self.service.admin.user, at)
        };
        self.book.execute(envelope, steps).await.unwrap();
    }

    /// A request of that day, with these commands after it.
    pub(super) async fn request(&self, key: &str, at: DateTime<Utc>, then: Vec<Value>) -> Uuid {
        let id = DeviceRequest::keyed(self.service.tenant, "truck-001", key);
        let mut receive = keyed(key, &json!({"key": key}));
        receive["metadata"] = json!({"app_version": key, "network_type": "4g"});
        let commands = std::iter::once(json!({"receive": receive})).chain(then);
        let steps = commands.map(|command| step::<DeviceRequest>(id, command)).collect();
        self.does(at, steps).await;
        id
    }

    /// An order that answers the request.
    async fn order(&self, request: Uuid) -> Uuid {
        let [department, supplier, part, order] = std::array::from_fn(|_| Uuid::now_v7());
        let item = json!({"part_id": part, "supplier_id": supplier, "quantity": 1, "unit_price": "1"});
        let draft = json!({"draft": {
            "department_id": department, "currency": "EUR", "request_id": request, "items": [item],
        }});
        let code = part.simple().to_string();
        let steps = vec![
            step::<Register<Department>>(department, json!({"enter": {"name": "Workshop"}})),
            step::<Register<Supplier>>(supplier, json!({"enter": {"name": "Acme"}})),
            step::<Register<Part>>(part, json!({"enter": {"part_code": code, "name": "bolt"}})),
            step::<Order>(order, draft),
        ];
        self.does(Utc::now(), steps).await;
        order
    }

    pub(super) async fn posted(&self) {
        let look = async || {
            let behind = "select position < book.last_position() from book.generations
                          where context = 'cloudwatcher' and state = 'live'";
            let behind: bool = sqlx::query_scalar(behind).fetch_one(&self.pool).await.unwrap();
            (!behind).then_some(())
        };
        tests::until("the rows", Duration::from_secs(60), look).await;
    }

    fn archiving(&self) -> Child {
        self.archiving_over(&self.service.database.url())
    }

    fn archiving_over(&self, database_url: &str) -> Child {
        let mut program = Program::new(tests::setting("DAYBOOK_BIN"));
        program.arg("archive");
        self.started(program, database_url)
    }

    fn started(&self, mut program: Program, database_url: &str) -> Child {
        program
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

    /// Archives to the end, and says what was told.
    async fn archived(&self) -> String {
        let child = self.archiving();
        let output: Output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap())
            .await
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Archives until appends are on their way, and kills who does. One batch of them or two are written; what
    /// waits behind those is not, and nothing of the dead process can begin any more. Nothing is written at all
    /// when `written` says so.
    async fn dies_on_the_way(&self, written: bool) {
        let lock = "select pg_advisory_xact_lock(7236270102)";
        let mut held = self.pool.begin().await.unwrap();
        sqlx::query(lock).execute(&mut *held).await.unwrap();
        let (application, url) = tests::process::named(&self.service.database.url());
        let mut child = self.archiving_over(&url);
        let waits = async |name: &str| {
            let waiting = "select exists (select from pg_stat_activity where application_name = $1
                           and datname = current_database() and wait_event = 'advisory')";
            tests::until("somebody on the way", Duration::from_secs(60), async || {
                let waiting: bool = sqlx::query_scalar(waiting)
                    .bind(name)
                    .fetch_one(&self.pool)
                    .await
                    .unwrap();
                waiting.then_some(())
            })
            .await;
        };
        waits(&application).await;
        if written {
            // Whoever asks for the lock gets it in turn: behind what waits by now, and before what comes then.
            let mut next = self.pool.begin().await.unwrap();
            sqlx::query("set local application_name = 'next'")
                .execute(&mut *next)
                .await
                .unwrap();
            let queued = async {
                sqlx::query(lock).execute(&mut *next).await.unwrap();
            };
            let released = async {
                waits("next").await;
                held.rollback().await.unwrap();
            };
            tokio::join!(queued, released);
            held = next;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        self.service.database.ends_sessions_of(&application).await;
        held.rollback().await.unwrap();
    }

    async fn events(&self, event_type: &str) -> i64 {
        sqlx::query_scalar("select count(*) from book.events where event_type = $1")
            .bind(event_type)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    async fn rows(&self, table: &str) -> i64 {
        sqlx::query_scalar(&format!("select count(*) from cloudwatcher.{table}"))
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    async fn end(self) {
        self.pool.close().await;
        self.pools.close().await;
        self.service.end().await;
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Everything in the folder: manifests by name, and the lines of each archive.
fn archives(folder: &Path) -> BTreeMap<String, (Value, Vec<Value>)> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let Some(name) = name.strip_suffix(".manifest.json") else {
            assert!(name.ends_with(".jsonl.gz"), "{name} is left behind");
            continue;
        };
        let manifest: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let data = std::fs::read(folder.join(manifest["file"]["name"].as_str().unwrap())).unwrap();
        assert_eq!(manifest["file"]["sha256"], hex::encode(Sha256::digest(&data)));
        let mut text = String::new();
        flate2::read::GzDecoder::new(data.as_slice())
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(manifest["sha256"], hex::encode(Sha256::digest(&text)));
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(manifest["counts"]["requests"], lines.len());
        found.insert(name.to_owned(), (manifest, lines));
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_dies_while_archiving_loses_nothing_and_doubles_nothing() {
    let past = Past::open().await;
    let respond = json!({"respond": {"content": {"ticket": 1}, "metadata": {"desk": "north"}}});
    let file = json!({"attach-file": {"file_type": "request", "cloud_provider": "local", "cloud_path": "/a"}});
    let old: Vec<Uuid> = futures::stream::iter((0..OLD).map(|n| {
        let (past, then) = (&past, vec![respond.clone(), file.clone()]);
        let at = days_ago(200) + TimeDelta::minutes(i64::try_from(n).unwrap());
        async move { past.request(&format!("r-{n}"), at, then).await }
    }))
    .buffered(64)
    .collect()
    .await;
    past.posted().await;

    // The book is held in the middle of the first archive, and whoever archives is killed there.
    past.dies_on_the_way(true).await;
    let left = past.events("RequestArchived").await;
    assert!((1..1_000).contains(&left), "{left}");
    let pending = std::fs::read_dir(&past.folder).unwrap();
    let pending = pending.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_str().unwrap().ends_with(".manifest.pending.json")
    });
    assert_eq!(pending.count(), 1);

    let told = past.archived().await;
    assert!(
        told.contains(&format!("{OLD} requests left the tables, 0 stay")),
        "{told}"
    );
    let archives = archives(&past.folder);
    assert_eq!(archives.len(), 3);
    let lines = archives.values().flat_map(|(_, lines)| lines);
    let mut written: Vec<String> = lines
        .map(|line| line["request"]["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(written.len(), OLD, "each request is written once");
    written.sort();
    let mut wanted: Vec<String> = old.iter().map(Uuid::to_string).collect();
    wanted.sort();
    assert_eq!(written, wanted);
    assert_eq!(past.events("RequestArchived").await, i64::try_from(OLD).unwrap());
    let named: BTreeSet<String> = sqlx::query_scalar(
        "select distinct payload ->> 'archive' from book.events where event_type = 'RequestArchived'",
    )
    .fetch_all(&past.pool)
    .await
    .unwrap()
    .into_iter()
    .collect();
    assert_eq!(named, archives.keys().cloned().collect());
    past.posted().await;
    for table in [
        "requests",
        "request_metadata",
        "responses",
        "response_metadata",
        "cloud_file_refs",
    ] {
        assert_eq!(past.rows(table).await, 0, "{table}");
    }
    let (manifest, lines) = &archives.values().next().unwrap();
    let counts = json!({
        "requests": 1_000, "metadata": 2_000, "responses": 1_000, "response_metadata": 1_000, "files": 1_000,
    });
    assert_eq!(manifest["counts"], counts);
    assert_eq!(manifest["first"]["id"], lines[0]["request"]["id"]);
    assert_eq!(lines[0]["metadata"][0]["value"], "r-0");
    assert_eq!(lines[0]["response"]["content"], json!({"ticket": 1}));
    assert_eq!(lines[0]["files"][0]["cloud_path"], "/a");

    // Again, it finds nothing to do.
    assert!(past.archived().await.contains("0 requests left the tables"));
    past.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_young_or_open_or_referred_to_stays_and_what_left_is_still_known() {
    let past = Past::open().await;
    let (device, old) = (past.service.admin.clone(), days_ago(91));
    let respond = json!({"respond": {"content": 1}});
    let decided = json!({"record-decision": {"agent_name": "a", "decision_type": "b", "decision_value": "c"}});
    let stays = [
        past.request("open", old, vec![]).await,
        past.request("begun", old, vec![json!({"begin": {}})]).await,
        past.request("young", days_ago(89), vec![respond.clone()]).await,
        past.request("decided", old, vec![respond.clone(), decided]).await,
        past.request("ordered", old, vec![respond.clone()]).await,
        past.request("parked", old, vec![respond.clone()]).await,
    ];
    past.order(stays[4]).await;
    let freed = past.request("freed", old, vec![respond.clone()]).await;
    let order = past.order(freed).await;
    past.does(Utc::now(), vec![step::<Order>(order, json!({"cancel": {}}))])
        .await;
    let failed = past
        .request("failed", old, vec![json!({"fail": {"error": "no"}})])
        .await;
    past.posted().await;
    sqlx::query(
        "insert into book.parked (context, generation, aggregate_type, aggregate_id, tenant_id, position, error)
         select context, generation, $1, $2, $3, position, 'as a test wants it'
         from book.generations where context = 'cloudwatcher' and state = 'live'",
    )
    .bind(DeviceRequest::TYPE)
    .bind(stays[5])
    .bind(past.service.tenant)
    .execute(&past.pool)
    .await
    .unwrap();

    let mut dry = Program::new(tests::setting("DAYBOOK_BIN"));
    dry.args(["archive", "--dry-run"]);
    let dry = past.started(dry, &past.service.database.url());
    let told = tokio::task::spawn_blocking(move || dry.wait_with_output().unwrap())
        .await
        .unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(
        told.contains(&format!("tenant {}: 2 closed requests", past.service.tenant)),
        "{told}"
    );
    assert!(!past.folder.exists());

    past.archived().await;
    past.posted().await;
    let there: BTreeSet<Uuid> = sqlx::query_scalar("select id from cloudwatcher.requests")
        .fetch_all(&past.pool)
        .await
        .unwrap()
        .into_iter()
        .collect();
    assert_eq!(there, BTreeSet::from(stays));
    let archives = archives(&past.folder);
    let name = archives.keys().next().unwrap();
    assert_eq!(archives[name].0["kept"], json!([]));

    // A device that sends it once more hears what it heard then, and its response is in the archive.
    let position: i64 = sqlx::query_scalar("select position from book.events where aggregate_id = $1 and sequence = 1")
        .bind(failed.to_string())
        .fetch_one(&past.pool)
        .await
        .unwrap();
    let mut again = keyed("failed", &json!({"key": "failed"}));
    again["metadata"] = json!({"app_version": "failed", "network_type": "4g"});
    let answer = device.post(REQUESTS, &again).await.ok();
    let command = &answer["command_id"];
    assert_eq!(
        answer,
        json!({"stream": failed, "sequence": 1, "position": position, "command_id": command, "events": ["RequestReceived"]})
    );
    let response = device.get(&format!("{REQUESTS}/{failed}/response")).await.problem(404);
    assert!(response["detail"].as_str().unwrap().contains("archived"), "{response}");
    // Nor may an order answer it any more.
    let [department, part, supplier] = std::array::from_fn(|_| Uuid::now_v7());
    let item = json!({"part_id": part, "supplier_id": supplier, "quantity": 1, "unit_price": "1"});
    let steps = vec![
        step::<Register<Department>>(department, json!({"enter": {"name": "Store"}})),
        step::<Register<Supplier>>(supplier, json!({"enter": {"name": "Bolt"}})),
        step::<Register<Part>>(part, json!({"enter": {"part_code": "B", "name": "bolt"}})),
    ];
    past.does(Utc::now(), steps).await;
    let draft = json!({"department_id": department, "currency": "EUR", "request_id": freed, "items": [item]});
    let problem = device.post("/v1/cloudwatcher/orders", &draft).await.problem(422);
    assert_eq!(problem["field"], "request_id", "{problem}");
    past.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_between_the_file_and_the_command_stays() {
    let past = Past::open().await;
    let old = days_ago(200);
    let respond = json!({"respond": {"content": 1}});
    let changed = past.request("changed", old, vec![respond.clone()]).await;
    let same = past.request("same", old + TimeDelta::minutes(1), vec![respond]).await;
    past.posted().await;
    // Whoever archives dies while the manifest is pending and nothing is written, and the request changes.
    past.dies_on_the_way(false).await;
    assert_eq!(past.events("RequestArchived").await, 0);
    past.does(Utc::now(), vec![step::<DeviceRequest>(changed, json!({"deliver": {}}))])
        .await;

    let told = past.archived().await;
    assert!(told.contains("1 requests left the tables, 1 stay"), "{told}");
    past.posted().await;
    let there: Vec<Uuid> = sqlx::query_scalar("select id from cloudwatcher.requests")
        .fetch_all(&past.pool)
        .await
        .unwrap();
    assert_eq!(there, [changed]);
    let archives = archives(&past.folder);
    let (manifest, _) = archives.values().next().unwrap();
    assert_eq!(manifest["kept"][0]["id"], json!(changed), "{manifest}");
    assert_ne!(manifest["kept"][0]["id"], json!(same));
    past.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_responses_make_smaller_archives() {
    const LONG: usize = 300;
    let past = Past::open().await;
    let long = json!({"respond": {"content": "x".repeat(120_000)}});
    for n in 0..LONG {
        let at = days_ago(200) + TimeDelta::minutes(n as i64);
        past.request(&format!("long-{n}"), at, vec![long.clone()]).await;
    }
    past.posted().await;
    let told = past.archived().await;
    assert!(told.contains("300 requests left the tables, 0 stay"), "{told}");
    // 300 x 120,000 bytes are more than 32 MiB, and each request is in one archive.
    let archives = archives(&past.folder);
    let mut counts: Vec<usize> = archives.values().map(|(_, lines)| lines.len()).collect();
    counts.sort_unstable();
    assert!(
        matches!(counts[..], [few, many] if few > 0 && few + many == LONG),
        "{counts:?}"
    );
    assert_eq!(past.events("RequestArchived").await, 300);
    past.end().await;
}
