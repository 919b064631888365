//! Who is asked to approve what, what they decided, and who decides in whose place.

use chrono::{DateTime, Utc};
use cloudwatcher::ApprovalStatus;
use cloudwatcher::approval::{Approval, Event};
use cloudwatcher::delegation::{self, Delegations};
use domain::{AnyEvent, Recorded};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use uuid::Uuid;

use projections::cell::Word;
use projections::fold::{FoldError, Project, existing};
use projections::row;
use projections::table::Scope;

row! {
    /// One ask for approval of an order: a level, and the person who is to decide it.
    OrderApprovalRow = cloudwatcher.order_approvals
    key {
        /// The ask's id.
        id: Uuid,
    }
    columns {
        /// The order.
        order_id: Uuid,
        /// The person who is asked.
        approver_id: Uuid,
        /// 1 (manager), 2 (department head), 3 (director) and further up the tree.
        approval_level: i32,
        /// Whether it is open, or how it ended.
        status: Word<ApprovalStatus>,
        /// What was said with the decision.
        notes: Option<String>,
        /// When it was decided or ended otherwise.
        decision_at: Option<DateTime<Utc>>,
        /// Who decided: the person who was asked, or a delegate in their place.
        decided_by: Option<Uuid>,
        /// The revision of the order that it is about.
        revision: i32,
        /// The department whose manager is asked.
        department_id: Uuid,
        /// The sum of that revision, in the order's currency.
        order_total: Decimal,
        /// The order's currency, as an ISO 4217 code.
        currency: String,
        /// Until when it should be decided.
        due_at: DateTime<Utc>,
        /// Whether that time has passed with nobody above to ask instead.
        is_overdue: bool,
        /// Whether they are asked because the approval policy names them for where the tree of departments ends; then
        /// the department is the topmost.
        is_top: bool,
        /// Who was asked before and let the time pass.
        escalated_from: Option<Uuid>,
        /// Earlier orders of the buyer that, together with this one, buy for so much of one supplier that it would need
        /// more levels than each of them needs alone.
        split_with: Value,
        /// When it was asked.
        created_at: DateTime<Utc>,
    }
    generated {}
    find { id, order_id, approver_id, status, due_at, created_at }
    scope { Scope::Through { column: "order_id", parent: "orders" } }
    masked {}
    texts { notes }
}

impl Project for OrderApprovalRow {
    const OWNED: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        let Some(event) = recorded.of::<Approval>() else {
            return Vec::new();
        };
        match event {
            Event::LevelAsked { ask_id, .. }
            | Event::LevelApproved { ask_id, .. }
            | Event::LevelEscalated { ask_id, .. }
            | Event::LevelReassigned { ask_id, .. }
            | Event::ApprovalOverdue { ask_id, .. } => vec![*ask_id],
            Event::ApprovalRejected { ask_id, .. } => ask_id.iter().copied().collect(),
            Event::ApprovalVoided { ask_ids, .. } => ask_ids.clone(),
            Event::ApprovalAsked { .. } | Event::ApprovalGranted { .. } => Vec::new(),
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(event) = recorded.of::<Approval>() else {
            return Ok(row);
        };
        let ended = |status, decided_by, notes: Option<&String>| {
            let row = existing(row.clone())?;
            Ok(Self {
                status: Word(status),
                decided_by,
                notes: notes.cloned(),
                decision_at: Some(recorded.at),
                ..row
            })
        };
        Ok(Some(match event {
            Event::LevelAsked {
                ask_id: _,
                level,
                department_id,
                approver_id,
                due_at,
                escalated_from,
                revision,
                order_total,
                currency,
                split_with,
                is_top,
            } => Self {
                tenant_id: recorded.tenant_id,
                position: recorded.position,
                id,
                order_id: recorded.stream,
                approver_id: *approver_id,
                approval_level: *level,
                status: Word(ApprovalStatus::Pending),
                notes: None,
                decision_at: None,
                decided_by: None,
                revision: *revision,
                department_id: *department_id,
                order_total: *order_total,
                currency: currency.clone(),
                due_at: *due_at,
                is_overdue: false,
                is_top: *is_top,
                escalated_from: *escalated_from,
                split_with: json!(split_with),
                created_at: recorded.at,
            },
            Event::LevelApproved { by, notes, .. } => ended(ApprovalStatus::Approved, Some(*by), notes.as_ref())?,
            Event::ApprovalRejected { by, notes, .. } => ended(ApprovalStatus::Rejected, *by, Some(notes))?,
            Event::LevelEscalated { .. } => ended(ApprovalStatus::Escalated, None, None)?,
            // Somebody else is asked instead, so what was asked does not count.
            Event::LevelReassigned { .. } => ended(ApprovalStatus::Voided, None, None)?,
            Event::ApprovalOverdue { .. } => Self {
                is_overdue: true,
                ..existing(row)?
            },
            // Who had approved and what they said stays to be read; it does not count any more.
            Event::ApprovalVoided { .. } => Self {
                status: Word(ApprovalStatus::Voided),
                ..existing(row)?
            },
            Event::ApprovalAsked { .. } | Event::ApprovalGranted { .. } => return Ok(row),
        }))
    }
}

row! {
    /// A delegation: somebody decides on approvals in another's place, from one day to another.
    ApprovalDelegationRow = cloudwatcher.approval_delegations
    key {
        /// The delegation's id.
        id: Uuid,
    }
    columns {
        /// Whose approvals are decided.
        user_id: Uuid,
        /// Who decides in their place.
        delegate_id: Uuid,
        /// From when on.
        starts_at: DateTime<Utc>,
        /// Until just before this time.
        ends_at: DateTime<Utc>,
        /// For orders of these departments and all below them; empty for all.
        department_ids: Value,
        /// The highest total of an order; null without a limit.
        total_max: Option<Decimal>,
        /// The currency that orders must be in; null without a limit, and for an older one: that holds in any.
        currency: Option<String>,
        /// When it was ended early.
        revoked_at: Option<DateTime<Utc>>,
        /// When it was granted.
        created_at: DateTime<Utc>,
    }
    generated {}
    find { id, user_id, delegate_id, ends_at, created_at }
    scope { Scope::Tenant }
    masked {}
}

impl Project for ApprovalDelegationRow {
    const OWNED: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        let Some(event) = recorded.of::<Delegations>() else {
            return Vec::new();
        };
        match event {
            delegation::Event::DelegationGranted { delegation_id, .. }
            | delegation::Event::DelegationRevoked { delegation_id, .. } => vec![*delegation_id],
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(event) = recorded.of::<Delegations>() else {
            return Ok(row);
        };
        Ok(Some(match event {
            delegation::Event::DelegationGranted {
                delegation_id: _,
                to,
                starts_at,
                ends_at,
                department_ids,
                total_max,
                currency,
                granted_at: _,
            } => Self {
                tenant_id: recorded.tenant_id,
                position: recorded.position,
                id,
                user_id: recorded.stream,
                delegate_id: *to,
                starts_at: *starts_at,
                ends_at: *ends_at,
                department_ids: json!(department_ids),
                total_max: *total_max,
                currency: currency.clone(),
                revoked_at: None,
                created_at: recorded.at,
            },
            delegation::Event::DelegationRevoked { revoked_at, .. } => Self {
                revoked_at: Some(*revoked_at),
                ..existing(row)?
            },
        }))
    }
}
