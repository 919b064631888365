//! A table of bad tokens. The keys in `keys/` were made for these tests and are used nowhere else.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use jsonwebtoken::{EncodingKey, encode};
use serde_json::{Value, json};

use super::*;
use crate::auth::keys::{PublicKeys, usable};

const SECRET: &[u8] = b"a secret of more than thirty-two bytes";
const RSA: &[u8] = include_bytes!("keys/rsa.pem");
const SHORT_RSA: &[u8] = include_bytes!("keys/rsa1024.pem");
const EC: &[u8] = include_bytes!("keys/ec.pem");
const ED: &[u8] = include_bytes!("keys/ed.pem");
const JWKS: &str = include_str!("keys/jwks.json");
const USER: &str = "0190a3c4-7f00-7000-8000-1234567890ab";
const TENANT: &str = "0da7b00c-0000-4000-8000-000000000002";

fn expected() -> Expected {
    Expected {
        issuer: "daybook-test".to_owned(),
        audience: "daybook".to_owned(),
    }
}

fn now() -> i64 {
    Utc::now().timestamp()
}

fn claims() -> Value {
    json!({ "iss": "daybook-test", "aud": "daybook", "sub": USER, "tenant": TENANT, "nbf": now() - 10, "exp": now() + 600 })
}

/// As a service with a secret.
fn by_secret(token: &str) -> Result<Verified, BadToken> {
    let key = Key {
        algorithm: Algorithm::HS256,
        key: DecodingKey::from_secret(SECRET),
    };
    verify(token, &header(token)?, &key, &expected())
}

/// As a service with a key set.
fn by_set(token: &str) -> Result<Verified, BadToken> {
    let set: PublicKeys = serde_json::from_str(JWKS).unwrap();
    let header = header(token)?;
    let kid = header.kid.as_deref().ok_or(BadToken::UnknownKey)?;
    let keys = usable(&set);
    verify(token, &header, keys.get(kid).ok_or(BadToken::UnknownKey)?, &expected())
}

fn signed(header: &Header, claims: &Value, key: &EncodingKey) -> String {
    encode(header, claims, key).unwrap()
}

fn hs256(claims: &Value) -> String {
    signed(
        &Header::new(Algorithm::HS256),
        claims,
        &EncodingKey::from_secret(SECRET),
    )
}

/// The claims with one of them set, or taken out.
fn with(name: &str, value: Option<Value>) -> String {
    let mut claims = claims();
    match value {
        Some(value) => claims[name] = value,
        None => drop(claims.as_object_mut().unwrap().remove(name)),
    }
    hs256(&claims)
}

/// A token whose header is written by hand and whose signature is right.
fn with_header(header: &Value) -> String {
    let (header, claims) = (
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(claims().to_string()),
    );
    let message = format!("{header}.{claims}");
    let signature =
        jsonwebtoken::crypto::sign(message.as_bytes(), &EncodingKey::from_secret(SECRET), Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

fn keyed(kid: &str, algorithm: Algorithm) -> Header {
    Header {
        kid: Some(kid.to_owned()),
        ..Header::new(algorithm)
    }
}

fn rsa() -> EncodingKey {
    EncodingKey::from_rsa_pem(RSA).unwrap()
}

#[test]
fn good_tokens_are_accepted() {
    let bearer = Bearer {
        tenant: TENANT.parse().unwrap(),
        user: USER.parse().unwrap(),
    };
    for good in [
        hs256(&claims()),
        with("aud", Some(json!(["other", "daybook"]))),
        with("exp", Some(json!(now() - 20))),
        with("nbf", Some(json!(now() + 20))),
        with("exp", Some(json!(now() as f64 + 60.5))),
        with_header(&json!({ "alg": "HS256" })),
        with_header(&json!({ "alg": "HS256", "typ": "at+jwt" })),
    ] {
        assert_eq!(by_secret(&good).map(|verified| verified.bearer), Ok(bearer), "{good}");
    }
    for good in [
        signed(&keyed("rsa", Algorithm::RS256), &claims(), &rsa()),
        signed(
            &keyed("ec", Algorithm::ES256),
            &claims(),
            &EncodingKey::from_ec_pem(EC).unwrap(),
        ),
        signed(
            &keyed("ed", Algorithm::EdDSA),
            &claims(),
            &EncodingKey::from_ed_pem(ED).unwrap(),
        ),
    ] {
        assert_eq!(by_set(&good).map(|verified| verified.bearer), Ok(bearer), "{good}");
    }
}

#[test]
fn tokens_with_bad_claims_are_refused() {
    let bad: Vec<(&str, String, BadToken)> = vec![
        ("expired", with("exp", Some(json!(now() - 31))), BadToken::Expired),
        ("expired long ago", with("exp", Some(json!(1))), BadToken::Expired),
        ("not valid yet", with("nbf", Some(json!(now() + 60))), BadToken::NotYet),
        ("another issuer", with("iss", Some(json!("evil"))), BadToken::Issuer),
        (
            "issuer in other case",
            with("iss", Some(json!("Daybook-Test"))),
            BadToken::Issuer,
        ),
        (
            "issuer among others",
            with("iss", Some(json!(["evil", "daybook-test"]))),
            BadToken::Claims,
        ),
        ("another audience", with("aud", Some(json!("evil"))), BadToken::Audience),
        (
            "no audience in the list",
            with("aud", Some(json!([]))),
            BadToken::Audience,
        ),
        ("without exp", with("exp", None), BadToken::Claims),
        ("without nbf", with("nbf", None), BadToken::Claims),
        ("without iss", with("iss", None), BadToken::Claims),
        ("without aud", with("aud", None), BadToken::Claims),
        ("without sub", with("sub", None), BadToken::Claims),
        ("without tenant", with("tenant", None), BadToken::Claims),
        ("exp as text", with("exp", Some(json!("9999999999"))), BadToken::Claims),
        ("exp null", with("exp", Some(Value::Null)), BadToken::Claims),
        ("exp negative", with("exp", Some(json!(-1))), BadToken::Claims),
        ("exp infinite", with("exp", Some(json!(1e300))), BadToken::Claims),
        ("nbf as a list", with("nbf", Some(json!([1]))), BadToken::Claims),
        ("nbf null", with("nbf", Some(Value::Null)), BadToken::Claims),
        ("sub no uuid", with("sub", Some(json!("ada"))), BadToken::Claims),
        ("sub a number", with("sub", Some(json!(7))), BadToken::Claims),
        ("sub nil", with("sub", Some(json!(Uuid::nil()))), BadToken::Nobody),
        ("sub max", with("sub", Some(json!(Uuid::max()))), BadToken::Nobody),
        (
            "sub Daybook's own",
            with("sub", Some(json!(domain::SYSTEM))),
            BadToken::Nobody,
        ),
        ("tenant no uuid", with("tenant", Some(json!("acme"))), BadToken::Claims),
        ("tenant nil", with("tenant", Some(json!(Uuid::nil()))), BadToken::Claims),
        ("tenant a list", with("tenant", Some(json!([TENANT]))), BadToken::Claims),
        ("no object", hs256(&json!("ada")), BadToken::Claims),
    ];
    for (what, token, why) in bad {
        assert_eq!(by_secret(&token), Err(why), "{what}");
    }
}

#[test]
fn tokens_of_a_bad_form_are_refused() {
    let good = hs256(&claims());
    let parts: Vec<&str> = good.split('.').collect();
    let [head, body, signature] = parts.as_slice() else {
        panic!("three parts")
    };
    let changed = URL_SAFE_NO_PAD.encode(claims().to_string().replace(USER, TENANT));
    let twice = claims()
        .to_string()
        .replacen('{', &format!("{{\"sub\":\"{TENANT}\","), 1);
    for (what, token) in [
        ("empty", String::new()),
        ("one part", "abc".to_owned()),
        ("two parts", format!("{head}.{body}")),
        ("four parts", format!("{good}.x")),
        ("five parts, as when encrypted", format!("{good}.x.y")),
        ("only dots", "..".to_owned()),
        ("no signature", format!("{head}.{body}.")),
        ("another's claims", format!("{head}.{changed}.{signature}")),
        ("half a signature", format!("{head}.{body}.{}", &signature[..20])),
        ("a longer signature", format!("{good}AAAA")),
        ("a padded signature", format!("{good}=")),
        (
            "a signature in another alphabet",
            format!("{head}.{body}.{}", STANDARD.encode([0xff; 32])),
        ),
        (
            "a padded header",
            format!("{}.{body}.{signature}", URL_SAFE.encode("{\"alg\":\"HS256\"} ")),
        ),
        (
            "a header that is no JSON",
            format!("{}.{body}.{signature}", URL_SAFE_NO_PAD.encode("alg=HS256")),
        ),
        (
            "a header that is a list",
            format!("{}.{body}.{signature}", URL_SAFE_NO_PAD.encode("[\"HS256\"]")),
        ),
        ("spaces", format!("{head} .{body}.{signature}")),
        ("a NUL", format!("{good}\0")),
        ("not ASCII", "é.é.é".to_owned()),
        ("a claim twice", {
            let message = format!("{head}.{}", URL_SAFE_NO_PAD.encode(twice));
            let signature =
                jsonwebtoken::crypto::sign(message.as_bytes(), &EncodingKey::from_secret(SECRET), Algorithm::HS256);
            format!("{message}.{}", signature.unwrap())
        }),
        ("too long", with("note", Some(json!("x".repeat(TOKEN_BYTES_MAX))))),
    ] {
        assert!(by_secret(&token).is_err(), "{what}");
        assert!(by_set(&token).is_err(), "{what}");
    }
}

#[test]
fn no_header_talks_the_service_into_another_key_or_algorithm() {
    let message = |alg: &str| {
        format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(json!({ "alg": alg, "typ": "JWT" }).to_string()),
            URL_SAFE_NO_PAD.encode(claims().to_string())
        )
    };
    let by_secret_as =
        |algorithm, secret: &[u8]| signed(&Header::new(algorithm), &claims(), &EncodingKey::from_secret(secret));
    for (what, token) in [
        ("alg none", format!("{}.", message("none"))),
        ("alg None", format!("{}.", message("None"))),
        ("alg nOnE with a signature", format!("{}.AAAA", message("nOnE"))),
        ("alg missing", with_header(&json!({ "typ": "JWT" }))),
        ("alg null", with_header(&json!({ "alg": null }))),
        ("alg in lower case", with_header(&json!({ "alg": "hs256" }))),
        ("alg a list", with_header(&json!({ "alg": ["HS256"] }))),
        ("alg unknown", with_header(&json!({ "alg": "HS1" }))),
        (
            "alg RS256 over an HS256 signature",
            with_header(&json!({ "alg": "RS256" })),
        ),
        (
            "another secret",
            by_secret_as(Algorithm::HS256, b"another secret of more than thirty-two bytes"),
        ),
        ("an empty secret", by_secret_as(Algorithm::HS256, b"")),
        ("HS384", by_secret_as(Algorithm::HS384, SECRET)),
        ("HS512", by_secret_as(Algorithm::HS512, SECRET)),
        ("RS256", signed(&keyed("rsa", Algorithm::RS256), &claims(), &rsa())),
        (
            "a critical extension",
            with_header(&json!({ "alg": "HS256", "crit": ["exp"], "exp": 1 })),
        ),
        ("an empty crit", with_header(&json!({ "alg": "HS256", "crit": [] }))),
        (
            "an unencoded payload",
            with_header(&json!({ "alg": "HS256", "b64": false, "crit": ["b64"] })),
        ),
        ("a nested token", with_header(&json!({ "alg": "HS256", "cty": "JWT" }))),
        ("compressed", with_header(&json!({ "alg": "HS256", "zip": "DEF" }))),
        ("encrypted", with_header(&json!({ "alg": "HS256", "enc": "A128GCM" }))),
        (
            "a logout token",
            with_header(&json!({ "alg": "HS256", "typ": "logout+jwt" })),
        ),
        ("typ JOSE", with_header(&json!({ "alg": "HS256", "typ": "JOSE" }))),
    ] {
        assert!(by_secret(&token).is_err(), "{what}");
    }
}

#[test]
fn a_key_set_accepts_only_its_own_keys_with_their_own_algorithm() {
    let set: Value = serde_json::from_str(JWKS).unwrap();
    let public = set["keys"][0]["n"].as_str().unwrap().as_bytes();
    let ec = EncodingKey::from_ec_pem(EC).unwrap();
    let by_rsa = |kid: &str, algorithm| signed(&keyed(kid, algorithm), &claims(), &rsa());
    let by_text = |kid: &str, text: &[u8]| {
        signed(
            &keyed(kid, Algorithm::HS256),
            &claims(),
            &EncodingKey::from_secret(text),
        )
    };
    for (what, token) in [
        ("no kid", signed(&Header::new(Algorithm::RS256), &claims(), &rsa())),
        ("an unknown kid", by_rsa("gone", Algorithm::RS256)),
        ("another key's kid", by_rsa("ec", Algorithm::RS256)),
        ("the public key as a secret", by_text("rsa", public)),
        ("the public key's text as a secret", by_text("rsa", JWKS.as_bytes())),
        (
            "a symmetric key of the set",
            by_text("symmetric", b"secretsecretsecretsecretsecret"),
        ),
        ("RS512 with an RS256 key", by_rsa("rsa", Algorithm::RS512)),
        ("PS256 with an RS256 key", by_rsa("rsa", Algorithm::PS256)),
        ("a key for PS256", by_rsa("pss", Algorithm::RS256)),
        ("a key for encryption", by_rsa("encryption", Algorithm::RS256)),
        (
            "a short key",
            signed(
                &keyed("short", Algorithm::RS256),
                &claims(),
                &EncodingKey::from_rsa_pem(SHORT_RSA).unwrap(),
            ),
        ),
        (
            "a curve that we do not take",
            signed(&keyed("p384", Algorithm::ES256), &claims(), &ec),
        ),
        ("a service's secret", by_text("rsa", SECRET)),
    ] {
        assert!(by_set(&token).is_err(), "{what}");
    }
    let embedded = Header {
        jwk: None,
        jku: Some("https://evil.example/jwks".to_owned()),
        ..keyed("evil", Algorithm::ES256)
    };
    assert_eq!(by_set(&signed(&embedded, &claims(), &ec)), Err(BadToken::UnknownKey));
}
