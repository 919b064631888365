//! Objects in a folder: `<tenant>/<first two digits>/<sha256>`. What is being put lies in `unfinished/` until it is whole
//! and on the disk, and takes its name by being renamed. So a name has all of its bytes, whoever dies when.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use domain::object::is_sha256;
use tracing::warn;
use uuid::Uuid;

use crate::store::Stored;
use crate::{ObjectError, blocking};

/// Tenants go by ids, so that none is called so.
const UNFINISHED: &str = "unfinished";
/// Who gives names to files locks it together with others, who removes old files alone. The system lets go of it when a
/// process dies.
const LOCK: &str = "lock";
/// Content may tell of people, so that files and folders are for Daybook's own user alone.
const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;

#[derive(Debug, Clone)]
pub struct Folder {
    root: Arc<Path>,
}

impl Folder {
    pub async fn open(root: PathBuf) -> Result<Self, ObjectError> {
        let folder = Self { root: root.into() };
        folder
            .at_disk(|root| {
                let unfinished = root.join(UNFINISHED);
                let making = DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(&unfinished);
                making.map_err(|error| failed(&unfinished, error))?;
                Unfinished::begin(root)?.fill(|file| file.write_all(b"can be written to"))
            })
            .await?;
        Ok(folder)
    }

    pub async fn put(&self, tenant: Uuid, sha256: &str, bytes: Bytes) -> Result<(), ObjectError> {
        let sha256 = sha256.to_owned();
        self.at_disk(move |root| {
            let folder = make_folders(root, tenant, &sha256)?;
            let unfinished = Unfinished::begin(root)?;
            unfinished.fill(|file| file.write_all(&bytes))?;
            unfinished.compare(&bytes)?;
            let _beside_others = locked(root, File::lock_shared)?;
            unfinished.finish(&folder, &sha256)
        })
        .await
    }

    pub async fn get(&self, tenant: Uuid, sha256: &str, bytes: u64) -> Result<Bytes, ObjectError> {
        let sha256 = sha256.to_owned();
        self.at_disk(move |root| {
            let path = path(root, tenant, &sha256);
            let file = match File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == ErrorKind::NotFound => return Err(ObjectError::Missing(sha256)),
                Err(error) => return Err(failed(&path, error)),
            };
            let mut content = Vec::new();
            // One more than there should be, so that a longer file is seen, and not read.
            let reading = file.take(bytes.saturating_add(1)).read_to_end(&mut content);
            reading.map_err(|error| failed(&path, error))?;
            match content.len() as u64 == bytes {
                true => Ok(content.into()),
                false => Err(ObjectError::Damaged(sha256)),
            }
        })
        .await
    }

    pub async fn bytes(&self, tenant: Uuid, sha256: &str) -> Result<Option<u64>, ObjectError> {
        let sha256 = sha256.to_owned();
        self.at_disk(move |root| {
            let path = path(root, tenant, &sha256);
            let there = found(fs::metadata(&path)).map_err(|error| failed(&path, error))?;
            Ok(there.map(|metadata| metadata.len()))
        })
        .await
    }

    pub async fn delete(&self, tenant: Uuid, sha256: &str) -> Result<bool, ObjectError> {
        let sha256 = sha256.to_owned();
        self.at_disk(move |root| {
            let path = path(root, tenant, &sha256);
            let removed = found(fs::remove_file(&path)).map_err(|error| failed(&path, error))?;
            if removed.is_some() {
                synced(path.parent().unwrap_or(root))?;
            }
            Ok(removed.is_some())
        })
        .await
    }

    /// While it is looked at and removed nobody puts the same.
    pub async fn delete_older(&self, tenant: Uuid, sha256: &str, than: DateTime<Utc>) -> Result<bool, ObjectError> {
        let sha256 = sha256.to_owned();
        self.at_disk(move |root| {
            let path = path(root, tenant, &sha256);
            let _alone = locked(root, File::lock)?;
            let removing = || -> io::Result<bool> {
                let is_old = DateTime::<Utc>::from(fs::metadata(&path)?.modified()?) < than;
                if is_old {
                    fs::remove_file(&path)?;
                }
                Ok(is_old)
            };
            let is_gone = found(removing()).map_err(|error| failed(&path, error))? == Some(true);
            if is_gone {
                synced(path.parent().unwrap_or(root))?;
            }
            Ok(is_gone)
        })
        .await
    }

    pub async fn list(&self, tenant: Uuid, part: u8) -> Result<Vec<Stored>, ObjectError> {
        self.at_disk(move |root| {
            let folder = root.join(tenant.to_string()).join(format!("{part:02x}"));
            let mut stored = Vec::new();
            for (name, entry) in entries(&folder)? {
                if !is_sha256(&name) || !name.starts_with(&format!("{part:02x}")) {
                    warn!(path = %folder.join(&name).display(), "this is no object, and stays as it is");
                    continue;
                }
                // It may be gone by now.
                let metadata = found(entry.metadata()).map_err(|error| failed(&entry.path(), error))?;
                if let Some(metadata) = metadata {
                    let modified = metadata.modified().map_err(|error| failed(&entry.path(), error))?;
                    stored.push(Stored {
                        sha256: name,
                        bytes: metadata.len(),
                        modified: modified.into(),
                    });
                }
            }
            Ok(stored)
        })
        .await
    }

    pub async fn tenants(&self) -> Result<Vec<Uuid>, ObjectError> {
        self.at_disk(|root| {
            let mut tenants: Vec<Uuid> = entries(root)?.filter_map(|(name, _)| name.parse().ok()).collect();
            tenants.sort_unstable();
            Ok(tenants)
        })
        .await
    }

    pub async fn remove_unfinished(&self, before: DateTime<Utc>) -> Result<u64, ObjectError> {
        self.at_disk(move |root| {
            let mut removed = 0;
            for (_, entry) in entries(&root.join(UNFINISHED))? {
                let removing = || -> io::Result<bool> {
                    let modified = entry.metadata()?.modified()?;
                    let is_old = DateTime::<Utc>::from(modified) < before;
                    if is_old {
                        fs::remove_file(entry.path())?;
                    }
                    Ok(is_old)
                };
                let is_gone = found(removing()).map_err(|error| failed(&entry.path(), error))?;
                removed += u64::from(is_gone == Some(true));
            }
            Ok(removed)
        })
        .await
    }

    async fn at_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> Result<T, ObjectError> + Send + 'static,
    ) -> Result<T, ObjectError> {
        let root = self.root.clone();
        blocking(move || work(&root)).await
    }
}

/// A file without its name yet; gone when dropped, unless it was finished.
struct Unfinished {
    path: PathBuf,
}

impl Unfinished {
    fn begin(root: &Path) -> Result<Self, ObjectError> {
        let unfinished = Self {
            path: root.join(UNFINISHED).join(Uuid::new_v4().to_string()),
        };
        let mut options = OpenOptions::new();
        let making = options.write(true).create_new(true).mode(FILE_MODE);
        making
            .open(&unfinished.path)
            .map_err(|error| failed(&unfinished.path, error))?;
        Ok(unfinished)
    }

    /// Has it written to, and onto the disk.
    fn fill(&self, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), ObjectError> {
        let filling = || {
            let mut file = OpenOptions::new().write(true).open(&self.path)?;
            write(&mut file)?;
            file.sync_all()
        };
        filling().map_err(|error| failed(&self.path, error))
    }

    /// Makes sure that it has these bytes: what a disk has accepted, it may not have.
    fn compare(&self, bytes: &[u8]) -> Result<(), ObjectError> {
        let read = fs::read(&self.path).map_err(|error| failed(&self.path, error))?;
        match read == bytes {
            true => Ok(()),
            false => Err(failed(
                &self.path,
                io::Error::other("other bytes are read than were written"),
            )),
        }
    }

    /// Gives it its name, in the place of what may have it already.
    fn finish(self, folder: &Path, name: &str) -> Result<(), ObjectError> {
        let path = folder.join(name);
        fs::rename(&self.path, &path).map_err(|error| failed(&path, error))?;
        // There is nothing left to drop.
        std::mem::forget(self);
        synced(folder)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        match found(fs::remove_file(&self.path)) {
            Ok(_) => {}
            // The next sweep removes it.
            Err(error) => warn!(path = %self.path.display(), %error, "what was not put whole cannot be removed yet"),
        }
    }
}

/// The lock, held until it is dropped.
fn locked(root: &Path, lock: impl Fn(&File) -> io::Result<()>) -> Result<File, ObjectError> {
    let path = root.join(LOCK);
    let mut options = OpenOptions::new();
    let opening = options
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE)
        .open(&path);
    let locking = opening.and_then(|file| lock(&file).map(|()| file));
    locking.map_err(|error| failed(&path, error))
}

/// The folder of an object, made and on the disk with those above it.
fn make_folders(root: &Path, tenant: Uuid, sha256: &str) -> Result<PathBuf, ObjectError> {
    let mut folder = root.to_owned();
    for name in [tenant.to_string(), sha256[..2].to_owned()] {
        let above = folder.clone();
        folder.push(name);
        match DirBuilder::new().mode(FOLDER_MODE).create(&folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(failed(&folder, error)),
            // Also what another has made a moment ago, and not synchronised yet.
            _ => synced(&above)?,
        }
    }
    Ok(folder)
}

fn path(root: &Path, tenant: Uuid, sha256: &str) -> PathBuf {
    root.join(tenant.to_string()).join(&sha256[..2]).join(sha256)
}

/// What lies in a folder; nothing when there is none.
fn entries(folder: &Path) -> Result<impl Iterator<Item = (String, fs::DirEntry)>, ObjectError> {
    let failing = |error| failed(folder, error);
    let entries = found(fs::read_dir(folder)).map_err(failing)?;
    let entries = entries.map_or_else(|| Ok(Vec::new()), Iterator::collect::<io::Result<Vec<_>>>);
    let named = |entry: fs::DirEntry| (entry.file_name().to_string_lossy().into_owned(), entry);
    Ok(entries.map_err(failing)?.into_iter().map(named))
}

/// Names in a folder are on the disk once the folder is.
fn synced(folder: &Path) -> Result<(), ObjectError> {
    let syncing = File::open(folder).and_then(|folder| folder.sync_all());
    syncing.map_err(|error| failed(folder, error))
}

fn found<T>(looking: io::Result<T>) -> io::Result<Option<T>> {
    match looking {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn failed(path: &Path, error: io::Error) -> ObjectError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => ObjectError::NoRoom,
        _ => ObjectError::Folder {
            path: path.to_owned(),
            error,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_written_whole_is_removed() {
        let root = std::env::temp_dir().join(format!("daybook-objects-{}", Uuid::new_v4()));
        fs::create_dir_all(root.join(UNFINISHED)).unwrap();
        let unfinished = Unfinished::begin(&root).unwrap();
        let full = unfinished.fill(|file| {
            file.write_all(b"half")?;
            Err(ErrorKind::StorageFull.into())
        });
        assert!(matches!(full, Err(ObjectError::NoRoom)), "{full:?}");
        // Nor does other content than was to be written get a name.
        unfinished.compare(b"half and the other half").unwrap_err();
        drop(unfinished);
        assert_eq!(entries(&root.join(UNFINISHED)).unwrap().count(), 0);
        fs::remove_dir_all(&root).unwrap();
    }
}
