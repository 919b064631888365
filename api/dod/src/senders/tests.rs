use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt as _;
use tokio::task::JoinSet;

use super::*;

const SENDER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));

fn sender(n: u128) -> Sender {
    let id = Uuid::from_u128(n);
    Sender {
        tenant: id,
        source_id: id,
        token_id: id,
        source: Arc::default(),
    }
}

async fn good(n: u128) -> Result<Option<Sender>, BookError> {
    Ok(Some(sender(n)))
}

async fn none() -> Result<Option<Sender>, BookError> {
    Ok(None)
}

/// So many tokens that are read for ever, from there.
async fn tried_out(senders: &Arc<Senders>, from: IpAddr, count: usize) -> JoinSet<Result<Sender, Nobody>> {
    let mut tried = JoinSet::new();
    for _ in 0..count {
        let senders = senders.clone();
        let never = futures::future::pending();
        tried.spawn(async move { senders.find(Uuid::now_v7(), from, never).await });
    }
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
    tried
}

#[tokio::test(start_paused = true)]
async fn whoever_tries_out_tokens_holds_up_no_token_that_was_good_of_late() {
    let senders = Arc::new(Senders::default());
    let token = Uuid::from_u128(1);
    assert!(senders.find(token, SENDER, good(1)).await.is_ok());
    senders.known.invalidate(&token).await;
    // From the address of the sender itself, as behind one gateway.
    let _tried = tried_out(&senders, SENDER, 60).await;
    assert!(
        senders.unknown_turns.waiting() > 0,
        "nobody waits, so this shows nothing"
    );
    let found = senders.find(token, SENDER, good(1)).now_or_never();
    assert!(found.is_some_and(|found| found.is_ok()), "it waits");
}

#[tokio::test(start_paused = true)]
async fn whoever_tries_out_tokens_holds_up_nobody_who_sends_from_elsewhere() {
    let senders = Arc::new(Senders::default());
    let _tried = tried_out(&senders, OTHER, 60).await;
    let found = senders.find(Uuid::from_u128(1), SENDER, good(1)).now_or_never();
    assert!(found.is_some_and(|found| found.is_ok()), "it waits");
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_ever_and_no_queue_grows_without_end() {
    let senders = Arc::new(Senders::default());
    let tried = tried_out(&senders, SENDER, 80).await;
    assert!(senders.unknown_turns.waiting() <= UNKNOWN_WAITING.of_user);
    let refused = senders.find(Uuid::now_v7(), SENDER, none()).now_or_never();
    let Some(Err(Nobody::Problem(problem))) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(problem.status, StatusCode::SERVICE_UNAVAILABLE);
    // Theirs ends at the very moment, and all of them have to be asked once more.
    tokio::time::sleep(UNKNOWN_WAITING.patience + Duration::from_millis(1)).await;
    assert_eq!(senders.unknown_turns.waiting(), 0);
    drop(tried);
}

#[tokio::test]
async fn what_is_no_token_is_read_once_for_a_while_and_pushes_no_sender_out() {
    let senders = Senders::default();
    let readings = AtomicUsize::new(0);
    let counted = |found: Option<Sender>| {
        let readings = &readings;
        async move {
            readings.fetch_add(1, Ordering::Relaxed);
            Ok(found)
        }
    };
    let (token, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    for _ in 0..3 {
        let found = senders.find(other, SENDER, counted(None)).await;
        assert!(matches!(found, Err(Nobody::Unknown)));
        assert!(senders.find(token, SENDER, counted(Some(sender(1)))).await.is_ok());
    }
    assert_eq!(readings.load(Ordering::Relaxed), 2);
    for n in 0..u128::from(TOKENS_REMEMBERED_MAX) * 2 {
        let found = senders.find(Uuid::from_u128(100 + n), SENDER, none()).await;
        assert!(matches!(found, Err(Nobody::Unknown)));
    }
    senders.none.run_pending_tasks().await;
    assert!(senders.none.entry_count() <= TOKENS_REMEMBERED_MAX);
    assert!(senders.were_good.contains_key(&token));
}

#[tokio::test]
async fn a_token_that_was_good_waits_among_the_others_once_it_is_retired() {
    let senders = Senders::default();
    let token = Uuid::from_u128(1);
    assert!(senders.find(token, SENDER, good(1)).await.is_ok());
    senders.known.invalidate(&token).await;
    let retired = senders.find(token, SENDER, none()).await;
    assert!(matches!(retired, Err(Nobody::Unknown)));
    assert!(!senders.were_good.contains_key(&token));
}

#[tokio::test]
async fn a_reading_that_fails_is_remembered_for_nobody() {
    let senders = Senders::default();
    let token = Uuid::from_u128(1);
    let failed = senders.find(token, SENDER, async { Err(BookError::Overloaded) }).await;
    assert!(matches!(failed, Err(Nobody::Problem(_))));
    assert!(senders.find(token, SENDER, good(1)).await.is_ok());
}

#[test]
fn addresses_that_one_comes_by_together_count_as_one_network() {
    let v6 = |text: &str| stranger(IpAddr::V6(text.parse::<Ipv6Addr>().unwrap()));
    let (one, same, near, far) = (
        v6("2001:db8:1:1::1"),
        v6("2001:db8:1:1::2"),
        v6("2001:db8:1:2::1"),
        v6("2001:db8:2::1"),
    );
    assert_eq!(one, same);
    assert!(one.tenant == near.tenant && one.user != near.user);
    assert_ne!(one.tenant, far.tenant);
    let mapped = stranger(IpAddr::V6(Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped()));
    assert_eq!(mapped, stranger(SENDER));
}
