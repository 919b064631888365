//! Policies that only tests have, and workers that run them.

use book::policy::{self, Reading};
use book::worker::{self, Beat, Status};
use book::{Leases, policy::checkpoint};
use cloudwatcher::supplier::Supplier;
use domain::register::Register;
use domain::{AnyEvent, Policy, Reaction, Recorded, Seen, Sending};
use serde_json::json;
use tests::Ledger;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// A policy that does what a test wants.
#[derive(Debug)]
pub struct Acting {
    pub name: &'static str,
    pub reads: &'static [&'static str],
    pub wants_state: bool,
    pub react: fn(&Seen<'_>) -> Vec<Reaction>,
}

impl Policy for Acting {
    fn name(&self) -> &'static str {
        self.name
    }

    fn reads(&self) -> &'static [&'static str] {
        self.reads
    }

    fn wants_state(&self, _recorded: &Recorded<AnyEvent>) -> bool {
        self.wants_state
    }

    fn react(&self, seen: &Seen<'_>) -> Vec<Reaction> {
        (self.react)(seen)
    }
}

/// Enters a part for the event, so that the book tells how often an event was reacted to.
pub fn echo(seen: &Seen<'_>) -> Vec<Reaction> {
    let stream = Uuid::new_v5(&seen.recorded.stream, b"echo");
    let enter = json!({"enter": {"part_code": stream.simple().to_string(), "name": "an echo"}});
    let enter = cloudwatcher::part::AGGREGATE.read(enter).expect("a command");
    vec![Reaction::send(vec![Sending::to(stream, enter)])]
}

/// The streams that were reacted to by [`echo`], as their echoes.
pub async fn echoes(ledger: &Ledger) -> Vec<String> {
    sqlx::query_scalar("select aggregate_id from book.events where event_type = 'PartEntered' order by position")
        .fetch_all(&ledger.pools.owner)
        .await
        .unwrap()
}

pub fn echo_of(stream: Uuid) -> String {
    Uuid::new_v5(&stream, b"echo").to_string()
}

/// A worker of a process of its own, which ends with the ledger.
pub fn work(ledger: &Ledger, acting: &'static Acting, reading: &Reading) -> (JoinHandle<()>, watch::Receiver<Status>) {
    let beat = Beat::default();
    let status = beat.status();
    let working = worker::run(
        ledger.policy_worker(acting, reading),
        policy::lock_name(acting),
        Leases::start(&ledger.pools.writer),
        beat,
        ledger.stop.child_token(),
    );
    (tokio::spawn(working), status)
}

/// Enters a supplier of this name; the stream, and the position of the event.
pub async fn supplier(ledger: &Ledger, name: &str) -> (Uuid, i64) {
    let stream = Uuid::now_v7();
    let enter = super::command(json!({"enter": {"name": name}}));
    let answer = ledger.does::<Register<Supplier>>(stream, enter).await;
    (stream, answer.position)
}

/// Where a policy's checkpoint is.
pub async fn position(ledger: &Ledger, acting: &Acting) -> i64 {
    let position = "select position from book.policies where name = $1";
    sqlx::query_scalar(position)
        .bind(acting.name)
        .fetch_one(&ledger.pools.owner)
        .await
        .unwrap()
}

/// Makes policies known to the book, as migrating to their version does.
pub async fn register(ledger: &Ledger, acting: &[&'static Acting]) {
    for &policy in acting {
        checkpoint::register(&ledger.pools.owner, &[policy as &dyn Policy])
            .await
            .unwrap();
    }
}

/// How often the database was asked something that looks like this, as it counts itself.
pub async fn asked(ledger: &Ledger, like: &str) -> i64 {
    let pool = &ledger.pools.owner;
    sqlx::query("create extension if not exists pg_stat_statements")
        .execute(pool)
        .await
        .unwrap();
    sqlx::query_scalar(
        "select coalesce(sum(calls), 0)::bigint from pg_stat_statements
         where dbid = (select oid from pg_database where datname = current_database())
           and query ~ $1 and query !~ 'pg_stat_statements'",
    )
    .bind(like)
    .fetch_one(pool)
    .await
    .unwrap()
}
