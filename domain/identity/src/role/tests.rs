use super::*;
use crate::user::{self, User};
use domain::{Facts, Sealed};
use rehearsal::given::{STREAM, TENANT, drawn, given, long, releases, state, takes};

fn defined(permissions: &[&str]) -> Event {
    let grants = permissions.iter().enumerate();
    Event::RoleDefined {
        name: "Buyer".to_owned(),
        description: None,
        grants: grants
            .map(|(n, permission)| Grant {
                id: drawn(n),
                permission: (*permission).to_owned(),
            })
            .collect(),
    }
}

fn define(permissions: &[&str]) -> Command {
    let permissions = permissions.iter().map(|&permission| permission.to_owned()).collect();
    Command::Define {
        name: "Buyer".to_owned(),
        description: None,
        permissions,
    }
}

fn grant(permission: &str) -> Command {
    Command::Grant {
        permission: permission.to_owned(),
    }
}

fn describe(name: &str) -> Command {
    Command::Describe {
        name: name.to_owned(),
        description: None,
    }
}

fn retired() -> Event {
    Event::RoleRetired { revoked: Vec::new() }
}

#[test]
fn a_role_is_defined_with_an_id_for_every_grant_and_takes_its_name() {
    given::<Role>([])
        .when(define(&["audit.read", "cloudwatcher.*"]))
        .then([defined(&["audit.read", "cloudwatcher.*"])])
        .claims([takes(NAME, "buyer")]);
}

#[test]
fn the_id_of_a_standard_role_is_for_that_role_of_that_tenant_alone() {
    let other = Uuid::from_u128(0x9);
    for (id, name) in [
        (standard_id(TENANT, "admin"), "buyer"),
        (standard_id(other, "admin"), "admin"),
        (Uuid::new_v5(&TENANT, b"whatever"), "admin"),
    ] {
        assert_eq!(check_chosen(TENANT, id, name), Err(Refusal::DerivedId), "{id}");
    }
    let random = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);
    for id in [standard_id(TENANT, "admin"), random] {
        assert_eq!(check_chosen(TENANT, id, "admin"), Ok(()), "{id}");
    }
}

/// A book in which somebody active has another role, with these permissions, and whoever asks looked for them.
fn beside(permissions: &[&str], is_active: bool) -> Facts {
    let (ada, other) = (Uuid::from_u128(0xada), Uuid::from_u128(0x0771));
    let assigned = |role_id: Uuid| user::Event::UserRoleAssigned {
        assignment_id: drawn(0),
        role_id,
    };
    let registered = user::Event::UserRegistered {
        email: Sealed::Open("ada@example.com".to_owned()),
        name: Sealed::Open("Ada".to_owned()),
        oauth_provider: None,
        oauth_id: None,
    };
    let gone = (!is_active).then_some(user::Event::UserDeactivated {});
    let events = [registered, assigned(STREAM), assigned(other)].into_iter().chain(gone);
    Facts::default()
        .with(ada, state::<User>(events))
        .with(other, state::<Role>([defined(permissions)]))
}

#[test]
fn the_last_role_that_grants_everything_to_somebody_grants_it_on() {
    let revoke = || Command::Revoke {
        permission: "*".to_owned(),
    };
    let witness = FactRef::of::<User>(Uuid::from_u128(0xada));
    let all = || defined(&["*", "audit.read"]);
    for command in [revoke, || Command::Retire {}] {
        let alone = given::<Role>([all()]).when(command());
        alone.refused(Refusal::LastAdministrator);
        for facts in [beside(&["audit.*"], true), beside(&["*"], false)] {
            let last = given::<Role>([all()]).with_facts(facts).witnessed_by([witness]);
            last.when(command()).refused(Refusal::LastAdministrator);
        }
        // Nobody is seen of whom nobody has told.
        let unseen = given::<Role>([all()]).with_facts(beside(&["*"], true));
        unseen.when(command()).refused(Refusal::LastAdministrator);
        let other = given::<Role>([all()])
            .with_facts(beside(&["*"], true))
            .witnessed_by([witness]);
        assert_eq!(other.when(command()).events().len(), 1);
    }
    let harmless = Command::Revoke {
        permission: "audit.read".to_owned(),
    };
    assert_eq!(given::<Role>([all()]).when(harmless).events().len(), 1);
    assert_eq!(
        given::<Role>([defined(&["audit.*"])])
            .when(Command::Retire {})
            .events()
            .len(),
        1
    );
}

#[test]
fn a_role_is_defined_once() {
    given::<Role>([defined(&[])])
        .when(define(&[]))
        .refused(Refusal::AlreadyDefined);
    given::<Role>([defined(&[]), retired()])
        .when(define(&[]))
        .refused(Refusal::AlreadyDefined);
}

#[test]
fn a_permission_is_listed_once() {
    let refusal = Refusal::Repeated {
        field: "permissions[2]".to_owned(),
    };
    given::<Role>([]).when(define(&["a.b", "c", "a.b"])).refused(refusal);
}

#[test]
fn a_permission_is_a_star_or_lower_case_words_of_which_the_last_may_be_a_star() {
    let role = [defined(&[])];
    for permission in [
        "*",
        "audit.read",
        "cloudwatcher.part-variant.enter",
        "a.*",
        "v1.order_items.read",
    ] {
        let event = Event::PermissionGranted {
            id: drawn(0),
            permission: permission.to_owned(),
        };
        given::<Role>(role.clone()).when(grant(permission)).then([event]);
    }
    let form = Unfit::Form("must be * or lower-case words joined by dots, of which the last may be *");
    for permission in [
        "A.b", "a..b", ".a", "a.", "*.a", "a*", "a.*.b", "**", ".*", "a b", "é", "a.*.*",
    ] {
        let refusal = Refusal::Unfit {
            field: "permission".to_owned(),
            unfit: form.clone(),
        };
        given::<Role>(role.clone()).when(grant(permission)).refused(refusal);
    }
    let refusal = |unfit| Refusal::Unfit {
        field: "permission".to_owned(),
        unfit,
    };
    given::<Role>(role.clone())
        .when(grant(""))
        .refused(refusal(Unfit::Empty));
    let too_long = Unfit::TooLong {
        chars: 101,
        max: PERMISSION_CHARS_MAX,
    };
    given::<Role>(role)
        .when(grant(&"a".repeat(101)))
        .refused(refusal(too_long));
}

#[test]
fn a_role_grants_at_most_500_permissions() {
    let permissions: Vec<String> = (0..=PERMISSIONS_MAX).map(|n| format!("p{n}")).collect();
    let permissions: Vec<&str> = permissions.iter().map(String::as_str).collect();
    given::<Role>([])
        .when(define(&permissions))
        .refused(Refusal::TooManyPermissions);
    given::<Role>([defined(&permissions[1..])])
        .when(grant("one.more"))
        .refused(Refusal::TooManyPermissions);
}

#[test]
fn a_permission_is_granted_once_and_revoked_under_the_id_it_was_granted_with() {
    given::<Role>([defined(&["a"])]).when(grant("a")).then([]);
    let revoke = |permission: &str| Command::Revoke {
        permission: permission.to_owned(),
    };
    let revoked = Event::PermissionRevoked {
        id: drawn(0),
        permission: "a".to_owned(),
    };
    given::<Role>([defined(&["a"])]).when(revoke("a")).then([revoked]);
    given::<Role>([defined(&["a"])]).when(revoke("b")).then([]);
}

#[test]
fn a_new_name_gives_the_old_one_back_and_the_same_description_changes_nothing() {
    given::<Role>([defined(&[])])
        .when(describe("Chief buyer"))
        .then([Event::RoleDescribed {
            name: "Chief buyer".to_owned(),
            description: None,
        }])
        .claims([releases(NAME, "buyer"), takes(NAME, "chief buyer")]);
    given::<Role>([defined(&[])]).when(describe("Buyer")).then([]);
}

#[test]
fn a_name_and_a_description_fit_their_columns() {
    let refusal = |field: &str, unfit| Refusal::Unfit {
        field: field.to_owned(),
        unfit,
    };
    given::<Role>([defined(&[])])
        .when(describe(""))
        .refused(refusal("name", Unfit::Empty));
    let too_long = Unfit::TooLong {
        chars: 101,
        max: NAME_CHARS_MAX,
    };
    given::<Role>([defined(&[])])
        .when(describe(&long(101)))
        .refused(refusal("name", too_long));
    let nul = Command::Describe {
        name: "a".to_owned(),
        description: Some("\0".to_owned()),
    };
    given::<Role>([defined(&[])])
        .when(nul)
        .refused(refusal("description", Unfit::Nul));
}

#[test]
fn retiring_revokes_every_permission_and_keeps_the_name() {
    given::<Role>([defined(&["a", "b"])])
        .when(Command::Retire {})
        .then([Event::RoleRetired {
            revoked: vec![drawn(0), drawn(1)],
        }])
        .claims([]);
    given::<Role>([defined(&[]), retired()])
        .when(Command::Retire {})
        .then([]);
}

#[test]
fn a_retired_role_does_not_change() {
    for command in [
        grant("a"),
        Command::Revoke {
            permission: "a".to_owned(),
        },
        describe("b"),
    ] {
        given::<Role>([defined(&["a"]), retired()])
            .when(command)
            .refused(Refusal::Retired);
    }
}

#[test]
fn nothing_can_be_asked_of_a_role_that_is_not_defined() {
    for command in [grant("a"), describe("b"), Command::Retire {}] {
        given::<Role>([]).when(command).refused(Refusal::NotDefined);
    }
}

#[test]
fn a_role_permits_what_it_grants_and_what_its_wildcards_cover() {
    let role = state::<Role>([defined(&["audit.read", "cloudwatcher.order.*"])]);
    assert!(role.permits("audit.read"));
    assert!(role.permits("cloudwatcher.order.submit"));
    assert!(role.permits("cloudwatcher.order.item.add"));
    for permission in [
        "audit",
        "audit.read.all",
        "cloudwatcher.order",
        "cloudwatcher.orders.read",
        "*",
        "",
    ] {
        assert!(!role.permits(permission), "{permission}");
    }
    assert!(state::<Role>([defined(&["*"])]).permits("anything.at.all"));
}

#[test]
fn a_retired_or_undefined_role_permits_nothing() {
    assert!(!state::<Role>([defined(&["*"]), retired()]).permits("audit.read"));
    assert!(!Role::default().permits("audit.read"));
    assert!(!state::<Role>([defined(&["*"]), retired()]).is_active());
}

#[test]
fn a_role_is_defined_first_and_retired_last() {
    let ruled = ["define", "describe", "grant", "revoke", "retire"];
    let offered = |past: Vec<Event>| given::<Role>(past).offered_of(&ruled);
    assert_eq!(offered(vec![]), ["define"]);
    assert_eq!(offered(vec![defined(&[])]), ["describe", "grant", "revoke", "retire"]);
    assert_eq!(offered(vec![defined(&[]), retired()]), ["retire"]);
}
