//! Why a command is refused, as a value.

use std::fmt::Debug;

use serde_json::Value;

use crate::Decider;
use crate::misread::Misread;

/// The rule that keeps commands for Daybook itself.
pub const ONLY_DAYBOOK: &str = "only-daybook";

/// The kind of "no" that a refusal is; the API turns it into a status in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The stream has no events yet, so there is nothing to command.
    Missing,
    /// A rule forbids it: for this actor, not at all.
    Forbidden,
    /// A key or an id, which tells one thing apart from all others, was used for another thing before.
    Conflict,
    /// A rule forbids it in the present state or with these values.
    Refused,
}

/// A refusal of one aggregate. Its `Display` says what is wrong and what would satisfy the rule.
pub trait Refuse: std::error::Error + Clone + PartialEq + Send + Sync + 'static {
    fn class(&self) -> Class;
    /// The rule's stable name in kebab case; part of the problem `type` and so of the API.
    fn rule(&self) -> &'static str;
    /// The names of all its rules.
    fn rules() -> Vec<&'static str>;
    /// The command's field at fault, as a JSON path (`items[2].quantity`).
    fn field(&self) -> Option<String>;
    /// What else is wrong with the command's fields, where the decision tells more than the first.
    fn others(&self) -> Vec<Misread> {
        Vec::new()
    }
    /// What the sentence says, for programs: ids, times and words, under stable names.
    fn particulars(&self) -> Option<Value> {
        None
    }
}

/// Why a decider said no, with its type erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub aggregate_type: &'static str,
    pub class: Class,
    /// The rule's name in kebab case.
    pub rule: &'static str,
    pub field: Option<String>,
    /// See [`Refuse::others`].
    pub others: Vec<Misread>,
    /// See [`Refuse::particulars`].
    pub particulars: Option<Box<Value>>,
    /// Says what is wrong and what would satisfy the rule.
    pub detail: String,
}

impl Refusal {
    /// The refusal of a command that Daybook alone sends, see [`Decider::ONLY_DAYBOOK`].
    #[must_use]
    pub fn only_daybook(aggregate_type: &'static str, command: &str) -> Self {
        Self {
            aggregate_type,
            class: Class::Forbidden,
            rule: ONLY_DAYBOOK,
            field: None,
            others: Vec::new(),
            particulars: None,
            detail: format!("Daybook alone sends {command}, when what it tells of has happened; nobody else can"),
        }
    }

    #[must_use]
    pub fn of<D: Decider>(refusal: &D::Refusal) -> Self {
        Self {
            aggregate_type: D::TYPE,
            class: refusal.class(),
            rule: refusal.rule(),
            field: refusal.field(),
            others: refusal.others(),
            particulars: refusal.particulars().map(Box::new),
            detail: refusal.to_string(),
        }
    }
}
