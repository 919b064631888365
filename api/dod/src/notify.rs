//! Tells receivers of issues: a message in Slack or Lark that follows its issue.
//!
//! What is told is the latest: whoever comes to a message that has moved on leaves it to who comes for that. What was sent
//! and not noted, because the process died between the two, is sent once more: Lark knows it again by its `uuid`, Slack shows
//! it twice.

mod ways;

use std::time::Duration;

use book::BookError;
use dod::message::{BECAUSE_CHARS_MAX, Command, Event, Message, Place, Wanted};
use dod::receiver::{self, Receiver};
use dod_messages::Outcome;
use domain::{AnyEvent, Decider as _, Recorded, Sending};
use http::crew::Worker;
use reactors::{Doing, Done, Known, Reactor, Schedule, Task};
use uuid::Uuid;

use crate::outward::{self, Outward, OutwardError, entry};

/// Seconds between two messages to one receiver: what Slack takes for one channel, and less than Lark does.
pub const RECEIVER_SECONDS: u64 = 1;
/// How long it is tried, in hours: what is older than that is told by the console.
pub const TRIED_HOURS: u64 = 12;

/// What it is known by.
pub const KNOWN: Known = Known {
    name: "dod-messages",
    reads: &[Message::TYPE],
};

/// The worker.
pub static WORKER: Worker = Worker {
    name: "dod messages",
    lock: "daybook dod messages",
    start: |crew| {
        let Some(outward) = Outward::of(crew) else {
            return;
        };
        outward::perform(crew, &WORKER, Notifier { outward });
    },
};

/// Sends messages.
#[derive(Debug)]
pub struct Notifier {
    pub outward: Outward,
}

impl Reactor for Notifier {
    fn known(&self) -> Known {
        KNOWN
    }

    fn tasks(&self, recorded: &Recorded<AnyEvent>) -> Vec<Task> {
        match recorded.of::<Message>() {
            Some(Event::MessageWanted {
                receiver_im, revision, ..
            }) => vec![Task {
                key: format!("send/{revision}"),
                lane: recorded.stream,
                target: receiver_im.clone(),
                due_at: None,
            }],
            _ => Vec::new(),
        }
    }

    async fn perform(&self, doing: &Doing<'_>) -> Result<Done, BookError> {
        let Some(Event::MessageWanted { revision, .. }) = doing.recorded.of::<Message>() else {
            return Ok(Done::Done);
        };
        let message = doing.book.now::<Message>(doing.tenant, doing.recorded.stream).await?;
        let Some(wanted) = message.as_deref().and_then(Message::wanted) else {
            return Ok(Done::Done);
        };
        // A later one is on its way, or this one has arrived.
        if wanted.revision != *revision || wanted.sent >= *revision {
            return Ok(Done::Done);
        }
        let im = &wanted.receiver_im;
        let found = entry::<Receiver>(doing.book, doing.tenant, receiver::RECEIVER_IM, |entry| {
            entry.receiver_im == *im
        });
        let Some((receiver_id, receiver)) = found.await? else {
            let because = format!("no receiver in use is called {im}; enter it, and send the message again");
            return self.refused(doing, *revision, &because).await;
        };
        if !receiver.hears_of(wanted.notice.severity) {
            let because = format!("{im} is not told of issues of this severity");
            return self.refused(doing, *revision, &because).await;
        }
        let told = ways::tell(&self.outward, doing.tenant, &receiver, wanted).await;
        match told {
            Ok(Outcome::Sent { id, channel }) => self.sent(doing, wanted, receiver_id, id, channel).await,
            Ok(Outcome::Later {
                after: Some(after),
                because,
            }) => Ok(Done::throttled(after, because)),
            Ok(Outcome::Later { after: None, because } | Outcome::Unknown { because }) => Ok(Done::again(because)),
            Ok(Outcome::Refused { because }) => self.refused(doing, *revision, &because).await,
            Err(OutwardError::Book(error)) => Err(error),
            Err(OutwardError::Egress(egress::EgressError::Refused(refusal))) => {
                self.refused(doing, *revision, &refusal.to_string()).await
            }
            Err(OutwardError::Entered(because)) => self.refused(doing, *revision, &because).await,
            Err(OutwardError::Setting(error)) if !error.is_transient() => {
                let because = format!("a secret of the receiver does not open ({error}); enter the receiver anew");
                self.refused(doing, *revision, &because).await
            }
            Err(error @ (OutwardError::Setting(_) | OutwardError::Egress(_))) => Ok(Done::again(error.to_string())),
        }
    }

    async fn gave_up(&self, doing: &Doing<'_>, because: &str) -> Result<(), BookError> {
        let Some(Event::MessageWanted { revision, .. }) = doing.recorded.of::<Message>() else {
            return Ok(());
        };
        self.refused(doing, *revision, because).await.map(|_| ())
    }

    fn schedule(&self) -> Schedule {
        Schedule {
            first: Duration::from_secs(2),
            longest: Duration::from_secs(300),
            attempts_max: 60,
            age_max: Duration::from_secs(TRIED_HOURS * 3_600),
        }
    }

    fn rate(&self, _target: &str) -> Option<Duration> {
        Some(Duration::from_secs(RECEIVER_SECONDS))
    }
}

impl Notifier {
    async fn sent(
        &self,
        doing: &Doing<'_>,
        wanted: &Wanted,
        receiver_id: Uuid,
        id: Option<String>,
        channel: Option<String>,
    ) -> Result<Done, BookError> {
        let note = Command::NoteSent {
            revision: wanted.revision,
            receiver_id,
            place: id.map(|im_id| Place { im_id, channel }),
        };
        let step = format!("sent/{}", doing.round);
        doing
            .send(&step, vec![Sending::of::<Message>(doing.recorded.stream, note)])
            .await?;
        Ok(Done::Done)
    }

    async fn refused(&self, doing: &Doing<'_>, revision: u32, because: &str) -> Result<Done, BookError> {
        let visible = domain::text::visible(because);
        let note = Command::NoteRefused {
            revision,
            because: visible.chars().take(BECAUSE_CHARS_MAX).collect(),
        };
        let step = format!("refused/{}", doing.round);
        doing
            .send(&step, vec![Sending::of::<Message>(doing.recorded.stream, note)])
            .await?;
        Ok(Done::Done)
    }
}
