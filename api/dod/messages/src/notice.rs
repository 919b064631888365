//! What is told of an issue, and the words that Slack and Lark show alike.

use std::fmt::Write;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Labels that a message shows; it says how many more there are.
pub const LABELS_SHOWN_MAX: usize = 20;
/// Links that a message shows, besides the one to the issue; it says how many more there are.
pub const LINKS_SHOWN_MAX: usize = 5;

/// One telling of an issue. All of its text may come from outside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    pub issue_id: Uuid,
    /// Which telling of the issue this is, counted from 1.
    pub revision: u32,
    pub state: State,
    pub title: String,
    /// `critical`, `high`, `medium` or `low`. Another word is shown as it is, without a colour.
    pub severity: String,
    /// The name of the source that told of the alerts.
    pub source: String,
    /// How many alerts have joined the issue.
    pub alerts: u64,
    pub description: Option<String>,
    pub labels: Vec<(String, String)>,
    /// The name of the skill by which the issue is investigated.
    pub skill: Option<String>,
    pub conclusion: Option<String>,
    /// What the investigation found: a real issue or a false alarm.
    pub is_real_issue: Option<bool>,
    pub started_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub assignee: Option<String>,
    pub links: Vec<Link>,
    /// The URL of the issue in Daybook.
    pub link: Option<String>,
}

/// A place to look at. A URL that is not plain http or https is shown as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    pub title: String,
    pub url: String,
}

/// Where an issue stands.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum State {
    /// Alerts fire, nobody has looked yet.
    Firing,
    /// Somebody has said that they look.
    Acknowledged,
    Investigating,
    /// Alerts fire, and it is worse than it ever was.
    Worsened,
    /// Alerts fire, and still nobody has looked.
    Escalated,
    /// The investigation has ended; the alerts may still fire.
    Concluded,
    Resolved,
    FalsePositive,
    UnableToResolve,
}

impl State {
    /// As a message shows it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Firing => "Firing",
            Self::Acknowledged => "Acknowledged",
            Self::Investigating => "Investigating",
            Self::Worsened => "Worse than before",
            Self::Escalated => "Escalated",
            Self::Concluded => "Concluded",
            Self::Resolved => "Resolved",
            Self::FalsePositive => "False positive",
            Self::UnableToResolve => "Unable to resolve",
        }
    }
}

/// What a glance should tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Red,
    Orange,
    Yellow,
    Blue,
    Green,
    Grey,
    Purple,
}

impl Notice {
    pub(crate) fn tone(&self) -> Tone {
        match self.state {
            State::Resolved => Tone::Green,
            State::FalsePositive => Tone::Grey,
            State::UnableToResolve => Tone::Purple,
            State::Firing
            | State::Acknowledged
            | State::Investigating
            | State::Worsened
            | State::Escalated
            | State::Concluded => match self.severity.as_str() {
                "critical" => Tone::Red,
                "high" => Tone::Orange,
                "medium" => Tone::Yellow,
                "low" => Tone::Blue,
                _ => Tone::Grey,
            },
        }
    }

    /// State, severity and title, which is not safe yet.
    pub(crate) fn headline(&self) -> String {
        let title = start_of(&self.title);
        let title = if title.trim().is_empty() { "(no title)" } else { title };
        format!("{}, {}: {title}", self.state.title(), start_of(&self.severity))
    }

    /// What is told in a word or two, not safe yet. At most ten: Slack takes no more fields.
    pub(crate) fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = vec![
            ("State", self.state.title().to_owned()),
            ("Severity", start_of(&self.severity).to_owned()),
            ("Source", start_of(&self.source).to_owned()),
            ("Alerts", self.alerts.to_string()),
            ("Started", time(self.started_at)),
        ];
        facts.extend(
            self.ended_at
                .map(|at| ("Ended", format!("{} ({})", time(at), lasted(at - self.started_at)))),
        );
        facts.extend(
            self.assignee
                .as_deref()
                .map(|assignee| ("Assignee", start_of(assignee).to_owned())),
        );
        facts.extend(self.skill.as_deref().map(|skill| ("Skill", start_of(skill).to_owned())));
        let verdict = |is_real: bool| if is_real { "a real issue" } else { "a false alarm" };
        facts.extend(self.is_real_issue.map(|is_real| ("Found", verdict(is_real).to_owned())));
        facts.retain(|(_, value)| !value.trim().is_empty());
        facts
    }

    /// By which people, and tests, know the telling.
    pub(crate) fn footer(&self) -> String {
        let mut footer = String::new();
        let _ = write!(
            footer,
            "Issue {}, revision {}, {}",
            self.issue_id, self.revision, self.state
        );
        footer
    }
}

/// Enough of a text for any line: the rest of a megabyte need not be carried along to be cut later.
fn start_of(text: &str) -> &str {
    const LINE_CHARS_MAX: usize = 8_192;
    text.char_indices()
        .nth(LINE_CHARS_MAX)
        .map_or(text, |(end, _)| &text[..end])
}

fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn lasted(span: chrono::TimeDelta) -> String {
    let minutes = span.num_minutes().max(0);
    match (minutes / 1_440, minutes / 60 % 24, minutes % 60) {
        (0, 0, 0) => format!("after {} s", span.num_seconds().max(0)),
        (0, 0, minutes) => format!("after {minutes} min"),
        (0, hours, minutes) => format!("after {hours} h {minutes} min"),
        (days, hours, _) => format!("after {days} d {hours} h"),
    }
}
