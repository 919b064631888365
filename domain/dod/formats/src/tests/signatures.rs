use chrono::TimeDelta;

use super::*;
use crate::signature::{BadSignature, Scheme, verify};
use crate::sns::{Envelope, allowed_cert_url, allowed_subscribe_url};

// Computed with another implementation, over this body with this secret.
const BODY: &[u8] = br#"{"alerts":[]}"#;
const SECRET: &[u8] = b"a secret";
const PLAIN: &str = "5608f1b8ecf10f3208a2dccffac6e515b5e2b9dfe610215d01337c98a63908d4";
const WITH_TIME: &str = "f4cb1188d79409e96483878f75f7a5b10bbe229913b4dffd55fbdef2a7a873d5";
const BY_SLACK: &str = "c690521aedda882a360719bda991875b406a116fe93b214a49ce8179a0c4a457";
const LONG_SECRET: &str = "a8f5f9556755fa02ae221667e0f167b53237b7c572dfc8b1e839b2d3a6902e3f";
const TIME: &str = "1772366400";

fn by(scheme: &Scheme, headers: &[(&str, &str)]) -> Result<(), BadSignature> {
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect();
    verify(scheme, SECRET, &headers, BODY, received_at())
}

fn grafana(with_time: bool) -> Scheme {
    Scheme::Grafana {
        header: None,
        timestamp_header: with_time.then(|| "X-Grafana-Time".to_string()),
    }
}

#[test]
fn each_scheme_takes_its_own_signature() {
    let own = Scheme::HmacSha256 {
        header: "X-Hub-Signature-256".to_string(),
    };
    let prefixed = format!("sha256={PLAIN}");
    assert_eq!(by(&grafana(false), &[("x-grafana-alerting-signature", PLAIN)]), Ok(()));
    let timed = [("x-grafana-alerting-signature", WITH_TIME), ("x-grafana-time", TIME)];
    assert_eq!(by(&grafana(true), &timed), Ok(()));
    assert_eq!(by(&Scheme::Sentry, &[("sentry-hook-signature", PLAIN)]), Ok(()));
    assert_eq!(by(&own, &[("x-hub-signature-256", PLAIN)]), Ok(()));
    assert_eq!(by(&own, &[("x-hub-signature-256", &prefixed)]), Ok(()));
    let slack = format!("v0={BY_SLACK}");
    let slack = [
        ("x-slack-signature", slack.as_str()),
        ("x-slack-request-timestamp", TIME),
    ];
    assert_eq!(by(&Scheme::Slack, &slack), Ok(()));
    let either = format!("v1={WITH_TIME}, v1={PLAIN}");
    assert_eq!(by(&Scheme::Pagerduty, &[("x-pagerduty-signature", &either)]), Ok(()));
    let shared = Scheme::SharedSecret {
        header: "X-Token".to_string(),
    };
    assert_eq!(by(&shared, &[("x-token", "a secret")]), Ok(()));
    assert_eq!(by(&shared, &[("x-token", "Bearer a secret")]), Ok(()));
}

#[test]
fn a_secret_longer_than_a_block_signs_too() {
    let headers = [("sentry-hook-signature".to_string(), LONG_SECRET.to_string())];
    assert_eq!(
        verify(&Scheme::Sentry, &[b'k'; 100], &headers, BODY, received_at()),
        Ok(())
    );
}

#[test]
fn another_body_secret_or_header_is_not_believed() {
    let header = |value: &str| [("sentry-hook-signature".to_string(), value.to_string())];
    let of =
        |secret: &[u8], value: &str, body: &[u8]| verify(&Scheme::Sentry, secret, &header(value), body, received_at());
    assert_eq!(of(SECRET, PLAIN, b"{}"), Err(BadSignature::Wrong));
    assert_eq!(of(b"another", PLAIN, BODY), Err(BadSignature::Wrong));
    assert_eq!(of(SECRET, &PLAIN[..62], BODY), Err(BadSignature::Wrong));
    assert_eq!(of(SECRET, "", BODY), Err(BadSignature::Wrong));
    assert!(matches!(of(SECRET, "zz", BODY), Err(BadSignature::Malformed { .. })));
    assert!(matches!(by(&Scheme::Sentry, &[]), Err(BadSignature::Missing { .. })));
    assert!(matches!(
        by(&Scheme::Pagerduty, &[("x-pagerduty-signature", "v2=00")]),
        Err(BadSignature::Malformed { .. })
    ));
    let wrong = format!("v1={WITH_TIME}");
    assert_eq!(
        by(&Scheme::Pagerduty, &[("x-pagerduty-signature", &wrong)]),
        Err(BadSignature::Wrong)
    );
    let shared = Scheme::SharedSecret {
        header: "X-Token".to_string(),
    };
    assert_eq!(by(&shared, &[("x-token", "a secre")]), Err(BadSignature::Wrong));
    assert!(matches!(
        by(&grafana(true), &[("x-grafana-alerting-signature", PLAIN)]),
        Err(BadSignature::Missing { .. })
    ));
}

#[test]
fn a_signed_time_that_is_long_ago_is_a_replay() {
    let headers = [
        ("x-slack-signature".to_string(), format!("v0={BY_SLACK}")),
        ("x-slack-request-timestamp".to_string(), TIME.to_string()),
    ];
    let at = |minutes: i64| {
        verify(
            &Scheme::Slack,
            SECRET,
            &headers,
            BODY,
            received_at() + TimeDelta::minutes(minutes),
        )
    };
    assert_eq!((at(5), at(-5)), (Ok(()), Ok(())));
    assert_eq!((at(6), at(-6)), (Err(BadSignature::Stale), Err(BadSignature::Stale)));
}

#[test]
fn what_sns_signs_is_written_key_by_key() {
    let notification = sample("sns: an alarm");
    let envelope = Envelope::read(notification.body.as_bytes()).unwrap();
    let texts = envelope.strings_to_sign();
    assert_eq!(texts.len(), 1);
    let keys: Vec<&str> = texts[0].lines().step_by(2).collect();
    assert_eq!(
        keys,
        ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    );
    assert!(
        texts[0].ends_with("\nType\nNotification\n") && texts[0].contains("\nTimestamp\n2026-03-01T11:59:02.345Z\n")
    );

    let handshake = Envelope::read(sample("sns: the handshake").body.as_bytes()).unwrap();
    let text = handshake.strings_to_sign().concat();
    let keys: Vec<&str> = text.lines().step_by(2).collect();
    assert_eq!(
        keys,
        [
            "Message",
            "MessageId",
            "SubscribeURL",
            "Timestamp",
            "Token",
            "TopicArn",
            "Type"
        ]
    );

    let ended = Envelope {
        kind: "UnsubscribeConfirmation".to_string(),
        ..handshake
    };
    let [with, without] = &ended.strings_to_sign()[..] else {
        panic!("two texts")
    };
    assert!(with.contains("\nToken\n") && !without.contains("\nToken\n"));
    assert_eq!(Envelope::read(b"{\"Type\":\"Notification\"}"), None);
}

#[test]
fn only_sns_itself_is_asked_for_anything() {
    assert!(allowed_cert_url(
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0.pem"
    ));
    assert!(allowed_cert_url("https://sns.cn-north-1.amazonaws.com.cn/a.pem"));
    assert!(allowed_subscribe_url(
        "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=a&Token=b"
    ));
    for url in [
        "http://sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com.evil.example/a.pem",
        "https://evil.example/sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com@evil.example/a.pem",
        "https://evil.example#sns.eu-west-1.amazonaws.com/a.pem",
        "https://evil.example\\.sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com:8443/a.pem",
        "https://sns.x.amazonaws.com/a.pem",
        "https://sns.a/b.amazonaws.com/a.pem",
        "https://sns.a.b.amazonaws.com/a.pem",
        "https://s3.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com/a.pem?x",
        "https://sns.eu-west-1.amazonaws.com/a.txt",
        "https://sns.eu-west-1.amazonaws.com/../a.pem",
        "https://SNS.eu-west-1.amazonaws.com/a.pem\n",
        "https://127.0.0.1/a.pem",
        "",
    ] {
        assert!(!allowed_cert_url(url), "{url}");
    }
    for url in [
        "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe&x=Action=ConfirmSubscription",
        "https://sns.eu-west-1.amazonaws.com/",
        "http://169.254.169.254/?Action=ConfirmSubscription",
        "https://sns.eu-west-1.amazonaws.com@169.254.169.254/?Action=ConfirmSubscription",
    ] {
        assert!(!allowed_subscribe_url(url), "{url}");
    }
}
