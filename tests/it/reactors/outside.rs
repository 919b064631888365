//! The other side: a server that takes calls over TCP, keeps what came when, and answers as a test wants.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

/// A call as it came in.
#[derive(Debug, Clone)]
pub struct Call {
    pub at: Instant,
    pub id: Uuid,
    pub tenant: Uuid,
    pub attempt: u32,
    pub lane: String,
    pub target: String,
    pub n: usize,
}

/// What it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    Done,
    Fails,
    After(Duration),
    Dead,
    /// The caller panics at this answer.
    Panic,
    /// None, ever.
    Hangs,
}

/// Answers a call, of which so many with the same id came before.
type Answers = Arc<dyn Fn(&Call, usize) -> Reply + Send + Sync>;

pub struct Outside {
    pub address: SocketAddr,
    seen: Arc<Seen>,
}

struct Seen {
    calls: Mutex<Vec<Call>>,
    answers: Mutex<Answers>,
    /// Calls under way, by tenant and lane.
    lanes: Mutex<HashMap<(Uuid, String), usize>>,
    /// How often two were under way in one lane.
    overlaps: AtomicUsize,
}

impl Outside {
    pub async fn answering(answers: impl Fn(&Call, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen {
            calls: Mutex::default(),
            answers: Mutex::new(Arc::new(answers)),
            lanes: Mutex::default(),
            overlaps: AtomicUsize::new(0),
        });
        let serving = seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let seen = serving.clone();
                tokio::spawn(async move { seen.takes(stream).await });
            }
        });
        Self { address, seen }
    }

    pub fn answers(&self, answers: impl Fn(&Call, usize) -> Reply + Send + Sync + 'static) {
        *self.seen.answers.lock().unwrap() = Arc::new(answers);
    }

    pub fn calls(&self) -> Vec<Call> {
        self.seen.calls.lock().unwrap().clone()
    }

    pub fn overlaps(&self) -> usize {
        self.seen.overlaps.load(Ordering::Relaxed)
    }
}

impl Seen {
    async fn takes(&self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        let call = read(&line);
        let reply = {
            let mut calls = self.calls.lock().unwrap();
            let before = calls.iter().filter(|earlier| earlier.id == call.id).count();
            calls.push(call.clone());
            (self.answers.lock().unwrap())(&call, before)
        };
        let lane = (call.tenant, call.lane.clone());
        {
            let mut lanes = self.lanes.lock().unwrap();
            let under_way = lanes.entry(lane.clone()).or_insert(0);
            *under_way += 1;
            self.overlaps.fetch_add(usize::from(*under_way > 1), Ordering::Relaxed);
        }
        let words = match reply {
            Reply::Done => "done\n".to_owned(),
            Reply::Fails => "fails\n".to_owned(),
            Reply::After(after) => format!("after {}\n", after.as_millis()),
            Reply::Dead => "dead\n".to_owned(),
            Reply::Panic => "panic\n".to_owned(),
            Reply::Hangs => String::new(),
        };
        // Time for another call to come that should not, and for who calls to leave.
        let mut rest = String::new();
        if reply == Reply::Hangs {
            let _ = stream.read_line(&mut rest).await;
        } else {
            tokio::task::yield_now().await;
        }
        if let Some(under_way) = self.lanes.lock().unwrap().get_mut(&lane) {
            *under_way -= 1;
        }
        let _ = stream.write_all(words.as_bytes()).await;
    }
}

/// `id tenant attempt lane:target:n`.
fn read(line: &str) -> Call {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [id, tenant, attempt, key] = words[..] else {
        panic!("a call {line:?}");
    };
    let key: Vec<&str> = key.split(':').collect();
    Call {
        at: Instant::now(),
        id: id.parse().unwrap(),
        tenant: tenant.parse().unwrap(),
        attempt: attempt.parse().unwrap(),
        lane: key[0].to_owned(),
        target: key[1].to_owned(),
        n: key[2].parse().unwrap(),
    }
}

/// Makes the call, and says what was answered.
pub async fn call(address: SocketAddr, line: &str) -> std::io::Result<String> {
    let mut stream = BufReader::new(TcpStream::connect(address).await?);
    stream.write_all(format!("{line}\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_line(&mut answer).await?;
    Ok(answer.trim_end().to_owned())
}
