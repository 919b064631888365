//! What people may do, from what their roles permit.

use std::collections::BTreeMap;

use domain::{Facts, Sealed};
use identity::role::{self, Grant};
use identity::user;
use rehearsal::given::{BY, given, state};

use super::holders::Holders;
use super::*;

const BEN: Uuid = Uuid::from_u128(0xbe);
const CLEO: Uuid = Uuid::from_u128(0xc1);

/// Somebody with roles, each of which permits some things.
fn person(roles: &[&[&str]]) -> Facts {
    let registered = user::Event::UserRegistered {
        email: Sealed::Open("ben@example.com".to_owned()),
        name: Sealed::Open("Ben".to_owned()),
        oauth_provider: None,
        oauth_id: None,
    };
    let ids: BTreeMap<Uuid, &[&str]> = (1..).map(Uuid::from_u128).zip(roles.iter().copied()).collect();
    let assigned = ids.keys().map(|&role_id| user::Event::UserRoleAssigned {
        assignment_id: role_id,
        role_id,
    });
    let user = state::<User>(std::iter::once(registered).chain(assigned));
    let facts = Facts::default().with(BEN, user);
    ids.iter().fold(facts, |facts, (id, permissions)| {
        let grants = permissions.iter().map(|permission| Grant {
            id: *id,
            permission: (*permission).to_owned(),
        });
        let defined = role::Event::RoleDefined {
            name: id.to_string(),
            description: None,
            grants: grants.collect(),
        };
        facts.with(*id, state::<Role>([defined]))
    })
}

/// What is found of somebody of whom this was known.
fn found(before: Option<MemberRole>, facts: Facts) -> Vec<Event> {
    let before = before.map(|role| Event::MemberRoleFound { role });
    let decided = given::<Member>(before).on(BEN).with_facts(facts);
    decided.when(Command::Assess {}).events()
}

fn role_of(roles: &[&[&str]]) -> MemberRole {
    // Whatever it is, it is not what was known before.
    let of = |before| match &found(Some(before), person(roles))[..] {
        [] => before,
        [Event::MemberRoleFound { role }] => *role,
        other => panic!("{other:?}"),
    };
    assert_eq!(of(MemberRole::Viewer), of(MemberRole::Admin));
    of(MemberRole::Member)
}

#[test]
fn whoever_may_enter_what_is_needed_is_an_admin() {
    let all: &[&str] = &["dod.configuration.enter", "dod.receiver.enter", "dod.source.enter"];
    assert_eq!(role_of(&[all]), MemberRole::Admin);
    assert_eq!(role_of(&[&all[..1], &all[1..]]), MemberRole::Admin);
    assert_eq!(role_of(&[&all[..2]]), MemberRole::Viewer);
}

#[test]
fn whoever_may_see_to_alerts_and_issues_is_a_member() {
    let both: &[&str] = &["dod.alert.acknowledge", "dod.issue.resolve"];
    assert_eq!(role_of(&[both]), MemberRole::Member);
    assert_eq!(role_of(&[&both[..1], &both[1..]]), MemberRole::Member);
    assert_eq!(role_of(&[&both[..1]]), MemberRole::Viewer);
}

#[test]
fn wildcards_permit_what_they_cover() {
    assert_eq!(role_of(&[&["*"]]), MemberRole::Admin);
    assert_eq!(role_of(&[&["dod.*"]]), MemberRole::Admin);
    assert_eq!(role_of(&[&["dod.alert.*", "dod.issue.*"]]), MemberRole::Member);
    assert_eq!(role_of(&[&["cloudwatcher.*"]]), MemberRole::Viewer);
}

#[test]
fn whoever_has_no_role_views() {
    assert_eq!(role_of(&[]), MemberRole::Viewer);
    assert_eq!(role_of(&[&["dod.alert.read"]]), MemberRole::Viewer);
}

#[test]
fn only_what_changes_is_found() {
    assert_eq!(found(None, person(&[])), []);
    let admin = Event::MemberRoleFound {
        role: MemberRole::Admin,
    };
    assert_eq!(found(None, person(&[&["*"]])), [admin]);
    assert_eq!(found(Some(MemberRole::Admin), person(&[&["*"]])), []);
}

#[test]
fn nothing_is_found_of_nobody() {
    given::<Member>([])
        .on(BEN)
        .when(Command::Assess {})
        .refused(Refusal::NoUser);
}

fn holders(then: holders::Command, past: impl IntoIterator<Item = holders::Event>) -> Vec<holders::Event> {
    given::<Holders>(past).by(BY).when(then).events()
}

fn added(user_id: Uuid) -> holders::Event {
    holders::Event::RoleHolderAdded { user_id }
}

#[test]
fn whoever_has_a_role_is_noted_once_and_until_they_have_it_no_more() {
    let add = || holders::Command::Add { user_id: BEN };
    let remove = || holders::Command::Remove { user_id: BEN };
    let removed = holders::Event::RoleHolderRemoved { user_id: BEN };
    assert_eq!(holders(add(), []), [added(BEN)]);
    assert_eq!(holders(add(), [added(BEN)]), []);
    assert_eq!(holders(remove(), [added(BEN)]), vec![removed.clone()]);
    assert_eq!(holders(remove(), [added(BEN), removed.clone()]), []);
    assert_eq!(holders(remove(), [added(CLEO)]), []);
    let left = state::<Holders>([added(BEN), added(CLEO), removed]);
    assert_eq!(left.iter().collect::<Vec<_>>(), [CLEO]);
}

#[test]
fn a_role_that_nobody_has_is_not_looked_at_again() {
    let look = || holders::Command::LookAgain {};
    assert_eq!(holders(look(), []), []);
    assert_eq!(holders(look(), [added(BEN)]), [holders::Event::RoleHoldersLookedAt {}]);
}
