//! Who may decide the open level, judged from the facts of now.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{OpenLevel, Pending, Refusal, route};
use crate::delegation::Delegations;
use domain::Facts;

impl Pending {
    /// In whose place `by` decides the open level: nobody's when they are the named approver.
    ///
    /// # Errors
    /// The rule by which they may not.
    pub(super) fn entitled(
        &self,
        open: &OpenLevel,
        by: Uuid,
        at: DateTime<Utc>,
        facts: &Facts,
    ) -> Result<Option<Uuid>, Refusal> {
        if !route::may_approve(by, facts) {
            return Err(Refusal::NotPermitted);
        }
        self.apart(by)?;
        let OpenLevel { level, approver_id, .. } = *open;
        let tree = route::tree(self.asked.department_id, facts);
        let delegated = || {
            facts
                .get::<Delegations>(approver_id)
                .is_some_and(|delegations| delegations.cover(by, at, &tree, self.asked.order_total))
        };
        if by != approver_id && !delegated() {
            return Err(Refusal::NotAskedOfYou { level, approver_id });
        }
        if !open.holds(&tree, facts) {
            return Err(Refusal::ApproverGone { approver_id });
        }
        Ok((by != approver_id).then_some(approver_id))
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
    /// the order's or above it, active, with the permission.
    pub(super) fn holds(&self, tree: &[Uuid], facts: &Facts) -> bool {
        tree.contains(&self.department_id)
            && route::manager(self.department_id, facts) == Some(self.approver_id)
            && route::may_approve(self.approver_id, facts)
    }
}

impl super::DecidedLevel {
    /// Who decided it, and in whose place.
    pub(super) fn people(&self) -> impl Iterator<Item = Uuid> {
        std::iter::once(self.by).chain(self.on_behalf_of)
    }
}
