//! Who is told, and when, of issues that nobody sees to: a tenant's policies of escalation, one stream per tenant.
//!
//! What is under way for an issue goes by the steps that it began with, see [`crate::escalation`]; a policy that is changed
//! or dropped holds for issues that open or are reopened from then on.

use std::cmp::Reverse;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::VariantNames;
use uuid::Uuid;

use crate::conditions::{self, Condition, Full, PATTERNS_MAX, Subject};
use crate::receiver::RECEIVER_IM_CHARS_MAX;
use domain::text::{self, Unfit};
use domain::{Asker, Asking, Class, Decider, FactRef, Refuse, Request, stored_by_variant};
use identity::user::User;

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<EscalationPolicies>("escalation-policies");

/// Policies of one tenant.
pub const POLICIES_MAX: usize = 100;
/// Steps of one policy.
pub const STEPS_MAX: usize = 10;
/// Characters of a policy's name.
pub const NAME_CHARS_MAX: usize = 255;
/// Minutes after which a step comes at the latest: a week.
pub const AFTER_MINUTES_MAX: i32 = 10_080;
/// Highest and, below zero, lowest priority of a policy.
pub const PRIORITY_MAX: i32 = 1_000;

/// The policies of a tenant.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EscalationPolicies {
    /// In the order in which they are asked: by priority, among equals the older first.
    policies: Vec<EscalationPolicy>,
    /// How many policies there ever were.
    count: u64,
}

/// One policy as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EscalationPolicy {
    pub policy_id: Uuid,
    /// Its place among all that there ever were.
    number: u64,
    pub name: String,
    when: Vec<Condition>,
    priority: i32,
    pub steps: Vec<EscalationStep>,
}

/// What is done when nobody sees to an issue for so long.
// Stored for ever, within events. Add optional fields; do not rename or reuse them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EscalationStep {
    /// Minutes after the escalation began, which it does when the issue is opened or reopened, gets worse, or is not seen to any
    /// more: 1 to 10,080, and more than those of the step before.
    #[schemars(range(min = 1, max = AFTER_MINUTES_MAX))]
    pub after_minutes: i32,
    /// The receiver that is told then, by its `receiver_im`. At most 100 characters.
    #[serde(default)]
    #[schemars(length(min = 1, max = RECEIVER_IM_CHARS_MAX))]
    pub receiver_im: Option<String>,
    /// The user whom the issue is given to then; an active person of the tenant.
    #[serde(default)]
    pub assign_to: Option<Uuid>,
}

impl EscalationPolicies {
    /// The policy for such an alert: the first, by priority and then by age, whose conditions hold.
    #[must_use]
    pub fn policy_for(&self, subject: &Subject<'_>) -> Option<&EscalationPolicy> {
        let holds = |policy: &&EscalationPolicy| conditions::all_hold(&policy.when, subject);
        self.policies.iter().find(holds)
    }

    fn policy(&self, policy_id: Uuid) -> Option<&EscalationPolicy> {
        self.policies.iter().find(|policy| policy.policy_id == policy_id)
    }

    /// Whether a policy with these conditions has room among the others.
    fn takes(&self, policy_id: Uuid, when: &[Condition]) -> Result<(), Refusal> {
        let others = self.policies.iter().filter(|policy| policy.policy_id != policy_id);
        let others = others.map(|policy| &policy.when[..]);
        conditions::room(others, POLICIES_MAX, when).map_err(|full| match full {
            Full::Count => Refusal::TooManyPolicies,
            Full::Patterns => Refusal::TooManyPatterns,
        })
    }
}

/// What can be asked of a tenant's policies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Adds a policy, or replaces every field of one. It holds for issues that open or are reopened from then on; what is
    /// under way goes on as it began, unless the issue gets worse and another one holds for that. A policy that is changed keeps its age. A tenant has at most 100.
    SetPolicy {
        /// The policy; a new one when absent.
        #[serde(default)]
        policy_id: Option<Uuid>,
        /// What people call it. At most 255 characters.
        #[schemars(length(min = 1, max = NAME_CHARS_MAX))]
        name: String,
        /// The issues that it is for: those for whose first alert all of these hold, with the severity of the worst; every
        /// issue when absent. At most 16.
        #[serde(default)]
        #[schemars(length(max = conditions::CONDITIONS_MAX))]
        when: Vec<Condition>,
        /// Policies of a higher priority are asked first, and among equals the older: -1,000 to 1,000; 0 when absent.
        #[serde(default)]
        #[schemars(range(min = -PRIORITY_MAX, max = PRIORITY_MAX))]
        priority: i32,
        /// What is done, the earliest first. 1 to 10.
        #[schemars(length(min = 1, max = STEPS_MAX))]
        steps: Vec<EscalationStep>,
    },
    /// Takes a policy away. What is under way by it goes on.
    DropPolicy {
        /// The policy.
        policy_id: Uuid,
    },
}

// Stored for ever. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, strum::IntoStaticStr, strum::VariantNames,
)]
pub enum Event {
    EscalationPolicySet {
        policy_id: Uuid,
        name: String,
        when: Vec<Condition>,
        priority: i32,
        steps: Vec<EscalationStep>,
    },
    EscalationPolicyDropped {
        policy_id: Uuid,
    },
}

stored_by_variant!(Event);

impl domain::Event for Event {}

/// Why a policy is not changed.
// The names of its variants are those of the rules, which clients know.
#[derive(Debug, Clone, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Refusal {
    #[error("a tenant's policies of escalation are one stream and its id is {id}; send the command there")]
    OnePerTenant { id: Uuid },
    #[error(
        "policy_id names no policy of escalation; choose one of escalation_policies, or leave it out for a new one"
    )]
    NoSuchPolicy,
    #[error("there are {POLICIES_MAX} policies of escalation, as many as a tenant may have; drop one first")]
    TooManyPolicies,
    #[error(
        "the policies would have more than {PATTERNS_MAX} regular expressions in all; compare with equal, or drop a \
         policy first"
    )]
    TooManyPatterns,
    #[error("steps must have 1 to {STEPS_MAX} steps")]
    StepCount,
    #[error("steps[{place}] does nothing; name a receiver_im, a user to assign to, or both")]
    IdleStep { place: usize },
    #[error("steps[{place}].after_minutes must be more than those of the step before")]
    StepOrder { place: usize },
    #[error("steps[{place}].assign_to names no active person of this tenant; choose another")]
    NoPerson { place: usize },
    #[error("{detail}")]
    Condition { detail: String },
    #[error("{field} {unfit}")]
    Unfit { field: String, unfit: Unfit },
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        Class::Refused
    }
    fn rule(&self) -> &'static str {
        self.into()
    }
    fn rules() -> Vec<&'static str> {
        <Self as VariantNames>::VARIANTS.to_vec()
    }
    fn field(&self) -> Option<String> {
        Some(match self {
            Self::NoSuchPolicy => "policy_id".to_owned(),
            Self::TooManyPatterns | Self::Condition { .. } => "when".to_owned(),
            Self::StepCount => "steps".to_owned(),
            Self::IdleStep { place } => format!("steps[{place}]"),
            Self::StepOrder { place } => format!("steps[{place}].after_minutes"),
            Self::NoPerson { place } => format!("steps[{place}].assign_to"),
            Self::Unfit { field, .. } => field.clone(),
            Self::OnePerTenant { .. } | Self::TooManyPolicies => return None,
        })
    }
}

impl Decider for EscalationPolicies {
    const TYPE: &'static str = "dod.escalation-policy";
    const CREATES: &'static str = "set-policy";
    const ONE_PER_TENANT: bool = true;
    const PART: Option<&'static str> = Some("policy_id");
    const SHOWN_IN: Option<&'static str> = Some("escalation_policies");
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        Self::in_place(request.tenant, request.stream).map_err(|id| Refusal::OnePerTenant { id })?;
        match request.command {
            Command::SetPolicy {
                policy_id,
                name,
                when,
                priority,
                steps,
            } => {
                let unfit = |field: &str| {
                    let field = field.to_owned();
                    move |unfit| Refusal::Unfit { field, unfit }
                };
                text::required(name, NAME_CHARS_MAX).map_err(unfit("name"))?;
                conditions::check(when).map_err(|detail| Refusal::Condition { detail })?;
                text::within(*priority, -PRIORITY_MAX, PRIORITY_MAX).map_err(unfit("priority"))?;
                check_steps(steps, request)?;
                let before = policy_id.map(|id| self.policy(id).ok_or(Refusal::NoSuchPolicy));
                let before = before.transpose()?;
                let policy_id = before.map_or_else(|| request.ids.draw(), |policy| policy.policy_id);
                self.takes(policy_id, when)?;
                let asked = (name, when, *priority, steps);
                let says =
                    |policy: &EscalationPolicy| (&policy.name, &policy.when, policy.priority, &policy.steps) == asked;
                if before.is_some_and(says) {
                    return Ok(Vec::new());
                }
                Ok(vec![Event::EscalationPolicySet {
                    policy_id,
                    name: name.clone(),
                    when: when.clone(),
                    priority: *priority,
                    steps: steps.clone(),
                }])
            }
            Command::DropPolicy { policy_id } => match self.policy(*policy_id) {
                Some(_) => Ok(vec![Event::EscalationPolicyDropped { policy_id: *policy_id }]),
                None => Err(Refusal::NoSuchPolicy),
            },
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::EscalationPolicySet {
                policy_id,
                name,
                when,
                priority,
                steps,
            } => {
                let number = self.policy(*policy_id).map_or(self.count, |policy| policy.number);
                self.count = self.count.max(number + 1);
                self.policies.retain(|policy| policy.policy_id != *policy_id);
                self.policies.push(EscalationPolicy {
                    policy_id: *policy_id,
                    number,
                    name: name.clone(),
                    when: when.clone(),
                    priority: *priority,
                    steps: steps.clone(),
                });
                self.policies
                    .sort_by_key(|policy| (Reverse(policy.priority), policy.number));
            }
            Event::EscalationPolicyDropped { policy_id } => {
                self.policies.retain(|policy| policy.policy_id != *policy_id);
            }
        }
    }

    fn reads(&self, asking: &Asking<'_, Command>) -> Vec<FactRef> {
        match asking.command {
            Command::SetPolicy { steps, .. } => {
                let users = steps.iter().take(STEPS_MAX).filter_map(|step| step.assign_to);
                users.map(FactRef::of::<User>).collect()
            }
            Command::DropPolicy { .. } => Vec::new(),
        }
    }

    fn offers(&self, command: &str, stream: Uuid, asker: &Asker) -> Result<(), Refusal> {
        Self::in_place(asker.tenant, stream).map_err(|id| Refusal::OnePerTenant { id })?;
        match command {
            "drop-policy" if self.policies.is_empty() => Err(Refusal::NoSuchPolicy),
            _ => Ok(()),
        }
    }
}

fn check_steps(steps: &[EscalationStep], request: &Request<'_, Command>) -> Result<(), Refusal> {
    if steps.is_empty() || steps.len() > STEPS_MAX {
        return Err(Refusal::StepCount);
    }
    let mut before = 0;
    for (place, step) in steps.iter().enumerate() {
        let unfit = |field: &str| {
            let field = format!("steps[{place}].{field}");
            move |unfit| Refusal::Unfit { field, unfit }
        };
        text::within(step.after_minutes, 1, AFTER_MINUTES_MAX).map_err(unfit("after_minutes"))?;
        if step.after_minutes <= before {
            return Err(Refusal::StepOrder { place });
        }
        before = step.after_minutes;
        if step.receiver_im.is_none() && step.assign_to.is_none() {
            return Err(Refusal::IdleStep { place });
        }
        if let Some(receiver_im) = &step.receiver_im {
            text::required(receiver_im, RECEIVER_IM_CHARS_MAX).map_err(unfit("receiver_im"))?;
        }
        let is_person = |user_id: Uuid| request.facts.get::<User>(user_id).is_some_and(User::is_active_person);
        if step.assign_to.is_some_and(|user_id| !is_person(user_id)) {
            return Err(Refusal::NoPerson { place });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
