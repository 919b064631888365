//! How a tool is reached: what its `config` may say, by the tool's type. No secret lies in it: where one is needed, it
//! names the configuration that holds it.

use std::collections::BTreeMap;

use domain::misread;
use domain::{setting, text};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ToolType;
use crate::configuration::{self, ConfigType};

/// Bytes of a tool's `config`.
pub const CONFIG_BYTES_MAX: usize = 64 << 10;
/// Characters of a URL.
const URL_CHARS_MAX: usize = 2_000;
/// Headers that are sent along, and characters of a name, a value and what stands before a secret.
const HEADERS_MAX: usize = 20;
const HEADER_NAME_CHARS_MAX: usize = 100;
const HEADER_VALUE_CHARS_MAX: usize = 1_000;
const PREFIX_CHARS_MAX: usize = 50;
/// Characters of a program's name, its arguments, and characters of each.
const COMMAND_CHARS_MAX: usize = 255;
const ARGS_MAX: usize = 64;
const ARG_CHARS_MAX: usize = 1_000;

/// Parts of names of headers whose values are secrets.
const SECRET_NAMES: [&str; 9] = [
    "auth",
    "token",
    "secret",
    "password",
    "passwd",
    "key",
    "cookie",
    "session",
    "credential",
];
/// What secrets begin with, in small letters, whatever the header is called.
const SECRET_VALUES: [&str; 7] = ["bearer ", "basic ", "xoxb-", "xoxp-", "sk-", "ghp_", "glpat-"];

const OF_HTTP: &str = r#"{"kind": "http", "base_url": "https://...", "headers": {"Name": "value"}, "read_only": true}"#;
const OF_MCP: &str =
    r#"{"transport": "http" or "sse", "url": "https://..."} or {"transport": "stdio", "command": "..."}"#;
const OF_CODE: &str = r#"{"language": "javascript", "code": "..."}"#;

/// What a tool's `config` says.
#[derive(Debug, Clone, PartialEq)]
pub enum Config {
    /// A service that is asked by GET alone. Investigations ask it.
    Http(HttpTool),
    /// A server that speaks the Model Context Protocol. It is kept and not asked.
    Mcp(McpServer),
    /// A program. It is kept and not run.
    CustomCode(CustomCode),
}

/// A service that is asked over HTTP and only reads.
// Stored for ever, within events. Add optional fields; do not rename or reuse them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpTool {
    kind: HttpKind,
    /// What paths are appended to: scheme, host, port and perhaps the beginning of a path.
    pub base_url: String,
    /// What is sent along.
    #[serde(default)]
    pub headers: BTreeMap<String, HeaderValue>,
    /// True: nothing else is asked of it.
    pub read_only: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum HttpKind {
    Http,
}

/// A server that speaks the Model Context Protocol.
// Stored for ever, within events. Add optional fields; do not rename or reuse them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "transport", rename_all = "snake_case", deny_unknown_fields)]
pub enum McpServer {
    Http {
        url: String,
        #[serde(default)]
        headers: BTreeMap<String, HeaderValue>,
    },
    Sse {
        url: String,
        #[serde(default)]
        headers: BTreeMap<String, HeaderValue>,
    },
    Stdio {
        command: String,
        #[serde(default)]
        args: Vec<String>,
    },
}

/// A program of the tenant's own.
// Stored for ever, within events. Add optional fields; do not rename or reuse them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomCode {
    language: Language,
    pub code: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Language {
    Javascript,
}

/// The value of a header.
// Stored for ever, within events. Add variants; do not rename or reuse them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum HeaderValue {
    Text(String),
    Secret(ConfigurationRef),
}

/// A secret by the configuration that holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigurationRef {
    /// Its type and key: `general/prometheus-token`.
    pub configuration: String,
    /// What stands before it: `Bearer `.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
}

impl ConfigurationRef {
    /// The type and key that it names.
    #[must_use]
    pub fn named(&self) -> Option<(ConfigType, &str)> {
        let (config_type, key) = self.configuration.split_once('/')?;
        configuration::check_key(key).ok()?;
        Some((config_type.parse().ok()?, key))
    }
}

impl Config {
    /// What a `config` says for a tool of this type.
    ///
    /// # Errors
    /// What is wrong with it, and how it is written.
    pub(super) fn parse(tool_type: ToolType, config: &Value) -> Result<Self, String> {
        match tool_type {
            ToolType::Mcp if config.get("kind").is_some() => read(config, OF_HTTP).map(Self::Http),
            ToolType::Mcp => read(config, &format!("{OF_HTTP} or {OF_MCP}")).map(Self::Mcp),
            ToolType::CustomCode => read(config, OF_CODE).map(Self::CustomCode),
        }
    }

    /// Whether it can be kept to.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Self::Http(tool) if !tool.read_only => {
                Err("says that it writes; only tools with read_only true are taken".to_owned())
            }
            Self::Http(HttpTool { base_url, headers, .. }) => check_call("base_url", base_url, headers),
            Self::Mcp(McpServer::Http { url, headers } | McpServer::Sse { url, headers }) => {
                check_call("url", url, headers)
            }
            Self::Mcp(McpServer::Stdio { command, args }) => check_command(command, args),
            Self::CustomCode(CustomCode { code, .. }) => {
                text::required(code, CONFIG_BYTES_MAX).map_err(|unfit| format!("code {unfit}"))
            }
        }
    }
}

fn read<T: DeserializeOwned>(config: &Value, written: &str) -> Result<T, String> {
    let read = misread::read(config.clone());
    read.map_err(|misread| format!("cannot be read ({}); write {written}", misread.detail))
}

/// Where a request goes and what is sent along. Whether that place may be reached is found out when it is.
fn check_call(field: &str, url: &str, headers: &BTreeMap<String, HeaderValue>) -> Result<(), String> {
    text::required(url, URL_CHARS_MAX).map_err(|unfit| format!("{field} {unfit}"))?;
    let (is_sealed, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) => (false, rest),
        (None, None) => return Err(format!("{field} must begin with https:// or http://")),
    };
    let host = rest.split('/').next().unwrap_or_default();
    if host.is_empty() || rest.contains(|c: char| c.is_whitespace() || "?#@\\\"<>".contains(c)) {
        return Err(format!(
            "{field} must be a host and perhaps a path, without user, query or fragment: secrets go into configurations"
        ));
    }
    if headers.len() > HEADERS_MAX {
        return Err(format!(
            "headers has {} headers; at most {HEADERS_MAX} are allowed",
            headers.len()
        ));
    }
    for (name, value) in headers {
        check_header(name, value).map_err(|detail| format!("headers: {detail}"))?;
    }
    let has_secret = headers.values().any(|value| matches!(value, HeaderValue::Secret(_)));
    if has_secret && !is_sealed {
        return Err(format!("{field} must begin with https://, for a secret is sent along"));
    }
    Ok(())
}

fn check_header(name: &str, value: &HeaderValue) -> Result<(), String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || name.len() > HEADER_NAME_CHARS_MAX || !name.bytes().all(is_token) {
        return Err("a name is no name of a header; write it as X-Scope-OrgID".to_owned());
    }
    match value {
        HeaderValue::Text(value) => {
            let is_printable = value.bytes().all(|byte| (0x20..0x7f).contains(&byte));
            if value.len() > HEADER_VALUE_CHARS_MAX || !is_printable {
                return Err(format!(
                    "{name} must be at most {HEADER_VALUE_CHARS_MAX} characters of plain ASCII"
                ));
            }
            if is_secret(name, value) {
                return Err(format!(
                    "{name} is a secret, and none is kept in clear; enter it as a configuration and write \
                     {{\"configuration\": \"general/key\"}}"
                ));
            }
            Ok(())
        }
        HeaderValue::Secret(secret) => {
            let prefix = secret.prefix.as_deref().unwrap_or_default();
            let is_good = prefix.len() <= PREFIX_CHARS_MAX && prefix.bytes().all(|byte| (0x20..0x7f).contains(&byte));
            if secret.named().is_none() || !is_good {
                return Err(format!(
                    "{name} must name a configuration as lark/key, slack/key or general/key, with a prefix of at most \
                     {PREFIX_CHARS_MAX} characters"
                ));
            }
            Ok(())
        }
    }
}

fn is_secret(name: &str, value: &str) -> bool {
    let (name, value) = (name.to_ascii_lowercase(), value.trim_start().to_ascii_lowercase());
    SECRET_NAMES.iter().any(|part| name.contains(part))
        || SECRET_VALUES.iter().any(|begin| value.starts_with(begin))
        || setting::has_any(&value)
}

fn check_command(command: &str, args: &[String]) -> Result<(), String> {
    text::required(command, COMMAND_CHARS_MAX).map_err(|unfit| format!("command {unfit}"))?;
    if args.len() > ARGS_MAX {
        return Err(format!(
            "args has {} arguments; at most {ARGS_MAX} are allowed",
            args.len()
        ));
    }
    for (place, arg) in args.iter().enumerate() {
        text::optional(Some(arg), ARG_CHARS_MAX).map_err(|unfit| format!("args[{place}] {unfit}"))?;
        if is_secret("", arg) {
            return Err(format!(
                "args[{place}] is a secret, and none is kept in clear; leave it out"
            ));
        }
    }
    Ok(())
}
