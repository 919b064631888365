//! From roles and who has them to what a person may do.

use domain::{AnyEvent, Decider, Policy, Reaction, Recorded, Seen, Sending};
use identity::role::{self, Role};
use identity::user::{self, User};
use uuid::Uuid;

use crate::member::holders::{self, Holders};
use crate::member::{self, Member};

/// Finds out what people may do whenever that can have changed.
#[derive(Debug)]
pub struct Members;

impl Policy for Members {
    fn name(&self) -> &'static str {
        "dod-members"
    }

    fn reads(&self) -> &'static [&'static str] {
        &[User::TYPE, Role::TYPE, Holders::TYPE]
    }

    // Whoever had a role before this context was served has it still.
    fn catches_up(&self) -> bool {
        true
    }

    fn wants_state(&self, recorded: &Recorded<AnyEvent>) -> bool {
        recorded.of::<Holders>().is_some()
    }

    fn react(&self, seen: &Seen<'_>) -> Vec<Reaction> {
        let recorded = seen.recorded;
        if let Some(event) = recorded.of::<User>() {
            return of_user(event, recorded.stream);
        }
        if let Some(event) = recorded.of::<Role>() {
            let is_other = !matches!(
                event,
                role::Event::RoleDescribed { .. } | role::Event::RoleDefined { .. }
            );
            let look = || holders(recorded.stream, holders::Command::LookAgain {});
            return is_other.then(look).into_iter().collect();
        }
        match recorded.of::<Holders>() {
            Some(holders::Event::RoleHolderAdded { user_id } | holders::Event::RoleHolderRemoved { user_id }) => {
                vec![assess(*user_id)]
            }
            Some(holders::Event::RoleHoldersLookedAt {}) => {
                let holders = seen.state::<Holders>();
                holders.into_iter().flat_map(Holders::iter).map(assess).collect()
            }
            None => Vec::new(),
        }
    }
}

fn of_user(event: &user::Event, user_id: Uuid) -> Vec<Reaction> {
    match event {
        user::Event::UserRoleAssigned { role_id, .. } => {
            vec![holders(*role_id, holders::Command::Add { user_id })]
        }
        user::Event::UserRoleUnassigned { role_id, .. } => {
            vec![holders(*role_id, holders::Command::Remove { user_id })]
        }
        // Whoever is erased has no roles any more, and stays among their holders: they are looked at in vain.
        user::Event::UserErased { .. } => vec![assess(user_id)],
        _ => Vec::new(),
    }
}

fn holders(role_id: Uuid, command: holders::Command) -> Reaction {
    Reaction::send(vec![Sending::of::<Holders>(role_id, command)])
}

fn assess(user_id: Uuid) -> Reaction {
    Reaction::send(vec![Sending::of::<Member>(user_id, member::Command::Assess {})])
}
