//! Daybook as processes that can be killed, and servers of a test's own that can be, too.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::ledger::MASTER_KEY;
use crate::service::{AUDIENCE, ISSUER, SECRET};

/// A running `daybook serve`; killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    pub url: String,
}

impl Process {
    /// Starts the program with these roles and waits until it answers.
    pub async fn start(database_url: &str, nats_url: &str, stream: &str, roles: &str) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a port")
            .port();
        let child = Command::new(crate::setting("DAYBOOK_BIN"))
            .args(["serve", "--roles", roles])
            .envs([
                ("DATABASE_URL", database_url),
                ("NATS_URL", nats_url),
                ("DAYBOOK_LISTEN", &format!("127.0.0.1:{port}")),
                ("DAYBOOK_MASTER_KEY", MASTER_KEY),
                ("DAYBOOK_JWT_SECRET", SECRET),
                ("DAYBOOK_JWT_ISSUER", ISSUER),
                ("DAYBOOK_JWT_AUDIENCE", AUDIENCE),
                ("DAYBOOK_NATS_STREAM", stream),
                ("DAYBOOK_NATS_PREFIX", stream),
                (
                    "DAYBOOK_NATS_STREAM_BYTES",
                    &crate::ledger::STREAM_BYTES_MAX.to_string(),
                ),
                ("DAYBOOK_RATE_PER_SECOND", "1000000"),
                ("RUST_LOG", "warn"),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let mut process = Self {
            child,
            url: format!("http://127.0.0.1:{port}"),
        };
        process.answers().await;
        process
    }

    async fn answers(&mut self) {
        let started = Instant::now();
        let client = crate::service::http();
        while client.get(format!("{}/health/live", self.url)).send().await.is_err() {
            assert!(
                self.child.try_wait().expect("its state").is_none(),
                "the program ended before it answered"
            );
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "the program does not answer"
            );
            tokio::task::yield_now().await;
        }
    }

    /// What the process says of itself, ready or not.
    pub async fn health(&self) -> serde_json::Value {
        let answer = crate::service::http()
            .get(format!("{}/health/ready", self.url))
            .send()
            .await
            .expect("the process answers");
        answer.json().await.expect("health is JSON")
    }

    /// Whether its worker of this name leads.
    pub async fn leads(&self, worker: &str) -> bool {
        self.health().await["workers"][worker]["leading"] == true
    }

    /// kill -9: nothing is flushed, said or closed.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The processor time that the process has used so far, in seconds.
    pub fn cpu_seconds(&self) -> f64 {
        /// Linux counts it in hundredths of a second, for whoever reads it here.
        const TICKS_PER_SECOND: f64 = 100.0;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        // The name before it may hold anything; user and system time are the 14th and 15th field.
        let fields = stat.rsplit(") ").next().unwrap_or_default().split_whitespace();
        let ticks: f64 = fields
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse::<f64>().ok())
            .sum();
        ticks / TICKS_PER_SECOND
    }

    /// The highest resident memory so far, in bytes.
    pub fn peak_memory_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .unwrap_or_default();
        line.split_whitespace()
            .next()
            .and_then(|kib| kib.parse::<u64>().ok())
            .unwrap_or_default()
            * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// A pair of Postgres and NATS that only this test uses.
#[derive(Debug)]
pub struct Servers {
    folder: PathBuf,
    pub database_url: String,
    pub nats_url: String,
}

impl Servers {
    /// `None` where private servers cannot be started, as the script says by status 3.
    pub fn start() -> Option<Self> {
        let folder = std::env::temp_dir().join(format!("daybook-{}", Uuid::new_v4().simple()));
        let mut servers = Self {
            folder,
            database_url: String::new(),
            nats_url: String::new(),
        };
        let printed = servers.run(&["start"], &[])?;
        let exported = |name: &str| {
            let line = printed
                .lines()
                .find_map(|line| line.strip_prefix(&format!("export {name}=")));
            line.expect("the script prints its exports")
                .trim_matches('\'')
                .to_owned()
        };
        (servers.database_url, servers.nats_url) = (exported("DATABASE_URL"), exported("NATS_URL"));
        Some(servers)
    }

    /// Ends one of them like a crash would: `postgres` or `nats`.
    pub fn kill(&self, server: &str) {
        self.run(&["kill"], &["--only", server]).expect("the server is killed");
    }

    /// Starts what does not run, on the ports of before.
    pub fn restart(&self) {
        self.run(&["start"], &[]).expect("the servers start again");
    }

    /// Deletes what NATS stored, while it is not running.
    pub fn wipe_nats(&self) {
        let found = Command::new("find")
            .arg(&self.folder)
            .args(["-type", "d", "-name", "jetstream"])
            .output()
            .expect("find runs");
        let folders: Vec<&str> = std::str::from_utf8(&found.stdout).expect("paths").lines().collect();
        assert!(
            !folders.is_empty(),
            "NATS stores somewhere below {}",
            self.folder.display()
        );
        for folder in folders {
            let _ = std::fs::remove_dir_all(folder);
        }
    }

    fn run(&self, before: &[&str], after: &[&str]) -> Option<String> {
        let output = Command::new(crate::setting("DAYBOOK_DEV"))
            .arg("servers")
            .args(before)
            .arg(&self.folder)
            .args(after)
            .stdin(Stdio::null())
            .output()
            .expect("the script runs");
        if output.status.code() == Some(3) {
            return None;
        }
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        let _ = self.run(&["remove"], &[]);
    }
}
