//! Settings, from the environment or the command line.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `DATABASE_URL` | Postgres, as the database's owner | |
//! | `NATS_URL` | NATS server, with the user that may write on the bus | |
//! | `DAYBOOK_LISTEN` | address to serve on; port 0 takes a free one | `127.0.0.1:8080` |
//! | `DAYBOOK_MASTER_KEY` | 64 hex digits; wraps the keys of persons | |
//! | `DAYBOOK_MASTER_KEY_NEXT` | the one that takes its place, while `daybook keys rotate` is under way | |
//! | `DAYBOOK_JWT_SECRET` | secret of HS256 tokens, at least 32 bytes; or | |
//! | `DAYBOOK_JWKS_URL` | where the public keys of tokens are (RS256, ES256, EdDSA) | |
//! | `DAYBOOK_JWKS_REFRESH_SECONDS` | how often they are fetched: a key removed there works no longer than this | `300` |
//! | `DAYBOOK_JWT_ISSUER` | the `iss` that tokens must have | |
//! | `DAYBOOK_JWT_AUDIENCE` | the `aud` that tokens must have | |
//! | `DAYBOOK_NATS_STREAM` | JetStream stream | `DAYBOOK` |
//! | `DAYBOOK_NATS_PREFIX` | first word of every subject | `daybook` |
//! | `DAYBOOK_NATS_STREAM_BYTES` | what the stream may hold; NATS reserves it when the stream is made | 1 GiB |
//! | `DAYBOOK_NATS_OPEN` | `1` uses a NATS that lets in everybody: whoever reaches it can disturb the bus | |
//! | `DAYBOOK_RATE_PER_SECOND` | requests a second of one user; twice as many at once | `2000` |
//! | `DAYBOOK_ARCHIVE` | folder for archives of what left the tables; all processes with the role `reactor` share it | `archive` |
//! | `DAYBOOK_LOG_FORMAT` | `text` or `json` | `text` |
//! | `DAYBOOK_TENANT` | tenant of `demo`, `roles` and `token` | see [`DEMO_TENANT`] |
//! | `DAYBOOK_UNSAFE_SETTINGS` | `1` starts on a Postgres that may lose what it acknowledged; for tests | |
//! | `RUST_LOG` | what is logged, as for tracing's `EnvFilter` | `info` |

use std::fmt;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::str::FromStr;

use book::MasterKey;
use book::bus::{BusConfig, STREAM_BYTES_MAX};
use clap::{Args, ValueEnum};
use sqlx::postgres::PgConnectOptions;
use uuid::Uuid;

use crate::Fault;

/// The tenant of `demo`, `roles` and `token` when none is named.
pub const DEMO_TENANT: Uuid = Uuid::from_u128(0x0da7_b00c_0000_4000_8000_0000_0000_0002);

/// All settings. A command asks for those that it needs, so that `migrate` wants no token secret.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Postgres, as the database's owner
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, global = true)]
    pub database_url: Option<Secret>,
    /// NATS server
    #[arg(long, env = "NATS_URL", hide_env_values = true, global = true)]
    pub nats_url: Option<Secret>,
    /// Address to serve on; port 0 takes a free one
    #[arg(long, env = "DAYBOOK_LISTEN", default_value = "127.0.0.1:8080", global = true)]
    pub listen: SocketAddr,
    /// 64 hexadecimal digits that wrap the keys of persons
    #[arg(long, env = "DAYBOOK_MASTER_KEY", hide_env_values = true, global = true)]
    pub master_key: Option<Secret>,
    /// The master key that takes the other's place; for `daybook keys rotate`
    #[arg(long, env = "DAYBOOK_MASTER_KEY_NEXT", hide_env_values = true, global = true)]
    pub master_key_next: Option<Secret>,
    /// Secret of HS256 tokens, at least 32 bytes
    #[arg(long, env = "DAYBOOK_JWT_SECRET", hide_env_values = true, global = true)]
    pub jwt_secret: Option<Secret>,
    /// Where the public keys of tokens are; instead of a secret
    #[arg(long, env = "DAYBOOK_JWKS_URL", conflicts_with = "jwt_secret", global = true)]
    pub jwks_url: Option<String>,
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
    /// What the stream may hold, in bytes; NATS reserves it when the stream is made
    #[arg(long, env = "DAYBOOK_NATS_STREAM_BYTES", default_value_t = STREAM_BYTES_MAX, global = true)]
    pub nats_stream_bytes: i64,
    /// Use a NATS that lets in everybody
    #[arg(long, env = "DAYBOOK_NATS_OPEN", value_parser = clap::builder::FalseyValueParser::new(), global = true)]
    pub nats_open: bool,
    /// Requests a second of one user; twice as many at once
    #[arg(long, env = "DAYBOOK_RATE_PER_SECOND", default_value = "2000", global = true)]
    pub rate_per_second: NonZeroU32,
    /// Folder for archives of what left the tables
    #[arg(long, env = "DAYBOOK_ARCHIVE", default_value = "archive", global = true)]
    pub archive: PathBuf,
    /// How the log is written
    #[arg(long, env = "DAYBOOK_LOG_FORMAT", default_value = "text", global = true)]
    pub log_format: LogFormat,
    /// Tenant of `demo`, `roles` and `token`
    #[arg(long, env = "DAYBOOK_TENANT", default_value_t = DEMO_TENANT, value_parser = http::cli::id, global = true)]
    pub tenant: Uuid,
    /// Start on a Postgres that may lose what it acknowledged; for tests
    #[arg(long, env = "DAYBOOK_UNSAFE_SETTINGS", value_parser = clap::builder::FalseyValueParser::new(), global = true)]
    pub unsafe_settings: bool,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

/// A setting that no log, error or `Debug` may show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(value: &str) -> Result<Self, Self::Err> {
        Ok(Self(value.to_owned()))
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self(value.to_owned())
    }
}

impl Config {
    /// How to connect to Postgres.
    ///
    /// # Errors
    /// When `DATABASE_URL` is missing or is no Postgres URL.
    pub fn database(&self) -> Result<PgConnectOptions, Fault> {
        let url = needed(self.database_url.as_ref(), "DATABASE_URL")?;
        // The parser's message may repeat the URL, password included.
        PgConnectOptions::from_str(url.reveal()).map_err(|_| Fault::setting("DATABASE_URL is no Postgres URL"))
    }

    /// How to connect to NATS.
    ///
    /// # Errors
    /// When `NATS_URL` is missing.
    pub fn bus(&self) -> Result<BusConfig, Fault> {
        let url = needed(self.nats_url.as_ref(), "NATS_URL")?;
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
        self.0.trim().is_empty()
    }
}

impl Setting for String {
    fn is_blank(&self) -> bool {
        self.trim().is_empty()
    }
}
