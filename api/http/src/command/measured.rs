//! What becomes of commands, and how long they take: a label for each that there is. A name that somebody made up is never one,
//! or each would make a series.

use std::collections::BTreeSet;
use std::time::Instant;

use axum::http::StatusCode;
use axum::response::Response;
use book::Answer;
use domain::Aggregate;

use super::answer::REPLAYED;
use super::headers::DAYBOOK_DRY_RUN;
use super::permission;
use crate::context::Contexts;
use crate::problem::Problem;

/// What became of a command, as metrics say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Accepted,
    /// It had been accepted before, and got that answer again.
    Repeated,
    /// It was a dry run.
    Rehearsed,
    /// A rule stands against it.
    Refused,
    /// Somebody else was faster, has the value or the key.
    Conflict,
    Forbidden,
    NotFound,
    /// Its form was wrong.
    Malformed,
    /// Its sender or their tenant had their share.
    Limited,
    /// Something was missing or late that it needs.
    Unavailable,
    /// A defect.
    Failed,
    /// Nobody waited for the end of it: its sender left, or it took longer than a request may. It may be in the book.
    Left,
}

impl Outcome {
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Repeated => "repeated",
            Self::Rehearsed => "rehearsed",
            Self::Refused => "refused",
            Self::Conflict => "conflict",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Malformed => "malformed",
            Self::Limited => "limited",
            Self::Unavailable => "unavailable",
            Self::Failed => "failed",
            Self::Left => "left",
        }
    }

    /// Of what its sender is answered.
    #[must_use]
    pub fn of_response(answer: &Result<Response, Problem>) -> Self {
        match answer {
            Ok(response) if response.headers().contains_key(DAYBOOK_DRY_RUN) => Self::Rehearsed,
            Ok(response) if response.headers().contains_key(REPLAYED) => Self::Repeated,
            Ok(_) => Self::Accepted,
            Err(problem) => Self::of_problem(problem),
        }
    }

    #[must_use]
    pub fn of_answer(answer: &Result<Answer, Problem>) -> Self {
        match answer {
            Ok(answer) if answer.is_repeat => Self::Repeated,
            Ok(_) => Self::Accepted,
            Err(problem) => Self::of_problem(problem),
        }
    }

    #[must_use]
    pub fn of_problem(problem: &Problem) -> Self {
        match problem.status {
            StatusCode::UNPROCESSABLE_ENTITY => Self::Refused,
            StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => Self::Conflict,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Self::Forbidden,
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::TOO_MANY_REQUESTS => Self::Limited,
            StatusCode::SERVICE_UNAVAILABLE => Self::Unavailable,
            status if status.is_client_error() => Self::Malformed,
            _ => Self::Failed,
        }
    }
}

/// Commands that came in as one and are on their way. Whoever drops this without a word has left.
#[derive(Debug)]
pub struct Measured {
    /// `context.aggregate.command` of each, once.
    commands: BTreeSet<String>,
    began: Instant,
    outcome: Outcome,
}

impl Measured {
    /// Begins to measure these, but for those that there are none of.
    #[must_use]
    pub fn begin<'a>(contexts: &Contexts, commands: impl IntoIterator<Item = (&'static Aggregate, &'a str)>) -> Self {
        let is_known = |(aggregate, command): &(&'static Aggregate, &str)| {
            contexts.commands(aggregate).iter().any(|known| known == command)
        };
        let known = commands.into_iter().filter(is_known);
        Self {
            commands: known
                .map(|(aggregate, command)| permission(aggregate, command))
                .collect(),
            began: Instant::now(),
            outcome: Outcome::Left,
        }
    }

    /// They have ended so.
    pub fn ended(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        let (seconds, outcome) = (self.began.elapsed().as_secs_f64(), self.outcome.word());
        for command in std::mem::take(&mut self.commands) {
            metrics::counter!("daybook_commands_total", "command" => command.clone(), "outcome" => outcome)
                .increment(1);
            metrics::histogram!("daybook_command_seconds", "command" => command).record(seconds);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem;

    #[test]
    fn a_name_that_somebody_made_up_is_not_measured_and_one_that_comes_twice_is_once() {
        let contexts = crate::sample::contexts();
        let kind = contexts.decisions().aggregates().next().unwrap();
        let known = contexts.commands(kind)[0].as_str();
        let measured = Measured::begin(&contexts, [(kind, known), (kind, "made-up"), (kind, known)]);
        assert_eq!(measured.commands, BTreeSet::from([permission(kind, known)]));
    }

    #[test]
    fn who_does_not_wait_for_the_end_has_left() {
        let contexts = crate::sample::contexts();
        let kind = contexts.decisions().aggregates().next().unwrap();
        let command = contexts.commands(kind)[0].as_str();
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || drop(Measured::begin(&contexts, [(kind, command)])));
        let counted = format!("{{command=\"{}\",outcome=\"left\"}} 1", permission(kind, command));
        let shown = recorder.handle().render();
        assert!(shown.contains(&counted), "{shown}");
    }

    #[test]
    fn what_becomes_of_a_command_is_told_by_its_answer() {
        for (kind, outcome) in [
            (problem::MALFORMED, Outcome::Malformed),
            (problem::FORBIDDEN, Outcome::Forbidden),
            (problem::ID_TAKEN, Outcome::Conflict),
            (problem::OVERLOADED, Outcome::Unavailable),
        ] {
            let problem = Problem::new(kind, "why");
            assert_eq!(Outcome::of_problem(&problem), outcome, "{}", kind.name);
        }
        assert_eq!(Outcome::of_problem(&Problem::not_found("it")), Outcome::NotFound);
        assert_eq!(Outcome::of_problem(&Problem::internal(&"a defect")), Outcome::Failed);
        let refused = Problem::of_status(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(Outcome::of_problem(&refused), Outcome::Refused);
        let limited = Problem::of_status(StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(Outcome::of_problem(&limited), Outcome::Limited);
    }
}
