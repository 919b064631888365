//! What is looked at before a role is decided about: that it grants what something asks for, and that its id is nobody
//! else's.

use domain::{Decider as _, Refusal};
use http::context::{Check, Checked};
use http::permissions;
use identity::role::{self, Command, Role, check_permission};

pub const CHECKS: &[Check] = &[
    Check {
        aggregate_type: Role::TYPE,
        command: "define",
        check,
    },
    Check {
        aggregate_type: Role::TYPE,
        command: "grant",
        check,
    },
];

fn check(checked: &Checked<'_>) -> Result<(), Refusal> {
    let refused = |refusal: role::Refusal| Refusal::of::<Role>(&refusal);
    match checked.command.typed::<Role>() {
        Some(Command::Define { name, permissions, .. }) => {
            if let Some(id) = checked.addressed {
                role::check_chosen(checked.tenant, id, name).map_err(refused)?;
            }
            let fields = (0..permissions.len()).map(|index| format!("permissions[{index}]"));
            known(checked, fields.zip(permissions)).map_err(refused)
        }
        Some(Command::Grant { permission }) => {
            known(checked, std::iter::once(("permission".to_owned(), permission))).map_err(refused)
        }
        Some(Command::Describe { .. } | Command::Revoke { .. } | Command::Retire {}) | None => Ok(()),
    }
}

/// That something asks for each of these permissions.
fn known<'a>(
    checked: &Checked<'_>,
    permissions: impl Iterator<Item = (String, &'a String)>,
) -> Result<(), role::Refusal> {
    let catalogue = checked.contexts.permissions();
    for (field, permission) in permissions {
        // What is none at all is told by the decision.
        if check_permission(&field, permission).is_ok() && !permissions::is_known(catalogue, permission) {
            let nearest = permissions::nearest(catalogue, permission).join(", ");
            return Err(role::Refusal::UnknownPermission { field, nearest });
        }
    }
    Ok(())
}
