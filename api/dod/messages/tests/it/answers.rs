//! What answers mean, case by case.

use std::time::Duration;

use dod_messages::{ANSWER_BYTES_MAX, BECAUSE_BYTES_MAX, Outcome, lark, slack};

fn headers(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

/// The outcome in a word, with the seconds to wait.
fn word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Sent { id, channel } => format!(
            "sent {} {}",
            id.as_deref().unwrap_or("-"),
            channel.as_deref().unwrap_or("-")
        ),
        Outcome::Later { after, .. } => format!("later {}", after.map_or(0, |after| after.as_secs())),
        Outcome::Refused { .. } => "refused".to_owned(),
        Outcome::Unknown { .. } => "unknown".to_owned(),
    }
}

fn because(outcome: Outcome) -> String {
    match outcome {
        Outcome::Later { because, .. } | Outcome::Refused { because } | Outcome::Unknown { because } => because,
        Outcome::Sent { .. } => panic!("it was sent"),
    }
}

#[test]
fn slacks_webhook_answers_in_words() {
    for (status, body, expected) in [
        (200, "ok", "sent - -"),
        (200, "", "unknown"),
        (200, "o", "unknown"),
        (200, "<html>", "unknown"),
        (200, "invalid_payload", "refused"),
        (204, "", "unknown"),
        (400, "invalid_payload", "refused"),
        (403, "action_prohibited", "refused"),
        (404, "no_service", "refused"),
        (410, "channel_is_archived", "refused"),
        (404, "<html>not here</html>", "refused"),
        (302, "", "refused"),
        (429, "", "later 30"),
        (500, "rollup_error", "unknown"),
        (503, "", "unknown"),
        (408, "", "later 0"),
    ] {
        let outcome = slack::outcome_of_webhook(status, &headers(&[("Retry-After", "30")]), body.as_bytes());
        assert_eq!(word(&outcome), expected, "{status} {body}");
    }
}

#[test]
fn slacks_api_answers_errors_with_status_200() {
    for (status, body, expected) in [
        (200, r#"{"ok":true,"channel":"C1","ts":"1.2"}"#, "sent 1.2 C1"),
        (200, r#"{"ok":true}"#, "sent - -"),
        (200, r#"{"ok":false,"error":"channel_not_found"}"#, "refused"),
        (200, r#"{"ok":false,"error":"is_archived"}"#, "refused"),
        (200, r#"{"ok":false,"error":"invalid_auth"}"#, "refused"),
        (200, r#"{"ok":false,"error":"msg_too_long"}"#, "refused"),
        (200, r#"{"ok":false,"error":"msg_blocks_too_long"}"#, "refused"),
        (200, r#"{"ok":false,"error":"a_word_of_tomorrow"}"#, "refused"),
        (200, r#"{"ok":false,"error":"ratelimited"}"#, "later 2"),
        (200, r#"{"ok":false,"error":"service_unavailable"}"#, "later 2"),
        (200, r#"{"ok":false,"error":"internal_error"}"#, "unknown"),
        (200, r#"{"ok":false}"#, "unknown"),
        (200, r#"{"ok":true,"chan"#, "unknown"),
        (200, "", "unknown"),
        (200, "[]", "unknown"),
        (401, "", "refused"),
        (429, "", "later 2"),
        (500, r#"{"ok":false,"error":"channel_not_found"}"#, "unknown"),
        (502, "<html>", "unknown"),
    ] {
        let outcome = slack::outcome(status, &headers(&[("retry-after", "2")]), body.as_bytes());
        assert_eq!(word(&outcome), expected, "{status} {body}");
    }
    assert!(slack::message_is_gone(br#"{"ok":false,"error":"message_not_found"}"#));
    assert!(!slack::message_is_gone(br#"{"ok":false,"error":"invalid_auth"}"#));
}

#[test]
fn lark_succeeds_with_code_0_alone() {
    for (status, body, expected) in [
        (
            200,
            r#"{"code":0,"msg":"success","data":{"message_id":"om_1","chat_id":"oc_1"}}"#,
            "sent om_1 oc_1",
        ),
        (200, r#"{"code":0,"data":{}}"#, "sent - -"),
        (200, r#"{"StatusCode":0,"StatusMessage":"success"}"#, "sent - -"),
        (200, r#"{"code":19021,"msg":"sign match fail"}"#, "refused"),
        (200, r#"{"code":19024,"msg":"Key Words Not Found"}"#, "refused"),
        (200, r#"{"code":9499,"msg":"Bad Request"}"#, "refused"),
        (200, r#"{"code":9499,"msg":"too many request"}"#, "later 4"),
        (200, r#"{"code":11232,"msg":"frequency limited"}"#, "later 4"),
        (400, r#"{"code":11232,"msg":"frequency limited"}"#, "later 4"),
        (400, r#"{"code":230020,"msg":"rate"}"#, "later 4"),
        (
            400,
            r#"{"code":99991400,"msg":"request trigger frequency limit"}"#,
            "later 4",
        ),
        (400, r#"{"code":99991663,"msg":"Invalid access token"}"#, "later 0"),
        (
            400,
            r#"{"code":230002,"msg":"Bot can NOT be out of the chat."}"#,
            "refused",
        ),
        (400, r#"{"code":424242,"msg":"of tomorrow"}"#, "refused"),
        (200, r#"{"code":2200,"msg":"internal"}"#, "unknown"),
        (500, r#"{"code":1,"msg":"x"}"#, "unknown"),
        (500, r#"{"code":0}"#, "unknown"),
        (200, r#"{"code":0,"da"#, "unknown"),
        (200, "", "unknown"),
        (200, "{}", "unknown"),
        (429, "", "later 4"),
        (429, r#"{"code":5}"#, "later 4"),
        (504, "", "unknown"),
        (404, "<html>", "refused"),
    ] {
        let outcome = lark::outcome(status, &headers(&[("X-Ogw-Ratelimit-Reset", "4")]), body.as_bytes());
        assert_eq!(word(&outcome), expected, "{status} {body}");
    }
    assert!(lark::token_is_stale(br#"{"code":99991663}"#) && !lark::token_is_stale(br#"{"code":0}"#));
    assert!(lark::message_is_gone(br#"{"code":230011}"#) && !lark::message_is_gone(b""));
}

#[test]
fn a_token_is_given_or_it_is_said_why_not() {
    let token = lark::token_of(200, br#"{"code":0,"tenant_access_token":"t-1","expire":99999}"#).unwrap();
    assert_eq!((token.value.as_str(), token.seconds), ("t-1", 7_200));
    for (status, body, expected) in [
        (200, r#"{"code":10014,"msg":"app secret invalid"}"#, "refused"),
        (200, r#"{"code":0}"#, "later 0"),
        (200, r#"{"code":0,"tenant_access_token":"a\nb","expire":1}"#, "later 0"),
        (200, r#"{"code"#, "later 0"),
        (502, "", "later 0"),
        (400, r#"{"code":99991400}"#, "later 0"),
    ] {
        assert_eq!(
            word(&lark::token_of(status, body.as_bytes()).unwrap_err()),
            expected,
            "{status} {body}"
        );
    }
}

#[test]
fn a_wait_is_never_longer_than_an_hour() {
    for absurd in ["31536000", "99999999999999999999"] {
        let outcome = slack::outcome(429, &headers(&[("Retry-After", absurd)]), b"");
        assert!(matches!(outcome, Outcome::Later { after: Some(after), .. } if after == Duration::from_secs(3_600)));
    }
}

#[test]
fn a_refusal_says_what_to_do() {
    let said = because(slack::outcome(200, &[], br#"{"ok":false,"error":"not_in_channel"}"#));
    assert_eq!(said, "Slack said not_in_channel: invite the Slack app to the channel");
    let said = because(lark::outcome(200, &[], br#"{"code":19021,"msg":"sign match fail"}"#));
    assert!(said.contains("secret") && said.contains("clock"), "{said}");
}

#[test]
fn a_reason_is_short_and_holds_neither_secrets_nor_control_characters() {
    let token = "xoxb-1234567890-abcdefABCDEF";
    let path = "https://hooks.slack.com/services/T00/B00/XyZ1234567890abcdefghij";
    let page = format!(
        "<html>\u{1b}[2J{token} {path} Bearer {token} {}",
        "é\u{0} ".repeat(1 << 19)
    );
    assert!(page.len() > ANSWER_BYTES_MAX);
    let reasons = [
        slack::outcome(200, &[], page.as_bytes()),
        slack::outcome(503, &[], page.as_bytes()),
        slack::outcome_of_webhook(404, &[], page.as_bytes()),
        lark::outcome(200, &[], page.as_bytes()),
        lark::outcome(400, &[], page.as_bytes()),
        lark::outcome(
            200,
            &[],
            serde_json::json!({ "code": 7, "msg": page }).to_string().as_bytes(),
        ),
        slack::outcome(
            200,
            &[],
            serde_json::json!({ "ok": false, "error": page }).to_string().as_bytes(),
        ),
    ];
    for reason in reasons.map(because) {
        assert!(reason.len() <= BECAUSE_BYTES_MAX + 300, "{}", reason.len());
        assert!(!reason.chars().any(char::is_control), "{reason}");
        assert!(
            !reason.contains("xoxb") && !reason.contains("services") && !reason.contains("XyZ"),
            "{reason}"
        );
    }
}
