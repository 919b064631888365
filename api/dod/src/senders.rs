//! Who sends: a token stands for a source of a tenant.

use std::sync::Arc;
use std::time::Duration;

use book::{Book, BookError};
use dod::source::Source;
use dod::token::Token;
use http::auth::token::Bearer;
use http::problem::{self, Problem};
use tokio::sync::Semaphore;
use uuid::Uuid;

/// Senders of late that are remembered, good ones and others.
const REMEMBERED_MAX: u64 = 10_000;
/// For how long, in seconds: so long may a token go on being good after it was retired.
pub const REMEMBERED_SECONDS: u64 = 5;
/// Tokens that are read of the book at one time: whoever tries out what is none takes no more connections than these.
const READINGS_MAX: usize = 4;

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
}

/// The senders of late.
#[derive(Debug)]
pub struct Senders {
    known: moka::future::Cache<Uuid, Option<Sender>>,
    reading: Semaphore,
}

impl Default for Senders {
    fn default() -> Self {
        let known = moka::future::Cache::builder()
            .max_capacity(REMEMBERED_MAX)
            .time_to_live(Duration::from_secs(REMEMBERED_SECONDS))
            .build();
        Self {
            known,
            reading: Semaphore::new(READINGS_MAX),
        }
    }
}

impl Senders {
    /// Whose token it is.
    ///
    /// # Errors
    /// 401 for what is none, or not any more; the failure of the book.
    pub async fn of(&self, book: &Book, token: &str) -> Result<Sender, Problem> {
        let unknown = || Problem::new(problem::UNAUTHENTICATED, "no source has this token; have one issued");
        let stream = Token::stream(token).ok_or_else(unknown)?;
        let reading = async {
            // It is never closed.
            let _permit = self.reading.acquire().await;
            read(book, stream, token).await.map_err(Arc::new)
        };
        let known = self.known.try_get_with(stream, reading).await;
        let known = known.map_err(|error: Arc<Arc<BookError>>| {
            Problem::new(
                problem::UNAVAILABLE,
                format!("whose token it is cannot be read now ({error}); send it again"),
            )
        })?;
        known.ok_or_else(unknown)
    }
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
