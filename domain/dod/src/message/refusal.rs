//! Why a command to a message is refused.

use domain::text::Unfit;
use domain::{Class, Refuse};
use strum::VariantNames;

/// Why a command to a message is refused.
// The names of its variants are those of the rules, which clients know.
#[derive(Debug, Clone, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Refusal {
    #[error("there is no such message; messages follow issues by themselves")]
    NotWanted,
    #[error("a message to {receiver_im} about this issue has another id")]
    OtherStream { receiver_im: String },
    #[error("no such revision of this message was ever wanted")]
    OtherRevision,
    #[error("this message is on its way; wait for what comes of it")]
    UnderWay,
    #[error("this message is archived together with its issue, and nothing more is told by it")]
    Archived,
    #[error("{field} {unfit}")]
    Unfit { field: &'static str, unfit: Unfit },
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        match self {
            Self::NotWanted => Class::Missing,
            Self::OtherStream { .. } | Self::OtherRevision | Self::UnderWay | Self::Archived | Self::Unfit { .. } => {
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
        match self {
            Self::Unfit { field, .. } => Some((*field).to_owned()),
            Self::NotWanted | Self::OtherStream { .. } | Self::OtherRevision | Self::UnderWay | Self::Archived => None,
        }
    }
}
