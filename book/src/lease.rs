//! Leases: one session of a process holds the lead of all of its workers that lead.
//!
//! Of all workers that run under one name one leads: the one whose process holds the advisory lock of that
//! name. All locks of a process rest on one session. The keeper of that session asks the database again and
//! again, for the locks that are wanted and whether the session is still there. A process that is stopped, or
//! cannot reach the database, is not heard of: the server ends its session, and another process leads. By then
//! its own leases have run out, by its own clock, so that it does nothing more when it goes on.

use std::collections::HashSet;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::BookError;
use crate::pools::answered_within;

/// How long a lease is good after the session that holds it was last heard of, in seconds.
const LEASE_SECONDS: u64 = 8;
/// How long the server keeps a session that it hears nothing of, in seconds: longer than a lease.
const SESSION_SECONDS: u64 = 10;
/// How long the database may take to answer what is asked here, in seconds.
const ANSWER_SECONDS_MAX: u64 = 4;
/// How often the session is asked while some wait for a lead, in milliseconds.
const STANDBY_MS: u64 = 250;
/// How often it is asked while all have theirs, in milliseconds.
const CHECK_MS: u64 = 1_000;

/// Where the workers of one process get their leads. Clones share one session, which ends with the last of
/// them and of their leases.
#[derive(Debug, Clone)]
pub struct Leases {
    asks: mpsc::UnboundedSender<Ask>,
}

/// The lead of one name. Given back when dropped.
#[derive(Debug)]
pub struct Lease {
    name: String,
    session: Arc<Session>,
    asks: mpsc::UnboundedSender<Ask>,
    is_kept: bool,
}

/// What tells whether a lead is still ours, for tasks that cannot borrow the lease. It outlives the lease, and says nothing
/// of one that was given back: whoever holds this ends with who leads.
#[derive(Debug, Clone)]
pub struct Hold {
    name: String,
    session: Arc<Session>,
}

#[derive(Debug)]
enum Ask {
    Take {
        name: String,
        grant: oneshot::Sender<Lease>,
    },
    GiveBack {
        name: String,
        session: Arc<Session>,
        done: Option<oneshot::Sender<()>>,
    },
}

/// A session as its leases know it.
#[derive(Debug)]
struct Session {
    /// When it was last asked something that it then answered.
    heard: Mutex<Instant>,
    lost: CancellationToken,
}

impl Leases {
    /// Starts the keeper, which connects when somebody wants to lead. Must be called within a runtime.
    #[must_use]
    pub fn start(pool: &PgPool) -> Self {
        let (asks, asked) = mpsc::unbounded_channel();
        let options = pool.connect_options().as_ref().clone();
        let idle = (SESSION_SECONDS * 1_000).to_string();
        let keeper = Keeper {
            options: options.options([("idle_session_timeout", idle.as_str())]),
            asks: asks.downgrade(),
            session: None,
            waiting: Vec::new(),
            held: HashSet::new(),
        };
        tokio::spawn(keeper.run(asked));
        Self { asks }
    }

    /// Waits until the lead of this name is ours. Whoever stops waiting wants it no more.
    pub async fn take(&self, name: &str) -> Lease {
        loop {
            let (grant, granted) = oneshot::channel();
            let name = name.to_owned();
            if self.asks.send(Ask::Take { name, grant }).is_err() {
                // The keeper lives as long as this handle, unless the runtime ends.
                std::future::pending::<()>().await;
            }
            if let Ok(lease) = granted.await {
                return lease;
            }
        }
    }
}

/// Whether any session of this database holds the lead of this name.
///
/// # Errors
/// The database's error.
pub async fn is_held(pool: &PgPool, name: &str) -> Result<bool, sqlx::Error> {
    // A lock of 64 bits is listed in two halves.
    sqlx::query_scalar(
        "select exists (
             select from pg_locks l join pg_database d on d.oid = l.database, hashtextextended($1, 0) key
             where l.locktype = 'advisory' and l.granted and l.objsubid = 1 and d.datname = current_database()
               and l.classid::bigint << 32 | l.objid::bigint = key)",
    )
    .bind(name)
    .fetch_one(pool)
    .await
}

impl Hold {
    /// Whether the lead is still ours, by what was heard of its session.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.session.holds()
    }

    /// Fails once the lead is not ours any more.
    ///
    /// # Errors
    /// [`BookError::LeadLost`].
    pub fn check(&self) -> Result<(), BookError> {
        self.session.check(&self.name)
    }
}

impl Session {
    fn holds(&self) -> bool {
        let heard = *self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        !self.lost.is_cancelled() && heard.elapsed() < Duration::from_secs(LEASE_SECONDS)
    }

    fn check(&self, name: &str) -> Result<(), BookError> {
        if self.holds() {
            Ok(())
        } else {
            Err(BookError::LeadLost(name.to_owned()))
        }
    }
}

impl Lease {
    /// Whether the lead is still ours, by what was heard of its session.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.session.holds()
    }

    /// Fails once the lead is not ours any more.
    ///
    /// # Errors
    /// [`BookError::LeadLost`].
    pub fn check(&self) -> Result<(), BookError> {
        self.session.check(&self.name)
    }

    /// The same question for tasks of who leads.
    #[must_use]
    pub fn hold(&self) -> Hold {
        Hold {
            name: self.name.clone(),
            session: self.session.clone(),
        }
    }

    /// Waits until the session that holds the lead is known to be gone.
    pub async fn lost(&self) {
        self.session.lost.cancelled().await;
    }

    /// Gives the lead back: whoever asks after this has returned finds it free, unless the database does not
    /// answer.
    pub async fn give_back(mut self) {
        let (done, returned) = oneshot::channel();
        self.is_kept = false;
        let given = self.asks.send(Ask::GiveBack {
            name: self.name.clone(),
            session: self.session.clone(),
            done: Some(done),
        });
        if given.is_ok() {
            let limit = Duration::from_secs(ANSWER_SECONDS_MAX);
            let _ = tokio::time::timeout(limit, returned).await;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.is_kept {
            let _ = self.asks.send(Ask::GiveBack {
                name: self.name.clone(),
                session: self.session.clone(),
                done: None,
            });
        }
    }
}

struct Keeper {
    options: PgConnectOptions,
    asks: mpsc::WeakUnboundedSender<Ask>,
    session: Option<(PgConnection, Arc<Session>)>,
    waiting: Vec<(String, oneshot::Sender<Lease>)>,
    /// The names whose locks the session holds.
    held: HashSet<String>,
}

impl Keeper {
    async fn run(mut self, mut asked: mpsc::UnboundedReceiver<Ask>) {
        loop {
            let every = match (self.waiting.is_empty(), &self.session) {
                (true, None) => None,
                (true, Some(_)) => Some(Duration::from_millis(CHECK_MS)),
                (false, _) => Some(Duration::from_millis(STANDBY_MS)),
            };
            let mut ask = match every {
                None => asked.recv().await,
                Some(every) => match tokio::time::timeout(every, asked.recv()).await {
                    Ok(ask) => ask,
                    Err(_) => {
                        self.look().await;
                        continue;
                    }
                },
            };
            if ask.is_none() {
                break;
            }
            let mut is_wanted = false;
            // All that were asked by now are looked for at once.
            while let Some(next) = ask.take() {
                match next {
                    Ask::Take { name, grant } => {
                        is_wanted = true;
                        self.waiting.push((name, grant));
                    }
                    Ask::GiveBack { name, session, done } => {
                        self.give_back(&name, &session).await;
                        if let Some(done) = done {
                            let _ = done.send(());
                        }
                    }
                }
                ask = asked.try_recv().ok();
            }
            if is_wanted {
                self.look().await;
            }
        }
        if let Some((connection, _)) = self.session.take() {
            let _ = answered(connection.close()).await;
        }
    }

    /// Asks for what is wanted, and whether the session is there.
    async fn look(&mut self) {
        self.waiting.retain(|(_, grant)| !grant.is_closed());
        if self.waiting.is_empty() && self.held.is_empty() {
            if let Some((connection, _)) = self.session.take() {
                let _ = answered(connection.close()).await;
            }
            return;
        }
        if let Err(error) = self.ask().await {
            self.lose(&error);
        }
    }

    async fn ask(&mut self) -> Result<(), BookError> {
        if self.session.is_none() {
            let asked = Instant::now();
            let connection = answered(PgConnection::connect_with(&self.options)).await?;
            let session = Session {
                heard: Mutex::new(asked),
                lost: CancellationToken::new(),
            };
            self.session = Some((connection, Arc::new(session)));
        }
        let Some((connection, session)) = &mut self.session else {
            return Ok(());
        };
        // A session may take a lock that it holds as often as it wants, and two of one process lead as little
        // as two of different ones.
        let wanted: HashSet<&str> = self.waiting.iter().map(|(name, _)| name.as_str()).collect();
        let wanted: Vec<&str> = wanted.into_iter().filter(|name| !self.held.contains(*name)).collect();
        let asked = Instant::now();
        let asking = sqlx::query_as::<_, (String, bool)>(
            "select name, pg_try_advisory_lock(hashtextextended(name, 0)) from unnest($1::text[]) name",
        )
        .bind(wanted)
        .fetch_all(&mut *connection);
        let answers = answered(asking).await?;
        *session.heard.lock().unwrap_or_else(PoisonError::into_inner) = asked;
        let session = session.clone();
        for (name, taken) in answers {
            if taken {
                self.held.insert(name.clone());
                self.grant(name, &session).await;
            }
        }
        Ok(())
    }

    /// Gives a lock that was taken to the first that still waits for it, or back.
    async fn grant(&mut self, name: String, session: &Arc<Session>) {
        let Some(asks) = self.asks.upgrade() else { return };
        let mut lease = Lease {
            name: name.clone(),
            session: session.clone(),
            asks,
            is_kept: false,
        };
        while let Some(first) = self.waiting.iter().position(|(waiting, _)| *waiting == name) {
            let (_, grant) = self.waiting.remove(first);
            lease.is_kept = true;
            match grant.send(lease) {
                Ok(()) => return,
                Err(refused) => {
                    lease = refused;
                    lease.is_kept = false;
                }
            }
        }
        self.give_back(&name, session).await;
    }

    async fn give_back(&mut self, name: &str, of: &Arc<Session>) {
        let Some((connection, session)) = &mut self.session else {
            return;
        };
        // The locks of a session that is gone went with it.
        if !Arc::ptr_eq(session, of) || !self.held.remove(name) {
            return;
        }
        let releasing = sqlx::query("select pg_advisory_unlock(hashtextextended($1, 0))")
            .bind(name)
            .execute(connection);
        if let Err(error) = answered(releasing).await {
            self.lose(&error);
        }
    }

    /// The session is given up, and every lease with it.
    fn lose(&mut self, error: &BookError) {
        let leads = self.held.len();
        self.held.clear();
        match self.session.take() {
            Some((_, session)) => {
                warn!(%error, leads, "the session that holds the leads of this process is gone");
                metrics::counter!("daybook_lead_sessions_lost_total").increment(1);
                session.lost.cancel();
            }
            None => debug!(%error, "no session for the leads of this process can be had"),
        }
    }
}

/// What is answered in time.
async fn answered<T>(asking: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, BookError> {
    let limit = Duration::from_secs(ANSWER_SECONDS_MAX);
    answered_within(limit, async { Ok(asking.await?) }).await
}
