//! Policies: what Daybook asks for by itself because something happened.

use std::fmt::Debug;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{AnyCommand, AnyEvent, Recorded};

/// A process manager. Pure: the same event makes the same reactions, however often it is read.
pub trait Policy: Send + Sync + Debug {
    /// The stored name of the policy. Stored for ever.
    fn name(&self) -> &'static str;

    /// The kinds of streams whose events it reacts to.
    fn reads(&self) -> &'static [&'static str];

    /// What is to be done because of this event; nothing for most.
    fn react(&self, recorded: &Recorded<AnyEvent>) -> Vec<Reaction>;
}

/// One thing that a policy wants done. What it sends is decided like anybody's command, and may be
/// refused: the world can have moved on.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "a policy makes a few of these per event and nobody keeps them"
)]
pub enum Reaction {
    /// Send these as one command: they stand or fall together.
    Send(Vec<Sending>),
    /// Send this when the time has come, unless it is forgotten before. Replaces a timer of the same id.
    Wait {
        timer: Uuid,
        due_at: DateTime<Utc>,
        sending: Sending,
    },
    /// Drop the timer; nothing happens when there is none.
    Forget { timer: Uuid },
}

/// A command and the stream that it is for.
#[derive(Debug, Clone, PartialEq)]
pub struct Sending {
    pub stream: Uuid,
    pub command: AnyCommand,
}

impl Sending {
    #[must_use]
    pub fn to(stream: Uuid, command: AnyCommand) -> Self {
        Self { stream, command }
    }
}
