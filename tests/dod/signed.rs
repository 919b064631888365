//! Senders that sign: what is not signed by the secret of its source is not taken in, and is counted there.

use hmac::{Hmac, Mac};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;
use tests::Service;

use crate::house::{Source, service};

const SECRET: &str = "correct horse battery staple";
const BODY: &str = r#"{"title": "Disk is full", "severity": "high"}"#;

fn signature(secret: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

async fn delivered(service: &Service, source: &Source, header: Option<(&str, &str)>) -> (StatusCode, Value) {
    let url = format!("{}{}", service.url, source.path);
    let request = tests::service::http().request(Method::POST, url);
    let request = request.header("Content-Type", "application/json").body(BODY);
    let request = match header {
        Some((name, value)) => request.header(name, value),
        None => request,
    };
    let answer = request.send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_its_source_s_secret_has_not_signed_is_refused_and_counted() {
    let service = service(&[]).await;
    let admin = &service.admin;
    let (own, of_other, of_other_body) = (
        signature(SECRET, BODY),
        signature("guess", BODY),
        signature(SECRET, &BODY.replace("high", "low")),
    );
    let pagerduty = |signature: &str| format!("v1={},v1={signature}", "00".repeat(32));
    for (scheme, header, good, bad) in [
        ("grafana", "X-Grafana-Alerting-Signature", own.clone(), of_other.clone()),
        ("sentry", "Sentry-Hook-Signature", own.clone(), of_other_body.clone()),
        (
            "pagerduty",
            "X-PagerDuty-Signature",
            pagerduty(&own),
            pagerduty(&of_other),
        ),
        (
            "hmac_sha256",
            "X-Hub-Signature-256",
            format!("sha256={own}"),
            format!("sha256={of_other_body}"),
        ),
        (
            "shared_secret",
            "X-Secret",
            SECRET.to_owned(),
            format!("{SECRET} ")[1..].to_owned(),
        ),
    ] {
        let chooses = ["hmac_sha256", "shared_secret"].contains(&scheme);
        let mut signature = json!({"scheme": scheme, "secret": SECRET});
        if chooses {
            signature["header"] = json!(header);
        }
        let source = Source::entered(admin, json!({"name": scheme, "signature": signature})).await;
        for given in [None, Some((header, bad.as_str())), Some((header, "no signature"))] {
            let (status, told) = delivered(&service, &source, given).await;
            assert_eq!(
                (status.as_u16(), &told["status"]),
                (401, &json!(401)),
                "{scheme} {given:?}: {told}"
            );
        }
        let (status, told) = delivered(&service, &source, Some((header, &good))).await;
        assert_eq!(status, 202, "{scheme}: {told}");
        // The source has its row a moment after it was entered.
        let counted = |intake: &Value| {
            let of_source = intake["sources"]
                .as_array()
                .unwrap()
                .iter()
                .find(|of| of["name"] == scheme);
            of_source.is_some_and(|of| of["refused"]["signature"]["times"] == 3)
        };
        admin.until("/v1/dod/intake", counted).await;
    }
    let is_taken = |page: &Value| page["rows"].as_array().unwrap().len() == 5;
    admin.until("/v1/dod/deliveries?status=recognised", is_taken).await;
    service.end().await;
}
