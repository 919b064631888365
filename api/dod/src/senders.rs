//! Who sends: a token stands for a source of a tenant.
//!
//! What is no token costs a reading of the book, too. Such readings have turns of their own, in rounds of the addresses
//! that ask for them, and what was good of late has others: so nobody holds up a sender by trying out tokens.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use book::{Book, BookError};
use dod::source::Source;
use dod::token::Token;
use http::auth::token::Bearer;
use http::fair::{Queues, Waiting};
use http::problem::{self, Problem};
use moka::future::Cache;
use uuid::Uuid;

/// For how long a sender is remembered, in seconds: so long may a token go on being good after it was retired.
pub const REMEMBERED_SECONDS: u64 = 5;
/// Bytes of the senders that are remembered, sources included.
const SENDERS_BYTES_MAX: u64 = 32 << 20;
/// Tokens that are remembered as none, and those that are as good of late.
const TOKENS_REMEMBERED_MAX: u64 = 10_000;
/// Tokens that are read of the book at one time: so many that are not known, and so many that were good of late.
const READINGS_MAX: usize = 4;
/// Requests that wait for a reading, and for how long: of one address, and of those near it.
const UNKNOWN_WAITING: Waiting = Waiting {
    of_user: 64,
    of_tenant: 256,
    patience: Duration::from_secs(5),
};
/// The same of one source and of one tenant, as long as the token was good of late.
const KNOWN_WAITING: Waiting = Waiting {
    of_user: 256,
    of_tenant: 1_024,
    patience: Duration::from_secs(15),
};

/// A sender whose token is good.
#[derive(Debug, Clone)]
pub struct Sender {
    pub tenant: Uuid,
    pub source_id: Uuid,
    pub token_id: Uuid,
    pub source: Arc<Source>,
}

impl Sender {
    /// In whose name its requests count.
    #[must_use]
    pub fn bearer(&self) -> Bearer {
        Bearer {
            tenant: self.tenant,
            user: self.source_id,
        }
    }

    fn bytes(&self) -> u32 {
        let source = serde_json::to_vec(&*self.source).map_or(usize::MAX, |json| json.len());
        u32::try_from(source.saturating_add(size_of::<Self>())).unwrap_or(u32::MAX)
    }
}

/// In whose name a request counts while nobody knows who sends: its address and the network of it, as far as one comes by
/// addresses together.
#[must_use]
pub fn stranger(from: IpAddr) -> Bearer {
    let (network, address) = match from.to_canonical() {
        IpAddr::V4(address) => {
            let bits = u128::from(address.to_bits());
            (bits >> 8, bits)
        }
        IpAddr::V6(address) => (address.to_bits() >> 80, address.to_bits() >> 64),
    };
    Bearer {
        tenant: Uuid::from_u128(network),
        user: Uuid::from_u128(address),
    }
}

/// The senders of late.
#[derive(Debug)]
pub struct Senders {
    known: Cache<Uuid, Sender>,
    none: Cache<Uuid, ()>,
    /// In whose name those are read anew that were good when they were last read.
    were_good: Cache<Uuid, Bearer>,
    unknown_turns: Arc<Queues>,
    known_turns: Arc<Queues>,
}

impl Default for Senders {
    fn default() -> Self {
        let remembered = Duration::from_secs(REMEMBERED_SECONDS);
        let purpose = "to have their token looked up";
        Self {
            known: Cache::builder()
                .max_capacity(SENDERS_BYTES_MAX)
                .weigher(|_, sender: &Sender| sender.bytes())
                .time_to_live(remembered)
                .build(),
            none: Cache::builder()
                .max_capacity(TOKENS_REMEMBERED_MAX)
                .time_to_live(remembered)
                .build(),
            were_good: Cache::new(TOKENS_REMEMBERED_MAX),
            unknown_turns: Queues::new("dod_unknown_tokens", purpose, READINGS_MAX, UNKNOWN_WAITING),
            known_turns: Queues::new("dod_known_tokens", purpose, READINGS_MAX, KNOWN_WAITING),
        }
    }
}

/// Why there is no sender.
#[derive(Debug, Clone)]
enum Nobody {
    /// It is no token, or not any more.
    Unknown,
    /// It is not known now.
    Problem(Problem),
}

/// No source has the token, or none that is there.
#[must_use]
pub fn unknown() -> Problem {
    Problem::new(problem::UNAUTHENTICATED, "no source has this token; have one issued")
}

impl From<Nobody> for Problem {
    fn from(nobody: Nobody) -> Self {
        match nobody {
            Nobody::Unknown => unknown(),
            Nobody::Problem(problem) => problem,
        }
    }
}

impl Senders {
    /// Whose token it is that is shown from there.
    ///
    /// # Errors
    /// 401 for what is none, or not any more; 503 when too many others wait, and for the failure of the book.
    pub async fn of(&self, book: &Book, from: IpAddr, token: &str) -> Result<Sender, Problem> {
        let stream = Token::stream(token).ok_or(Nobody::Unknown)?;
        Ok(self.find(stream, from, read(book, stream, token)).await?)
    }

    async fn find<R>(&self, stream: Uuid, from: IpAddr, read: R) -> Result<Sender, Nobody>
    where
        R: Future<Output = Result<Option<Sender>, BookError>>,
    {
        if self.none.contains_key(&stream) {
            return Err(Nobody::Unknown);
        }
        // All who show one token at a time share a reading.
        let reading = async {
            let turn = match self.were_good.get(&stream).await {
                Some(bearer) => self.known_turns.turn(bearer).await,
                None => self.unknown_turns.turn(stranger(from)).await,
            };
            let _turn = turn.map_err(no_turn)?;
            match read.await.map_err(unread)? {
                Some(sender) => {
                    self.were_good.insert(stream, sender.bearer()).await;
                    Ok(sender)
                }
                None => {
                    self.were_good.invalidate(&stream).await;
                    self.none.insert(stream, ()).await;
                    Err(Nobody::Unknown)
                }
            }
        };
        let known = self.known.try_get_with(stream, reading).await;
        known.map_err(|nobody: Arc<Nobody>| Nobody::clone(&nobody))
    }
}

/// There is no turn. Nobody knows yet how the sender understands that; more of them try again after 503 than after 429.
fn no_turn(problem: Problem) -> Nobody {
    let is_share = problem.status == StatusCode::TOO_MANY_REQUESTS;
    Nobody::Problem(match is_share {
        true => Problem::new(
            problem::OVERLOADED,
            "too many requests from this address wait to have their token looked up; send it again",
        ),
        false => problem,
    })
}

/// Whoever asks has shown nothing yet: what is wrong within is for the log.
fn unread(error: BookError) -> Nobody {
    tracing::warn!(%error, "whose token it is could not be read");
    let detail = "whose token it is cannot be read now; send it again";
    Nobody::Problem(Problem::new(problem::UNAVAILABLE, detail))
}

async fn read(book: &Book, stream: Uuid, token: &str) -> Result<Option<Sender>, BookError> {
    let Some((tenant, issued)) = book.of_whom::<Token>(stream).await? else {
        return Ok(None);
    };
    let Some(source_id) = issued.source_id() else {
        return Ok(None);
    };
    let source = book.now::<Source>(tenant, source_id).await?;
    let Some(source) = source else { return Ok(None) };
    let token_id = source.token(&Token::digest(token));
    Ok(token_id.map(|token_id| Sender {
        tenant,
        source_id,
        token_id,
        source,
    }))
}

#[cfg(test)]
mod tests;
