//! What a call holds, and what it does not show.

use dod_messages::{BadWebhook, Im, LARK_CHAT_PER_SECOND, Notice, SLACK_CHANNEL_SECONDS, State, lark, rate, slack};
use serde_json::{Value, json};

use crate::notices::{at, calls, disk};

fn body(call: &dod_messages::Call) -> Value {
    serde_json::from_str(&call.body).unwrap()
}

#[test]
fn the_same_notice_gives_the_same_call() {
    assert_eq!(calls(&disk()), calls(&disk()));
}

#[test]
fn a_call_shows_neither_its_path_nor_its_headers_nor_its_body() {
    for (door, call) in calls(&disk()) {
        let shown = format!("{call:?}");
        let host = if door.to_string().starts_with("slack") {
            "slack.com"
        } else {
            "open.larksuite.com"
        };
        assert!(shown.ends_with(&format!("{host})")), "{shown}");
        for secret in ["services", "xoxb", "hook/", "t-1", "Disk", "open-apis"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
    let token = lark::token_of(200, br#"{"code":0,"tenant_access_token":"t-abc","expire":60}"#).unwrap();
    assert_eq!(format!("{token:?}"), "Token(60 s)");
}

#[test]
fn a_bot_signs_for_the_time_of_the_call() {
    let call = lark::bot(
        "https://x.example/h",
        Some("demo"),
        chrono::DateTime::from_timestamp(1_599_360_473, 0).unwrap(),
        &disk(),
    );
    assert_eq!(body(&call)["timestamp"], "1599360473");
    assert_eq!(body(&call)["sign"], "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=");
    let unsigned = lark::bot("https://x.example/h", None, at(0), &disk());
    assert_eq!(body(&unsigned).get("sign"), None);
    assert_eq!(unsigned, lark::bot("https://x.example/h", None, at(9), &disk()));
}

#[test]
fn slack_is_told_where_with_which_token_and_in_which_thread() {
    let call = slack::post("https://slack.com/api/", "xoxb-1", "C1", &disk(), Some("1.2"));
    assert_eq!(
        (call.method, call.url.as_str()),
        ("POST", "https://slack.com/api/chat.postMessage")
    );
    assert!(
        call.headers
            .contains(&("authorization".to_owned(), "Bearer xoxb-1".to_owned()))
    );
    assert_eq!(
        (&body(&call)["channel"], &body(&call)["thread_ts"]),
        (&json!("C1"), &json!("1.2"))
    );
    assert_eq!(
        body(&call)["text"],
        "Firing, critical: Disk full on db-1 (3 alerts, alertmanager)"
    );
    assert_eq!(body(&call)["attachments"][0]["color"], "#D7263D");
    let update = slack::update(slack::API_BASE, "xoxb-1", "C1", "1.2", &disk());
    assert_eq!(
        (update.url.as_str(), &body(&update)["ts"]),
        ("https://slack.com/api/chat.update", &json!("1.2"))
    );
}

#[test]
fn lark_is_told_where_by_which_id_and_gets_the_card_as_a_text() {
    let call = lark::send("https://open.feishu.cn/", "t-1", "ou_1", "u", &disk());
    assert_eq!(
        call.url,
        "https://open.feishu.cn/open-apis/im/v1/messages?receive_id_type=open_id"
    );
    let card: Value = serde_json::from_str(body(&call)["content"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&card["schema"], &card["header"]["template"]),
        (&json!("2.0"), &json!("red"))
    );
    assert_eq!(body(&call)["uuid"], "u");
    let reply = lark::reply(lark::LARK_BASE, "t-1", "om_1", "u", &disk());
    assert_eq!(
        reply.url,
        "https://open.larksuite.com/open-apis/im/v1/messages/om_1/reply"
    );
    let update = lark::update(lark::LARK_BASE, "t-1", "om_1", &disk());
    assert_eq!(
        (update.method, update.url.as_str()),
        ("PATCH", "https://open.larksuite.com/open-apis/im/v1/messages/om_1")
    );
}

#[test]
fn the_colour_is_the_severitys_while_it_lasts_and_the_states_after() {
    let template = |state, severity: &str| {
        let notice = Notice {
            state,
            severity: severity.to_owned(),
            ..disk()
        };
        body(&lark::bot("https://x.example/h", None, at(0), &notice))["card"]["header"]["template"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let while_it_lasts = ["critical", "high", "medium", "low", "odd"].map(|severity| template(State::Firing, severity));
    assert_eq!(while_it_lasts, ["red", "orange", "yellow", "blue", "grey"]);
    let after =
        [State::Resolved, State::FalsePositive, State::UnableToResolve].map(|state| template(state, "critical"));
    assert_eq!(after, ["green", "grey", "purple"]);
}

#[test]
fn labels_and_links_beyond_the_limit_are_counted() {
    let mut notice = disk();
    notice.labels = (0..27).map(|n| (format!("k{n}"), "v".to_owned())).collect();
    notice.links = (0..9).map(|_| notice.links[0].clone()).collect();
    for (_, call) in calls(&notice) {
        assert!(
            call.body.contains("and 7 more") && call.body.contains("and 4 more"),
            "{}",
            call.body
        );
    }
}

#[test]
fn a_webhook_is_a_url_and_its_refusal_does_not_repeat_it() {
    let refused = |url: &str| slack::webhook(url, &disk()).unwrap_err();
    assert_eq!(refused("hooks.slack.com/services/SECRET"), BadWebhook::NotAUrl);
    assert_eq!(refused("https:///SECRET"), BadWebhook::NotAUrl);
    assert_eq!(refused("https://a.example/SEC RET"), BadWebhook::NotAUrl);
    assert_eq!(refused("https://SECRET@a.example/"), BadWebhook::Userinfo);
    assert_eq!(
        refused(&format!("https://a.example/{}", "x".repeat(1_000))),
        BadWebhook::TooLong
    );
    assert!(!refused("SECRET").to_string().contains("SECRET"));
}

#[test]
fn the_rates_are_those_of_slack_and_lark() {
    assert_eq!(
        (rate(Im::SlackApp).chat[0].messages, rate(Im::SlackApp).chat[0].seconds),
        (1, SLACK_CHANNEL_SECONDS)
    );
    assert_eq!(rate(Im::LarkApp).chat[0].messages, LARK_CHAT_PER_SECOND);
    assert_eq!(
        (
            rate(Im::LarkBot).sender[0].messages,
            rate(Im::LarkBot).sender[0].seconds
        ),
        (100, 60)
    );
}
