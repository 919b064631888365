//! A command on its way: the stream that it is sent to, and what it was let through on.

use domain::fact::AnyState;
use domain::{AnyCommand, Decider, FactRef, Together};
use uuid::Uuid;

pub use domain::{Asker, Circumstances, Decided, Refusal};

/// A command for one stream.
#[derive(Debug, Clone)]
pub struct Step {
    pub stream: Uuid,
    /// The sequence that the stream must be at (`If-Match`).
    pub if_match: Option<i64>,
    /// The streams that it was let through on, with the sequences that they were at. Where the decision reads one of
    /// them, it is still there, or the command has to be let through anew.
    pub let_through_on: Vec<(FactRef, i64)>,
    /// Streams that somebody looked for because the decision cannot name them: it sees them like facts that it reads, and
    /// the append checks them like those.
    pub witnesses: Vec<FactRef>,
    /// Streams out of the sender's reach: the decision takes them for ones that do not exist.
    pub hidden: Vec<FactRef>,
    pub command: AnyCommand,
}

impl Step {
    #[must_use]
    pub fn new(stream: Uuid, if_match: Option<i64>, command: AnyCommand) -> Self {
        Self {
            stream,
            if_match,
            let_through_on: Vec::new(),
            witnesses: Vec::new(),
            hidden: Vec::new(),
            command,
        }
    }

    /// As [`Step::new`], for a command with its own type.
    #[must_use]
    pub fn of<D: Decider>(stream: Uuid, if_match: Option<i64>, command: D::Command) -> Self {
        Self::new(stream, if_match, AnyCommand::of::<D>(command))
    }

    #[must_use]
    pub fn aggregate_type(&self) -> &'static str {
        self.command.aggregate_type()
    }

    /// The stream, as something to load.
    #[must_use]
    pub fn fact(&self) -> FactRef {
        self.command.fact(self.stream)
    }

    /// The sequence that a stream was at when the command was let through, if that rested on it.
    pub(crate) fn let_through_at(&self, aggregate_type: &str, stream: Uuid) -> Option<i64> {
        let is_it = |(fact, _): &&(FactRef, i64)| (fact.aggregate_type, fact.id) == (aggregate_type, stream);
        self.let_through_on.iter().find(is_it).map(|&(_, sequence)| sequence)
    }

    /// Whether the decision takes a stream for one that does not exist.
    pub(crate) fn is_hidden(&self, aggregate_type: &str, stream: Uuid) -> bool {
        let is_it = |fact: &FactRef| (fact.aggregate_type, fact.id) == (aggregate_type, stream);
        self.hidden.iter().any(is_it)
    }

    /// The department whose members may send this command to a stream in this state.
    #[must_use]
    pub fn department(&self, state: &AnyState) -> Option<Uuid> {
        self.command.department(state)
    }
}

/// The commands that are carried out as one with the step of this index.
pub(crate) fn beside(steps: &[Step], index: usize) -> Together {
    let mut together = Together::default();
    for (_, other) in steps.iter().enumerate().filter(|(other, _)| *other != index) {
        together.push(other.stream, other.command.clone());
    }
    together
}
