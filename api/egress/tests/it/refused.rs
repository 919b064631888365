//! URLs and addresses that are refused, and some that are not.

use egress::{Allowed, Egress, EgressError, Kind, Refusal, Settings, Target};

use crate::servers::{Script, TENANT, get};

/// Names that lead where they should not.
const NAMES: &[(&str, &[&str])] = &[
    ("hooks.slack.com", &["3.68.170.153 3.68.175.98"]),
    ("open.larksuite.com", &["2600:1f18::1 52.76.88.10"]),
    ("sns.eu-west-1.amazonaws.com", &["67.220.226.10"]),
    ("xn--bcher-kva.example", &["93.184.215.14"]),
    ("only6.test", &["64:ff9b::5db8:d70e"]),
    ("metadata.google.internal", &["169.254.169.254"]),
    ("private.test", &["10.1.2.3"]),
    ("home.test", &["192.168.1.1"]),
    ("loop.test", &["127.0.0.1"]),
    ("mixed.test", &["8.8.8.8 10.1.2.3"]),
    ("mapped.test", &["::ffff:10.1.2.3"]),
    ("nat64.test", &["64:ff9b::a9fe:a9fe"]),
    ("ula.test", &["fd12::1"]),
    ("aws6.test", &["fd00:ec2::254"]),
];

/// What must be refused, and why.
#[rustfmt::skip]
const REFUSED: &[(&str, Refusal)] = &[
    // No URL.
    ("", Refusal::NotAUrl),
    ("hooks.slack.com/services/x", Refusal::NotAUrl),
    ("//hooks.slack.com/", Refusal::NotAUrl),
    ("https://", Refusal::NotAUrl),
    ("https:// hooks.slack.com/", Refusal::NotAUrl),
    ("https://hooks.slack.com/ a", Refusal::NotAUrl),
    ("https://hooks.sl\nack.com/", Refusal::NotAUrl),
    ("https://hooks.slack.com\t/", Refusal::NotAUrl),
    ("https:\\\\hooks.slack.com/", Refusal::NotAUrl),
    ("https://hooks.slack.com\\@169.254.169.254/", Refusal::NotAUrl),
    ("https://a..b/", Refusal::Host),
    ("https://[::1/", Refusal::NotAUrl),
    ("https://[fe80::1%25eth0]/", Refusal::NotAUrl),
    ("https://1.2.3.4.5/", Refusal::NotAUrl),
    ("https://256.1.1.1/", Refusal::NotAUrl),
    ("https://hooks.slack.com:99999/", Refusal::NotAUrl),
    ("https://hooks.slack.com%2f@evil/", Refusal::UserInfo),
    ("https://.../", Refusal::Host),
    // Schemes.
    ("http://hooks.slack.com/", Refusal::Port(80)),
    ("http://hooks.slack.com:443/", Refusal::Scheme),
    ("ftp://hooks.slack.com/", Refusal::Scheme),
    ("file:///etc/passwd", Refusal::Scheme),
    ("gopher://hooks.slack.com/_x", Refusal::Scheme),
    ("data:text/plain,x", Refusal::Scheme),
    ("javascript:alert(1)", Refusal::Scheme),
    ("ws://hooks.slack.com/", Refusal::Scheme),
    ("unix:/run/docker.sock", Refusal::Scheme),
    ("view-source:https://hooks.slack.com/", Refusal::Scheme),
    // Users.
    ("https://user@hooks.slack.com/", Refusal::UserInfo),
    ("https://user:password@hooks.slack.com/", Refusal::UserInfo),
    ("https://@hooks.slack.com/", Refusal::UserInfo),
    ("https://:@hooks.slack.com/", Refusal::UserInfo),
    ("https://hooks.slack.com@169.254.169.254/", Refusal::UserInfo),
    // Ports.
    ("https://hooks.slack.com:80/", Refusal::Port(80)),
    ("https://hooks.slack.com:22/", Refusal::Port(22)),
    ("https://hooks.slack.com:5432/", Refusal::Port(5432)),
    ("https://hooks.slack.com:0/", Refusal::Port(0)),
    // Literal addresses in all spellings.
    ("https://127.0.0.1/", Refusal::NotNamed(Kind::Loopback)),
    ("https://127.1/", Refusal::NotNamed(Kind::Loopback)),
    ("https://0x7f000001/", Refusal::NotNamed(Kind::Loopback)),
    ("https://2130706433/", Refusal::NotNamed(Kind::Loopback)),
    ("https://0177.0.0.01/", Refusal::NotNamed(Kind::Loopback)),
    ("https://127.0.0.1./", Refusal::NotNamed(Kind::Loopback)),
    ("https://%31%32%37.0.0.1/", Refusal::NotNamed(Kind::Loopback)),
    ("https://\u{ff11}\u{ff12}\u{ff17}.0.0.1/", Refusal::NotNamed(Kind::Loopback)),
    ("https://127\u{3002}0\u{3002}0\u{3002}1/", Refusal::NotNamed(Kind::Loopback)),
    ("https://10.0.0.1/", Refusal::NotNamed(Kind::Private)),
    ("https://172.31.255.255/", Refusal::NotNamed(Kind::Private)),
    ("https://192.168.0.1/", Refusal::NotNamed(Kind::Private)),
    ("https://100.64.0.1/", Refusal::NotNamed(Kind::Shared)),
    ("https://100.100.100.200/", Refusal::Never(Kind::Metadata)),
    ("https://168.63.129.16/", Refusal::Never(Kind::Metadata)),
    ("https://169.254.169.254/latest/meta-data", Refusal::Never(Kind::Metadata)),
    ("https://0xa9fea9fe/", Refusal::Never(Kind::Metadata)),
    ("https://169.254.170.2/", Refusal::Never(Kind::LinkLocal)),
    ("https://0.0.0.0/", Refusal::Never(Kind::Unspecified)),
    ("https://0/", Refusal::Never(Kind::Unspecified)),
    ("https://0.1.2.3/", Refusal::Never(Kind::Reserved)),
    ("https://192.0.0.192/", Refusal::Never(Kind::Reserved)),
    ("https://192.0.2.1/", Refusal::Never(Kind::Documentation)),
    ("https://198.18.0.1/", Refusal::Never(Kind::Benchmarking)),
    ("https://224.0.0.1/", Refusal::Never(Kind::Multicast)),
    ("https://240.0.0.1/", Refusal::Never(Kind::Reserved)),
    ("https://255.255.255.255/", Refusal::Never(Kind::Broadcast)),
    ("https://[::1]/", Refusal::NotNamed(Kind::Loopback)),
    ("https://[0:0:0:0:0:0:0:1]/", Refusal::NotNamed(Kind::Loopback)),
    ("https://[::]/", Refusal::Never(Kind::Unspecified)),
    ("https://[::ffff:127.0.0.1]/", Refusal::Never(Kind::Translated)),
    ("https://[::ffff:a9fe:a9fe]/", Refusal::Never(Kind::Translated)),
    ("https://[::127.0.0.1]/", Refusal::Never(Kind::Translated)),
    ("https://[::8.8.8.8]/", Refusal::Never(Kind::Translated)),
    ("https://[64:ff9b::10.0.0.1]/", Refusal::Never(Kind::Translated)),
    ("https://[64:ff9b:1::1]/", Refusal::Never(Kind::Translated)),
    ("https://[2002:7f00:1::]/", Refusal::Never(Kind::Translated)),
    ("https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/", Refusal::Never(Kind::Translated)),
    ("https://[fd00:ec2::254]/", Refusal::Never(Kind::Metadata)),
    ("https://[fd20:ce::254]/", Refusal::Never(Kind::Metadata)),
    ("https://[fc00::1]/", Refusal::NotNamed(Kind::UniqueLocal)),
    ("https://[fe80::1]/", Refusal::Never(Kind::LinkLocal)),
    ("https://[fec0::1]/", Refusal::Never(Kind::LinkLocal)),
    ("https://[ff02::1]/", Refusal::Never(Kind::Multicast)),
    ("https://[2001:db8::1]/", Refusal::Never(Kind::Documentation)),
    ("https://[100::1]/", Refusal::Never(Kind::Reserved)),
    // Names that lead there.
    ("https://metadata.google.internal/", Refusal::Never(Kind::Metadata)),
    ("https://METADATA.google.INTERNAL./", Refusal::Never(Kind::Metadata)),
    ("https://private.test/", Refusal::NotNamed(Kind::Private)),
    ("https://home.test/", Refusal::NotNamed(Kind::Private)),
    ("https://loop.test/", Refusal::NotNamed(Kind::Loopback)),
    ("https://mixed.test/", Refusal::NotNamed(Kind::Private)),
    ("https://mapped.test/", Refusal::Never(Kind::Translated)),
    ("https://nat64.test/", Refusal::Never(Kind::Translated)),
    ("https://ula.test/", Refusal::NotNamed(Kind::UniqueLocal)),
    ("https://aws6.test/", Refusal::Never(Kind::Metadata)),
];

/// What is called, and the host that it means.
const CALLED: &[(&str, &str)] = &[
    ("https://hooks.slack.com/services/T0/B0/x", "hooks.slack.com"),
    ("https://hooks.slack.com:443/services", "hooks.slack.com"),
    ("HTTPS://Hooks.Slack.COM/a?b=c@d", "hooks.slack.com"),
    ("https://hooks.slack.com./", "hooks.slack.com"),
    (
        "https://open.larksuite.com/open-apis/bot/v2/hook/x",
        "open.larksuite.com",
    ),
    (
        "https://sns.eu-west-1.amazonaws.com/cert.pem",
        "sns.eu-west-1.amazonaws.com",
    ),
    ("https://b\u{fc}cher.example/", "xn--bcher-kva.example"),
    ("https://xn--bcher-kva.example/", "xn--bcher-kva.example"),
    ("https://only6.test/", "only6.test"),
    ("https://8.8.8.8/", "8.8.8.8"),
    ("https://0x08080808/", "8.8.8.8"),
    ("https://1.1.1.1?a@b", "1.1.1.1"),
    ("https://[2606:4700:4700::1111]/", "[2606:4700:4700::1111]"),
    ("https://[::ffff:8.8.8.8]/", "[::ffff:8.8.8.8]"),
    ("https://[64:ff9b::808:808]/", "[64:ff9b::808:808]"),
    ("https://172.15.255.255/", "172.15.255.255"),
    ("https://100.128.0.0/", "100.128.0.0"),
];

fn strict() -> Egress {
    Egress::with_names(Settings::default(), Script::new(NAMES)).unwrap()
}

/// As much as a tenant could allow by mistake: the host itself.
fn allowed(url: &str) -> Allowed {
    let host = Target::of_url(url).map(|target| target.host.to_string());
    host.map(|host| Allowed::new([host]).unwrap()).unwrap_or_default()
}

#[tokio::test]
async fn what_must_be_refused_is_refused_for_its_reason() {
    let way_out = strict();
    let mut wrong = Vec::new();
    for (url, refusal) in REFUSED {
        let error = way_out.call(TENANT, &allowed(url), get(*url)).await.unwrap_err();
        if error != EgressError::Refused(refusal.clone()) {
            wrong.push(format!("{url:?}: {error:?}, not {refusal:?}"));
        }
        assert!(error.is_certain_not_sent());
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(REFUSED.len() >= 90, "{}", REFUSED.len());
}

#[tokio::test]
async fn what_may_be_called_passes_every_check() {
    let way_out = strict();
    for (url, host) in CALLED {
        let target = Target::of_url(url).unwrap();
        assert_eq!(target.host.to_string(), *host, "{url}");
        let allowed = allowed(url);
        let addresses = way_out
            .check_target(TENANT, &allowed, &target.host.to_string(), target.port)
            .await;
        assert!(
            addresses.is_ok_and(|all| all.iter().all(|address| address.port() == 443)),
            "{url}"
        );
    }
}

#[tokio::test]
async fn a_host_that_the_tenant_does_not_allow_is_not_even_looked_up() {
    let names = Script::new(NAMES);
    let way_out = Egress::with_names(Settings::default(), std::sync::Arc::clone(&names) as _).unwrap();
    let allowed = Allowed::new(["*.larksuite.com", "slack.com"]).unwrap();
    for url in [
        "https://hooks.slack.com/",
        "https://larksuite.com/",
        "https://private.test/",
        "https://127.0.0.1/",
    ] {
        let error = way_out.call(TENANT, &allowed, get(url)).await.unwrap_err();
        assert!(
            matches!(error, EgressError::Refused(Refusal::NotAllowed(_))),
            "{url}: {error:?}"
        );
    }
    let none = way_out
        .check_target(TENANT, &Allowed::default(), "hooks.slack.com", 443)
        .await
        .unwrap_err();
    assert_eq!(
        none,
        EgressError::Refused(Refusal::NotAllowed("hooks.slack.com".to_owned()))
    );
    assert!(names.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_named_network_opens_itself_and_never_a_metadata_service_within() {
    let settings = Settings {
        private_networks: ["100.64.0.0/10", "fd00::/8", "10.1.0.0/16"]
            .map(|text| text.parse().unwrap())
            .into(),
        ports: vec![5432],
        ..Settings::default()
    };
    let way_out = Egress::with_names(settings, Script::new(NAMES)).unwrap();
    let check = async |host: &str| {
        let allowed = Allowed::new([host]).unwrap();
        way_out
            .check_target(TENANT, &allowed, host, 5432)
            .await
            .map(|found| found.len())
    };
    for (host, found) in [
        ("10.1.2.3", 1),
        ("private.test", 1),
        ("100.64.0.9", 1),
        ("ula.test", 1),
        ("mixed.test", 2),
    ] {
        assert_eq!(check(host).await, Ok(found), "{host}");
    }
    for (host, refusal) in [
        ("10.2.0.1", Refusal::NotNamed(Kind::Private)),
        ("100.100.100.200", Refusal::Never(Kind::Metadata)),
        ("fd00:ec2::254", Refusal::Never(Kind::Metadata)),
        ("aws6.test", Refusal::Never(Kind::Metadata)),
        ("::ffff:10.1.2.3", Refusal::Never(Kind::Translated)),
        ("mapped.test", Refusal::Never(Kind::Translated)),
    ] {
        assert_eq!(check(host).await, Err(EgressError::Refused(refusal)), "{host}");
    }
    assert_eq!(
        way_out.check_target(TENANT, &Allowed::default(), "a b", 5432).await,
        Err(Refusal::Host.into())
    );
}
