//! The conditions under which an order is submitted and placed.

use uuid::Uuid;

use super::check::{check_prices, content_reads, outdated, usable};
use super::{Command, Content, Event, Refusal, Submitted};
use crate::approval::route::{self, Routing};
use crate::approval::{Approval, Verdict};
use domain::{Asking, FactRef, Request, SYSTEM};

/// The content handed in for approval, if everything is there that this needs.
pub(super) fn handed_in(content: &Content, request: &Request<'_, Command>) -> Result<Event, Refusal> {
    by_a_user(request.by)?;
    usable(content, request.facts).map_err(outdated)?;
    route::route(&routing(content, request.tenant, request.by), request.facts)?;
    // They may be older than the rule.
    check_prices(&content.currency, &content.items)?;
    Ok(content.submission(request.by))
}

/// The facts that [`handed_in`] reads.
pub(super) fn hand_in_reads(content: &Content, asking: &Asking<'_, Command>) -> Vec<FactRef> {
    let mut refs = content_reads(content);
    refs.extend(route::route_reads(asking.tenant, content.department_id, asking.facts));
    refs
}

fn routing(content: &Content, tenant: Uuid, submitted_by: Uuid) -> Routing<'_> {
    Routing {
        tenant,
        department_id: content.department_id,
        currency: &content.currency,
        total: content.total,
        drafted_by: content.drafted_by,
        submitted_by,
    }
}

/// Whether the order may be placed: read from its approval, whatever the order's own state says, and from what it refers to,
/// which may have been struck since. Goods that are ordered of what is struck could never be booked.
pub(super) fn placeable(now: &Content, submitted: &Submitted, request: &Request<'_, Command>) -> Result<(), Refusal> {
    let revision = submitted.revision;
    match verdict(submitted, request) {
        Verdict::Granted { .. } if submitted.covers(now) => usable(now, request.facts).map_err(outdated),
        Verdict::Granted { .. } => Err(Refusal::BeyondApproval { revision }),
        Verdict::None | Verdict::Pending | Verdict::Rejected { .. } => Err(Refusal::ApprovalGone { revision }),
    }
}

/// The facts that [`placeable`] reads.
pub(super) fn place_reads(content: &Content, order_id: Uuid) -> Vec<FactRef> {
    let mut refs = vec![FactRef::of::<Approval>(order_id)];
    refs.extend(content_reads(content));
    refs
}

/// The verdict of the order's approval on exactly what was submitted last.
pub(super) fn verdict(submitted: &Submitted, request: &Request<'_, Command>) -> Verdict {
    request
        .facts
        .get::<Approval>(request.stream)
        .map_or(Verdict::None, |approval| {
            approval.verdict(submitted.revision, &submitted.content_hash)
        })
}

pub(super) fn by_a_user(by: Uuid) -> Result<(), Refusal> {
    if by == SYSTEM {
        return Err(Refusal::NeedsAUser);
    }
    Ok(())
}
