//! The people of a tenant who may do everything, for decisions that keep one of them.

use book::tenants::Happened;
use book::{Book, BookError};
use domain::{Decider as _, FactRef};
use futures::FutureExt as _;
use http::context::Witnesses;
use identity::administrators::RULE;
use identity::role::{self, Role};
use identity::user::{self, User};
use uuid::Uuid;

/// Whoever is looked for, for users and for roles.
pub const WITNESSES: &[Witnesses] = &[
    Witnesses {
        aggregate_type: User::TYPE,
        rule: RULE,
        find: |book, tenant| administrators(book, tenant).boxed(),
    },
    Witnesses {
        aggregate_type: Role::TYPE,
        rule: RULE,
        find: |book, tenant| administrators(book, tenant).boxed(),
    },
];

/// Roles of a tenant that are looked at.
const ROLES_MAX: i64 = 10_000;
/// People who once had such a role that are looked at.
const CANDIDATES_MAX: i64 = 1_000;
/// People whom a decision sees: more than one could do without, and few enough that all their roles are read with them.
const WITNESSES_MAX: usize = 20;

/// Some of the active people of a tenant with a role that grants `*`, as they are now.
///
/// # Errors
/// The failure of the book.
pub async fn administrators(book: &Book, tenant: Uuid) -> Result<Vec<FactRef>, BookError> {
    let roles = book.holders(tenant, role::NAME, None, Uuid::nil(), ROLES_MAX).await?;
    let states = book.fresh::<Role>(tenant, &roles).await?;
    let everything: Vec<Uuid> = roles
        .into_iter()
        .zip(states)
        .filter(|(_, role)| role.as_deref().is_some_and(Role::grants_everything))
        .map(|(id, _)| id)
        .collect();
    if everything.is_empty() {
        return Ok(Vec::new());
    }
    let values: Vec<String> = everything.iter().map(Uuid::to_string).collect();
    let assigned = Happened {
        event_type: "UserRoleAssigned",
        field: "role_id",
        values: &values,
    };
    let people = book
        .holders(tenant, user::EMAIL, Some(assigned), Uuid::nil(), CANDIDATES_MAX)
        .await?;
    let states = book.fresh::<User>(tenant, &people).await?;
    let are = people.into_iter().zip(states).filter(|(_, user)| {
        let user = user.as_deref();
        user.is_some_and(|user| user.is_active_person() && user.roles().any(|role| everything.contains(&role)))
    });
    Ok(are.map(|(id, _)| FactRef::of::<User>(id)).take(WITNESSES_MAX).collect())
}
