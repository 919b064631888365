//! Why an entry was not changed.

use strum::VariantNames;
use uuid::Uuid;

use crate::misread::Misread;
use crate::text::Unfit;
use crate::{Class, Refuse};

/// Why an entry was not changed.
// The names of its variants are those of the rules, which clients know.
#[derive(Debug, Clone, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Refusal {
    #[error("there is no such {noun}; enter it first")]
    NotEntered { noun: &'static str },
    #[error("this {noun} is entered already; amend it instead")]
    AlreadyEntered { noun: &'static str },
    #[error("this {noun} is struck; enter it again before you amend it")]
    Struck { noun: &'static str },
    #[error("there is nothing to forget of a {noun}: it has no contacts")]
    NoContacts { noun: &'static str },
    #[error("there is one {noun} per tenant and its id is {id}; send the command there")]
    OnePerTenant { noun: &'static str, id: Uuid },
    #[error("this {noun} belongs to department {department} and cannot move; strike it and enter another one")]
    Moves { noun: &'static str, department: Uuid },
    #[error("{field} {unfit}")]
    Unfit { field: &'static str, unfit: Unfit },
    #[error("{}", .0.detail)]
    Misread(Misread),
    #[error("{detail}")]
    Reference { field: &'static str, detail: String },
}

impl From<Misread> for Refusal {
    fn from(misread: Misread) -> Self {
        Self::Misread(misread)
    }
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        match self {
            Self::NotEntered { .. } => Class::Missing,
            Self::AlreadyEntered { .. }
            | Self::Struck { .. }
            | Self::NoContacts { .. }
            | Self::OnePerTenant { .. }
            | Self::Moves { .. }
            | Self::Unfit { .. }
            | Self::Misread(_)
            | Self::Reference { .. } => Class::Refused,
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
            Self::Unfit { field, .. } | Self::Reference { field, .. } => Some((*field).to_owned()),
            Self::Misread(misread) => Some(misread.field.clone()),
            Self::NotEntered { .. }
            | Self::AlreadyEntered { .. }
            | Self::Struck { .. }
            | Self::NoContacts { .. }
            | Self::OnePerTenant { .. }
            | Self::Moves { .. } => None,
        }
    }
}
