//! The way that faults are put on, before the servers that it stands before.

use std::time::Duration;

use book::bus::BusConfig;
use book::{Bus, Pools};
use tests::proxy::{Proxy, Silence, Way, Which};
use tests::{Database, until};

const WAIT: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_of_nats_knows_no_other_way_than_the_one_it_was_given() {
    let (proxy, url) = Proxy::to_url(&tests::setting("NATS_URL")).await;
    let bus = Bus::connect(BusConfig::new(&url, "unused", "unused")).await.unwrap();
    let connected = async || bus.is_connected().then_some(());
    until("a connection", WAIT, connected).await;
    assert_eq!(proxy.speaking(), 1);
    proxy.set(Way::Cut);
    let tried = proxy.tried();
    // Each time it would try all addresses that NATS has told it.
    until("three more attempts", WAIT, async || {
        (proxy.tried() >= tried + 3).then_some(())
    })
    .await;
    assert!(!bus.is_connected());
    proxy.set(Way::Open);
    until("a connection over the same way", WAIT, connected).await;
    assert_eq!(proxy.speaking(), 1);
    assert_eq!(
        proxy.half_open(Which::greeted("\"name\":\"daybook\""), Silence::Both),
        1
    );
    let other = tests::nats(&url).await.unwrap();
    other.flush().await.unwrap();
    assert_eq!((proxy.silent(), proxy.speaking()), (1, 1), "a new connection works");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_of_one_role_fall_silent_and_those_of_others_go_on() {
    let database = Database::create().await;
    let target = format!("{}:{}", database.options.get_host(), database.options.get_port());
    let proxy = Proxy::to(target).await;
    let pools = Pools::new(&database.options.clone().host("127.0.0.1").port(proxy.port));
    let (writer, reader) = tokio::join!(pools.writer.acquire(), pools.reader.acquire());
    let (mut writer, mut reader) = (writer.unwrap(), reader.unwrap());
    assert_eq!(proxy.half_open(Which::greeted("role=daybook_writer"), Silence::Both), 1);
    sqlx::query("select 1").execute(&mut *reader).await.unwrap();
    let asking = tokio::time::timeout(
        Duration::from_millis(500),
        sqlx::query("select 1").execute(&mut *writer),
    );
    assert!(asking.await.is_err(), "no answer and no end");
    sqlx::query("select 1").execute(&pools.owner).await.unwrap();
}
