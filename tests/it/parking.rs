//! What cannot be posted parks its stream, alone: fields that do not open, folds that panic. And the way back.

use std::time::Duration;

use cloudwatcher::part::Part;
use cloudwatcher::supplier::Supplier;
use daybook::Role;
use domain::register::{Command, Register};
use domain::{AnyEvent, Recorded};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use identity::user::User;
use projections::aside::Aside;
use projections::fold::{Change, Unfolded};
use projections::park::{self, ParkedStream};
use projections::projection::{Projection, Retelling};
use projections::sql::Statements;
use projections::{Context, PostError, Posted, Projector, Table, generation, rebuild};
use serde_json::{Map, Value, json};
use sqlx::postgres::PgConnection;
use tests::proxy::{Proxy, Way};
use tests::{Database, Ledger, Service, until};
use uuid::Uuid;

const WAIT: Duration = Duration::from_secs(60);
/// What no fold of [`clumsy`] can bear.
const UNBEARABLE: &str = "PANIC";

fn context() -> &'static Context {
    &cloudwatcher_tables::CONTEXT
}

fn parsed<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn part(code: &str, name: &str) -> Part {
    parsed(json!({"part_code": code, "name": name}))
}

fn supplier(name: &str) -> Command<Supplier> {
    Command::Enter(parsed(json!({ "name": name })))
}

async fn enter(ledger: &Ledger, code: &str) -> Uuid {
    let id = Uuid::now_v7();
    ledger
        .does::<Register<Part>>(id, Command::Enter(part(code, "bolt")))
        .await;
    id
}

fn projector(ledger: &Ledger, context: &'static Context, posted: &Posted) -> Projector {
    let (pools, tail, bus) = (ledger.pools.clone(), ledger.tail.clone(), ledger.bus.clone());
    Projector::new(context, pools, tail, bus, posted.clone()).unwrap()
}

/// Posts all that is in the book.
async fn post(ledger: &Ledger, context: &'static Context) {
    let (posted, stop) = (
        Posted::new(ledger.pools.projector.clone(), &tests::tables()),
        ledger.stop.child_token(),
    );
    let worker = tokio::spawn(projector(ledger, context, &posted).run(stop.clone()));
    let end = ledger.tail.end().await.unwrap();
    assert!(posted.wait(context, end, WAIT).await.unwrap());
    stop.cancel();
    worker.await.unwrap();
}

async fn parked(ledger: &Ledger) -> Vec<ParkedStream> {
    park::parked(&ledger.pools.projector, context()).await.unwrap()
}

async fn rebuilt(ledger: &Ledger, context: &'static Context, force: bool) -> rebuild::Report {
    rebuild::rebuild(&ledger.pools, &ledger.tail, context, force, &|_| {})
        .await
        .expect("the rebuild succeeds")
}

/// A table whose fold panics at some events.
struct Clumsy(&'static dyn Projection);

impl Projection for Clumsy {
    fn table(&self) -> &'static Table {
        self.0.table()
    }

    fn made_by(&self) -> Option<String> {
        self.0.made_by()
    }

    fn appends(&self) -> bool {
        self.0.appends()
    }

    fn post<'a, 'e: 'a>(
        &'a self,
        connection: &'a mut PgConnection,
        statements: &'a Statements,
        events: &'e [Recorded<AnyEvent>],
        is_audited: bool,
        aside: Option<&'a Aside>,
    ) -> BoxFuture<'a, Result<Vec<Change<'e>>, PostError>> {
        let posting = self.0.post(connection, statements, events, is_audited, aside);
        async move {
            // After rows were written: the transaction must be taken back, not gone on with.
            let changes = posting.await?;
            let mut told = events
                .iter()
                .map(|recorded| format!("{:?}", recorded.of::<Register<Part>>()));
            assert!(
                !told.any(|told| told.contains(UNBEARABLE)),
                "this fold panics on purpose"
            );
            Ok(changes)
        }
        .boxed()
    }

    fn folded(&self, events: &[Recorded<AnyEvent>]) -> Result<Vec<Map<String, Value>>, Unfolded> {
        self.0.folded(events)
    }

    fn changes<'a>(&self, events: &'a [Recorded<AnyEvent>]) -> Result<Vec<Change<'a>>, Unfolded> {
        self.0.changes(events)
    }

    fn retell(&self, key: &str) -> Option<Box<dyn Retelling>> {
        self.0.retell(key)
    }
}

/// The context, with a fold of parts that panics.
fn clumsy() -> &'static Context {
    let real = context();
    let tables = real.tables.iter().map(|&projection| -> &'static dyn Projection {
        match projection.table().name {
            "parts" => Box::leak(Box::new(Clumsy(projection))),
            _ => projection,
        }
    });
    Box::leak(Box::new(Context {
        name: real.name,
        ddl: real.ddl,
        reads: real.reads,
        tables: Box::leak(tables.collect::<Vec<_>>().into_boxed_slice()),
        audit: real.audit,
        loads: real.loads,
        history: real.history,
        departments: real.departments,
    }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fold_that_panics_parks_its_stream_and_a_rebuild_parks_it_too() {
    let ledger = Ledger::open().await;
    let before = enter(&ledger, "BEFORE").await;
    let bad = enter(&ledger, UNBEARABLE).await;
    let amend = Command::Amend(part("MILD", "nut").into());
    ledger.does::<Register<Part>>(bad, amend).await;
    let after = enter(&ledger, "AFTER").await;
    post(&ledger, clumsy()).await;
    let streams = parked(&ledger).await;
    assert_eq!(streams.len(), 1, "{streams:?}");
    assert_eq!((streams[0].aggregate_id, streams[0].position), (bad, 2));
    assert_eq!(streams[0].error, "panicked: this fold panics on purpose");
    let posted: Vec<Uuid> = sqlx::query_scalar("select id from cloudwatcher.parts order by created_at, id")
        .fetch_all(&ledger.pools.owner)
        .await
        .unwrap();
    assert_eq!(posted, [before, after]);

    let report = rebuilt(&ledger, clumsy(), false).await;
    assert!(report.compared && report.differences.is_empty(), "{report:?}");
    assert_eq!(report.parked, 1);
    // A defect that is mended: the stream goes on, and nothing says that it ever stood still.
    park::unpark(&ledger.pools.projector, &ledger.tail, context(), None)
        .await
        .unwrap();
    assert!(parked(&ledger).await.is_empty());
    assert!(rebuilt(&ledger, context(), false).await.differences.is_empty());
    // Where nothing is parked yet, the load that expects no failure meets it first.
    let report = rebuilt(&ledger, clumsy(), true).await;
    assert_eq!((report.parked, parked(&ledger).await.len()), (1, 1));
    assert!(rebuilt(&ledger, clumsy(), false).await.differences.is_empty());
}

/// Puts other bytes where a sealed field of this stream's latest event is: its key opens them no more.
async fn spoil(owner: &sqlx::PgPool, stream: Uuid) -> i64 {
    let spoil = format!(
        "begin; alter table book.events disable trigger events_are_append_only;
         update book.events set payload = jsonb_set(payload::jsonb, '{{email}}', '\"c3BvaWxlZA==\"')::json
         where aggregate_id = '{stream}' and sequence = (select max(sequence) from book.events where aggregate_id = '{stream}');
         alter table book.events enable trigger events_are_append_only; commit"
    );
    sqlx::raw_sql(&spoil).execute(owner).await.unwrap();
    sqlx::query_scalar("select max(position) from book.events where aggregate_id = $1")
        .bind(stream.to_string())
        .fetch_one(owner)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_field_that_does_not_open_parks_its_stream_and_every_rebuild_goes_on() {
    let ledger = Ledger::open().await;
    let (spoilt, other) = (Uuid::now_v7(), Uuid::now_v7());
    for user in [spoilt, other] {
        let register = json!({"register": {"name": "Ada", "email": format!("{}@example.com", user.simple())}});
        ledger.does::<User>(user, parsed(register)).await;
    }
    ledger
        .does::<Register<Supplier>>(Uuid::now_v7(), supplier("Acme"))
        .await;
    post(&ledger, context()).await;
    let position = spoil(&ledger.pools.owner, spoilt).await;
    ledger
        .does::<Register<Supplier>>(Uuid::now_v7(), supplier("Bolts"))
        .await;
    post(&ledger, context()).await;
    // Loading expects no failure, meets it in the middle, and begins anew with care.
    let report = rebuilt(&ledger, context(), true).await;
    assert_eq!(report.parked, 1, "{report:?}");
    let streams = parked(&ledger).await;
    assert_eq!((streams[0].aggregate_id, streams[0].position), (spoilt, position));
    assert!(streams[0].error.contains("could not be opened (email)"), "{streams:?}");
    let report = rebuilt(&ledger, context(), false).await;
    assert!(report.compared && report.differences.is_empty(), "{report:?}");
    let rows: (i64, i64) = sqlx::query_as(
        "select (select count(*) from cloudwatcher.users), (select count(*) from cloudwatcher.suppliers)",
    )
    .fetch_one(&ledger.pools.owner)
    .await
    .unwrap();
    assert_eq!(rows, (1, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_cannot_be_read_at_all_parks_its_stream_live_and_in_a_rebuild() {
    let ledger = Ledger::open().await;
    for code in ["P-1", "P-2", "P-3"] {
        enter(&ledger, code).await;
    }
    let spoil = "begin; alter table book.events disable trigger events_are_append_only;
         update book.events set metadata = '{}' where position = 2;
         alter table book.events enable trigger events_are_append_only; commit";
    sqlx::raw_sql(spoil).execute(&ledger.pools.owner).await.unwrap();
    post(&ledger, context()).await;
    assert_eq!(parked(&ledger).await[0].position, 2);
    let report = rebuilt(&ledger, context(), false).await;
    assert!(report.compared && report.differences.is_empty(), "{report:?}");
    assert_eq!(report.parked, 1);
    // It is tried, and stays where it is.
    let outcome = park::unpark(&ledger.pools.projector, &ledger.tail, context(), None)
        .await
        .unwrap();
    assert_eq!((outcome.posted.len(), outcome.parked.len()), (0, 1), "{outcome:?}");
    let codes: Vec<String> = sqlx::query_scalar("select part_code from cloudwatcher.parts order by 1")
        .fetch_all(&ledger.pools.owner)
        .await
        .unwrap();
    assert_eq!(codes, ["P-1", "P-3"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_field_that_does_not_open_is_named_in_the_log_and_stops_its_own_stream_alone() {
    let service = Service::over(Database::create().await, vec![Role::Api]).await;
    let admin = &service.admin;
    let owner = sqlx::PgPool::connect_with(service.database.options.clone())
        .await
        .unwrap();
    let user = Uuid::now_v7();
    let one = format!("/v1/identity/users/{user}");
    let body = json!({"name": "Grace", "email": "grace@example.com"});
    admin.post(&format!("{one}/register"), &body).await.ok();
    let position = spoil(&owner, user).await;
    let (running, _, stop) = service.beside(vec![Role::Api, Role::Projector, Role::Relay]).await;
    let later = admin.post("/v1/cloudwatcher/suppliers", &json!({"name": "Acme"})).await;
    let location = later.headers["location"].to_str().unwrap().to_owned();
    admin.get_after(&location, later.position()).await.ok();
    let streams = admin.get("/v1/admin/parked").await.ok();
    let streams = streams["parked"].as_array().unwrap().iter();
    // Each context that has rows of people parks it by itself.
    let streams: Vec<_> = streams.filter(|parked| parked["context"] == "cloudwatcher").collect();
    assert_eq!(streams.len(), 1, "{streams:?}");
    assert_eq!(streams[0]["stream"], user.to_string());
    assert!(
        streams[0]["error"].to_string().contains("could not be opened (email)"),
        "{streams:?}"
    );

    let log = admin.get("/v1/events?limit=500").await.ok();
    let events = log["events"].as_array().unwrap();
    assert!(events.len() > 4, "the page has all the others, too");
    let unopened = |event: &&Value| {
        event["unopened"]
            .as_array()
            .is_some_and(|unopened| !unopened.is_empty())
    };
    let spoilt: Vec<_> = events.iter().filter(unopened).collect();
    assert_eq!(spoilt.len(), 1, "{spoilt:?}");
    assert_eq!(
        (
            &spoilt[0]["position"],
            &spoilt[0]["unopened"],
            &spoilt[0]["payload"]["email"]
        ),
        (&json!(position), &json!(["email"]), &Value::Null)
    );
    assert_eq!(spoilt[0]["payload"]["name"], "Grace");
    admin.get(&format!("/v1/events/{position}")).await.ok();
    admin.get(&format!("/v1/streams/identity/user/{user}")).await.ok();
    let state = admin.get(&format!("/v1/streams/identity/user/{user}/state")).await.ok();
    assert_eq!(state["unopened"], json!(["email"]), "{state}");

    // Another process has nothing cached: it cannot decide about this person, and says so; about others it can.
    let apart = Service::beside(&service, vec![Role::Api]).await;
    let elsewhere = admin.at(&apart.1);
    let refused = elsewhere
        .post(&format!("{one}/rename"), &json!({"name": "Hopper"}))
        .await;
    let refused = refused.problem(500);
    assert!(
        refused["detail"]
            .to_string()
            .contains(&format!("email of identity.user/{user}")),
        "{refused}"
    );
    elsewhere
        .post("/v1/cloudwatcher/suppliers", &json!({"name": "Bolts"}))
        .await
        .ok();
    apart.2.cancel();
    apart.0.ended().await;
    stop.cancel();
    running.ended().await;
    owner.close().await;
    service.end().await;
}

#[tokio::test]
async fn no_policy_reacts_to_an_event_that_did_not_open() {
    let ledger = Ledger::open().await;
    ledger
        .does::<Register<Supplier>>(Uuid::now_v7(), supplier("Acme"))
        .await;
    let mut recorded = ledger.tail.after(0, 1).await.unwrap().remove(0);
    recorded.metadata.unopened = vec!["name".to_owned()];
    for policy in tests::policies() {
        let failed = book::policy::react(&ledger.book, policy, &recorded, None)
            .await
            .unwrap_err();
        // So it is noted as missed, and tried again on demand.
        assert!(!failed.is_transient(), "{failed}");
        assert!(failed.to_string().contains("could not be opened (name)"), "{failed}");
    }
}

/// Events of the stream of [`long_stream`]: several pages.
const EVENTS: usize = 2_300;
/// Which of them no fold of [`clumsy`] can bear.
const BAD: usize = 2_200;

/// A part of many events, parked from its first on.
async fn long_stream(ledger: &Ledger) -> Uuid {
    let refuse = "alter table cloudwatcher.parts add constraint broken check (part_code not like 'P-%') not valid";
    sqlx::query(refuse).execute(&ledger.pools.owner).await.unwrap();
    let id = enter(ledger, "P-1").await;
    for n in 2..=EVENTS {
        let name = if n == BAD { UNBEARABLE } else { "bolt" };
        let amend = Command::Amend(part(&format!("P-{n}"), name).into());
        ledger.does::<Register<Part>>(id, amend).await;
    }
    post(ledger, context()).await;
    assert_eq!(parked(ledger).await[0].position, 1);
    sqlx::query("alter table cloudwatcher.parts drop constraint broken")
        .execute(&ledger.pools.owner)
        .await
        .unwrap();
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parked_stream_goes_on_page_by_page_and_keeps_what_was_posted_of_it() {
    let ledger = Ledger::open().await;
    let id = long_stream(&ledger).await;
    let (pool, tail) = (&ledger.pools.projector, &ledger.tail);
    let outcome = park::unpark(pool, tail, clumsy(), None).await.unwrap();
    assert_eq!((outcome.posted.len(), outcome.parked.len()), (0, 1), "{outcome:?}");
    // All that comes before the event that does not fit is there, and the stream waits at that event.
    assert_eq!(parked(&ledger).await[0].position, BAD as i64);
    let code: String = sqlx::query_scalar("select part_code from cloudwatcher.parts where id = $1")
        .bind(id)
        .fetch_one(&ledger.pools.owner)
        .await
        .unwrap();
    assert_eq!(code, format!("P-{}", BAD - 1));
    let outcome = park::unpark(pool, tail, context(), None).await.unwrap();
    assert_eq!(outcome.posted.len(), 1);
    assert!(parked(&ledger).await.is_empty());
    assert!(rebuilt(&ledger, context(), false).await.differences.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_dies_while_a_stream_is_unparked_has_doubled_and_lost_nothing() {
    let ledger = Ledger::open().await;
    long_stream(&ledger).await;
    let (mut lives, mut patience) = (0, Duration::from_millis(20));
    loop {
        let unpark = park::unpark(&ledger.pools.projector, &ledger.tail, context(), None);
        lives += 1;
        match tokio::time::timeout(patience, unpark).await {
            Ok(outcome) => {
                // Another's death may still be under way in the server.
                if outcome.is_ok() && parked(&ledger).await.is_empty() {
                    break;
                }
            }
            Err(_) => patience += Duration::from_millis(20),
        }
    }
    assert!(lives > 1, "it died at least once");
    assert!(rebuilt(&ledger, context(), false).await.differences.is_empty());
}

/// Waits until somebody else can have the checkpoint; how long it took.
async fn checkpoint_is_free(ledger: &Ledger) -> Duration {
    let look = || async {
        let mut transaction = ledger.pools.owner.begin().await.unwrap();
        let locked = sqlx::query("select from book.generations for update nowait")
            .execute(&mut *transaction)
            .await;
        locked.ok().map(|_| ())
    };
    until("the checkpoint's lock", WAIT, look).await.1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_posts_and_stands_still_lets_go_of_the_checkpoint() {
    let ledger = Ledger::open().await;
    let mut connection = generation::posting_connection(&ledger.pools.projector).await.unwrap();
    generation::execute(&mut connection, "begin; select from book.generations for update")
        .await
        .unwrap();
    let took = checkpoint_is_free(&ledger).await;
    assert!(took < Duration::from_secs(15), "{took:?}");
    let ended = generation::execute(&mut connection, "commit").await.unwrap_err();
    assert!(book::is_transient(&ended), "nothing is parked because of it: {ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projector_out_of_reach_in_the_middle_of_a_page_lets_go_of_it_and_posts_it_later() {
    let ledger = Ledger::open().await;
    let target = format!(
        "{}:{}",
        ledger.database.options.get_host(),
        ledger.database.options.get_port()
    );
    let proxy = Proxy::to(target).await;
    let pools = book::Pools::new(&ledger.database.options.clone().host("127.0.0.1").port(proxy.port));
    let posted = Posted::new(ledger.pools.projector.clone(), &tests::tables());
    let parts = (pools.clone(), ledger.tail.clone(), ledger.bus.clone());
    let projector = Projector::new(context(), parts.0, parts.1, parts.2, posted.clone()).unwrap();
    let status = projector.status();
    let worker = tokio::spawn(projector.run(ledger.stop.clone()));
    until("the lead", WAIT, || async { status.borrow().leading.then_some(()) }).await;

    // The page waits in the middle of its transaction.
    let mut holder = ledger.pools.projector.begin().await.unwrap();
    generation::execute(
        &mut holder,
        "lock table cloudwatcher.suppliers in access exclusive mode",
    )
    .await
    .unwrap();
    ledger
        .does::<Register<Supplier>>(Uuid::now_v7(), supplier("Acme"))
        .await;
    let waits = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    let look = || async {
        sqlx::query(waits)
            .fetch_optional(&ledger.pools.owner)
            .await
            .unwrap()
            .map(|_| ())
    };
    until("the page", WAIT, look).await;
    proxy.set(Way::Frozen);
    holder.rollback().await.unwrap();
    let took = checkpoint_is_free(&ledger).await;
    assert!(took < Duration::from_secs(20), "{took:?}");
    proxy.set(Way::Open);
    let end = ledger.tail.end().await.unwrap();
    assert!(posted.wait(context(), end, WAIT).await.unwrap());
    assert!(parked(&ledger).await.is_empty());
    ledger.stop.cancel();
    worker.await.unwrap();
}
