//! Who may do everything in a tenant: active people with a role that grants `*`. One of them is always left, or nobody
//! could ever make another. A service is no person: it speaks by keys alone, which somebody has to issue.
//!
//! Who they are, a decision cannot find out by itself: it looks at the people of whom its facts tell because somebody
//! looked for them (`book::Step::witnesses`), and refuses as long as it sees nobody who stays. What it saw is checked
//! by the append like any fact, so that of two who remove each other at one moment the second is refused.

use domain::{FactRef, Facts};
use uuid::Uuid;

use crate::role::Role;
use crate::user::User;

/// The rule that one is left, as users and roles both call it.
pub const RULE: &str = "last-administrator";

/// Whether the facts tell of such a person, among these people and by a role among these.
pub(crate) fn is_another(facts: &Facts, of: impl Fn(Uuid) -> bool, by: impl Fn(Uuid) -> bool) -> bool {
    let grants = |role: Uuid| by(role) && facts.get::<Role>(role).is_some_and(Role::grants_everything);
    let mut people = facts.all::<User>();
    people.any(|(id, user)| of(id) && user.is_active_person() && user.roles().any(&grants))
}

/// The roles of the people of whom the facts tell.
pub(crate) fn roles_of_witnesses(facts: &Facts) -> Vec<FactRef> {
    let active = facts.all::<User>().filter(|(_, user)| user.is_active_person());
    active
        .flat_map(|(_, user)| user.roles())
        .map(FactRef::of::<Role>)
        .collect()
}
