//! Over real sockets: what is sent arrives, and every behaviour of the stand-in is what the outcome says it is.

use std::time::{Duration, Instant};

use dod_messages::stand_in::{Behaviour, Door, Fault, StandIn};
use dod_messages::{Call, Notice, Outcome, State, lark, slack};

use crate::notices::{at, disk};

/// Status, headers and body of the answer, or what broke.
async fn send(call: Call) -> Result<(u16, Vec<(String, String)>, Vec<u8>), reqwest::Error> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .timeout(Duration::from_millis(1_500))
        .no_proxy()
        .build()?;
    let mut request = client.request(call.method.parse().unwrap(), call.url).body(call.body);
    for (name, value) in call.headers {
        request = request.header(name, value);
    }
    let answer = request.send().await?;
    let status = answer.status().as_u16();
    let header = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
        (name.to_string(), value.to_str().unwrap_or_default().to_owned())
    };
    let headers = answer.headers().iter().map(header).collect();
    Ok((status, headers, answer.bytes().await?.to_vec()))
}

async fn slack_outcome(call: Call) -> Outcome {
    let (status, headers, body) = send(call).await.unwrap();
    slack::outcome(status, &headers, &body)
}

async fn lark_outcome(call: Call) -> Outcome {
    let (status, headers, body) = send(call).await.unwrap();
    lark::outcome(status, &headers, &body)
}

async fn lark_token(server: &StandIn) -> String {
    let (status, _, body) = send(lark::token_call(&server.lark_api(), "cli_1", "secret"))
        .await
        .unwrap();
    lark::token_of(status, &body).unwrap().value
}

fn revised(revision: u32, state: State) -> Notice {
    Notice {
        revision,
        state,
        ..disk()
    }
}

fn id_of(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Sent { id: Some(id), .. } => id.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_message_of_slack_arrives_is_answered_in_its_thread_and_changes_in_place() {
    let server = StandIn::start().await.unwrap();
    let (api, token) = (server.slack_api(), "xoxb-1");
    let first = slack_outcome(slack::post(&api, token, "C1", &disk(), None)).await;
    let ts = id_of(&first);
    let reply = slack_outcome(slack::post(&api, token, "C1", &revised(2, State::Concluded), Some(&ts))).await;
    let changed = slack_outcome(slack::update(&api, token, "C1", &ts, &revised(3, State::Resolved))).await;
    assert_eq!(
        (id_of(&changed), &first),
        (
            ts.clone(),
            &Outcome::Sent {
                id: Some(ts.clone()),
                channel: Some("C1".to_owned())
            }
        )
    );
    assert_ne!(id_of(&reply), ts);
    assert!(server.now_says(&ts).unwrap().to_string().contains("Resolved, critical"));
    let received = server.received();
    assert_eq!(
        received.iter().map(|one| one.revision).collect::<Vec<_>>(),
        [Some(1), Some(2), Some(3)]
    );
    assert_eq!(received[1].about, Some(ts));
    assert_eq!(
        (received[2].state.as_deref(), received[2].issue_id),
        (Some("resolved"), Some(disk().issue_id))
    );
    assert_eq!(server.shown().len(), 2);
}

#[tokio::test]
async fn slacks_webhook_takes_a_message() {
    let server = StandIn::start().await.unwrap();
    let (status, headers, body) = send(slack::webhook(&server.slack_webhook("ops"), &disk()).unwrap())
        .await
        .unwrap();
    let sent = Outcome::Sent {
        id: None,
        channel: None,
    };
    assert_eq!(slack::outcome_of_webhook(status, &headers, &body), sent);
    assert_eq!((server.shown()[0].channel.as_str(), server.faults()), ("ops", vec![]));
}

#[tokio::test]
async fn a_message_of_a_lark_app_arrives_once_for_its_uuid_and_changes_in_place() {
    let server = StandIn::start().await.unwrap();
    let (api, token) = (server.lark_api(), lark_token(&server).await);
    let uuid = lark::stable_uuid(disk().issue_id, 1, "oc_1");
    let first = lark_outcome(lark::send(&api, &token, "oc_1", &uuid, &disk())).await;
    let again = lark_outcome(lark::send(&api, &token, "oc_1", &uuid, &disk())).await;
    assert_eq!(first, again);
    let id = id_of(&first);
    let reply = lark_outcome(lark::reply(&api, &token, &id, "reply-1", &revised(2, State::Concluded))).await;
    assert_ne!(id_of(&reply), id);
    assert_eq!(
        lark_outcome(lark::update(&api, &token, &id, &revised(3, State::Resolved))).await,
        first
    );
    assert_eq!((server.shown().len(), server.faults()), (2, vec![]));
    assert!(server.now_says(&id).unwrap().to_string().contains("Resolved"));
}

#[tokio::test]
async fn a_lark_bot_wants_its_signature() {
    let server = StandIn::start().await.unwrap();
    let url = server.lark_bot("ops", Some("demo"));
    let now = chrono::Utc::now();
    assert_eq!(
        lark_outcome(lark::bot(&url, Some("demo"), now, &disk())).await,
        Outcome::Sent {
            id: None,
            channel: None
        }
    );
    assert_eq!(server.faults(), []);
    for refused in [
        lark::bot(&url, Some("other"), now, &disk()),
        lark::bot(&url, None, now, &disk()),
        lark::bot(&url, Some("demo"), at(0), &disk()),
    ] {
        assert!(matches!(lark_outcome(refused).await, Outcome::Refused { .. }));
    }
    assert_eq!(
        server
            .faults()
            .iter()
            .filter(|fault| matches!(fault, Fault::Unauthorised { .. }))
            .count(),
        3
    );
}

#[tokio::test]
async fn a_token_that_expired_is_found_and_fetched_anew() {
    let server = StandIn::start().await.unwrap();
    let api = server.lark_api();
    let old = lark_token(&server).await;
    server.expire_lark_tokens();
    let (status, headers, body) = send(lark::send(&api, &old, "oc_1", "u", &disk())).await.unwrap();
    assert!(lark::token_is_stale(&body) && matches!(lark::outcome(status, &headers, &body), Outcome::Later { .. }));
    let new = lark_token(&server).await;
    id_of(&lark_outcome(lark::send(&api, &new, "oc_1", "u", &disk())).await);
    assert_eq!((server.shown().len(), server.faults()), (1, vec![]));
}

#[tokio::test]
async fn every_bad_day_of_slack_means_what_its_outcome_says() {
    let server = StandIn::start().await.unwrap();
    let call = |channel: &str| slack::post(&server.slack_api(), "xoxb-1", channel, &disk(), None);
    server.script(
        Door::SlackPost,
        [
            Behaviour::TooMany { seconds: 7 },
            Behaviour::slack_error("ratelimited"),
            Behaviour::slack_error("is_archived"),
            Behaviour::Status { code: 503 },
            Behaviour::Slow { ms: 200 },
        ],
    );
    let seven = Some(Duration::from_secs(7));
    assert!(matches!(slack_outcome(call("C1")).await, Outcome::Later { after, .. } if after == seven));
    assert!(matches!(
        slack_outcome(call("C2")).await,
        Outcome::Later { after: None, .. }
    ));
    assert!(matches!(slack_outcome(call("C3")).await, Outcome::Refused { .. }));
    assert!(matches!(slack_outcome(call("C4")).await, Outcome::Unknown { .. }));
    let before = Instant::now();
    id_of(&slack_outcome(call("C5")).await);
    assert!(before.elapsed() >= Duration::from_millis(200));
    assert_eq!(
        (server.shown().len(), server.received().len(), server.faults()),
        (1, 5, vec![])
    );
}

#[tokio::test]
async fn every_bad_day_of_lark_means_what_its_outcome_says() {
    let server = StandIn::start().await.unwrap();
    let token = lark_token(&server).await;
    let call = |chat: &str| lark::send(&server.lark_api(), &token, chat, "u", &disk());
    server.always(Door::LarkSend, Behaviour::Status { code: 502 });
    server.script(
        Door::LarkSend,
        [
            Behaviour::TooMany { seconds: 3 },
            Behaviour::lark_code(400, 11_232),
            Behaviour::lark_code(400, 230_020),
            Behaviour::lark_code(200, 230_002),
        ],
    );
    let three = Some(Duration::from_secs(3));
    assert!(matches!(lark_outcome(call("oc_1")).await, Outcome::Later { after, .. } if after == three));
    assert!(matches!(lark_outcome(call("oc_2")).await, Outcome::Later { .. }));
    assert!(matches!(lark_outcome(call("oc_3")).await, Outcome::Later { .. }));
    assert!(matches!(lark_outcome(call("oc_4")).await, Outcome::Refused { .. }));
    assert!(matches!(lark_outcome(call("oc_5")).await, Outcome::Unknown { .. }));
    assert_eq!(server.shown().len(), 0);
}

#[tokio::test]
async fn half_an_answer_and_none_break_the_call_though_the_message_may_have_arrived() {
    let server = StandIn::start().await.unwrap();
    let call = |channel: &str| slack::webhook(&server.slack_webhook(channel), &disk()).unwrap();
    server.script(
        Door::SlackWebhook,
        [
            Behaviour::Half { arrives: true },
            Behaviour::Half { arrives: false },
            Behaviour::Hang { arrives: true },
            Behaviour::Hang { arrives: false },
        ],
    );
    for channel in ["a", "b"] {
        let broken = send(call(channel)).await.unwrap_err();
        assert!(!broken.is_timeout(), "{broken:?}");
    }
    for channel in ["c", "d"] {
        assert!(send(call(channel)).await.unwrap_err().is_timeout());
    }
    let shown: Vec<String> = server.shown().into_iter().map(|one| one.channel).collect();
    assert_eq!(shown, ["a", "c"]);
}

#[tokio::test]
async fn the_stand_in_finds_what_is_wrong_by_itself() {
    let server = StandIn::start().await.unwrap();
    let url = server.slack_webhook("ops");
    for _ in 0..2 {
        send(slack::webhook(&url, &disk()).unwrap()).await.unwrap();
    }
    let mut calls_everybody = slack::webhook(&server.slack_webhook("other"), &disk()).unwrap();
    calls_everybody.body = calls_everybody.body.replace("Disk full", "<!channel>");
    let (status, headers, body) = send(calls_everybody).await.unwrap();
    assert!(matches!(
        slack::outcome_of_webhook(status, &headers, &body),
        Outcome::Refused { .. }
    ));
    let lost = slack::update(&server.slack_api(), "xoxb-1", "C1", "1.2", &disk());
    let (_, _, body) = send(lost).await.unwrap();
    assert!(slack::message_is_gone(&body));
    let unauthorised = slack::post(&server.slack_api(), "bad", "C2", &disk(), None);
    assert!(matches!(slack_outcome(unauthorised).await, Outcome::Refused { .. }));
    let faults = server.faults();
    let has = |is: fn(&Fault) -> bool| faults.iter().any(is);
    assert!(
        has(|fault| matches!(fault, Fault::TooFast { channel, messages: 2, .. } if channel == "ops")),
        "{faults:?}"
    );
    assert!(has(
        |fault| matches!(fault, Fault::Duplicate { channel, .. } if channel == "ops")
    ));
    assert!(has(|fault| matches!(fault, Fault::Mention { .. })));
    assert!(has(|fault| matches!(fault, Fault::NoSuchMessage { .. })));
    assert!(has(|fault| matches!(fault, Fault::Unauthorised { .. })));
}
