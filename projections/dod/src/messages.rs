//! What receivers are told of issues.

use chrono::{DateTime, Utc};
use dod::message::{Event, Message, Tells};
use domain::{AnyEvent, Recorded};
use serde::Deserialize;
use uuid::Uuid;

use projections::cell::Word;
use projections::fold::{FoldError, Project, existing};
use projections::row;
use projections::table::Scope;

use crate::count;

/// What became of the latest revision of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageStatus {
    /// It is on its way.
    Wanted,
    Sent,
    /// Its place will never take it.
    Refused,
}

impl From<MessageStatus> for &'static str {
    fn from(status: MessageStatus) -> Self {
        match status {
            MessageStatus::Wanted => "wanted",
            MessageStatus::Sent => "sent",
            MessageStatus::Refused => "refused",
        }
    }
}

row! {
    /// What one receiver is told of one issue: one message, which follows the issue, and goes with it once it is archived.
    MessageRow = dod.messages
    key {
        /// The message's id.
        id: Uuid,
    }
    columns {
        /// The issue that it tells of.
        issue_id: Uuid,
        /// The receiver, by the word that requests name it by.
        receiver_im: String,
        /// The receiver that the latest revision was sent to; null before.
        receiver_id: Option<Uuid>,
        /// What became of the latest revision: `wanted`, `sent`, `refused`.
        status: Word<MessageStatus>,
        /// What the latest revision tells: `opened`, `concluded`, `grown`, `reopened`, `resolved`, `false_positive`,
        /// `unable_to_resolve`.
        tells: Word<Tells>,
        /// The latest revision that there is to tell, from 1.
        revision: i32,
        /// The latest revision that was taken; 0 before.
        sent_revision: i32,
        /// What the receiver's place calls the message.
        im_id: Option<String>,
        /// Where it is there.
        channel: Option<String>,
        /// Why it was refused; null when the latest was not.
        because: Option<String>,
        /// When a revision was last taken.
        sent_at: Option<DateTime<Utc>>,
        /// When there was first something to tell.
        created_at: DateTime<Utc>,
        /// When the row last changed.
        updated_at: DateTime<Utc>,
    }
    generated {}
    find { id, issue_id, receiver_im, status, created_at }
    scope { Scope::Tenant }
    masked {}
}

impl Project for MessageRow {
    const OWNED: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        match recorded.of::<Message>() {
            // What waits is not told yet.
            Some(Event::MessageHeld { .. } | Event::MessageQuieted { .. }) | None => Vec::new(),
            Some(_) => vec![recorded.stream],
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(event) = recorded.of::<Message>() else {
            return Ok(row);
        };
        let updated_at = recorded.at;
        Ok(Some(match event {
            Event::MessageWanted {
                issue_id,
                receiver_im,
                revision,
                notice,
            } => {
                let row = row.unwrap_or_else(|| Self {
                    tenant_id: recorded.tenant_id,
                    position: recorded.position,
                    id,
                    issue_id: *issue_id,
                    receiver_im: receiver_im.clone(),
                    receiver_id: None,
                    status: Word(MessageStatus::Wanted),
                    tells: Word(notice.tells),
                    revision: 0,
                    sent_revision: 0,
                    im_id: None,
                    channel: None,
                    because: None,
                    sent_at: None,
                    created_at: recorded.at,
                    updated_at,
                });
                Self {
                    status: Word(MessageStatus::Wanted),
                    tells: Word(notice.tells),
                    revision: count(*revision),
                    because: None,
                    updated_at,
                    ..row
                }
            }
            Event::MessageSent {
                revision,
                receiver_id,
                place,
                sent_at,
            } => {
                let row = existing(row)?;
                let is_latest = row.revision == count(*revision);
                Self {
                    receiver_id: Some(*receiver_id),
                    status: if is_latest {
                        Word(MessageStatus::Sent)
                    } else {
                        row.status
                    },
                    sent_revision: count(*revision),
                    im_id: place.as_ref().map(|place| place.im_id.clone()).or(row.im_id),
                    channel: match place {
                        Some(place) => place.channel.clone(),
                        None => row.channel,
                    },
                    because: row.because.filter(|_| !is_latest),
                    sent_at: Some(*sent_at),
                    updated_at,
                    ..row
                }
            }
            Event::MessageRefused { revision, because, .. } => {
                let row = existing(row)?;
                // Another one is wanted since.
                if row.revision != count(*revision) {
                    return Ok(Some(row));
                }
                Self {
                    status: Word(MessageStatus::Refused),
                    because: Some(because.clone()),
                    updated_at,
                    ..row
                }
            }
            Event::MessageArchived { .. } => return existing(row).map(|_| None),
            Event::MessageHeld { .. } | Event::MessageQuieted { .. } => return Ok(row),
        }))
    }
}
