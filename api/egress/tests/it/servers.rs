//! Servers that follow a script, names that answer by one, and a way out that may reach both.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use egress::{Allowed, Call, Egress, LookUp, Method, Names, Settings, Texts};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use uuid::Uuid;

pub const TENANT: Uuid = Uuid::from_u128(1);
pub const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A server at an address of this machine, and the requests that it read.
pub struct Server {
    pub address: SocketAddr,
    pub requests: Arc<Mutex<Vec<String>>>,
    _accepts: JoinSet<()>,
}

impl Server {
    /// Reads a request of each connection and hands the connection over.
    pub async fn start<F>(then: impl Fn(TcpStream) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        Self::at("127.0.0.1:0", then).await
    }

    pub async fn at<F>(address: &str, then: impl Fn(TcpStream) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let mut accepts = JoinSet::new();
        let (read, then) = (Arc::clone(&requests), Arc::new(then));
        accepts.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (read, then) = (Arc::clone(&read), Arc::clone(&then));
                tokio::spawn(async move {
                    let request = request(&mut stream).await;
                    read.lock().unwrap().push(request);
                    // Whoever hangs up has what it wanted.
                    drop(then(stream).await);
                });
            }
        });
        Self {
            address,
            requests,
            _accepts: accepts,
        }
    }

    pub async fn saying(answer: &'static [u8]) -> Self {
        Self::start(move |mut stream| async move { stream.write_all(answer).await }).await
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// The whole request, as far as its content length says.
pub async fn request(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return text;
            }
        }
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return text;
        }
    }
}

/// Names with scripted answers: each look-up takes the next, and the last stays.
#[derive(Default)]
pub struct Script {
    answers: Mutex<HashMap<String, VecDeque<Vec<IpAddr>>>>,
    pub asked: Mutex<Vec<String>>,
}

impl Script {
    pub fn new(lines: &[(&str, &[&str])]) -> Arc<Self> {
        let script = Arc::new(Self::default());
        for (name, answers) in lines {
            script.say(name, answers);
        }
        script
    }

    /// The answers of a name, each with spaces between addresses.
    pub fn say(&self, name: &str, answers: &[&str]) {
        let parsed = answers
            .iter()
            .map(|answer| answer.split_whitespace().map(|text| text.parse().unwrap()).collect());
        self.answers.lock().unwrap().insert(name.to_owned(), parsed.collect());
    }
}

impl Names for Script {
    fn look_up<'a>(&'a self, name: &'a str) -> LookUp<'a> {
        Box::pin(async move {
            self.asked.lock().unwrap().push(name.to_owned());
            let mut all = self.answers.lock().unwrap();
            let its = all.get_mut(name).filter(|its| !its.is_empty());
            let its = its.ok_or_else(|| io::Error::other("no such name"))?;
            Ok(match its.len() {
                1 => its[0].clone(),
                _ => its.pop_front().unwrap(),
            })
        })
    }
}

/// Settings under which the servers of this machine may be called without TLS, at these ports.
pub fn open(ports: &[u16]) -> Settings {
    let ports = ports.iter().map(u16::to_string).collect::<Vec<_>>().join(",");
    Settings::from_texts(&Texts {
        private_networks: "127.0.0.0/8",
        plain_http: "127.0.0.0/8",
        ports: &ports,
        ..Texts::default()
    })
    .unwrap()
}

pub fn way_out(server: &Server) -> Egress {
    Egress::new(open(&[server.address.port()])).unwrap()
}

pub fn allowed(url: &str) -> Allowed {
    let host = egress::Target::of_url(url).unwrap().host;
    Allowed::new([host.to_string()]).unwrap()
}

pub fn get(url: impl Into<String>) -> Call {
    Call {
        method: Method::Get,
        url: url.into(),
        headers: Vec::new(),
        body: Vec::new(),
        seconds_max: 10,
        answer_bytes_max: 64 * 1024,
    }
}
