//! Where objects lie.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::ObjectError;

const S3: &str = "s3://";

/// A folder, which all processes must share, or a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Folder(PathBuf),
    Bucket(AtBucket),
}

/// A bucket of S3, or of what speaks like it. What is not said here is taken from the usual variables (`AWS_REGION`,
/// `AWS_ACCESS_KEY_ID`, ...) or from the machine's own identity.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct AtBucket {
    pub name: String,
    /// What the names of all objects begin with; empty for none.
    pub prefix: String,
    /// The address of a server that is not Amazon's. Over `http` only where it says so.
    pub endpoint: Option<String>,
    pub region: Option<String>,
    pub access_key_id: Option<String>,
    pub secret_access_key: Option<String>,
}

impl fmt::Debug for AtBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.endpoint.as_deref().unwrap_or("S3");
        write!(f, "bucket {} of {at}, under {:?}", self.name, self.prefix)
    }
}

impl FromStr for Place {
    type Err = ObjectError;

    fn from_str(text: &str) -> Result<Self, ObjectError> {
        let bad = || ObjectError::BadPlace(text.to_owned());
        let Some(bucket) = text.strip_prefix(S3) else {
            let path = PathBuf::from(text);
            // Where a process was started must not decide where content lies; nor is a mistyped scheme a folder.
            return match path.is_absolute() {
                true => Ok(Self::Folder(path)),
                false => Err(bad()),
            };
        };
        let (name, prefix) = bucket.split_once('/').unwrap_or((bucket, ""));
        let prefix = prefix.trim_end_matches('/');
        let is_name = |text: &str| {
            !text.is_empty()
                && text != "."
                && text != ".."
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
        };
        if !is_name(name) || !(prefix.is_empty() || prefix.split('/').all(is_name)) {
            return Err(bad());
        }
        Ok(Self::Bucket(AtBucket {
            name: name.to_owned(),
            prefix: prefix.to_owned(),
            ..AtBucket::default()
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_an_absolute_folder_or_a_bucket() {
        let folder = "/var/lib/daybook/objects".parse::<Place>().unwrap();
        assert_eq!(folder, Place::Folder("/var/lib/daybook/objects".into()));
        for (text, name, prefix) in [
            ("s3://content", "content", ""),
            ("s3://content/", "content", ""),
            ("s3://content/day/book/", "content", "day/book"),
        ] {
            let Place::Bucket(bucket) = text.parse().unwrap() else {
                panic!("{text} is a folder");
            };
            assert_eq!((&*bucket.name, &*bucket.prefix), (name, prefix));
        }
        for bad in [
            "",
            "objects",
            "./objects",
            "s3://",
            "s3:///a",
            "s3://a/../b",
            "s3://a/b c",
            "S3://a",
            "gs://a",
        ] {
            assert!(bad.parse::<Place>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_key_of_a_bucket_is_not_shown() {
        let bucket = AtBucket {
            name: "content".to_owned(),
            secret_access_key: Some("hunter2".to_owned()),
            ..AtBucket::default()
        };
        assert!(!format!("{:?}", Place::Bucket(bucket)).contains("hunter2"));
    }
}
