//! Settings, from the environment or the command line.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `DATABASE_URL` | Postgres, as the database's owner: for `migrate` and `bi`, and for other commands by hand | |
//! | `DAYBOOK_WRITER_URL` | Postgres, with the login that appends to the book | `DATABASE_URL` |
//! | `DAYBOOK_PROJECTOR_URL` | with the login that owns the read tables | `DATABASE_URL` |
//! | `DAYBOOK_READER_URL` | with the login that reads them | `DATABASE_URL` |
//! | `NATS_URL` | NATS server, with the user that may write on the bus | |
//! | `DAYBOOK_LISTEN` | address to serve on; port 0 takes a free one | `127.0.0.1:8080` |
//! | `DAYBOOK_LISTEN_HEALTH` | address of a listener for health and metrics alone; metrics are served there only, then | |
//! | `DAYBOOK_PROXIES` | addresses and networks of proxies whose `X-Forwarded-For` is believed, with commas between | |
//! | `DAYBOOK_MASTER_KEY` | 64 hex digits; wraps the keys of persons | |
//! | `DAYBOOK_MASTER_KEY_NEXT` | the one that takes its place, while `daybook keys rotate` is under way | |
//! | `DAYBOOK_JWT_SECRET` | secret of HS256 tokens, at least 32 bytes; or | |
//! | `DAYBOOK_JWKS_URL` | where the public keys of tokens are (RS256, ES256, EdDSA) | |
//! | `DAYBOOK_JWKS_HTTP` | `1` lets that address begin with `http`; for tests | |
//! | `DAYBOOK_JWKS_REFRESH_SECONDS` | how often they are fetched: a key removed there works no longer than this | `300` |
//! | `DAYBOOK_JWT_ISSUER` | the `iss` that tokens must have | |
//! | `DAYBOOK_JWT_AUDIENCE` | the `aud` that tokens must have | |
//! | `DAYBOOK_NATS_STREAM` | JetStream stream | `DAYBOOK` |
//! | `DAYBOOK_NATS_PREFIX` | first word of every subject | `daybook` |
//! | `DAYBOOK_NATS_STREAM_BYTES` | what the stream may hold, at least 16 MiB; NATS reserves it when the stream is made, and the relay changes it | 1 GiB |
//! | `DAYBOOK_NATS_OPEN` | `1` uses a NATS that lets in everybody: whoever reaches it can disturb the bus | |
//! | `DAYBOOK_RATE_PER_SECOND` | requests a second of one user; twice as many at once | `2000` |
//! | `DAYBOOK_ARCHIVE` | folder for archives of what left the tables; all processes with the role `reactor` share it | `archive` |
//! | `DAYBOOK_OBJECTS` | where large content lies: an absolute folder that all processes share, or `s3://bucket/prefix` | `objects` within the archive |
//! | `DAYBOOK_STORED_BYTES` | bytes of what comes in from outside that one tenant may keep as it came | 16 GiB |
//! | `DAYBOOK_EGRESS_PRIVATE_NETWORKS` | private networks that tenants' calls may reach, with commas between | |
//! | `DAYBOOK_EGRESS_PORTS` | ports that may be called besides 443 | |
//! | `DAYBOOK_EGRESS_PLAIN_HTTP` | hosts, `*.names` and networks that may be called without TLS | |
//! | `DAYBOOK_EGRESS_CA_FILE` | certificates, in PEM, of authorities that are believed besides the system's | |
//! | `DAYBOOK_EGRESS_CALLS`, `DAYBOOK_EGRESS_CALLS_OF_TENANT` | calls under way at once, of a process and of one tenant | 128, 8 |
//! | `DAYBOOK_SEAL_KEY` | 64 hex digits, which `daybook seal key` makes; signs seals, and without it there are none | |
//! | `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` | who asks the bucket of `DAYBOOK_OBJECTS`, and by what; `AWS_REGION` and the like as everywhere | the machine's role |
//! | `DAYBOOK_LOG_FORMAT` | `text` or `json` | `text` |
//! | `DAYBOOK_TENANT` | tenant of `demo`, `roles` and `token` | see [`DEMO_TENANT`] |
//! | `DAYBOOK_UNSAFE_SETTINGS` | `1` starts on a Postgres that may lose what it acknowledged, and with one login for all; for tests | |
//! | `RUST_LOG` | what is logged, as for tracing's `EnvFilter` | `info` |
//!
//! What is secret (the addresses of Postgres, `NATS_URL`, `DAYBOOK_MASTER_KEY`, `DAYBOOK_JWT_SECRET`, `DAYBOOK_SEAL_KEY`, the bucket's) is never an argument, for
//! everybody on a machine can read those of all processes. It stands in the environment, or in a file that the variable with
//! `_FILE` behind its name gives the path of: `DAYBOOK_MASTER_KEY_FILE=/run/secrets/master_key`.

pub mod secrets;

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::str::FromStr as _;

use book::MasterKey;
use book::bus::{BusConfig, STREAM_BYTES_MAX, STREAM_BYTES_MIN};
use book::logins::{Logins, PROJECTOR, READER, WRITER};
use book::seals::SealKey;
use clap::{Args, ValueEnum};
use http::bounds::STORED_BYTES_MAX;
use sqlx::postgres::PgConnectOptions;
use uuid::Uuid;

use crate::Fault;
use crate::forwarded::Network;
use secrets::Secret;

/// The tenant of `demo`, `roles` and `token` when none is named.
pub const DEMO_TENANT: Uuid = Uuid::from_u128(0x0da7_b00c_0000_4000_8000_0000_0000_0002);

/// All settings. A command asks for those that it needs, so that `migrate` wants no token secret.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Postgres, as the database's owner
    #[arg(skip)]
    pub database_url: Option<Secret>,
    /// The same, with the login that appends to the book
    #[arg(skip)]
    pub writer_url: Option<Secret>,
    /// With the login that owns the read tables
    #[arg(skip)]
    pub projector_url: Option<Secret>,
    /// With the login that reads them
    #[arg(skip)]
    pub reader_url: Option<Secret>,
    /// NATS server
    #[arg(skip)]
    pub nats_url: Option<Secret>,
    /// Address to serve on; port 0 takes a free one
    #[arg(long, env = "DAYBOOK_LISTEN", default_value = "127.0.0.1:8080", global = true)]
    pub listen: SocketAddr,
    /// Address to serve health and metrics on, apart from the rest
    #[arg(long, env = "DAYBOOK_LISTEN_HEALTH", global = true)]
    pub listen_health: Option<SocketAddr>,
    /// Proxies whose X-Forwarded-For is believed: addresses and networks
    #[arg(long, env = "DAYBOOK_PROXIES", value_delimiter = ',', global = true)]
    pub proxies: Vec<Network>,
    /// 64 hexadecimal digits that wrap the keys of persons
    #[arg(skip)]
    pub master_key: Option<Secret>,
    /// The master key that takes the other's place; for `daybook keys rotate`
    #[arg(skip)]
    pub master_key_next: Option<Secret>,
    /// Secret of HS256 tokens, at least 32 bytes
    #[arg(skip)]
    pub jwt_secret: Option<Secret>,
    /// Where the public keys of tokens are; instead of a secret
    #[arg(long, env = "DAYBOOK_JWKS_URL", global = true)]
    pub jwks_url: Option<String>,
    /// Let the address of the public keys begin with http; for tests
    #[arg(long, env = "DAYBOOK_JWKS_HTTP", value_parser = switch, global = true)]
    pub jwks_http: bool,
    /// How often the public keys are fetched, in seconds: one removed there works no longer than this
    #[arg(long, env = "DAYBOOK_JWKS_REFRESH_SECONDS", default_value = "300", global = true)]
    pub jwks_refresh_seconds: NonZeroU64,
    /// The `iss` that tokens must have
    #[arg(long, env = "DAYBOOK_JWT_ISSUER", global = true)]
    pub jwt_issuer: Option<String>,
    /// The `aud` that tokens must have
    #[arg(long, env = "DAYBOOK_JWT_AUDIENCE", global = true)]
    pub jwt_audience: Option<String>,
    /// JetStream stream that mirrors the book
    #[arg(long, env = "DAYBOOK_NATS_STREAM", default_value = "DAYBOOK", global = true)]
    pub nats_stream: String,
    /// First word of every NATS subject
    #[arg(long, env = "DAYBOOK_NATS_PREFIX", default_value = "daybook", global = true)]
    pub nats_prefix: String,
    /// What the stream may hold, in bytes, at least 16 MiB; NATS reserves it when the stream is made
    #[arg(long, env = "DAYBOOK_NATS_STREAM_BYTES", default_value_t = STREAM_BYTES_MAX, global = true)]
    pub nats_stream_bytes: i64,
    /// Use a NATS that lets in everybody
    #[arg(long, env = "DAYBOOK_NATS_OPEN", value_parser = switch, global = true)]
    pub nats_open: bool,
    /// Requests a second of one user; twice as many at once
    #[arg(long, env = "DAYBOOK_RATE_PER_SECOND", default_value = "2000", global = true)]
    pub rate_per_second: NonZeroU32,
    /// Folder for archives of what left the tables
    #[arg(long, env = "DAYBOOK_ARCHIVE", default_value = "archive", global = true)]
    pub archive: PathBuf,
    /// Where large content lies: an absolute folder, or s3://bucket/prefix; within the folder of archives otherwise
    #[arg(long, env = "DAYBOOK_OBJECTS", global = true)]
    pub objects: Option<String>,
    /// Bytes of what comes in from outside that one tenant may keep as it came
    #[arg(long, env = "DAYBOOK_STORED_BYTES", default_value_t = STORED_BYTES_MAX, value_parser = clap::value_parser!(u64).range(1..), global = true)]
    pub stored_bytes: u64,
    /// Private networks that may be called, with commas between
    #[arg(long, env = "DAYBOOK_EGRESS_PRIVATE_NETWORKS", global = true)]
    pub egress_private_networks: Option<String>,
    /// Ports that may be called besides 443, with commas between
    #[arg(long, env = "DAYBOOK_EGRESS_PORTS", global = true)]
    pub egress_ports: Option<String>,
    /// Hosts and networks that may be called without TLS, with commas between
    #[arg(long, env = "DAYBOOK_EGRESS_PLAIN_HTTP", global = true)]
    pub egress_plain_http: Option<String>,
    /// A file with certificates of authorities that are believed besides the system's
    #[arg(long, env = "DAYBOOK_EGRESS_CA_FILE", global = true)]
    pub egress_ca_file: Option<PathBuf>,
    /// Calls under way at once
    #[arg(long, env = "DAYBOOK_EGRESS_CALLS", global = true)]
    pub egress_calls: Option<String>,
    /// Calls under way at once for one tenant
    #[arg(long, env = "DAYBOOK_EGRESS_CALLS_OF_TENANT", global = true)]
    pub egress_calls_of_tenant: Option<String>,
    /// What signs seals: from the environment or a file, never from the command line, which others can see
    #[arg(skip)]
    pub seal_key: Option<Secret>,
    /// Who asks the bucket of objects, where no role of the machine says so
    #[arg(skip)]
    pub bucket_key_id: Option<Secret>,
    /// And by what
    #[arg(skip)]
    pub bucket_key: Option<Secret>,
    /// How the log is written
    #[arg(long, env = "DAYBOOK_LOG_FORMAT", default_value = "text", global = true)]
    pub log_format: LogFormat,
    /// Tenant of `demo`, `roles` and `token`
    #[arg(long, env = "DAYBOOK_TENANT", default_value_t = DEMO_TENANT, value_parser = http::cli::id, global = true)]
    pub tenant: Uuid,
    /// Start on a Postgres that may lose what it acknowledged, and with one login for all; for tests
    #[arg(long, env = "DAYBOOK_UNSAFE_SETTINGS", value_parser = switch, global = true)]
    pub unsafe_settings: bool,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

/// The variable of a role's login, what it says, and the role's name.
pub(crate) type OfRole<'a> = (&'static str, Option<&'a Secret>, &'static str);

impl Config {
    /// How to connect to Postgres as the database's owner.
    ///
    /// # Errors
    /// When `DATABASE_URL` is missing or is no Postgres URL.
    pub fn database(&self) -> Result<PgConnectOptions, Fault> {
        address(needed(self.database_url.as_ref(), "DATABASE_URL")?, "DATABASE_URL")
    }

    /// How to connect to Postgres for each role; as the owner for those that have no login of their own here.
    ///
    /// # Errors
    /// When an address is missing or is no Postgres URL; the message names the variable.
    pub fn logins(&self) -> Result<Logins, Fault> {
        let of = |(variable, url, _): OfRole<'_>| match url {
            Some(url) => address(url, variable),
            None if self.database_url.is_some() => self.database(),
            None => Err(Fault::setting(format!("{variable} must be set"))),
        };
        let [writer, projector, reader] = self.of_roles().map(of);
        let writer = writer?;
        Ok(Logins {
            owner: match &self.database_url {
                Some(_) => self.database()?,
                None => writer.clone(),
            },
            writer,
            projector: projector?,
            reader: reader?,
        })
    }

    /// The roles that have logins: the variable of each, what it says, and the role's name.
    #[must_use]
    pub(crate) fn of_roles(&self) -> [OfRole<'_>; 3] {
        [
            ("DAYBOOK_WRITER_URL", self.writer_url.as_ref(), WRITER),
            ("DAYBOOK_PROJECTOR_URL", self.projector_url.as_ref(), PROJECTOR),
            ("DAYBOOK_READER_URL", self.reader_url.as_ref(), READER),
        ]
    }

    /// How to connect to NATS.
    ///
    /// # Errors
    /// When `NATS_URL` is missing, the stream is to hold too little, or a name is none for NATS.
    pub fn bus(&self) -> Result<BusConfig, Fault> {
        let url = needed(self.nats_url.as_ref(), "NATS_URL")?;
        if self.nats_stream_bytes < STREAM_BYTES_MIN {
            return Err(Fault::setting(format!(
                "DAYBOOK_NATS_STREAM_BYTES is {}; it must be at least {STREAM_BYTES_MIN}, or leave it out for {STREAM_BYTES_MAX}",
                self.nats_stream_bytes
            )));
        }
        for (setting, name, dots) in [
            ("DAYBOOK_NATS_STREAM", &self.nats_stream, false),
            ("DAYBOOK_NATS_PREFIX", &self.nats_prefix, true),
        ] {
            if !is_name(name, dots) {
                return Err(Fault::setting(format!(
                    "{setting} is {name:?}; it must be letters, digits, `-` and `_`, at most {NAME_BYTES_MAX}"
                )));
            }
        }
        let mut bus = BusConfig::new(url.reveal(), &self.nats_stream, &self.nats_prefix);
        bus.stream_bytes_max = self.nats_stream_bytes;
        bus.open = self.nats_open;
        Ok(bus)
    }

    /// The key that wraps all others: `DAYBOOK_MASTER_KEY`, or the next one, whichever the database knows.
    ///
    /// # Errors
    /// When `DAYBOOK_MASTER_KEY` is missing, or either is malformed.
    pub fn master(&self) -> Result<MasterKey, Fault> {
        let master = self.master_alone()?;
        Ok(match self.next_master()? {
            Some(next) => master.or(next),
            None => master,
        })
    }

    /// The key that signs seals; `None` without one.
    ///
    /// # Errors
    /// When it is malformed.
    pub fn seal_key(&self) -> Result<Option<SealKey>, Fault> {
        let malformed =
            |_| Fault::setting("DAYBOOK_SEAL_KEY must be 64 hexadecimal digits; `daybook seal key` makes one");
        let digits = self.seal_key.as_ref().filter(|digits| !digits.is_blank());
        digits
            .map(|digits| SealKey::from_hex(digits.reveal()).map_err(malformed))
            .transpose()
    }

    /// `DAYBOOK_MASTER_KEY` by itself.
    ///
    /// # Errors
    /// When it is missing or malformed.
    pub fn master_alone(&self) -> Result<MasterKey, Fault> {
        master_key(
            needed(self.master_key.as_ref(), "DAYBOOK_MASTER_KEY")?,
            "DAYBOOK_MASTER_KEY",
        )
    }

    /// `DAYBOOK_MASTER_KEY_NEXT`, if it is set.
    ///
    /// # Errors
    /// When it is malformed.
    pub fn next_master(&self) -> Result<Option<MasterKey>, Fault> {
        let next = self.master_key_next.as_ref().filter(|next| !next.is_blank());
        next.map(|next| master_key(next, "DAYBOOK_MASTER_KEY_NEXT")).transpose()
    }
}

fn address(url: &Secret, variable: &str) -> Result<PgConnectOptions, Fault> {
    // The parser's message may repeat the URL, password included.
    PgConnectOptions::from_str(url.reveal()).map_err(|_| Fault::setting(format!("{variable} is no Postgres URL")))
}

fn master_key(digits: &Secret, variable: &str) -> Result<MasterKey, Fault> {
    MasterKey::from_hex(digits.reveal())
        .map_err(|_| Fault::setting(format!("{variable} must be 64 hexadecimal digits")))
}

/// A setting that a command cannot do without.
///
/// # Errors
/// When it is missing or empty; the message names the variable.
pub(crate) fn needed<'a, T: Setting>(value: Option<&'a T>, variable: &str) -> Result<&'a T, Fault> {
    value
        .filter(|value| !value.is_blank())
        .ok_or_else(|| Fault::setting(format!("{variable} must be set")))
}

pub(crate) trait Setting {
    fn is_blank(&self) -> bool;
}

impl Setting for Secret {
    fn is_blank(&self) -> bool {
        self.reveal().trim().is_empty()
    }
}

impl Setting for String {
    fn is_blank(&self) -> bool {
        self.trim().is_empty()
    }
}

/// Length of a name on the bus, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// Whether NATS takes this for a name; a subject's may be several words.
fn is_name(name: &str, dots: bool) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || (dots && byte == b'.');
    let words = name.split('.').all(|word| !word.is_empty());
    words && name.len() <= NAME_BYTES_MAX && name.bytes().all(is_plain)
}

/// A setting that is on or off: a word that is neither is a slip, and must not count as either.
fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "" | "0" | "false" | "no" | "off" => Ok(false),
        _ => Err("write 1 or 0".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::secrets::tests::found;
    use super::*;

    #[test]
    fn a_stream_that_holds_next_to_nothing_or_everything_is_refused() {
        let mut config = found(&[("NATS_URL", "nats://daybook:secret@localhost")]).unwrap();
        for bytes in [0, -1, STREAM_BYTES_MIN - 1] {
            config.nats_stream_bytes = bytes;
            let error = config.bus().unwrap_err().to_string();
            assert!(error.contains("DAYBOOK_NATS_STREAM_BYTES"), "{error}");
        }
        config.nats_stream_bytes = STREAM_BYTES_MIN;
        assert_eq!(config.bus().unwrap().stream_bytes_max, STREAM_BYTES_MIN);
    }

    #[test]
    fn a_name_that_the_bus_does_not_take_is_refused_by_its_setting() {
        for name in ["", "a.b", "a b", "a>", &"a".repeat(65)] {
            let mut config = found(&[("NATS_URL", "nats://daybook:secret@localhost")]).unwrap();
            config.nats_stream = name.to_owned();
            let error = config.bus().unwrap_err().to_string();
            assert!(error.contains("DAYBOOK_NATS_STREAM"), "{error}");
        }
    }

    #[test]
    fn a_switch_is_on_or_off_and_nothing_else() {
        for (word, on) in [("1", true), ("Yes", true), ("", false), ("off", false)] {
            assert_eq!(switch(word), Ok(on), "{word:?}");
        }
        assert!(switch("maybe").is_err());
    }
}
