//! What a folder and a bucket have in common: bytes by tenant and name.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::bucket::Bucket;
use crate::folder::Folder;
use crate::{ObjectError, Place};

/// The names of a tenant's objects fall into so many parts, by their first two digits.
pub const PARTS: std::ops::RangeInclusive<u8> = 0..=u8::MAX;

#[derive(Debug, Clone)]
pub enum Store {
    Folder(Folder),
    Bucket(Bucket),
}

/// What lies there, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub sha256: String,
    pub bytes: u64,
    pub modified: DateTime<Utc>,
}

impl Store {
    pub async fn open(place: &Place) -> Result<Self, ObjectError> {
        Ok(match place {
            Place::Folder(path) => Self::Folder(Folder::open(path.clone()).await?),
            Place::Bucket(at) => Self::Bucket(Bucket::open(at).await?),
        })
    }

    /// Writes anew what is there already: so it is young, and whole.
    pub async fn put(&self, tenant: Uuid, sha256: &str, bytes: Bytes) -> Result<(), ObjectError> {
        match self {
            Self::Folder(folder) => folder.put(tenant, sha256, bytes).await,
            Self::Bucket(bucket) => bucket.put(tenant, sha256, bytes).await,
        }
    }

    /// The bytes under a name, if they are as many as these.
    pub async fn get(&self, tenant: Uuid, sha256: &str, bytes: u64) -> Result<Bytes, ObjectError> {
        match self {
            Self::Folder(folder) => folder.get(tenant, sha256, bytes).await,
            Self::Bucket(bucket) => bucket.get(tenant, sha256, bytes).await,
        }
    }

    /// How many bytes lie under a name.
    pub async fn bytes(&self, tenant: Uuid, sha256: &str) -> Result<Option<u64>, ObjectError> {
        match self {
            Self::Folder(folder) => folder.bytes(tenant, sha256).await,
            Self::Bucket(bucket) => bucket.bytes(tenant, sha256).await,
        }
    }

    pub async fn delete(&self, tenant: Uuid, sha256: &str) -> Result<bool, ObjectError> {
        match self {
            Self::Folder(folder) => folder.delete(tenant, sha256).await,
            Self::Bucket(bucket) => bucket.delete(tenant, sha256).await,
        }
    }

    /// Deletes an object unless it was put since this time.
    pub async fn delete_older(&self, tenant: Uuid, sha256: &str, than: DateTime<Utc>) -> Result<bool, ObjectError> {
        match self {
            Self::Folder(folder) => folder.delete_older(tenant, sha256, than).await,
            Self::Bucket(bucket) => bucket.delete_older(tenant, sha256, than).await,
        }
    }

    /// What lies in one part of a tenant's objects.
    pub async fn list(&self, tenant: Uuid, part: u8) -> Result<Vec<Stored>, ObjectError> {
        match self {
            Self::Folder(folder) => folder.list(tenant, part).await,
            Self::Bucket(bucket) => bucket.list(tenant, part).await,
        }
    }

    /// The tenants that have anything.
    pub async fn tenants(&self) -> Result<Vec<Uuid>, ObjectError> {
        match self {
            Self::Folder(folder) => folder.tenants().await,
            Self::Bucket(bucket) => bucket.tenants().await,
        }
    }

    /// Removes what was begun before this time and never finished; how many of such there were.
    pub async fn remove_unfinished(&self, before: DateTime<Utc>) -> Result<u64, ObjectError> {
        match self {
            Self::Folder(folder) => folder.remove_unfinished(before).await,
            // A bucket has an object whole or not at all.
            Self::Bucket(_) => Ok(0),
        }
    }
}
