//! What one receiver is told of one issue: a message that follows the issue. Feeds `messages`, which document
//! 002_292caa697ae18d8c does not know.
//!
//! Each change that is worth telling makes a revision. Only the latest is sent: what was not told in time is not told any
//! more once it is over. Where an alert flaps, its ups and downs wait: the latest of them is told every half hour.

mod refusal;

use chrono::{DateTime, TimeDelta, Utc};
use dod_formats::{Link, Severity};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use refusal::Refusal;

use crate::archive::{self, ARCHIVE_CHARS_MAX, SHA256_CHARS};
use crate::issue::Opened;
use domain::text;
use domain::{Asker, Decider, Request, stored_by_variant};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Message>("messages");

/// Characters of what a place calls a message, and of the place.
pub const IM_ID_CHARS_MAX: usize = 255;
/// Characters of why a message was not taken.
pub const BECAUSE_CHARS_MAX: usize = 1_000;
/// Minutes between two tellings of an alert's ups and downs once it flaps.
pub const QUIET_MINUTES: i64 = 30;

/// Labels that are told.
const LABELS_MAX: usize = 12;
/// Characters of what is told of an issue's description and conclusion.
const TOLD_CHARS_MAX: usize = 4_000;

/// How an issue stands, for whoever is told of it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr, strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Tells {
    Opened,
    Concluded,
    /// More and more alerts join.
    Grown,
    /// It is worse than it ever was.
    Worsened,
    Reopened,
    /// Nobody has seen to it for so long.
    Escalated,
    Resolved,
    FalsePositive,
    UnableToResolve,
}

/// What is told.
// Stored for ever, within events. Add optional fields; do not rename or reuse them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// How the issue stands.
    pub tells: Tells,
    /// The title of the alert that it is told by: its first, or one that is worse now. At most 500 characters.
    pub title: String,
    /// The worst of its alerts.
    pub severity: Severity,
    /// The source of that alert.
    pub source: String,
    /// The type of that alert.
    pub alert_type: String,
    /// How many alerts have joined it.
    pub alerts: u32,
    /// How many of them are not over.
    pub alerts_open: u32,
    /// What else that alert says. At most 4,000 characters.
    pub description: Option<String>,
    /// Labels of that alert, each with its name. At most 12.
    pub labels: Vec<(String, String)>,
    /// What was concluded, if anything was. At most 4,000 characters.
    pub conclusion: Option<String>,
    /// Whether it is a real issue; absent where nobody can tell.
    pub is_real_issue: Option<bool>,
    /// Places to look at.
    pub links: Vec<Link>,
    /// When the issue was opened, UTC.
    pub opened_at: DateTime<Utc>,
    /// When what is told happened, UTC.
    pub told_at: DateTime<Utc>,
    /// Whether one of its alerts fires again and again, so that its ups and downs are not told one by one.
    #[serde(default)]
    pub is_flapping: bool,
}

impl Notice {
    /// What is told of an issue as it stands.
    #[must_use]
    pub fn of(tells: Tells, now: &Opened, told_at: DateTime<Utc>) -> Self {
        let cut = |text: &String| text.chars().take(TOLD_CHARS_MAX).collect();
        let count = |alerts: usize| u32::try_from(alerts).unwrap_or(u32::MAX);
        let face = now.face();
        let labels = face.labels.iter().take(LABELS_MAX);
        Self {
            tells,
            title: face.title.clone(),
            severity: now.severity,
            source: face.source.clone(),
            alert_type: face.alert_type.clone(),
            alerts: count(now.alerts.len()),
            alerts_open: count(now.alerts_open),
            description: face.description.as_ref().map(cut),
            labels: labels.map(|(name, value)| (name.clone(), value.clone())).collect(),
            conclusion: now.conclusion.as_ref().map(cut),
            is_real_issue: now.is_real_issue,
            links: Vec::new(),
            opened_at: now.opened_at,
            told_at,
            is_flapping: now.is_flapping,
        }
    }
}

/// The message of an issue to a receiver.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum Message {
    #[default]
    Unwanted,
    Wanted(Box<Wanted>),
    /// Its row is in the archive of its issue, and gone from the tables.
    Archived,
}

/// A message as later decisions read it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wanted {
    pub issue_id: Uuid,
    pub receiver_im: String,
    /// The latest revision that there is to tell.
    pub revision: u32,
    pub notice: Notice,
    /// The latest revision that was taken; 0 before.
    pub sent: u32,
    /// What the place calls the message, so that it can be changed there.
    pub place: Option<Place>,
    /// The revision that was refused for good, if the latest was.
    pub refused: Option<u32>,
    /// Until when ups and downs wait, once one of them was told.
    pub quiet_until: Option<DateTime<Utc>>,
    /// The latest of those that wait.
    pub held: Option<Box<Notice>>,
}

/// Where a message is.
// Stored for ever, within events. Add optional fields; do not rename or reuse them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// What the platform calls the message. At most 255 characters.
    pub im_id: String,
    /// The channel or chat that it is in. At most 255 characters.
    pub channel: Option<String>,
}

impl Message {
    /// The stream of the message of an issue to a receiver.
    #[must_use]
    pub fn stream(issue_id: Uuid, receiver_im: &str) -> Uuid {
        Uuid::new_v5(&issue_id, format!("message/{receiver_im}").as_bytes())
    }

    /// The message once there is something to tell.
    #[must_use]
    pub fn wanted(&self) -> Option<&Wanted> {
        match self {
            Self::Unwanted | Self::Archived => None,
            Self::Wanted(wanted) => Some(wanted),
        }
    }
}

/// What can be asked of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Has the receiver told.
    Want {
        /// The issue.
        issue_id: Uuid,
        /// The receiver, by its `receiver_im`.
        receiver_im: String,
        /// What is told.
        notice: Box<Notice>,
    },
    /// Has the receiver told of an up or down of an alert that flaps: at once when none was told within half an hour,
    /// otherwise at the end of that, unless another one follows.
    Hold {
        /// The issue.
        issue_id: Uuid,
        /// The receiver, by its `receiver_im`.
        receiver_im: String,
        /// What is told.
        notice: Box<Notice>,
    },
    /// Has the receiver told of the latest up or down that waits; nothing happens when none does.
    TellHeld {
        /// Until when it was to wait, UTC; nothing happens when that is another time by now.
        quiet_until: DateTime<Utc>,
    },
    /// Notes that the receiver's place has taken a revision.
    NoteSent {
        /// The revision that was taken, from 1.
        revision: u32,
        /// The receiver that was told.
        receiver_id: Uuid,
        /// Where the message is now; absent where the platform does not say.
        place: Option<Place>,
    },
    /// Notes that a revision will never be taken.
    NoteRefused {
        /// The revision that was refused, from 1.
        revision: u32,
        /// Why, in a sentence. At most 1,000 characters.
        #[schemars(length(min = 1, max = BECAUSE_CHARS_MAX))]
        because: String,
    },
    /// Sends the latest once more, after what refused it was mended.
    SendAgain {},
    /// Takes the row of the message out of the tables together with its issue: it is in an archive.
    Archive {
        /// The archive that has the message. At most 200 characters.
        #[schemars(length(min = 1, max = ARCHIVE_CHARS_MAX))]
        archive: String,
        /// SHA-256 of the archive's content before it was compressed, in lower-case hex.
        #[schemars(length(equal = SHA256_CHARS))]
        sha256: String,
    },
}

// Stored for ever. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, strum::IntoStaticStr, strum::VariantNames,
)]
pub enum Event {
    MessageWanted {
        issue_id: Uuid,
        receiver_im: String,
        revision: u32,
        notice: Box<Notice>,
    },
    /// An up or down of an alert that flaps waits, in the place of one that waited before.
    MessageHeld { notice: Box<Notice> },
    /// Ups and downs wait until then.
    MessageQuieted { quiet_until: DateTime<Utc> },
    MessageSent {
        revision: u32,
        receiver_id: Uuid,
        place: Option<Place>,
        sent_at: DateTime<Utc>,
    },
    MessageRefused {
        revision: u32,
        because: String,
        refused_at: DateTime<Utc>,
    },
    /// Its row leaves the tables.
    MessageArchived {
        archive: String,
        /// SHA-256, lower-case hex, of the archive's content before it was compressed.
        sha256: String,
    },
}

stored_by_variant!(Event);

impl domain::Event for Event {}

impl Decider for Message {
    const TYPE: &'static str = "dod.message";
    const CREATES: &'static str = "want";
    const ONLY_DAYBOOK: &'static [&'static str] =
        &["want", "hold", "tell-held", "note-sent", "note-refused", "archive"];
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        let wanted = match (self, request.command) {
            (Self::Archived, Command::Archive { .. }) => return Ok(Vec::new()),
            (Self::Archived, _) => return Err(Refusal::Archived),
            (
                message,
                Command::Want {
                    issue_id,
                    receiver_im,
                    notice,
                },
            ) => {
                in_place(*issue_id, receiver_im, request.stream)?;
                return Ok(vec![message.told(*issue_id, receiver_im, notice)]);
            }
            (
                message,
                Command::Hold {
                    issue_id,
                    receiver_im,
                    notice,
                },
            ) => {
                in_place(*issue_id, receiver_im, request.stream)?;
                let quiet_until = message.wanted().and_then(|wanted| wanted.quiet_until);
                return Ok(match quiet_until.is_some_and(|until| request.at < until) {
                    true => vec![Event::MessageHeld { notice: notice.clone() }],
                    false => vec![message.told(*issue_id, receiver_im, notice), quieted(request.at)],
                });
            }
            (Self::Unwanted, _) => return Err(Refusal::NotWanted),
            (Self::Wanted(wanted), _) => wanted,
        };
        let unfit = |field| move |unfit| Refusal::Unfit { field, unfit };
        Ok(vec![match request.command {
            Command::NoteSent { revision, .. } | Command::NoteRefused { revision, .. }
                if *revision > wanted.revision || *revision == 0 =>
            {
                return Err(Refusal::OtherRevision);
            }
            Command::NoteSent { revision, .. } if *revision <= wanted.sent => return Ok(Vec::new()),
            Command::NoteSent {
                revision,
                receiver_id,
                place,
            } => {
                if let Some(place) = place {
                    text::required(&place.im_id, IM_ID_CHARS_MAX).map_err(unfit("im_id"))?;
                    text::optional(place.channel.as_ref(), IM_ID_CHARS_MAX).map_err(unfit("channel"))?;
                }
                Event::MessageSent {
                    revision: *revision,
                    receiver_id: *receiver_id,
                    place: place.clone(),
                    sent_at: request.at,
                }
            }
            // It was taken after all, or it is known.
            Command::NoteRefused { revision, .. } if *revision <= wanted.sent || wanted.refused >= Some(*revision) => {
                return Ok(Vec::new());
            }
            Command::NoteRefused { revision, because } => {
                text::required(because, BECAUSE_CHARS_MAX).map_err(unfit("because"))?;
                Event::MessageRefused {
                    revision: *revision,
                    because: because.clone(),
                    refused_at: request.at,
                }
            }
            Command::SendAgain {} => {
                wanted.offered()?;
                let latest = wanted.held.as_deref().unwrap_or(&wanted.notice);
                self.told(wanted.issue_id, &wanted.receiver_im, latest)
            }
            Command::TellHeld { quiet_until } => {
                let held = wanted
                    .held
                    .as_deref()
                    .filter(|_| wanted.quiet_until == Some(*quiet_until));
                let tell = |notice| {
                    [
                        self.told(wanted.issue_id, &wanted.receiver_im, notice),
                        quieted(request.at),
                    ]
                };
                return Ok(held.map(tell).into_iter().flatten().collect());
            }
            Command::Archive { archive, sha256 } => {
                archive::check(archive, sha256).map_err(|(field, unfit)| Refusal::Unfit { field, unfit })?;
                Event::MessageArchived {
                    archive: archive.clone(),
                    sha256: sha256.clone(),
                }
            }
            Command::Want { .. } | Command::Hold { .. } => return Err(Refusal::UnderWay),
        }])
    }

    fn evolve(&mut self, event: &Event) {
        match (&mut *self, event) {
            (Self::Wanted(wanted), Event::MessageWanted { revision, notice, .. }) => {
                wanted.revision = *revision;
                wanted.notice = (**notice).clone();
                wanted.refused = None;
                // Whatever waited was before that.
                wanted.held = None;
            }
            (
                Self::Unwanted,
                Event::MessageWanted {
                    issue_id,
                    receiver_im,
                    revision,
                    notice,
                },
            ) => {
                *self = Self::Wanted(Box::new(Wanted {
                    issue_id: *issue_id,
                    receiver_im: receiver_im.clone(),
                    revision: *revision,
                    notice: (**notice).clone(),
                    sent: 0,
                    place: None,
                    refused: None,
                    quiet_until: None,
                    held: None,
                }));
            }
            (Self::Wanted(wanted), Event::MessageHeld { notice }) => wanted.held = Some(notice.clone()),
            (Self::Wanted(wanted), Event::MessageQuieted { quiet_until }) => wanted.quiet_until = Some(*quiet_until),
            (Self::Wanted(wanted), Event::MessageSent { revision, place, .. }) => {
                wanted.sent = *revision;
                wanted.place = place.clone().or(wanted.place.take());
                // A later one may have been refused since.
                wanted.refused = wanted.refused.filter(|refused| refused > revision);
            }
            (Self::Wanted(wanted), Event::MessageRefused { revision, .. }) => wanted.refused = Some(*revision),
            (Self::Wanted(_), Event::MessageArchived { .. }) => *self = Self::Archived,
            (Self::Unwanted | Self::Archived, _) => {}
        }
    }

    fn offers(&self, command: &str, _stream: Uuid, _asker: &Asker) -> Result<(), Refusal> {
        match (self, command) {
            (Self::Archived, "archive") => Ok(()),
            (Self::Archived, _) => Err(Refusal::Archived),
            (_, "want" | "hold") => Ok(()),
            (Self::Unwanted, _) => Err(Refusal::NotWanted),
            (Self::Wanted(wanted), "send-again") => wanted.offered(),
            (Self::Wanted(_), _) => Ok(()),
        }
    }
}

impl Message {
    /// That the receiver is told of this.
    fn told(&self, issue_id: Uuid, receiver_im: &str, notice: &Notice) -> Event {
        Event::MessageWanted {
            issue_id,
            receiver_im: receiver_im.to_owned(),
            revision: self.wanted().map_or(0, |wanted| wanted.revision) + 1,
            notice: Box::new(notice.clone()),
        }
    }
}

/// That ups and downs wait from now on.
fn quieted(at: DateTime<Utc>) -> Event {
    Event::MessageQuieted {
        quiet_until: at + TimeDelta::minutes(QUIET_MINUTES),
    }
}

/// Refuses any stream but the one of this issue and receiver.
fn in_place(issue_id: Uuid, receiver_im: &str, stream: Uuid) -> Result<(), Refusal> {
    match Message::stream(issue_id, receiver_im) == stream {
        true => Ok(()),
        false => Err(Refusal::OtherStream {
            receiver_im: receiver_im.to_owned(),
        }),
    }
}

impl Wanted {
    /// Whether it can be sent once more: it was taken or refused.
    fn offered(&self) -> Result<(), Refusal> {
        match self.sent == self.revision || self.refused == Some(self.revision) {
            true => Ok(()),
            false => Err(Refusal::UnderWay),
        }
    }
}

#[cfg(test)]
mod tests;
