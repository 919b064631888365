//! Archives on the disk: for each a file of gzip-compressed JSON Lines, and a manifest.
//!
//! | file | when |
//! |---|---|
//! | `NAME.jsonl.gz.partial` | the rows are being written; without a manifest it counts for nothing and is deleted |
//! | `NAME.manifest.pending.json` | rows and manifest are on the disk; requests are leaving the tables |
//! | `NAME.jsonl.gz`, `NAME.manifest.json` | the archive is complete |

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::ArchiveError;
use super::select::{Batch, Cursor};

/// The version of the format of archives; it tells a reader what to expect.
const FORMAT: u32 = 1;
/// How names of our files begin and end.
const PREFIX: &str = "cloudwatcher.requests.";
const DATA: &str = ".jsonl.gz";
const PARTIAL: &str = ".jsonl.gz.partial";
const MANIFEST: &str = ".manifest.json";
const PENDING: &str = ".manifest.pending.json";
const TEMPORARY: &str = ".manifest.partial";
/// Requests tell of people, so that files and the folders made for them are for Daybook's own user alone.
const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;

/// The contents of an archive, and what became of its requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    pub name: String,
    pub tenant_id: Uuid,
    pub written_at: DateTime<Utc>,
    /// The rows are those of this position of the book.
    pub position: i64,
    pub counts: Counts,
    /// The oldest and the newest request, by when they were received.
    pub first: Cursor,
    pub last: Cursor,
    /// SHA-256 of the content before it was compressed, and its size.
    pub sha256: String,
    pub bytes: u64,
    pub file: Data,
    pub requests: Vec<Member>,
    /// Requests that stayed in the tables, and why; absent until every request was asked to leave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Vec<Kept>>,
}

/// The compressed file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Data {
    pub name: String,
    pub sha256: String,
    pub bytes: u64,
}

/// A request, and the sequence of its last event that its rows show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    pub id: Uuid,
    pub sequence: i64,
}

/// A request that stayed in the tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    pub id: Uuid,
    pub why: String,
}

/// Rows of each table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    pub requests: i64,
    pub metadata: i64,
    pub responses: i64,
    pub response_metadata: i64,
    pub files: i64,
}

impl Manifest {
    /// Of a batch; the compressed file is not known yet.
    fn of(tenant_id: Uuid, batch: &Batch) -> Self {
        let sha256 = hex::encode(Sha256::digest(&batch.lines));
        let began = batch.first.created_at.format("%Y%m%dT%H%M%SZ");
        let name = format!("{PREFIX}{tenant_id}.{began}.{}", &sha256[..16]);
        Self {
            format: FORMAT,
            name,
            tenant_id,
            written_at: Utc::now(),
            position: batch.position,
            counts: batch.counts.clone(),
            first: batch.first.clone(),
            last: batch.last.clone(),
            sha256,
            bytes: batch.lines.len() as u64,
            file: Data::default(),
            requests: batch.members.clone(),
            kept: None,
        }
    }

    /// How many requests left the tables, and how many stayed.
    #[must_use]
    pub fn outcome(&self) -> (usize, usize) {
        let kept = self.kept.as_ref().map_or(0, Vec::len);
        (self.requests.len().saturating_sub(kept), kept)
    }
}

/// The folder of all archives.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// The archives that were begun and not finished. Those that never came to be are swept away.
    pub async fn pending(&self) -> Result<Vec<Manifest>, ArchiveError> {
        self.blocking(Self::pending_now).await
    }

    /// Writes the rows; they are on the disk when this returns, and count for nothing before the archive is begun.
    pub async fn keep(&self, tenant: Uuid, batch: Batch) -> Result<Manifest, ArchiveError> {
        self.blocking(move |folder| folder.keep_now(tenant, &batch)).await
    }

    /// Begins an archive whose rows are on the disk: from here on, whoever comes next goes on with it.
    pub async fn begin(&self, manifest: &Manifest) -> Result<(), ArchiveError> {
        let manifest = manifest.clone();
        self.blocking(move |folder| folder.begin_now(&manifest)).await
    }

    /// Makes sure that the rows are what the manifest says.
    pub async fn verify(&self, manifest: &Manifest) -> Result<(), ArchiveError> {
        let manifest = manifest.clone();
        self.blocking(move |folder| folder.verify_now(&manifest)).await
    }

    /// Closes an archive whose requests have left the tables.
    pub async fn close(&self, manifest: &Manifest) -> Result<(), ArchiveError> {
        let manifest = manifest.clone();
        self.blocking(move |folder| {
            folder.put(&manifest, MANIFEST)?;
            let pending = folder.path(&manifest.name, PENDING);
            fs::remove_file(&pending).map_err(of(&pending))?;
            folder.settle()
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, ArchiveError> + Send + 'static,
    ) -> Result<T, ArchiveError> {
        let folder = self.clone();
        let path = self.0.clone();
        tokio::task::spawn_blocking(move || work(&folder))
            .await
            .map_err(|error| ArchiveError::Io {
                path,
                error: io::Error::other(error),
            })?
    }

    fn pending_now(&self) -> Result<Vec<Manifest>, ArchiveError> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(of(&self.0)(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(of(&self.0))?.file_name();
            names.extend(name.into_string().ok().filter(|name| name.starts_with(PREFIX)));
        }
        names.sort_unstable();
        let mut pending = Vec::new();
        for name in &names {
            if let Some(name) = name.strip_suffix(PENDING) {
                let path = self.path(name, PENDING);
                let text = fs::read(&path).map_err(of(&path))?;
                let manifest = serde_json::from_slice(&text).map_err(|error| ArchiveError::Manifest { path, error })?;
                pending.push(manifest);
            }
        }
        for name in &names {
            let torso = name.strip_suffix(PARTIAL).or_else(|| name.strip_suffix(TEMPORARY));
            let is_begun = |torso: &str| pending.iter().any(|manifest: &Manifest| manifest.name == torso);
            if torso.is_some_and(|torso| !is_begun(torso)) {
                let path = self.0.join(name);
                fs::remove_file(&path).map_err(of(&path))?;
            }
        }
        Ok(pending)
    }

    fn keep_now(&self, tenant: Uuid, batch: &Batch) -> Result<Manifest, ArchiveError> {
        self.make()?;
        let mut manifest = Manifest::of(tenant, batch);
        let partial = self.path(&manifest.name, PARTIAL);
        let compressed = compressed(&batch.lines).map_err(of(&partial))?;
        put(&partial, &compressed)?;
        manifest.file = Data {
            name: format!("{}{DATA}", manifest.name),
            sha256: hex::encode(Sha256::digest(&compressed)),
            bytes: compressed.len() as u64,
        };
        Ok(manifest)
    }

    fn begin_now(&self, manifest: &Manifest) -> Result<(), ArchiveError> {
        self.put(manifest, PENDING)?;
        let named = self.name_data(&manifest.name);
        // Without its rows it could never be gone on with, and would be in the way of all later ones. Nothing
        // was commanded yet. With its rows it stays, whoever named them.
        if named.is_err() && !self.path(&manifest.name, DATA).exists() {
            let pending = self.path(&manifest.name, PENDING);
            fs::remove_file(&pending).map_err(of(&pending))?;
            self.settle()?;
        }
        named
    }

    /// Makes the folder, and has the disk remember each that was missing.
    fn make(&self) -> Result<(), ArchiveError> {
        let is_missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
        let missing: Vec<&Path> = self.0.ancestors().take_while(is_missing).collect();
        let making = fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(&self.0);
        making.map_err(of(&self.0))?;
        for parent in missing.into_iter().filter_map(Path::parent) {
            let here = parent.as_os_str().is_empty();
            settled(if here { Path::new(".") } else { parent })?;
        }
        Ok(())
    }

    fn verify_now(&self, manifest: &Manifest) -> Result<(), ArchiveError> {
        let data = self.path(&manifest.name, DATA);
        if !data.exists() && self.path(&manifest.name, PARTIAL).exists() {
            self.name_data(&manifest.name)?;
        }
        let damaged = |detail: String| ArchiveError::Damaged {
            name: manifest.name.clone(),
            detail,
        };
        let kept = fs::read(&data).map_err(|error| damaged(format!("{} cannot be read: {error}", data.display())))?;
        if hex::encode(Sha256::digest(&kept)) != manifest.file.sha256 {
            return Err(damaged(format!("{} is not what the manifest says", data.display())));
        }
        Ok(())
    }

    fn name_data(&self, name: &str) -> Result<(), ArchiveError> {
        let (partial, data) = (self.path(name, PARTIAL), self.path(name, DATA));
        fs::rename(&partial, &data).map_err(of(&partial))?;
        self.settle()
    }

    /// Writes a manifest under a name that says how far the archive is.
    fn put(&self, manifest: &Manifest, stage: &str) -> Result<(), ArchiveError> {
        let (temporary, path) = (self.path(&manifest.name, TEMPORARY), self.path(&manifest.name, stage));
        let text = serde_json::to_vec_pretty(manifest).map_err(|error| ArchiveError::Manifest {
            path: path.clone(),
            error,
        })?;
        put(&temporary, &text)?;
        fs::rename(&temporary, &path).map_err(of(&path))?;
        self.settle()
    }

    /// Has the disk remember the names of files.
    fn settle(&self) -> Result<(), ArchiveError> {
        settled(&self.0)
    }

    fn path(&self, name: &str, suffix: &str) -> PathBuf {
        self.0.join(format!("{name}{suffix}"))
    }
}

/// Has the disk remember the names in a folder.
fn settled(folder: &Path) -> Result<(), ArchiveError> {
    let opened = File::open(folder).map_err(of(folder))?;
    opened.sync_all().map_err(of(folder))
}

/// The same bytes for the same content: no time, no name of a file.
fn compressed(lines: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(lines)?;
    encoder.finish()
}

/// Writes a file so that a loss of power leaves it whole once this has returned.
fn put(path: &Path, content: &[u8]) -> Result<(), ArchiveError> {
    let write = || {
        let mut opening = File::options();
        let opening = opening.write(true).create(true).truncate(true).mode(FILE_MODE);
        let mut file = opening.open(path)?;
        // One that was there keeps its mode else.
        file.set_permissions(fs::Permissions::from_mode(FILE_MODE))?;
        file.write_all(content)?;
        file.sync_all()
    };
    write().map_err(of(path))
}

fn of(path: &Path) -> impl FnOnce(io::Error) -> ArchiveError + use<> {
    let path = path.to_owned();
    move |error| ArchiveError::Io { path, error }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> Folder {
        Folder::new(std::env::temp_dir().join(format!("daybook-archive-{}", Uuid::now_v7().simple())))
    }

    fn batch() -> Batch {
        Batch {
            lines: b"{}\n".to_vec(),
            members: vec![Member {
                id: Uuid::from_u128(1),
                sequence: 3,
            }],
            counts: Counts::default(),
            position: 7,
            first: Cursor::default(),
            last: Cursor::default(),
        }
    }

    async fn begun(folder: &Folder) -> Manifest {
        let manifest = folder.keep(Uuid::from_u128(2), batch()).await.unwrap();
        folder.begin(&manifest).await.unwrap();
        manifest
    }

    fn names(folder: &Folder) -> Vec<String> {
        let entries = fs::read_dir(&folder.0).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn an_archive_is_pending_until_it_is_closed() {
        let folder = folder();
        assert_eq!(folder.pending().await.unwrap(), []);
        let mut written = begun(&folder).await;
        assert_eq!(folder.pending().await.unwrap(), std::slice::from_ref(&written));
        folder.verify(&written).await.unwrap();
        written.kept = Some(Vec::new());
        folder.close(&written).await.unwrap();
        assert_eq!(folder.pending().await.unwrap(), []);
        assert_eq!(
            names(&folder),
            [DATA, MANIFEST].map(|suffix| format!("{}{suffix}", written.name))
        );
        let mut text = String::new();
        let data = File::open(folder.path(&written.name, DATA)).unwrap();
        io::Read::read_to_string(&mut flate2::read::GzDecoder::new(data), &mut text).unwrap();
        assert_eq!(text, "{}\n");
        fs::remove_dir_all(folder.0).unwrap();
    }

    #[tokio::test]
    async fn nobody_else_reads_an_archive() {
        let top = folder();
        let folder = Folder::new(top.0.join("within"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let mut written = folder.keep(Uuid::from_u128(2), batch()).await.unwrap();
        // As an earlier program left them.
        fs::set_permissions(folder.path(&written.name, PARTIAL), fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(
            written,
            folder
                .keep(Uuid::from_u128(2), batch())
                .await
                .map(|again| Manifest {
                    written_at: written.written_at,
                    ..again
                })
                .unwrap()
        );
        let modes = || names(&folder).into_iter().map(|name| mode(&folder.0.join(name)));
        assert!(modes().eq([FILE_MODE]), "the rows");
        folder.begin(&written).await.unwrap();
        assert!(modes().eq([FILE_MODE; 2]), "rows and manifest");
        written.kept = Some(Vec::new());
        folder.close(&written).await.unwrap();
        assert!(modes().eq([FILE_MODE; 2]), "the whole archive");
        assert_eq!([mode(&top.0), mode(&folder.0)], [FOLDER_MODE; 2]);
        fs::remove_dir_all(top.0).unwrap();
    }

    #[tokio::test]
    async fn what_never_came_to_be_an_archive_is_swept_away_and_nothing_else_is() {
        let folder = folder();
        fs::create_dir_all(&folder.0).unwrap();
        for name in [
            "cloudwatcher.requests.torso.jsonl.gz.partial",
            "notes.txt",
            "other.jsonl.gz.partial",
        ] {
            fs::write(folder.0.join(name), b"1").unwrap();
        }
        assert_eq!(folder.pending().await.unwrap(), []);
        assert_eq!(names(&folder), ["notes.txt", "other.jsonl.gz.partial"]);
        fs::remove_dir_all(folder.0).unwrap();
    }

    #[tokio::test]
    async fn whoever_died_between_the_manifest_and_the_name_of_the_data_is_gone_on_with() {
        let folder = folder();
        let written = begun(&folder).await;
        let (data, partial) = (folder.path(&written.name, DATA), folder.path(&written.name, PARTIAL));
        fs::rename(&data, &partial).unwrap();
        assert_eq!(folder.pending().await.unwrap(), std::slice::from_ref(&written));
        folder.verify(&written).await.unwrap();
        assert!(data.exists());
        fs::remove_dir_all(folder.0).unwrap();
    }

    #[tokio::test]
    async fn an_archive_whose_rows_are_gone_is_never_begun() {
        let folder = Folder::new(folder().0.join("made").join("with its parents"));
        let manifest = folder.keep(Uuid::from_u128(2), batch()).await.unwrap();
        // Another process thought them a torso.
        assert_eq!(folder.pending().await.unwrap(), []);
        assert!(folder.begin(&manifest).await.is_err());
        assert_eq!(names(&folder), [] as [&str; 0]);
        assert_eq!(folder.pending().await.unwrap(), []);
        fs::remove_dir_all(folder.0.ancestors().nth(2).unwrap()).unwrap();
    }

    #[tokio::test]
    async fn a_damaged_archive_lets_nothing_leave_the_tables() {
        let folder = folder();
        let written = begun(&folder).await;
        fs::write(folder.path(&written.name, DATA), b"else").unwrap();
        assert!(matches!(
            folder.verify(&written).await,
            Err(ArchiveError::Damaged { .. })
        ));
        fs::remove_file(folder.path(&written.name, DATA)).unwrap();
        assert!(matches!(
            folder.verify(&written).await,
            Err(ArchiveError::Damaged { .. })
        ));
        fs::remove_dir_all(folder.0).unwrap();
    }
}
