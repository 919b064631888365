//! What hangs costs its own tenant its places, and others nothing.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use egress::{Allowed, Call, Egress, EgressError, LookUp, Names, Overload, Stage};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::servers::{OK, Server, allowed, get, open};

/// As long as a call here may take.
const HANGS: Duration = Duration::from_secs(60);

#[tokio::test]
async fn targets_that_hang_take_the_places_of_their_tenant_alone() {
    let hanging = Server::start(|stream| async move {
        tokio::time::sleep(HANGS).await;
        drop(stream);
        Ok(())
    })
    .await;
    let quick = Server::saying(OK).await;
    let mut settings = open(&[hanging.address.port(), quick.address.port()]);
    (settings.calls, settings.calls_of_tenant) = (16, 4);
    let way_out = Egress::new(settings).unwrap();

    let mut attack = JoinSet::new();
    for _ in 0..30 {
        let (way_out, url) = (way_out.clone(), hanging.url("/"));
        let call = Call {
            seconds_max: 3,
            ..get(&url)
        };
        attack.spawn(async move { way_out.call(Uuid::from_u128(13), &allowed(&url), call).await });
    }
    while hanging.requests().len() < 4 {
        tokio::task::yield_now().await;
    }
    for victim in 100..140 {
        let begun = Instant::now();
        let answer = way_out
            .call(Uuid::from_u128(victim), &allowed(&quick.url("/")), get(quick.url("/")))
            .await;
        assert_eq!(answer.unwrap().status, 200);
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    }
    assert_eq!(hanging.requests().len(), 4, "as many as a tenant may have under way");
    let outcomes = attack.join_all().await;
    let is_bounded = |outcome: &Result<_, _>| {
        matches!(
            outcome,
            Err(EgressError::Timeout(_) | EgressError::Overloaded(Overload::NoPlace))
        )
    };
    assert!(outcomes.iter().all(is_bounded), "{outcomes:?}");
}

/// A name server that takes its time.
struct Slow;

impl Names for Slow {
    fn look_up<'a>(&'a self, _: &'a str) -> LookUp<'a> {
        Box::pin(async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            Ok(vec![IpAddr::from([127, 0, 0, 1])])
        })
    }
}

#[tokio::test]
async fn a_look_up_that_nobody_waits_for_any_more_still_has_its_place() {
    let mut settings = open(&[]);
    (settings.calls, settings.calls_of_tenant) = (1, 1);
    let way_out = Egress::with_names(settings, Arc::new(Slow)).unwrap();
    let allowed = Allowed::new(["slow.test"]).unwrap();
    let call = || Call {
        seconds_max: 1,
        ..get("https://slow.test/")
    };
    let first = way_out.call(Uuid::from_u128(1), &allowed, call()).await.unwrap_err();
    assert_eq!(first, EgressError::Timeout(Stage::LookUp));
    assert!(first.is_certain_not_sent());
    // Its thread of the system's would still be occupied.
    let second = way_out.call(Uuid::from_u128(2), &allowed, call()).await.unwrap_err();
    assert_eq!(second, EgressError::Overloaded(Overload::NoPlace));
    // When the look-up has ended, there is a place again.
    let third = way_out
        .call(
            Uuid::from_u128(2),
            &allowed,
            Call {
                seconds_max: 2,
                ..call()
            },
        )
        .await
        .unwrap_err();
    assert_eq!(third, EgressError::Timeout(Stage::LookUp));
}
