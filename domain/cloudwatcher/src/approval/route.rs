//! Who has to approve an order: pure functions of the order's department, total and currency and of
//! the facts about people. `order` asks them at submit, `approval` when it asks, escalates and reassigns.

use rust_decimal::Decimal;
use uuid::Uuid;

use crate::approval_policy::ApprovalPolicy;
use crate::order::Submitted;
use domain::register::{OnePerTenant, Register};
use domain::{FactRef, Facts};
use identity::department::{self, Department};
use identity::role::Role;
use identity::user::User;

/// The permission without which nobody approves an order.
pub const PERMISSION: &str = "orders.approve";

/// The submission that is to be routed.
#[derive(Debug, Clone, Copy)]
pub struct Routing<'a> {
    pub tenant: Uuid,
    /// The department that orders.
    pub department_id: Uuid,
    pub currency: &'a str,
    /// The order's total, in its currency.
    pub total: Decimal,
    pub drafted_by: Uuid,
    pub submitted_by: Uuid,
}

impl<'a> Routing<'a> {
    /// An order as it was submitted.
    #[must_use]
    pub fn of(submitted: &'a Submitted, tenant: Uuid) -> Self {
        Self {
            tenant,
            department_id: submitted.department_id,
            currency: &submitted.currency,
            total: submitted.total,
            drafted_by: submitted.drafted_by,
            submitted_by: submitted.submitted_by,
        }
    }
}

/// One level of approval and who is asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat {
    /// From 1.
    pub level: i32,
    /// The department whose manager is asked: the order's own or one above it; the topmost where none is left.
    pub department_id: Uuid,
    pub approver_id: Uuid,
    /// Whether they are asked because the policy names them for where the tree ends.
    pub is_top: bool,
}

/// The variant of a refusal that holds a [`NoRoute`]; the rules are that one's.
pub const NO_ROUTE: &str = "no-route";

/// Why an order cannot be approved by anybody. Refused at submit, so that the one who can still change
/// the order hears it.
// The names of its variants are those of the rules, which clients know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum NoRoute {
    #[error(
        "the approval policy has no thresholds for orders in {currency}; add the currency to the policy or order in \
         one that it has"
    )]
    NoThresholds { currency: String },
    #[error(
        "level {level} of the {levels} levels of approval that this order needs has nobody to decide it; above the \
         order's department, or among the top_deciders of the approval policy, there must be one person for each level, \
         active, with {PERMISSION}, who neither drafted nor submitted the order nor decides another level of it"
    )]
    NoApprover { level: i32, levels: i32 },
}

impl NoRoute {
    /// The rule's stable name.
    #[must_use]
    pub fn rule(&self) -> &'static str {
        self.into()
    }

    /// The field at fault, if there is one.
    #[must_use]
    pub fn field(&self) -> Option<String> {
        match self {
            Self::NoThresholds { .. } => Some("currency".to_owned()),
            Self::NoApprover { .. } => None,
        }
    }
}

/// The facts that [`route`] reads, as far as the facts lead: the policy, the departments up the tree, their
/// managers, whom the policy names for where the tree ends, and all their roles.
#[must_use]
pub fn route_reads(tenant: Uuid, department_id: Uuid, facts: &Facts) -> Vec<FactRef> {
    let mut refs = vec![ApprovalPolicy::fact(tenant)];
    let mut managers: Vec<Uuid> = Vec::new();
    for department_id in up(department_id, facts) {
        refs.push(FactRef::of::<Register<Department>>(department_id));
        managers.extend(manager(department_id, facts).filter(|manager| !managers.contains(manager)));
    }
    let top = top_deciders(tenant, facts).into_iter();
    for person in top {
        if !managers.contains(&person) {
            managers.push(person);
        }
    }
    for manager in managers {
        refs.extend(approver_reads(manager, facts));
    }
    refs
}

/// The facts that [`may_approve`] reads: the user and the user's roles.
#[must_use]
pub fn approver_reads(user_id: Uuid, facts: &Facts) -> Vec<FactRef> {
    let mut refs = vec![FactRef::of::<User>(user_id)];
    let roles = facts.get::<User>(user_id).into_iter().flat_map(User::roles);
    refs.extend(roles.map(FactRef::of::<Role>));
    refs
}

/// Who has to approve the order, level by level; nobody when its total is below the first threshold.
///
/// # Errors
/// [`NoRoute`], which says what would make it possible.
pub fn route(routing: &Routing<'_>, facts: &Facts) -> Result<Vec<Seat>, NoRoute> {
    let levels = levels(routing, facts)?;
    let wanted = Wanted {
        levels: (1, levels),
        from: 0,
        excluded: &[routing.drafted_by, routing.submitted_by],
        top: &top_deciders(routing.tenant, facts),
    };
    wanted.seats(&tree(routing.department_id, facts), facts)
}

/// Levels of approval that the order needs.
///
/// # Errors
/// [`NoRoute::NoThresholds`].
pub fn levels(routing: &Routing<'_>, facts: &Facts) -> Result<i32, NoRoute> {
    ApprovalPolicy::in_force(routing.tenant, facts)
        .levels(routing.currency, routing.total, &tree(routing.department_id, facts))
        .ok_or_else(|| NoRoute::NoThresholds {
            currency: routing.currency.to_owned(),
        })
}

/// The department and those above it, the lowest first.
#[must_use]
pub fn tree(department_id: Uuid, facts: &Facts) -> Vec<Uuid> {
    up(department_id, facts).collect()
}

/// The levels for which people are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The first and the last level, both included.
    pub levels: (i32, i32),
    /// The place in the tree from which on managers are asked; 0 is the order's own department.
    pub from: usize,
    /// Who is passed over, whatever they manage.
    pub excluded: &'a [Uuid],
    /// Who is asked when the tree ends, see [`top_deciders`].
    pub top: &'a [Uuid],
}

impl Wanted<'_> {
    /// One person for each level, each once, going up the tree.
    ///
    /// # Errors
    /// [`NoRoute::NoApprover`] for the first level that nobody is left for.
    pub fn seats(&self, tree: &[Uuid], facts: &Facts) -> Result<Vec<Seat>, NoRoute> {
        let (first, last) = self.levels;
        let mut seats: Vec<Seat> = Vec::new();
        let mut above = tree.iter().skip(self.from);
        for level in first..=last {
            let named: Vec<Uuid> = seats.iter().map(|seat| seat.approver_id).collect();
            seats.push(self.next(level, &mut above, tree.last(), &named, facts)?);
        }
        Ok(seats)
    }

    /// The person for the first of the levels.
    ///
    /// # Errors
    /// [`NoRoute::NoApprover`] when there is none.
    pub fn first(&self, tree: &[Uuid], facts: &Facts) -> Result<Seat, NoRoute> {
        self.next(self.levels.0, &mut tree.iter().skip(self.from), tree.last(), &[], facts)
    }

    fn next<'t>(
        &self,
        level: i32,
        above: &mut impl Iterator<Item = &'t Uuid>,
        topmost: Option<&Uuid>,
        named: &[Uuid],
        facts: &Facts,
    ) -> Result<Seat, NoRoute> {
        let is_asked = |person: Uuid| {
            let passed_over = named.contains(&person) || self.excluded.contains(&person);
            !passed_over && may_approve(person, facts)
        };
        let seat = above.find_map(|&department_id| {
            let approver_id = manager(department_id, facts)?;
            is_asked(approver_id).then_some(Seat {
                level,
                department_id,
                approver_id,
                is_top: false,
            })
        });
        let top = || {
            let approver_id = self.top.iter().copied().find(|&person| is_asked(person))?;
            Some(Seat {
                level,
                department_id: *topmost?,
                approver_id,
                is_top: true,
            })
        };
        seat.or_else(top).ok_or(NoRoute::NoApprover {
            level,
            levels: self.levels.1,
        })
    }
}

/// Whether the user is active and one of their roles in use grants [`PERMISSION`].
#[must_use]
pub fn may_approve(user_id: Uuid, facts: &Facts) -> bool {
    facts.get::<User>(user_id).is_some_and(|user| {
        user.is_active()
            && user
                .roles()
                .any(|role_id| facts.get::<Role>(role_id).is_some_and(|role| role.permits(PERMISSION)))
    })
}

/// Whom the policy names for where the tree of departments ends.
#[must_use]
pub fn top_deciders(tenant: Uuid, facts: &Facts) -> Vec<Uuid> {
    ApprovalPolicy::in_force(tenant, facts).top_deciders.clone()
}

/// The manager of a department in use.
#[must_use]
pub fn manager(department_id: Uuid, facts: &Facts) -> Option<Uuid> {
    Register::<Department>::active_in(department_id, facts)?.manager_id
}

/// The department and those above it, lowest first, as far as the facts tell. A struck department keeps
/// its place in the tree, but nobody approves as its manager.
fn up(department_id: Uuid, facts: &Facts) -> impl Iterator<Item = Uuid> + '_ {
    std::iter::successors(Some(department_id), |&department_id| {
        match facts.get::<Register<Department>>(department_id)? {
            Register::Entered(department) | Register::Struck(department) => department.parent_id,
            Register::Unborn => None,
        }
    })
    .take(department::LEVELS_MAX)
}
