//! Why a command to a delivery is refused.

use domain::text::Unfit;
use domain::{Class, Refuse};
use strum::VariantNames;

use super::BODY_BYTES_MAX;

/// Why a command to a delivery is refused.
// The names of its variants are those of the rules, which clients know.
#[derive(Debug, Clone, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Refusal {
    #[error("there is no such delivery; send the alert to the address of its source again")]
    NotReceived,
    #[error("this delivery was received already")]
    AlreadyReceived,
    #[error("the source of this delivery is not in use; enter it again first")]
    NoSource,
    #[error("the body of this delivery was dropped, so it cannot be parsed again; have the sender send it anew")]
    BodyDropped,
    #[error("this delivery is being parsed; wait for what comes of it")]
    UnderWay,
    #[error("the body has to come along, since it lies in the object store")]
    BodyElsewhere,
    #[error("the body is larger than {BODY_BYTES_MAX} bytes, or neither here nor in the object store")]
    Body,
    #[error("{field} {unfit}")]
    Unfit { field: &'static str, unfit: Unfit },
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        match self {
            Self::NotReceived => Class::Missing,
            Self::AlreadyReceived
            | Self::NoSource
            | Self::BodyDropped
            | Self::UnderWay
            | Self::BodyElsewhere
            | Self::Body
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
            Self::Unfit { field, .. } => Some((*field).to_owned()),
            _ => None,
        }
    }
}
