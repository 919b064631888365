//! Why a command to an alert is refused.

use domain::text::Unfit;
use domain::{Class, Refuse};
use strum::VariantNames;

use super::AlertStatus;

/// Why a command to an alert is refused.
// The names of its variants are those of the rules, which clients know.
#[derive(Debug, Clone, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Refusal {
    #[error("there is no such alert; alerts come from their sources")]
    NotOpened,
    #[error("this alert was opened already")]
    AlreadyOpened,
    #[error("this alert is {status}; {}", ended(*status))]
    Ended { status: AlertStatus },
    #[error("this alert is {status}; only what a person has ended is reopened")]
    NotEnded { status: AlertStatus },
    #[error(
        "this alert was resolved, or what it tells of is over; when its source tells of the same again, a new one opens"
    )]
    Over,
    #[error(
        "this is a heartbeat, which says that its sender is alive; it opens no issue, so there is nothing to reopen"
    )]
    Heartbeat,
    #[error("user_id names no active person of this tenant; choose another")]
    NoPerson,
    #[error(
        "this alert is archived, and nothing more can happen to it; when its source tells of the same again, a new one opens"
    )]
    Archived,
    #[error("the issue of this alert is archived; when its source tells of the same again, a new one opens")]
    IssueArchived,
    #[error("this alert is {status}; only what is over is archived")]
    NotOver { status: AlertStatus },
    #[error("what the body says of this alert is not dropped yet; it is archived after that")]
    HasBody,
    #[error("this alert belongs to an issue that is not archived; it leaves with that")]
    OfIssue,
    #[error("{field} {unfit}")]
    Unfit { field: &'static str, unfit: Unfit },
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        match self {
            Self::NotOpened => Class::Missing,
            Self::AlreadyOpened
            | Self::Ended { .. }
            | Self::NotEnded { .. }
            | Self::Over
            | Self::Heartbeat
            | Self::NoPerson
            | Self::Archived
            | Self::IssueArchived
            | Self::NotOver { .. }
            | Self::HasBody
            | Self::OfIssue
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
        match self {
            Self::NoPerson => Some("user_id".to_owned()),
            Self::Unfit { field, .. } => Some((*field).to_owned()),
            _ => None,
        }
    }
}

/// What can be done about an alert that has ended so.
fn ended(status: AlertStatus) -> &'static str {
    match status {
        AlertStatus::FalsePositive | AlertStatus::Ignored => "reopen it first, unless what it tells of is over",
        AlertStatus::Open | AlertStatus::Investigating | AlertStatus::Resolved => {
            "when its source tells of the same again, a new one opens"
        }
    }
}
