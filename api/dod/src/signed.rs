//! Whether a request is its source's: what the source signs with has to be shown beside the token.

use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use dod::source::{Signature, SignatureScheme};
use dod_formats::signature::{self, Scheme};
use http::App;
use http::problem::{self, Problem};
use settings::Settings;

use crate::edges::SIGNATURE_SECRET;
use crate::senders::Sender;
use crate::sns;
use crate::webhooks::text;

/// Checks what the source says has to be signed; SNS signs by itself.
///
/// # Errors
/// 401 when it is not signed as it should be; 503 when that cannot be found out now.
pub async fn check(
    app: &App,
    sender: &Sender,
    headers: &HeaderMap,
    body: &[u8],
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    sns::check(app, sender, headers, body).await?;
    let Some(settings) = sender.source.settings() else {
        return Ok(());
    };
    let Some(signature) = &settings.signature else {
        return Ok(());
    };
    let scheme = scheme(signature);
    let shown: Vec<(String, String)> = scheme
        .headers()
        .into_iter()
        .filter_map(|name| Some((name.clone(), text(headers, &name)?)))
        .collect();
    let secret = app
        .of::<Settings>()?
        .open(sender.tenant, SIGNATURE_SECRET, &signature.secret)
        .await;
    let secret = secret.map_err(|error| {
        let detail = format!("the source's secret cannot be opened ({error}); send it again, and have it entered anew");
        Problem::new(problem::UNAVAILABLE, detail)
    })?;
    signature::verify(&scheme, secret.expose().as_bytes(), &shown, body, now)
        .map_err(|bad| Problem::new(problem::UNAUTHENTICATED, bad.to_string()))
}

fn scheme(signature: &Signature) -> Scheme {
    let header = || signature.header.clone().unwrap_or_default();
    match signature.scheme {
        SignatureScheme::Grafana => Scheme::Grafana {
            header: signature.header.clone(),
            timestamp_header: signature.timestamp_header.clone(),
        },
        SignatureScheme::Sentry => Scheme::Sentry,
        SignatureScheme::Pagerduty => Scheme::Pagerduty,
        SignatureScheme::HmacSha256 => Scheme::HmacSha256 { header: header() },
        SignatureScheme::SharedSecret => Scheme::SharedSecret { header: header() },
    }
}
