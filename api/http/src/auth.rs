//! Who asks, and what they may do: the token says who, the book says what.

pub mod changes;
pub mod departments;
pub mod keys;
pub mod principal;
pub mod remembered;
pub mod token;

use std::sync::{Arc, OnceLock};

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use chrono::{DateTime, Utc};

use crate::app::App;
use crate::problem::{self, Problem};
use crate::shares::Share;
use keys::Unverified;
use token::{BadToken, Bearer, Verified};

pub use principal::Principal;

/// A request's principal, once it is authenticated, within its rate and has a place among the requests under way.
#[derive(Debug, Clone)]
pub struct By {
    pub principal: Arc<Principal>,
    pub bearer: Bearer,
    /// When the token expires.
    pub until: DateTime<Utc>,
    /// Absent once the request waits for something to happen, and is counted there.
    place: Option<Arc<Share>>,
}

/// Who sent a request, known to the layers around its handler once the token was found good. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Caller(Arc<OnceLock<Bearer>>);

impl Caller {
    /// Who it is; `None` for a request that was not authenticated.
    #[must_use]
    pub fn get(&self) -> Option<Bearer> {
        self.0.get().copied()
    }
}

impl From<Bearer> for Caller {
    fn from(bearer: Bearer) -> Self {
        Self(Arc::new(OnceLock::from(bearer)))
    }
}

impl By {
    /// Gives the place among the requests under way back: whoever waits long takes one of those that are for that.
    pub fn leave(&mut self) {
        self.place = None;
    }

    /// The answer to a request during which its token has expired.
    #[must_use]
    pub fn expired() -> Problem {
        refused(BadToken::Expired)
    }
}

impl std::ops::Deref for By {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.principal
    }
}

impl FromRequestParts<App> for By {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Verified { bearer, until } =
            app.verifier
                .verify(bearer_token(parts)?)
                .await
                .map_err(|unverified| match unverified {
                    Unverified::Bad(bad) => refused(bad),
                    Unverified::KeysUnavailable => Problem::new(
                        problem::UNAVAILABLE,
                        "the identity provider's keys cannot be fetched now; try again in a moment",
                    ),
                })?;
        let span = tracing::Span::current();
        span.record("tenant", tracing::field::display(bearer.tenant));
        span.record("actor", tracing::field::display(bearer.user));
        if let Some(Caller(caller)) = parts.extensions.get() {
            // Authenticated once.
            let _ = caller.set(bearer);
        }
        app.rates.check(bearer)?;
        // Before anything is read of the book, and long before the body is: who may do nothing holds it for a moment.
        let place = app.bounds.places.take(bearer, 1)?;
        Ok(Self {
            principal: app.principals.of(bearer).await?,
            bearer,
            until,
            place: Some(Arc::new(place)),
        })
    }
}

fn bearer_token(parts: &Parts) -> Result<&str, Problem> {
    let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
    // Of two headers, a proxy before us may have looked at the other one.
    let (Some(header), None) = (headers.next(), headers.next()) else {
        return Err(refused(BadToken::Missing));
    };
    let text = header.to_str().map_err(|_| refused(BadToken::Malformed))?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        Some(_) | None => Err(refused(BadToken::Missing)),
    }
}

fn refused(bad: BadToken) -> Problem {
    let challenge = match bad {
        BadToken::Missing => "Bearer realm=\"daybook\"",
        _ => "Bearer realm=\"daybook\", error=\"invalid_token\"",
    };
    Problem::new(problem::UNAUTHENTICATED, bad.to_string()).challenge(challenge)
}
