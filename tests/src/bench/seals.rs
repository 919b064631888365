//! `verify` and `seal`: how fast the book is read again and held against its seals, and sealed.

use std::time::Instant;

use book::seals::verify::Wanted;
use book::seals::{SealKey, Sealing, verify};
use futures::TryStreamExt as _;
use sqlx::PgConnection;

use super::Figure;
use crate::{Ledger, process};

/// Events of the book.
const EVENTS: i64 = 300_000;

pub async fn run() -> Vec<Figure> {
    let ledger = Ledger::open().await;
    history(&mut ledger.pools.owner.acquire().await.unwrap()).await;
    let key = SealKey::generate();

    let started = Instant::now();
    let mut sealing = Sealing::begin(&ledger.pools.projector, key.clone()).await.unwrap();
    while sealing.sealed() < EVENTS {
        sealing.seal(EVENTS, &|| Ok(())).await.unwrap();
    }
    let sealed = EVENTS as f64 / started.elapsed().as_secs_f64();

    let wanted = Wanted {
        from: 1,
        keys: &[key.public()],
        exported: None,
        told: &|_, _| {},
    };
    let options = ledger.pools.projector.connect_options();
    let processor = process::cpu_seconds("self");
    let report = verify(&options, wanted).await.unwrap();
    let processor = process::cpu_seconds("self") - processor;
    assert_eq!((report.finding, report.verified), (None, EVENTS));
    let verified = EVENTS as f64 / report.seconds;

    let copied = EVENTS as f64 / copy(&mut ledger.pools.projector.acquire().await.unwrap()).await;
    vec![
        Figure::against("verify", verified, "events/s", copied),
        Figure::alone("verify.core", EVENTS as f64 / processor, "events/s"),
        Figure::against("seal", sealed, "events/s", copied),
    ]
}

/// Events as large as most are, 0.3 KB of payload and 0.5 KB of metadata: how they came into the book makes no
/// difference here.
async fn history(owner: &mut PgConnection) {
    let insert = format!(
        "insert into book.events
         select n, gen_random_uuid(), gen_random_uuid(), 'bench.thing', gen_random_uuid()::text, 1, 'ThingDone', '1',
                json_build_object('name', 'thing ' || n, 'text', repeat(md5(n::text), 8)),
                json_build_object('actor', gen_random_uuid(), 'correlation_id', gen_random_uuid(),
                                  'command_id', gen_random_uuid(), 'text', repeat(md5(n::text), 11)),
                clock_timestamp()
         from generate_series(1, {EVENTS}) n"
    );
    sqlx::raw_sql(&insert).execute(&mut *owner).await.unwrap();
    sqlx::raw_sql("vacuum analyze book.events")
        .execute(owner)
        .await
        .unwrap();
}

/// Seconds that it takes to read the same columns by the same COPY, and do nothing with them.
async fn copy(connection: &mut PgConnection) -> f64 {
    let started = Instant::now();
    let copy = "copy (select * from book.events order by position) to stdout (format binary)";
    let rows = connection.copy_out_raw(copy).await.unwrap();
    let bytes = rows.try_fold(0, |bytes, chunk| async move { Ok(bytes + chunk.len()) });
    assert!(bytes.await.unwrap() > 0);
    started.elapsed().as_secs_f64()
}
