//! A way to a server that can be frozen, so that it seems to hang, or cut, so that it seems gone.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Open,
    /// Connections stay, and nothing comes through.
    Frozen,
    /// Every connection ends, and every new one at once.
    Cut,
}

#[derive(Debug)]
pub struct Proxy {
    pub port: u16,
    way: watch::Sender<Way>,
}

impl Proxy {
    /// An open way to the server at this address.
    pub async fn to(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (way, state) = watch::channel(Way::Open);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *state.borrow() == Way::Cut {
                    continue;
                }
                let (target, state) = (target.clone(), state.clone());
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(target).await else {
                        return;
                    };
                    let ((from_client, to_client), (from_server, to_server)) =
                        (client.into_split(), server.into_split());
                    tokio::join!(
                        pump(from_client, to_server, state.clone()),
                        pump(from_server, to_client, state)
                    );
                });
            }
        });
        Self { port, way }
    }

    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<Way>) {
    let mut bytes = vec![0; 64 * 1024];
    let mut cut = state.clone();
    loop {
        let read = tokio::select! {
            read = from.read(&mut bytes) => read,
            () = wait(&mut cut, |way| way == Way::Cut) => return,
        };
        let Ok(count @ 1..) = read else { return };
        wait(&mut state, |way| way != Way::Frozen).await;
        if *state.borrow() == Way::Cut || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

async fn wait(state: &mut watch::Receiver<Way>, is_it: fn(Way) -> bool) {
    // Without a sender the test is over.
    let _ = state.wait_for(|way| is_it(*way)).await;
}
