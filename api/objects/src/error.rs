//! What can go wrong with an object.

use std::path::PathBuf;

use book::BookError;
use domain::object::OBJECT_BYTES_MAX;

#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    #[error(
        "an object has at most {OBJECT_BYTES_MAX} bytes, or as many as were allowed, and this one has {0} or more; send less"
    )]
    TooLarge(usize),
    #[error("the object has {bytes} bytes, and at most {max} were asked for; ask for more")]
    LongerThanAsked { bytes: i64, max: usize },
    #[error(
        "this names no object: a SHA-256 of 64 lower-case hexadecimal digits and at most {OBJECT_BYTES_MAX} bytes do"
    )]
    Malformed,
    #[error("object {0} does not lie in the store; put it there from a backup, or send its content again")]
    Missing(String),
    #[error(
        "object {0} is damaged: it is not what its name says; put it back from a backup, or send its content again, which \
         mends it"
    )]
    Damaged(String),
    #[error(
        "object {0} does not open by the key that is named with it: keys and objects are from different times; restore \
         book.keys and the store from backups of one time"
    )]
    OtherKey(String),
    #[error(
        "the content was erased: its key is destroyed, or its owner's, or the tenant is deleted; nothing brings it back"
    )]
    Erased,
    #[error("an object that is not sealed may be another owner's, too; leave it to the sweep of what no event names")]
    Shared,
    #[error("the object store has no room left; nothing was kept, so make room and send it again")]
    NoRoom,
    #[error("the folder of objects failed at {path}: {error}; Daybook's user must be able to read and write it", path = .path.display())]
    Folder { path: PathBuf, error: std::io::Error },
    #[error("the bucket of objects failed: {0}; look at its address, its credentials and what they may do")]
    Bucket(String),
    #[error("{0:?} is no place for objects; give the absolute path of a folder, or s3://BUCKET or s3://BUCKET/PREFIX")]
    BadPlace(String),
    #[error("objects younger than {min} hours may have no event yet; sweep older ones", min = crate::ORPHAN_HOURS_MIN)]
    TooYoung,
    #[error("it could not be found out which objects are named: {0}; nothing of these was removed")]
    Asking(Box<dyn std::error::Error + Send + Sync>),
    #[error("the content did not arrive whole: {0}; send it again")]
    Broken(Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Book(#[from] BookError),
}

impl ObjectError {
    /// Whether trying the same again may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Book(error) => error.is_transient(),
            Self::NoRoom | Self::Folder { .. } | Self::Bucket(_) | Self::Asking(_) | Self::Broken(_) => true,
            Self::TooLarge(_)
            | Self::LongerThanAsked { .. }
            | Self::Malformed
            | Self::Missing(_)
            | Self::Damaged(_)
            | Self::OtherKey(_)
            | Self::Erased
            | Self::Shared
            | Self::BadPlace(_)
            | Self::TooYoung => false,
        }
    }
}
