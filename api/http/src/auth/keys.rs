//! The keys that tokens are verified with: one secret, or a key set fetched from an identity provider.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::token::{self, BadToken, Expected, Key, SECRET_BYTES_MIN, Verified};
use crate::Fault;

/// How soon after a fetch an unknown key causes another one, in seconds.
const REFETCH_SECONDS_MIN: u64 = 10;
/// How long the identity provider may take, in seconds.
const FETCH_SECONDS_MAX: u64 = 5;
/// Size of a key set.
const KEY_SET_BYTES_MAX: usize = 1 << 20;
/// Length of an RSA key's modulus.
const RSA_BYTES_MIN: usize = 2048 / 8;

/// Verifies tokens. HS256 with a secret, or RS256, ES256 and EdDSA with a key set; never both, so
/// that no public key can be mistaken for a secret.
#[derive(Debug)]
pub struct Verifier {
    expected: Expected,
    keys: Keys,
}

#[derive(Debug)]
enum Keys {
    Secret(Key),
    Set(KeySet),
}

/// Why nothing can be said of a token yet.
#[derive(Debug)]
pub enum Unverified {
    Bad(BadToken),
    /// The key set could not be fetched, so a good token cannot be told from a bad one.
    KeysUnavailable,
}

impl From<BadToken> for Unverified {
    fn from(bad: BadToken) -> Self {
        Self::Bad(bad)
    }
}

/// The keys and rules by which tokens are verified.
#[derive(Clone, Copy)]
pub struct TokenSettings<'a> {
    /// The `iss` that tokens must have.
    pub issuer: &'a str,
    /// The `aud` that tokens must have.
    pub audience: &'a str,
    /// Secret of HS256 tokens; or
    pub secret: Option<&'a str>,
    /// where the public keys of tokens are.
    pub jwks_url: Option<&'a str>,
    /// Whether these may be fetched without TLS, by whoever answers under that name.
    pub jwks_http: bool,
    /// How often these are fetched, in seconds.
    pub jwks_refresh_seconds: u64,
}

impl Verifier {
    /// A verifier as configured.
    ///
    /// # Errors
    /// When a setting is missing, or the secret is too short.
    pub fn new(settings: &TokenSettings<'_>) -> Result<Self, Fault> {
        let expected = Expected {
            issuer: settings.issuer.to_owned(),
            audience: settings.audience.to_owned(),
        };
        let keys = match (settings.secret, settings.jwks_url) {
            (Some(secret), None) if secret.len() >= SECRET_BYTES_MIN => Keys::Secret(Key {
                algorithm: Algorithm::HS256,
                key: DecodingKey::from_secret(secret.as_bytes()),
            }),
            (Some(_), None) => {
                return Err(Fault::setting(format!(
                    "DAYBOOK_JWT_SECRET must be at least {SECRET_BYTES_MIN} bytes long"
                )));
            }
            (None, Some(url)) => {
                let url = safe(url, settings.jwks_http)?;
                Keys::Set(KeySet::new(url, settings.jwks_refresh_seconds)?)
            }
            (None, None) | (Some(_), Some(_)) => {
                return Err(Fault::setting(
                    "exactly one of DAYBOOK_JWT_SECRET and DAYBOOK_JWKS_URL must be set",
                ));
            }
        };
        Ok(Self { expected, keys })
    }

    /// Says who bears the token.
    ///
    /// # Errors
    /// [`Unverified`].
    pub async fn verify(&self, token: &str) -> Result<Verified, Unverified> {
        let header = token::header(token)?;
        let key = match &self.keys {
            Keys::Secret(key) => key.clone(),
            Keys::Set(set) => set.key(header.kid.as_deref().ok_or(BadToken::UnknownKey)?).await?,
        };
        Ok(token::verify(token, &header, &key, &self.expected)?)
    }

    /// Fetches the key set now and then, until stopped; with a secret there is nothing to do.
    pub async fn refresh(&self, stop: CancellationToken) {
        let Keys::Set(set) = &self.keys else {
            return stop.cancelled().await;
        };
        loop {
            if set.fetch().await.is_err() && set.known.read().is_ok_and(|known| known.is_empty()) {
                warn!(url = set.url, "no token can be verified before the key set was fetched");
            }
            tokio::select! {
                () = tokio::time::sleep(set.refresh) => {}
                () = stop.cancelled() => return,
            }
        }
    }
}

/// The address of a key set, if what it answers can be believed: whoever can answer in its place signs tokens of
/// anybody.
fn safe(url: &str, is_http_allowed: bool) -> Result<&str, Fault> {
    let parsed = reqwest::Url::parse(url).map_err(|error| Fault::setting(format!("DAYBOOK_JWKS_URL: {error}")))?;
    match parsed.scheme() {
        "https" => Ok(url),
        "http" if is_http_allowed => {
            warn!(url, "the key set is fetched without TLS; DAYBOOK_JWKS_HTTP allows it");
            Ok(url)
        }
        "http" => Err(Fault::setting(
            "DAYBOOK_JWKS_URL must begin with https: who can answer in the provider's place can sign for anybody. Set \
             DAYBOOK_JWKS_HTTP=1 where nobody can, as in a test",
        )),
        other => Err(Fault::setting(format!(
            "DAYBOOK_JWKS_URL must begin with https, not with {other}"
        ))),
    }
}

#[derive(Debug)]
struct KeySet {
    url: String,
    /// How often it is fetched though nothing asks for it.
    refresh: Duration,
    client: reqwest::Client,
    known: RwLock<Arc<HashMap<String, Key>>>,
    /// When and with what success it was last fetched; locked while it is.
    fetched: tokio::sync::Mutex<Option<(Instant, bool)>>,
}

impl KeySet {
    fn new(url: &str, refresh_seconds: u64) -> Result<Self, Fault> {
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(FETCH_SECONDS_MAX))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Fault::setting(format!("DAYBOOK_JWKS_URL: {error}")))?;
        Ok(Self {
            url: url.to_owned(),
            refresh: Duration::from_secs(refresh_seconds),
            client,
            known: RwLock::default(),
            fetched: tokio::sync::Mutex::new(None),
        })
    }

    fn find(&self, kid: &str) -> Option<Key> {
        self.known.read().ok()?.get(kid).cloned()
    }

    async fn key(&self, kid: &str) -> Result<Key, Unverified> {
        if let Some(key) = self.find(kid) {
            return Ok(key);
        }
        // One fetch at a time; whoever waited for it finds what it brought.
        let mut fetched = self.fetched.lock().await;
        if let Some(key) = self.find(kid) {
            return Ok(key);
        }
        let recent = Duration::from_secs(REFETCH_SECONDS_MIN);
        let succeeded = match *fetched {
            Some((at, succeeded)) if at.elapsed() < recent => succeeded,
            Some(_) | None => {
                let succeeded = self.fetch_once().await.is_ok();
                *fetched = Some((Instant::now(), succeeded));
                succeeded
            }
        };
        match self.find(kid) {
            Some(key) => Ok(key),
            None if succeeded => Err(Unverified::Bad(BadToken::UnknownKey)),
            None => Err(Unverified::KeysUnavailable),
        }
    }

    async fn fetch(&self) -> Result<(), ()> {
        let mut fetched = self.fetched.lock().await;
        let result = self.fetch_once().await;
        *fetched = Some((Instant::now(), result.is_ok()));
        result
    }

    async fn fetch_once(&self) -> Result<(), ()> {
        match self.download().await {
            Ok(set) => {
                let keys = usable(&set);
                info!(keys = keys.len(), url = self.url, "fetched the key set");
                if let Ok(mut known) = self.known.write() {
                    *known = Arc::new(keys);
                }
                Ok(())
            }
            Err(error) => {
                warn!(error = %error, url = self.url, "the key set could not be fetched; the keys known so far stay");
                Err(())
            }
        }
    }

    async fn download(&self) -> Result<PublicKeys, String> {
        let answer = self
            .client
            .get(&self.url)
            .send()
            .await
            .and_then(reqwest::Response::error_for_status);
        let mut answer = answer.map_err(|error| error.without_url().to_string())?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| error.without_url().to_string())? {
            if body.len() + chunk.len() > KEY_SET_BYTES_MAX {
                return Err(format!("it is larger than {KEY_SET_BYTES_MAX} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map_err(|error| error.to_string())
    }
}

/// A key set as providers publish it. Read leniently: keys of kinds we do not use must not hide
/// the others.
#[derive(Debug, Deserialize)]
pub struct PublicKeys {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct PublicKey {
    kid: String,
    kty: String,
    r#use: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// The keys that we may verify with, by id. A symmetric key is never among them.
#[must_use]
pub fn usable(set: &PublicKeys) -> HashMap<String, Key> {
    let parsed = set.keys.iter().filter_map(|key| PublicKey::deserialize(key).ok());
    parsed
        .filter_map(|key| Some((key.kid.clone(), public_key(&key)?)))
        .collect()
}

fn public_key(jwk: &PublicKey) -> Option<Key> {
    if jwk.r#use.as_deref().is_some_and(|r#use| r#use != "sig") {
        return None;
    }
    let (algorithm, name, key) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => {
            let modulus = jwk.n.as_deref()?;
            if URL_SAFE_NO_PAD.decode(modulus).ok()?.len() < RSA_BYTES_MIN {
                return None;
            }
            (
                Algorithm::RS256,
                "RS256",
                DecodingKey::from_rsa_components(modulus, jwk.e.as_deref()?),
            )
        }
        ("EC", Some("P-256")) => (
            Algorithm::ES256,
            "ES256",
            DecodingKey::from_ec_components(jwk.x.as_deref()?, jwk.y.as_deref()?),
        ),
        ("OKP", Some("Ed25519")) => (
            Algorithm::EdDSA,
            "EdDSA",
            DecodingKey::from_ed_components(jwk.x.as_deref()?),
        ),
        _ => return None,
    };
    let meant = jwk.alg.as_deref().is_none_or(|alg| alg == name);
    key.ok().filter(|_| meant).map(|key| Key { algorithm, key })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_set_is_fetched_by_https_alone_unless_a_switch_allows_http() {
        let (https, http) = ("https://id.example/keys", "http://id.example/keys");
        assert!(safe(https, false).is_ok() && safe(https, true).is_ok() && safe(http, true).is_ok());
        let refused = safe(http, false).unwrap_err().to_string();
        assert!(refused.contains("DAYBOOK_JWKS_HTTP"), "{refused}");
        for wrong in ["file:///etc/keys", "id.example/keys", "ftp://id.example/keys", ""] {
            assert!(safe(wrong, true).is_err(), "{wrong}");
        }
    }
}
