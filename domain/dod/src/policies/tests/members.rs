//! From roles and who has them to what people may do.

use domain::Sealed;
use identity::role::{self, Role};
use identity::user::{self, User};

use super::*;
use crate::member::holders::{self, Holders};
use crate::member::{self, Member};
use crate::policies::Members;

const ROLE: Uuid = Uuid::from_u128(0x40);
const BEN: Uuid = Uuid::from_u128(0xbe);
const CLEO: Uuid = Uuid::from_u128(0xc1);

fn of_user(event: user::Event) -> Vec<Reaction> {
    react::<User>(&Members, [event])
}

fn of_role(event: role::Event) -> Vec<Reaction> {
    react::<Role>(&Members, [event])
}

fn assesses(user_id: Uuid) -> Reaction {
    send::<Member>(user_id, member::Command::Assess {})
}

#[test]
fn whoever_is_given_a_role_or_loses_it_is_noted_with_the_role() {
    let (assignment_id, role_id) = (ROLE, ROLE);
    let add = holders::Command::Add { user_id: STREAM };
    let remove = holders::Command::Remove { user_id: STREAM };
    assert_eq!(
        of_user(user::Event::UserRoleAssigned { assignment_id, role_id }),
        [send::<Holders>(ROLE, add)]
    );
    assert_eq!(
        of_user(user::Event::UserRoleUnassigned { assignment_id, role_id }),
        [send::<Holders>(ROLE, remove)]
    );
}

#[test]
fn whoever_is_noted_is_looked_at() {
    let added = |user_id| holders::Event::RoleHolderAdded { user_id };
    let removed = holders::Event::RoleHolderRemoved { user_id: BEN };
    assert_eq!(react::<Holders>(&Members, [added(BEN)]), [assesses(BEN)]);
    assert_eq!(react::<Holders>(&Members, [added(BEN), removed]), [assesses(BEN)]);
}

#[test]
fn when_a_role_permits_something_else_all_who_have_it_are_looked_at() {
    let looks = || [send::<Holders>(STREAM, holders::Command::LookAgain {})];
    let (id, permission) = (ROLE, "dod.*".to_owned());
    let granted = role::Event::PermissionGranted {
        id,
        permission: permission.clone(),
    };
    assert_eq!(of_role(granted), looks());
    assert_eq!(of_role(role::Event::PermissionRevoked { id, permission }), looks());
    assert_eq!(of_role(role::Event::RoleRetired { revoked: vec![ROLE] }), looks());
    let added = |user_id| holders::Event::RoleHolderAdded { user_id };
    let events = [added(BEN), added(CLEO), holders::Event::RoleHoldersLookedAt {}];
    assert_eq!(react::<Holders>(&Members, events), [assesses(BEN), assesses(CLEO)]);
}

#[test]
fn what_a_role_is_called_changes_nothing() {
    let (name, description) = ("Reader".to_owned(), None);
    let described = role::Event::RoleDescribed {
        name: name.clone(),
        description: description.clone(),
    };
    assert_eq!(of_role(described), []);
    let defined = role::Event::RoleDefined {
        name,
        description,
        grants: Vec::new(),
    };
    assert_eq!(of_role(defined), []);
}

#[test]
fn whoever_is_erased_is_looked_at() {
    let erased = user::Event::UserErased {
        unassigned: vec![ROLE],
        left: Vec::new(),
    };
    assert_eq!(of_user(erased), [assesses(STREAM)]);
}

#[test]
fn the_rest_of_a_user_leads_to_nothing() {
    let name = || Sealed::Open("Ben".to_owned());
    let registered = user::Event::UserRegistered {
        email: name(),
        name: name(),
        oauth_provider: None,
        oauth_id: None,
    };
    for event in [
        registered,
        user::Event::UserRenamed { name: name() },
        user::Event::UserDeactivated {},
        user::Event::UserReactivated {},
    ] {
        assert_eq!(of_user(event), []);
    }
}
