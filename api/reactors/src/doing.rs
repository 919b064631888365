//! What a reactor has at hand while it performs a task.

use book::lease::Hold;
use book::policy::sending::{Caused, Time, commanded};
use book::{Answer, Book, BookError};
use chrono::Utc;
use domain::{AnyEvent, Recorded, Sending};
use tokio_util::sync::CancellationToken;
use tracing::debug;
use uuid::Uuid;

/// The lead, for tasks that run beside the loop of who leads.
#[derive(Debug, Clone)]
pub(crate) struct Lead {
    pub hold: Hold,
    /// Cancelled when the loop ends, however that comes.
    pub over: CancellationToken,
    pub reactor: &'static str,
}

impl Lead {
    pub fn check(&self) -> Result<(), BookError> {
        if self.over.is_cancelled() {
            return Err(BookError::LeadLost(self.reactor.to_owned()));
        }
        self.hold.check()
    }
}

/// A task that is performed, and what the reactor may use for it.
#[derive(Debug)]
pub struct Doing<'a> {
    /// The same at every attempt: derived from the event, the reactor's name and the task's key.
    pub id: Uuid,
    pub tenant: Uuid,
    /// The event, read again: fields of who was erased meanwhile are null.
    pub recorded: &'a Recorded<AnyEvent>,
    pub key: &'a str,
    pub target: &'a str,
    /// From 1 in each round; attempts of which nothing was heard are not counted.
    pub attempt: u32,
    /// How often the task was sent again as a dead letter. Part of the name of a step whose outcome each round has anew.
    pub round: u32,
    pub book: &'a Book,
    pub(crate) lead: &'a Lead,
}

impl Doing<'_> {
    /// Sends these as one command, which is the outcome of a step, or notes that it begins. Sent again under the same step,
    /// whatever it says then, it changes nothing. That it is refused, or was accepted before in another form, is `None`.
    ///
    /// # Errors
    /// [`BookError`], also when the lead is lost or the tenant is not active: the attempt ends with it.
    pub async fn send(&self, step: &str, sendings: Vec<Sending>) -> Result<Option<Answer>, BookError> {
        let caused = Caused {
            tenant: self.tenant,
            event_id: self.recorded.event_id,
            position: self.recorded.position,
            correlation_id: self.recorded.metadata.correlation_id,
        };
        let command_id = Uuid::new_v5(&self.id, step.as_bytes());
        let time = Time {
            at: Utc::now(),
            occurred_at: None,
        };
        let lead = self.lead;
        let holds = || lead.check();
        let answer = commanded(self.book, &caused, command_id, sendings, time, &holds).await?;
        let reactor = lead.reactor;
        let (outcome, answer) = match answer {
            Ok(answer) => ("accepted", Some(answer)),
            Err(rule) => {
                debug!(reactor, step, %command_id, rule, "a reactor's command was refused");
                ("refused", None)
            }
        };
        metrics::counter!("daybook_reaction_commands_total", "reactor" => reactor, "outcome" => outcome).increment(1);
        Ok(answer)
    }

    /// Asked before whatever must not be done by one who has lost the lead; it was asked right before `perform`.
    ///
    /// # Errors
    /// [`BookError::LeadLost`]: somebody else may perform the same task by now.
    pub fn check(&self) -> Result<(), BookError> {
        self.lead.check()
    }
}
