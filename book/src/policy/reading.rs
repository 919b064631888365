//! What the policies of one context read of the book in a process: one reading feeds all that are near its end. Contexts
//! share none, so that what happens much or weighs much in one is read for its own policies alone.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::{Policy, Recorded};
use sqlx::PgPool;
use tokio::sync::Mutex;

use crate::pools::answered;
use crate::tail::{PAGE_BYTES_MAX, Stretch};
use crate::{BookError, End, Tail};

/// Events that a policy looks at before it writes down how far it is.
const PAGE_EVENTS_MAX: usize = 1_000;
/// What the events kept in memory may weigh together, in bytes.
const WINDOW_BYTES_MAX: usize = 16 << 20;
/// What an event weighs besides its payload, in bytes.
const EVENT_BYTES_MIN: usize = 1_024;
/// How often it is counted what the policies have missed, in seconds: one question for all.
const COUNT_SECONDS: u64 = 5;

/// The reading of the book that the policies of one context share in a process. Clones share it.
#[derive(Debug, Clone)]
pub struct Reading(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    tail: Tail,
    /// Of `daybook_writer`.
    pool: PgPool,
    end: End,
    window: Mutex<Window>,
    missed: Mutex<Missed>,
}

/// Events for one policy, in order.
#[derive(Debug)]
pub struct Page {
    pub events: Vec<Arc<Recorded<String>>>,
    /// The book was looked through up to here.
    pub to: i64,
    /// How the checkpoints stood after the events were read, by policy.
    pub noted: Arc<HashMap<String, Noted>>,
}

/// What a checkpoint says besides its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    pub kinds: Vec<String>,
    pub term: i64,
}

/// How many reactions each policy has missed, when they were last counted.
#[derive(Debug, Default)]
struct Missed {
    counts: HashMap<String, i64>,
    counted: Option<Instant>,
}

impl Reading {
    /// A reading for these policies; nothing is read before somebody asks. `pool` must be one of `daybook_writer`.
    #[must_use]
    pub fn new(tail: Tail, pool: PgPool, end: End, policies: &[&dyn Policy]) -> Self {
        let kinds = policies.iter().flat_map(|policy| policy.reads());
        Self(Arc::new(Inner {
            tail,
            pool,
            end,
            window: Mutex::new(Window {
                kinds: kinds.map(|&kind| kind.to_owned()).collect(),
                ..Window::default()
            }),
            missed: Mutex::default(),
        }))
    }

    /// The reader of the book.
    pub(super) fn tail(&self) -> &Tail {
        &self.0.tail
    }

    /// The end of the book, for who waits for more.
    #[must_use]
    pub fn end(&self) -> End {
        self.0.end.clone()
    }

    /// The events of these kinds of streams after `position`: out of memory where they are there, and read for all
    /// policies where `position` is the furthest of all. Whoever is too far behind reads the book alone, and holds
    /// nobody up. Empty, without a question, when the book is known to end at `position`.
    ///
    /// # Errors
    /// The database's error.
    pub async fn page(&self, position: i64, kinds: &[String]) -> Result<Page, BookError> {
        let end = self.0.end.position();
        if end <= position {
            return Ok(Page {
                events: Vec::new(),
                to: position,
                noted: Arc::default(),
            });
        }
        let mut window = self.0.window.lock().await;
        window.widen(kinds);
        if position < window.after {
            // Up to where memory begins, so that it is found there from then on.
            let until = window.after.min(end);
            drop(window);
            metrics::counter!("daybook_policy_readings_total", "by" => "one that is behind").increment(1);
            let (stretch, noted) = self.read(position, until, kinds).await?;
            let page = Page {
                events: stretch.events.into_iter().map(Arc::new).collect(),
                to: stretch.to,
                noted: Arc::new(noted),
            };
            return self.opened(page).await;
        }
        if position > window.to {
            window.begin_at(position);
        }
        if position == window.to {
            metrics::counter!("daybook_policy_readings_total", "by" => "all").increment(1);
            let all: Vec<String> = window.kinds.iter().cloned().collect();
            let (stretch, noted) = self.read(position, end, &all).await?;
            window.add(stretch, noted);
        }
        let page = window.page(position, kinds);
        drop(window);
        self.opened(page).await
    }

    /// Reads the book, and then how the checkpoints stand: whoever finds an event of a kind that is new to its policy finds
    /// that the policy reads it, too, however short a time ago that was noted.
    async fn read(
        &self,
        position: i64,
        end: i64,
        kinds: &[String],
    ) -> Result<(Stretch, HashMap<String, Noted>), BookError> {
        let stretch = self
            .0
            .tail
            .of_types(position, end, kinds, PAGE_EVENTS_MAX as i64)
            .await?;
        if stretch.events.is_empty() {
            return Ok((stretch, HashMap::new()));
        }
        let asking =
            sqlx::query_as("select name, coalesce(kinds, '{}'), term from book.policies").fetch_all(&self.0.pool);
        let noted: Vec<(String, Vec<String>, i64)> = answered(async { Ok::<_, BookError>(asking.await?) }).await?;
        let noted = noted
            .into_iter()
            .map(|(name, kinds, term)| (name, Noted { kinds, term }));
        Ok((stretch, noted.collect()))
    }

    /// Opens what is sealed for the one who asked: memory holds events as they are stored, so that what is opened of
    /// a person does not stay there.
    async fn opened(&self, mut page: Page) -> Result<Page, BookError> {
        let is_sealed = |event: &&mut Arc<Recorded<String>>| !event.metadata.sealed.is_empty();
        let sealed: Vec<&mut Arc<Recorded<String>>> = page.events.iter_mut().filter(is_sealed).collect();
        if !sealed.is_empty() {
            let opening = self
                .0
                .tail
                .opened(sealed.iter().map(|event| (***event).clone()).collect());
            for (event, opened) in sealed.into_iter().zip(opening.await?) {
                *event = Arc::new(opened);
            }
        }
        Ok(page)
    }

    /// How many reactions a policy has missed, those aside that wait for their tenants, by a count that is at most `COUNT_SECONDS` old.
    ///
    /// # Errors
    /// The database's error.
    pub async fn missed(&self, policy: &str) -> Result<usize, BookError> {
        let mut missed = self.0.missed.lock().await;
        let every = Duration::from_secs(COUNT_SECONDS);
        if missed.counted.is_none_or(|counted| counted.elapsed() >= every) {
            let counting = sqlx::query_as("select policy, count(*) from book.missed where not waits group by policy");
            let counting = counting.fetch_all(&self.0.pool);
            let counts: Vec<(String, i64)> = answered(async { Ok::<_, BookError>(counting.await?) }).await?;
            missed.counts = counts.into_iter().collect();
            missed.counted = Some(Instant::now());
        }
        let count = missed.counts.get(policy).copied();
        Ok(count.and_then(|count| usize::try_from(count).ok()).unwrap_or_default())
    }

    /// Forgets what was read: whoever begins to lead may stand on another server than who led before.
    pub async fn forget(&self, position: i64) {
        self.0.window.lock().await.begin_at(position);
    }

    /// Something was missed: the next who wants to know has it counted.
    pub async fn has_missed(&self) {
        self.0.missed.lock().await.counted = None;
    }
}

/// The latest stretch of the book that was read for all policies: every event of `kinds` after `after` and up to `to`.
#[derive(Debug, Default)]
struct Window {
    kinds: BTreeSet<String>,
    after: i64,
    to: i64,
    events: VecDeque<Arc<Recorded<String>>>,
    bytes: usize,
    noted: Arc<HashMap<String, Noted>>,
}

impl Window {
    /// What was read without these kinds does not serve who wants them.
    fn widen(&mut self, kinds: &[String]) {
        if kinds.iter().any(|kind| !self.kinds.contains(kind)) {
            self.kinds.extend(kinds.iter().cloned());
            self.begin_at(self.to);
        }
    }

    fn begin_at(&mut self, position: i64) {
        (self.after, self.to) = (position, position);
        self.events.clear();
        self.bytes = 0;
    }

    fn add(&mut self, stretch: Stretch, noted: HashMap<String, Noted>) {
        if !stretch.events.is_empty() {
            self.noted = Arc::new(noted);
        }
        let added: usize = stretch.events.iter().map(weight).sum();
        // Whoever asked for the stretch has yet to get it, so only what was there before is let go.
        while self.bytes + added > WINDOW_BYTES_MAX {
            let Some(first) = self.events.pop_front() else { break };
            self.bytes -= weight(&first);
            self.after = first.position;
        }
        self.bytes += added;
        self.events.extend(stretch.events.into_iter().map(Arc::new));
        self.to = stretch.to;
    }

    /// What of it comes after `position`, which must be in it: at most [`PAGE_EVENTS_MAX`] events, which weigh no more
    /// than [`PAGE_BYTES_MAX`] unless it is one alone.
    fn page(&self, position: i64, kinds: &[String]) -> Page {
        let first = self.events.partition_point(|event| event.position <= position);
        let (mut events, mut bytes): (Vec<Arc<Recorded<String>>>, usize) = (Vec::new(), 0);
        let wanted = self
            .events
            .range(first..)
            .filter(|event| kinds.contains(&event.aggregate_type));
        for event in wanted {
            bytes += weight(event);
            let is_full = events.len() == PAGE_EVENTS_MAX || bytes > PAGE_BYTES_MAX;
            if let Some(last) = events.last().filter(|_| is_full) {
                let to = last.position;
                let noted = self.noted.clone();
                return Page { events, to, noted };
            }
            events.push(event.clone());
        }
        Page {
            events,
            to: self.to,
            noted: self.noted.clone(),
        }
    }
}

fn weight(event: &Recorded<String>) -> usize {
    EVENT_BYTES_MIN + event.event.len()
}

#[cfg(test)]
mod tests;
