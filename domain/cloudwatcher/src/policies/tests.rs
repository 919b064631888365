use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::*;
use crate::approval::WhyVoid;
use domain::Metadata;
use rehearsal::given::TENANT;

const ORDER: Uuid = Uuid::from_u128(0x1);
const DRAFTER: Uuid = Uuid::from_u128(0x2);
const ASK: Uuid = Uuid::from_u128(0x3);
const AT: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// An event of this stream, as a policy sees it.
pub(super) fn recorded<D: Decider>(stream: Uuid, event: D::Event) -> Recorded<AnyEvent> {
    Recorded {
        position: 1,
        event_id: stream,
        tenant_id: TENANT,
        aggregate_type: D::TYPE.to_owned(),
        stream,
        sequence: 1,
        event_type: String::new(),
        event_version: String::new(),
        metadata: Metadata::default(),
        at: AT,
        recorded_at: AT,
        event: AnyEvent::new::<D>(event),
    }
}

fn react<D: Decider>(event: D::Event) -> Vec<Reaction> {
    OrderApprovals.react(&Seen::new(&recorded::<D>(ORDER, event), None))
}

fn sends<D: Decider>(command: D::Command) -> Vec<Reaction> {
    vec![Reaction::send(vec![Sending::of::<D>(ORDER, command)])]
}

fn forgets() -> Reaction {
    Reaction::Forget { timer: ASK }
}

#[test]
fn the_policy_is_one_of_the_list_and_reads_orders_and_approvals() {
    assert!(
        crate::CONTEXT
            .policies
            .iter()
            .any(|policy| policy.name() == "order-approvals")
    );
    assert_eq!(OrderApprovals.reads(), ["cloudwatcher.order", "cloudwatcher.approval"]);
}

#[test]
fn a_submitted_order_is_noted_and_asked_for_as_one() {
    let submitted = order::Event::OrderSubmitted {
        revision: 2,
        items: Vec::new(),
        total: Decimal::ZERO,
        content_hash: String::new(),
        drafted_by: DRAFTER,
        submitted_by: ORDER,
    };
    let note = buyer::Command::NoteSubmission {
        order_id: ORDER,
        revision: 2,
        submitted_at: AT,
    };
    let ask = approval::Command::Ask {
        revision: 2,
        submitted_at: Some(AT),
    };
    assert_eq!(
        react::<Order>(submitted),
        [Reaction::send(vec![
            Sending::of::<Buyer>(DRAFTER, note),
            Sending::of::<Approval>(ORDER, ask),
        ])]
    );
}

#[test]
fn a_cancelled_order_voids_its_approval_and_says_who_cancelled_it_and_when() {
    for (actor, by) in [(DRAFTER, Some(DRAFTER)), (domain::SYSTEM, None)] {
        let mut cancelled = recorded::<Order>(ORDER, order::Event::OrderCancelled {});
        cancelled.metadata.actor = actor;
        let void = approval::Command::Void {
            by,
            cancelled_at: Some(AT),
        };
        assert_eq!(
            OrderApprovals.react(&Seen::new(&cancelled, None)),
            sends::<Approval>(void)
        );
    }
}

#[test]
fn a_decision_is_settled_with_the_order() {
    let settle = || sends::<Order>(order::Command::SettleApproval {});
    let granted = approval::Event::ApprovalGranted {
        revision: 1,
        content_hash: String::new(),
        approved_by: None,
    };
    assert_eq!(react::<Approval>(granted), settle());
    let rejected = |ask_id| approval::Event::ApprovalRejected {
        revision: 1,
        ask_id,
        level: None,
        by: None,
        on_behalf_of: None,
        notes: String::new(),
        at: Some(AT),
    };
    assert_eq!(react::<Approval>(rejected(None)), settle());
    let both: Vec<_> = [forgets()].into_iter().chain(settle()).collect();
    assert_eq!(react::<Approval>(rejected(Some(ASK))), both);
}

#[test]
fn an_ask_that_is_not_decided_in_time_is_escalated() {
    let asked = approval::Event::LevelAsked {
        ask_id: ASK,
        level: 1,
        department_id: ORDER,
        approver_id: DRAFTER,
        due_at: AT,
        escalated_from: None,
        revision: 1,
        order_total: Decimal::ZERO,
        currency: "EUR".to_owned(),
        split_with: Vec::new(),
        is_top: false,
    };
    let escalate = approval::Command::Escalate { ask_id: ASK };
    assert_eq!(
        react::<Approval>(asked),
        [Reaction::Wait {
            timer: ASK,
            due_at: AT,
            sending: Sending::of::<Approval>(ORDER, escalate),
        }]
    );
}

#[test]
fn an_ask_that_is_over_is_forgotten() {
    let (level, from, to) = (1, ORDER, DRAFTER);
    let over = [
        approval::Event::LevelApproved {
            ask_id: ASK,
            level,
            by: DRAFTER,
            on_behalf_of: None,
            notes: None,
            at: Some(AT),
        },
        approval::Event::LevelEscalated {
            ask_id: ASK,
            level,
            from,
            to,
            at: Some(AT),
        },
        approval::Event::LevelReassigned {
            ask_id: ASK,
            level,
            from,
            to,
            by: Some(DRAFTER),
            at: Some(AT),
        },
        approval::Event::ApprovalVoided {
            ask_ids: vec![ASK],
            revision: 1,
            why: WhyVoid::OrderCancelled,
            by: None,
            at: Some(AT),
        },
    ];
    for event in over {
        assert_eq!(react::<Approval>(event), [forgets()]);
    }
    let nothing_open = approval::Event::ApprovalVoided {
        ask_ids: Vec::new(),
        revision: 1,
        why: WhyVoid::OrderCancelled,
        by: None,
        at: Some(AT),
    };
    assert_eq!(react::<Approval>(nothing_open), []);
}

#[test]
fn other_events_ask_for_nothing() {
    let overdue = approval::Event::ApprovalOverdue {
        ask_id: ASK,
        level: 1,
        approver_id: DRAFTER,
    };
    assert_eq!(react::<Approval>(overdue), []);
    let removed = order::Event::OrderItemRemoved {
        item_id: ASK,
        was: None,
        named: Vec::new(),
    };
    assert_eq!(react::<Order>(removed), []);
}
