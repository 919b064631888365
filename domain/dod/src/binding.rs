//! A pattern on alerts, and the skill that they call for. Feeds `alert_skill_bindings` of document 002_292caa697ae18d8c.

use dod_skills::pattern::{self, PATTERN_CHARS_MAX, PatternKind};
use dod_skills::subject::Field;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::skill::Skill;
use domain::faults::Faults;
use domain::register::{Entry, EntryId, Register};
use domain::text::{self, Unfit};
use domain::{FactRef, Facts};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Register<Binding>>("bindings");

/// Highest and, below zero, lowest priority of a binding.
pub const PRIORITY_MAX: i32 = 1_000;

/// A binding as it is entered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// What is looked for. At most 500 characters.
    #[schemars(length(min = 1, max = PATTERN_CHARS_MAX))]
    pub alert_pattern: String,
    /// Whether the pattern is a regular expression (`regex`) or words (`keyword`).
    pub pattern_kind: PatternKind,
    /// Where it is looked for: title, description, source, alert_type, severity, any, or `labels.<name>`.
    pub field: Field,
    /// The skill that such alerts call for; in use.
    pub skill_id: Uuid,
    /// Of several bindings that an alert meets the one of the highest priority counts, among equals the older: -1,000 to
    /// 1,000; 0 when absent.
    #[serde(default)]
    #[schemars(range(min = -PRIORITY_MAX, max = PRIORITY_MAX))]
    pub priority: i32,
}

impl Entry for Binding {
    const TYPE: &'static str = "dod.binding";
    const NOUN: &'static str = "binding";
    const ENTERED: &'static str = "BindingEntered";
    const AMENDED: &'static str = "BindingAmended";
    const STRUCK: &'static str = "BindingStruck";
    const SHOWN_IN: Option<&'static str> = Some("alert_skill_bindings");
    // The table has no column that says "not in use", so a struck binding's row goes.
    const STRUCK_STAYS: bool = false;

    fn check(&self) -> Faults<Unfit> {
        let looked_for = || {
            pattern::check_pattern(self.pattern_kind, &self.alert_pattern)
                .map_err(|bad| Unfit::Inside(format!("cannot be looked for: {bad}")))
        };
        let pattern = text::required(&self.alert_pattern, PATTERN_CHARS_MAX).and_then(|()| looked_for());
        Faults::default()
            .at_beside("alert_pattern", &["pattern_kind"], pattern)
            .at("priority", text::within(self.priority, -PRIORITY_MAX, PRIORITY_MAX))
    }

    fn reads(&self, _entry: EntryId, _facts: &Facts) -> Vec<FactRef> {
        vec![FactRef::of::<Register<Skill>>(self.skill_id)]
    }

    fn judge(&self, _entry: EntryId, facts: &Facts) -> Faults<String> {
        Faults::default().at(
            "skill_id",
            Register::<Skill>::is_in_use("skill_id", self.skill_id, facts),
        )
    }
}

#[cfg(test)]
mod tests;
