//! What an investigation may ask: other systems, each by a name that procedures use. Feeds `tools` of document
//! 002_292caa697ae18d8c.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use domain::Claim;
use domain::faults::Faults;
use domain::register::{Entry, Register};
use domain::text::{self, Unfit};

mod config;

pub use config::{CONFIG_BYTES_MAX, Config, ConfigurationRef, CustomCode, HeaderValue, HttpTool, McpServer};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Register<Tool>>("tools");

/// No two tools have the same, whatever its case.
pub const NAME: Claim = Claim::new("dod.tools.name");

/// Characters of a tool's name and description.
pub const NAME_CHARS_MAX: usize = 255;
pub const DESCRIPTION_CHARS_MAX: usize = 2_000;

/// A tool as it is entered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// What procedures call it; unique without regard to case. At most 255 characters.
    #[schemars(length(min = 1, max = NAME_CHARS_MAX))]
    pub name: String,
    /// What it is good for. At most 2,000 characters.
    #[serde(default)]
    #[schemars(length(max = DESCRIPTION_CHARS_MAX))]
    pub description: Option<String>,
    /// What kind of tool it is.
    #[serde(rename = "type")]
    pub tool_type: ToolType,
    /// How it is reached. Of type `mcp`: `{"kind": "http", "base_url": "https://...", "headers": {}, "read_only": true}`, which
    /// investigations ask; or `{"transport": "http", "url": "https://..."}` (also `sse`) or `{"transport": "stdio", "command":
    /// "...", "args": []}`. Of type `custom_code`: `{"language": "javascript", "code": "..."}`. Those but the first are kept and
    /// not run. A header is a text, or `{"configuration": "general/key"}` where it is a secret. At most 64 KiB.
    pub config: Value,
}

/// The kinds of tools, in the document's words.
// Stored for ever, within events. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr, strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ToolType {
    /// Somebody else's program that is asked over a protocol.
    Mcp,
    /// A program of the tenant's own.
    CustomCode,
}

impl Tool {
    /// How it is reached; `None` when this program cannot read it.
    #[must_use]
    pub fn config(&self) -> Option<Config> {
        Config::parse(self.tool_type, &self.config).ok()
    }

    /// How it is asked over HTTP, if it is one that only reads and that investigations may ask.
    #[must_use]
    pub fn http(&self) -> Option<HttpTool> {
        asked_over_http(self.config()?)
    }

    /// The same of a configuration by itself.
    #[must_use]
    pub fn http_of(config: &Value) -> Option<HttpTool> {
        asked_over_http(Config::parse(ToolType::Mcp, config).ok()?)
    }
}

fn asked_over_http(config: Config) -> Option<HttpTool> {
    match config {
        Config::Http(tool) => Some(tool),
        Config::Mcp(_) | Config::CustomCode(_) => None,
    }
}

impl Entry for Tool {
    const TYPE: &'static str = "dod.tool";
    const NOUN: &'static str = "tool";
    const ENTERED: &'static str = "ToolEntered";
    const AMENDED: &'static str = "ToolAmended";
    const STRUCK: &'static str = "ToolStruck";
    const BODY_BYTES_MAX: usize = 256 << 10;
    const CLAIMS: &'static [Claim] = &[NAME];

    fn check(&self) -> Faults<Unfit> {
        let parsed = || Config::parse(self.tool_type, &self.config).and_then(|config| config.check());
        let config = text::json(&self.config, CONFIG_BYTES_MAX).and_then(|()| parsed().map_err(Unfit::Inside));
        Faults::default()
            .at("name", text::required(&self.name, NAME_CHARS_MAX))
            .at(
                "description",
                text::optional(self.description.as_ref(), DESCRIPTION_CHARS_MAX),
            )
            .at_beside("config", &["tool_type"], config)
    }

    fn claims(&self) -> Vec<(Claim, String)> {
        vec![(NAME, self.name.to_lowercase())]
    }
}

#[cfg(test)]
mod tests;
