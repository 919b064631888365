//! Which group an alert joins, and how many issues there would be.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use dod::correlation::{Correlations, Grouping};
use http::command::past::Tried;
use http::problem::Problem;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Past, Way};

/// The rules without a command and with it.
pub struct Grouped {
    before: Correlations,
    after: Correlations,
    issues_before: Issues,
    issues_after: Issues,
}

/// Issues as they would come about if nobody ended one.
#[derive(Default)]
struct Issues {
    count: u64,
    /// When a group took an alert last.
    joined: HashMap<Uuid, DateTime<Utc>>,
}

impl Grouped {
    pub fn of(tried: &Tried<'_>) -> Result<Self, Problem> {
        let (before, after) = tried.states::<Correlations>()?;
        Ok(Self::new(before.clone(), after.clone()))
    }

    fn new(before: Correlations, after: Correlations) -> Self {
        Self {
            before,
            after,
            issues_before: Issues::default(),
            issues_after: Issues::default(),
        }
    }
}

impl Way for Grouped {
    fn differs(&mut self, alert: &Past<'_>) -> Option<(Value, Value)> {
        if alert.was_quiet {
            return None;
        }
        let subject = alert.subject();
        let before = self.before.group(alert.tenant, &subject);
        let after = self.after.group(alert.tenant, &subject);
        let opens_before = self.issues_before.join(before.group_id, before.window, alert.at);
        let opens_after = self.issues_after.join(after.group_id, after.window, alert.at);
        let differs = before.group_id != after.group_id || opens_before != opens_after;
        differs.then(|| (told(&before, opens_before), told(&after, opens_after)))
    }

    fn sum(&self) -> Option<(&'static str, Value)> {
        let told = json!({ "before": self.issues_before.count, "after": self.issues_after.count });
        Some(("issues", told))
    }
}

impl Issues {
    /// Whether an alert that joins opens a new issue.
    fn join(&mut self, group_id: Uuid, window: TimeDelta, at: DateTime<Utc>) -> bool {
        let latest = self.joined.insert(group_id, at);
        let opens = latest.is_none_or(|latest| at - latest > window);
        self.count += u64::from(opens);
        opens
    }
}

fn told(grouping: &Grouping, opens_issue: bool) -> Value {
    json!({
        "rule_id": grouping.rule_id,
        "rule": grouping.rule_name,
        "key": grouping.key,
        "opens_issue": opens_issue,
    })
}
