//! Dead letters, and that they are sent again.

use std::time::Duration;

use book::retention;
use reactors::{letters, progress, retry};
use tests::until;
use uuid::Uuid;

use super::caller::{Caller, NAME, READS, ground, label, labels, works};
use super::outside::{Call, Outside, Reply};
use super::{DEAD, REACTIONS, WAIT, at_rest, becomes, ends};
use crate::policies::count;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_by_its_schedule_is_a_dead_letter_that_is_sent_again_and_its_lane_goes_on() {
    let outside = Outside::answering(|call, _| if call.n == 0 { Reply::Fails } else { Reply::Done }).await;
    let ledger = ground().await;
    let (pool, writer) = (&ledger.pools.owner, &ledger.pools.writer);
    let working = works(&ledger, Caller::of(&outside));
    let position = label(&ledger, "do:a:x:0").await;
    label(&ledger, "do:a:x:1").await;
    at_rest(&ledger).await;
    let calls = outside.calls();
    let failed: Vec<&Call> = calls.iter().filter(|call| call.n == 0).collect();
    assert_eq!(failed.iter().map(|call| call.attempt).collect::<Vec<u32>>(), [1, 2, 3]);
    let waits: Vec<Duration> = failed.windows(2).map(|two| two[1].at - two[0].at).collect();
    assert!(
        waits[0] >= Duration::from_millis(20) && waits[1] >= Duration::from_millis(40),
        "{waits:?}"
    );
    assert_eq!(labels(pool, "out").await, ["out:a:x:1"], "what came later went on");
    assert_eq!(labels(pool, "gave-up").await, ["gave-up:a:x:0"]);

    let dead = letters(writer, NAME, Some(ledger.tenant), (0, 0), 10).await.unwrap();
    let [letter] = &dead[..] else { panic!("{dead:?}") };
    assert_eq!(
        (letter.position, letter.id, letter.attempts),
        (position, failed[0].id, 3)
    );
    assert!(letter.error.starts_with("it said no"), "{letter:?}");
    assert!(
        letters(writer, NAME, Some(Uuid::new_v4()), (0, 0), 10)
            .await
            .unwrap()
            .is_empty()
    );
    let all = progress(writer, None).await.unwrap();
    assert_eq!(
        (all[0].waiting, all[0].dead, all[0].oldest_position),
        (0, 1, Some(position))
    );

    // However late it is sent again, what it has commanded takes effect once.
    let age = "update book.receipts set recorded_at = recorded_at - interval '31 days'";
    sqlx::query(age).execute(pool).await.unwrap();
    let policies = "update book.policies set position = book.last_position()";
    sqlx::query(policies).execute(pool).await.unwrap();
    assert!(retention::sweep(writer).await.unwrap().kept > 0);

    assert_eq!(retry(writer, NAME, Some(Uuid::new_v4()), None).await.unwrap(), Some(0));
    assert_eq!(
        retry(writer, NAME, None, Some(&[Uuid::new_v4()])).await.unwrap(),
        Some(0)
    );
    assert_eq!(retry(writer, "nobody", None, None).await.unwrap(), None);
    assert_eq!(retry(writer, NAME, None, None).await.unwrap(), Some(1));
    at_rest(&ledger).await;
    let gave_up = labels(pool, "gave-up").await;
    assert_eq!(gave_up.len(), 1, "the label is there already: {gave_up:?}");
    assert_eq!(count(pool, DEAD).await, 1, "it failed again");
    outside.answers(|_, _| Reply::Done);
    assert_eq!(
        retry(writer, NAME, Some(ledger.tenant), Some(&[letter.id]))
            .await
            .unwrap(),
        Some(1)
    );
    at_rest(&ledger).await;
    assert_eq!(count(pool, REACTIONS).await, 0);
    assert_eq!(labels(pool, "out").await, ["out:a:x:1", "out:a:x:0"]);
    let last = outside.calls().pop().unwrap();
    assert_eq!((last.id, last.attempt), (letter.id, 1), "its schedule began anew");
    sqlx::query(age).execute(pool).await.unwrap();
    sqlx::query(policies).execute(pool).await.unwrap();
    assert_eq!(retention::sweep(writer).await.unwrap().kept, 0);
    ends(&ledger, [working]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_sent_again_comes_before_what_has_not_begun_and_after_what_has() {
    let outside = Outside::answering(|_, _| Reply::Dead).await;
    let ledger = ground().await;
    let (pool, writer) = (&ledger.pools.owner, &ledger.pools.writer);
    let working = works(&ledger, Caller::of(&outside));
    label(&ledger, "do:a:x:0").await;
    becomes(pool, DEAD, 1).await;
    outside.answers(|call, _| if call.n == 1 { Reply::Fails } else { Reply::Done });
    working.dies().await;
    // The head of the lane waits for long, and the dead letter is sent again meanwhile.
    let mut slow = Caller::of(&outside);
    slow.schedule.first = Duration::from_secs(5);
    slow.schedule.longest = Duration::from_secs(5);
    let working = works(&ledger, slow);
    label(&ledger, "do:a:x:1").await;
    label(&ledger, "do:a:x:2").await;
    becomes(
        pool,
        "select count(*) from book.reactions where attempts = 1 and heads",
        1,
    )
    .await;
    assert_eq!(retry(writer, NAME, None, None).await.unwrap(), Some(1));
    let heads = "select count(*) from book.reactions where heads";
    assert_eq!(count(pool, heads).await, 1, "one heads the lane");
    outside.answers(|_, _| Reply::Done);
    at_rest(&ledger).await;
    let numbers: Vec<usize> = outside.calls().iter().map(|call| call.n).collect();
    assert_eq!(numbers, [0, 1, 1, 0, 2]);
    ends(&ledger, [working]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_panics_or_cannot_be_read_is_a_dead_letter_and_nothing_else_waits_for_it() {
    let outside = Outside::answering(|call, before| {
        if call.n == 1 && before == 0 {
            Reply::Panic
        } else {
            Reply::Done
        }
    })
    .await;
    let ledger = ground().await;
    let (pool, writer) = (&ledger.pools.owner, &ledger.pools.writer);
    reactors::register(writer, "sample-other", READS).await.unwrap();
    let other = Caller {
        name: "sample-other",
        address: None,
        ..Caller::of(&outside)
    };
    let working = [works(&ledger, Caller::of(&outside)), works(&ledger, other)];
    label(&ledger, "do:a:x:1").await;
    label(&ledger, "untellable").await;
    // What no program of today writes: an event of a version to come.
    sqlx::query(
        "insert into book.events
         select book.last_position() + 1, gen_random_uuid(), tenant_id, 'sample.jar', gen_random_uuid()::text, 1,
                'JarLabelled', '99', '{\"label\": \"do:a:x:2\"}', metadata, recorded_at
         from book.events limit 1",
    )
    .execute(pool)
    .await
    .unwrap();
    label(&ledger, "do:a:x:3").await;
    at_rest(&ledger).await;
    assert_eq!(labels(pool, "out").await, ["out:a:x:3"]);
    let dead = letters(writer, NAME, None, (0, 0), 10).await.unwrap();
    let errors: Vec<(bool, bool)> = dead
        .iter()
        .map(|letter| {
            (
                letter.key.is_some(),
                letter.error.contains("panicked") || letter.error.contains("version 99"),
            )
        })
        .collect();
    assert_eq!(errors, [(true, true), (false, true), (false, true)], "{dead:?}");
    let others = letters(writer, "sample-other", None, (0, 0), 10).await.unwrap();
    assert_eq!(others.len(), 2, "the other reactor had its own: {others:?}");
    // What can be told by now is told, and the rest says so again.
    let told = "update book.reactions set key = null where key is not null";
    sqlx::query(told).execute(pool).await.unwrap();
    retry(writer, NAME, None, None).await.unwrap();
    becomes(
        pool,
        "select count(*) from book.reactions where reactor = 'sample-caller' and dead",
        1,
    )
    .await;
    let done = async || (labels(pool, "out").await.len() == 2).then_some(());
    until("the effect that had panicked", WAIT, done).await;
    let waits = "select count(*) from book.reactions where not dead and error like '%version 99%'";
    becomes(pool, waits, 1).await;
    for working in working {
        working.dies().await;
    }
}
