//! Large answers on their way out: their bytes count until the client has taken them.
//!
//! Whoever asks for large pages and reads them slowly, or never, holds what is theirs and nobody else's.

use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody as _, to_bytes};
use axum::response::Response;

use crate::auth::Caller;
use crate::problem::Problem;
use crate::shares::{Share, Shares};

/// Answers smaller than this are not counted: the connection itself takes as much.
const COUNTED_BYTES_MIN: u64 = 16 * 1024;

/// The bytes of an answer with the share that they take. Written out, both are dropped.
struct Counted {
    bytes: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Counts the bytes of an answer to a read as its reader's, until they are written. Streams have no size, and are
/// bounded where they are made.
///
/// # Errors
/// As [`Shares::take`].
pub async fn counted(response: Response, shares: &Arc<Shares>, caller: &Caller) -> Result<Response, Problem> {
    let size = response.body().size_hint().exact();
    let (Some(size), Some(bearer)) = (size.filter(|&size| size >= COUNTED_BYTES_MIN), caller.get()) else {
        return Ok(response);
    };
    let share = shares.take(bearer, size)?;
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX)
        .await
        .map_err(|error| Problem::internal(&error))?;
    let counted = Counted { bytes, _share: share };
    Ok(Response::from_parts(parts, Body::from(Bytes::from_owner(counted))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::token::Bearer;
    use uuid::Uuid;

    fn caller() -> Caller {
        Caller::from(Bearer {
            tenant: Uuid::from_u128(1),
            user: Uuid::from_u128(2),
        })
    }

    #[tokio::test]
    async fn bytes_count_until_they_are_dropped() {
        let shares = Shares::new("test", "bytes", 300_000);
        let large = || Response::new(Body::from(vec![7; 60_000]));
        let held = counted(large(), &shares, &caller()).await.unwrap();
        assert_eq!(shares.held(), 60_000);
        let bytes = to_bytes(held.into_body(), usize::MAX).await.unwrap();
        assert_eq!((bytes.len(), shares.held()), (60_000, 60_000));
        assert!(
            counted(large(), &shares, &caller()).await.is_err(),
            "it is more than a third"
        );
        drop(bytes);
        assert_eq!(shares.held(), 0);
    }

    #[tokio::test]
    async fn small_answers_and_those_to_nobody_are_not_counted() {
        let shares = Shares::new("test", "bytes", 300_000);
        let _small = counted(Response::new(Body::from("x")), &shares, &caller())
            .await
            .unwrap();
        let large = Response::new(Body::from(vec![7; 60_000]));
        let _nobodys = counted(large, &shares, &Caller::default()).await.unwrap();
        assert_eq!(shares.held(), 0);
    }
}
