//! A bucket: the requests that S3 documents for one, over a socket.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes as Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};

use super::*;

const OLD: &str = "Wed, 01 Jan 2020 00:00:00 GMT";

/// Objects by their paths under the bucket.
type Kept = Arc<Mutex<BTreeMap<String, Body>>>;

async fn serve(
    State(kept): State<Kept>,
    method: Method,
    uri: Uri,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let signed = headers.get("authorization").and_then(|value| value.to_str().ok());
    if !signed.is_some_and(|signed| signed.starts_with("AWS4-HMAC-SHA256 Credential=key/")) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let Some(path) = uri.path().strip_prefix("/content") else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let path = path.trim_start_matches('/').to_owned();
    let mut kept = kept.lock().unwrap();
    match (method, path.as_str()) {
        (Method::GET, "") => listed(&kept, &query).into_response(),
        (Method::PUT, _) => {
            kept.insert(path, body);
            [("etag", "\"1\"")].into_response()
        }
        (Method::GET | Method::HEAD, _) => match kept.get(&path) {
            Some(body) => ([("last-modified", OLD), ("etag", "\"1\"")], body.clone()).into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        },
        (Method::DELETE, _) => {
            kept.remove(&path);
            StatusCode::NO_CONTENT.into_response()
        }
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}

fn listed(kept: &BTreeMap<String, Body>, query: &BTreeMap<String, String>) -> String {
    let prefix = query.get("prefix").map_or("", String::as_str);
    let (mut contents, mut folders) = (String::new(), std::collections::BTreeSet::new());
    for (path, body) in kept.iter().filter(|(path, _)| path.starts_with(prefix)) {
        let rest = &path[prefix.len()..];
        match query.get("delimiter").and_then(|_| rest.split_once('/')) {
            Some((folder, _)) => {
                folders.insert(format!("{prefix}{folder}/"));
            }
            None => {
                contents += &format!(
                    "<Contents><Key>{path}</Key><LastModified>2020-01-01T00:00:00.000Z</LastModified><ETag>\"1\"</ETag><Size>{}</Size></Contents>",
                    body.len()
                )
            }
        }
    }
    for folder in folders {
        contents += &format!("<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>");
    }
    format!("<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>")
}

/// A bucket that nothing is in yet, and where it is.
async fn bucket() -> (Kept, AtBucket) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let kept = Kept::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().fallback(serve).with_state(kept.clone());
    let app = app.layer(axum::extract::DefaultBodyLimit::disable());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let Place::Bucket(at) = "s3://content/day/book".parse().unwrap() else {
        unreachable!("it is a bucket");
    };
    let at = AtBucket {
        endpoint: Some(format!("http://{address}")),
        region: Some("eu-1".to_owned()),
        access_key_id: Some("key".to_owned()),
        secret_access_key: Some("correct-horse".to_owned()),
        ..at
    };
    (kept, at)
}

#[tokio::test]
async fn a_bucket_keeps_what_a_folder_does() {
    let (kept, at) = bucket().await;
    promises(&at).await;
    // What it did is where it should be.
    let left: Vec<String> = kept.lock().unwrap().keys().cloned().collect();
    assert!(left.iter().all(|path| path.starts_with("day/book/")), "{left:?}");
}

/// The same, of a server that is not this process: `DAYBOOK_TEST_S3=http://ADDRESS`, with a bucket `content`.
#[tokio::test]
#[ignore = "needs a server that speaks S3"]
async fn a_bucket_of_a_real_server_keeps_what_a_folder_does() {
    let (_, at) = bucket().await;
    let endpoint = Some(std::env::var("DAYBOOK_TEST_S3").unwrap());
    promises(&AtBucket { endpoint, ..at }).await;
}

async fn promises(at: &AtBucket) {
    let objects = Objects::open(&Place::Bucket(at.clone()), no_vault()).await.unwrap();
    assert!(!format!("{objects:?}").contains(at.secret_access_key.as_deref().unwrap()));
    let (tenant, other) = (Uuid::new_v4(), Uuid::new_v4());
    let object = put(&objects, tenant, "hello").await;
    assert_eq!(put(&objects, tenant, "hello").await, object);
    let second = put(&objects, tenant, "world").await;
    put(&objects, other, "world").await;
    assert_eq!(get(&objects, tenant, &object).await.unwrap(), "hello");
    let foreign = get(&objects, other, &object).await;
    assert!(matches!(foreign, Err(ObjectError::Missing(_))), "{foreign:?}");
    assert_eq!(objects.missing(other, [&object, &second]).await.unwrap(), [&object]);
    let usage = objects.usage(tenant).await.unwrap();
    assert_eq!((usage.objects, usage.bytes), (2, 10));
    let tenants = objects.tenants().await.unwrap();
    assert!(tenants.contains(&tenant) && tenants.contains(&other), "{tenants:?}");

    let beside = Store::open(&Place::Bucket(at.clone())).await.unwrap();
    for spoiled in ["jello", "hell"] {
        beside
            .put(tenant, &object.sha256, Bytes::from_static(spoiled.as_bytes()))
            .await
            .unwrap();
        let damaged = get(&objects, tenant, &object).await;
        assert!(matches!(damaged, Err(ObjectError::Damaged(_))), "{damaged:?}");
        assert_eq!(
            objects.verify(tenant).await.unwrap().damaged,
            std::slice::from_ref(&object.sha256)
        );
        put(&objects, tenant, "hello").await;
        assert_eq!(get(&objects, tenant, &object).await.unwrap(), "hello");
    }
    assert!(beside.delete(tenant, &second.sha256).await.unwrap());
    assert!(!beside.delete(tenant, &second.sha256).await.unwrap());
    assert_eq!(objects.delete_tenant(tenant).await.unwrap().objects, 1);
    assert_eq!(objects.usage(tenant).await.unwrap().objects, 0);
    assert_eq!(objects.usage(other).await.unwrap().objects, 1);
    objects.delete_tenant(other).await.unwrap();
}

#[tokio::test]
async fn old_objects_of_a_bucket_that_nothing_names_are_swept() {
    let (_, at) = bucket().await;
    let objects = Objects::open(&Place::Bucket(at), no_vault()).await.unwrap();
    let tenant = Uuid::new_v4();
    let (kept, orphan) = (
        put(&objects, tenant, "named").await,
        put(&objects, tenant, "orphan").await,
    );
    let swept = objects.sweep(tenant, HOUR, named(&[&kept])).await.unwrap();
    assert_eq!((swept.removed.objects, swept.removed.bytes), (1, 6));
    assert_eq!(objects.missing(tenant, [&kept, &orphan]).await.unwrap(), [&orphan]);
}

#[tokio::test]
async fn a_bucket_that_does_not_let_us_in_is_told_at_the_start() {
    let (_, at) = bucket().await;
    let stranger = AtBucket {
        access_key_id: Some("stranger".to_owned()),
        secret_access_key: Some("hunter2".to_owned()),
        ..at
    };
    let refused = Objects::open(&Place::Bucket(stranger), no_vault()).await.unwrap_err();
    assert!(matches!(refused, ObjectError::Bucket(_)), "{refused:?}");
    assert!(!format!("{refused} {refused:?}").contains("hunter2"), "{refused}");
}
