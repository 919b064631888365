//! How bad an alert counts as, by its source's map of words.

use dod::source::Source;
use dod_formats::{Rules, Severity};
use http::command::past::Tried;
use http::problem::Problem;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Past, Way};

/// How a source's words are understood without a command and with it.
pub struct Judged {
    source_id: Uuid,
    before: Rules,
    after: Rules,
}

impl Judged {
    pub fn of(tried: &Tried<'_>) -> Result<Self, Problem> {
        let (before, after) = tried.states::<Source>()?;
        Ok(Self {
            source_id: tried.stream,
            before: before.rules(),
            after: after.rules(),
        })
    }
}

impl Way for Judged {
    fn differs(&mut self, alert: &Past<'_>) -> Option<(Value, Value)> {
        if alert.source_id != self.source_id {
            return None;
        }
        let word = alert.original_severity;
        let (before, after) = (self.before.severity(word), self.after.severity(word));
        let told = |severity: Severity| json!({ "severity": severity, "original_severity": word });
        (before != after).then(|| (told(before), told(after)))
    }
}
