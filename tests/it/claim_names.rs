//! What claims are called: by people with their context, and in the book as they always were.

use std::collections::{BTreeMap, BTreeSet};

use book::MasterKey;
use domain::Claim;
use serde_json::json;
use tests::ledger::MASTER_KEY;
use tests::{Ledger, Service};
use uuid::Uuid;

/// The claims from before names began with their context's, with a value of each and what the version before that kept
/// of it, for [`TENANT`] under the key of tests. There will never be more of them.
const KEPT: [(&str, &str, &str, &str); 7] = [
    (
        "cloudwatcher",
        "orders.request_id",
        "01900000-0000-7000-8000-00000000c001",
        "38167357d2c945f70cb5a408d8f1f24e20397eda5848d203230ae4a9ccfafec9",
    ),
    (
        "cloudwatcher",
        "part_suppliers.part_id+variant_id+supplier_id",
        "01900000-0000-7000-8000-00000000a001/-/01900000-0000-7000-8000-00000000b001",
        "25633f696bd19940702725937a55637bb7f84546a46ae3f07188db2a563091b1",
    ),
    (
        "cloudwatcher",
        "part_variants.part_id+variant_code",
        "01900000-0000-7000-8000-00000000a001/RED",
        "599565fc3f51f98151a0e0a4032c16be0a7d2df080f35c0bb0f905f91abaa2e4",
    ),
    (
        "cloudwatcher",
        "parts.part_code",
        "P-1",
        "568f59f55ac8b0c3c53779358fa1cfdbb080075e385d195e60767bc7cb0a1905",
    ),
    (
        "identity",
        "roles.name",
        "buyer",
        "e85544e8969f5aa3d67ae8a4cf0167718569b58c94f768f40e617b8dee74a1f2",
    ),
    (
        "identity",
        "users.email",
        "ada@example.com",
        "7921758e0f8d2c82d184e518e55f71378aa0bbf797c5ddad94a1499ffa0945f1",
    ),
    (
        "identity",
        "users.oauth_id",
        "42",
        "cacc74f6622c2f9fe27bfb8dd1774bccf71f2e71695a0156de7a294e69c83741",
    ),
];

const TENANT: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);

/// The claims that are stored without their context's name.
fn kept() -> BTreeMap<&'static str, Claim> {
    let claims = tests::decisions();
    let kept = claims.claims().filter(Claim::is_kept);
    kept.map(|claim| (claim.stored(), claim)).collect()
}

#[test]
fn the_claims_that_are_stored_without_their_context_are_those_of_old() {
    let of_old: BTreeSet<_> = KEPT.iter().map(|(context, stored, ..)| (*context, *stored)).collect();
    let kept = kept().into_values().map(|claim| (claim.context(), claim.stored()));
    assert_eq!(kept.collect::<BTreeSet<_>>(), of_old);
}

#[test]
fn what_is_kept_of_a_value_is_what_the_version_before_contexts_kept_of_it() {
    let (key, kept) = (MasterKey::from_hex(MASTER_KEY).unwrap().claim_key(), kept());
    for (_, stored, value, digest) in KEPT {
        let now = key.digest(TENANT, kept[stored], value);
        assert_eq!(hex::encode(now), digest, "{stored}");
    }
}

#[tokio::test]
async fn what_the_book_keeps_of_a_taken_value_is_its_digest_under_the_name_of_old() {
    use cloudwatcher::part::{PART_CODE, Part};
    use domain::register::{Command, Register};

    let ledger = Ledger::open().await;
    let part: Part = serde_json::from_value(json!({"part_code": "P-1", "name": "bolt"})).unwrap();
    ledger
        .does::<Register<Part>>(Uuid::now_v7(), Command::Enter(part))
        .await;
    let stored: BTreeSet<(String, Vec<u8>)> =
        sqlx::query_as::<_, (String, Vec<u8>)>("select name, digest from book.claims")
            .fetch_all(&ledger.pools.owner)
            .await
            .unwrap()
            .into_iter()
            .collect();
    let key = ledger.book.vault().claim_key().await.unwrap();
    // The code, and what it has in common with those that a person would call the same.
    let values = ["P-1", &Claim::alike("", "P-1")];
    let digests = values.map(|value| key.digest(ledger.tenant, PART_CODE, value));
    let expected = digests.map(|digest| ("parts.part_code".to_owned(), digest));
    assert_eq!(stored, BTreeSet::from(expected));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_refused_a_taken_value_is_told_of_which_context_it_is() {
    let service = Service::start().await;
    let body = json!({"part_code": "P-1", "name": "bolt"});
    service.admin.post("/v1/cloudwatcher/parts", &body).await.ok();
    let dry = service.admin.request(reqwest::Method::POST, "/v1/cloudwatcher/parts");
    let dry = service
        .admin
        .send(dry.header("Daybook-Dry-Run", "true").json(&body))
        .await;
    for reply in [service.admin.post("/v1/cloudwatcher/parts", &body).await, dry] {
        let problem = reply.problem(409);
        assert_eq!(problem["type"], "/problems/claimed");
        assert_eq!(
            (&problem["context"], &problem["claim"]),
            (&json!("cloudwatcher"), &json!("parts.part_code"))
        );
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.starts_with("cloudwatcher.parts.part_code is taken"), "{detail}");
        assert!(detail.ends_with("choose another value"), "{detail}");
        assert_eq!(problem["field"], "part_code", "{problem}");
    }
    service.end().await;
}
