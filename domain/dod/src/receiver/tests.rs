use super::*;
use crate::secret;
use domain::Refuse;
use domain::register::{Change, Command, Refusal};
use rehearsal::given::{given, long, releases, takes};
use serde_json::json;

type Receivers = Register<Receiver>;

fn sealed() -> Option<String> {
    Some(secret::sample("00000001"))
}

/// With a webhook.
fn slack() -> Receiver {
    Receiver {
        name: "DevOps".to_owned(),
        receiver_im: "devops-slack".to_owned(),
        im_type: ImType::Slack,
        bot_token: None,
        api_base: None,
        webhook_url: sealed(),
        webhook_host: Some("https://hooks.slack.com".to_owned()),
        sign_secret: None,
        app_id: None,
        destination_id: None,
        min_severity: None,
    }
}

/// An app.
fn lark() -> Receiver {
    Receiver {
        im_type: ImType::Lark,
        bot_token: sealed(),
        app_id: Some("cli_1".to_owned()),
        destination_id: Some("oc_1".to_owned()),
        webhook_url: None,
        webhook_host: None,
        ..slack()
    }
}

fn enter(receiver: Receiver) -> Result<Vec<Change<Receiver>>, Refusal> {
    given::<Receivers>([]).when(Command::Enter(receiver)).outcome()
}

/// The field that is refused, and why.
fn refused(receiver: Receiver) -> (String, String) {
    let refusal = enter(receiver).unwrap_err();
    assert_eq!(refusal.rule(), "unfit");
    (refusal.field().unwrap(), refusal.to_string())
}

#[test]
fn a_receiver_is_named_by_one_word() {
    given::<Receivers>([])
        .when(Command::Enter(slack()))
        .then([Change::Entered(slack())])
        .claims([takes(RECEIVER_IM, "devops-slack")]);
    let other = Receiver {
        receiver_im: "sre_1.lark".to_owned(),
        ..slack()
    };
    given::<Receivers>([Change::Entered(slack())])
        .when(Command::Amend(other.clone().into()))
        .then([Change::Amended(other)])
        .claims([releases(RECEIVER_IM, "devops-slack"), takes(RECEIVER_IM, "sre_1.lark")]);
    for bad in [
        "",
        "DevOps",
        "dev ops",
        "dévops",
        &"a".repeat(RECEIVER_IM_CHARS_MAX + 1),
    ] {
        let receiver_im = bad.to_owned();
        assert_eq!(refused(Receiver { receiver_im, ..slack() }).0, "receiver_im", "{bad}");
    }
}

#[test]
fn a_secret_in_clear_is_refused() {
    let clear = || Some("xoxb-1".to_owned());
    let cases = [
        (
            Receiver {
                bot_token: clear(),
                ..lark()
            },
            "bot_token",
        ),
        (
            Receiver {
                webhook_url: clear(),
                ..slack()
            },
            "webhook_url",
        ),
        (
            Receiver {
                sign_secret: clear(),
                ..lark()
            },
            "sign_secret",
        ),
    ];
    for (receiver, field) in cases {
        let (refused, told) = refused(receiver);
        assert_eq!(refused, field);
        assert!(told.contains("not sealed") && !told.contains("xoxb"), "{told}");
    }
}

#[test]
fn there_is_a_way_to_every_receiver() {
    let both = Receiver {
        webhook_url: sealed(),
        webhook_host: Some("https://open.larksuite.com".to_owned()),
        sign_secret: sealed(),
        ..lark()
    };
    let bot = Receiver {
        im_type: ImType::Slack,
        app_id: None,
        ..lark()
    };
    for good in [slack(), lark(), both, bot] {
        assert_eq!(enter(good.clone()), Ok(vec![Change::Entered(good)]));
    }
    let none = Receiver {
        webhook_url: None,
        webhook_host: None,
        ..slack()
    };
    assert!(refused(none).1.contains("nothing can be told"));
    assert_eq!(
        refused(Receiver {
            destination_id: None,
            ..lark()
        })
        .0,
        "destination_id"
    );
    assert_eq!(refused(Receiver { app_id: None, ..lark() }).0, "app_id");
}

#[test]
fn what_belongs_to_lark_is_refused_of_slack() {
    assert_eq!(
        refused(Receiver {
            sign_secret: sealed(),
            ..slack()
        })
        .0,
        "sign_secret"
    );
    assert_eq!(
        refused(Receiver {
            app_id: Some("cli_1".to_owned()),
            ..slack()
        })
        .0,
        "app_id"
    );
    let without_webhook = Receiver {
        sign_secret: sealed(),
        ..lark()
    };
    assert_eq!(refused(without_webhook).0, "sign_secret");
}

#[test]
fn of_a_webhook_its_host_alone_is_shown() {
    let with = |host: Option<&str>| Receiver {
        webhook_host: host.map(str::to_owned),
        ..slack()
    };
    for good in ["https://127.0.0.1:8443", "http://127.0.0.1:8080"] {
        assert!(enter(with(Some(good))).is_ok(), "{good}");
    }
    for bad in [
        "ftp://hooks.slack.com",
        "hooks.slack.com",
        "https://",
        "https://hooks.slack.com/services/T/B/x",
        "https://a@hooks.slack.com",
        "https://hooks.slack.com?x",
    ] {
        assert_eq!(refused(with(Some(bad))).0, "webhook_host", "{bad}");
    }
    assert!(refused(with(None)).1.contains("send webhook_url alone"));
    let alone = Receiver {
        webhook_host: Some("https://a".to_owned()),
        ..lark()
    };
    assert_eq!(refused(alone).0, "webhook_host");
}

#[test]
fn a_receiver_fits_its_columns() {
    assert_eq!(
        refused(Receiver {
            name: String::new(),
            ..slack()
        })
        .0,
        "name"
    );
    assert_eq!(
        refused(Receiver {
            name: long(NAME_CHARS_MAX + 1),
            ..slack()
        })
        .0,
        "name"
    );
    let destination_id = Some(long(DESTINATION_ID_CHARS_MAX + 1));
    assert_eq!(
        refused(Receiver {
            destination_id,
            ..lark()
        })
        .0,
        "destination_id"
    );
    assert_eq!(
        refused(Receiver {
            app_id: Some(String::new()),
            ..lark()
        })
        .0,
        "app_id"
    );
}

#[test]
fn a_receiver_hears_of_its_least_severity_and_worse() {
    let hears = |min_severity, severity| {
        Receiver {
            min_severity,
            ..slack()
        }
        .hears_of(severity)
    };
    assert!(hears(None, Severity::Low));
    assert!(hears(Some(Severity::High), Severity::High));
    assert!(hears(Some(Severity::High), Severity::Critical));
    assert!(!hears(Some(Severity::High), Severity::Medium));
}

#[test]
fn a_platform_that_is_not_known_is_not_read() {
    assert!(serde_json::from_value::<ImType>(json!("lark")).is_ok());
    assert!(serde_json::from_value::<ImType>(json!("teams")).is_err());
}
