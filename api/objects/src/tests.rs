//! What the store promises, over a real folder; and over a bucket, as far as a server of this process speaks like one.

mod bucket;

use std::collections::HashSet;
use std::convert::Infallible;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use book::{MasterKey, Vault};
use sqlx::PgPool;

use super::*;

const HOUR: Duration = Duration::from_secs(3_600);

/// A folder of its own; gone when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("daybook-objects-{}", Uuid::new_v4())))
    }

    async fn open(&self) -> Objects {
        Objects::open(&Place::Folder(self.0.clone()), no_vault()).await.unwrap()
    }

    fn at(&self, tenant: Uuid, object: &ObjectRef) -> PathBuf {
        let sha256 = &object.sha256;
        self.0.join(tenant.to_string()).join(&sha256[..2]).join(sha256)
    }

    fn unfinished(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.0.join("unfinished")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// What is not sealed needs no book.
fn no_vault() -> Vault {
    let pool = PgPool::connect_lazy("postgres://nobody@127.0.0.1:1/nothing").unwrap();
    Vault::new(pool, MasterKey::from_hex(&"5eed".repeat(16)).unwrap())
}

async fn put(objects: &Objects, tenant: Uuid, content: &'static str) -> ObjectRef {
    let content = Bytes::from_static(content.as_bytes());
    objects.put(tenant, content, Sealing::Plain).await.unwrap()
}

async fn get(objects: &Objects, tenant: Uuid, object: &ObjectRef) -> Result<Bytes, ObjectError> {
    objects.get(tenant, object, OBJECT_BYTES_MAX).await
}

fn age(path: &Path, by: Duration) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - by).unwrap();
}

/// Says that these are named, and nothing else is.
fn named(objects: &[&ObjectRef]) -> impl Fn(Vec<String>) -> std::future::Ready<Result<HashSet<String>, Infallible>> {
    let named: HashSet<String> = objects.iter().map(|object| object.sha256.clone()).collect();
    move |asked| std::future::ready(Ok(asked.into_iter().filter(|name| named.contains(name)).collect()))
}

#[tokio::test]
async fn a_store_that_does_not_take_what_is_put_there_says_so_until_it_does() {
    let folder = Folder::new();
    let objects = folder.open().await;
    let tenant = Uuid::new_v4();
    put(&objects, tenant, "before").await;
    assert_eq!(objects.trouble(), None);
    fs::remove_dir_all(&folder.0).unwrap();
    fs::write(&folder.0, "no folder").unwrap();
    let content = Bytes::from_static(b"meanwhile");
    let put_meanwhile = objects.put(tenant, content, Sealing::Plain).await;
    assert!(
        matches!(put_meanwhile, Err(ObjectError::Folder { .. })),
        "{put_meanwhile:?}"
    );
    let told = objects.clone().trouble().unwrap();
    assert!(told.contains(&folder.0.display().to_string()), "{told}");
    // What nobody may put there is no trouble of the store's.
    fs::remove_file(&folder.0).unwrap();
    let again = folder.open().await;
    drop(again);
    let large = objects
        .put(tenant, vec![0; OBJECT_BYTES_MAX + 1].into(), Sealing::Plain)
        .await;
    assert!(matches!(large, Err(ObjectError::TooLarge(_))), "{large:?}");
    assert!(objects.trouble().is_some());
    put(&objects, tenant, "after").await;
    assert_eq!(objects.trouble(), None);
}

#[tokio::test]
async fn content_comes_back_as_it_was_put_by_its_own_tenant_alone() {
    let folder = Folder::new();
    let (objects, tenant, other) = (folder.open().await, Uuid::new_v4(), Uuid::new_v4());
    let object = put(&objects, tenant, "hello").await;
    let digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    assert_eq!((&*object.sha256, object.bytes, object.key), (digest, 5, None));
    assert_eq!(put(&objects, tenant, "hello").await, object);
    assert_eq!(get(&folder.open().await, tenant, &object).await.unwrap(), "hello");
    let empty = put(&objects, tenant, "").await;
    assert_eq!(get(&objects, tenant, &empty).await.unwrap(), "");

    let foreign = get(&objects, other, &object).await;
    assert!(matches!(foreign, Err(ObjectError::Missing(_))), "{foreign:?}");
    assert!(objects.is_there(tenant, &object).await.unwrap());
    assert_eq!(
        objects.missing(other, [&object, &empty]).await.unwrap(),
        [&object, &empty]
    );
    assert!(objects.missing(tenant, [&object, &empty]).await.unwrap().is_empty());
    let usage = objects.usage(tenant).await.unwrap();
    assert_eq!((usage.objects, usage.bytes), (2, 5));
    assert_eq!(objects.tenants().await.unwrap(), [tenant]);

    let short = objects.get(tenant, &object, 4).await;
    assert!(
        matches!(short, Err(ObjectError::LongerThanAsked { bytes: 5, max: 4 })),
        "{short:?}"
    );
    // Another owner may have put the same.
    let shared = objects.delete(tenant, &object).await;
    assert!(matches!(shared, Err(ObjectError::Shared)), "{shared:?}");
}

#[tokio::test]
async fn a_stream_is_kept_whole_or_not_at_all() {
    let folder = Folder::new();
    let (objects, tenant) = (folder.open().await, Uuid::new_v4());
    let pieces = |end: Result<Bytes, std::io::Error>| {
        let pieces = [Ok(Bytes::from_static(b"hel")), Ok(Bytes::from_static(b"lo")), end];
        futures::stream::iter(pieces)
    };
    let object = objects
        .put_stream(tenant, pieces(Ok(Bytes::new())), 5, Sealing::Plain)
        .await
        .unwrap();
    assert_eq!(get(&objects, tenant, &object).await.unwrap(), "hello");
    let long = objects
        .put_stream(tenant, pieces(Ok(Bytes::from_static(b"!"))), 5, Sealing::Plain)
        .await;
    assert!(matches!(long, Err(ObjectError::TooLarge(6))), "{long:?}");
    let left = std::io::Error::other("the sender left");
    let broken = objects.put_stream(tenant, pieces(Err(left)), 99, Sealing::Plain).await;
    assert!(matches!(broken, Err(ObjectError::Broken(_))), "{broken:?}");
    assert_eq!(objects.usage(tenant).await.unwrap().objects, 1);
}

#[tokio::test]
async fn a_name_that_is_no_digest_leads_nowhere() {
    let folder = Folder::new();
    let (objects, tenant) = (folder.open().await, Uuid::new_v4());
    let object = put(&objects, tenant, "hello").await;
    fs::write(folder.0.join("secret"), "of somebody else").unwrap();
    for sha256 in [
        "../../secret",
        "",
        "2c",
        &object.sha256.to_uppercase(),
        &format!("{}/", &object.sha256[..63]),
    ] {
        let bad = ObjectRef {
            sha256: sha256.to_owned(),
            key: Some(Uuid::nil()),
            ..object.clone()
        };
        for outcome in [
            get(&objects, tenant, &bad).await.map(|_| ()),
            objects.is_there(tenant, &bad).await.map(|_| ()),
            objects.delete(tenant, &bad).await.map(|_| ()),
        ] {
            assert!(matches!(outcome, Err(ObjectError::Malformed)), "{sha256}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn damaged_content_is_found_and_mended_by_putting_it_again() {
    let folder = Folder::new();
    let (objects, tenant) = (folder.open().await, Uuid::new_v4());
    let (object, other) = (
        put(&objects, tenant, "hello").await,
        put(&objects, tenant, "world").await,
    );
    // As long as before, shorter, longer.
    for spoiled in ["jello", "hell", "hello, world"] {
        fs::write(folder.at(tenant, &object), spoiled).unwrap();
        let damaged = get(&objects, tenant, &object).await.unwrap_err();
        assert!(matches!(damaged, ObjectError::Damaged(_)), "{damaged:?}");
        assert!(damaged.to_string().contains("from a backup"), "{damaged}");
        let verified = objects.verify(tenant).await.unwrap();
        assert_eq!(verified.read.objects, 2);
        assert_eq!(verified.damaged, std::slice::from_ref(&object.sha256));
        assert_eq!(objects.is_there(tenant, &object).await.unwrap(), spoiled.len() == 5);
        assert_eq!(put(&objects, tenant, "hello").await, object);
        assert_eq!(get(&objects, tenant, &object).await.unwrap(), "hello");
    }
    fs::remove_file(folder.at(tenant, &object)).unwrap();
    let missing = get(&objects, tenant, &object).await.unwrap_err();
    assert!(matches!(missing, ObjectError::Missing(_)) && missing.to_string().contains("backup"));
    assert_eq!(objects.missing(tenant, [&object, &other]).await.unwrap(), [&object]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_put_and_read_the_same_at_once() {
    let folder = Folder::new();
    let (objects, tenant) = (folder.open().await, Uuid::new_v4());
    let content: Bytes = vec![7; 300_000].into();
    let mut putting = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (objects, content) = (objects.clone(), content.clone());
        putting.spawn(async move {
            let object = objects.put(tenant, content.clone(), Sealing::Plain).await.unwrap();
            for _ in 0..4 {
                assert!(get(&objects, tenant, &object).await.unwrap() == content);
            }
            object
        });
    }
    let mut put = putting.join_all().await;
    put.dedup();
    assert_eq!(put.len(), 1);
    assert_eq!(objects.usage(tenant).await.unwrap().objects, 1);
    assert!(folder.unfinished().is_empty());
}

#[tokio::test]
async fn the_sweep_removes_what_is_old_and_named_by_nothing() {
    let folder = Folder::new();
    let (objects, tenant, other) = (folder.open().await, Uuid::new_v4(), Uuid::new_v4());
    let kept = put(&objects, tenant, "named").await;
    let young = put(&objects, tenant, "young").await;
    let again = put(&objects, tenant, "put again").await;
    let orphan = put(&objects, tenant, "orphan").await;
    let theirs = put(&objects, other, "orphan").await;
    for (tenant, object) in [(tenant, &kept), (tenant, &again), (tenant, &orphan), (other, &theirs)] {
        age(&folder.at(tenant, object), HOUR * 2);
    }
    put(&objects, tenant, "put again").await;
    fs::write(folder.at(tenant, &kept).with_file_name("a note"), "of the operator").unwrap();

    let orphans = objects.orphans(tenant, HOUR, named(&[&kept])).await.unwrap();
    let orphans: Vec<_> = orphans.iter().map(|orphan| (&*orphan.sha256, orphan.bytes)).collect();
    assert_eq!(orphans, [(&*orphan.sha256, 6)]);
    let asking = |_| std::future::ready(Err::<HashSet<String>, _>(std::io::Error::other("no answer")));
    let failed = objects.sweep(tenant, HOUR, asking).await;
    assert!(matches!(failed, Err(ObjectError::Asking(_))), "{failed:?}");
    let too_young = objects.sweep(tenant, HOUR / 2, named(&[])).await;
    assert!(matches!(too_young, Err(ObjectError::TooYoung)), "{too_young:?}");
    assert!(objects.is_there(tenant, &orphan).await.unwrap());

    let swept = objects.sweep(tenant, HOUR, named(&[&kept])).await.unwrap();
    assert_eq!((swept.removed.objects, swept.removed.bytes), (1, 6));
    assert_eq!(
        objects.missing(tenant, [&kept, &young, &again, &orphan]).await.unwrap(),
        [&orphan]
    );
    assert!(objects.is_there(other, &theirs).await.unwrap());
    let nothing = objects.sweep(tenant, HOUR, named(&[&kept])).await.unwrap();
    assert_eq!(nothing, Swept::default());
    assert!(folder.unfinished().is_empty());
    assert_eq!(objects.delete_tenant(tenant).await.unwrap().objects, 3);
}

#[tokio::test]
async fn what_was_put_again_just_before_it_is_removed_stays() {
    let folder = Folder::new();
    let (objects, tenant) = (folder.open().await, Uuid::new_v4());
    let object = put(&objects, tenant, "hello").await;
    age(&folder.at(tenant, &object), HOUR * 2);
    // Between the look at what is old and the removal.
    let meanwhile = objects.clone();
    let named = move |_| {
        let objects = meanwhile.clone();
        async move {
            put(&objects, tenant, "hello").await;
            Ok::<_, Infallible>(HashSet::new())
        }
    };
    let swept = objects.sweep(tenant, HOUR, named).await.unwrap();
    assert_eq!(swept, Swept::default());
    assert_eq!(get(&objects, tenant, &object).await.unwrap(), "hello");
    assert!(folder.unfinished().is_empty());
}

/// Runs in a process of its own, which is killed.
const PUTTING_IN: &str = "DAYBOOK_OBJECTS_PUTTING_IN";
const PUTTING_BYTES: usize = 4 << 20;

#[tokio::test]
#[ignore = "puts until it is killed, for the test beside it"]
async fn putting_until_killed() {
    let place: Place = std::env::var(PUTTING_IN).unwrap().parse().unwrap();
    let objects = Objects::open(&place, no_vault()).await.unwrap();
    for n in 0_u64.. {
        let content = n.to_be_bytes().repeat(PUTTING_BYTES / 8);
        objects.put(Uuid::nil(), content.into(), Sealing::Plain).await.unwrap();
    }
}

#[tokio::test]
async fn a_process_that_is_killed_leaves_whole_objects_and_what_a_sweep_removes() {
    let folder = Folder::new();
    let objects = folder.open().await;
    let mut left = Vec::new();
    // Until one was killed in the middle of it.
    for _ in 0..40 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "tests::putting_until_killed"])
            .env(PUTTING_IN, &folder.0)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let before = objects.usage(Uuid::nil()).await.unwrap().objects;
        for _ in 0..1_000 {
            let is_at_it = !folder.unfinished().is_empty();
            if is_at_it && objects.usage(Uuid::nil()).await.unwrap().objects > before {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        left = folder.unfinished();
        if !left.is_empty() {
            break;
        }
    }
    assert!(!left.is_empty(), "nobody was killed in the middle");
    let verified = objects.verify(Uuid::nil()).await.unwrap();
    assert!(verified.read.objects > 0 && verified.damaged.is_empty(), "{verified:?}");
    assert_eq!(verified.read.bytes, verified.read.objects * PUTTING_BYTES as u64);
    // It might still be written on.
    assert_eq!(
        objects.sweep(Uuid::nil(), HOUR, named(&[])).await.unwrap().unfinished,
        0
    );
    for path in &left {
        age(path, HOUR * 2);
    }
    let swept = objects.sweep(Uuid::nil(), HOUR, named(&[])).await.unwrap();
    assert_eq!((swept.unfinished, swept.removed.objects), (left.len() as u64, 0));
    assert!(folder.unfinished().is_empty());
}

/// A disk of a megabyte; `None` where this user may not mount one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let path = std::env::temp_dir().join(format!("daybook-disk-{}", Uuid::new_v4()));
        fs::create_dir(&path).unwrap();
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=1m", "none"]).arg(&path);
        let mounted = command.stderr(Stdio::null()).status();
        let disk = Self(path);
        mounted.is_ok_and(|status| status.success()).then_some(disk)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg(&self.0).stderr(Stdio::null()).status().ok();
        fs::remove_dir(&self.0).ok();
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_leaves_nothing_half() {
    // Where none can be mounted, `what_was_not_written_whole_is_removed` stands for it.
    let Some(disk) = SmallDisk::mount() else {
        println!("no small disk can be mounted by this user");
        return;
    };
    let root = disk.0.join("objects");
    let objects = Objects::open(&Place::Folder(root.clone()), no_vault()).await.unwrap();
    let tenant = Uuid::new_v4();
    let object = put(&objects, tenant, "hello").await;
    for bytes in [2 << 20, 5 << 20] {
        let full = objects.put(tenant, vec![7; bytes].into(), Sealing::Plain).await;
        assert!(matches!(full, Err(ObjectError::NoRoom)), "{full:?}");
    }
    assert_eq!(fs::read_dir(root.join("unfinished")).unwrap().count(), 0);
    assert_eq!(objects.usage(tenant).await.unwrap().objects, 1);
    assert_eq!(get(&objects, tenant, &object).await.unwrap(), "hello");
    // There is room again for what fits.
    objects
        .put(tenant, vec![7; 500_000].into(), Sealing::Plain)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_told_at_the_start() {
    let folder = Folder::new();
    fs::write(&folder.0, "a file").unwrap();
    let refused = Objects::open(&Place::Folder(folder.0.join("objects")), no_vault()).await;
    fs::remove_file(&folder.0).unwrap();
    let refused = refused.unwrap_err();
    assert!(matches!(refused, ObjectError::Folder { .. }), "{refused:?}");
    assert!(
        refused.to_string().contains("must be able to read and write it"),
        "{refused}"
    );
}
