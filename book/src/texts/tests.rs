use serde_json::json;

use super::*;
use crate::MasterKey;

const TENANT: Uuid = Uuid::from_u128(1);
const EVENT: Uuid = Uuid::from_u128(2);
const AUTHOR: Uuid = Uuid::from_u128(3);

fn vault() -> Vault {
    let pool = sqlx::postgres::PgPoolOptions::new().connect_lazy("postgres://nowhere/none");
    let master = MasterKey::from_hex(&"5e".repeat(32)).unwrap();
    Vault::new(pool.unwrap(), master)
}

/// A note of the event, sealed, and the keys as the book would have them.
fn note(vault: &Vault, text: &str) -> (String, Keys) {
    let (sealed, key) = seal(vault, text_id(EVENT, "note"), AUTHOR, "note", text).unwrap();
    let cipher = vault.unwrap(key.subject, &key.wrapped).unwrap();
    (
        sealed,
        Keys(HashMap::from([(key.subject, (TENANT, Key::Open(cipher)))])),
    )
}

fn struck(keys: &mut Keys) {
    for (_, key) in keys.0.values_mut() {
        *key = Key::Destroyed;
    }
}

#[tokio::test]
async fn a_text_opens_alone_and_within_a_sentence() {
    let (sealed, keys) = note(&vault(), "by the end of März ⟧⟦text:");
    assert!(!sealed.contains("März"));
    assert_eq!(keys.opened(TENANT, &sealed), Some(json!("by the end of März ⟧⟦text:")));
    let sentence = format!("Rejected: {sealed}, {sealed}.");
    let told = "Rejected: by the end of März ⟧⟦text:, by the end of März ⟧⟦text:.";
    assert_eq!(keys.opened(TENANT, &sentence), Some(json!(told)));
    assert_eq!(keys.opened(TENANT, "nothing is sealed here"), None);
}

#[tokio::test]
async fn a_struck_text_is_null_alone_and_named_within_a_sentence() {
    let (sealed, mut keys) = note(&vault(), "too dear");
    struck(&mut keys);
    assert_eq!(keys.opened(TENANT, &sealed), Some(Value::Null));
    assert_eq!(
        keys.opened(TENANT, &format!("because: {sealed}")),
        Some(json!("because: [struck]"))
    );
    let mut image = json!({ "changed": { "note": { "new": sealed } }, "lines": [sealed, "plain", 1] });
    each(&mut image, &mut |text| keys.opened(TENANT, text));
    assert_eq!(
        image,
        json!({ "changed": { "note": { "new": null } }, "lines": [null, "plain", 1] })
    );
}

#[tokio::test]
async fn a_text_of_another_tenant_is_struck() {
    let (sealed, keys) = note(&vault(), "too dear");
    assert_eq!(keys.opened(Uuid::from_u128(9), &sealed), Some(Value::Null));
}

#[tokio::test]
async fn a_text_opens_under_its_own_id_alone() {
    let vault = vault();
    let (sealed, keys) = note(&vault, "too dear");
    let (other, other_keys) = {
        let (sealed, key) = seal(&vault, text_id(EVENT, "notes"), AUTHOR, "notes", "cheap").unwrap();
        let cipher = vault.unwrap(key.subject, &key.wrapped).unwrap();
        (
            sealed,
            Keys(HashMap::from([(key.subject, (TENANT, Key::Open(cipher)))])),
        )
    };
    let (own, of_other) = (text_id(EVENT, "note").to_string(), text_id(EVENT, "notes").to_string());
    // The bytes of one under the id of the other, whichever key is asked.
    let renamed = sealed.replace(&own, &of_other);
    assert_eq!(other_keys.opened(TENANT, &renamed), Some(Value::Null));
    assert_eq!(keys.opened(TENANT, &other.replace(&of_other, &own)), Some(Value::Null));
    let sentence = format!("because: {renamed}");
    assert_eq!(
        other_keys.opened(TENANT, &sentence),
        Some(json!("because: [unreadable]"))
    );
}

#[tokio::test]
async fn what_only_looks_like_a_sealed_text_is_left_as_it_is() {
    let keys = Keys(HashMap::new());
    let id = text_id(EVENT, "note");
    for text in [
        "⟦text:",
        "⟦text:⟧",
        "⟦text:no id:AAAA⟧",
        &format!("⟦text:{id}⟧"),
        &format!("⟦text:{}:AAAA⟧", id.simple()),
        &format!("⟦text:{id}:AAAA"),
    ] {
        assert_eq!(keys.opened(TENANT, text), None, "{text}");
    }
    // After one that only looks like it, a true one is found.
    let mixed = format!("⟦text:⟦text:{id}:AAAA⟧");
    assert_eq!(keys.opened(TENANT, &mixed), Some(json!("⟦text:[struck]")));
}

#[tokio::test]
async fn the_fields_of_an_event_are_sealed_each_under_a_key_of_its_own() {
    let vault = vault();
    let mut payload = json!({ "note": "soon", "none": null, "quantity": 3 });
    let keys = seal_fields(&vault, EVENT, AUTHOR, &mut payload, &["note", "none", "absent"]).unwrap();
    let [key] = keys.as_slice() else { panic!("{keys:?}") };
    assert_eq!(
        (key.subject, key.author, key.field.as_str()),
        (text_id(EVENT, "note"), AUTHOR, "note")
    );
    assert_eq!(payload["note"].as_str().and_then(id), Some(key.subject));
    assert_eq!((&payload["none"], &payload["quantity"]), (&Value::Null, &json!(3)));
    assert!(seal_fields(&vault, EVENT, AUTHOR, &mut payload, &["quantity"]).is_err());
}

#[tokio::test]
async fn the_same_words_are_sealed_differently_each_time() {
    let vault = vault();
    let sealed = || seal(&vault, EVENT, AUTHOR, "note", "soon").unwrap();
    let ((one, its), (other, others)) = (sealed(), sealed());
    assert_ne!(one, other);
    assert_ne!(its.wrapped, others.wrapped);
}
