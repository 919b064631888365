//! A reactor on jars: a label `do:lane:target:n` makes a call outside, and its outcome is a label on another jar.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use book::bus::BusConfig;
use book::worker::{self, Beat, Status};
use book::{Book, BookError, Bus, Envelope, Leases, MasterKey, Pools, Step, Tail, Vault, end};
use domain::{AnyEvent, Recorded, Sending};
use reactors::{Bounds, Doing, Done, Known, Performer, Reactor, Schedule, Task};
use sample::jar::{Command, Event, Jar};
use sqlx::PgPool;
use tests::ledger::MASTER_KEY;
use tests::{Database, Ledger};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::outside::{Outside, call};

pub const NAME: &str = "sample-caller";
pub const READS: &[&str] = &["sample.jar"];

/// Where a caller stops for ever, as if its process were gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    BeforeTheEffect,
    AfterTheEffect,
    AfterTheOutcome,
}

#[derive(Debug, Clone)]
pub struct Caller {
    pub name: &'static str,
    /// None: it calls nobody, and has no outcome.
    pub address: Option<SocketAddr>,
    pub schedule: Schedule,
    /// Of targets that are called `rated`.
    pub every: Option<Duration>,
    pub bounds: Bounds,
    pub dies_at: Option<Point>,
    pub reached: Arc<AtomicBool>,
}

impl Caller {
    pub fn of(outside: &Outside) -> Self {
        Self::to(Some(outside.address))
    }

    pub fn to(address: Option<SocketAddr>) -> Self {
        Self {
            name: NAME,
            address,
            schedule: Schedule {
                first: Duration::from_millis(20),
                longest: Duration::from_secs(1),
                attempts_max: 3,
                age_max: Duration::from_secs(600),
            },
            every: None,
            bounds: Bounds::default(),
            dies_at: None,
            reached: Arc::default(),
        }
    }

    async fn passes(&self, point: Point) {
        if self.dies_at == Some(point) {
            self.reached.store(true, Ordering::Relaxed);
            pending::<()>().await;
        }
    }

    async fn notes(&self, doing: &Doing<'_>, word: &str) -> Result<(), BookError> {
        let label = format!("{word}:{}", doing.key);
        let jar = Uuid::new_v5(&doing.id, word.as_bytes());
        let step = format!("{word} {}", doing.round);
        doing
            .send(&step, vec![Sending::of::<Jar>(jar, Command::Label { label })])
            .await?;
        Ok(())
    }
}

impl Reactor for Caller {
    fn known(&self) -> Known {
        Known {
            name: self.name,
            reads: READS,
        }
    }

    fn tasks(&self, recorded: &Recorded<AnyEvent>) -> Vec<Task> {
        let Some(Event::JarLabelled { label: Some(label) }) = recorded.event.of::<Jar>() else {
            return Vec::new();
        };
        assert_ne!(label, "untellable", "on purpose");
        let Some(key) = label.strip_prefix("do:") else {
            return Vec::new();
        };
        let mut words = key.split(':');
        let lane = words.next().unwrap_or_default();
        vec![Task {
            key: key.to_owned(),
            lane: Uuid::new_v5(&Uuid::nil(), lane.as_bytes()),
            target: words.next().unwrap_or_default().to_owned(),
            due_at: None,
        }]
    }

    async fn perform(&self, doing: &Doing<'_>) -> Result<Done, BookError> {
        let Some(address) = self.address else {
            return Ok(Done::Done);
        };
        self.passes(Point::BeforeTheEffect).await;
        let line = format!("{} {} {} {}", doing.id, doing.tenant, doing.attempt, doing.key);
        let Ok(answer) = call(address, &line).await else {
            return Ok(Done::again("nobody answers"));
        };
        self.passes(Point::AfterTheEffect).await;
        let done = match answer.split_once(' ').unwrap_or((&answer, "")) {
            ("done", _) => Done::Done,
            ("after", ms) => Done::throttled(Duration::from_millis(ms.parse().unwrap()), "it is told to wait"),
            ("dead", _) => Done::dead("there is nobody of that name"),
            ("panic", _) => panic!("on purpose"),
            _ => Done::again("it said no"),
        };
        if done == Done::Done {
            self.notes(doing, "out").await?;
            self.passes(Point::AfterTheOutcome).await;
        }
        Ok(done)
    }

    async fn gave_up(&self, doing: &Doing<'_>, because: &str) -> Result<(), BookError> {
        assert!(!because.is_empty());
        self.notes(doing, "gave-up").await
    }

    fn schedule(&self) -> Schedule {
        self.schedule
    }

    fn rate(&self, target: &str) -> Option<Duration> {
        self.every.filter(|_| target == "rated")
    }

    fn bounds(&self) -> Bounds {
        self.bounds
    }
}

/// The contexts that it needs.
pub fn contexts() -> http::Contexts {
    let mut contexts = daybook::contexts::CONTEXTS.iter().copied();
    let prelude = contexts
        .find(|context| context.name() == identity::CONTEXT.name)
        .unwrap();
    http::Contexts::new(&[prelude, &sample_http::CONTEXT]).unwrap()
}

/// A ledger over a database of its own that knows the reactor, before anything has happened.
pub async fn ground() -> Ledger {
    let ledger = Ledger::over(Database::of(contexts()).await, &tests::setting("NATS_URL")).await;
    reactors::register(&ledger.pools.writer, NAME, READS).await.unwrap();
    ledger
}

/// Puts a label on a new jar of the ledger's tenant, and says where that stands in the book.
pub async fn label(ledger: &Ledger, label: &str) -> i64 {
    label_of(ledger, ledger.tenant, label).await
}

pub async fn label_of(ledger: &Ledger, tenant: Uuid, label: &str) -> i64 {
    let label = label.to_owned();
    let step = Step::of::<Jar>(Uuid::now_v7(), None, Command::Label { label });
    let envelope = Envelope {
        tenant,
        ..ledger.envelope()
    };
    ledger.book.execute(envelope, vec![step]).await.unwrap().position
}

/// A worker of the reactor that leads or stands by, until it is aborted or its ledger stops.
pub struct Working {
    pub task: JoinHandle<()>,
    pub status: watch::Receiver<Status>,
}

impl Working {
    /// As if its process were killed.
    pub async fn dies(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

pub fn works(ledger: &Ledger, caller: Caller) -> Working {
    let (stop, leases) = (ledger.stop.clone(), Leases::start(&ledger.pools.writer));
    let performer = performer(&ledger.pools, &ledger.book, &ledger.tail, &ledger.bus, caller, &stop);
    let lock = format!("daybook {}", performer.1);
    let beat = Beat::default();
    let status = beat.status();
    let task = tokio::spawn(worker::run(performer.0, lock, leases, beat, stop));
    Working { task, status }
}

fn performer(
    pools: &Pools,
    book: &Book,
    tail: &Tail,
    bus: &Bus,
    caller: Caller,
    stop: &CancellationToken,
) -> (Performer<Caller>, &'static str) {
    let (watch, end) = end::Watch::new(tail.clone(), bus.clone(), book);
    let stop = stop.clone();
    tokio::spawn(async move { watch.run(&stop).await });
    let name = caller.name;
    (
        Performer::new(caller, pools.writer.clone(), book.clone(), tail.clone(), end),
        name,
    )
}

/// What a process of its own does: performs until it is killed.
pub async fn performs_over(database_url: &str, address: SocketAddr, stream: &str) {
    let options = database_url.parse().unwrap();
    let pools = Pools::connect(&options).await.unwrap();
    let master = MasterKey::from_hex(MASTER_KEY).unwrap();
    let book = Book::new(pools.writer.clone(), master.clone(), contexts().decisions().clone());
    let tail = Tail::new(pools.projector.clone(), Vault::new(pools.projector.clone(), master));
    let mut config = BusConfig::new(&tests::setting("NATS_URL"), stream, stream);
    config.open = std::env::var_os("DAYBOOK_NATS_OPEN").is_some();
    let bus = Bus::connect(config).await.unwrap();
    let stop = CancellationToken::new();
    let (performer, name) = performer(&pools, &book, &tail, &bus, Caller::to(Some(address)), &stop);
    let leases = Leases::start(&pools.writer);
    worker::run(performer, format!("daybook {name}"), leases, Beat::default(), stop).await;
}

/// Labels that begin with this word, in the book's order, and of whom.
pub async fn labels(pool: &PgPool, word: &str) -> Vec<String> {
    sqlx::query_scalar(
        "select payload->>'label' from book.events
         where aggregate_type = 'sample.jar' and payload->>'label' like $1 || ':%' order by position",
    )
    .bind(word)
    .fetch_all(pool)
    .await
    .unwrap()
}
