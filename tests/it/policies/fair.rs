//! What much that goes on in one tenant means for the others: nothing; and for itself: its order stays.

use std::sync::Arc;

use book::policy::waiting::Waiting;
use book::policy::{self, Reading};
use book::worker::{self, Beat};
use book::{Envelope, Leases, Step};
use chrono::Utc;
use cloudwatcher::supplier::Supplier;
use domain::register::{Change, Register};
use domain::{Reaction, Seen, Sending};
use serde_json::json;
use tests::Ledger;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::acting::{Acting, echo, echo_of, echoes, register, supplier, work};
use super::{WAIT, command, count};

const SUPPLIERS: &[&str] = &["cloudwatcher.supplier"];

static ECHOING: Acting = Acting {
    name: "echoing",
    reads: SUPPLIERS,
    wants_state: false,
    react: echo,
};

/// Names a part like the supplier, each time that it gets a name.
static COPYING: Acting = Acting {
    name: "copying",
    reads: SUPPLIERS,
    wants_state: false,
    react: copy,
};

fn copy(seen: &Seen<'_>) -> Vec<Reaction> {
    let stream = Uuid::new_v5(&seen.recorded.stream, b"echo");
    let as_it_is = match seen.recorded.of::<Register<Supplier>>() {
        Some(Change::Entered(supplier)) => ("enter", supplier),
        Some(Change::Amended(supplier)) => ("amend", supplier),
        _ => return Vec::new(),
    };
    let (verb, supplier) = as_it_is;
    let part = json!({verb: {"part_code": stream.simple().to_string(), "name": supplier.name}});
    let part = cloudwatcher::part::AGGREGATE.read(part).expect("a command");
    vec![Reaction::send(vec![Sending::to(stream, part)])]
}

async fn supplier_of(ledger: &Ledger, tenant: Uuid, stream: Uuid, verb: &str, name: &str) {
    let envelope = Envelope::once(tenant, ledger.actor, Utc::now());
    let step = Step::of::<Register<Supplier>>(stream, None, command(json!({verb: {"name": name}})));
    ledger.book.execute(envelope, vec![step]).await.expect("it is accepted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_often_in_one_tenant_keeps_no_other_tenant_waiting() {
    const OFTEN: usize = 1_500;
    let ledger = Ledger::open().await;
    register(&ledger, &[&ECHOING]).await;
    for n in 0..OFTEN {
        supplier(&ledger, &format!("Acme {n}")).await;
    }
    let (quiet, last) = (Uuid::now_v7(), Uuid::now_v7());
    supplier_of(&ledger, quiet, last, "enter", "Zeta").await;
    let (worker, _) = work(&ledger, &ECHOING, &ledger.reading(&[&ECHOING]));
    caught_up(&ledger, &ECHOING).await;
    let echoes = echoes(&ledger).await;
    assert_eq!(echoes.len(), OFTEN + 1, "and each is reacted to once");
    let place = echoes.iter().position(|echo| *echo == echo_of(last)).unwrap();
    // It lies in the second page: before it come the shares of two, and what is done of the rest meanwhile.
    assert!(place < OFTEN / 2, "it came as number {place}");
    let left = count(&ledger.pools.owner, "select count(*) from book.missed").await;
    assert_eq!(left, 0);
    ledger.stop.cancel();
    worker.await.unwrap();
}

#[tokio::test]
async fn whoever_has_something_going_on_beside_nobody_up_to_the_end_of_the_book_is_alone() {
    let ledger = Ledger::open().await;
    for n in 0..3 {
        supplier(&ledger, &format!("Acme {n}")).await;
    }
    supplier_of(&ledger, Uuid::now_v7(), Uuid::now_v7(), "enter", "Zeta").await;
    let pool = &ledger.pools.writer;
    let events = ledger.tail.after(0, 10).await.unwrap();
    let events: Vec<_> = events.into_iter().map(Arc::new).collect();
    let waiting = Waiting::default();
    let is_alone = async |events: &[Arc<_>], to, end| waiting.is_alone(pool, events, to, end).await.unwrap();
    assert!(is_alone(&events[..2], 2, 2).await);
    assert!(is_alone(&events[..2], 2, 3).await);
    // Somebody else's comes later, and what is known of the rest is not known of that.
    assert!(!is_alone(&events[..2], 2, 4).await);
    assert!(!is_alone(&events[2..], 4, 4).await);
    assert!(is_alone(&events[..1], 1, 3).await);
    assert!(is_alone(&events[3..], 4, 4).await);
    // Of a book that goes on far beyond it is not asked whose the rest is.
    assert!(!is_alone(&events[..1], 1, 1_000_000).await);
    waiting.add(events[0].tenant_id);
    assert!(!is_alone(&events[..2], 2, 2).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_its_turn_is_done_in_order_and_once_whoever_leads() {
    const NAMES: usize = 120;
    const LEADERS: usize = 6;
    let ledger = Ledger::open().await;
    register(&ledger, &[&COPYING]).await;
    let tenants: Vec<(Uuid, Uuid)> = (0..3).map(|_| (Uuid::now_v7(), Uuid::now_v7())).collect();
    let telling = async {
        for n in 0..NAMES {
            for &(tenant, stream) in &tenants {
                let verb = if n == 0 { "enter" } else { "amend" };
                supplier_of(&ledger, tenant, stream, verb, &format!("name {n}")).await;
            }
        }
    };
    let leading = async {
        for nth in 0..LEADERS {
            let stop = CancellationToken::new();
            let before = named(&ledger).await;
            let worker = lead(&ledger, &ledger.reading(&[&COPYING]), stop.clone());
            let enough = (before + 20).min(3 * NAMES as i64);
            let some = async || (named(&ledger).await >= enough).then_some(());
            tests::until("some of it", WAIT, some).await;
            if nth + 1 == LEADERS {
                caught_up(&ledger, &COPYING).await;
            }
            // Without an end: it is dropped wherever it is.
            if nth % 2 == 0 {
                worker.abort();
            }
            stop.cancel();
            let _ = worker.await;
        }
    };
    telling.await;
    leading.await;
    for (_, stream) in tenants {
        let names: Vec<String> = sqlx::query_scalar(
            "select payload ->> 'name' from book.events
             where aggregate_type = 'cloudwatcher.part' and aggregate_id = $1 order by sequence",
        )
        .bind(echo_of(stream))
        .fetch_all(&ledger.pools.owner)
        .await
        .unwrap();
        let expected: Vec<String> = (0..NAMES).map(|n| format!("name {n}")).collect();
        assert_eq!(names, expected);
    }
}

/// Waits until the policy has reacted to the whole book.
async fn caught_up(ledger: &Ledger, acting: &Acting) {
    let behind = format!(
        "select (select count(*) from book.policies where name = '{name}' and position < book.last_position())
              + (select count(*) from book.missed where policy = '{name}')",
        name = acting.name
    );
    let there = async || (count(&ledger.pools.owner, &behind).await == 0).then_some(());
    tests::until("the policy's catching up", WAIT, there).await;
}

/// How often a part got a name.
async fn named(ledger: &Ledger) -> i64 {
    let named = "select count(*) from book.events where aggregate_type = 'cloudwatcher.part'";
    count(&ledger.pools.owner, named).await
}

fn lead(ledger: &Ledger, reading: &Reading, stop: CancellationToken) -> JoinHandle<()> {
    let worker = ledger.policy_worker(&COPYING, reading);
    let leases = Leases::start(&ledger.pools.writer);
    tokio::spawn(worker::run(
        worker,
        policy::lock_name(&COPYING),
        leases,
        Beat::default(),
        stop,
    ))
}
