//! Who may decide the open level, judged from the facts of now.

use uuid::Uuid;

use super::{Command, OpenLevel, Pending, Refusal, route};
use crate::delegation::Delegations;
use domain::{Facts, Request};

impl Pending {
    /// In whose place `by` decides the open level: nobody's when they are the named approver.
    ///
    /// # Errors
    /// The rule by which they may not.
    pub(super) fn entitled(&self, open: &OpenLevel, request: &Request<'_, Command>) -> Result<Option<Uuid>, Refusal> {
        let Request {
            tenant, by, at, facts, ..
        } = *request;
        let OpenLevel { level, approver_id, .. } = *open;
        let tree = route::tree(self.asked.department_id, facts);
        let delegated = || {
            facts.get::<Delegations>(approver_id).is_some_and(|delegations| {
                delegations.cover(by, at, &tree, (self.asked.order_total, self.asked.currency.as_str()))
            })
        };
        if by != approver_id && !delegated() {
            // Whoever was asked before is told what became of it; others learn nothing else of the order.
            let over = self.asked.over(by, at, facts);
            if let Some(over) = over.filter(|_| !self.involved().contains(&by)) {
                return Err(over);
            }
            self.may_decide(by, facts)?;
            return Err(Refusal::NotAskedOfYou { level, approver_id });
        }
        if by != approver_id {
            self.may_decide(by, facts)?;
        }
        self.apart(by)?;
        if !open.holds(&tree, tenant, facts) {
            return Err(Refusal::ApproverGone { approver_id });
        }
        Ok((by != approver_id).then_some(approver_id))
    }

    /// Whether `by` may decide on this order at all.
    fn may_decide(&self, by: Uuid, facts: &Facts) -> Result<(), Refusal> {
        if !route::may_approve(by, facts) {
            return Err(Refusal::NotPermitted);
        }
        self.apart(by)
    }

    /// Whether `by` neither ordered nor had to do with a level below.
    ///
    /// # Errors
    /// [`Refusal::OwnOrder`] or [`Refusal::DecidedAlready`].
    pub(super) fn apart(&self, by: Uuid) -> Result<(), Refusal> {
        if self.involved().contains(&by) {
            return Err(Refusal::OwnOrder);
        }
        let mut decided = self.decided.iter();
        match decided.find(|decided| decided.people().any(|one| one == by)) {
            Some(decided) => Err(Refusal::DecidedAlready { level: decided.level }),
            None => Ok(()),
        }
    }

    /// Who can never decide on this revision.
    pub(super) fn involved(&self) -> [Uuid; 2] {
        [self.asked.drafted_by, self.asked.submitted_by]
    }
}

impl OpenLevel {
    /// Whether the named person is still who would be asked: the manager of a department in use that is
    /// the order's or above it, or one of those whom the policy names, active, with the permission.
    pub(super) fn holds(&self, tree: &[Uuid], tenant: Uuid, facts: &Facts) -> bool {
        let is_in_place = if self.is_top {
            route::top_deciders(tenant, facts).contains(&self.approver_id)
        } else {
            tree.contains(&self.department_id) && route::manager(self.department_id, facts) == Some(self.approver_id)
        };
        is_in_place && route::may_approve(self.approver_id, facts)
    }
}

impl super::DecidedLevel {
    /// Who decided it, and in whose place.
    pub(super) fn people(&self) -> impl Iterator<Item = Uuid> {
        std::iter::once(self.by).chain(self.on_behalf_of)
    }
}
