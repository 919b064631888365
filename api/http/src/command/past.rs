//! A command that is tried on the past before it is sent: what is in a span of the book, and would go another way with it.
//!
//! Which span, who may ask, and how much is looked at is decided here. What is compared is for the context to say.

use std::time::{Duration, Instant};

use book::{ExecuteError, Rehearsed};
use domain::fact::AnyState;
use domain::{AnyEvent, Decider, Recorded};
use futures::future::BoxFuture;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::Sent;
use crate::app::App;
use crate::audit::log::{self, Range, Size, Wanted};
use crate::auth::By;
use crate::moment::Moment;
use crate::problem::Problem;

/// The header, as problems name it.
const SPAN: &str = "Daybook-Span";

/// Positions of a span.
pub const SPAN_POSITIONS_MAX: i64 = 1_000_000;
/// Events that one request looks at, and bytes of them.
pub const SPAN_EVENTS_MAX: usize = 10_000;
pub const SPAN_BYTES_MAX: usize = 32 << 20;
/// How long it looks, in seconds.
pub const SPAN_SECONDS_MAX: u64 = 10;

/// Events that are read at one go, and bytes of them.
const AT_ONCE: Size = Size {
    events: 500,
    bytes: 4 << 20,
    patience: Duration::ZERO,
};

/// How commands are tried on the past, as their context declares it.
pub struct Rehearsal {
    pub aggregate_type: &'static str,
    pub commands: &'static [&'static str],
    /// Needed besides the command's own: to read what is looked at.
    pub permission: &'static str,
    /// Looks, and says what would go another way.
    pub look: for<'a> fn(Tried<'a>) -> BoxFuture<'a, Result<Value, Problem>>,
}

impl std::fmt::Debug for Rehearsal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rehearsal({} {:?})", self.aggregate_type, self.commands)
    }
}

/// A span of the book as a request names it: `1200..5300`, `2026-01-31T00:00:00Z..`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskedSpan {
    from: Moment,
    /// The end of the book when absent.
    to: Option<Moment>,
}

/// A span of the book. Both positions belong to it; it is empty where `from` comes after `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub from: i64,
    pub to: i64,
}

/// A command that is tried: the stream that it is sent to without it and with it.
pub struct Tried<'a> {
    pub app: &'a App,
    pub by: &'a By,
    pub stream: Uuid,
    before: AnyState,
    after: AnyState,
    /// What the command would lead to.
    pub happened: Vec<AnyEvent>,
    pub span: Span,
}

/// How far the past was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looked {
    /// The last position that was; whoever wants more goes on after it.
    pub to: i64,
    pub ended_by: EndedBy,
}

/// Why it was looked no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// The span was at its end.
    Span,
    /// [`SPAN_EVENTS_MAX`] were looked at.
    Events,
    /// [`SPAN_BYTES_MAX`] were.
    Bytes,
    /// It took [`SPAN_SECONDS_MAX`].
    Time,
}

impl AskedSpan {
    /// # Errors
    /// 400, naming the header.
    pub fn parse(value: &[u8]) -> Result<Self, Problem> {
        let text = std::str::from_utf8(value).unwrap_or_default();
        let Some((from, to)) = text.split_once("..") else {
            let detail = "Daybook-Span is `<from>..<to>`: positions such as 1200..5300, or times; without the second it \
                          reaches to the end of the book";
            return Err(Problem::bad_value(SPAN, detail));
        };
        let from = Moment::parse(SPAN, from)?;
        let to = (!to.is_empty()).then(|| Moment::parse(SPAN, to)).transpose()?;
        let ends_before = match (from, to) {
            (Moment::Position(from), Some(Moment::Position(to))) => to < from,
            (Moment::Time(from), Some(Moment::Time(to))) => to < from,
            _ => false,
        };
        match ends_before {
            true => Err(Problem::bad_value(SPAN, "Daybook-Span ends before it begins")),
            false => Ok(Self { from, to }),
        }
    }

    /// The positions that are meant.
    ///
    /// # Errors
    /// 422 when the book does not reach so far, naming its end; 400 when there are too many of them, naming the bound.
    async fn span(self, app: &App, by: &By) -> Result<Span, Problem> {
        let to = match self.to {
            Some(moment) => moment.position(app, by.bearer, SPAN).await?,
            None => app.end_now().await?,
        };
        let from = match self.from {
            Moment::Position(_) => self.from.position(app, by.bearer, SPAN).await?.max(1),
            // Those before that time are left out.
            Moment::Time(time) => {
                let before = Moment::Time(time - chrono::Duration::microseconds(1));
                before.position(app, by.bearer, SPAN).await? + 1
            }
        };
        Span { from, to }.bounded()
    }
}

impl Span {
    fn bounded(self) -> Result<Self, Problem> {
        let positions = (self.to - self.from).saturating_add(1);
        if positions > SPAN_POSITIONS_MAX {
            let detail = format!(
                "{SPAN} has {positions} positions, and at most {SPAN_POSITIONS_MAX} are looked at; ask for a part of it"
            );
            return Err(Problem::bad_value(SPAN, detail));
        }
        Ok(self)
    }
}

impl Sent<'_> {
    /// How the command is tried on the past, if that is asked for, and on which part of it.
    ///
    /// # Errors
    /// 400 where it cannot be, or not on that; 403 to those who may not read what is looked at.
    pub(super) async fn on_the_past(&self, app: &App, by: &By) -> Result<Option<(&'static Rehearsal, Span)>, Problem> {
        let Some(span) = self.headers.span else {
            return Ok(None);
        };
        let rehearsal = app.contexts.rehearsal(self.aggregate, self.command).ok_or_else(|| {
            let kind = self.aggregate.aggregate_type;
            let detail = format!("{} of {kind} is not tried on the past; leave {SPAN} out", self.command);
            Problem::bad_value(SPAN, detail)
        })?;
        by.require_unbound()?;
        by.require(rehearsal.permission)?;
        Ok(Some((rehearsal, span.span(app, by).await?)))
    }

    /// Says what of a span would go another way, were what was rehearsed to happen.
    pub(super) async fn look_at_the_past(
        &self,
        app: &App,
        by: &By,
        rehearsed: &Rehearsed,
        rehearsal: &Rehearsal,
        span: Span,
    ) -> Result<Value, Problem> {
        let (before, sequence) = app.book.seen(by.tenant, self.aggregate.fact(self.stream)).await?;
        let before = before.unwrap_or_else(|| self.aggregate.unborn());
        // It may have moved on since the command was decided.
        if rehearsed
            .events
            .first()
            .is_some_and(|first| first.sequence != sequence + 1)
        {
            return Err(ExecuteError::Contended.into());
        }
        let mut happened = Vec::with_capacity(rehearsed.events.len());
        let mut after = before.clone();
        for event in &rehearsed.events {
            let event = app
                .contexts
                .decisions()
                .decode(event)
                .map_err(|error| Problem::internal(&error))?;
            let event = event.ok_or_else(|| Problem::internal(&"a command made an event of no known kind"))?;
            after = event.evolved(after).unwrap_or_else(|| before.clone());
            happened.push(event);
        }
        let tried = Tried {
            app,
            by,
            stream: self.stream,
            before,
            after,
            happened,
            span,
        };
        (rehearsal.look)(tried).await
    }
}

impl Tried<'_> {
    /// The state of the stream as it is, and as it would be.
    ///
    /// # Errors
    /// 500 when it is a stream of another kind, which is a defect of this program.
    pub fn states<D: Decider>(&self) -> Result<(&D, &D), Problem> {
        let both = self.before.downcast_ref().zip(self.after.downcast_ref());
        both.ok_or_else(|| Problem::internal(&"a rehearsal is of another kind of stream"))
    }

    /// Has each event of this kind looked at that is in the span, in order, until a bound is met. A few are read at a turn
    /// of the log, and looked at where that keeps nobody waiting.
    ///
    /// # Errors
    /// The failure of the book; 429 or 503 when it does not get its turns.
    pub async fn each<C: Send + 'static>(
        &self,
        wanted: &Wanted,
        mut compared: C,
        look: fn(&mut C, &Recorded<AnyEvent>),
    ) -> Result<(C, Looked), Problem> {
        let until = Instant::now() + Duration::from_secs(SPAN_SECONDS_MAX);
        let (mut events, mut bytes) = (0, 0);
        let mut range = Range {
            above: self.span.from - 1,
            upto: self.span.to,
        };
        let ended_by = loop {
            if range.above >= range.upto {
                break EndedBy::Span;
            }
            if events >= SPAN_EVENTS_MAX {
                break EndedBy::Events;
            }
            if bytes >= SPAN_BYTES_MAX {
                break EndedBy::Bytes;
            }
            if Instant::now() >= until {
                break EndedBy::Time;
            }
            let left = i64::try_from(SPAN_EVENTS_MAX - events).unwrap_or(AT_ONCE.events);
            let size = Size {
                events: AT_ONCE.events.min(left),
                ..AT_ONCE
            };
            let found = log::search(self.app, self.by, wanted, range, false, size).await?;
            range.above = found.rest.map_or(range.upto, |rest| rest.above);
            events += found.events.len();
            bytes += found.events.iter().map(|found| found.event.len()).sum::<usize>();
            let contexts = self.app.contexts.clone();
            let looking = tokio::task::spawn_blocking(move || {
                for recorded in found.events {
                    let event = contexts.decisions().decode(&recorded);
                    if let Some(event) = event.map_err(|error| Problem::internal(&error))? {
                        look(&mut compared, &recorded.with(event));
                    }
                }
                Ok::<C, Problem>(compared)
            });
            compared = looking.await.map_err(|error| Problem::internal(&error))??;
        };
        let to = range.above.max(self.span.from - 1);
        Ok((compared, Looked { to, ended_by }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_two_moments_of_which_the_second_may_be_left_out() {
        let position = Moment::Position;
        let parse = |text: &str| AskedSpan::parse(text.as_bytes());
        let whole = AskedSpan {
            from: position(12),
            to: Some(position(90)),
        };
        assert_eq!(parse("12..90").unwrap(), whole);
        assert_eq!(parse("12..").unwrap().to, None);
        assert!(parse("2026-01-31T00:00:00Z..2026-02-01T00:00:00+01:00").is_ok());
        for bad in [
            "",
            "..",
            "12",
            "..90",
            "90..12",
            "12..90..100",
            "last day..",
            "2026-02-01T00:00:00Z..2026-01-31T00:00:00Z",
        ] {
            let problem = parse(bad).unwrap_err();
            assert_eq!(problem.body()["field"], "Daybook-Span", "{bad}");
        }
    }

    #[test]
    fn a_span_is_bounded_and_may_be_empty() {
        let span = |from, to| Span { from, to }.bounded();
        assert!(span(1, SPAN_POSITIONS_MAX).is_ok() && span(5, 4).is_ok());
        let too_large = span(1, SPAN_POSITIONS_MAX + 1).unwrap_err().body();
        assert!(
            too_large["detail"].as_str().unwrap().contains("at most 1000000"),
            "{too_large}"
        );
    }
}
