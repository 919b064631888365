//! The security log: who was refused what, and why, without anything that is a secret or tells who a person is.
//!
//! Each answer of 401, 403, 429 and 503 is a line with the target `daybook::security` and counts in
//! `daybook_refused_total`; each other answer of 5xx is a line, too. Lines are bounded for each status by itself, so that
//! a flood of one hides nothing of the others; what was left out is counted, and the next line says so.
//!
//! A line has ids alone: no token, body, parameter, and no words of a problem, which may quote what was sent. Those of a 401
//! quote nothing, and say what is wrong with a token.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{ConnectInfo, Request};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tracing::{error, info, warn};

use crate::auth::Caller;
use crate::problem::Problem;

/// Lines a second of answers with one status.
const LINES_PER_SECOND_MAX: u32 = 50;

/// What of this process was refused and failed.
static LOG: LazyLock<Log> = LazyLock::new(|| Log::new(LINES_PER_SECOND_MAX));

/// One request, from before it is handled until it is answered.
#[derive(Debug)]
pub struct Watched {
    method: Method,
    from: Option<SocketAddr>,
    caller: Caller,
}

impl Watched {
    /// Begins to watch a request.
    #[must_use]
    pub fn of(request: &Request, caller: Caller) -> Self {
        let from = request.extensions().get::<ConnectInfo<SocketAddr>>();
        Self {
            method: request.method().clone(),
            from: from.map(|ConnectInfo(from)| *from),
            caller,
        }
    }

    /// Counts and tells how the request was answered, if that is to be told.
    pub fn answered(&self, route: &str, request_id: &str, response: &Response) {
        // A process that is not ready is asked again and again, and says itself what it lacks.
        if route.starts_with("/health/") {
            return;
        }
        let status = response.status();
        let Some(told) = Told::of(status) else { return };
        let problem = response.extensions().get::<Problem>();
        let kind = problem.map_or("", Problem::kind);
        if told == Told::Failed {
            metrics::counter!("daybook_failed_total").increment(1);
        } else {
            let (code, of_kind) = (status.as_str().to_owned(), label(kind).to_owned());
            metrics::counter!("daybook_refused_total", "status" => code, "kind" => of_kind).increment(1);
        }
        let Some(left_out) = LOG.line(told) else { return };
        let asker = self.caller.get();
        let (tenant, user) = (
            asker.map(|asker| tracing::field::display(asker.tenant)),
            asker.map(|asker| tracing::field::display(asker.user)),
        );
        let from = self.from.map(|from| tracing::field::display(from.ip().to_canonical()));
        let permission = problem.and_then(Problem::permission);
        let why = problem
            .filter(|_| status == StatusCode::UNAUTHORIZED)
            .map(Problem::detail);
        let (status, method) = (status.as_u16(), self.method.as_str());
        // The level is part of the place that a line comes from, so each has a line of its own.
        macro_rules! tell {
            ($level:ident, $words:literal) => {
                $level!(
                    target: "daybook::security",
                    status, kind, permission, why, tenant, user, from, method, route, request_id, left_out, $words
                )
            };
        }
        match told {
            Told::Unauthenticated | Told::Forbidden | Told::TooMany => tell!(info, "a request was refused"),
            Told::Unavailable => tell!(warn, "a request could not be served"),
            Told::Failed => tell!(error, "a request failed"),
        }
    }
}

/// The answers that are told, each bounded by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Unauthenticated,
    Forbidden,
    TooMany,
    Unavailable,
    /// Any other 5xx.
    Failed,
}

impl Told {
    fn of(status: StatusCode) -> Option<Self> {
        match status {
            StatusCode::UNAUTHORIZED => Some(Self::Unauthenticated),
            StatusCode::FORBIDDEN => Some(Self::Forbidden),
            StatusCode::TOO_MANY_REQUESTS => Some(Self::TooMany),
            StatusCode::SERVICE_UNAVAILABLE => Some(Self::Unavailable),
            failed if failed.is_server_error() => Some(Self::Failed),
            _ => None,
        }
    }
}

/// How a counter names a kind of problem: the rules of all kinds of streams are one, or each would make a series.
fn label(kind: &str) -> &str {
    match kind.strip_prefix("/problems/") {
        Some(general) if !general.contains('/') => general,
        Some(_) => "rule",
        None => "none",
    }
}

/// Lines that are bounded, and how many were left out.
struct Log {
    kinds: [Bounded; 5],
}

struct Bounded {
    limiter: DefaultDirectRateLimiter,
    left_out: AtomicU64,
}

impl Log {
    fn new(per_second: u32) -> Self {
        let per_second = NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
        Self {
            kinds: std::array::from_fn(|_| Bounded {
                limiter: RateLimiter::direct(Quota::per_second(per_second)),
                left_out: AtomicU64::new(0),
            }),
        }
    }

    /// Whether there is room for a line, and how many of its kind were left out since the last one.
    fn line(&self, told: Told) -> Option<u64> {
        let kind = &self.kinds[told as usize];
        if kind.limiter.check().is_ok() {
            return Some(kind.left_out.swap(0, Ordering::Relaxed));
        }
        kind.left_out.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::{FORBIDDEN, UNAUTHENTICATED};

    #[test]
    fn a_flood_is_cut_and_counted() {
        let log = Log::new(1);
        assert_eq!(log.line(Told::Unauthenticated), Some(0));
        for _ in 0..1_000 {
            // One at most passes in the moment that this takes.
            let _ = log.line(Told::Unauthenticated);
        }
        let left_out = log.kinds[Told::Unauthenticated as usize]
            .left_out
            .load(Ordering::Relaxed);
        assert!(left_out >= 900, "{left_out}");
        // It hides no other.
        for other in [Told::Forbidden, Told::TooMany, Told::Unavailable, Told::Failed] {
            assert_eq!(log.line(other), Some(0), "{other:?}");
        }
    }

    #[test]
    fn refusals_and_failures_are_told_and_nothing_else_is() {
        let told = |status: u16| Told::of(StatusCode::from_u16(status).unwrap());
        for untold in [200, 204, 304, 400, 404, 409, 412, 422] {
            assert_eq!(told(untold), None, "{untold}");
        }
        assert_eq!(told(401), Some(Told::Unauthenticated));
        assert_eq!(told(403), Some(Told::Forbidden));
        assert_eq!(told(429), Some(Told::TooMany));
        assert_eq!(told(503), Some(Told::Unavailable));
        assert_eq!((told(500), told(501)), (Some(Told::Failed), Some(Told::Failed)));
    }

    #[test]
    fn a_counter_has_a_series_for_each_general_kind_and_one_for_all_rules() {
        let kind = |problem: Problem| label(problem.kind()).to_owned();
        assert_eq!(kind(Problem::new(FORBIDDEN, "")), "forbidden");
        assert_eq!(kind(Problem::new(UNAUTHENTICATED, "")), "unauthenticated");
        assert_eq!(label("/problems/sample.thing/not-yours"), "rule");
        assert_eq!(label(""), "none");
    }
}
