//! Why a secret is not sealed, or not opened.

use book::BookError;
use domain::setting::{PLACE_BYTES_MAX, SECRET_BYTES_MAX};

/// None of them says anything of the secret.
#[derive(Debug, thiserror::Error)]
pub enum SettingError {
    #[error("a secret must not be empty; leave the field out to keep it as it is")]
    Empty,
    #[error("a secret has at most {SECRET_BYTES_MAX} bytes, and this one has {0}; send a shorter one")]
    TooLong(usize),
    #[error("this is a sealed secret, as Daybook keeps it; send the secret itself, or leave the field out")]
    SealedAlready,
    #[error("{0} must be a text, for it is a secret")]
    NoText(String),
    #[error("the name of a secret's place has 1 to {PLACE_BYTES_MAX} bytes, and this one has {0}; shorten it")]
    BadPlace(usize),
    #[error("this is no sealed secret; set it anew")]
    NotSealed,
    #[error("this secret was sealed for another place or tenant, or was changed; set it anew where it is needed")]
    OtherPlace,
    #[error("the key of this secret is destroyed, or was not restored with the database; set the secret anew")]
    Gone,
    #[error(
        "no key can be made for the secrets of this tenant: it is deleted, its secrets were erased, or the key of this very \
         request was; make a new request, of a tenant that stands"
    )]
    NoKey,
    #[error(transparent)]
    Book(#[from] BookError),
}

impl SettingError {
    /// Whether trying the same again may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Book(error) => error.is_transient(),
            Self::Empty
            | Self::TooLong(_)
            | Self::SealedAlready
            | Self::NoText(_)
            | Self::BadPlace(_)
            | Self::NotSealed
            | Self::OtherPlace
            | Self::Gone
            | Self::NoKey => false,
        }
    }
}
