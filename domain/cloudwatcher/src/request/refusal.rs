//! Why a command to a request is refused.

use chrono::{DateTime, Utc};
use strum::VariantNames;
use uuid::Uuid;

use super::{DECISIONS_MAX, FILES_MAX, METADATA_KEYS_MAX};
use crate::RequestStatus;
use domain::text::Unfit;
use domain::{Class, Refuse, moment};

/// Why a command to a request is refused.
// The names of its variants are those of the rules, which clients know.
#[derive(Debug, Clone, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Refusal {
    #[error("there is no such request; receive it first")]
    NotReceived,
    #[error("this request was received already; send a new one under its own id or key")]
    AlreadyReceived,
    #[error("request_key was used for a request that says something else; give a new request a key of its own")]
    #[strum(to_string = "request-key-reused")]
    KeyReused,
    #[error("this id was used for a request that says something else; send a new request under its own id")]
    IdReused,
    #[error(
        "ids of version 5 are those that Daybook derives from what requests say; leave the id out, or choose another"
    )]
    DerivedId,
    #[error("a request of this device under this request_key has the id {id}; send it there, or leave the id out")]
    KeyedElsewhere { id: Uuid },
    #[error("an equal request was received as {id} a moment ago; give this one a request_key if it is another one")]
    Repeats { id: Uuid },
    #[error("this request is archived, and nothing more can happen to it; send a new one")]
    Archived,
    #[error("this request is {status} and has its response; send a new request")]
    Closed { status: RequestStatus },
    #[error(
        "user {by} is on this request until {}; ask them to release it, wait until then, or take it over, if you may",
        moment::told(*.until)
    )]
    Taken { by: Uuid, until: DateTime<Utc> },
    #[error("the lease on this request runs until {}; wait until then", moment::told(*.until))]
    NotYet { until: DateTime<Utc> },
    #[error("this request has no response that waits for the device; respond first")]
    NotReady,
    #[error("this request has no response yet; begin or respond first")]
    NoResponse,
    #[error("a request and its response have at most {METADATA_KEYS_MAX} keys of metadata each; use fewer")]
    TooMuchMetadata,
    #[error("a request has at most {FILES_MAX} files; send a new request for more")]
    TooManyFiles,
    #[error("file_id names no file of this request; attach it first")]
    NoSuchFile,
    #[error("a request has at most {DECISIONS_MAX} decisions; send a new request for more")]
    TooManyDecisions,
    #[error("this request is {status}; only what is completed or failed is archived, so respond first")]
    NotClosed { status: RequestStatus },
    #[error("a decision of an agent refers to this request, so it stays")]
    Referred,
    #[error("{field} {unfit}")]
    Unfit { field: &'static str, unfit: Unfit },
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        match self {
            Self::NotReceived => Class::Missing,
            Self::KeyReused | Self::IdReused => Class::Conflict,
            Self::AlreadyReceived
            | Self::DerivedId
            | Self::KeyedElsewhere { .. }
            | Self::Repeats { .. }
            | Self::Archived
            | Self::Closed { .. }
            | Self::Taken { .. }
            | Self::NotYet { .. }
            | Self::NotReady
            | Self::NoResponse
            | Self::TooMuchMetadata
            | Self::TooManyFiles
            | Self::NoSuchFile
            | Self::TooManyDecisions
            | Self::NotClosed { .. }
            | Self::Referred
            | Self::Unfit { .. } => Class::Refused,
        }
    }
    fn rule(&self) -> &'static str {
        self.into()
    }
    fn rules() -> Vec<&'static str> {
        <Self as VariantNames>::VARIANTS.to_vec()
    }
    fn field(&self) -> Option<String> {
        let field = match self {
            Self::KeyReused | Self::KeyedElsewhere { .. } => "request_key",
            Self::TooMuchMetadata => "metadata",
            Self::NoSuchFile => "file_id",
            Self::Unfit { field, .. } => field,
            Self::NotReceived
            | Self::AlreadyReceived
            | Self::IdReused
            | Self::DerivedId
            | Self::Repeats { .. }
            | Self::Archived
            | Self::Closed { .. }
            | Self::Taken { .. }
            | Self::NotYet { .. }
            | Self::NotReady
            | Self::NoResponse
            | Self::TooManyFiles
            | Self::TooManyDecisions
            | Self::NotClosed { .. }
            | Self::Referred => return None,
        };
        Some(field.to_owned())
    }
}
