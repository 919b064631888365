use super::*;
use crate::configuration::ConfigType;
use domain::Refuse;
use domain::register::{Change, Command};
use rehearsal::given::{given, long, releases, takes};
use serde_json::json;

type Tools = Register<Tool>;

fn mcp(config: Value) -> Tool {
    Tool {
        name: "Prometheus".to_owned(),
        description: None,
        tool_type: ToolType::Mcp,
        config,
    }
}

fn code(config: Value) -> Tool {
    Tool {
        tool_type: ToolType::CustomCode,
        ..mcp(config)
    }
}

fn http(base_url: &str, headers: Value) -> Tool {
    mcp(json!({"kind": "http", "base_url": base_url, "headers": headers, "read_only": true}))
}

fn plain() -> Tool {
    http("https://prometheus.example.com/api", json!({}))
}

/// Why the `config` of this tool is refused.
fn refused(tool: Tool) -> String {
    let refusal = given::<Tools>([]).when(Command::Enter(tool)).outcome().unwrap_err();
    assert_eq!(
        (refusal.rule(), refusal.field().as_deref()),
        ("unfit", Some("config")),
        "{refusal}"
    );
    refusal.to_string()
}

fn taken(tool: Tool) -> Tool {
    given::<Tools>([])
        .when(Command::Enter(tool.clone()))
        .then([Change::Entered(tool.clone())]);
    tool
}

#[test]
fn a_name_is_of_one_tool_whatever_its_case() {
    given::<Tools>([])
        .when(Command::Enter(plain()))
        .then([Change::Entered(plain())])
        .claims([takes(NAME, "prometheus")]);
    let renamed = Tool {
        name: "Loki".to_owned(),
        ..plain()
    };
    given::<Tools>([Change::Entered(plain())])
        .when(Command::Amend(renamed.clone().into()))
        .then([Change::Amended(renamed)])
        .claims([releases(NAME, "prometheus"), takes(NAME, "loki")]);
}

#[test]
fn tools_of_both_types_are_taken_and_those_that_only_read_are_asked() {
    let reads = taken(plain()).http().unwrap();
    assert_eq!(reads.base_url, "https://prometheus.example.com/api");
    let kept = [
        mcp(json!({"transport": "http", "url": "https://mcp.example.com/"})),
        mcp(json!({"transport": "sse", "url": "http://mcp.example.com", "headers": {"X-Scope-OrgID": "7"}})),
        mcp(json!({"transport": "stdio", "command": "npx", "args": ["-y", "server"]})),
        code(json!({"language": "javascript", "code": "export default () => 1"})),
    ];
    for tool in kept {
        let tool = taken(tool);
        assert!(tool.config().is_some());
        assert_eq!(tool.http(), None);
    }
}

#[test]
fn a_config_that_its_type_does_not_have_is_refused_with_how_it_is_written() {
    for bad in [
        mcp(json!({})),
        mcp(json!([])),
        mcp(json!({"kind": "grpc", "base_url": "https://a", "read_only": true})),
        mcp(json!({"kind": "http", "base_url": "https://a"})),
        mcp(json!({"kind": "http", "base_url": "https://a", "read_only": true, "method": "POST"})),
        mcp(json!({"transport": "pigeon", "url": "https://a"})),
        mcp(json!({"transport": "http", "url": "https://a", "command": "sh"})),
        mcp(json!({"language": "javascript", "code": "1"})),
        code(json!({"kind": "http", "base_url": "https://a", "read_only": true})),
        code(json!({"language": "python", "code": "1"})),
    ] {
        let told = refused(bad.clone());
        assert!(told.contains("; write {\""), "{bad:?}: {told}");
        assert_eq!(bad.config(), None);
    }
    assert!(refused(code(json!({"language": "javascript", "code": " "}))).contains("code must not be empty"));
}

#[test]
fn a_tool_that_writes_is_refused() {
    let writes = mcp(json!({"kind": "http", "base_url": "https://a", "read_only": false}));
    assert!(refused(writes).contains("only tools with read_only true are taken"));
}

#[test]
fn a_url_is_a_host_and_perhaps_a_path() {
    for bad in [
        "",
        "ftp://a",
        "prometheus:9090",
        "https://",
        "https:///path",
        "https://user:secret@a",
        "https://a?token=x",
        "https://a#x",
        "https://a b",
    ] {
        refused(http(bad, json!({})));
        refused(mcp(json!({"transport": "http", "url": bad})));
    }
    taken(http("http://prometheus:9090", json!({"Accept": "application/json"})));
}

#[test]
fn a_secret_in_clear_is_refused() {
    let clear = [
        ("Authorization", "Bearer abc"),
        ("authorization", ""),
        ("X-API-Key", "abc"),
        ("PRIVATE-TOKEN", "abc"),
        ("Cookie", "a=b"),
        ("X-Custom", "Bearer abc"),
        ("X-Custom", "xoxb-1"),
        ("X-Custom", "ghp_1"),
    ];
    for (name, value) in clear {
        let told = refused(http("https://a", json!({name: value})));
        assert!(
            told.contains("enter it as a configuration") && !told.contains("abc"),
            "{told}"
        );
    }
    let told = refused(mcp(json!({"transport": "stdio", "command": "npx", "args": ["sk-1"]})));
    assert!(told.contains("args[0] is a secret"), "{told}");
}

#[test]
fn a_secret_is_named_by_its_configuration_and_goes_over_https_alone() {
    let reference = json!({"Authorization": {"configuration": "general/prometheus-token", "prefix": "Bearer "}});
    let tool = taken(http("https://a", reference.clone())).http().unwrap();
    let Some(HeaderValue::Secret(secret)) = tool.headers.get("Authorization") else {
        panic!("{tool:?}");
    };
    assert_eq!(secret.named(), Some((ConfigType::General, "prometheus-token")));
    assert_eq!(secret.prefix.as_deref(), Some("Bearer "));
    assert!(refused(http("http://a", reference)).contains("must begin with https://, for a secret"));
    for bad in ["prometheus-token", "teams/a", "general/", "general/a/b", ""] {
        refused(http("https://a", json!({"Authorization": {"configuration": bad}})));
    }
    refused(http(
        "https://a",
        json!({"Authorization": {"configuration": "general/a", "prefix": "a\nb"}}),
    ));
    refused(http("https://a", json!({"Authorization": {"secret": "general/a"}})));
}

#[test]
fn headers_have_names_and_values_that_http_has() {
    refused(http("https://a", json!({"X Y": "1"})));
    refused(http("https://a", json!({"": "1"})));
    refused(http("https://a", json!({"X-Y": "a\r\nHost: b"})));
    let many: serde_json::Map<String, Value> = (0..21).map(|n| (format!("X-{n}"), json!("1"))).collect();
    assert!(refused(http("https://a", json!(many))).contains("at most 20"));
}

#[test]
fn a_tool_fits_its_columns() {
    let field = |tool| {
        let refusal = given::<Tools>([]).when(Command::Enter(tool)).outcome().unwrap_err();
        refusal.field().unwrap()
    };
    assert_eq!(
        field(Tool {
            name: String::new(),
            ..plain()
        }),
        "name"
    );
    assert_eq!(
        field(Tool {
            name: long(NAME_CHARS_MAX + 1),
            ..plain()
        }),
        "name"
    );
    assert_eq!(
        field(Tool {
            description: Some(long(DESCRIPTION_CHARS_MAX + 1)),
            ..plain()
        }),
        "description"
    );
    let large = code(json!({"language": "javascript", "code": "x".repeat(CONFIG_BYTES_MAX)}));
    assert!(refused(large).contains("at most 65536"));
}

#[test]
fn a_type_that_is_not_known_is_not_read() {
    let read = |tool_type: &str| serde_json::from_value::<Tool>(json!({"name": "a", "type": tool_type, "config": {}}));
    assert!(read("custom_code").is_ok());
    assert!(read("python").is_err());
}
