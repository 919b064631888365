//! What Amazon SNS sends: signed by itself, and confirmed by a call back before it sends alarms.

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use dod_formats::sns::{self, Envelope};
use egress::{Allowed, Call, Egress, Method};
use http::App;
use http::problem::{self, Problem};
use rsa::RsaPublicKey;
use rsa::pkcs1v15::{Signature, VerifyingKey};
use rsa::pkcs8::DecodePublicKey as _;
use rsa::signature::Verifier as _;
use sha1::Sha1;
use sha2::Sha256;
use uuid::Uuid;

use crate::senders::Sender;
use crate::webhooks::text;

/// The header by which what SNS sends is known.
pub const MESSAGE_TYPE: &str = "x-amz-sns-message-type";
/// Hosts of SNS; of them only those of its own form are called.
const HOSTS: [&str; 2] = ["*.amazonaws.com", "*.amazonaws.com.cn"];
/// How long a certificate is remembered, in seconds, and how many are.
const CERTIFICATE_SECONDS: u64 = 3_600;
const CERTIFICATES_MAX: u64 = 100;
/// How long SNS may take to answer, in seconds: it waits itself meanwhile.
const CALL_SECONDS_MAX: u64 = 5;
const CERTIFICATE_BYTES_MAX: usize = 64 << 10;
const CONFIRMATION_BYTES_MAX: usize = 64 << 10;

/// Whose keys have signed of late.
#[derive(Debug, Clone)]
pub struct Certificates(moka::future::Cache<String, Arc<RsaPublicKey>>);

impl Default for Certificates {
    fn default() -> Self {
        let kept = moka::future::Cache::builder()
            .max_capacity(CERTIFICATES_MAX)
            .time_to_live(Duration::from_secs(CERTIFICATE_SECONDS))
            .build();
        Self(kept)
    }
}

/// Why a message of SNS is not believed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Unbelieved {
    #[error("the body is no message of SNS although its headers say so; send it as SNS does")]
    NoEnvelope,
    #[error("the topic {0} is not among the source's sns_topics; amend the source")]
    OtherTopic(String),
    #[error("the certificate does not lie with SNS")]
    OtherHost,
    #[error("the signature is not one of SNS over this message")]
    Wrong,
    #[error("the certificate cannot be fetched now ({0}); send it again")]
    Unreachable(String),
}

/// Checks a message of SNS: that its topic is one of the source's, and that SNS has signed it. Nothing of what another sends.
///
/// # Errors
/// 401 when it is not to be believed; 503 when that cannot be found out now.
pub async fn check(app: &App, sender: &Sender, headers: &HeaderMap, body: &[u8]) -> Result<(), Problem> {
    let is_named = text(headers, MESSAGE_TYPE).is_some();
    let envelope = Envelope::read(body);
    if !is_named && envelope.is_none() {
        return Ok(());
    }
    let checked = match envelope {
        Some(envelope) => {
            let certificates = app.of::<Certificates>()?;
            let egress = app.of::<Egress>()?;
            let topics = sender.source.settings().map(|settings| &settings.sns_topics[..]);
            believe(
                egress,
                certificates,
                sender.tenant,
                topics.unwrap_or_default(),
                &envelope,
            )
            .await
        }
        None => Err(Unbelieved::NoEnvelope),
    };
    checked.map_err(|why| {
        let kind = match why {
            Unbelieved::Unreachable(_) => problem::UNAVAILABLE,
            _ => problem::UNAUTHENTICATED,
        };
        Problem::new(kind, why.to_string())
    })
}

/// Whether SNS has signed this, and it is of one of these topics.
///
/// # Errors
/// [`Unbelieved`].
pub async fn believe(
    egress: &Egress,
    certificates: &Certificates,
    tenant: Uuid,
    topics: &[String],
    envelope: &Envelope,
) -> Result<(), Unbelieved> {
    if !topics.contains(&envelope.topic_arn) {
        return Err(Unbelieved::OtherTopic(envelope.topic_arn.chars().take(200).collect()));
    }
    if !sns::allowed_cert_url(&envelope.signing_cert_url) {
        return Err(Unbelieved::OtherHost);
    }
    let url = envelope.signing_cert_url.clone();
    let fetching = async { fetch(egress, tenant, &url).await.map(Arc::new) };
    let key = certificates.0.try_get_with(url.clone(), fetching).await;
    let key = key.map_err(|error: Arc<Unbelieved>| Unbelieved::clone(&error))?;
    match is_signed(&key, envelope) {
        true => Ok(()),
        false => Err(Unbelieved::Wrong),
    }
}

async fn fetch(egress: &Egress, tenant: Uuid, url: &str) -> Result<RsaPublicKey, Unbelieved> {
    let pem = get(egress, tenant, url, CERTIFICATE_BYTES_MAX).await?;
    public_key(&pem).ok_or_else(|| Unbelieved::Unreachable("what lies there is no certificate".to_owned()))
}

async fn get(egress: &Egress, tenant: Uuid, url: &str, bytes_max: usize) -> Result<Vec<u8>, Unbelieved> {
    let unreachable = |error: String| Unbelieved::Unreachable(error);
    let allowed = Allowed::new(HOSTS).map_err(|error| unreachable(error.to_string()))?;
    let call = Call {
        method: Method::Get,
        url: url.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        seconds_max: CALL_SECONDS_MAX,
        answer_bytes_max: bytes_max,
    };
    let answer = egress.call(tenant, &allowed, call).await;
    let answer = answer.map_err(|error| unreachable(error.to_string()))?;
    match answer.status {
        200 => Ok(answer.body),
        status => Err(unreachable(format!("SNS answers {status}"))),
    }
}

/// The key of a certificate in PEM.
fn public_key(pem: &[u8]) -> Option<RsaPublicKey> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(pem).ok()?;
    let certificate = pem.parse_x509().ok()?;
    RsaPublicKey::from_public_key_der(certificate.tbs_certificate.subject_pki.raw).ok()
}

fn is_signed(key: &RsaPublicKey, envelope: &Envelope) -> bool {
    let Ok(signature) = BASE64.decode(&envelope.signature) else {
        return false;
    };
    let Ok(signature) = Signature::try_from(&signature[..]) else {
        return false;
    };
    let mut texts = envelope.strings_to_sign().into_iter();
    match envelope.signature_version.as_str() {
        "1" => {
            let by = VerifyingKey::<Sha1>::new(key.clone());
            texts.any(|text| by.verify(text.as_bytes(), &signature).is_ok())
        }
        "2" => {
            let by = VerifyingKey::<Sha256>::new(key.clone());
            texts.any(|text| by.verify(text.as_bytes(), &signature).is_ok())
        }
        _ => false,
    }
}

/// Confirms a subscription that was believed: only to SNS's own host.
///
/// # Errors
/// [`Unbelieved`].
pub async fn confirm(egress: &Egress, tenant: Uuid, envelope: &Envelope) -> Result<(), Unbelieved> {
    let url = envelope
        .subscribe_url
        .as_deref()
        .filter(|url| sns::allowed_subscribe_url(url));
    let url = url.ok_or(Unbelieved::OtherHost)?;
    get(egress, tenant, url, CONFIRMATION_BYTES_MAX).await.map(|_| ())
}
