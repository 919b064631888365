//! What somebody does to the book behind Daybook's back is found, and named where it begins. It is done here as the
//! database's owner, who can switch the triggers off.

mod served;

use std::io::Cursor;

use book::BookError;
use book::seals::finding::Finding;
use book::seals::place::Place;
use book::seals::verify::{Report, VerifyError, Wanted};
use book::seals::{Exported, FORMATS, PublicKey, SealKey, Sealing, exported, verify};
use identity::user::User;
use serde_json::json;
use sqlx::PgPool;
use tests::Ledger;
use uuid::Uuid;

use crate::policies::command;
use crate::relay::enter;
use crate::texts::{Shop, because};

/// Events of each seal of these tests.
const EVENTS: u128 = 5;

/// A book with so many seals over five events each, and what sealed it.
async fn book(seals: i64) -> (Ledger, SealKey) {
    let (ledger, key) = (Ledger::open().await, SealKey::generate());
    for _ in 0..seals {
        enter(&ledger, EVENTS).await;
        seal(&ledger, &key).await;
    }
    (ledger, key)
}

/// Seals all that is there, as the leading sealer does.
async fn seal(ledger: &Ledger, key: &SealKey) {
    let mut sealing = Sealing::begin(&ledger.pools.projector, key.clone()).await.unwrap();
    let end = ledger.tail.end().await.unwrap();
    while sealing.sealed() < end {
        sealing.seal(end, &|| Ok(())).await.unwrap();
    }
}

async fn verified(
    ledger: &Ledger,
    from: i64,
    keys: &[PublicKey],
    exported: Option<Exported>,
) -> Result<Report, VerifyError> {
    let wanted = Wanted {
        from,
        keys,
        exported,
        told: &|_, _| {},
    };
    verify(&ledger.pools.projector.connect_options(), wanted).await
}

async fn found(ledger: &Ledger, key: &SealKey) -> Option<Finding> {
    verified(ledger, 1, &[key.public()], None).await.unwrap().finding
}

/// Where a seal's events are found not to be what was sealed.
async fn place(ledger: &Ledger, key: &SealKey) -> Place {
    match found(ledger, key).await {
        Some(Finding::Event { place, .. }) => place,
        other => panic!("{other:?}"),
    }
}

/// Does this as the owner, with the triggers of the book switched off.
async fn tampers(pool: &PgPool, statements: &str) {
    let all = format!(
        "begin;
         alter table book.events disable trigger events_are_append_only;
         alter table book.seals disable trigger seals_are_append_only;
         {statements};
         alter table book.events enable trigger events_are_append_only;
         alter table book.seals enable trigger seals_are_append_only;
         commit"
    );
    sqlx::raw_sql(&all).execute(pool).await.unwrap();
}

async fn exported_lines(ledger: &Ledger) -> String {
    let mut lines = Vec::new();
    let options = ledger.pools.projector.connect_options();
    exported::export::<BookError>(&options, 1, |line| {
        lines.push(line);
        Ok(())
    })
    .await
    .unwrap();
    lines.join("\n")
}

fn lines(lines: &str) -> Option<Exported> {
    Some(Exported::new(Box::new(Cursor::new(lines.to_owned()))))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed() {
    let (ledger, key) = book(3).await;
    let pool = &ledger.pools.owner;
    assert_eq!(found(&ledger, &key).await, None);
    // Each stored column by itself, the smallest change that there is: a space more in JSON, a microsecond later.
    let changes = [
        ("event_id", "gen_random_uuid()"),
        ("tenant_id", "gen_random_uuid()"),
        ("aggregate_type", "aggregate_type || 'x'"),
        ("aggregate_id", "gen_random_uuid()::text"),
        ("sequence", "sequence + 1"),
        ("event_type", "lower(event_type)"),
        ("event_version", "event_version || 'x'"),
        ("payload", "(payload::text || ' ')::json"),
        (
            "metadata",
            "jsonb_set(metadata::jsonb, '{actor}', to_jsonb(gen_random_uuid()))::json",
        ),
        ("recorded_at", "recorded_at + interval '1 microsecond'"),
    ];
    let named: Vec<&str> = changes.iter().map(|(column, _)| *column).collect();
    assert_eq!(
        FORMATS.last().unwrap().columns[1..],
        named,
        "a stored column that is not tried"
    );
    for (position, (column, to)) in (3..).zip(changes) {
        let former = format!("create table former as select * from book.events where position = {position}");
        sqlx::raw_sql(&former).execute(pool).await.unwrap();
        let change = format!("update book.events set {column} = {to} where position = {position}");
        tampers(pool, &change).await;
        assert_eq!(place(&ledger, &key).await, Place::Changed { position }, "{column}");
        let back = format!(
            "update book.events e set {column} = f.{column} from former f where e.position = f.position; drop table former"
        );
        tampers(pool, &back).await;
        assert_eq!(found(&ledger, &key).await, None, "{column}, changed back");
    }
    // Of two, the first is named.
    let both = "update book.events set event_version = event_version || 'x' where position in (8, 14)";
    tampers(pool, both).await;
    assert_eq!(place(&ledger, &key).await, Place::Changed { position: 8 });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted() {
    let (ledger, key) = book(3).await;
    let pool = &ledger.pools.owner;
    tampers(pool, "delete from book.events where position in (7, 8)").await;
    assert_eq!(place(&ledger, &key).await, Place::Deleted { from: 7, to: 8 });
    // Those after it move up, so that there is no gap.
    let up = "update book.events set position = -position where position > 8;
              update book.events set position = -position - 2 where position < 0";
    tampers(pool, up).await;
    assert_eq!(place(&ledger, &key).await, Place::Deleted { from: 7, to: 8 });
    // What is not sealed yet has no gaps either.
    let (ledger, key) = book(1).await;
    enter(&ledger, 4).await;
    tampers(&ledger.pools.owner, "delete from book.events where position = 7").await;
    let unsealed = Finding::Unsealed { position: 7, found: 8 };
    assert_eq!(found(&ledger, &key).await, Some(unsealed));
    // Nor is it sealed, so that it would look right.
    let mut sealing = Sealing::begin(&ledger.pools.projector, key.clone()).await.unwrap();
    let refused = sealing.seal(9, &|| Ok(())).await.unwrap_err();
    assert!(
        refused.to_string().contains("position 8 comes where 7 should be"),
        "{refused}"
    );
}

const INSERT: &str = "insert into book.events
    select POSITION, gen_random_uuid(), tenant_id, aggregate_type, gen_random_uuid()::text, 1, event_type, event_version,
           payload, metadata, recorded_at from book.events where position = 2";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inserted() {
    let (ledger, key) = book(3).await;
    let pool = &ledger.pools.owner;
    // Before the first one, where there is room.
    tampers(pool, &INSERT.replace("POSITION", "0")).await;
    assert_eq!(place(&ledger, &key).await, Place::Inserted { position: 0 });
    tampers(pool, "delete from book.events where position = 0").await;
    // In the middle, and those after it make room.
    let shift = "update book.events set position = -position where position >= 9;
                 update book.events set position = 1 - position where position < 0";
    tampers(pool, &format!("{shift}; {}", INSERT.replace("POSITION", "9"))).await;
    assert_eq!(place(&ledger, &key).await, Place::Inserted { position: 9 });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reordered() {
    let (ledger, key) = book(3).await;
    let swap = "update book.events set position = -position where position in (7, 9);
                update book.events set position = 16 + position where position < 0";
    tampers(&ledger.pools.owner, swap).await;
    let swapped = Place::Reordered { position: 7, now_at: 9 };
    assert_eq!(place(&ledger, &key).await, swapped);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_off() {
    let (ledger, key) = book(3).await;
    let pool = &ledger.pools.owner;
    let before = exported_lines(&ledger).await;
    for end in [13, 10, 0] {
        tampers(pool, &format!("delete from book.events where position > {end}")).await;
        let cut = Finding::CutOff { end, sealed: 15 };
        assert_eq!(found(&ledger, &key).await, Some(cut));
        // Nor does anybody go on from there as if nothing was.
        let refused = Sealing::begin(&ledger.pools.projector, key.clone()).await.unwrap_err();
        assert!(refused.to_string().contains("was sealed up to 15"), "{refused}");
    }
    // With its seals, nothing in the database tells of it. What was exported does.
    let (ledger, key) = book(2).await;
    let both = "delete from book.events where position > 5; delete from book.seals where number > 1";
    let exported = exported_lines(&ledger).await;
    tampers(&ledger.pools.owner, both).await;
    assert_eq!(found(&ledger, &key).await, None);
    let report = verified(&ledger, 1, &[key.public()], lines(&exported)).await.unwrap();
    assert!(
        matches!(report.finding, Some(Finding::ExportedMissing { exported, sealed: 5 }) if exported.number == 2),
        "{report:?}"
    );
    // Of another book, signed by another key.
    let report = verified(&ledger, 1, &[key.public()], lines(&before)).await.unwrap();
    assert!(
        matches!(report.finding, Some(Finding::ExportedNotSigned { .. })),
        "{report:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rewritten_wholly() {
    let (ledger, key) = book(3).await;
    let pool = &ledger.pools.owner;
    let exported = exported_lines(&ledger).await;
    let report = verified(&ledger, 1, &[key.public()], lines(&exported)).await.unwrap();
    assert_eq!((report.finding, report.seals, report.verified), (None, 3, 15));
    // By somebody without the key, who makes all seals anew.
    let rewrite = "update book.events set metadata = (metadata::text || ' ')::json where position > 7;
                   delete from book.seals";
    tampers(pool, rewrite).await;
    let refused = verified(&ledger, 1, &[key.public()], None).await.unwrap_err();
    assert!(matches!(refused, VerifyError::NoSeals), "{refused}");
    let forger = SealKey::generate();
    seal(&ledger, &forger).await;
    let finding = found(&ledger, &key).await;
    assert!(
        matches!(&finding, Some(Finding::UnknownKey { seal, key }) if seal.number == 1 && *key == forger.public()),
        "{finding:?}"
    );
    // By somebody who has the sealer itself make them anew, with the right key: only what was exported tells.
    tampers(pool, "delete from book.seals").await;
    seal(&ledger, &key).await;
    assert_eq!(found(&ledger, &key).await, None);
    let report = verified(&ledger, 1, &[key.public()], lines(&exported)).await.unwrap();
    let told = report.finding.unwrap().to_string();
    assert!(
        told.contains("made anew: seal 1 (positions 1 to 15) is not the seal 1 (positions 1 to 5)"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn erasure_leaves_it_green() {
    let (ledger, key) = book(1).await;
    let user = Uuid::now_v7();
    let register = json!({"register": {"name": "Grace Hopper", "email": "grace@navy.example"}});
    ledger.does::<User>(user, command(register)).await;
    seal(&ledger, &key).await;
    ledger.does::<User>(user, command(json!({"erase": {}}))).await;
    let destroyed: bool = sqlx::query_scalar("select wrapped is null from book.keys where subject = $1")
        .bind(user)
        .fetch_one(&ledger.pools.owner)
        .await
        .unwrap();
    assert!(destroyed);
    seal(&ledger, &key).await;
    let report = verified(&ledger, 1, &[key.public()], None).await.unwrap();
    assert_eq!((report.finding, report.unsealed), (None, 0));
    assert_eq!(report.verified, ledger.tail.end().await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_struck_text_leaves_it_green() {
    let (shop, key) = (Shop::open().await, SealKey::generate());
    let seal = async || {
        let mut sealing = Sealing::begin(&shop.pool, key.clone()).await.unwrap();
        let end = sqlx::query_scalar("select book.last_position()");
        let end: i64 = end.fetch_one(&shop.pool).await.unwrap();
        while sealing.sealed() < end {
            sealing.seal(end, &|| Ok(())).await.unwrap();
        }
    };
    seal().await;
    let redact = "/v1/identity/redactions";
    let struck = because(&shop.service.admin, redact, "so", &json!(shop.text(1, "note"))).await;
    let struck = struck.position();
    seal().await;
    let wanted = Wanted {
        from: 1,
        keys: &[key.public()],
        exported: None,
        told: &|_, _| {},
    };
    let report = verify(&shop.pool.connect_options(), wanted).await.unwrap();
    assert_eq!(report.finding, None);
    assert!(report.verified >= struck, "{} of {struck}", report.verified);
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seal_that_was_changed_removed_or_made_anew_is_named() {
    let (ledger, key) = book(3).await;
    let pool = &ledger.pools.owner;
    let keeps = "create table kept as table book.seals";
    sqlx::raw_sql(keeps).execute(pool).await.unwrap();
    let put_back = "delete from book.seals; insert into book.seals table kept";
    // Nobody does it with the trigger on.
    let refused = sqlx::raw_sql("delete from book.seals").execute(pool).await.unwrap_err();
    assert!(refused.to_string().contains("append-only"), "{refused}");
    let as_projector = sqlx::raw_sql("insert into book.seals table book.seals")
        .execute(&ledger.pools.projector)
        .await;
    assert!(as_projector.unwrap_err().to_string().contains("permission denied"));

    let root = "update book.seals set root = sha256('x') where number = 2";
    let leaf = "update book.seals set leaves = set_byte(leaves, 39, (get_byte(leaves, 39) + 1) % 256) where number = 2;
                update book.events set event_version = event_version || 'x' where position = 7";
    let leaf_back = "update book.events set event_version = rtrim(event_version, 'x') where position = 7";
    type Named = fn(&Finding) -> bool;
    let cases: [(&str, &str, Named); 6] = [
        ("delete from book.seals where number = 1", "", |it| {
            *it == Finding::SealMissing { number: 1 }
        }),
        ("delete from book.seals where number = 2", "", |it| {
            *it == Finding::SealMissing { number: 2 }
        }),
        (
            root,
            "",
            |it| matches!(it, Finding::SealChanged(seal) if seal.number == 2),
        ),
        (
            "update book.seals set sealed_at = now() where number = 3",
            "",
            |it| matches!(it, Finding::SealChanged(seal) if seal.number == 3),
        ),
        (
            "update book.seals set signature = sha256('x') || sha256('y') where number = 2",
            "",
            |it| matches!(it, Finding::NotSigned { seal, .. } if seal.number == 2),
        ),
        (
            leaf,
            leaf_back,
            |it| matches!(it, Finding::Events(seal) if seal.number == 2),
        ),
    ];
    for (change, back, is_named) in cases {
        tampers(pool, change).await;
        let finding = found(&ledger, &key).await;
        assert!(finding.as_ref().is_some_and(is_named), "{change}: {finding:?}");
        tampers(pool, &format!("{put_back}; {back}")).await;
        assert_eq!(found(&ledger, &key).await, None, "{change}, changed back");
    }
    // A sealer does not go on from what does not hold.
    tampers(pool, "update book.seals set sealed_at = now() where number = 3").await;
    let refused = Sealing::begin(&ledger.pools.projector, key).await.unwrap_err();
    assert!(refused.to_string().contains("seal 3 does not hold"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_book_that_was_restored_and_goes_on_otherwise_verifies_and_is_told_from_what_was_exported() {
    let (ledger, key) = book(3).await;
    let pool = &ledger.pools.owner;
    let exported = exported_lines(&ledger).await;
    // As a restore of a backup from after the second seal does.
    tampers(
        pool,
        "delete from book.events where position > 12; delete from book.seals where number > 2;
         update book.incarnation set id = gen_random_uuid()",
    )
    .await;
    enter(&ledger, 5).await;
    seal(&ledger, &key).await;
    let report = verified(&ledger, 1, &[key.public()], None).await.unwrap();
    assert_eq!((report.finding, report.verified), (None, 17));
    assert_eq!(
        report.histories.iter().map(|(_, number)| *number).collect::<Vec<_>>(),
        [1, 3]
    );
    let report = verified(&ledger, 1, &[key.public()], lines(&exported)).await.unwrap();
    assert!(
        matches!(report.finding, Some(Finding::Rewritten { seal, restored: true, .. }) if seal.number == 3),
        "{report:?}"
    );
    // What both have in common is as it was.
    let common: Vec<&str> = exported.lines().take(2).collect();
    let report = verified(&ledger, 1, &[key.public()], lines(&common.join("\n")))
        .await
        .unwrap();
    assert_eq!(report.finding, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verification_begins_at_a_seal_and_believes_the_one_before_it() {
    let (ledger, key) = book(4).await;
    let keys = [key.public()];
    tampers(
        &ledger.pools.owner,
        "update book.events set event_version = event_version || 'x' where position = 3",
    )
    .await;
    for (from, begins, seals) in [(5, 1, 0), (6, 6, 3), (13, 11, 2), (20, 16, 1)] {
        let report = verified(&ledger, from, &keys, None).await.unwrap();
        assert_eq!(report.finding.is_some(), seals == 0, "{report:?}");
        assert_eq!((report.from, report.seals), (begins, seals), "{report:?}");
    }
    let refused = verified(&ledger, 21, &keys, None).await.unwrap_err();
    assert!(
        matches!(refused, VerifyError::BeyondSeals { sealed: 20, .. }),
        "{refused}"
    );
    let other = [SealKey::generate().public()];
    let report = verified(&ledger, 13, &other, None).await.unwrap();
    assert!(
        matches!(report.finding, Some(Finding::UnknownKey { seal, .. }) if seal.number == 2),
        "{report:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_goes_on_where_the_former_one_ended_and_both_are_believed() {
    let (ledger, former) = book(2).await;
    let key = SealKey::generate();
    enter(&ledger, 5).await;
    seal(&ledger, &key).await;
    let report = verified(&ledger, 1, &[key.public(), former.public()], None)
        .await
        .unwrap();
    assert_eq!(
        (report.finding, report.keys),
        (None, vec![(former.public(), 1), (key.public(), 3)])
    );
    let finding = found(&ledger, &key).await;
    assert!(
        matches!(finding, Some(Finding::UnknownKey { seal, .. }) if seal.number == 1),
        "{finding:?}"
    );
    let finding = found(&ledger, &former).await;
    assert!(
        matches!(finding, Some(Finding::UnknownKey { seal, .. }) if seal.number == 3),
        "{finding:?}"
    );
}
