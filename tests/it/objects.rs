//! Sealed content in the object store: unreadable where it lies, and gone with its key.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use domain::Erase;
use domain::object::{OBJECT_BYTES_MAX, ObjectRef};
use objects::{ObjectError, Objects, Place, Sealing};
use tests::Ledger;
use uuid::Uuid;

use crate::settings::{delete, erase};
use crate::texts::rows_with;

const BODY: &[u8] = b"{\"alert\": \"the pager of Mona Lisa rings\"}";

/// A folder of its own; gone when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("daybook-objects-{}", Uuid::new_v4())))
    }

    async fn open(&self, ledger: &Ledger) -> Objects {
        let vault = ledger.book.vault().clone();
        Objects::open(&Place::Folder(self.0.clone()), vault).await.unwrap()
    }

    /// The files of objects, whole or not, under it.
    fn files(&self) -> Vec<PathBuf> {
        fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => walk(&path, files),
                    false => files.push(path),
                }
            }
        }
        let mut files = Vec::new();
        walk(&self.0, &mut files);
        files.retain(|file| !file.ends_with("lock"));
        files
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn sealing(key: Uuid, owner: Uuid) -> Sealing {
    Sealing::Sealed { key, owner }
}

async fn get(objects: &Objects, tenant: Uuid, object: &ObjectRef) -> Result<Bytes, ObjectError> {
    objects.get(tenant, object, OBJECT_BYTES_MAX).await
}

fn says(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

#[tokio::test]
async fn sealed_content_is_unreadable_where_it_lies_and_gone_with_its_key() {
    let (ledger, folder) = (Ledger::open().await, Folder::new());
    let (objects, tenant) = (folder.open(&ledger).await, ledger.tenant);
    let (key, owner) = (Uuid::now_v7(), Uuid::now_v7());
    let body = Bytes::from_static(BODY);
    let object = objects.put(tenant, body.clone(), sealing(key, owner)).await.unwrap();
    assert_eq!((object.key, object.bytes), (Some(key), BODY.len() as i64));
    assert_eq!(get(&objects, tenant, &object).await.unwrap(), body);
    // Again, by another process: one object.
    let again = folder.open(&ledger).await;
    assert_eq!(
        again.put(tenant, body.clone(), sealing(key, owner)).await.unwrap(),
        object
    );
    let files = folder.files();
    assert_eq!(files.len(), 1, "{files:?}");

    // Neither the bytes nor the name tell of the content, and the search finds what is there.
    let plain = objects.put(tenant, body.clone(), Sealing::Plain).await.unwrap();
    assert_ne!(plain.sha256, object.sha256);
    let stored: Vec<Vec<u8>> = folder.files().iter().map(|file| fs::read(file).unwrap()).collect();
    assert_eq!(stored.iter().filter(|bytes| says(bytes, b"Mona Lisa")).count(), 1);
    let sealed = fs::read(&files[0]).unwrap();
    for word in BODY.windows(6) {
        assert!(!says(&sealed, word), "{word:?}");
    }
    assert_eq!(rows_with(&ledger.pools.owner, "Mona Lisa").await, [""; 0]);
    // Under another key it is another object.
    let other = objects
        .put(tenant, body.clone(), sealing(Uuid::now_v7(), owner))
        .await
        .unwrap();
    assert_ne!(other.sha256, object.sha256);
    // Whoever names another key, or another tenant, reads nothing.
    let mistaken = ObjectRef {
        key: other.key,
        ..object.clone()
    };
    let refused = get(&objects, tenant, &mistaken).await;
    assert!(matches!(refused, Err(ObjectError::OtherKey(_))), "{refused:?}");
    let foreign = get(&objects, Uuid::new_v4(), &object).await;
    assert!(matches!(foreign, Err(ObjectError::Erased)), "{foreign:?}");

    erase(&ledger, tenant, vec![Erase::Key(key)]).await;
    for objects in [&objects, &again] {
        let gone = get(objects, tenant, &object).await;
        assert!(matches!(gone, Err(ObjectError::Erased)), "{gone:?}");
        let refused = objects.put(tenant, body.clone(), sealing(key, owner)).await;
        assert!(matches!(refused, Err(ObjectError::Erased)), "{refused:?}");
    }
    // The store is whole without the key, and the bytes go when the owner's event says so.
    let verified = objects.verify(tenant).await.unwrap();
    assert_eq!((verified.read.objects, verified.damaged.len()), (3, 0));
    assert!(objects.delete(tenant, &object).await.unwrap());
    assert!(!objects.delete(tenant, &object).await.unwrap());
    get(&objects, tenant, &other).await.unwrap();
    get(&objects, tenant, &plain).await.unwrap();
}

#[tokio::test]
async fn content_goes_with_its_owner_and_with_its_tenant() {
    let (ledger, folder) = (Ledger::open().await, Folder::new());
    let (objects, tenant, other) = (folder.open(&ledger).await, ledger.tenant, Uuid::new_v4());
    let owners = [Uuid::now_v7(), Uuid::now_v7()];
    let body = Bytes::from_static(BODY);
    let put = async |tenant, owner| {
        let sealing = sealing(Uuid::now_v7(), owner);
        objects.put(tenant, body.clone(), sealing).await
    };
    let first = [
        put(tenant, owners[0]).await.unwrap(),
        put(tenant, owners[0]).await.unwrap(),
    ];
    let second = put(tenant, owners[1]).await.unwrap();
    let theirs = put(other, Uuid::now_v7()).await.unwrap();

    erase(&ledger, tenant, vec![Erase::Person(owners[0])]).await;
    for object in &first {
        let gone = get(&objects, tenant, object).await;
        assert!(matches!(gone, Err(ObjectError::Erased)), "{gone:?}");
    }
    let refused = put(tenant, owners[0]).await;
    assert!(matches!(refused, Err(ObjectError::Erased)), "{refused:?}");
    get(&objects, tenant, &second).await.unwrap();

    assert!(delete(&ledger, tenant).await > 0);
    let gone = get(&objects, tenant, &second).await;
    assert!(matches!(gone, Err(ObjectError::Erased)), "{gone:?}");
    let refused = put(tenant, Uuid::now_v7()).await;
    assert!(matches!(refused, Err(ObjectError::Erased)), "{refused:?}");
    assert_eq!(objects.delete_tenant(tenant).await.unwrap().objects, 3);
    assert_eq!(objects.usage(tenant).await.unwrap().objects, 0);
    assert_eq!(get(&objects, other, &theirs).await.unwrap(), body);
}

#[tokio::test]
async fn the_largest_sealed_object_comes_back_as_it_was() {
    let (ledger, folder) = (Ledger::open().await, Folder::new());
    let (objects, tenant) = (folder.open(&ledger).await, ledger.tenant);
    let content: Bytes = (0..OBJECT_BYTES_MAX)
        .map(|n| (n % 251) as u8)
        .collect::<Vec<_>>()
        .into();
    let sealing = sealing(Uuid::now_v7(), Uuid::now_v7());
    let object = objects.put(tenant, content.clone(), sealing).await.unwrap();
    assert!(get(&objects, tenant, &object).await.unwrap() == content);
    let more = [&content[..], b"x"].concat();
    let refused = objects.put(tenant, more.into(), sealing).await;
    assert!(matches!(refused, Err(ObjectError::TooLarge(_))), "{refused:?}");
}
