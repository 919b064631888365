//! The book on a database of its own, without HTTP: what tests of append, relay and projector use.

use book::bus::BusConfig;
use book::policy::{self, PolicyWorker, Reading};
use book::relay::Relay;
use book::timers::{self, TimerWorker};
use book::worker::{self, Beat};
use book::{Book, Bus, Envelope, Leases, MasterKey, Pools, Step, Tail, Vault, end};
use chrono::Utc;
use domain::{Decider, Policy};
use http::Contexts;
use identity::role::Role;
use identity::user::User;
use serde_json::json;
use sqlx::postgres::PgConnectOptions;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::Database;

/// The master key of every test.
pub const MASTER_KEY: &str = "5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed";
/// What a test's stream on the bus may hold, in bytes: many tests share one server.
pub const STREAM_BYTES_MAX: i64 = 32 << 20;

/// Migrates a database and makes the first generation of every context.
pub async fn prepare(options: &PgConnectOptions, contexts: &Contexts) {
    let pools = Pools::connect(options).await.expect("the database answers");
    daybook::migrate(&pools.owner, contexts)
        .await
        .expect("the migrations run");
    let master = MasterKey::from_hex(MASTER_KEY).expect("the key is well formed");
    // Makes the book's own keys, as the first process that starts over it does.
    let verifying = Vault::new(pools.writer.clone(), master.clone());
    verifying.verify().await.expect("the key is the book's");
    let tail = Tail::new(pools.projector.clone(), Vault::new(pools.projector.clone(), master));
    for context in contexts.tables() {
        projections::rebuild::ensure_live(&pools, &tail, context, &|_| {})
            .await
            .expect("a first generation is made");
    }
    pools.close().await;
}

/// Everything between a command and the bus.
#[derive(Debug)]
pub struct Ledger {
    pub pools: Pools,
    pub book: Book,
    pub tail: Tail,
    pub bus: Bus,
    pub tenant: Uuid,
    pub actor: Uuid,
    pub stop: CancellationToken,
    // Dropped last: the pools above still hold connections to it.
    pub database: Database,
}

impl Ledger {
    pub async fn open() -> Self {
        let database = Database::create().await;
        Self::over(database, &crate::setting("NATS_URL")).await
    }

    pub async fn over(database: Database, nats_url: &str) -> Self {
        let pools = Pools::connect(&database.options).await.expect("the database answers");
        let master = MasterKey::from_hex(MASTER_KEY).expect("the key is well formed");
        let book = Book::new(
            pools.writer.clone(),
            master.clone(),
            database.contexts.decisions().clone(),
        );
        let tail = Tail::new(pools.projector.clone(), Vault::new(pools.projector.clone(), master));
        let mut config = BusConfig::new(nats_url, &database.name, &database.name);
        config.stream_bytes_max = STREAM_BYTES_MAX;
        config.open = std::env::var_os("DAYBOOK_NATS_OPEN").is_some();
        let bus = Bus::connect(config).await.expect("the bus has an address");
        let (tenant, actor) = (Uuid::new_v4(), Uuid::new_v4());
        Self {
            pools,
            book,
            tail,
            bus,
            tenant,
            actor,
            stop: CancellationToken::new(),
            database,
        }
    }

    /// An envelope with a fresh command id.
    pub fn envelope(&self) -> Envelope {
        Envelope {
            body_hash: [7; 32],
            reason: Some("a test wants it so".to_owned()),
            ..Envelope::once(self.tenant, self.actor, Utc::now())
        }
    }

    /// Sends one command; the test fails when it is refused.
    pub async fn does<D: Decider>(&self, stream: Uuid, command: D::Command) -> book::Answer {
        self.book
            .execute(self.envelope(), vec![Step::of::<D>(stream, None, command)])
            .await
            .expect("the command is accepted")
    }

    /// As [`Ledger::does`], of a command that Daybook alone sends.
    pub async fn does_itself<D: Decider>(&self, stream: Uuid, command: D::Command) -> book::Answer {
        let envelope = Envelope {
            actor: domain::SYSTEM,
            ..self.envelope()
        };
        self.book
            .execute(envelope, vec![Step::of::<D>(stream, None, command)])
            .await
            .expect("the command is accepted")
    }

    /// A user who may approve orders, as the manager of whatever department names them.
    pub async fn approver(&self) -> Uuid {
        let (role, user) = (Uuid::now_v7(), Uuid::now_v7());
        let define = json!({"define": {"name": role.simple().to_string(), "permissions": ["orders.approve"]}});
        self.does::<Role>(role, serde_json::from_value(define).expect("a command"))
            .await;
        let register = json!({"register": {"name": "Mona", "email": format!("{}@example.com", user.simple())}});
        let assign = json!({"assign-role": {"role_id": role}});
        for command in [register, assign] {
            self.does::<User>(user, serde_json::from_value(command).expect("a command"))
                .await;
        }
        user
    }

    /// Runs the policies and their timers until the ledger stops.
    pub fn policies(&self) -> Vec<tokio::task::JoinHandle<()>> {
        let stop = || self.stop.child_token();
        let leases = Leases::start(&self.pools.writer);
        let mut running = Vec::new();
        let contexts = self.database.contexts.decisions().iter();
        for context in contexts.filter(|context| !context.policies.is_empty()) {
            let reading = self.reading(context.policies);
            for &policy in context.policies {
                running.push(tokio::spawn(worker::run(
                    self.policy_worker(policy, &reading),
                    policy::lock_name(policy),
                    leases.clone(),
                    Beat::default(),
                    stop(),
                )));
            }
            running.push(tokio::spawn(worker::run(
                self.timer_worker(context),
                timers::lock_name(context),
                leases.clone(),
                Beat::default(),
                stop(),
            )));
        }
        running
    }

    pub fn timer_worker(&self, context: &'static domain::Context) -> TimerWorker {
        TimerWorker {
            pool: self.pools.writer.clone(),
            book: self.book.clone(),
            context,
        }
    }

    pub fn policy_worker(&self, policy: &'static dyn Policy, reading: &Reading) -> PolicyWorker {
        PolicyWorker {
            policy,
            pool: self.pools.writer.clone(),
            book: self.book.clone(),
            reading: reading.clone(),
        }
    }

    /// What the policies of one context share in a process, with a watch on the book's end until the ledger stops.
    pub fn reading(&self, policies: &[&dyn Policy]) -> Reading {
        let (watch, end) = end::Watch::new(self.tail.clone(), self.bus.clone(), &self.book);
        let stop = self.stop.clone();
        tokio::spawn(async move { watch.run(&stop).await });
        Reading::new(self.tail.clone(), self.pools.writer.clone(), end, policies)
    }

    /// Runs a relay until the ledger stops.
    pub fn relay(&self) -> tokio::task::JoinHandle<()> {
        let relay = Relay::new(self.tail.clone(), self.bus.clone(), self.book.committed());
        tokio::spawn(relay.run(self.stop.clone()))
    }
}
