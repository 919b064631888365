//! What of each source was refused at the door, as one process has seen it: such a request leaves no event.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use http::metric::{Kind, Metric};
use uuid::Uuid;

use crate::senders::Sender;

/// Sources that are told apart.
const SOURCES_MAX: usize = 10_000;

/// What is counted of them.
pub const COUNTED: Metric = Metric {
    kind: Kind::Counter,
    name: "daybook_dod_refused_total",
    labels: &["reason"],
    help: "Bodies of senders that were refused at the door, by why.",
};

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    Empty,
    MediaType,
    Signature,
    TooLarge,
    /// It is no event as its protocol has them.
    Invalid,
    /// The bodies of the tenant take up all the room that they may.
    Full,
    /// It is kept in the object store, which did not take it.
    Unstored,
}

impl Reason {
    /// As answers and metrics call it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::MediaType => "media_type",
            Self::Signature => "signature",
            Self::TooLarge => "too_large",
            Self::Invalid => "invalid",
            Self::Full => "full",
            Self::Unstored => "unstored",
        }
    }
}

/// How often and when last.
#[derive(Debug, Clone, Copy)]
pub struct Count {
    pub times: u64,
    pub last_at: DateTime<Utc>,
}

/// The refusals since the process began.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<HashMap<(Uuid, Uuid, Reason), Count>>);

impl Refusals {
    /// Counts one.
    pub fn note(&self, sender: &Sender, reason: Reason) {
        metrics::counter!("daybook_dod_refused_total", "reason" => reason.word()).increment(1);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (sender.tenant, sender.source_id, reason);
        if counts.len() >= SOURCES_MAX && !counts.contains_key(&key) {
            counts.clear();
        }
        let count = counts.entry(key).or_insert(Count {
            times: 0,
            last_at: Utc::now(),
        });
        count.times += 1;
        count.last_at = Utc::now();
    }

    /// Those of a tenant's sources, in their order.
    #[must_use]
    pub fn of(&self, tenant: Uuid) -> Vec<(Uuid, Reason, Count)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_tenant = counts.iter().filter(|((of, _, _), _)| *of == tenant);
        let mut found: Vec<_> = of_tenant
            .map(|((_, source_id, reason), count)| (*source_id, *reason, *count))
            .collect();
        found.sort_unstable_by_key(|(source_id, reason, _)| (*source_id, *reason));
        found
    }
}
