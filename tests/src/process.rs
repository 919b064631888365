//! Daybook as processes that can be killed, and servers of a test's own that can be, too.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use uuid::Uuid;

use crate::ledger::MASTER_KEY;
use crate::service::{AUDIENCE, ISSUER, SECRET};

/// How long a program may take until it answers: it may rebuild tables before.
const START_MAX: Duration = Duration::from_secs(60);
/// Between two looks at whether it does.
const LOOK: Duration = Duration::from_millis(20);
/// How long a program may take to end once it is asked to.
const END_MAX: Duration = Duration::from_secs(60);
/// In which the kernel counts the time of a processor: Linux tells all programs so, whatever its own clock is.
const TICKS_PER_SECOND: u64 = 100;
/// What is shown of a process's standard error when a test fails, in bytes from its end.
const LOG_SHOWN_BYTES_MAX: usize = 8 * 1024;

/// A running `daybook serve`; killed when dropped. What it logs is kept beside it, and its end is shown when
/// the test fails.
#[derive(Debug)]
pub struct Process {
    child: Child,
    pub url: String,
    /// What its sessions on Postgres are called there.
    pub application: String,
    log: PathBuf,
}

impl Process {
    /// Starts the program with these roles and waits until it answers.
    pub async fn start(database_url: &str, nats_url: &str, stream: &str, roles: &str) -> Self {
        Self::start_with(database_url, nats_url, stream, roles, &[]).await
    }

    /// As [`Process::start`], with more in its environment; what is named there goes before what tests set.
    pub async fn start_with(
        database_url: &str,
        nats_url: &str,
        stream: &str,
        roles: &str,
        environment: &[(&str, &str)],
    ) -> Self {
        let program = Command::new(crate::setting("DAYBOOK_BIN"));
        Self::start_by(program, database_url, nats_url, stream, roles, environment).await
    }

    /// As [`Process::start_with`], by another command than the program itself, which becomes the program.
    pub async fn start_by(
        mut command: Command,
        database_url: &str,
        nats_url: &str,
        stream: &str,
        roles: &str,
        environment: &[(&str, &str)],
    ) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a port")
            .port();
        let (application, database_url) = named(database_url);
        let log = std::env::temp_dir().join(format!("{application}.log"));
        let stderr = std::fs::File::create(&log).expect("a file for its log");
        let child = command
            .args(["serve", "--roles", roles])
            .envs([
                ("DATABASE_URL", database_url.as_str()),
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
                // One login for all roles.
                ("DAYBOOK_UNSAFE_SETTINGS", "1"),
                ("RUST_LOG", "warn"),
            ])
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .expect("the program starts");
        let mut process = Self {
            child,
            url: format!("http://127.0.0.1:{port}"),
            application,
            log,
        };
        process.answers().await;
        process
    }

    async fn answers(&mut self) {
        let client = crate::service::http();
        let live = format!("{}/health/live", self.url);
        let (child, log) = (&mut self.child, &self.log);
        let mut looks = tokio::time::interval(LOOK);
        let answering = async {
            while client.get(&live).send().await.is_err() {
                assert!(
                    child.try_wait().expect("its state").is_none(),
                    "the program ended before it answered: {}",
                    std::fs::read_to_string(log).unwrap_or_default()
                );
                looks.tick().await;
            }
        };
        tokio::time::timeout(START_MAX, answering)
            .await
            .expect("the program answers");
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

    /// Its number, which Linux knows it by.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// kill -9: nothing is flushed, said or closed.
    pub fn kill(mut self) {
        self.end();
    }

    /// SIGSTOP: it stands still, and its connections stay.
    pub fn stop(&self) {
        signal("STOP", self.child.id());
    }

    /// SIGCONT: it goes on where it stood.
    pub fn go_on(&self) {
        signal("CONT", self.child.id());
    }

    /// SIGTERM, and what it ends with.
    pub async fn terminate(mut self) -> std::process::ExitStatus {
        signal("TERM", self.child.id());
        let child = &mut self.child;
        let look = || std::future::ready(child.try_wait().expect("its state"));
        crate::until("the end of the program", END_MAX, look).await.0
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Processor time that it has used, in all its threads.
    pub fn processor_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        // After the name, which may contain anything: utime and stime are the fields 14 and 15, in ticks.
        let after_name = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
        let ticks = after_name.split_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND)
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The processor time that the process has used so far, in seconds.
    pub fn cpu_seconds(&self) -> f64 {
        cpu_seconds(&self.child.id().to_string())
    }

    /// The highest resident memory so far, in bytes.
    pub fn peak_memory_bytes(&self) -> u64 {
        self.memory("VmHWM:")
    }

    /// The resident memory of this moment, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        self.memory("VmRSS:")
    }

    fn memory(&self, which: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(which))
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
        if std::thread::panicking() {
            let log = self.log();
            let mut from = log.len().saturating_sub(LOG_SHOWN_BYTES_MAX);
            while !log.is_char_boundary(from) {
                from += 1;
            }
            eprintln!(
                "what {} at {} logged last:\n{}",
                self.application,
                self.url,
                &log[from..]
            );
        }
        let _ = std::fs::remove_file(&self.log);
    }
}

/// The processor time that a process has used so far, in seconds: by its number, or `self`.
pub fn cpu_seconds(process: &str) -> f64 {
    /// Linux counts it in hundredths of a second, for whoever reads it here.
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name before it may hold anything; user and system time are the 14th and 15th field.
    let fields = stat.rsplit(") ").next().unwrap_or_default().split_whitespace();
    let ticks: f64 = fields
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    ticks / TICKS_PER_SECOND
}

/// A name for the sessions of one process, and an address that gives it to them.
pub fn named(database_url: &str) -> (String, String) {
    let application = format!("daybook-{}", Uuid::new_v4().simple());
    let mut url = reqwest::Url::parse(database_url).expect("an address");
    url.query_pairs_mut().append_pair("application_name", &application);
    (application, url.to_string())
}

/// By the program of that name: the standard library sends SIGKILL alone.
fn signal(name: &str, pid: u32) {
    let sent = Command::new("kill")
        .args([format!("-{name}"), pid.to_string()])
        .status();
    assert!(sent.is_ok_and(|status| status.success()), "a signal {name} for {pid}");
}

/// A pair of Postgres and NATS that only this test uses.
#[derive(Debug)]
pub struct Servers {
    folder: PathBuf,
    pub database_url: String,
    pub nats_url: String,
    /// As the integrator of the demo tenant.
    pub nats_demo_url: String,
}

impl Servers {
    /// `None` where private servers cannot be started, as the script says by status 3.
    pub fn start() -> Option<Self> {
        let folder = std::env::temp_dir().join(format!("daybook-{}", Uuid::new_v4().simple()));
        let mut servers = Self {
            folder,
            database_url: String::new(),
            nats_url: String::new(),
            nats_demo_url: String::new(),
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
        servers.nats_demo_url = exported("NATS_DEMO_URL");
        Some(servers)
    }

    /// Ends one of them like a crash would: `postgres` or `nats`.
    pub fn kill(&self, server: &str) {
        self.run(&["kill"], &["--only", server]).expect("the server is killed");
    }

    /// Ends one of them in order: it writes all that it has to.
    pub fn stop(&self, server: &str) {
        self.run(&["stop"], &["--only", server]).expect("the server stops");
    }

    /// Starts what does not run, on the ports of before.
    pub fn restart(&self) {
        self.run(&["start"], &[]).expect("the servers start again");
    }

    /// Deletes what NATS stored, while it is not running.
    pub fn wipe_nats(&self) {
        self.delete("jetstream");
    }

    /// Deletes the messages of its streams and nothing else, while NATS is not running.
    pub fn lose_messages(&self) {
        self.delete("msgs");
    }

    /// The files that say a word: logs, and what NATS stores. What Postgres stores is asked of itself.
    pub fn files_with(&self, word: &str) -> Vec<PathBuf> {
        let logs = ["postgres.log", "nats.log"].map(|log| self.folder.join(log));
        let stored = self.folder.join("root/data");
        let places = logs.into_iter().chain([stored]).filter(|place| place.exists());
        let found = Command::new("grep")
            .args([
                "--recursive",
                "--files-with-matches",
                "--text",
                "--fixed-strings",
                "--ignore-case",
            ])
            .args(["--exclude-dir=postgres", "-e", word])
            .args(places)
            .output()
            .expect("grep runs");
        // 1 says that there are none.
        assert!(
            found.status.code().is_some_and(|code| code < 2),
            "{}",
            String::from_utf8_lossy(&found.stderr)
        );
        let names = String::from_utf8_lossy(&found.stdout);
        names.lines().map(PathBuf::from).collect()
    }

    /// Deletes the folders of this name, of which there must be one.
    fn delete(&self, name: &str) {
        let found = Command::new("find")
            .arg(&self.folder)
            .args(["-type", "d", "-name", name])
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
