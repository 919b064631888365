//! Many devices, many repeats: one effect each.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::*;

/// Requests that say something of their own.
const REQUESTS_OF_THEIR_OWN: usize = 20_100;
/// Sendings of the same again, and of something else under the same key.
const REPEATS: usize = 9_000;
const CHANGED: usize = 900;
const CLIENTS: usize = 64;

type Told = (u16, String, Option<String>, Option<String>);

/// One sending: of which request, and whether with another body.
#[derive(Debug, Clone, Copy)]
struct Sending {
    request: usize,
    changed: bool,
}

impl Sending {
    /// Half of the requests have keys.
    fn body(self) -> Value {
        let Self { request, changed } = self;
        let payload = json!({"n": request, "changed": changed});
        let mut body =
            json!({"device_id": format!("truck-{}", request % 500), "request_type": "report", "payload": payload});
        if request % 2 == 0 {
            body["request_key"] = json!(format!("r-{request}"));
        }
        body
    }
}

/// Every request once, then repeats mixed in: a third of them right behind the first sending, so that both
/// are under way at one time.
fn sendings() -> Vec<Sending> {
    let mut all: Vec<Sending> = Vec::with_capacity(REQUESTS_OF_THEIR_OWN + REPEATS + CHANGED);
    // A sequence without a pattern, the same each time.
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut draw = |below: usize| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % below
    };
    for request in 0..REQUESTS_OF_THEIR_OWN {
        all.push(Sending {
            request,
            changed: false,
        });
    }
    let mut mixed = Vec::with_capacity(all.capacity());
    let (mut repeats, mut changed) = (0, 0);
    for (index, sending) in all.into_iter().enumerate() {
        mixed.push(sending);
        let due = (index + 1) * REPEATS / REQUESTS_OF_THEIR_OWN;
        while repeats < due {
            let request = if repeats % 3 == 0 { index } else { draw(index + 1) };
            mixed.push(Sending {
                request,
                changed: false,
            });
            repeats += 1;
        }
        let due = (index + 1) * CHANGED / REQUESTS_OF_THEIR_OWN;
        while changed < due {
            // Of those with a key: without one, another body is another request.
            let request = draw(index + 1) / 2 * 2;
            mixed.push(Sending { request, changed: true });
            changed += 1;
        }
    }
    mixed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn thirty_thousand_sendings_have_one_effect_for_each_request() {
    let service = Service::start().await;
    let pool = pool(&service).await;
    let sendings = Arc::new(sendings());
    assert_eq!(sendings.len(), 30_000);
    let next = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (device, sendings, next) = (service.admin.clone(), sendings.clone(), next.clone());
            tokio::spawn(async move {
                let mut answers = Vec::new();
                while let Some(&sending) = sendings.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut reply = device.post(REQUESTS, &sending.body()).await;
                    // On a busy machine the first sending may take longer than a repeat waits for it.
                    while reply.status == 409 && reply.json()["type"] == "/problems/in-progress" {
                        reply = device.post(REQUESTS, &sending.body()).await;
                    }
                    answers.push((sending, told(&reply)));
                }
                answers
            })
        })
        .collect();
    let mut first: HashMap<(usize, bool), Told> = HashMap::new();
    let mut refused: Vec<Sending> = Vec::new();
    for client in clients {
        for (sending, answer) in client.await.unwrap() {
            if answer.0 == 409 {
                refused.push(sending);
                continue;
            }
            assert_eq!(answer.0, 200, "{sending:?}: {answer:?}");
            let said = (sending.request, sending.changed);
            let before = first.entry(said).or_insert_with(|| answer.clone());
            assert_eq!(*before, answer, "{sending:?}");
        }
    }
    let took = began.elapsed();
    // Of two bodies under one key the first to come is received and the other refused. That is the changed
    // one, but where it overtook the other on its way.
    assert_eq!(first.len(), REQUESTS_OF_THEIR_OWN);
    for sending in &refused {
        assert!(first.contains_key(&(sending.request, !sending.changed)), "{sending:?}");
    }
    let overtook = first.keys().filter(|(_, changed)| *changed).count();
    let conflicts = refused.len();
    assert!(
        overtook < CHANGED / 10 && conflicts + overtook >= CHANGED,
        "{conflicts} {overtook}"
    );
    assert_eq!(events(&pool).await, REQUESTS_OF_THEIR_OWN as i64);
    let receipts: i64 =
        sqlx::query_scalar("select count(distinct aggregate_id) from book.events where event_type = 'RequestReceived'")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert_eq!(receipts, REQUESTS_OF_THEIR_OWN as i64);
    let end: i64 = sqlx::query_scalar("select book.last_position()")
        .fetch_one(&pool)
        .await
        .unwrap();
    let look = async || {
        let posted: i64 = sqlx::query_scalar(
            "select position from book.generations where state = 'live' and context = 'cloudwatcher'",
        )
        .fetch_one(&pool)
        .await
        .unwrap();
        (posted >= end).then_some(())
    };
    tests::until("the rows", Duration::from_secs(60), look).await;
    let rows: i64 = sqlx::query_scalar("select count(*) from cloudwatcher.requests")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(rows, REQUESTS_OF_THEIR_OWN as i64);
    println!(
        "{} sendings by {CLIENTS} clients in {took:?}: {:.0} a second; {conflicts} conflicts, {overtook} overtook",
        sendings.len(),
        sendings.len() as f64 / took.as_secs_f64()
    );
    pool.close().await;
    service.end().await;
}
