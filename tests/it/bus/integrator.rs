//! What an integrator's account can do, with the configuration that development and compose have.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::{self, consumer};
use book::Bus;
use book::bus::BusConfig;
use futures::StreamExt as _;
use tests::process::Servers;
use tests::{Database, Ledger, until};
use uuid::Uuid;

use super::WAIT;
use crate::relay::enter;

/// The tenant whose integrator `nats.conf` knows.
const DEMO_TENANT: Uuid = Uuid::from_u128(0x0da7_b00c_0000_4000_8000_0000_0000_0002);
/// How long something is waited for that must not come.
const NOTHING: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_integrator_reads_its_tenants_events_and_can_do_nothing_else() {
    let Some(servers) = Servers::start() else {
        tests::skipped("private servers cannot be started on this machine");
        return;
    };
    let database = Database::create_on(&servers.database_url).await;
    let mut ledger = Ledger::over(database, &servers.nats_url).await;
    let mut config = BusConfig::new(&servers.nats_url, "DAYBOOK", "daybook");
    config.stream_bytes_max = tests::ledger::STREAM_BYTES_MAX;
    ledger.bus = Bus::connect(config).await.unwrap();
    let relay = ledger.relay();
    // Another tenant's, the integrator's, and another's again.
    enter(&ledger, 3).await;
    let stranger = std::mem::replace(&mut ledger.tenant, DEMO_TENANT);
    enter(&ledger, 4).await;
    ledger.tenant = stranger;
    enter(&ledger, 3).await;
    let operator = jetstream::new(tests::nats(&servers.nats_url).await.unwrap());
    let whole = async || {
        let stream = operator.get_stream("DAYBOOK").await.ok()?;
        let info = stream.cached_info();
        let is_whole = info.config.metadata.contains_key("daybook-incarnation");
        (is_whole && info.state.last_sequence == 10).then_some(stream)
    };
    let (stream, _) = until("a whole stream", WAIT, whole).await;
    let consumer = pull::Config {
        durable_name: Some("demo".to_owned()),
        filter_subject: format!("daybook.{DEMO_TENANT}.>"),
        ack_policy: AckPolicy::Explicit,
        ..Default::default()
    };
    stream.create_consumer(consumer).await.unwrap();

    let client = tests::nats(&servers.nats_demo_url).await.unwrap();
    let api = jetstream::with_prefix(client.clone(), "DAYBOOK.API");
    let consumer: PullConsumer = api.get_consumer_from_stream("demo", "DAYBOOK").await.unwrap();
    let mut messages = consumer.fetch().max_messages(100).messages().await.unwrap();
    let mut positions = Vec::new();
    while let Some(message) = messages.next().await {
        let message = message.unwrap();
        let headers = message.headers.as_ref().unwrap();
        assert_eq!(headers.get("ce-tenant").unwrap().as_str(), DEMO_TENANT.to_string());
        positions.push(message.info().unwrap().stream_sequence);
        message.ack().await.unwrap();
    }
    assert_eq!(positions, [4, 5, 6, 7]);
    let acknowledged = async || {
        let consumer: PullConsumer = stream.get_consumer("demo").await.ok()?;
        let info = consumer.cached_info();
        // Beyond its own, too: what comes after them is not for it.
        (info.ack_floor.stream_sequence >= 7 && info.num_ack_pending == 0).then_some(())
    };
    until("the operator's seeing what is acknowledged", WAIT, acknowledged).await;

    // Neither another tenant's events as they come, nor anything else of Daybook's account.
    let mut heard = client.subscribe("daybook.>").await.unwrap();
    let mut all = client.subscribe(">").await.unwrap();
    client
        .publish(format!("daybook.{DEMO_TENANT}.a.b.Forged"), "{}".into())
        .await
        .unwrap();
    client.publish("wake.DAYBOOK", "".into()).await.unwrap();
    client.flush().await.unwrap();
    let forging = jetstream::new(client.clone());
    let forged = forging
        .publish(format!("daybook.{DEMO_TENANT}.a.b.Forged"), "{}".into())
        .await;
    let forged = match forged {
        Ok(acknowledgement) => tokio::time::timeout(Duration::from_secs(10), acknowledgement.into_future()).await,
        Err(_) => Ok(Err(jetstream::context::PublishErrorKind::Other.into())),
    };
    assert!(!matches!(forged, Ok(Ok(_))), "an integrator published");
    for context in [&api, &forging] {
        assert!(context.get_stream("DAYBOOK").await.is_err());
        assert!(context.delete_stream("DAYBOOK").await.is_err());
        let other = consumer::pull::Config {
            durable_name: Some("other".to_owned()),
            ..Default::default()
        };
        assert!(context.create_consumer_on_stream(other, "DAYBOOK").await.is_err());
    }
    enter(&ledger, 2).await;
    let grown = async || {
        let stream = operator.get_stream("DAYBOOK").await.ok()?;
        (stream.cached_info().state.last_sequence == 12).then_some(())
    };
    until("the bus's following", WAIT, grown).await;
    let of_others = async |subscription: &mut async_nats::Subscriber| {
        while let Ok(Some(message)) = tokio::time::timeout(NOTHING, subscription.next()).await {
            let subject = message.subject.to_string();
            let is_own = subject.starts_with(&format!("daybook.{DEMO_TENANT}.")) || !subject.starts_with("daybook.");
            assert!(is_own && !subject.starts_with("wake."), "{subject}");
        }
    };
    of_others(&mut heard).await;
    ledger.stop.cancel();
    relay.await.unwrap();
    drop(all.unsubscribe().await);
}
