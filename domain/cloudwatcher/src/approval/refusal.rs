//! Why a command to an approval is refused.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use strum::VariantNames;
use uuid::Uuid;

use super::Over;
use super::route::{NO_ROUTE, NoRoute, PERMISSION};
use domain::text::Unfit;
use domain::{Class, Refuse, moment};

// The names of its variants are those of the rules, which clients know.
#[derive(Debug, Clone, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Refusal {
    #[error("no approval was asked for this order; submit the order first")]
    NotAsked,
    #[error("the order does not wait for approval of revision {revision}; submit it, or name its latest revision")]
    NotWaiting { revision: i32 },
    #[error("this approval is {state} and decided no more; only a pending one can be decided or reassigned")]
    NotPending { state: &'static str },
    #[error(
        "the order was submitted again as revision {current} by user {submitted_by}{}; look at it again and decide on \
         that revision",
        moment::at(*.at)
    )]
    StaleRevision {
        current: i32,
        submitted_by: Uuid,
        at: Option<DateTime<Utc>>,
    },
    #[error(
        "revision names none that approval was asked for; the latest is {current}, so look at that one and name it"
    )]
    UnknownRevision { current: i32 },
    #[error("{over}")]
    Over { over: Box<Over> },
    #[error("the order no longer waits for this approval; look at the order again")]
    OrderMovedOn,
    #[error("this approval was not asked of you; leave it to those of whom it was asked")]
    NotConcerned,
    #[error("deciding on an order needs an active user with the permission {PERMISSION}; ask one who has it")]
    NotPermitted,
    #[error(
        "who drafted or submitted an order does not decide on it, not even in somebody's place; leave it to another"
    )]
    OwnOrder,
    #[error("level {level} of this order was decided by you or in your place; leave this level to another person")]
    DecidedAlready { level: i32 },
    #[error(
        "level {level} is asked of user {approver_id}; only they decide it, or somebody to whom they themselves \
         delegated orders of this department and total for this time"
    )]
    NotAskedOfYou { level: i32, approver_id: Uuid },
    #[error(
        "user {approver_id}, of whom this is asked, may no longer decide it, being inactive, without the permission \
         {PERMISSION} or no longer in the place for which they were asked; reassign the approval first"
    )]
    ApproverGone { approver_id: Uuid },
    #[error(
        "user {approver_id}, of whom this is asked, may still decide it; wait for them, for their delegate or for the \
         deadline"
    )]
    StillEntitled { approver_id: Uuid },
    #[error(transparent)]
    NoRoute(#[from] NoRoute),
    #[error("the approver has time until {}; it can be escalated after that", moment::told(*.due_at))]
    NotDue { due_at: DateTime<Utc> },
    #[error("the order still waits for this approval or rests on it; cancel the order or change it first")]
    StillNeeded,
    #[error("notes {unfit}")]
    Unfit { unfit: Unfit },
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        match self {
            Self::NotAsked => Class::Missing,
            Self::NotConcerned
            | Self::NotPermitted
            | Self::OwnOrder
            | Self::NotAskedOfYou { .. } => Class::Forbidden,
            Self::NotWaiting { .. }
            | Self::NotPending { .. }
            | Self::StaleRevision { .. }
            | Self::UnknownRevision { .. }
            // They were asked, so that they may hear of it wherever they belong.
            | Self::Over { .. }
            | Self::DecidedAlready { .. }
            | Self::OrderMovedOn
            | Self::ApproverGone { .. }
            | Self::StillEntitled { .. }
            | Self::NoRoute(_)
            | Self::NotDue { .. }
            | Self::StillNeeded
            | Self::Unfit { .. } => Class::Refused,
        }
    }

    fn rule(&self) -> &'static str {
        match self {
            Self::NoRoute(no_route) => no_route.rule(),
            own => own.into(),
        }
    }
    fn rules() -> Vec<&'static str> {
        let own = <Self as VariantNames>::VARIANTS.iter();
        let own = own.filter(|name| **name != NO_ROUTE);
        own.chain(NoRoute::VARIANTS).copied().collect()
    }

    fn field(&self) -> Option<String> {
        match self {
            Self::NotWaiting { .. } | Self::StaleRevision { .. } | Self::UnknownRevision { .. } => {
                Some("revision".to_owned())
            }
            Self::NotDue { .. } => Some("ask_id".to_owned()),
            Self::Unfit { .. } => Some("notes".to_owned()),
            // The command has no field for what the route lacks.
            Self::NoRoute(_)
            | Self::NotAsked
            | Self::NotPending { .. }
            | Self::OrderMovedOn
            | Self::Over { .. }
            | Self::NotConcerned
            | Self::NotPermitted
            | Self::OwnOrder
            | Self::DecidedAlready { .. }
            | Self::NotAskedOfYou { .. }
            | Self::ApproverGone { .. }
            | Self::StillEntitled { .. }
            | Self::StillNeeded => None,
        }
    }

    fn particulars(&self) -> Option<Value> {
        match self {
            Self::Over { over } => Some(over.particulars()),
            Self::StaleRevision {
                current,
                submitted_by,
                at,
            } => Some(json!({ "revision": current, "became": "resubmitted", "by": submitted_by, "at": at })),
            _ => None,
        }
    }
}
