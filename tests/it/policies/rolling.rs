//! Versions of a policy one after the other, and leaders that were stopped.

use book::policy::checkpoint::Checkpoint;
use book::policy::timer::Timer;
use book::policy::{self, Caused, PolicyWorker, missed};
use book::worker::{self, Beat};
use book::{Book, BookError, Leases, MasterKey, Step};
use domain::register::Register;
use identity::department::Department;
use sample::jar::Jar;
use serde_json::json;
use tests::ledger::MASTER_KEY;
use tests::process::Process;
use tests::{Ledger, until};
use uuid::Uuid;

use super::acting::{Acting, echo, echo_of, echoes, position, register, supplier, work};
use super::{WAIT, command, count, goods, submitted};

/// A policy as it was, and as it became: it reads departments, too.
static OLD: Acting = Acting {
    name: "growing",
    reads: &["cloudwatcher.supplier"],
    wants_state: false,
    react: echo,
};
static NEW: Acting = Acting {
    name: "growing",
    reads: &["identity.department", "cloudwatcher.supplier"],
    wants_state: false,
    react: echo,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_whose_kinds_grew_loses_no_event_in_a_rolling_deploy() {
    let ledger = Ledger::open().await;
    register(&ledger, &[&OLD]).await;
    let reading = ledger.reading(&[&OLD]);
    let (old, status) = work(&ledger, &OLD, &reading);
    let (first, _) = supplier(&ledger, "Before").await;
    let reacted = async || (echoes(&ledger).await.len() == 1).then_some(());
    until("the first reaction", WAIT, reacted).await;
    // The newer version is migrated to while the older one leads.
    register(&ledger, &[&NEW]).await;
    let department = Uuid::now_v7();
    let enter = command(json!({"enter": {"name": "Workshop"}}));
    let grown = ledger.does::<Register<Department>>(department, enter).await.position;
    let (second, _) = supplier(&ledger, "After").await;
    let stopped = async || {
        status
            .borrow()
            .stopped_before
            .filter(|(position, _)| *position == grown)
    };
    until("the older version's stop", WAIT, stopped).await;
    assert_eq!(position(&ledger, &OLD).await, grown - 1);
    assert_eq!(
        echoes(&ledger).await,
        [echo_of(first)],
        "nothing beyond it was reacted to"
    );
    let told = missed::progress(&ledger.pools.writer, None).await.unwrap();
    let told = told.iter().find(|told| told.policy == "growing").unwrap();
    assert_eq!(told.kinds, ["cloudwatcher.supplier", "identity.department"]);

    let (new, _) = work(&ledger, &NEW, &ledger.reading(&[&NEW]));
    let reacted = async || (echoes(&ledger).await.len() == 3).then_some(());
    until("the newer version's reactions", WAIT, reacted).await;
    let all = echoes(&ledger).await;
    for stream in [first, department, second] {
        assert!(all.contains(&echo_of(stream)), "{stream} is lost");
    }
    assert!(!status.borrow().leading, "the older version stands by");
    // A version that knows fewer kinds takes none back.
    register(&ledger, &[&OLD]).await;
    let kinds = "select cardinality(kinds)::bigint from book.policies where name = 'growing'";
    assert_eq!(count(&ledger.pools.owner, kinds).await, 2);
    ledger.stop.cancel();
    old.await.unwrap();
    new.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_whose_policy_needs_a_newer_version_says_so_and_its_other_policies_go_on() {
    let ledger = Ledger::open().await;
    let (owner, database) = (&ledger.pools.owner, &ledger.database);
    let goods = goods(&ledger).await;
    // As a version to come leaves it, in which this policy reads users, too.
    let grown = "update book.policies set kinds = array_append(kinds, 'identity.user') where name = 'order-stock'";
    sqlx::query(grown).execute(owner).await.unwrap();
    let process = Process::start(&database.url(), &tests::setting("NATS_URL"), &database.name, "policy").await;
    let order = submitted(&ledger, &goods).await;
    ledger.approver().await;
    let said = async || {
        let degraded = process.health().await["degraded"].to_string();
        degraded
            .contains("the policy order-stock stops before position")
            .then_some(())
    };
    until("that it says so", WAIT, said).await;
    let asked =
        format!("select count(*) from book.events where event_type = 'ApprovalAsked' and aggregate_id = '{order}'");
    let approvals = async || (count(owner, &asked).await == 1).then_some(());
    until("the other policies' reactions", WAIT, approvals).await;
    process.kill();
}

/// Reads what the program is without.
static BORROWER: Acting = Acting {
    name: "borrower",
    reads: &["sample.jar", "cloudwatcher.supplier"],
    wants_state: false,
    react: echo,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_passes_no_event_of_a_context_that_its_program_is_without() {
    let ledger = Ledger::open().await;
    register(&ledger, &[&BORROWER]).await;
    let contexts = [daybook::contexts::CONTEXTS, &[&sample_http::CONTEXT]].concat();
    let contexts = http::Contexts::new(&contexts).unwrap();
    let master = MasterKey::from_hex(MASTER_KEY).unwrap();
    let whole = Book::new(ledger.pools.writer.clone(), master, contexts.decisions().clone());
    let (jar, label) = (Uuid::now_v7(), command(json!({"label": {"label": "Nuts"}})));
    let step = Step::of::<Jar>(jar, None, label);
    let labelled = whole.execute(ledger.envelope(), vec![step]).await.unwrap().position;
    let (after, _) = supplier(&ledger, "After").await;

    let (without, status) = work(&ledger, &BORROWER, &ledger.reading(&[&BORROWER]));
    let stopped = async || {
        status
            .borrow()
            .stopped_before
            .filter(|(position, _)| *position == labelled)
    };
    until("the program's stop", WAIT, stopped).await;
    assert_eq!(position(&ledger, &BORROWER).await, labelled - 1);
    assert!(echoes(&ledger).await.is_empty());
    let recorded = ledger.tail.at(&[labelled]).await.unwrap().pop().unwrap();
    let alone = policy::react(&ledger.book, &BORROWER, &recorded, None).await;
    assert!(matches!(alone, Err(BookError::NewerNeeded { .. })), "{alone:?}");

    let worker = PolicyWorker {
        book: whole,
        ..ledger.policy_worker(&BORROWER, &ledger.reading(&[&BORROWER]))
    };
    let leases = Leases::start(&ledger.pools.writer);
    let lock = policy::lock_name(&BORROWER);
    let with = tokio::spawn(worker::run(
        worker,
        lock,
        leases,
        Beat::default(),
        ledger.stop.child_token(),
    ));
    let reacted = async || (echoes(&ledger).await.len() == 2).then_some(());
    until("the reactions of the program that has it", WAIT, reacted).await;
    let all = echoes(&ledger).await;
    assert!(all.contains(&echo_of(jar)) && all.contains(&echo_of(after)), "{all:?}");
    ledger.stop.cancel();
    without.await.unwrap();
    with.await.unwrap();
}

fn timer(ledger: &Ledger) -> Timer {
    Timer::Set {
        timer: Uuid::now_v7(),
        due_at: chrono::Utc::now() + chrono::TimeDelta::days(1),
        caused: Caused {
            tenant: ledger.tenant,
            event_id: Uuid::now_v7(),
            position: 1,
            correlation_id: Uuid::now_v7(),
        },
        stream: Uuid::now_v7(),
        aggregate_type: "cloudwatcher.part",
        command: json!({"enter": {"part_code": "P-1", "name": "bolt"}}).to_string(),
    }
}

#[tokio::test]
async fn a_leader_that_goes_on_after_another_has_begun_writes_nothing() {
    let ledger = Ledger::open().await;
    let (writer, owner) = (&ledger.pools.writer, &ledger.pools.owner);
    register(&ledger, &[&OLD]).await;
    let mut stopped = Checkpoint::begin(writer, &OLD).await.unwrap();
    let mut leads = Checkpoint::begin(writer, &OLD).await.unwrap();
    let (begin, timers) = (leads.position(), "select count(*) from book.timers");
    // It stands where the one that leads stands, too, and only the term tells them apart.
    assert!(stopped.advance(begin + 1, &[timer(&ledger)]).await.is_err());
    assert_eq!((position(&ledger, &OLD).await, count(owner, timers).await), (begin, 0));
    leads.advance(begin + 1, &[timer(&ledger)]).await.unwrap();
    assert_eq!(
        (position(&ledger, &OLD).await, count(owner, timers).await),
        (begin + 1, 1)
    );
    // Nor does one that has not noticed that its policy reads more by now.
    register(&ledger, &[&NEW]).await;
    assert!(leads.advance(begin + 2, &[]).await.is_err());
    assert_eq!(position(&ledger, &OLD).await, begin + 1);
}

#[tokio::test]
async fn a_timer_that_is_set_and_dropped_again_in_one_page_is_gone_and_one_that_is_set_anew_is_there_once() {
    let ledger = Ledger::open().await;
    register(&ledger, &[&OLD]).await;
    let mut checkpoint = Checkpoint::begin(&ledger.pools.writer, &OLD).await.unwrap();
    let (dropped, kept) = (timer(&ledger), timer(&ledger));
    let Timer::Set { timer: id, .. } = dropped.clone() else {
        panic!("a timer is set");
    };
    let page = [dropped, kept.clone(), Timer::Drop { timer: id }, kept];
    let position = checkpoint.position();
    checkpoint.advance(position + 1, &page).await.unwrap();
    checkpoint.advance(position + 2, &page).await.unwrap();
    assert_eq!(count(&ledger.pools.owner, "select count(*) from book.timers").await, 1);
}
