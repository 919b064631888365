//! A NATS that lets in everybody is not used, unless somebody says so.

use std::time::Duration;

use book::Bus;
use book::bus::BusConfig;
use tests::until;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use super::WAIT;

/// A server that asks nobody who they are, as far as a client sees of it; where it listens.
async fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let greeting = "INFO {\"server_id\":\"open\",\"version\":\"2.10.0\",\"proto\":1,\"host\":\"127.0.0.1\",\
                                \"port\":4222,\"headers\":true,\"max_payload\":1048576,\"jetstream\":true}\r\n";
                stream.write_all(greeting.as_bytes()).await.unwrap();
                let (reading, mut writing) = stream.split();
                let mut lines = BufReader::new(reading).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    if line.starts_with("PING") {
                        writing.write_all(b"PONG\r\n").await.unwrap();
                    }
                }
            });
        }
    });
    address.to_string()
}

async fn connected(url: &str, open: bool) -> Result<Bus, book::BookError> {
    let mut config = BusConfig::new(url, "unused", "unused");
    config.open = open;
    Bus::connect(config).await
}

#[tokio::test]
async fn a_nats_that_lets_in_everybody_is_refused_unless_that_is_allowed() {
    let address = server().await;
    let refused = connected(&format!("nats://{address}"), false).await.unwrap_err();
    assert!(refused.to_string().contains("DAYBOOK_NATS_OPEN=1"), "{refused}");
    // The user in the address proves nothing where nobody asks for one.
    let bus = connected(&format!("nats://daybook:secret@{address}"), false)
        .await
        .unwrap();
    until("a look at the server", WAIT, async || {
        bus.lets_in_anybody().then_some(())
    })
    .await;
    assert!(!bus.is_connected());
    for url in [format!("nats://{address}"), format!("nats://daybook:secret@{address}")] {
        let bus = connected(&url, true).await.unwrap();
        until("a connection", WAIT, async || bus.is_connected().then_some(())).await;
        assert!(!bus.lets_in_anybody());
    }
    // That of the tests asks.
    let bus = connected(&tests::setting("NATS_URL"), false).await.unwrap();
    until("a connection", Duration::from_secs(30), async || {
        bus.is_connected().then_some(())
    })
    .await;
}
