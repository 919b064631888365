//! The body of a request, lent to its handler: what that leaves unread comes back.
//!
//! A server of HTTP/1 cannot go on with a connection on which part of a request is still to come. A client that is not
//! told so sends its next request into nothing, and cannot know whether that was carried out.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes, HttpBody as _};
use axum::extract::Request;
use axum::http::{HeaderValue, Version, header};
use axum::response::Response;
use futures::{Stream, StreamExt as _};

/// How much of a body that nobody read is read after all, and for how long, in seconds.
const DRAINED_BYTES_MAX: usize = 8 << 20;
const DRAIN_SECONDS_MAX: u64 = 2;

/// Where the body comes back to.
type Place = Arc<Mutex<Option<BodyDataStream>>>;

/// What is kept of a request while it is handled.
#[derive(Debug)]
pub struct Rest {
    unread: Place,
    /// A client that waits for a word before it sends its body gets the answer instead.
    awaits_word: bool,
    has_connection: bool,
}

/// Lends the body of a request.
pub fn lend(request: Request) -> (Request, Rest) {
    let unread = Place::default();
    let rest = Rest {
        unread: unread.clone(),
        awaits_word: request.headers().contains_key(header::EXPECT),
        has_connection: request.version() < Version::HTTP_2,
    };
    if request.body().is_end_stream() {
        return (request, rest);
    }
    let lent = |body: Body| {
        Body::from_stream(Lent {
            body: Some(body.into_data_stream()),
            place: unread,
        })
    };
    (request.map(lent), rest)
}

impl Rest {
    /// Reads what was left of the body, so that a client that sends before it listens comes to the point where it
    /// hears the answer. If it does not end within the bounds, the answer says that the connection does.
    pub async fn settle(self, response: &mut Response) {
        let unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(unread) = unread.filter(|_| self.has_connection) else {
            return;
        };
        if self.awaits_word || !is_drained(unread).await {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
    }
}

/// Reads a body to its end, which it has to have within the bounds.
async fn is_drained(mut body: BodyDataStream) -> bool {
    let reading = async {
        let mut read = 0;
        while let Some(chunk) = body.next().await {
            let Ok(chunk) = chunk else { return false };
            read += chunk.len();
            if read > DRAINED_BYTES_MAX {
                return false;
            }
        }
        true
    };
    let limit = Duration::from_secs(DRAIN_SECONDS_MAX);
    tokio::time::timeout(limit, reading).await.unwrap_or(false)
}

/// A body that goes back when it is dropped before its end.
struct Lent {
    /// Absent once it has ended.
    body: Option<BodyDataStream>,
    place: Place,
}

impl Stream for Lent {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let polled = body.poll_next_unpin(context);
        if let Poll::Ready(None) = polled {
            self.body = None;
        }
        polled
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(body) = self.body.take() {
            *self.place.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
        }
    }
}
