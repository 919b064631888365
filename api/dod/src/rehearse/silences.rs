//! Whether an alert is ignored.

use chrono::{DateTime, Utc};
use dod::silence::{Event, Silences};
use http::command::past::Tried;
use http::problem::Problem;
use serde_json::{Value, json};

use super::{Past, Way};

/// The silences without a command and with it, at the moment at which it takes effect: a silence holds for what is to come,
/// so alerts of the past are taken for such as come at that moment.
pub struct Quiet {
    before: Silences,
    after: Silences,
    at: DateTime<Utc>,
}

impl Quiet {
    pub fn of(tried: &Tried<'_>) -> Result<Self, Problem> {
        let (before, after) = tried.states::<Silences>()?;
        let at = tried.happened.iter().find_map(|event| match event.of::<Silences>()? {
            Event::AlertsSilenced { starts_at, .. } => Some(*starts_at),
            Event::SilenceEnded { ended_at, .. } => Some(*ended_at),
        });
        Ok(Self {
            before: before.clone(),
            after: after.clone(),
            at: at.unwrap_or_else(Utc::now),
        })
    }
}

impl Way for Quiet {
    fn differs(&mut self, alert: &Past<'_>) -> Option<(Value, Value)> {
        let subject = alert.subject();
        let before = self.before.silencing(&subject, self.at).map(|by| by.id);
        let after = self.after.silencing(&subject, self.at).map(|by| by.id);
        let told = |by: Option<uuid::Uuid>| json!({ "ignored": by.is_some(), "silence_id": by });
        (before.is_some() != after.is_some()).then(|| (told(before), told(after)))
    }
}
