//! Unique values of a book that two versions write: whichever is second refuses what the first has taken. Claims are
//! the seven of old; no other will ever be stored under a name without its context's.

use std::collections::BTreeSet;

use daybook::Role;
use serde_json::{Value, json};
use sqlx::PgPool;
use tests::{Client, Service};
use uuid::Uuid;

use super::{BEFORE_CONTEXTS, TENANT, answered, count, left_by};

/// A command that takes a value which the tour took, too, and the claim on it.
struct Taking {
    path: &'static str,
    body: Value,
    context: &'static str,
    claim: &'static str,
}

/// What the tour calls so.
fn id(number: u128) -> Uuid {
    Uuid::from_u128(0x4000_8000_0000_0000_0000 | u128::from_str_radix(&number.to_string(), 16).unwrap())
}

/// One for each claim.
fn takings() -> [Taking; 7] {
    let item = json!({"part_id": id(5), "supplier_id": id(4), "quantity": 1, "unit_price": "1.00"});
    let draft = json!({"department_id": id(22), "currency": "EUR", "request_id": id(43), "items": [item]});
    let email = format!("tess-{}@example.com", id(10));
    let of = |context, path, claim, body| Taking {
        path,
        body,
        context,
        claim,
    };
    let [cloudwatcher, identity] = ["cloudwatcher", "identity"];
    [
        of(
            cloudwatcher,
            "/v1/cloudwatcher/parts",
            "parts.part_code",
            json!({"part_code": "TOUR-P8", "name": "Another pump"}),
        ),
        of(
            cloudwatcher,
            "/v1/cloudwatcher/part-variants",
            "part_variants.part_id+variant_code",
            json!({"part_id": id(5), "variant_code": "RED"}),
        ),
        of(
            cloudwatcher,
            "/v1/cloudwatcher/part-suppliers",
            "part_suppliers.part_id+variant_id+supplier_id",
            json!({"part_id": id(5), "supplier_id": id(4)}),
        ),
        of(cloudwatcher, "/v1/cloudwatcher/orders", "orders.request_id", draft),
        of(
            identity,
            "/v1/identity/roles",
            "roles.name",
            json!({"name": "tour buyer"}),
        ),
        of(
            identity,
            "/v1/identity/users",
            "users.email",
            json!({"name": "Another Tess", "email": email}),
        ),
        of(
            identity,
            "/v1/identity/users",
            "users.oauth_id",
            json!({"name": "Another Olga", "email": "o@example.com", "oauth_provider": "google", "oauth_id": "google-1"}),
        ),
    ]
}

/// A claim as the book stores it.
type Stored = (String, Vec<u8>);

async fn stored(pool: &PgPool) -> BTreeSet<Stored> {
    let stored = sqlx::query_as("select name, digest from book.claims where tenant_id = $1").bind(TENANT);
    stored.fetch_all(pool).await.unwrap().into_iter().collect()
}

/// What becomes of commands that take these values, sent as the version before contexts sent them.
async fn taken_by_the_former_version(pool: &PgPool, claims: &[Stored]) -> Vec<(String, String)> {
    let each = |make: fn() -> Uuid| claims.iter().map(|_| make()).collect::<Vec<_>>();
    let (names, digests): (Vec<_>, Vec<_>) = claims.iter().cloned().unzip();
    let numbers: Vec<i32> = (1..).take(claims.len()).collect();
    let sent = sqlx::query_as(
        "select outcome, detail from book.append($1, $2, $3, $4, $5,
             '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', $6, $7, $8, $9, $10, $11, '{}', '{}')
         where command > 0 order by command",
    )
    .bind(each(Uuid::now_v7))
    .bind(each(|| TENANT))
    .bind(vec![vec![0_u8; 32]; claims.len()])
    .bind(vec!["[]"; claims.len()])
    .bind(vec![0_i32; claims.len()])
    .bind(numbers)
    .bind(vec![true; claims.len()])
    .bind(names)
    .bind(digests)
    .bind(vec!["some.kind"; claims.len()])
    .bind(each(Uuid::now_v7));
    sent.fetch_all(pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_the_version_before_contexts_took_is_refused_and_the_reverse() {
    let kept = tests::decisions();
    let kept = kept.claims().filter(domain::Claim::is_kept);
    let kept: BTreeSet<_> = kept.map(|claim| (claim.context(), claim.stored())).collect();
    let tried = takings().into_iter().map(|taking| (taking.context, taking.claim));
    assert_eq!(tried.collect::<BTreeSet<_>>(), kept);

    let (database, pool) = left_by(BEFORE_CONTEXTS).await;
    let owner = book::Pools::connect(&database.options).await.unwrap();
    daybook::migrate(&owner.owner, &tests::contexts()).await.unwrap();
    owner.close().await;
    let service = Service::over(database, vec![Role::Api]).await;
    let admin = Client::new(&service.url, TENANT, answered(BEFORE_CONTEXTS)[0].user);
    let (former, end) = (stored(&pool).await, count(&pool, "select book.last_position()").await);
    for Taking {
        path,
        body,
        context,
        claim,
    } in takings()
    {
        let taken = admin.post(path, &body).await.problem(409);
        let told = (&taken["type"], &taken["context"], &taken["claim"]);
        assert_eq!(
            told,
            (&json!("/problems/claimed"), &json!(context), &json!(claim)),
            "{taken}"
        );
    }
    assert_eq!(count(&pool, "select book.last_position()").await, end);

    // As if nobody had taken them yet, this version does: what it stores is what the former one had stored.
    sqlx::query("delete from book.claims").execute(&pool).await.unwrap();
    let mut taken = Vec::new();
    for Taking { path, body, claim, .. } in takings() {
        let before = stored(&pool).await;
        let reply = admin.post(path, &body).await;
        assert_eq!(reply.status, 200, "{claim}: {}", reply.text);
        let after = stored(&pool).await;
        let new = after.difference(&before).filter(|(name, _)| name == claim);
        let new: Vec<_> = new.cloned().collect();
        // Of codes the one that they are compared by, too, which was taken when the process started.
        let is_known = !new.is_empty() && new.iter().all(|value| former.contains(value));
        assert!(is_known, "{claim}: {new:?}");
        taken.extend(new);
    }
    let refused = taken_by_the_former_version(&pool, &taken).await;
    let names = taken.iter().map(|(name, _)| ("claimed".to_owned(), name.clone()));
    assert_eq!(refused, names.collect::<Vec<_>>());
    pool.close().await;
    service.end().await;
}
