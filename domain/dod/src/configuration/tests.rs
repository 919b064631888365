use super::*;
use domain::Refuse;
use domain::register::{Change, Command};
use rehearsal::given::{given, releases, takes};
use serde_json::json;

type Configurations = Register<Configuration>;

fn configuration() -> Configuration {
    Configuration {
        config_type: ConfigType::General,
        config_key: "prometheus-token".to_owned(),
        config_value: secret::sample("00000001"),
        hosts: Vec::new(),
    }
}

/// The field that is refused, and why.
fn refused(configuration: Configuration) -> (String, String) {
    let refusal = given::<Configurations>([])
        .when(Command::Enter(configuration))
        .outcome()
        .unwrap_err();
    assert_eq!(refusal.rule(), "unfit");
    (refusal.field().unwrap(), refusal.to_string())
}

#[test]
fn a_type_and_key_have_one_value_until_it_is_struck() {
    given::<Configurations>([])
        .when(Command::Enter(configuration()))
        .then([Change::Entered(configuration())])
        .claims([takes(KEY, "general/prometheus-token")]);
    given::<Configurations>([Change::Entered(configuration())])
        .when(Command::Strike {})
        .then([Change::Struck {}])
        .claims([releases(KEY, "general/prometheus-token")]);
}

#[test]
fn a_host_that_no_url_has_is_none() {
    let with = |host: &str| Configuration {
        hosts: vec![host.to_owned()],
        ..configuration()
    };
    for host in [
        "metrics.example.com",
        "Metrics.example.com",
        "127.0.0.1",
        "[::1]",
        "localhost",
    ] {
        given::<Configurations>([])
            .when(Command::Enter(with(host)))
            .then([Change::Entered(with(host))]);
    }
    for host in [
        "",
        " ",
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "a.example.",
        "a..example",
        ".example",
        "::1",
        "[0:0:0:0:0:0:0:1]",
        "a.example:443",
        "https://a.example",
        "a.example/path",
        "user@a.example",
        "*.example",
        "a b",
    ] {
        assert_eq!(refused(with(host)).0, "hosts", "{host}");
        let second = Configuration {
            hosts: vec!["a.example".to_owned(), host.to_owned()],
            ..configuration()
        };
        assert!(refused(second).1.starts_with("hosts has no host at [1];"), "{host}");
    }
}

#[test]
fn a_value_in_clear_cannot_be_kept() {
    for clear in ["hunter2", "⟦setting:", " "] {
        let config_value = clear.to_owned();
        let (field, told) = refused(Configuration {
            config_value,
            ..configuration()
        });
        assert_eq!(field, "config_value");
        assert!(
            told.contains("none is kept in clear") && !told.contains("hunter2"),
            "{told}"
        );
    }
    assert_eq!(
        refused(Configuration {
            config_value: String::new(),
            ..configuration()
        })
        .0,
        "config_value"
    );
}

#[test]
fn a_key_has_letters_digits_and_a_few_signs() {
    for bad in ["", "a b", "a/b", "é", &"a".repeat(CONFIG_KEY_CHARS_MAX + 1)] {
        let config_key = bad.to_owned();
        assert_eq!(
            refused(Configuration {
                config_key,
                ..configuration()
            })
            .0,
            "config_key",
            "{bad}"
        );
    }
    assert_eq!(check_key("embeddings.base_url-2"), Ok(()));
}

#[test]
fn a_type_that_is_not_known_is_not_read() {
    for good in ["lark", "slack", "general"] {
        assert!(serde_json::from_value::<ConfigType>(json!(good)).is_ok(), "{good}");
    }
    assert!(serde_json::from_value::<ConfigType>(json!("teams")).is_err());
}
