//! Demo data: stories that contexts tell by commands like any other, reproducible from a seed. Ids and command ids
//! are derived from names, so telling one again finds every receipt and changes nothing. A story lies in the past:
//! events bear the time at which they are told to have happened.

use std::sync::atomic::{AtomicU64, Ordering};

use book::lead::Leadership;
use book::{Answer, Book, Envelope, ExecuteError, Repeat, Step, Tail, policy, timers};
use chrono::{DateTime, Utc};
use clap::ArgMatches;
use domain::{Aggregate, SYSTEM, canonical};
use futures::future::BoxFuture;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use tracing::debug;
use uuid::Uuid;

use crate::cli::Opened;
use crate::{Contexts, Fault, roles};

/// Streams that a story writes at one time.
pub const AT_ONCE: usize = 16;

/// The demo data of a context.
#[derive(Debug, Clone, Copy)]
pub struct Demo {
    /// Adds its options to those of `daybook demo`. The seed is everybody's.
    pub declared: fn(clap::Command) -> clap::Command,
    /// Loads it, the same for the same seed.
    pub load: for<'a> fn(&'a Opened, u64, &'a ArgMatches) -> BoxFuture<'a, Result<(), Fault>>,
    /// Sends what comes from outside to the Daybook that serves at an address, once the rest is loaded: the same for the same
    /// seed, and what came there before is not sent again.
    pub send: Option<Sending>,
}

/// Sends the demo's part from outside, of a seed, to an address.
pub type Sending = for<'a> fn(&'a Opened, u64, &'a str) -> BoxFuture<'a, Result<(), Fault>>;

/// Told of every command that was carried out.
pub type OnProgress<'a> = &'a (dyn Fn(u64) + Send + Sync);

/// Keeps policies and timers away while history is told: they would take its deadlines for missed ones.
///
/// # Errors
/// When a process with the role `policy` runs.
pub async fn alone(pool: &PgPool, contexts: &Contexts) -> Result<Vec<Leadership>, Fault> {
    let policies = contexts.decisions().policies().into_iter().map(policy::lock_name);
    let timers = contexts.decisions().iter().map(timers::lock_name);
    let former = timers::FORMER_LOCK_NAME.to_owned();
    let mut held = Vec::new();
    for name in policies.chain(timers).chain([former]) {
        let lead = Leadership::try_take(pool, &name).await?.ok_or_else(|| {
            Fault::Refused(
                "policies are at work on this book; stop the processes with the role `policy` first".to_owned(),
            )
        })?;
        held.push(lead);
    }
    Ok(held)
}

/// The tenant's administrator, who is made with their role if need be.
///
/// # Errors
/// The failure of the book.
pub async fn administrator(contexts: &Contexts, book: &Book, tail: &Tail, tenant: Uuid) -> Result<Uuid, Fault> {
    let story = Story::new(contexts, book, tail, tenant, 0, &|_| {});
    story.administrator().await
}

/// A tenant that is being filled.
pub struct Story<'a> {
    contexts: &'a Contexts,
    pub book: &'a Book,
    pub tail: &'a Tail,
    pub tenant: Uuid,
    seed: u64,
    done: AtomicU64,
    on_progress: OnProgress<'a>,
}

/// A command of the demo: who gives it, when, and to what.
pub struct Act<'a> {
    pub by: Uuid,
    pub at: DateTime<Utc>,
    /// `context/plural`.
    pub url: &'a str,
    pub stream: Uuid,
    pub command: &'a str,
    pub body: Value,
    /// The number that tells the command from others of its name to the same stream.
    pub nth: u32,
    pub reason: Option<&'a str>,
}

impl<'a> Story<'a> {
    #[must_use]
    pub fn new(
        contexts: &'a Contexts,
        book: &'a Book,
        tail: &'a Tail,
        tenant: Uuid,
        seed: u64,
        on_progress: OnProgress<'a>,
    ) -> Self {
        Self {
            contexts,
            book,
            tail,
            tenant,
            seed,
            done: AtomicU64::new(0),
            on_progress,
        }
    }

    /// The id of what the demo calls so.
    pub fn id(&self, name: &str) -> Uuid {
        Uuid::new_v5(&self.tenant, format!("demo/{name}").as_bytes())
    }

    /// Chance, the same for the same seed and name: what is made beside it makes no difference.
    pub fn chance(&self, name: &str) -> ChaCha8Rng {
        let mut hash = Sha256::new();
        hash.update(self.seed.to_be_bytes());
        hash.update(name);
        ChaCha8Rng::from_seed(hash.finalize().into())
    }

    /// Gives a command as a user would, then does for it what the policies would do. `None` when what it
    /// makes is there already, from another day: then the rest of its story is, too.
    pub async fn give(&self, given: Act<'_>) -> Result<Option<Answer>, Fault> {
        let Act {
            by,
            at,
            url,
            stream,
            command,
            body,
            nth,
            reason,
        } = given;
        let aggregate = self.served(url)?;
        let parsed = aggregate
            .parse(command, &mut body.clone())
            .map_err(|error| Fault::Refused(format!("the demo's command {url}/{command}: {error}")))?;
        let command_id = Uuid::new_v5(&stream, format!("demo/{command}/{nth}").as_bytes());
        let body_hash = Sha256::digest(canonical::text(&body)).into();
        let envelope = self.envelope(by, at, command_id, body_hash, reason);
        let answer = match self.book.execute(envelope, vec![Step::new(stream, None, parsed)]).await {
            Ok(answer) => Some(answer),
            // Made on an earlier day, or so long ago that its receipt is gone.
            Err(ExecuteError::KeyReused) => None,
            Err(error @ ExecuteError::Refused(_)) if command == aggregate.creates => {
                self.is_there(error, url, command, aggregate, stream).await?;
                None
            }
            Err(error @ ExecuteError::Refused(_)) => {
                return Err(Fault::Refused(format!("the demo's command {url}/{command}: {error}")));
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(answer) = &answer {
            self.follow(answer, at).await?;
        }
        (self.on_progress)(self.done.fetch_add(1, Ordering::Relaxed) + 1);
        Ok(answer)
    }

    /// Gives commands as one: all are carried out or none. `name` tells the whole from others. Whether they were
    /// carried out, now or before; not when the same was told otherwise on another day.
    pub async fn give_all(&self, by: Uuid, at: DateTime<Utc>, name: &str, parts: Vec<Piece>) -> Result<bool, Fault> {
        if parts.is_empty() {
            return Ok(true);
        }
        let first = parts.first().map(|part| (part.url, part.stream));
        let mut steps = Vec::with_capacity(parts.len());
        let mut hash = Sha256::new();
        for mut part in parts {
            let (url, command) = (part.url, part.command);
            hash.update(part.stream);
            hash.update(canonical::text(&part.body));
            let parsed = self
                .served(url)?
                .parse(command, &mut part.body)
                .map_err(|error| Fault::Refused(format!("the demo's command {url}/{command}: {error}")))?;
            steps.push(Step::new(part.stream, None, parsed));
        }
        let command_id = self.id(&format!("command/{name}"));
        let envelope = self.envelope(by, at, command_id, hash.finalize().into(), None);
        let answer = match self.book.execute(envelope, steps).await {
            Ok(answer) => answer,
            Err(ExecuteError::KeyReused) => return Ok(false),
            // Made so long ago that the receipt is gone.
            Err(error @ ExecuteError::Refused(_)) => {
                if let Some((url, stream)) = first {
                    self.is_there(error, url, name, self.served(url)?, stream).await?;
                }
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        };
        self.follow(&answer, at).await?;
        (self.on_progress)(self.done.fetch_add(1, Ordering::Relaxed) + 1);
        Ok(true)
    }

    fn envelope(
        &self,
        by: Uuid,
        at: DateTime<Utc>,
        command_id: Uuid,
        body_hash: [u8; 32],
        reason: Option<&str>,
    ) -> Envelope {
        Envelope {
            tenant: self.tenant,
            actor: by,
            command_id,
            repeat: Repeat::Asked,
            body_hash,
            correlation_id: command_id,
            causation_id: None,
            reason: reason.map(str::to_owned),
            ip: None,
            traceparent: None,
            at,
            occurred_at: Some(at),
        }
    }

    /// Reacts to what a command did as the policies will: they find the receipts, and the demo need not
    /// wait for them. Timers are left to them.
    async fn follow(&self, answer: &Answer, at: DateTime<Utc>) -> Result<(), Fault> {
        let policies = self.contexts.decisions().policies();
        let mut answers = vec![answer.clone()];
        while let Some(answer) = answers.pop() {
            let of_policy = |stream: &book::execute::StreamAnswer| {
                policies
                    .iter()
                    .any(|policy| policy.reads().contains(&stream.aggregate_type.as_str()))
            };
            if !answer.streams.iter().any(of_policy) {
                continue;
            }
            let events: usize = answer.streams.iter().map(|stream| stream.events.len()).sum();
            let positions: Vec<i64> = (answer.position - events as i64 + 1..=answer.position).collect();
            let mut rest = positions.as_slice();
            while !rest.is_empty() {
                let some = self.tail.at(rest).await?;
                rest = &rest[some.len().max(1)..];
                for recorded in some {
                    for policy in &policies {
                        if policy.reads().contains(&recorded.aggregate_type.as_str()) {
                            answers.extend(policy::react(self.book, *policy, &recorded, Some(at)).await?.answers);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// The kind that the story calls by its URL: `context/plural`.
    fn served(&self, url: &str) -> Result<&'static Aggregate, Fault> {
        let kind = url
            .split_once('/')
            .and_then(|(context, plural)| self.contexts.by_url(context, plural));
        kind.ok_or_else(|| Fault::Refused(format!("the demo's {url} are not served")))
    }

    async fn is_there(
        &self,
        error: ExecuteError,
        url: &str,
        command: &str,
        aggregate: &Aggregate,
        stream: Uuid,
    ) -> Result<(), Fault> {
        match self.book.any_state(self.tenant, aggregate.fact(stream)).await? {
            Some(_) => {
                debug!(url, command, %stream, %error, "demo: it is there already");
                Ok(())
            }
            None => Err(Fault::Refused(format!("the demo's command {url}/{command}: {error}"))),
        }
    }
}

/// One of several commands that the demo gives as one.
pub struct Piece {
    pub url: &'static str,
    pub stream: Uuid,
    pub command: &'static str,
    pub body: Value,
}

/// A command of reference data: entered once.
pub fn enter(by: Uuid, at: DateTime<Utc>, url: &str, stream: Uuid, entry: Value) -> Act<'_> {
    Act {
        by,
        at,
        url,
        stream,
        command: "enter",
        body: entry,
        nth: 0,
        reason: None,
    }
}

/// A user with roles and departments.
pub struct Person<'a> {
    pub id: Uuid,
    pub email: String,
    pub name: &'a str,
    pub role: Uuid,
    pub department: Option<Uuid>,
}

impl Story<'_> {
    /// Makes the tenant, its administrator and their role; the first things that happen in one.
    ///
    /// # Errors
    /// The failure of the book.
    pub async fn administrator(&self) -> Result<Uuid, Fault> {
        let at = Utc::now();
        self.give(Act {
            by: SYSTEM,
            at,
            url: "identity/tenants",
            stream: self.tenant,
            command: "create",
            body: json!({ "name": "Demo company" }),
            nth: 0,
            reason: None,
        })
        .await?;
        roles::define(self.book, self.tenant, &roles::admin(), None).await?;
        let ada = Person {
            id: self.id("user/admin"),
            email: "ada@daybook.example".to_owned(),
            name: "Ada Admin",
            role: roles::id(self.tenant, roles::ADMIN),
            department: None,
        };
        self.hire(&ada, at).await?;
        Ok(ada.id)
    }

    /// Registers a person; Daybook itself does, before there is anybody who could.
    pub async fn hire(&self, person: &Person<'_>, at: DateTime<Utc>) -> Result<(), Fault> {
        let user = |command, body| Act {
            by: SYSTEM,
            at,
            url: "identity/users",
            stream: person.id,
            command,
            body,
            nth: 0,
            reason: None,
        };
        let register = json!({ "email": person.email, "name": person.name });
        self.give(user("register", register)).await?;
        self.give(user("assign-role", json!({ "role_id": person.role })))
            .await?;
        if let Some(department) = person.department {
            self.give(user("join-department", json!({ "department_id": department })))
                .await?;
        }
        Ok(())
    }
}
