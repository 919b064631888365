//! Whoever may do everything, and nobody else does, stays.

use super::*;

/// The id of somebody else, and of a role of theirs.
const OTHER: Uuid = Uuid::from_u128(0x40);
const OTHERS_ROLE: Uuid = Uuid::from_u128(0x50);

fn granting(permissions: &[&str]) -> Role {
    let grants = permissions.iter().map(|&permission| role::Grant {
        id: ASSIGNMENT,
        permission: permission.to_owned(),
    });
    state::<Role>([role::Event::RoleDefined {
        name: "admin".to_owned(),
        description: None,
        grants: grants.collect(),
    }])
}

/// A book in which the person under test may do everything, and somebody else what this role grants.
fn facts(others_role: Role, other: impl IntoIterator<Item = Event>) -> Facts {
    let assigned = Event::UserRoleAssigned {
        assignment_id: ASSIGNMENT,
        role_id: OTHERS_ROLE,
    };
    let other = [registered(), assigned].into_iter().chain(other);
    Facts::default()
        .with(ROLE, granting(&["*"]))
        .with(OTHERS_ROLE, others_role)
        .with(OTHER, state::<User>(other))
}

fn farewells() -> [Command; 3] {
    [
        Command::Deactivate {},
        Command::Erase {},
        Command::UnassignRole { role_id: ROLE },
    ]
}

#[test]
fn the_last_person_who_may_do_everything_stays() {
    let witness = || [FactRef::of::<User>(OTHER)];
    for command in farewells() {
        let admin = || given::<User>([registered(), assigned()]);
        let retired = state::<Role>([defined(), role::Event::RoleRetired { revoked: Vec::new() }]);
        for facts in [
            facts(granting(&["audit.*", "identity.*"]), []),
            facts(retired, []),
            facts(granting(&["*"]), [Event::UserDeactivated {}]),
            facts(granting(&["*"]), [erased()]),
        ] {
            let last = admin().with_facts(facts).witnessed_by(witness());
            last.when(command.clone()).refused(Refusal::LastAdministrator);
        }
        // Nobody is seen of whom nobody has told; and oneself is not somebody else.
        let unseen = admin().with_facts(facts(granting(&["*"]), []));
        unseen.when(command.clone()).refused(Refusal::LastAdministrator);
        let oneself = Facts::default()
            .with(ROLE, granting(&["*"]))
            .with(STREAM, state::<User>([registered(), assigned()]));
        let oneself = admin().with_facts(oneself).witnessed_by([FactRef::of::<User>(STREAM)]);
        oneself.when(command.clone()).refused(Refusal::LastAdministrator);

        let second = admin().with_facts(facts(granting(&["*"]), [])).witnessed_by(witness());
        assert_eq!(second.when(command).events().len(), 1);
    }
}

#[test]
fn who_may_not_do_everything_or_keeps_a_role_that_grants_it_may_go() {
    for command in farewells() {
        let clerk = Facts::default().with(ROLE, granting(&["audit.*"]));
        let clerk = given::<User>([registered(), assigned()]).with_facts(clerk);
        assert_eq!(clerk.when(command.clone()).events().len(), 1);
        // Who is deactivated is none already.
        let gone = Facts::default().with(ROLE, granting(&["*"]));
        let gone = given::<User>([registered(), assigned(), Event::UserDeactivated {}]).with_facts(gone);
        assert!(gone.when(command).outcome().is_ok());
    }
    let two = Facts::default()
        .with(ROLE, granting(&["*"]))
        .with(OTHERS_ROLE, granting(&["*"]));
    let twice = Event::UserRoleAssigned {
        assignment_id: ASSIGNMENT,
        role_id: OTHERS_ROLE,
    };
    let twice = given::<User>([registered(), assigned(), twice]).with_facts(two);
    assert_eq!(twice.when(Command::UnassignRole { role_id: ROLE }).events().len(), 1);
}
