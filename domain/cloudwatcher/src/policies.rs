//! The commands that Daybook sends by itself around orders, stock and requests.

mod expiry;
mod lease;
mod stock;
mod struck;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::approval::{self, Approval};
use super::buyer::{self, Buyer};
use super::order::{self, Order};
pub use expiry::StockExpiry;
pub use lease::RequestLeases;
pub use stock::OrderStock;
pub use struck::StockStruck;

use domain::{AnyCommand, AnyEvent, Decider, Policy, Reaction, Recorded, Seen, Sending};

/// Asks for approval when an order is submitted, tells the order what was decided, and sees to it that
/// no ask is forgotten.
#[derive(Debug)]
pub struct OrderApprovals;

impl Policy for OrderApprovals {
    fn name(&self) -> &'static str {
        "order-approvals"
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Order::TYPE, Approval::TYPE]
    }

    fn react(&self, seen: &Seen<'_>) -> Vec<Reaction> {
        if let Some(event) = seen.recorded.of::<Order>() {
            return of_order(event, seen.recorded);
        }
        if let Some(event) = seen.recorded.of::<Approval>() {
            return of_approval(event, seen.recorded);
        }
        Vec::new()
    }
}

fn of_order(event: &order::Event, recorded: &Recorded<AnyEvent>) -> Vec<Reaction> {
    let order_id = recorded.stream;
    match event {
        order::Event::OrderSubmitted {
            revision, drafted_by, ..
        } => {
            let note = buyer::Command::NoteSubmission {
                order_id,
                revision: *revision,
                submitted_at: recorded.at,
            };
            let ask = approval::Command::Ask {
                revision: *revision,
                submitted_at: Some(recorded.at),
            };
            // The approval looks at what the buyer submitted, this order included, so the two go together.
            vec![Reaction::send(vec![
                Sending::of::<Buyer>(*drafted_by, note),
                Sending::of::<Approval>(order_id, ask),
            ])]
        }
        order::Event::OrderCancelled { .. } => {
            let void = approval::Command::Void {
                by: Some(recorded.metadata.actor).filter(|actor| !domain::is_reserved(*actor)),
                cancelled_at: Some(recorded.at),
            };
            vec![Reaction::send(vec![Sending::of::<Approval>(order_id, void)])]
        }
        _ => Vec::new(),
    }
}

fn of_approval(event: &approval::Event, recorded: &Recorded<AnyEvent>) -> Vec<Reaction> {
    let order_id = recorded.stream;
    match event {
        approval::Event::LevelAsked { ask_id, due_at, .. } => {
            let escalate = approval::Command::Escalate { ask_id: *ask_id };
            vec![wait::<Approval>(*ask_id, *due_at, order_id, escalate)]
        }
        approval::Event::LevelApproved { ask_id, .. }
        | approval::Event::LevelEscalated { ask_id, .. }
        | approval::Event::LevelReassigned { ask_id, .. } => vec![Reaction::Forget { timer: *ask_id }],
        approval::Event::ApprovalVoided { ask_ids, .. } => {
            ask_ids.iter().map(|&timer| Reaction::Forget { timer }).collect()
        }
        approval::Event::ApprovalRejected { ask_id, .. } => {
            let forget = ask_id.map(|timer| Reaction::Forget { timer });
            forget.into_iter().chain([settle(order_id)]).collect()
        }
        approval::Event::ApprovalGranted { .. } => vec![settle(order_id)],
        approval::Event::ApprovalAsked { .. } | approval::Event::ApprovalOverdue { .. } => Vec::new(),
    }
}

fn settle(order_id: Uuid) -> Reaction {
    let settle = AnyCommand::of::<Order>(order::Command::SettleApproval {});
    Reaction::send(vec![Sending::to(order_id, settle)])
}

/// Has the command sent to the stream when it is time.
fn wait<D: Decider>(timer: Uuid, due_at: DateTime<Utc>, stream: Uuid, command: D::Command) -> Reaction {
    Reaction::Wait {
        timer,
        due_at,
        sending: Sending::of::<D>(stream, command),
    }
}

#[cfg(test)]
mod tests;
