//! Archives on the disk: for each a file of gzip-compressed JSON Lines, and a manifest.
//!
//! | file | when |
//! |---|---|
//! | `NAME.jsonl.gz.partial` | the rows are being written; without a manifest it counts for nothing and is deleted |
//! | `NAME.manifest.pending.json` | rows and manifest are on the disk; things are leaving the tables |
//! | `NAME.jsonl.gz`, `NAME.manifest.json` | the archive is complete |

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use chrono::Utc;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::archiver::ArchiveError;
use crate::kind::Kind;
use crate::manifest::{Data, FORMAT, Manifest};
use crate::select::Batch;

/// How names of our files end.
const DATA: &str = ".jsonl.gz";
const PARTIAL: &str = ".jsonl.gz.partial";
const MANIFEST: &str = ".manifest.json";
const PENDING: &str = ".manifest.pending.json";
const TEMPORARY: &str = ".manifest.partial";
/// What was in the tables tells of people, so that files and the folders made for them are for Daybook's own user alone.
const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;

/// The manifest of a batch; the compressed file is not known yet.
fn manifest_of(kind: &Kind, tenant_id: Uuid, batch: &Batch) -> Manifest {
    let sha256 = hex::encode(Sha256::digest(&batch.lines));
    let began = batch.first.created_at.format("%Y%m%dT%H%M%SZ");
    Manifest {
        format: FORMAT,
        name: format!("{}{tenant_id}.{began}.{}", prefix(kind), &sha256[..16]),
        tenant_id,
        written_at: Utc::now(),
        position: batch.position,
        counts: batch.counts.clone(),
        first: batch.first.clone(),
        last: batch.last.clone(),
        sha256,
        bytes: batch.lines.len() as u64,
        file: Data::default(),
        things: [(kind.things.to_owned(), batch.members.clone())].into(),
        kept: None,
    }
}

/// How names of a kind's files begin.
fn prefix(kind: &Kind) -> String {
    format!("{}.{}.", kind.context, kind.things)
}

/// The folder of all archives, and in it those of one kind.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
    kind: &'static Kind,
}

impl Folder {
    pub fn new(path: PathBuf, kind: &'static Kind) -> Self {
        Self { path, kind }
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

    /// Closes an archive whose things have left the tables.
    pub async fn close(&self, manifest: &Manifest) -> Result<(), ArchiveError> {
        let manifest = manifest.clone();
        self.blocking(move |folder| {
            folder.put(&manifest, MANIFEST)?;
            let pending = folder.file(&manifest.name, PENDING);
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
        let path = self.path.clone();
        tokio::task::spawn_blocking(move || work(&folder))
            .await
            .map_err(|error| ArchiveError::Io {
                path,
                error: io::Error::other(error),
            })?
    }

    fn pending_now(&self) -> Result<Vec<Manifest>, ArchiveError> {
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(of(&self.path)(error)),
        };
        let (prefix, mut names) = (prefix(self.kind), Vec::new());
        for entry in entries {
            let name = entry.map_err(of(&self.path))?.file_name();
            names.extend(name.into_string().ok().filter(|name| name.starts_with(&prefix)));
        }
        names.sort_unstable();
        let mut pending = Vec::new();
        for name in &names {
            if let Some(name) = name.strip_suffix(PENDING) {
                let path = self.file(name, PENDING);
                let text = fs::read(&path).map_err(of(&path))?;
                let manifest = serde_json::from_slice(&text).map_err(|error| ArchiveError::Manifest { path, error })?;
                pending.push(manifest);
            }
        }
        for name in &names {
            let torso = name.strip_suffix(PARTIAL).or_else(|| name.strip_suffix(TEMPORARY));
            let is_begun = |torso: &str| pending.iter().any(|manifest: &Manifest| manifest.name == torso);
            if torso.is_some_and(|torso| !is_begun(torso)) {
                let path = self.path.join(name);
                fs::remove_file(&path).map_err(of(&path))?;
            }
        }
        Ok(pending)
    }

    fn keep_now(&self, tenant: Uuid, batch: &Batch) -> Result<Manifest, ArchiveError> {
        self.make()?;
        let mut manifest = manifest_of(self.kind, tenant, batch);
        let partial = self.file(&manifest.name, PARTIAL);
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
        if named.is_err() && !self.file(&manifest.name, DATA).exists() {
            let pending = self.file(&manifest.name, PENDING);
            fs::remove_file(&pending).map_err(of(&pending))?;
            self.settle()?;
        }
        named
    }

    /// Makes the folder, and has the disk remember each that was missing.
    fn make(&self) -> Result<(), ArchiveError> {
        let is_missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
        let missing: Vec<&Path> = self.path.ancestors().take_while(is_missing).collect();
        let making = fs::DirBuilder::new()
            .recursive(true)
            .mode(FOLDER_MODE)
            .create(&self.path);
        making.map_err(of(&self.path))?;
        for parent in missing.into_iter().filter_map(Path::parent) {
            let here = parent.as_os_str().is_empty();
            settled(if here { Path::new(".") } else { parent })?;
        }
        Ok(())
    }

    fn verify_now(&self, manifest: &Manifest) -> Result<(), ArchiveError> {
        let data = self.file(&manifest.name, DATA);
        if !data.exists() && self.file(&manifest.name, PARTIAL).exists() {
            self.name_data(&manifest.name)?;
        }
        let damaged = |detail: String| ArchiveError::Damaged {
            name: manifest.name.clone(),
            things: self.kind.things,
            detail,
        };
        let kept = fs::read(&data).map_err(|error| damaged(format!("{} cannot be read: {error}", data.display())))?;
        if hex::encode(Sha256::digest(&kept)) != manifest.file.sha256 {
            return Err(damaged(format!("{} is not what the manifest says", data.display())));
        }
        Ok(())
    }

    fn name_data(&self, name: &str) -> Result<(), ArchiveError> {
        let (partial, data) = (self.file(name, PARTIAL), self.file(name, DATA));
        fs::rename(&partial, &data).map_err(of(&partial))?;
        self.settle()
    }

    /// Writes a manifest under a name that says how far the archive is.
    fn put(&self, manifest: &Manifest, stage: &str) -> Result<(), ArchiveError> {
        let (temporary, path) = (self.file(&manifest.name, TEMPORARY), self.file(&manifest.name, stage));
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
        settled(&self.path)
    }

    fn file(&self, name: &str, suffix: &str) -> PathBuf {
        self.path.join(format!("{name}{suffix}"))
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
    use book::BookError;
    use chrono::TimeDelta;
    use futures::FutureExt as _;
    use serde_json::Map;

    use super::*;
    use crate::manifest::{Cursor, Member};

    static THINGS: Kind = Kind {
        context: "sample",
        things: "boxes",
        thing: "box",
        table: "boxes",
        ordered_by: "created_at",
        aggregate_type: "sample.box",
        over: "true",
        due: || "true".to_owned(),
        parts: &[],
        at_most: 1,
        kept_for: |_, _| async { Ok::<_, BookError>(TimeDelta::days(1)) }.boxed(),
        steps: |_, _| Vec::new(),
        has_left: |_, _, _| async { Ok::<_, BookError>(false) }.boxed(),
    };

    fn folder() -> Folder {
        let path = std::env::temp_dir().join(format!("daybook-archive-{}", Uuid::now_v7().simple()));
        Folder::new(path, &THINGS)
    }

    fn batch() -> Batch {
        Batch {
            lines: b"{}\n".to_vec(),
            members: vec![Member {
                id: Uuid::from_u128(1),
                sequence: 3,
                along: Vec::new(),
            }],
            counts: Map::new(),
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
        let entries = fs::read_dir(&folder.path).unwrap();
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
        let data = File::open(folder.file(&written.name, DATA)).unwrap();
        io::Read::read_to_string(&mut flate2::read::GzDecoder::new(data), &mut text).unwrap();
        assert_eq!(text, "{}\n");
        fs::remove_dir_all(folder.path).unwrap();
    }

    #[tokio::test]
    async fn nobody_else_reads_an_archive() {
        let top = folder();
        let folder = Folder::new(top.path.join("within"), &THINGS);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let mut written = folder.keep(Uuid::from_u128(2), batch()).await.unwrap();
        // As an earlier program left them.
        fs::set_permissions(folder.file(&written.name, PARTIAL), fs::Permissions::from_mode(0o644)).unwrap();
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
        let modes = || names(&folder).into_iter().map(|name| mode(&folder.path.join(name)));
        assert!(modes().eq([FILE_MODE]), "the rows");
        folder.begin(&written).await.unwrap();
        assert!(modes().eq([FILE_MODE; 2]), "rows and manifest");
        written.kept = Some(Vec::new());
        folder.close(&written).await.unwrap();
        assert!(modes().eq([FILE_MODE; 2]), "the whole archive");
        assert_eq!([mode(&top.path), mode(&folder.path)], [FOLDER_MODE; 2]);
        fs::remove_dir_all(top.path).unwrap();
    }

    #[tokio::test]
    async fn what_never_came_to_be_an_archive_is_swept_away_and_nothing_else_is() {
        let folder = folder();
        fs::create_dir_all(&folder.path).unwrap();
        for name in [
            "sample.boxes.torso.jsonl.gz.partial",
            "notes.txt",
            "sample.others.jsonl.gz.partial",
        ] {
            fs::write(folder.path.join(name), b"1").unwrap();
        }
        assert_eq!(folder.pending().await.unwrap(), []);
        assert_eq!(names(&folder), ["notes.txt", "sample.others.jsonl.gz.partial"]);
        fs::remove_dir_all(folder.path).unwrap();
    }

    #[tokio::test]
    async fn whoever_died_between_the_manifest_and_the_name_of_the_data_is_gone_on_with() {
        let folder = folder();
        let written = begun(&folder).await;
        let (data, partial) = (folder.file(&written.name, DATA), folder.file(&written.name, PARTIAL));
        fs::rename(&data, &partial).unwrap();
        assert_eq!(folder.pending().await.unwrap(), std::slice::from_ref(&written));
        folder.verify(&written).await.unwrap();
        assert!(data.exists());
        fs::remove_dir_all(folder.path).unwrap();
    }

    #[tokio::test]
    async fn an_archive_whose_rows_are_gone_is_never_begun() {
        let folder = Folder::new(folder().path.join("made").join("with its parents"), &THINGS);
        let manifest = folder.keep(Uuid::from_u128(2), batch()).await.unwrap();
        // Another process thought them a torso.
        assert_eq!(folder.pending().await.unwrap(), []);
        assert!(folder.begin(&manifest).await.is_err());
        assert_eq!(names(&folder), [] as [&str; 0]);
        assert_eq!(folder.pending().await.unwrap(), []);
        fs::remove_dir_all(folder.path.ancestors().nth(2).unwrap()).unwrap();
    }

    #[tokio::test]
    async fn a_damaged_archive_lets_nothing_leave_the_tables() {
        let folder = folder();
        let written = begun(&folder).await;
        fs::write(folder.file(&written.name, DATA), b"else").unwrap();
        assert!(matches!(
            folder.verify(&written).await,
            Err(ArchiveError::Damaged { .. })
        ));
        fs::remove_file(folder.file(&written.name, DATA)).unwrap();
        assert!(matches!(
            folder.verify(&written).await,
            Err(ArchiveError::Damaged { .. })
        ));
        fs::remove_dir_all(folder.path).unwrap();
    }
}
