use super::*;
use crate::secret;
use dod_formats::{Format, Mapping, Severity};
use domain::SYSTEM;
use rehearsal::given::{BY, Given, drawn, given, long, releases, state, takes};
use serde_json::json;

fn settings() -> Settings {
    serde_json::from_value(json!({"name": "Prometheus prod"})).unwrap()
}

fn with(change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = settings();
    change(&mut settings);
    settings
}

fn entered() -> Event {
    Event::SourceEntered(settings())
}

fn digest(n: u8) -> String {
    hex::encode([n; 32])
}

fn issue(n: u8) -> Command {
    Command::IssueToken {
        digest: digest(n),
        issued_by: BY,
    }
}

/// The token of this number, under an id that has it too.
fn issued(n: u8) -> Event {
    Event::SourceTokenIssued {
        token_id: Uuid::from_u128(n.into()),
        digest: digest(n),
        issued_by: BY,
        issued_at: DateTime::UNIX_EPOCH,
    }
}

fn retire(n: u8) -> Command {
    Command::RetireToken {
        token_id: Uuid::from_u128(n.into()),
    }
}

fn source(events: impl IntoIterator<Item = Event>) -> Given<Source> {
    given::<Source>(events).by(SYSTEM)
}

#[test]
fn a_source_is_entered_amended_struck_and_entered_again() {
    source([])
        .when(Command::Enter(settings()))
        .then([entered()])
        .claims([takes(NAME, "prometheus prod")]);
    let other = with(|settings| settings.name = "Other".to_owned());
    let amended = source([entered()])
        .when(Command::Amend(other.clone().into()))
        .then([Event::SourceAmended(other)]);
    amended.claims([releases(NAME, "prometheus prod"), takes(NAME, "other")]);
    source([entered()]).when(Command::Amend(settings().into())).then([]);
    source([entered()])
        .when(Command::Strike {})
        .then([Event::SourceStruck {}])
        .claims([]);
    let struck = || [entered(), Event::SourceStruck {}];
    source(struck()).when(Command::Strike {}).then([]);
    source(struck())
        .when(Command::Enter(settings()))
        .then([entered()])
        .claims([]);
}

#[test]
fn not_entered() {
    for command in [
        Command::Amend(settings().into()),
        Command::Strike {},
        issue(1),
        retire(1),
    ] {
        source([]).when(command).refused(Refusal::NotEntered);
    }
}

#[test]
fn already_entered() {
    source([entered()])
        .when(Command::Enter(settings()))
        .refused(Refusal::AlreadyEntered);
}

#[test]
fn struck() {
    for command in [Command::Amend(settings().into()), issue(1)] {
        source([entered(), Event::SourceStruck {}])
            .when(command)
            .refused(Refusal::Struck);
    }
}

#[test]
fn a_token_is_issued_beside_the_one_in_use_until_that_is_retired() {
    let token = |token_id, n| Event::SourceTokenIssued {
        token_id,
        digest: digest(n),
        issued_by: BY,
        issued_at: DateTime::UNIX_EPOCH,
    };
    source([entered()]).when(issue(1)).then([token(drawn(0), 1)]);
    source([entered(), issued(1)]).when(issue(2)).then([token(drawn(0), 2)]);
    source([entered(), issued(1)]).when(issue(1)).then([]);
    let both = state::<Source>([entered(), issued(1), issued(2)]);
    assert_eq!(both.token(&digest(1)), Some(Uuid::from_u128(1)));
    assert_eq!(both.token(&digest(2)), Some(Uuid::from_u128(2)));
    assert_eq!(both.token(&digest(3)), None);
    let retired = Event::SourceTokenRetired {
        token_id: Uuid::from_u128(1),
    };
    source([entered(), issued(1), issued(2)])
        .when(retire(1))
        .then([retired.clone()]);
    let one = state::<Source>([entered(), issued(1), issued(2), retired]);
    assert_eq!(one.token(&digest(1)), None);
    assert_eq!(one.token(&digest(2)), Some(Uuid::from_u128(2)));
}

#[test]
fn too_many_tokens() {
    source([entered(), issued(1), issued(2)])
        .when(issue(3))
        .refused(Refusal::TooManyTokens);
}

#[test]
fn no_such_token() {
    source([entered(), issued(1)])
        .when(retire(2))
        .refused(Refusal::NoSuchToken);
    source([entered()]).when(retire(1)).refused(Refusal::NoSuchToken);
}

#[test]
fn a_digest_is_sha_256_in_small_hexadecimal() {
    for bad in ["", "0f", &"0F".repeat(32), &"0g".repeat(32)] {
        let command = Command::IssueToken {
            digest: bad.to_owned(),
            issued_by: BY,
        };
        let refusal = source([entered()]).when(command).outcome().unwrap_err();
        assert_eq!((refusal.rule(), refusal.field().unwrap().as_str()), ("unfit", "digest"));
    }
}

#[test]
fn a_source_that_is_struck_lets_nothing_in_until_it_is_entered_again() {
    let struck = || vec![entered(), issued(1), Event::SourceStruck {}];
    let state_of = |more: Vec<Event>| state::<Source>(struck().into_iter().chain(more));
    assert!(!state_of(vec![]).is_in_use());
    assert_eq!(state_of(vec![]).token(&digest(1)), None);
    assert_eq!(state_of(vec![]).name(), "Prometheus prod");
    source(struck()).when(retire(1)).then([Event::SourceTokenRetired {
        token_id: Uuid::from_u128(1),
    }]);
    let again = state_of(vec![entered()]);
    assert!(again.is_in_use());
    assert_eq!(again.token(&digest(1)), Some(Uuid::from_u128(1)));
}

#[test]
fn what_is_offered_in_each_state() {
    let ruled = ["enter", "amend", "strike", "issue-token", "retire-token"];
    assert_eq!(source([]).offered(), ["enter"]);
    assert_eq!(
        source([entered()]).offered_of(&ruled),
        ["amend", "strike", "issue-token"]
    );
    assert_eq!(
        source([entered(), issued(1)]).offered_of(&ruled),
        ["amend", "strike", "issue-token", "retire-token"]
    );
    assert_eq!(
        source([entered(), Event::SourceStruck {}]).offered_of(&ruled),
        ["enter", "strike"]
    );
    assert_eq!(source([entered()]).by(BY).offered_of(&ruled), ["amend", "strike"]);
}

#[test]
fn a_state_that_is_shown_has_no_digest() {
    let shown = serde_json::to_string(&state::<Source>([entered(), issued(1)])).unwrap();
    assert!(
        shown.contains("Prometheus prod") && !shown.contains(&digest(1)),
        "{shown}"
    );
}

#[test]
fn what_is_not_said_of_a_source_is_as_usual() {
    let usual = state::<Source>([entered()]);
    assert_eq!(usual.flapping(), Flapping { flips: 3, minutes: 60 });
    assert_eq!(
        (usual.auto_resolve(), usual.heartbeat(), usual.receiver_im()),
        (None, None, None)
    );
    assert_eq!(usual.rules(), Rules::default());
    assert_eq!(Source::default().flapping(), usual.flapping());
    assert_eq!(Source::default().name(), "");
}

#[test]
fn what_is_said_of_a_source_holds() {
    let said = with(|settings| {
        settings.receiver_im = Some("devops".to_owned());
        settings.auto_resolve_minutes = Some(90);
        settings.heartbeat_minutes = Some(5);
        (settings.flap_count, settings.flap_minutes) = (4, 30);
        settings.format = Some(Format::Zabbix);
        settings.default_severity = Some(Severity::Low);
        settings.severities = BTreeMap::from([("Sev-1".to_owned(), Severity::Critical)]);
    });
    let source = state::<Source>([Event::SourceEntered(said)]);
    assert_eq!(source.receiver_im(), Some("devops"));
    assert_eq!(source.auto_resolve(), Some(TimeDelta::minutes(90)));
    assert_eq!(source.heartbeat(), Some(TimeDelta::minutes(5)));
    assert_eq!(source.flapping(), Flapping { flips: 4, minutes: 30 });
    let rules = source.rules();
    assert_eq!(
        (rules.format, rules.default_severity),
        (Some(Format::Zabbix), Some(Severity::Low))
    );
    assert_eq!(
        rules.severities.get("sev-1"),
        Some(&Severity::Critical),
        "words are asked for in small letters"
    );
}

#[test]
fn a_sender_is_answered_under_overload_as_it_takes_it() {
    let answered = |format, overload| {
        let said = with(|settings| (settings.format, settings.overload) = (format, overload));
        state::<Source>([Event::SourceEntered(said)]).overload()
    };
    for format in [Format::Alertmanager, Format::Cloudwatch, Format::Datadog] {
        assert_eq!(
            answered(Some(format), None),
            Overload::Retry5xx,
            "{format} does not try again after 429"
        );
    }
    for format in [Format::Grafana, Format::Sentry] {
        assert_eq!(
            answered(Some(format), None),
            Overload::AlwaysTake,
            "{format} tries nothing again"
        );
    }
    assert_eq!(answered(Some(Format::PagerdutyEvents), None), Overload::Retry429);
    assert_eq!(answered(None, None), Overload::Retry5xx);
    assert_eq!(
        answered(Some(Format::Grafana), Some(Overload::Retry429)),
        Overload::Retry429
    );
}

/// The field that is refused, and why.
fn refused(change: impl FnOnce(&mut Settings)) -> (String, String) {
    let refusal = source([]).when(Command::Enter(with(change))).outcome().unwrap_err();
    assert_eq!(refusal.rule(), "unfit");
    (refusal.field().unwrap(), refusal.to_string())
}

#[test]
fn settings_have_limits() {
    assert_eq!(refused(|settings| settings.name = String::new()).0, "name");
    assert_eq!(refused(|settings| settings.name = long(NAME_CHARS_MAX + 1)).0, "name");
    assert_eq!(
        refused(|settings| settings.receiver_im = Some("De vops".to_owned())).0,
        "receiver_im"
    );
    assert_eq!(
        refused(|settings| settings.auto_resolve_minutes = Some(0)).0,
        "auto_resolve_minutes"
    );
    assert_eq!(
        refused(|settings| settings.auto_resolve_minutes = Some(43_201)).0,
        "auto_resolve_minutes"
    );
    assert_eq!(
        refused(|settings| settings.heartbeat_minutes = Some(10_081)).0,
        "heartbeat_minutes"
    );
    assert_eq!(refused(|settings| settings.flap_count = 1).0, "flap_count");
    assert_eq!(refused(|settings| settings.flap_minutes = 1_441).0, "flap_minutes");
    assert_eq!(refused(|settings| settings.format = Some(Format::Unmapped)).0, "format");
}

#[test]
fn topics_are_arns_and_each_is_named_once() {
    let topic = "arn:aws:sns:eu-west-1:123456789012:alarms";
    let named = |topics: &[&str]| {
        let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
        let entered = with(|settings| settings.sns_topics = topics);
        source([]).when(Command::Enter(entered)).outcome()
    };
    assert!(named(&[topic, "arn:aws-cn:sns:cn-north-1:123456789012:a.fifo"]).is_ok());
    for bad in [
        "",
        "alarms",
        "arn:aws:sqs:eu-west-1:123456789012:a",
        "arn:aws:sns:eu-west-1:1234:a",
        &format!("{topic} "),
    ] {
        let refusal = named(&[bad]).unwrap_err();
        assert_eq!(refusal.field().as_deref(), Some("sns_topics"), "{bad}");
    }
    assert!(named(&[topic, topic]).unwrap_err().to_string().contains("twice"));
    assert!(
        named(&vec![topic; SNS_TOPICS_MAX + 1])
            .unwrap_err()
            .to_string()
            .contains("more than 50")
    );
}

#[test]
fn a_word_for_a_severity_is_mapped_once_whatever_its_case() {
    let map = |words: Vec<String>| {
        refused(|settings| settings.severities = words.into_iter().map(|word| (word, Severity::Low)).collect())
    };
    assert!(map(vec!["P1".to_owned(), "p1".to_owned()]).1.contains("twice"));
    assert_eq!(map(vec![String::new()]).0, "severities");
    assert_eq!(map(vec![long(SEVERITY_CHARS_MAX + 1)]).0, "severities");
    assert!(
        map((0..=SEVERITIES_MAX).map(|n| n.to_string()).collect())
            .1
            .contains("more than 100")
    );
}

#[test]
fn a_mapping_that_cannot_be_used_is_refused_with_its_place() {
    let good = Mapping {
        title: "/name".to_owned(),
        ..Mapping::default()
    };
    let bad = Mapping {
        title: "{/name".to_owned(),
        ..Mapping::default()
    };
    let (field, told) = refused(|settings| settings.mappings = vec![good.clone(), bad]);
    assert_eq!(field, "mappings");
    assert!(told.starts_with("mappings [1].title: "), "{told}");
    let many = vec![good; MAPPINGS_MAX + 1];
    assert!(refused(|settings| settings.mappings = many).1.contains("more than 20"));
}

fn signed(scheme: SignatureScheme, header: Option<&str>, timestamp_header: Option<&str>) -> Signature {
    Signature {
        scheme,
        secret: secret::sample("00000001"),
        header: header.map(str::to_owned),
        timestamp_header: timestamp_header.map(str::to_owned),
    }
}

#[test]
fn a_secret_in_clear_is_refused() {
    let mut clear = signed(SignatureScheme::Sentry, None, None);
    clear.secret = "hunter2".to_owned();
    let (field, told) = refused(|settings| settings.signature = Some(clear));
    assert_eq!(field, "signature.secret");
    assert!(told.contains("not sealed") && !told.contains("hunter2"), "{told}");
}

#[test]
fn each_way_of_signing_has_its_headers() {
    use SignatureScheme::{Grafana, HmacSha256, Pagerduty, Sentry, SharedSecret};
    let good = [
        signed(Grafana, None, None),
        signed(Grafana, Some("X-Sign"), Some("X-Time")),
        signed(Sentry, None, None),
        signed(Pagerduty, None, None),
        signed(HmacSha256, Some("X-Hub-Signature-256"), None),
        signed(SharedSecret, Some("X-Token"), None),
    ];
    for signature in good {
        let entered = with(|settings| settings.signature = Some(signature));
        source([])
            .when(Command::Enter(entered.clone()))
            .then([Event::SourceEntered(entered)]);
    }
    let bad = [
        (signed(HmacSha256, None, None), "signature.header"),
        (signed(SharedSecret, None, None), "signature.header"),
        (signed(Sentry, Some("X-Sign"), None), "signature.header"),
        (signed(Pagerduty, Some("X-Sign"), None), "signature.header"),
        (signed(HmacSha256, Some("X Sign"), None), "signature.header"),
        (signed(Sentry, None, Some("X-Time")), "signature.timestamp_header"),
        (signed(Grafana, None, Some("X:Time")), "signature.timestamp_header"),
    ];
    for (signature, field) in bad {
        let told = refused(|settings| settings.signature = Some(signature));
        assert_eq!(told.0, field, "{}", told.1);
    }
}

#[test]
fn words_that_no_closed_list_has_are_not_read() {
    for bad in [
        json!({"name": "a", "overload": "drop"}),
        json!({"name": "a", "format": "nagios"}),
        json!({"name": "a", "default_severity": "bad"}),
        json!({"name": "a", "colour": "red"}),
        json!({"name": "a", "signature": {"scheme": "md5", "secret": "x"}}),
    ] {
        assert!(serde_json::from_value::<Settings>(bad.clone()).is_err(), "{bad}");
    }
    let said: Settings = serde_json::from_value(json!({"name": "a", "overload": "retry_5xx"})).unwrap();
    assert_eq!(said.overload, Some(Overload::Retry5xx));
}

#[test]
fn a_source_that_was_entered_under_other_rules_is_amended_in_what_else_it_has() {
    let before = with(|settings| settings.format = Some(Format::Unmapped));
    let amending = |amended: &Settings| {
        let past = [Event::SourceEntered(before.clone())];
        source(past).when(Command::Amend(amended.clone().into())).outcome()
    };
    let renamed = Settings {
        name: "Other".to_owned(),
        ..before.clone()
    };
    assert_eq!(amending(&renamed), Ok(vec![Event::SourceAmended(renamed)]));
    let flapping = Settings {
        flap_count: 0,
        ..before.clone()
    };
    let unfit = amending(&flapping).unwrap_err();
    assert!(
        matches!(
            unfit,
            Refusal::Unfit {
                field: "flap_count",
                ..
            }
        ),
        "{unfit}"
    );
}
