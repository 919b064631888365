//! A way to a server that can be made late, frozen, so that it seems to hang, cut, so that it seems gone, or
//! half-open: then a connection falls silent for ever, and nobody is told.
//!
//! It knows nothing of what is said over it, so it stands before Postgres and NATS alike.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// What is read at once, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks of one direction that are on their way.
const CHUNKS_MAX: usize = 64;
/// What is remembered of the first that a client says, in bytes: who it is and what it wants is said there.
const GREETING_BYTES: usize = 4 * 1024;

/// How connections fare, those that are silent excepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Open,
    /// Connections stay, and nothing comes through until the way is open again.
    Frozen,
    /// Every connection ends, and every new one at once.
    Cut,
}

/// What is lost of a half-open connection, for ever: neither bytes nor an end come through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// What the client says.
    ToServer,
    /// What the server says.
    ToClient,
    Both,
}

/// Which connections fall silent; all others, and all new ones, go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// Those that are there.
    Present,
    /// Those that are there and whose client said this among its first words: Postgres is told role and
    /// settings there (`role=daybook_writer`), NATS a name.
    Greeted(Vec<u8>),
    /// The next one to be opened, from its first byte on.
    Next,
    /// The next one over which either side says this, from that very chunk on.
    Saying(Vec<u8>),
    /// The same, but once that chunk has come.
    HavingSaid(Vec<u8>),
}

impl Which {
    /// Those that are there and whose client said `words` among its first.
    #[must_use]
    pub fn greeted(words: &str) -> Self {
        Self::Greeted(words.into())
    }

    /// The next one over which either side says `words`.
    #[must_use]
    pub fn saying(words: &str) -> Self {
        Self::Saying(words.into())
    }

    /// The next one over which either side has said `words`, and was heard.
    #[must_use]
    pub fn having_said(words: &str) -> Self {
        Self::HavingSaid(words.into())
    }
}

/// A way to one server. When it is dropped, every connection over it ends.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    way: watch::Sender<Way>,
    known: Arc<Known>,
}

/// What the proxy and its connections share.
#[derive(Debug, Default)]
struct Known {
    delay_us: AtomicU64,
    tried: AtomicUsize,
    silent: AtomicUsize,
    connections: Mutex<Vec<Arc<Connection>>>,
    orders: Mutex<Orders>,
}

/// Silence for connections that are not there yet, or have not said it yet.
#[derive(Debug, Default)]
struct Orders {
    next: VecDeque<Silence>,
    saying: Vec<Order>,
}

#[derive(Debug)]
struct Order {
    words: Vec<u8>,
    silence: Silence,
    /// Once the chunk with the words has come, rather than before.
    after: bool,
}

/// What was read at once.
#[derive(Debug)]
struct Chunk {
    due: Instant,
    bytes: Vec<u8>,
    /// What falls silent once it has come.
    then: Option<Silence>,
}

#[derive(Debug)]
struct Connection {
    greeting: Mutex<Vec<u8>>,
    silenced: AtomicBool,
    to_server: watch::Sender<bool>,
    to_client: watch::Sender<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    ToServer,
    ToClient,
}

impl Proxy {
    /// An open way to the server at this address.
    pub async fn to(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (way, state) = watch::channel(Way::Open);
        let known = Arc::new(Known::default());
        tokio::spawn(accept(listener, target, state, known.clone()));
        Self { port, way, known }
    }

    /// An open way to the server that this URL names, and the URL of the way.
    pub async fn to_url(url: &str) -> (Self, String) {
        let mut url = reqwest::Url::parse(url).expect("an address");
        let (host, port) = (url.host_str().expect("a host"), url.port().expect("a port"));
        let proxy = Self::to(format!("{host}:{port}")).await;
        url.set_host(Some("127.0.0.1")).expect("a URL with a host");
        url.set_port(Some(proxy.port)).expect("a URL with a port");
        (proxy, url.to_string())
    }

    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }

    /// From now on each chunk comes this much later, in both directions, in the order in which it was sent.
    pub fn delay(&self, delay: Duration) {
        let delay_us = u64::try_from(delay.as_micros()).expect("a delay that ends");
        self.known.delay_us.store(delay_us, Ordering::Relaxed);
    }

    /// Lets connections fall silent for ever. Says how many did so at once: what will be opened or said later
    /// shows in [`Proxy::silent`].
    pub fn half_open(&self, which: Which, silence: Silence) -> usize {
        let said = |words, after| {
            let order = Order { words, silence, after };
            locked(&self.known.orders).saying.push(order);
        };
        let greeting = match which {
            Which::Present => Vec::new(),
            Which::Greeted(words) => words,
            Which::Next => {
                locked(&self.known.orders).next.push_back(silence);
                return 0;
            }
            Which::Saying(words) => {
                said(words, false);
                return 0;
            }
            Which::HavingSaid(words) => {
                said(words, true);
                return 0;
            }
        };
        let connections = locked(&self.known.connections).clone();
        let greeted = connections
            .iter()
            .filter(|connection| contains(&locked(&connection.greeting), &greeting));
        greeted
            .map(|connection| self.known.silence(connection, silence))
            .count()
    }

    /// Connections that have been asked for, since the proxy is there; in vain while the way is cut.
    #[must_use]
    pub fn tried(&self) -> usize {
        self.known.tried.load(Ordering::Relaxed)
    }

    /// Connections that are there and have not fallen silent.
    #[must_use]
    pub fn speaking(&self) -> usize {
        let speaks = |connection: &&Arc<Connection>| !connection.silenced.load(Ordering::Relaxed);
        locked(&self.known.connections).iter().filter(speaks).count()
    }

    /// Connections that have fallen silent, since the proxy is there.
    #[must_use]
    pub fn silent(&self) -> usize {
        self.known.silent.load(Ordering::Relaxed)
    }
}

impl Known {
    fn delay(&self) -> Duration {
        Duration::from_micros(self.delay_us.load(Ordering::Relaxed))
    }

    fn silence(&self, connection: &Connection, silence: Silence) {
        if silence != Silence::ToClient {
            connection.to_server.send_replace(true);
        }
        if silence != Silence::ToServer {
            connection.to_client.send_replace(true);
        }
        if !connection.silenced.swap(true, Ordering::Relaxed) {
            self.silent.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A chunk has come; `recent` is it, after the last of what came before. Says what falls silent after it.
    fn heard(&self, connection: &Connection, direction: Direction, recent: &[u8], chunk: &[u8]) -> Option<Silence> {
        if direction == Direction::ToServer {
            let mut greeting = locked(&connection.greeting);
            let room = GREETING_BYTES.saturating_sub(greeting.len());
            greeting.extend_from_slice(&chunk[..chunk.len().min(room)]);
        }
        let mut orders = locked(&self.orders);
        let said = orders.saying.iter().position(|order| contains(recent, &order.words))?;
        let order = orders.saying.remove(said);
        if order.after {
            return Some(order.silence);
        }
        self.silence(connection, order.silence);
        None
    }

    /// How much of what came must be kept, to find words that two chunks share.
    fn longest_words(&self) -> usize {
        let orders = locked(&self.orders);
        orders.saying.iter().map(|order| order.words.len()).max().unwrap_or(0)
    }
}

impl Connection {
    fn is_silent(&self, direction: Direction) -> watch::Receiver<bool> {
        match direction {
            Direction::ToServer => self.to_server.subscribe(),
            Direction::ToClient => self.to_client.subscribe(),
        }
    }
}

async fn accept(listener: TcpListener, target: String, mut way: watch::Receiver<Way>, known: Arc<Known>) {
    loop {
        let client = tokio::select! {
            accepted = listener.accept() => accepted,
            () = ended(way.clone()) => return,
        };
        let Ok((client, _)) = client else { return };
        known.tried.fetch_add(1, Ordering::Relaxed);
        if *way.borrow_and_update() == Way::Cut {
            continue;
        }
        let connection = Arc::new(Connection {
            greeting: Mutex::default(),
            silenced: AtomicBool::new(false),
            to_server: watch::Sender::new(false),
            to_client: watch::Sender::new(false),
        });
        locked(&known.connections).push(connection.clone());
        if let Some(silence) = locked(&known.orders).next.pop_front() {
            known.silence(&connection, silence);
        }
        let (target, way, known) = (target.clone(), way.clone(), known.clone());
        tokio::spawn(async move {
            if let Ok(server) = TcpStream::connect(target).await {
                connect(client, server, &connection, &way, &known).await;
            }
            locked(&known.connections).retain(|other| !Arc::ptr_eq(other, &connection));
        });
    }
}

async fn connect(
    client: TcpStream,
    server: TcpStream,
    connection: &Connection,
    way: &watch::Receiver<Way>,
    known: &Known,
) {
    // What one side writes at once, the other shall not get later than it would without us.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    tokio::join!(
        pump(from_client, to_server, Direction::ToServer, connection, way, known),
        pump(from_server, to_client, Direction::ToClient, connection, way, known),
    );
}

/// Carries one direction to its end. Both halves are held until then: whoever drops one tells the other side.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    direction: Direction,
    connection: &Connection,
    way: &watch::Receiver<Way>,
    known: &Known,
) {
    let (chunks, due) = mpsc::channel(CHUNKS_MAX);
    let silent = connection.is_silent(direction);
    let reading = async {
        read(&mut from, chunks, direction, connection, known).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        () = falls_silent(silent) => ended(way.clone()).await,
        () = cut(way.clone()) => {}
        // Once nothing is left to read, what is on its way comes still.
        () = write(&mut to, due, connection, way.clone(), known) => {}
        () = reading => {}
    }
}

/// Reads until the end, and says of each chunk when it is due.
async fn read(
    from: &mut OwnedReadHalf,
    chunks: mpsc::Sender<Chunk>,
    direction: Direction,
    connection: &Connection,
    known: &Known,
) {
    let silent = connection.is_silent(direction);
    let (mut bytes, mut recent) = (vec![0; CHUNK_BYTES], Vec::new());
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let chunk = &bytes[..count];
        recent.extend_from_slice(chunk);
        let then = known.heard(connection, direction, &recent, chunk);
        recent.drain(..recent.len().saturating_sub(known.longest_words()));
        if *silent.borrow() {
            // The words that it falls silent at are lost themselves.
            std::future::pending::<()>().await;
        }
        let chunk = Chunk {
            due: Instant::now() + known.delay(),
            bytes: chunk.to_vec(),
            then,
        };
        if chunks.send(chunk).await.is_err() {
            return;
        }
    }
}

async fn write(
    to: &mut OwnedWriteHalf,
    mut chunks: mpsc::Receiver<Chunk>,
    connection: &Connection,
    mut way: watch::Receiver<Way>,
    known: &Known,
) {
    while let Some(chunk) = chunks.recv().await {
        tokio::time::sleep_until(chunk.due).await;
        // Without a sender the test is over.
        let _ = way.wait_for(|way| *way != Way::Frozen).await;
        if to.write_all(&chunk.bytes).await.is_err() {
            return;
        }
        if let Some(silence) = chunk.then {
            known.silence(connection, silence);
        }
    }
}

async fn falls_silent(mut silent: watch::Receiver<bool>) {
    let _ = silent.wait_for(|silent| *silent).await;
}

async fn cut(mut way: watch::Receiver<Way>) {
    let _ = way.wait_for(|way| *way == Way::Cut).await;
}

async fn ended(mut way: watch::Receiver<Way>) {
    while way.changed().await.is_ok() {}
}

fn contains(bytes: &[u8], words: &[u8]) -> bool {
    words.is_empty() || bytes.windows(words.len()).any(|window| window == words)
}

/// A test that panics elsewhere must not hide behind a poisoned lock.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
