use super::*;

fn texts() -> Texts<'static> {
    Texts::default()
}

fn wrong(texts: &Texts<'_>) -> String {
    Settings::from_texts(texts).unwrap_err().to_string()
}

#[test]
fn without_settings_nothing_private_is_called_and_no_port_but_443() {
    let settings = Settings::from_texts(&texts()).unwrap();
    assert!(settings.private_networks.is_empty() && settings.ports.is_empty());
    assert!(settings.plain_http.is_empty() && settings.own.is_empty() && settings.extra_roots.is_empty());
    assert_eq!((settings.calls, settings.calls_of_tenant), (128, 8));
}

#[test]
fn every_setting_is_understood() {
    let settings = Settings::from_texts(&Texts {
        private_networks: "10.20.0.0/16, 127.0.0.1/32,fd00:1::/48",
        ports: " 8443,5432 ,",
        plain_http: "embedder.internal,*.svc.test,10.20.0.0/16",
        own: &["db.internal:5432".to_owned(), "[::1]:4222".to_owned()],
        calls: "4",
        calls_of_tenant: "2",
        ..texts()
    });
    let settings = settings.unwrap();
    assert_eq!(settings.private_networks.len(), 3);
    assert_eq!(settings.ports, [8443, 5432]);
    assert!(matches!(
        settings.plain_http[..],
        [Plain::Host(_), Plain::Host(_), Plain::Network(_)]
    ));
    assert_eq!(
        settings.own.iter().map(Own::to_string).collect::<Vec<_>>(),
        ["db.internal:5432", "[::1]:4222"]
    );
    assert_eq!((settings.calls, settings.calls_of_tenant), (4, 2));
}

#[test]
fn a_wrong_setting_is_named_with_what_to_write() {
    for (texts, says) in [
        (
            Texts {
                private_networks: "10.0.0.0",
                ..texts()
            },
            "DAYBOOK_EGRESS_PRIVATE_NETWORKS: \"10.0.0.0\" is no network",
        ),
        (
            Texts {
                private_networks: "10.0.0.1/8",
                ..texts()
            },
            "write 10.0.0.0/8 for the network, or 10.0.0.1/32",
        ),
        (
            Texts {
                private_networks: "169.254.0.0/16",
                ..texts()
            },
            "169.254.0.0/16 is not within a private network",
        ),
        (
            Texts {
                private_networks: "0.0.0.0/0",
                ..texts()
            },
            "public addresses need no naming",
        ),
        (
            Texts {
                private_networks: "8.8.8.8/32",
                ..texts()
            },
            "8.8.8.8/32 is not within a private network",
        ),
        (
            Texts {
                ports: "https",
                ..texts()
            },
            "DAYBOOK_EGRESS_PORTS: \"https\" is no port",
        ),
        (Texts { ports: "0", ..texts() }, "\"0\" is no port"),
        (
            Texts {
                ports: "65536",
                ..texts()
            },
            "\"65536\" is no port",
        ),
        (
            Texts {
                plain_http: "http://a.test",
                ..texts()
            },
            "DAYBOOK_EGRESS_PLAIN_HTTP: \"http://a.test\" is no network",
        ),
        (
            Texts {
                plain_http: "*",
                ..texts()
            },
            "allows too much",
        ),
        (
            Texts {
                own: &["db.internal".to_owned()],
                ..texts()
            },
            "\"db.internal\" is no host with a port",
        ),
        (
            Texts {
                own: &["db.internal:0".to_owned()],
                ..texts()
            },
            "is no host with a port",
        ),
        (
            Texts {
                extra_roots: "nothing",
                ..texts()
            },
            "DAYBOOK_EGRESS_CA_FILE has no certificate",
        ),
        (
            Texts {
                extra_roots: "-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----",
                ..texts()
            },
            "is not PEM",
        ),
        (
            Texts { calls: "0", ..texts() },
            "DAYBOOK_EGRESS_CALLS must be from 1 to 4096, not 0",
        ),
        (
            Texts {
                calls: "many",
                ..texts()
            },
            "DAYBOOK_EGRESS_CALLS must be a number",
        ),
        (
            Texts { calls: "4", ..texts() },
            "DAYBOOK_EGRESS_CALLS_OF_TENANT must be from 1 to 4",
        ),
    ] {
        let said = wrong(&texts);
        assert!(said.contains(says), "{said:?} does not say {says:?}");
    }
}
