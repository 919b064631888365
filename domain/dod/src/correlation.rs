//! Which alerts belong together: a tenant's rules, each of which makes groups of the alerts that it holds for. One
//! stream per tenant.

use std::cmp::Reverse;

use chrono::TimeDelta;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use strum::VariantNames;
use uuid::Uuid;

use crate::conditions::{self, Condition, Field, Full, PATTERNS_MAX, Subject};
use domain::text::{self, Unfit};
use domain::{Asker, Class, Decider, Refuse, Request, stored_by_variant};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Correlations>("correlations");

/// Rules of one tenant.
pub const RULES_MAX: usize = 100;
/// Characters of a rule's name.
pub const NAME_CHARS_MAX: usize = 255;
/// Fields whose values make one group.
pub const BY_MAX: usize = 10;
/// Minutes without another alert after which a group takes no more: up to a week.
pub const WINDOW_MINUTES_MAX: i32 = 10_080;
/// Highest and, below zero, lowest priority of a rule.
pub const PRIORITY_MAX: i32 = 1_000;
/// Characters of the text that says what a group has in common.
pub const KEY_CHARS_MAX: usize = 500;

/// Minutes of the rule that holds where none of the tenant's does.
const DEFAULT_WINDOW_MINUTES: i32 = 30;
const DEFAULT_NAME: &str = "same source and type";

/// The rules of a tenant.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Correlations {
    /// In the order in which they are asked: by priority, among equals the older first.
    rules: Vec<Rule>,
    /// How many rules there ever were.
    count: u64,
}

/// One rule as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Rule {
    rule_id: Uuid,
    /// Its place among all that there ever were.
    number: u64,
    name: String,
    when: Vec<Condition>,
    by: Vec<Field>,
    window_minutes: i32,
    priority: i32,
}

/// The group that an alert belongs to, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Grouping {
    /// The rule that says so; `None` for the one that holds where none of the tenant's does.
    pub rule_id: Option<Uuid>,
    pub rule_name: String,
    /// What the alerts of the group have in common: `labels.cluster=prod-1, alert_type=DiskFull`. At most 500 characters.
    pub key: String,
    /// The same for all alerts that have it in common under this rule.
    pub group_id: Uuid,
    /// How long after its last alert the group takes another one.
    pub window: TimeDelta,
}

impl Correlations {
    /// The group of an alert: that of the first rule, by priority and then by age, whose conditions hold, and whose
    /// `by` names only what the alert has. Without such a rule alerts of one source and type belong together.
    #[must_use]
    pub fn group(&self, tenant: Uuid, subject: &Subject<'_>) -> Grouping {
        let grouping = self.rules.iter().find_map(|rule| rule.group(tenant, subject));
        grouping.unwrap_or_else(|| by_default(tenant, subject))
    }

    /// The rule of this id.
    fn rule(&self, rule_id: Uuid) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.rule_id == rule_id)
    }
}

impl Rule {
    fn group(&self, tenant: Uuid, subject: &Subject<'_>) -> Option<Grouping> {
        if !conditions::all_hold(&self.when, subject) {
            return None;
        }
        // Alerts that lack a value have nothing in common by lacking it.
        let values: Option<Vec<(String, &str)>> = self
            .by
            .iter()
            .map(|field| {
                let value = subject.value(field)?;
                Some((field.to_string(), value))
            })
            .collect();
        let values = values?;
        let key = match values.is_empty() {
            true => self.name.clone(),
            false => key(&values),
        };
        Some(Grouping {
            rule_id: Some(self.rule_id),
            rule_name: self.name.clone(),
            key,
            group_id: group_id(tenant, Some(self.rule_id), &values),
            window: minutes(self.window_minutes),
        })
    }

    fn says(&self, asked: &Asked<'_>) -> bool {
        let own = (&self.name, &self.when, &self.by, self.window_minutes, self.priority);
        own == (asked.name, asked.when, asked.by, asked.window_minutes, asked.priority)
    }
}

fn by_default(tenant: Uuid, subject: &Subject<'_>) -> Grouping {
    let source_id = subject.source_id.to_string();
    // The id, for a source may get another name while a group is open.
    let values = [
        ("source_id".to_owned(), source_id.as_str()),
        ("alert_type".to_owned(), subject.alert_type),
    ];
    Grouping {
        rule_id: None,
        rule_name: DEFAULT_NAME.to_owned(),
        key: key(&[
            (Field::Source.to_string(), subject.source),
            (Field::AlertType.to_string(), subject.alert_type),
        ]),
        group_id: group_id(tenant, None, &values),
        window: minutes(DEFAULT_WINDOW_MINUTES),
    }
}

// Groups that are open are found by it. Do not change what it is made of.
fn group_id(tenant: Uuid, rule_id: Option<Uuid>, values: &[(String, &str)]) -> Uuid {
    let rule = rule_id.map_or_else(|| "default".to_owned(), |id| id.to_string());
    let mut name = format!("dod.group/{rule}");
    for (field, value) in values {
        // With their lengths, so that no two lists of values are written alike.
        name.push_str(&format!("/{}:{field}={}:{value}", field.len(), value.len()));
    }
    Uuid::new_v5(&tenant, name.as_bytes())
}

fn key(values: &[(String, &str)]) -> String {
    let parts: Vec<String> = values.iter().map(|(field, value)| format!("{field}={value}")).collect();
    let key = parts.join(", ");
    match key.char_indices().nth(KEY_CHARS_MAX) {
        None => key,
        Some(_) => key.chars().take(KEY_CHARS_MAX - 1).chain(['…']).collect(),
    }
}

fn minutes(minutes: i32) -> TimeDelta {
    TimeDelta::minutes(minutes.into())
}

/// The fields whose values alerts may have in common: each holds one text.
fn by_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": BY_MAX,
        "items": { "type": "string", "pattern": "^(title|source|alert_type|severity|labels\\..{1,255})$" },
    })
}

/// What can be asked of a tenant's rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Adds a rule, or replaces every field of one. It holds for alerts that begin from then on; a rule that is changed
    /// keeps its age. A tenant has at most 100.
    SetRule {
        /// The rule that is to change; a new one when absent, whose id is drawn.
        #[serde(default)]
        rule_id: Option<Uuid>,
        /// What people call it. At most 255 characters.
        #[schemars(length(min = 1, max = NAME_CHARS_MAX))]
        name: String,
        /// The alerts that it is for: those for which all of these hold; every alert when absent. At most 16.
        #[serde(default)]
        #[schemars(length(max = conditions::CONDITIONS_MAX))]
        when: Vec<Condition>,
        /// The fields whose values make one group: title, source, alert_type, severity or `labels.<name>`. The rule is
        /// for no alert that lacks one of them. One group for all when absent, which needs `when`. At most 10.
        #[serde(default)]
        #[schemars(schema_with = "by_schema")]
        by: Vec<Field>,
        /// Minutes without another alert after which a group takes no more: 1 to 10,080.
        #[schemars(range(min = 1, max = WINDOW_MINUTES_MAX))]
        window_minutes: i32,
        /// Rules of a higher priority are asked first, and among equals the older: -1,000 to 1,000; 0 when absent.
        #[serde(default)]
        #[schemars(range(min = -PRIORITY_MAX, max = PRIORITY_MAX))]
        priority: i32,
    },
    /// Takes a rule away. Groups that it made stay, and take no more alerts.
    DropRule {
        /// The rule.
        rule_id: Uuid,
    },
}

// Stored for ever. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, strum::IntoStaticStr, strum::VariantNames,
)]
pub enum Event {
    CorrelationRuleSet {
        rule_id: Uuid,
        name: String,
        when: Vec<Condition>,
        by: Vec<Field>,
        window_minutes: i32,
        priority: i32,
    },
    CorrelationRuleDropped {
        rule_id: Uuid,
    },
}

stored_by_variant!(Event);

impl domain::Event for Event {}

/// Why a rule is not changed.
// The names of its variants are those of the rules, which clients know.
#[derive(Debug, Clone, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Refusal {
    #[error("a tenant's rules of correlation are one stream and its id is {id}; send the command there")]
    OnePerTenant { id: Uuid },
    #[error("rule_id names no rule of correlation; choose one of correlation_rules, or leave it out for a new one")]
    NoSuchRule,
    #[error("there are {RULES_MAX} rules of correlation, as many as a tenant may have; drop one first")]
    TooManyRules,
    #[error(
        "the rules would have more than {PATTERNS_MAX} regular expressions in all; compare with equal, or drop a rule \
         first"
    )]
    TooManyPatterns,
    #[error("the rule would make one group of all alerts; say in when which ones it is for, or in by what they share")]
    JoinsEverything,
    #[error("{detail}")]
    Condition { detail: String },
    #[error("{field} {unfit}")]
    Unfit { field: &'static str, unfit: Unfit },
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        match self {
            Self::OnePerTenant { .. }
            | Self::NoSuchRule
            | Self::TooManyRules
            | Self::TooManyPatterns
            | Self::JoinsEverything
            | Self::Condition { .. }
            | Self::Unfit { .. } => Class::Refused,
        }
    }
    fn rule(&self) -> &'static str {
        self.into()
    }
    fn rules() -> Vec<&'static str> {
        <Self as VariantNames>::VARIANTS.to_vec()
    }
    fn field(&self) -> Option<String> {
        let field = match self {
            Self::NoSuchRule => "rule_id",
            Self::TooManyPatterns | Self::Condition { .. } => "when",
            Self::JoinsEverything => "by",
            Self::Unfit { field, .. } => field,
            Self::OnePerTenant { .. } | Self::TooManyRules => return None,
        };
        Some(field.to_owned())
    }
}

/// The fields of a rule as somebody asks for them.
struct Asked<'a> {
    name: &'a String,
    when: &'a Vec<Condition>,
    by: &'a Vec<Field>,
    window_minutes: i32,
    priority: i32,
}

impl Asked<'_> {
    fn check(&self) -> Result<(), Refusal> {
        let unfit = |field| move |unfit| Refusal::Unfit { field, unfit };
        text::required(self.name, NAME_CHARS_MAX).map_err(unfit("name"))?;
        conditions::check(self.when).map_err(|detail| Refusal::Condition { detail })?;
        check_by(self.by).map_err(unfit("by"))?;
        text::within(self.window_minutes, 1, WINDOW_MINUTES_MAX).map_err(unfit("window_minutes"))?;
        text::within(self.priority, -PRIORITY_MAX, PRIORITY_MAX).map_err(unfit("priority"))?;
        match self.when.is_empty() && self.by.is_empty() {
            true => Err(Refusal::JoinsEverything),
            false => Ok(()),
        }
    }
}

fn check_by(by: &[Field]) -> Result<(), Unfit> {
    if by.len() > BY_MAX {
        return Err(Unfit::Form("names more than 10 fields; name at most 10"));
    }
    if by.contains(&Field::Description) || by.contains(&Field::Any) {
        return Err(Unfit::Form(
            "names description or any, which alerts do not have in common; name labels instead",
        ));
    }
    let is_repeated = |(place, field)| by[..place].contains(field);
    match by.iter().enumerate().any(is_repeated) {
        true => Err(Unfit::Form("names a field twice; list each one once")),
        false => Ok(()),
    }
}

impl Decider for Correlations {
    const TYPE: &'static str = "dod.correlation";
    const CREATES: &'static str = "set-rule";
    const ONE_PER_TENANT: bool = true;
    const SHOWN_IN: Option<&'static str> = Some("correlation_rules");
    const PART: Option<&'static str> = Some("rule_id");
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        Self::in_place(request.tenant, request.stream).map_err(|id| Refusal::OnePerTenant { id })?;
        match request.command {
            Command::SetRule {
                rule_id,
                name,
                when,
                by,
                window_minutes,
                priority,
            } => {
                let asked = Asked {
                    name,
                    when,
                    by,
                    window_minutes: *window_minutes,
                    priority: *priority,
                };
                asked.check()?;
                let before = rule_id.map(|id| self.rule(id).ok_or(Refusal::NoSuchRule));
                let before = before.transpose()?;
                let rule_id = before.map_or_else(|| request.ids.draw(), |rule| rule.rule_id);
                self.takes(rule_id, when)?;
                if before.is_some_and(|rule| rule.says(&asked)) {
                    return Ok(Vec::new());
                }
                Ok(vec![Event::CorrelationRuleSet {
                    rule_id,
                    name: name.clone(),
                    when: when.clone(),
                    by: by.clone(),
                    window_minutes: *window_minutes,
                    priority: *priority,
                }])
            }
            Command::DropRule { rule_id } => match self.rule(*rule_id) {
                Some(_) => Ok(vec![Event::CorrelationRuleDropped { rule_id: *rule_id }]),
                None => Err(Refusal::NoSuchRule),
            },
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::CorrelationRuleSet {
                rule_id,
                name,
                when,
                by,
                window_minutes,
                priority,
            } => {
                let number = self.rule(*rule_id).map_or(self.count, |rule| rule.number);
                self.count = self.count.max(number + 1);
                self.rules.retain(|rule| rule.rule_id != *rule_id);
                self.rules.push(Rule {
                    rule_id: *rule_id,
                    number,
                    name: name.clone(),
                    when: when.clone(),
                    by: by.clone(),
                    window_minutes: *window_minutes,
                    priority: *priority,
                });
                self.rules.sort_by_key(|rule| (Reverse(rule.priority), rule.number));
            }
            Event::CorrelationRuleDropped { rule_id } => self.rules.retain(|rule| rule.rule_id != *rule_id),
        }
    }

    fn offers(&self, command: &str, stream: Uuid, asker: &Asker) -> Result<(), Refusal> {
        Self::in_place(asker.tenant, stream).map_err(|id| Refusal::OnePerTenant { id })?;
        match command {
            "drop-rule" if self.rules.is_empty() => Err(Refusal::NoSuchRule),
            _ => Ok(()),
        }
    }
}

impl Correlations {
    /// Whether a rule with these conditions has room among the others.
    fn takes(&self, rule_id: Uuid, when: &[Condition]) -> Result<(), Refusal> {
        let others = self.rules.iter().filter(|rule| rule.rule_id != rule_id);
        let others = others.map(|rule| &rule.when[..]);
        conditions::room(others, RULES_MAX, when).map_err(|full| match full {
            Full::Count => Refusal::TooManyRules,
            Full::Patterns => Refusal::TooManyPatterns,
        })
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod properties;
