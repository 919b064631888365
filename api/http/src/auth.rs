//! Who asks, and what they may do: the token says who, the book says what.

pub mod changes;
pub mod departments;
pub mod keys;
pub mod principal;
pub mod remembered;
pub mod service_keys;
pub mod token;

use std::sync::{Arc, OnceLock};

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::app::App;
use crate::problem::{self, Problem};
use crate::shares::Share;
use keys::Unverified;
use service_keys::Shown;
use token::{BadToken, Bearer, OPERATOR_CLAIM, Verified};

pub use principal::Principal;

/// A request's principal, once it is authenticated, within its rate and has a place among the requests under way.
#[derive(Debug, Clone)]
pub struct By {
    pub principal: Arc<Principal>,
    pub bearer: Bearer,
    /// When the token expires.
    pub until: DateTime<Utc>,
    /// Whether the token says that they operate the whole installation, too.
    pub is_operator: bool,
    /// The only device in whose name they may do something, when they showed a key that is bound to one.
    pub device: Option<Arc<str>>,
    /// The key that they showed in the place of a token.
    key: Option<Uuid>,
    /// Absent once the request waits for something to happen, and is counted there.
    place: Option<Arc<Share>>,
}

/// Whoever operates the whole installation, as their token alone says: no role grants it, and they need not be
/// registered with the tenant that the token names.
#[derive(Debug, Clone)]
pub struct Operator {
    pub bearer: Bearer,
    /// Among the requests under way.
    _place: Arc<Share>,
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

    /// Says who it is, once that is found out.
    pub fn set(&self, bearer: Bearer) {
        // Authenticated once.
        let _ = self.0.set(bearer);
    }
}

impl From<Bearer> for Caller {
    fn from(bearer: Bearer) -> Self {
        Self(Arc::new(OnceLock::from(bearer)))
    }
}

impl By {
    /// Refuses what is another device's to whoever is bound to one.
    ///
    /// # Errors
    /// 403.
    pub fn require_device(&self, device: &str) -> Result<(), Problem> {
        match &self.device {
            Some(own) if **own != *device => {
                let detail =
                    format!("the key is bound to the device {own}, and this is about another one; use its own key");
                Err(Problem::new(problem::FOREIGN_DEVICE, detail))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Gives the place among the requests under way back: whoever waits long takes one of those that are for that.
    pub fn leave(&mut self) {
        self.place = None;
    }

    /// Looks again who this is, for whoever is answered over a time: the token may have expired, the key been revoked, a
    /// role been taken away since.
    ///
    /// # Errors
    /// As of a request that comes now.
    pub async fn look_again(&mut self, app: &App) -> Result<(), Problem> {
        if Utc::now() > self.until {
            return Err(refused(BadToken::Expired));
        }
        if let Some(key) = self.key
            && !app.principals.keys.is_good(key).await?
        {
            return Err(refused(BadToken::Key));
        }
        self.principal = principal(app, self.bearer, self.device.is_some()).await?;
        Ok(())
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
        let Shown { verified, key, device } = verified(parts, app).await?;
        let Verified {
            bearer,
            until,
            is_operator,
        } = verified;
        // Before anything is read of the book, and long before the body is: who may do nothing holds it for a moment.
        let place = app.bounds.places.take(bearer, 1)?;
        Ok(Self {
            principal: principal(app, bearer, device.is_some()).await?,
            bearer,
            until,
            is_operator,
            device,
            key,
            place: Some(Arc::new(place)),
        })
    }
}

impl FromRequestParts<App> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Verified {
            bearer, is_operator, ..
        } = verified(parts, app).await?.verified;
        if is_operator {
            let place = app.bounds.places.take(bearer, 1)?;
            return Ok(Self {
                bearer,
                _place: Arc::new(place),
            });
        }
        let detail = format!(
            "this concerns the whole installation and needs a token with the claim {OPERATOR_CLAIM}, which no role \
             grants; ask whoever runs Daybook"
        );
        Err(Problem::new(problem::OPERATOR_ONLY, detail))
    }
}

/// The principal of a bearer; of whoever shows a key for one device, with what is a device's alone: whatever else their
/// roles permit could be about any.
async fn principal(app: &App, bearer: Bearer, is_device: bool) -> Result<Arc<Principal>, Problem> {
    let principal = app.principals.of(bearer).await?;
    Ok(match is_device {
        true => Arc::new(principal.with_only(app.contexts.of_devices())),
        false => principal,
    })
}

/// What the request's token says, or the key that it has in the place of one; once its bearer is within their rate.
async fn verified(parts: &Parts, app: &App) -> Result<Shown, Problem> {
    let token = bearer_token(parts)?;
    let shown = if token.starts_with(service_keys::PREFIX) {
        app.principals.keys.verify(token).await?.map_err(refused)?
    } else {
        let verified = app.verifier.verify(token).await;
        let verified = verified.map_err(|unverified| match unverified {
            Unverified::Bad(bad) => refused(bad),
            Unverified::KeysUnavailable => Problem::new(
                problem::UNAVAILABLE,
                "the identity provider's keys cannot be fetched now; try again in a moment",
            ),
        })?;
        Shown {
            verified,
            key: None,
            device: None,
        }
    };
    let bearer = shown.verified.bearer;
    let span = tracing::Span::current();
    span.record("tenant", tracing::field::display(bearer.tenant));
    span.record("actor", tracing::field::display(bearer.user));
    if let Some(caller) = parts.extensions.get::<Caller>() {
        caller.set(bearer);
    }
    app.rates.check(bearer)?;
    Ok(shown)
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
