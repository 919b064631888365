//! Policies: commands that Daybook sends by itself because something happened.

use std::fmt::Debug;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::fact::AnyState;
use crate::{AnyCommand, AnyEvent, Decider, Recorded};

/// A process manager. Pure: the same event makes the same reactions, however often it is read.
pub trait Policy: Send + Sync + Debug {
    /// The stored name of the policy. Stored for ever.
    fn name(&self) -> &'static str;

    /// The kinds of streams whose events it reacts to.
    fn reads(&self) -> &'static [&'static str];

    /// Whether it reacts to what happened before it was known, too: what follows from that is another fact of the book, and
    /// as true late as it was then. Nobody is asked, told or reminded so.
    fn catches_up(&self) -> bool {
        false
    }

    /// Whether [`Policy::react`] looks at the state of the event's stream.
    fn wants_state(&self, _recorded: &Recorded<AnyEvent>) -> bool {
        false
    }

    /// The reactions to this event; none for most.
    fn react(&self, seen: &Seen<'_>) -> Vec<Reaction>;
}

/// An event as a policy sees it.
#[derive(Debug)]
pub struct Seen<'a> {
    pub recorded: &'a Recorded<AnyEvent>,
    state: Option<AnyState>,
}

impl<'a> Seen<'a> {
    /// `state` is that of the event's stream right after the event, not later: so it is the same
    /// however often the event is read.
    #[must_use]
    pub fn new(recorded: &'a Recorded<AnyEvent>, state: Option<AnyState>) -> Self {
        Self { recorded, state }
    }

    /// The event's stream right after the event, if the policy wants it and it is of this kind.
    #[must_use]
    pub fn state<D: Decider>(&self) -> Option<&D> {
        self.state.as_ref()?.downcast_ref()
    }
}

/// One thing that a policy wants done. What it sends is decided like anybody's command, and may be
/// refused: the world can have moved on.
#[derive(Debug, Clone, PartialEq)]
pub enum Reaction {
    /// Send these as one command: they stand or fall together.
    Send {
        sendings: Vec<Sending>,
        /// The commands to send in their place when they are refused, again as one command; nothing for most. Only
        /// one of the two is ever accepted.
        refused: Vec<Sending>,
    },
    /// Send this when the time has come, unless it is forgotten before. Replaces a timer of the same id.
    Wait {
        timer: Uuid,
        due_at: DateTime<Utc>,
        sending: Sending,
    },
    /// Drop the timer; nothing happens when there is none.
    Forget { timer: Uuid },
}

impl Reaction {
    /// Sends these as one command, and does nothing when it is refused.
    #[must_use]
    pub fn send(sendings: Vec<Sending>) -> Self {
        Self::Send {
            sendings,
            refused: Vec::new(),
        }
    }
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

    /// As [`Sending::to`], for a command with its own type.
    #[must_use]
    pub fn of<D: Decider>(stream: Uuid, command: D::Command) -> Self {
        Self::to(stream, AnyCommand::of::<D>(command))
    }
}
