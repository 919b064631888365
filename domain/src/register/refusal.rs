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
    #[error(
        "this {noun} belongs to department {department} and cannot move; enter another one for the other department"
    )]
    Moves {
        noun: &'static str,
        department: Uuid,
        /// The field that names the department, where there is one.
        field: Option<&'static str>,
    },
    #[error("{field} {unfit}")]
    Unfit { field: &'static str, unfit: Unfit },
    #[error("{}", .0.detail)]
    Misread(Misread),
    #[error("{detail}")]
    Reference { field: &'static str, detail: String },
    #[error("the key of this {noun} is that of another stream: {id}; send the command there, or without an id")]
    Elsewhere { noun: &'static str, id: Uuid },
    #[error("a {noun} gets its number from Daybook; enter a new one without an id, with POST to all of them")]
    Numbered { noun: &'static str },
    /// More than one thing is wrong with the entry; the rule is that of the first.
    #[error("{first}")]
    Several { first: Box<Refusal>, others: Vec<Refusal> },
}

impl From<Misread> for Refusal {
    fn from(misread: Misread) -> Self {
        Self::Misread(misread)
    }
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        match self {
            Self::Several { first, .. } => first.class(),
            Self::NotEntered { .. } => Class::Missing,
            Self::AlreadyEntered { .. }
            | Self::Struck { .. }
            | Self::NoContacts { .. }
            | Self::OnePerTenant { .. }
            | Self::Moves { .. }
            | Self::Unfit { .. }
            | Self::Misread(_)
            | Self::Elsewhere { .. }
            | Self::Numbered { .. }
            | Self::Reference { .. } => Class::Refused,
        }
    }
    fn rule(&self) -> &'static str {
        match self {
            Self::Several { first, .. } => first.rule(),
            one => one.into(),
        }
    }
    fn rules() -> Vec<&'static str> {
        let names = <Self as VariantNames>::VARIANTS.iter();
        names.copied().filter(|name| *name != "several").collect()
    }
    fn field(&self) -> Option<String> {
        match self {
            Self::Unfit { field, .. } | Self::Reference { field, .. } => Some((*field).to_owned()),
            Self::Misread(misread) => Some(misread.field.clone()),
            Self::Moves { field, .. } => field.map(str::to_owned),
            Self::Several { first, .. } => first.field(),
            Self::NotEntered { .. }
            | Self::AlreadyEntered { .. }
            | Self::Struck { .. }
            | Self::NoContacts { .. }
            | Self::OnePerTenant { .. }
            | Self::Elsewhere { .. }
            | Self::Numbered { .. } => None,
        }
    }
    fn others(&self) -> Vec<Misread> {
        let Self::Several { others, .. } = self else {
            return Vec::new();
        };
        let misread = |other: &Self| Misread {
            field: other.field().unwrap_or_default(),
            detail: other.to_string(),
        };
        others.iter().map(misread).collect()
    }
}
