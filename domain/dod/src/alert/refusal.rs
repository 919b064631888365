//! Why a command to an alert is refused.

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
    #[error("this alert is {status}; reopen it first")]
    Ended { status: AlertStatus },
    #[error("this alert is {status}; only what a person has ended is reopened")]
    NotEnded { status: AlertStatus },
    #[error("what this alert tells of is over; when its source tells of the same again, a new one opens")]
    Over,
    #[error("user_id names no active person of this tenant; choose another")]
    NoPerson,
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        match self {
            Self::NotOpened => Class::Missing,
            Self::AlreadyOpened | Self::Ended { .. } | Self::NotEnded { .. } | Self::Over | Self::NoPerson => {
                Class::Refused
            }
        }
    }
    fn rule(&self) -> &'static str {
        self.into()
    }
    fn rules() -> Vec<&'static str> {
        <Self as VariantNames>::VARIANTS.to_vec()
    }
    fn field(&self) -> Option<String> {
        matches!(self, Self::NoPerson).then(|| "user_id".to_owned())
    }
}
