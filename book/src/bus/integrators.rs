//! The durable consumers of integrators: what each acknowledged is kept in Postgres, so that a stream that
//! is made anew has them again, where they were.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use async_nats::jetstream::ErrorCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sqlx::PgPool;
use tracing::warn;

use super::{Bus, bus_error};
use crate::BookError;
use crate::pools::answered;
use crate::worker::Beat;

/// Durable consumers that are kept; more are not made anew.
const CONSUMERS_MAX: usize = 1_000;
/// The longest configuration of a consumer that is kept, in bytes.
const CONFIG_BYTES_MAX: usize = 32 << 10;
/// Pages of consumers that are looked through, of 256 each as the server cuts them. Daybook's own are among
/// them. What comes after counts as not there.
const PAGES_MAX: usize = 64;
/// How long a consumer must be missing from a whole stream before it is forgotten, in seconds.
const FORGET_SECONDS: u64 = 5;

/// What is known of one durable consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Noted {
    config: String,
    acknowledged: i64,
    made: String,
}

/// The durable consumers of one stream, as Postgres has them.
#[derive(Debug)]
pub(crate) struct Integrators {
    pool: PgPool,
    stream: String,
    noted: HashMap<String, Noted>,
    /// Since when a consumer has been missing from the stream.
    missing: HashMap<String, Instant>,
    /// Those of which it was said that they are not kept.
    refused: HashSet<String>,
}

/// A consumer, as the server reports it.
#[derive(Debug, Deserialize)]
struct Consumer {
    name: String,
    created: String,
    config: Map<String, Value>,
    delivered: Place,
    ack_floor: Place,
    num_ack_pending: u64,
    num_pending: u64,
}

#[derive(Debug, Deserialize)]
struct Place {
    stream_seq: i64,
}

#[derive(Deserialize)]
struct Page {
    total: usize,
    #[serde(default)]
    consumers: Option<Vec<Value>>,
}

impl Consumer {
    fn is_durable(&self) -> bool {
        self.config.contains_key("durable_name")
    }

    /// Where it started: nothing up to there was ever for it.
    fn started_after(&self) -> i64 {
        let start = self.config.get("opt_start_seq").and_then(Value::as_i64);
        start.map_or(0, |start| start - 1)
    }

    /// Up to where it has acknowledged all that it asked for, on a whole stream that held `last` before
    /// the server was asked.
    fn acknowledged(&self, last: i64, noted: Option<&Noted>) -> i64 {
        if self.num_ack_pending == 0 && self.num_pending == 0 {
            // Of what there is, nothing else is for it.
            self.delivered.stream_seq.max(last)
        } else if self.num_ack_pending == 0 {
            self.delivered.stream_seq
        } else if self.ack_floor.stream_seq > 0 {
            self.ack_floor.stream_seq
        } else {
            // It has acknowledged nothing. Where it began is known since it had been given nothing.
            match noted {
                Some(noted) if noted.made == self.created => noted.acknowledged,
                _ => self.started_after(),
            }
        }
    }

    /// As [`Consumer::acknowledged`], on a stream that lost data and with it knows less of what is pending.
    fn acknowledged_before_the_loss(&self) -> i64 {
        self.ack_floor.stream_seq.max(self.started_after())
    }

    /// Its configuration, but for where it starts.
    fn config(&self) -> String {
        let mut config = self.config.clone();
        for start in ["deliver_policy", "opt_start_seq", "opt_start_time"] {
            config.remove(start);
        }
        Value::Object(config).to_string()
    }
}

impl Integrators {
    pub async fn load(pool: &PgPool, stream: &str) -> Result<Self, BookError> {
        let reading = sqlx::query_as::<_, (String, String, i64, String)>(
            "select name, config::text, acknowledged, made from book.bus_consumers where stream = $1",
        )
        .bind(stream)
        .fetch_all(pool);
        let rows = answered(async { Ok::<_, BookError>(reading.await?) }).await?;
        let noted = rows.into_iter().map(|(name, config, acknowledged, made)| {
            let noted = Noted {
                config,
                acknowledged,
                made,
            };
            (name, noted)
        });
        Ok(Self {
            pool: pool.clone(),
            stream: stream.to_owned(),
            noted: noted.collect(),
            missing: HashMap::new(),
            refused: HashSet::new(),
        })
    }

    /// The least position that one of them has acknowledged; `None` when there are none.
    pub fn least(&self) -> Option<i64> {
        self.noted.values().map(|noted| noted.acknowledged).min()
    }

    /// The greatest position that one of them has acknowledged; 0 when there are none.
    pub fn greatest(&self) -> i64 {
        self.noted
            .values()
            .map(|noted| noted.acknowledged)
            .max()
            .unwrap_or_default()
    }

    /// Notes what the consumers of a whole stream have acknowledged, and forgets those that were deleted.
    /// `last` is what the stream held before this was called.
    pub async fn observe(&mut self, bus: &Bus, last: i64) -> Result<(), BookError> {
        let reported = bus.durable_consumers().await?;
        let mut changed = Vec::new();
        for consumer in &reported {
            let known = self.noted.get(&consumer.name);
            let now = Noted {
                config: consumer.config(),
                acknowledged: consumer.acknowledged(last, known),
                made: consumer.created.clone(),
            };
            if known != Some(&now) && self.keeps(&consumer.name, &now, changed.len()) {
                changed.push((consumer.name.clone(), now));
            }
        }
        self.note(changed).await?;
        let there: HashSet<&str> = reported.iter().map(|consumer| consumer.name.as_str()).collect();
        self.missing.retain(|name, _| !there.contains(name.as_str()));
        let mut gone = Vec::new();
        for name in self.noted.keys().filter(|name| !there.contains(name.as_str())) {
            let since = self.missing.entry(name.clone()).or_insert_with(Instant::now);
            if since.elapsed() >= Duration::from_secs(FORGET_SECONDS) {
                gone.push(name.clone());
            }
        }
        metrics::gauge!("daybook_bus_consumers").set(self.noted.len() as f64);
        self.forget(gone).await
    }

    /// Notes those consumers of a stream which is to be made anew that nobody had noted before. What is
    /// noted stays: a stream that lost data may have moved what its consumers acknowledged.
    pub async fn rescue(&mut self, bus: &Bus) -> Result<(), BookError> {
        let mut found = Vec::new();
        for consumer in bus.durable_consumers().await? {
            let now = Noted {
                config: consumer.config(),
                acknowledged: consumer.acknowledged_before_the_loss(),
                made: consumer.created.clone(),
            };
            if !self.noted.contains_key(&consumer.name) && self.keeps(&consumer.name, &now, found.len()) {
                found.push((consumer.name, now));
            }
        }
        self.note(found).await
    }

    /// Takes back what they have acknowledged beyond this position: those were no events of the book.
    pub async fn bound(&mut self, position: i64) -> Result<(), BookError> {
        let beyond = self.noted.iter().filter(|(_, noted)| noted.acknowledged > position);
        let bounded = beyond.map(|(name, noted)| {
            let noted = Noted {
                acknowledged: position,
                ..noted.clone()
            };
            (name.clone(), noted)
        });
        let bounded: Vec<_> = bounded.collect();
        self.note(bounded).await
    }

    /// Makes them on a stream that begins after `began` and holds all that they have acknowledged: a start
    /// beyond its end would be taken for its end.
    pub async fn make(&mut self, bus: &Bus, began: i64, beat: &Beat) -> Result<(), BookError> {
        for (name, noted) in &self.noted {
            // There may be many, and the server slow.
            beat.beat(|_| {});
            if noted.acknowledged < began {
                warn!(
                    consumer = name,
                    "it is further behind than the stream reaches: events {} to {began} are in the book alone",
                    noted.acknowledged + 1
                );
            }
            let mut config: Map<String, Value> = serde_json::from_str(&noted.config)?;
            config.insert("deliver_policy".to_owned(), "by_start_sequence".into());
            config.insert("opt_start_seq".to_owned(), (noted.acknowledged + 1).into());
            if let Err(refusal) = bus.make_consumer(name, &config).await? {
                // Not a reason to withhold the stream from all others.
                warn!(consumer = name, error = %refusal, "the server refuses a consumer that it had");
                metrics::counter!("daybook_bus_consumers_refused_total").increment(1);
            }
        }
        Ok(())
    }

    /// Whether a consumer is noted, when `more` may come to those that are.
    fn keeps(&mut self, name: &str, now: &Noted, more: usize) -> bool {
        let full = self.noted.len() + more >= CONSUMERS_MAX && !self.noted.contains_key(name);
        let kept = !full && now.config.len() <= CONFIG_BYTES_MAX;
        if !kept && self.refused.len() < CONSUMERS_MAX && self.refused.insert(name.to_owned()) {
            warn!(
                consumer = name,
                "it is not kept: there are too many, or its configuration is too long"
            );
        }
        kept
    }

    async fn note(&mut self, changed: Vec<(String, Noted)>) -> Result<(), BookError> {
        if changed.is_empty() {
            return Ok(());
        }
        let column =
            |of: fn(&(String, Noted)) -> &str| changed.iter().map(|row| of(row).to_owned()).collect::<Vec<_>>();
        let acknowledged: Vec<i64> = changed.iter().map(|(_, noted)| noted.acknowledged).collect();
        let writing = sqlx::query(
            "insert into book.bus_consumers (stream, name, config, acknowledged, made)
             select $1, n.name, n.config::json, n.acknowledged, n.made
             from unnest($2::text[], $3::text[], $4::bigint[], $5::text[]) n(name, config, acknowledged, made)
             on conflict (stream, name) do update
             set config = excluded.config, acknowledged = excluded.acknowledged, made = excluded.made,
                 noted_at = excluded.noted_at",
        )
        .bind(&self.stream)
        .bind(column(|(name, _)| name))
        .bind(column(|(_, noted)| &noted.config))
        .bind(acknowledged)
        .bind(column(|(_, noted)| &noted.made))
        .execute(&self.pool);
        answered(async { Ok::<_, BookError>(writing.await?) }).await?;
        self.noted.extend(changed);
        Ok(())
    }

    async fn forget(&mut self, gone: Vec<String>) -> Result<(), BookError> {
        if gone.is_empty() {
            return Ok(());
        }
        let writing = sqlx::query("delete from book.bus_consumers where stream = $1 and name = any($2)")
            .bind(&self.stream)
            .bind(&gone)
            .execute(&self.pool);
        answered(async { Ok::<_, BookError>(writing.await?) }).await?;
        for name in gone {
            self.noted.remove(&name);
            self.missing.remove(&name);
        }
        Ok(())
    }
}

impl Bus {
    /// All durable consumers of the stream; none when there is no stream.
    async fn durable_consumers(&self) -> Result<Vec<Consumer>, BookError> {
        let (mut durable, mut offset) = (Vec::new(), 0);
        for _ in 0..PAGES_MAX {
            let subject = format!("CONSUMER.LIST.{}", self.config.stream);
            let page = match self.ask::<Page>(subject, &json!({"offset": offset})).await? {
                Ok(page) => page,
                Err(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => return Ok(durable),
                Err(error) => return Err(bus_error(error)),
            };
            let consumers = page.consumers.unwrap_or_default();
            offset += consumers.len();
            let ended = consumers.is_empty() || offset >= page.total;
            // A cluster may not know all of one that it is just moving.
            let known = consumers
                .into_iter()
                .filter_map(|consumer| serde_json::from_value(consumer).ok());
            durable.extend(known.filter(Consumer::is_durable));
            if ended {
                return Ok(durable);
            }
        }
        Ok(durable)
    }

    /// Makes one consumer; one of its name that is another is replaced. What the server says against it.
    async fn make_consumer(
        &self,
        name: &str,
        config: &Map<String, Value>,
    ) -> Result<Result<(), async_nats::jetstream::Error>, BookError> {
        let stream = &self.config.stream;
        let filter = config.get("filter_subject").and_then(Value::as_str);
        let filter = filter.map_or_else(String::new, |filter| format!(".{filter}"));
        let subject = format!("CONSUMER.CREATE.{stream}.{name}{filter}");
        let body = json!({"stream_name": stream, "config": config, "action": "create"});
        let mut made = self.ask::<Value>(subject.clone(), &body).await?;
        if made
            .as_ref()
            .is_err_and(|error| error.error_code() == ErrorCode::CONSUMER_ALREADY_EXISTS)
        {
            // Whoever was faster did not know where it had been.
            let _ = self
                .ask::<Value>(format!("CONSUMER.DELETE.{stream}.{name}"), &json!({}))
                .await?;
            made = self.ask::<Value>(subject, &body).await?;
        }
        Ok(made.map(|_| ()))
    }
}
