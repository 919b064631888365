//! Objects in a bucket of S3: `<prefix>/<tenant>/<first two digits>/<sha256>`, each whole or not at all.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use domain::object::is_sha256;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{ClientOptions, Error, ObjectStore as _, ObjectStoreExt as _, RetryConfig};
use tracing::warn;
use uuid::Uuid;

use crate::store::Stored;
use crate::{AtBucket, ObjectError};

/// One request with the largest object, in seconds.
const REQUEST_SECONDS_MAX: u64 = 60;
/// How often a request is tried again, and for how long, in seconds.
const TRIES_AGAIN_MAX: usize = 3;
const TRYING_SECONDS_MAX: u64 = 90;

#[derive(Clone)]
pub struct Bucket {
    client: Arc<AmazonS3>,
    prefix: Arc<str>,
}

/// Not the client's own, which shows its key.
impl std::fmt::Debug for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} under {:?}", self.client, self.prefix)
    }
}

impl Bucket {
    pub async fn open(at: &AtBucket) -> Result<Self, ObjectError> {
        let options = ClientOptions::new().with_timeout(Duration::from_secs(REQUEST_SECONDS_MAX));
        let mut builder = AmazonS3Builder::from_env()
            .with_bucket_name(&at.name)
            .with_client_options(options)
            // They go one at a time, and not every server knows how to delete several.
            .with_disable_bulk_delete(true)
            .with_retry(RetryConfig {
                max_retries: TRIES_AGAIN_MAX,
                retry_timeout: Duration::from_secs(TRYING_SECONDS_MAX),
                ..RetryConfig::default()
            });
        if let Some(endpoint) = &at.endpoint {
            let is_in_clear = endpoint.starts_with("http://");
            builder = builder.with_endpoint(endpoint).with_allow_http(is_in_clear);
        }
        if let Some(region) = &at.region {
            builder = builder.with_region(region);
        }
        if let Some(id) = &at.access_key_id {
            builder = builder.with_access_key_id(id);
        }
        if let Some(secret) = &at.secret_access_key {
            builder = builder.with_secret_access_key(secret);
        }
        let bucket = Self {
            client: Arc::new(builder.build().map_err(failed)?),
            prefix: at.prefix.as_str().into(),
        };
        // Who may not list it, or mistyped its name, is told now.
        if let Some(Err(error)) = bucket.client.list(Some(&bucket.under("unfinished"))).next().await {
            return Err(failed(error));
        }
        Ok(bucket)
    }

    pub async fn put(&self, tenant: Uuid, sha256: &str, bytes: Bytes) -> Result<(), ObjectError> {
        let path = self.path(tenant, sha256);
        self.client.put(&path, bytes.into()).await.map_err(failed)?;
        Ok(())
    }

    pub async fn get(&self, tenant: Uuid, sha256: &str, bytes: u64) -> Result<Bytes, ObjectError> {
        let found = match self.client.get(&self.path(tenant, sha256)).await {
            Ok(found) => found,
            Err(Error::NotFound { .. }) => return Err(ObjectError::Missing(sha256.to_owned())),
            Err(error) => return Err(failed(error)),
        };
        // Before it is read into memory.
        if found.meta.size != bytes {
            return Err(ObjectError::Damaged(sha256.to_owned()));
        }
        found.bytes().await.map_err(failed)
    }

    pub async fn bytes(&self, tenant: Uuid, sha256: &str) -> Result<Option<u64>, ObjectError> {
        Ok(self.stored(tenant, sha256).await?.map(|(bytes, _)| bytes))
    }

    pub async fn delete(&self, tenant: Uuid, sha256: &str) -> Result<bool, ObjectError> {
        // S3 deletes what is not there as well as what is.
        let is_there = self.stored(tenant, sha256).await?.is_some();
        match self.client.delete(&self.path(tenant, sha256)).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(is_there),
            Err(error) => Err(failed(error)),
        }
    }

    /// Looked at again at the last moment: S3 has no deletion of what is older than something.
    pub async fn delete_older(&self, tenant: Uuid, sha256: &str, than: DateTime<Utc>) -> Result<bool, ObjectError> {
        match self.stored(tenant, sha256).await? {
            Some((_, modified)) if modified < than => self.delete(tenant, sha256).await,
            _ => Ok(false),
        }
    }

    pub async fn list(&self, tenant: Uuid, part: u8) -> Result<Vec<Stored>, ObjectError> {
        let part = format!("{part:02x}");
        let prefix = self.under(&format!("{tenant}/{part}"));
        let listed: Vec<_> = self.client.list(Some(&prefix)).try_collect().await.map_err(failed)?;
        let mut stored = Vec::new();
        for object in listed {
            let name = object.location.filename().unwrap_or_default();
            if !is_sha256(name) || !name.starts_with(&part) {
                warn!(path = %object.location, "this is no object, and stays as it is");
                continue;
            }
            stored.push(Stored {
                sha256: name.to_owned(),
                bytes: object.size,
                modified: object.last_modified,
            });
        }
        Ok(stored)
    }

    pub async fn tenants(&self) -> Result<Vec<Uuid>, ObjectError> {
        let prefix = Path::from(&*self.prefix);
        let listed = self.client.list_with_delimiter(Some(&prefix)).await.map_err(failed)?;
        let folders = listed.common_prefixes.iter();
        let mut tenants: Vec<Uuid> = folders.filter_map(|path| path.filename()?.parse().ok()).collect();
        tenants.sort_unstable();
        Ok(tenants)
    }

    async fn stored(&self, tenant: Uuid, sha256: &str) -> Result<Option<(u64, DateTime<Utc>)>, ObjectError> {
        match self.client.head(&self.path(tenant, sha256)).await {
            Ok(meta) => Ok(Some((meta.size, meta.last_modified))),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    fn path(&self, tenant: Uuid, sha256: &str) -> Path {
        self.under(&format!("{tenant}/{}/{sha256}", &sha256[..2]))
    }

    fn under(&self, path: &str) -> Path {
        Path::from(format!("{}/{path}", self.prefix))
    }
}

fn failed(error: Error) -> ObjectError {
    ObjectError::Bucket(error.to_string())
}
