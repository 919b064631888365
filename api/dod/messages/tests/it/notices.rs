//! Notices to try with.

use chrono::{DateTime, TimeZone, Utc};
use dod_messages::{Call, Link, Notice, State, lark, slack};
use uuid::Uuid;

pub fn at(seconds: i64) -> DateTime<Utc> {
    Utc.timestamp_opt(1_700_000_000 + seconds, 0).unwrap()
}

pub fn disk() -> Notice {
    Notice {
        issue_id: Uuid::from_u128(12),
        revision: 1,
        state: State::Firing,
        title: "Disk full on db-1".to_owned(),
        severity: "critical".to_owned(),
        source: "alertmanager".to_owned(),
        alerts: 3,
        description: Some("Less than 1 % is free.".to_owned()),
        labels: vec![
            ("host".to_owned(), "db-1".to_owned()),
            ("team".to_owned(), "storage".to_owned()),
        ],
        skill: Some("disk".to_owned()),
        conclusion: Some("Logs were not rotated.".to_owned()),
        is_real_issue: Some(true),
        started_at: at(0),
        ended_at: None,
        assignee: Some("Ada".to_owned()),
        links: vec![Link {
            title: "Runbook".to_owned(),
            url: "https://runbooks.example/disk?a=1&b=2".to_owned(),
        }],
        link: Some("https://daybook.example/issues/12".to_owned()),
    }
}

/// A notice every text of which is `text`.
pub fn all_of(text: &str, state: State) -> Notice {
    let link = |url: String| Link {
        title: text.to_owned(),
        url,
    };
    Notice {
        state,
        title: text.to_owned(),
        severity: text.to_owned(),
        source: text.to_owned(),
        description: Some(text.to_owned()),
        labels: (0..40).map(|_| (text.to_owned(), text.to_owned())).collect(),
        skill: Some(text.to_owned()),
        conclusion: Some(text.to_owned()),
        ended_at: Some(at(4_000)),
        assignee: Some(text.to_owned()),
        links: vec![
            link(text.to_owned()),
            link(format!("https://a.example/{text}")),
            link(format!("https://{text}/")),
            link("https://a.example/)<at id=all></at>|*_~`".to_owned()),
        ],
        link: Some(format!(
            "https://daybook.example/?{}",
            text.chars().take(30).collect::<String>()
        )),
        ..disk()
    }
}

/// Every call that sends a notice, by the door it goes to.
pub fn calls(notice: &Notice) -> Vec<(dod_messages::stand_in::Door, Call)> {
    use dod_messages::stand_in::Door::*;
    vec![
        (
            SlackWebhook,
            slack::webhook("https://hooks.slack.com/services/T0/B0/s", notice).unwrap(),
        ),
        (
            SlackPost,
            slack::post(slack::API_BASE, "xoxb-1", "C1", notice, Some("1.2")),
        ),
        (
            SlackUpdate,
            slack::update(slack::API_BASE, "xoxb-1", "C1", "1.2", notice),
        ),
        (
            LarkBot,
            lark::bot(
                "https://open.larksuite.com/open-apis/bot/v2/hook/h",
                Some("demo"),
                at(0),
                notice,
            ),
        ),
        (LarkSend, lark::send(lark::LARK_BASE, "t-1", "oc_1", "u", notice)),
        (LarkReply, lark::reply(lark::LARK_BASE, "t-1", "om_1", "u", notice)),
        (LarkUpdate, lark::update(lark::LARK_BASE, "t-1", "om_1", notice)),
    ]
}
