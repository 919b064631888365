//! Why a command to an issue is refused.

use domain::text::Unfit;
use domain::{Class, Refuse};
use strum::VariantNames;

use super::{ALERTS_MAX, IssueStatus, STEPS_MAX};

/// Why a command to an issue is refused.
// The names of its variants are those of the rules, which clients know.
#[derive(Debug, Clone, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Refusal {
    #[error("there is no such issue; issues open by themselves when alerts do")]
    NotOpened,
    #[error("this issue is {status}; reopen it first")]
    Ended { status: IssueStatus },
    #[error("this issue is {status}; there is nothing to reopen")]
    NotEnded { status: IssueStatus },
    #[error("an issue has at most {ALERTS_MAX} alerts")]
    TooManyAlerts,
    #[error("there is no such alert")]
    NoAlert,
    #[error("this alert is none of the issue's")]
    NotBound,
    #[error("another investigation has begun since")]
    OtherRound,
    #[error("the investigation has found its skill already")]
    AlreadyMatched,
    #[error("the investigation has not found its skill yet")]
    NotMatched,
    #[error("the investigation is at another step")]
    OtherStep,
    #[error("an investigation has at most {STEPS_MAX} steps")]
    TooManySteps,
    #[error("the issue is being investigated; wait for its conclusion")]
    UnderWay,
    #[error("nothing was concluded yet that could be corrected; wait for the investigation")]
    NotConcluded,
    #[error("skill_id names no skill of this tenant; enter it or choose another")]
    NoSkill,
    #[error("user_id names no active person of this tenant; choose another")]
    NoPerson,
    #[error("this issue is archived, and nothing more can happen to it; another one opens when its alerts come back")]
    Archived,
    #[error("only an issue that has ended, and whose alerts are all over, is archived")]
    NotOver,
    #[error("{field} {unfit}")]
    Unfit { field: &'static str, unfit: Unfit },
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        match self {
            Self::NotOpened => Class::Missing,
            _ => Class::Refused,
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
            Self::NoSkill => Some("skill_id".to_owned()),
            Self::Unfit { field, .. } => Some((*field).to_owned()),
            _ => None,
        }
    }
}
