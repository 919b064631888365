//! Secrets of tenants: sealed for one place under the tenant's own keys, rotated, erased, and nowhere in clear.

use std::time::Duration;

use book::append::{Append, Outcome};
use book::{MasterKey, Vault, rotation};
use cloudwatcher::part::Part;
use domain::Erase;
use domain::register::{Command, Register};
use domain::setting::{self, SECRET_BYTES_MAX, SealedSetting};
use serde_json::json;
use settings::{SettingError, Settings};
use tests::Ledger;
use tests::ledger::MASTER_KEY;
use uuid::Uuid;

use crate::texts::rows_with;

const TOKEN: &str = "xoxb-a-token-of-a-bot";
const PLACE: &str = "dod.configuration/1/token";

/// As another process has them: nothing is shared but the database.
pub fn settings(ledger: &Ledger) -> Settings {
    let master = MasterKey::from_hex(MASTER_KEY).unwrap();
    Settings::new(Vault::new(ledger.pools.writer.clone(), master))
}

/// Destroys keys as the append of an event does that says so.
pub async fn erase(ledger: &Ledger, tenant: Uuid, erased: Vec<Erase>) {
    let append = Append {
        command_id: Uuid::now_v7(),
        tenant,
        body_hash: [0; 32],
        answer: "[]".to_owned(),
        seen: Vec::new(),
        events: Vec::new(),
        claims: Vec::new(),
        keys: Vec::new(),
        erased,
        standing: None,
    };
    let mut connection = ledger.pools.writer.acquire().await.unwrap();
    let outcomes = book::append::append(&mut connection, &[append]).await.unwrap();
    assert!(matches!(outcomes[..], [Outcome::Appended(_)]), "{outcomes:?}");
}

/// Deletes a tenant, its keys included.
pub async fn delete(ledger: &Ledger, tenant: Uuid) -> i64 {
    sqlx::query("insert into book.tenants values ($1, 'deleted', clock_timestamp())")
        .bind(tenant)
        .execute(&ledger.pools.owner)
        .await
        .unwrap();
    ledger.book.destroy_keys(tenant).await.unwrap()
}

#[tokio::test]
async fn a_secret_opens_for_its_tenant_and_in_its_place_alone() {
    let ledger = Ledger::open().await;
    let (settings, tenant, other) = (settings(&ledger), ledger.tenant, Uuid::new_v4());
    let sealed = settings.seal(tenant, PLACE, TOKEN).await.unwrap();
    assert!(setting::is_sealed(&sealed) && !sealed.contains(TOKEN), "{sealed}");
    assert_eq!(settings.open(tenant, PLACE, &sealed).await.unwrap().expose(), TOKEN);

    for place in ["dod.configuration/2/token", "dod.configuration/1/toke", ""] {
        let elsewhere = settings.open(tenant, place, &sealed).await;
        assert!(matches!(elsewhere, Err(SettingError::OtherPlace)), "{elsewhere:?}");
    }
    // Whether the other tenant has a key of its own or none.
    for _ in 0..2 {
        let foreign = settings.open(other, PLACE, &sealed).await;
        assert!(matches!(foreign, Err(SettingError::Gone)), "{foreign:?}");
        settings.seal(other, PLACE, TOKEN).await.unwrap();
    }
    // Nor does it open as the other's once it names the other's key, or a fingerprint that is not its own.
    let parsed = SealedSetting::parse(&sealed).unwrap();
    let theirs = settings.keys(other).await.unwrap()[0].id;
    let forged = [
        (other, SealedSetting { key: theirs, ..parsed }),
        (
            tenant,
            SealedSetting {
                fingerprint: "00000000",
                ..parsed
            },
        ),
    ];
    for (tenant, forged) in forged {
        let opened = settings.open(tenant, PLACE, &forged.to_string()).await;
        assert!(matches!(opened, Err(SettingError::OtherPlace)), "{opened:?}");
    }
    let plain = settings.open(tenant, PLACE, TOKEN).await;
    assert!(matches!(plain, Err(SettingError::NotSealed)), "{plain:?}");
    let longest = "x".repeat(SECRET_BYTES_MAX);
    let sealed = settings.seal(tenant, PLACE, &longest).await.unwrap();
    assert!(setting::is_sealed(&sealed));
    assert_eq!(settings.open(tenant, PLACE, &sealed).await.unwrap().expose(), longest);
}

#[tokio::test]
async fn the_same_secret_in_the_same_place_is_the_same_text_whichever_process_seals_it() {
    let ledger = Ledger::open().await;
    let tenant = ledger.tenant;
    // The tenant's first secret, by many at once: one key is made of it.
    let mut sealing = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let settings = settings(&ledger);
        sealing.spawn(async move { settings.seal(tenant, PLACE, TOKEN).await.unwrap() });
    }
    let mut sealed = sealing.join_all().await;
    sealed.dedup();
    assert_eq!(sealed.len(), 1, "{sealed:?}");
    let settings = settings(&ledger);
    assert_eq!(settings.keys(tenant).await.unwrap().len(), 1);

    let mut body = json!({"name": "alerts", "slack": {"token": TOKEN, "app": null}});
    assert!(
        settings
            .seal_at(tenant, PLACE, &mut body, "/slack/token")
            .await
            .unwrap()
    );
    assert!(!settings.seal_at(tenant, PLACE, &mut body, "/slack/app").await.unwrap());
    assert!(!settings.seal_at(tenant, PLACE, &mut body, "/lark/token").await.unwrap());
    assert_eq!(
        body,
        json!({"name": "alerts", "slack": {"token": sealed[0], "app": null}})
    );
    // What is sealed already is no secret, nor is what is no text.
    for pointer in ["/slack/token", "/slack"] {
        let before = body.clone();
        settings.seal_at(tenant, PLACE, &mut body, pointer).await.unwrap_err();
        assert_eq!(body, before);
    }
    // By the fingerprint one secret is told from another, and from the same in another place.
    let elsewhere = settings.seal(tenant, "dod.configuration/2/token", TOKEN).await.unwrap();
    let other = settings.seal(tenant, PLACE, "another").await.unwrap();
    let shown = [&sealed[0], &elsewhere, &other].map(|sealed| setting::shown(sealed).unwrap());
    assert!(shown[0] != shown[1] && shown[0] != shown[2], "{shown:?}");
}

#[tokio::test]
async fn secrets_move_to_a_new_key_and_the_former_one_is_destroyed_by_an_event() {
    let ledger = Ledger::open().await;
    let (here, there, tenant) = (settings(&ledger), settings(&ledger), ledger.tenant);
    let former = here.seal(tenant, PLACE, TOKEN).await.unwrap();
    assert_eq!(here.reseal(tenant, PLACE, &former).await.unwrap(), None);

    let request = Uuid::now_v7();
    let key = here.rotate(tenant, request).await.unwrap();
    assert_eq!(there.rotate(tenant, request).await.unwrap(), key, "sent again");
    let keys: Vec<Uuid> = here.keys(tenant).await.unwrap().iter().map(|key| key.id).collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[1], key, "the latest is the last");
    assert_eq!(SealedSetting::parse(&former).unwrap().key, keys[0]);

    // Another process seals by the new one at once, and the former one still opens.
    let moved = there.reseal(tenant, PLACE, &former).await.unwrap().unwrap();
    assert_eq!(SealedSetting::parse(&moved).unwrap().key, key);
    assert_eq!(moved, here.seal(tenant, PLACE, TOKEN).await.unwrap());
    assert_eq!(here.open(tenant, PLACE, &former).await.unwrap().expose(), TOKEN);

    erase(&ledger, tenant, vec![Erase::Key(keys[0])]).await;
    for settings in [&here, &there] {
        let gone = settings.open(tenant, PLACE, &former).await;
        assert!(matches!(gone, Err(SettingError::Gone)), "{gone:?}");
        assert_eq!(settings.open(tenant, PLACE, &moved).await.unwrap().expose(), TOKEN);
    }
    // With the last one gone, the next secret has a key of its own.
    erase(&ledger, tenant, vec![Erase::Key(key)]).await;
    let anew = here.seal(tenant, PLACE, TOKEN).await.unwrap();
    assert_eq!(there.open(tenant, PLACE, &anew).await.unwrap().expose(), TOKEN);
    let again = here.rotate(tenant, request).await;
    assert!(matches!(again, Err(SettingError::NoKey)), "{again:?}");
}

#[tokio::test]
async fn all_secrets_of_a_tenant_are_erased_at_once() {
    let ledger = Ledger::open().await;
    let (settings, tenant, other) = (settings(&ledger), ledger.tenant, Uuid::new_v4());
    let first = settings.seal(tenant, PLACE, TOKEN).await.unwrap();
    settings.rotate(tenant, Uuid::now_v7()).await.unwrap();
    let second = settings.seal(tenant, PLACE, TOKEN).await.unwrap();
    let theirs = settings.seal(other, PLACE, TOKEN).await.unwrap();
    // Another tenant's event does nothing to them.
    let owner = Erase::Person(setting::keys_owner(tenant));
    erase(&ledger, other, vec![owner]).await;
    settings.open(tenant, PLACE, &first).await.unwrap();
    erase(&ledger, tenant, vec![owner]).await;
    for sealed in [&first, &second] {
        let gone = settings.open(tenant, PLACE, sealed).await;
        assert!(matches!(gone, Err(SettingError::Gone)), "{gone:?}");
    }
    let refused = settings.seal(tenant, PLACE, TOKEN).await;
    assert!(matches!(refused, Err(SettingError::NoKey)), "{refused:?}");
    settings.open(other, PLACE, &theirs).await.unwrap();
}

#[tokio::test]
async fn secrets_of_a_deleted_tenant_do_not_open_and_none_is_sealed_any_more() {
    let ledger = Ledger::open().await;
    let (settings, tenant, other) = (settings(&ledger), ledger.tenant, Uuid::new_v4());
    let sealed = settings.seal(tenant, PLACE, TOKEN).await.unwrap();
    let theirs = settings.seal(other, PLACE, TOKEN).await.unwrap();
    settings.rotate(tenant, Uuid::now_v7()).await.unwrap();
    // Two keys, and that of their owner.
    assert_eq!(delete(&ledger, tenant).await, 3);
    let gone = settings.open(tenant, PLACE, &sealed).await;
    assert!(matches!(gone, Err(SettingError::Gone)), "{gone:?}");
    for _ in 0..2 {
        let refused = settings.seal(tenant, PLACE, TOKEN).await;
        assert!(matches!(refused, Err(SettingError::NoKey)), "{refused:?}");
        let refused = settings.rotate(tenant, Uuid::now_v7()).await;
        assert!(matches!(refused, Err(SettingError::NoKey)), "{refused:?}");
    }
    let left = "select count(*) from book.keys where tenant_id = $1 and wrapped is not null";
    let left: i64 = sqlx::query_scalar(left)
        .bind(tenant)
        .fetch_one(&ledger.pools.owner)
        .await
        .unwrap();
    assert_eq!(left, 0);
    // One that never had a secret has no key made either.
    let never = Uuid::new_v4();
    assert_eq!(delete(&ledger, never).await, 0);
    settings.seal(never, PLACE, TOKEN).await.unwrap_err();
    assert_eq!(ledger.book.destroy_keys(never).await.unwrap(), 0);
    assert_eq!(settings.open(other, PLACE, &theirs).await.unwrap().expose(), TOKEN);
}

#[tokio::test]
async fn secrets_open_while_and_after_all_keys_are_wrapped_anew_under_another_master_key() {
    let ledger = Ledger::open().await;
    let (running, tenant) = (settings(&ledger), ledger.tenant);
    let sealed = running.seal(tenant, PLACE, TOKEN).await.unwrap();
    let [master, next] = [MASTER_KEY, &"f00d".repeat(16)].map(|digits| MasterKey::from_hex(digits).unwrap());
    // A process that works follows, since it reads what has wrapped a key while the bridge to it stands.
    let working = async {
        loop {
            assert_eq!(running.open(tenant, PLACE, &sealed).await.unwrap().expose(), TOKEN);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let rotated = tokio::select! {
        rotated = rotation::rotate(&ledger.pools.owner, &master, &next) => rotated.unwrap(),
        () = working => unreachable!("it works on"),
    };
    // The key, and that of its owner.
    assert_eq!(rotated.keys, 2);
    let started = Settings::new(Vault::new(ledger.pools.writer.clone(), next));
    for settings in [&running, &started] {
        assert_eq!(settings.open(tenant, PLACE, &sealed).await.unwrap().expose(), TOKEN);
        assert_eq!(settings.seal(tenant, PLACE, TOKEN).await.unwrap(), sealed);
        // A key that is made now is wrapped by the new one.
        settings.rotate(tenant, Uuid::now_v7()).await.unwrap();
        let moved = settings.reseal(tenant, PLACE, &sealed).await.unwrap().unwrap();
        assert_eq!(running.open(tenant, PLACE, &moved).await.unwrap().expose(), TOKEN);
        assert_eq!(started.open(tenant, PLACE, &moved).await.unwrap().expose(), TOKEN);
        let rotated: Vec<Uuid> = settings.keys(tenant).await.unwrap().iter().map(|key| key.id).collect();
        erase(&ledger, tenant, vec![Erase::Key(rotated[1])]).await;
    }
    let former = "select count(*) from book.keys where wrapped is not null
                  and substring(wrapped from 1 for 4) <> '\\x00000002'::bytea";
    let former: i64 = sqlx::query_scalar(former).fetch_one(&ledger.pools.owner).await.unwrap();
    assert_eq!(former, 0);
}

#[tokio::test]
async fn no_table_of_the_database_has_a_secret_in_clear() {
    let ledger = Ledger::open().await;
    let (settings, pool) = (settings(&ledger), &ledger.pools.owner);
    let secret = "correct-horse-battery-staple";
    let sealed = settings.seal(ledger.tenant, PLACE, secret).await.unwrap();
    // As any field of a command: into an event, its answer and its row.
    let part = json!({"enter": {"part_code": "P-1", "name": "a bolt", "description": sealed}});
    let part: Command<Part> = serde_json::from_value(part).unwrap();
    ledger.does::<Register<Part>>(Uuid::now_v7(), part).await;
    let context = &cloudwatcher_tables::CONTEXT;
    projections::rebuild::rebuild(&ledger.pools, &ledger.tail, context, true, &|_| {})
        .await
        .unwrap();
    // The search finds what is there.
    let holding = rows_with(pool, &sealed).await;
    for table in ["book.events", "cloudwatcher.parts"] {
        assert!(holding.iter().any(|holds| holds == table), "{holding:?}");
    }
    let in_hex = hex::encode(secret);
    for word in [secret, &secret[8..20], &in_hex, &in_hex[16..40]] {
        assert_eq!(rows_with(pool, word).await, [""; 0], "{word}");
    }
    // What stands in the tables opens as it was, in another process, too.
    let stored: String = sqlx::query_scalar("select description from cloudwatcher.parts")
        .fetch_one(pool)
        .await
        .unwrap();
    let opened = self::settings(&ledger).open(ledger.tenant, PLACE, &stored).await;
    assert_eq!(opened.unwrap().expose(), secret);
}

#[tokio::test]
async fn keys_of_settings_that_are_destroyed_cost_no_tables_kept_for_going_back() {
    let ledger = Ledger::open().await;
    let (settings, tenant) = (settings(&ledger), ledger.tenant);
    settings.seal(tenant, PLACE, TOKEN).await.unwrap();
    settings.rotate(tenant, Uuid::now_v7()).await.unwrap();
    for _ in 0..2 {
        for context in tests::tables() {
            projections::rebuild::rebuild(&ledger.pools, &ledger.tail, context, true, &|_| {})
                .await
                .unwrap();
        }
    }
    let retired = "select count(*) from book.generations where state = 'retired'";
    let retired = async || -> i64 {
        let counting = sqlx::query_scalar(retired).fetch_one(&ledger.pools.owner);
        counting.await.unwrap()
    };
    let before = retired().await;
    assert!(before > 0);
    let former = settings.keys(tenant).await.unwrap()[0].id;
    erase(&ledger, tenant, vec![Erase::Key(former)]).await;
    let erasures = projections::erasures::Erasures {
        contexts: tests::tables(),
        pools: ledger.pools.clone(),
        tail: ledger.tail.clone(),
    };
    let sweep = || async {
        let swept = erasures.sweep().await.unwrap();
        (swept == projections::erasures::Swept::All).then_some(())
    };
    tests::until("the sweep", Duration::from_secs(30), sweep).await;
    assert_eq!(retired().await, before);
}
