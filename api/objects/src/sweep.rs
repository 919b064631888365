//! What whoever looks after the store asks of it: how much there is, what is damaged, what no event names.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::object::OBJECT_BYTES_MAX;
use tracing::info;
use uuid::Uuid;

use crate::store::{PARTS, Stored};
use crate::{ObjectError, Objects, SEALED_BYTES, sha256};

/// An object is put before the event that names it, and a command may be sent again for a while: younger ones are no
/// orphans, in hours.
pub const ORPHAN_HOURS_MIN: u64 = 1;
/// After so long nobody writes on what was begun, in hours.
const UNFINISHED_HOURS: i64 = 1;
/// Objects that are asked after at once.
const ASKED_AT_ONCE: usize = 500;

/// What a tenant has in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    pub objects: u64,
    /// Bytes as they lie there: sealed content is a few longer than it is.
    pub bytes: u64,
}

/// What came of reading all objects of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    pub read: Usage,
    /// Those that are not what their names say.
    pub damaged: Vec<String>,
}

/// An object that no event names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    pub sha256: String,
    pub bytes: u64,
    pub put_at: DateTime<Utc>,
}

/// What a sweep has removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    pub removed: Usage,
    /// What a process that died had begun to put.
    pub unfinished: u64,
}

impl Usage {
    fn add(&mut self, bytes: u64) {
        self.objects += 1;
        self.bytes += bytes;
    }
}

impl Objects {
    /// The tenants that have anything in the store.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn tenants(&self) -> Result<Vec<Uuid>, ObjectError> {
        self.store.tenants().await
    }

    /// How much a tenant has in the store. It is counted anew each time.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn usage(&self, tenant: Uuid) -> Result<Usage, ObjectError> {
        let mut usage = Usage::default();
        for part in PARTS {
            for stored in self.store.list(tenant, part).await? {
                usage.add(stored.bytes);
            }
        }
        Ok(usage)
    }

    /// Reads all objects of a tenant, and holds each against its name. Sealed ones need no key for it.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn verify(&self, tenant: Uuid) -> Result<Verified, ObjectError> {
        let mut verified = Verified::default();
        for part in PARTS {
            for Stored {
                sha256: name, bytes, ..
            } in self.store.list(tenant, part).await?
            {
                if bytes > OBJECT_BYTES_MAX as u64 + SEALED_BYTES {
                    verified.damaged.push(name);
                    continue;
                }
                let read = match self.store.get(tenant, &name, bytes).await {
                    Ok(read) => read,
                    // Removed meanwhile.
                    Err(ObjectError::Missing(_)) => continue,
                    Err(error) => return Err(error),
                };
                let digest = crate::blocking(move || Ok(sha256(&read))).await?;
                verified.read.add(bytes);
                if digest != name {
                    verified.damaged.push(name);
                }
            }
        }
        Ok(verified)
    }

    /// The objects of a tenant that were put longer ago than this and that nothing names. `named` says which of some are
    /// named, by events that are there or may yet be undone.
    ///
    /// # Errors
    /// When the age is below [`ORPHAN_HOURS_MIN`], it cannot be found out what is named, or the store fails.
    pub async fn orphans<F, N, E>(
        &self,
        tenant: Uuid,
        older_than: Duration,
        named: F,
    ) -> Result<Vec<Orphan>, ObjectError>
    where
        F: Fn(Vec<String>) -> N + Send + Sync,
        N: Future<Output = Result<HashSet<String>, E>> + Send,
        E: std::error::Error + Send + Sync + 'static,
    {
        let before = before(older_than)?;
        let mut orphans = Vec::new();
        for part in PARTS {
            orphans.extend(self.orphans_of(tenant, part, before, &named).await?);
        }
        Ok(orphans)
    }

    /// Removes the orphans of a tenant, see [`Objects::orphans`], and whatever dead processes had begun to put, of any
    /// tenant. What is put again meanwhile stays.
    ///
    /// # Errors
    /// As [`Objects::orphans`]; what is removed by then stays so.
    pub async fn sweep<F, N, E>(&self, tenant: Uuid, older_than: Duration, named: F) -> Result<Swept, ObjectError>
    where
        F: Fn(Vec<String>) -> N + Send + Sync,
        N: Future<Output = Result<HashSet<String>, E>> + Send,
        E: std::error::Error + Send + Sync + 'static,
    {
        let before = before(older_than)?;
        let unfinished = Utc::now() - TimeDelta::hours(UNFINISHED_HOURS);
        let mut swept = Swept {
            unfinished: self.store.remove_unfinished(unfinished).await?,
            ..Swept::default()
        };
        for part in PARTS {
            for orphan in self.orphans_of(tenant, part, before, &named).await? {
                if self.store.delete_older(tenant, &orphan.sha256, before).await? {
                    swept.removed.add(orphan.bytes);
                }
            }
        }
        if swept != Swept::default() {
            info!(%tenant, objects = swept.removed.objects, bytes = swept.removed.bytes, unfinished = swept.unfinished, "swept objects that nothing names");
        }
        Ok(swept)
    }

    /// Removes all objects of a tenant that was deleted.
    ///
    /// # Errors
    /// When the store fails; what is removed by then stays so.
    pub async fn delete_tenant(&self, tenant: Uuid) -> Result<Usage, ObjectError> {
        let mut removed = Usage::default();
        for part in PARTS {
            for stored in self.store.list(tenant, part).await? {
                if self.store.delete(tenant, &stored.sha256).await? {
                    removed.add(stored.bytes);
                }
            }
        }
        Ok(removed)
    }

    async fn orphans_of<F, N, E>(
        &self,
        tenant: Uuid,
        part: u8,
        before: DateTime<Utc>,
        named: &F,
    ) -> Result<Vec<Orphan>, ObjectError>
    where
        F: Fn(Vec<String>) -> N + Send + Sync,
        N: Future<Output = Result<HashSet<String>, E>> + Send,
        E: std::error::Error + Send + Sync + 'static,
    {
        let mut old = self.store.list(tenant, part).await?;
        old.retain(|stored| stored.modified < before);
        let mut orphans = Vec::new();
        for some in old.chunks(ASKED_AT_ONCE) {
            let names = some.iter().map(|stored| stored.sha256.clone()).collect();
            let named = named(names)
                .await
                .map_err(|error| ObjectError::Asking(Box::new(error)))?;
            let nameless = some.iter().filter(|stored| !named.contains(&stored.sha256));
            orphans.extend(nameless.map(|stored| Orphan {
                sha256: stored.sha256.clone(),
                bytes: stored.bytes,
                put_at: stored.modified,
            }));
        }
        Ok(orphans)
    }
}

fn before(older_than: Duration) -> Result<DateTime<Utc>, ObjectError> {
    if older_than < Duration::from_secs(ORPHAN_HOURS_MIN * 3_600) {
        return Err(ObjectError::TooYoung);
    }
    // What is longer ago than time goes has no objects.
    let age = TimeDelta::from_std(older_than).unwrap_or(TimeDelta::MAX);
    Ok(Utc::now().checked_sub_signed(age).unwrap_or(DateTime::<Utc>::MIN_UTC))
}
