use super::*;
use crate::department::Department;
use crate::role::{self, Role};
use domain::event::Stored;
use domain::register::Register;
use domain::{AnyCommand, AnyEvent, Circumstances, Decider as _, Erase, Event as _, FactRef, Facts, SYSTEM, Together};
use rehearsal::given::{BY, STREAM, TENANT, drawn, given, long, releases, state, takes};

const ROLE: Uuid = Uuid::from_u128(0x10);
const STORE: Uuid = Uuid::from_u128(0x20);
const ASSIGNMENT: Uuid = Uuid::from_u128(0x30);

mod farewells;

fn open(text: &str) -> Sealed<String> {
    Sealed::Open(text.to_owned())
}

fn register(email: &str, name: &str) -> Command {
    Command::Register {
        email: email.to_owned(),
        name: name.to_owned(),
        oauth_provider: None,
        oauth_id: None,
    }
}

fn registered() -> Event {
    Event::UserRegistered {
        email: open("Ada@example.com"),
        name: open("Ada"),
        oauth_provider: Some("google".to_owned()),
        oauth_id: Some(open("42")),
    }
}

fn assigned() -> Event {
    Event::UserRoleAssigned {
        assignment_id: ASSIGNMENT,
        role_id: ROLE,
    }
}

fn joined() -> Event {
    Event::UserDepartmentJoined {
        assignment_id: ASSIGNMENT,
        department_id: STORE,
    }
}

fn erased() -> Event {
    Event::UserErased {
        unassigned: Vec::new(),
        left: Vec::new(),
    }
}

fn defined() -> role::Event {
    role::Event::RoleDefined {
        name: "buyer".to_owned(),
        description: None,
        grants: Vec::new(),
    }
}

fn store() -> Department {
    Department {
        name: "Store".to_owned(),
        parent_id: None,
        description: None,
        manager_id: None,
    }
}

fn unfit(field: &'static str, unfit: Unfit) -> Refusal {
    Refusal::Unfit { field, unfit }
}

#[test]
fn nothing_that_is_printed_of_a_command_or_what_it_leads_to_says_who_a_person_is() {
    let command = AnyCommand::of::<User>(register("ada@example.com", "Ada"));
    assert_eq!(format!("{command:?}"), "identity.user register");
    let mut together = Together::default();
    together.push(STREAM, command.clone());
    let circumstances = Circumstances {
        tenant: TENANT,
        stream: STREAM,
        sequence: 1,
        by: BY,
        at: chrono::DateTime::UNIX_EPOCH,
        seed: STREAM,
        reason: Some("Ada asked for it".to_owned()),
        facts: Facts::default().with(STREAM, state::<User>([registered()])).into(),
        together,
    };
    let decided = command.decide(&AGGREGATE.unborn(), &circumstances).unwrap();
    let event = AnyEvent::new::<User>(registered());
    assert_eq!(format!("{event:?}"), "identity.user UserRegistered");
    let stored = |event_type, payload| Stored {
        event_type,
        version: "1",
        payload,
        actor: BY,
    };
    // A payload that cannot be read is told of in logs: what is wrong with it, and none of its values.
    let unreadable = [
        ("UserRenamed", r#"{"name": {"first": "Ada"}}"#, "invalid type: map"),
        (
            "UserRoleAssigned",
            r#"{"role_id": "Ada", "assignment_id": "Ada"}"#,
            "UUID",
        ),
        ("UserRoleAssigned", "{}", "missing field `assignment_id`"),
    ];
    let errors = unreadable.map(|(event_type, payload, what)| {
        let error = AGGREGATE.decode(&stored(event_type, payload)).unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
        error
    });
    for printed in [
        format!("{circumstances:?}"),
        format!("{decided:?}"),
        format!("{:?}", stored("UserRegistered", &decided.events[0].payload)),
        format!("{:?}", state::<User>([registered()])),
        format!("{} {} {errors:?}", errors[0], errors[1]),
    ] {
        let lower = printed.to_lowercase();
        assert!(!lower.contains("ada"), "{printed}");
    }
}

#[test]
fn a_registered_user_takes_their_email_in_lower_case_and_their_provider_id() {
    given::<User>([])
        .when(Command::Register {
            email: "Ada@example.com".to_owned(),
            name: "Ada".to_owned(),
            oauth_provider: Some("google".to_owned()),
            oauth_id: Some("42".to_owned()),
        })
        .then([registered()])
        .claims([takes(EMAIL, "ada@example.com"), takes(OAUTH_ID, "42")]);
}

#[test]
fn nobody_is_registered_under_an_id_that_daybook_acts_under_or_that_stands_for_nobody() {
    for id in [SYSTEM, Uuid::nil(), Uuid::max()] {
        given::<User>([])
            .on(id)
            .when(register("ada@example.com", "Ada"))
            .refused(Refusal::ReservedId);
        assert_eq!(given::<User>([]).on(id).offered(), Vec::<String>::new());
    }
}

#[test]
fn nobody_is_registered_twice() {
    given::<User>([registered()])
        .when(register("ada@example.com", "Ada"))
        .refused(Refusal::AlreadyRegistered);
}

#[test]
fn an_email_has_one_at_sign_between_two_parts_and_no_spaces() {
    let form = Unfit::Form("must be an email address, such as name@example.com");
    for email in [
        "ada",
        "@example.com",
        "ada@",
        "a@b@c",
        "ada @example.com",
        "ada@exam\nple.com",
        "a\0@example.com",
    ] {
        let refusal = if email.contains('\0') { Unfit::Nul } else { form.clone() };
        given::<User>([])
            .when(register(email, "Ada"))
            .refused(unfit("email", refusal));
    }
}

#[test]
fn an_address_that_erased_users_are_shown_under_is_nobodys() {
    given::<User>([])
        .when(register("erased-1@invalid", "Ada"))
        .refused(Refusal::ReservedHost);
    let email = "a@INVALID".to_owned();
    given::<User>([registered()])
        .when(Command::ChangeEmail { email })
        .refused(Refusal::ReservedHost);
}

#[test]
fn an_email_has_at_most_255_characters_however_many_bytes() {
    let host = "@example.com";
    let email = long(EMAIL_CHARS_MAX - host.len()) + host;
    assert_eq!(given::<User>([]).when(register(&email, "Ada")).events().len(), 1);
    let refusal = Unfit::TooLong {
        chars: 256,
        max: EMAIL_CHARS_MAX,
    };
    given::<User>([])
        .when(register(&format!("é{email}"), "Ada"))
        .refused(unfit("email", refusal));
}

#[test]
fn a_name_is_neither_empty_nor_longer_than_its_column() {
    given::<User>([])
        .when(register("a@b", " "))
        .refused(unfit("name", Unfit::Empty));
    let refusal = Unfit::TooLong {
        chars: 256,
        max: NAME_CHARS_MAX,
    };
    given::<User>([])
        .when(register("a@b", &long(256)))
        .refused(unfit("name", refusal));
    given::<User>([registered()])
        .when(Command::Rename { name: "A\0".to_owned() })
        .refused(unfit("name", Unfit::Nul));
}

#[test]
fn a_provider_id_needs_its_provider() {
    given::<User>([])
        .when(Command::Register {
            email: "a@b".to_owned(),
            name: "Ada".to_owned(),
            oauth_provider: None,
            oauth_id: Some("42".to_owned()),
        })
        .refused(Refusal::ProviderMissing);
}

#[test]
fn nothing_can_be_asked_of_a_user_who_is_not_registered() {
    for command in [
        Command::Deactivate {},
        Command::Erase {},
        Command::UnassignRole { role_id: ROLE },
    ] {
        given::<User>([]).when(command).refused(Refusal::NotRegistered);
    }
    assert_eq!(Refusal::NotRegistered.class(), Class::Missing);
}

#[test]
fn a_new_name_is_recorded_and_the_same_name_changes_nothing() {
    let rename = |name: &str| Command::Rename { name: name.to_owned() };
    given::<User>([registered()])
        .when(rename("Countess"))
        .then([Event::UserRenamed { name: open("Countess") }]);
    given::<User>([registered()]).when(rename("Ada")).then([]);
}

#[test]
fn a_new_email_gives_the_old_one_back() {
    given::<User>([registered()])
        .when(Command::ChangeEmail {
            email: "ada@lovelace.org".to_owned(),
        })
        .then([Event::UserEmailChanged {
            email: open("ada@lovelace.org"),
        }])
        .claims([releases(EMAIL, "ada@example.com"), takes(EMAIL, "ada@lovelace.org")]);
}

#[test]
fn an_email_that_differs_only_in_case_is_the_same_claim() {
    given::<User>([registered()])
        .when(Command::ChangeEmail {
            email: "ADA@example.com".to_owned(),
        })
        .then([Event::UserEmailChanged {
            email: open("ADA@example.com"),
        }])
        .claims([]);
}

#[test]
fn a_role_in_use_is_assigned_under_a_new_id() {
    given::<User>([registered()])
        .with_facts(Facts::default().with(ROLE, state::<Role>([defined()])))
        .when(Command::AssignRole { role_id: ROLE })
        .then([Event::UserRoleAssigned {
            assignment_id: drawn(0),
            role_id: ROLE,
        }]);
}

#[test]
fn an_unknown_or_retired_role_is_not_assigned() {
    let retired = state::<Role>([defined(), role::Event::RoleRetired { revoked: Vec::new() }]);
    for facts in [Facts::default(), Facts::default().with(ROLE, retired)] {
        given::<User>([registered()])
            .with_facts(facts)
            .when(Command::AssignRole { role_id: ROLE })
            .refused(Refusal::RoleNotInUse);
    }
}

#[test]
fn a_role_is_held_once_and_ends_under_the_id_it_began_with() {
    given::<User>([registered(), assigned()])
        .when(Command::AssignRole { role_id: ROLE })
        .then([]);
    given::<User>([registered(), assigned()])
        .when(Command::UnassignRole { role_id: ROLE })
        .then([Event::UserRoleUnassigned {
            assignment_id: ASSIGNMENT,
            role_id: ROLE,
        }]);
    let ended = Event::UserRoleUnassigned {
        assignment_id: ASSIGNMENT,
        role_id: ROLE,
    };
    given::<User>([registered(), assigned(), ended])
        .when(Command::UnassignRole { role_id: ROLE })
        .then([]);
}

#[test]
fn a_user_holds_at_most_100_roles() {
    let other = |n: usize| Uuid::from_u128(0x1000 + n as u128);
    let held = (0..ROLES_MAX).map(|n| Event::UserRoleAssigned {
        assignment_id: other(n),
        role_id: other(n),
    });
    given::<User>(std::iter::once(registered()).chain(held))
        .with_facts(Facts::default().with(ROLE, state::<Role>([defined()])))
        .when(Command::AssignRole { role_id: ROLE })
        .refused(Refusal::TooMany {
            what: "roles",
            max: 100,
        });
}

#[test]
fn a_department_in_use_is_joined_once_and_left_under_the_same_id() {
    given::<User>([registered()])
        .with_facts(Facts::default().with(STORE, Register::Entered(store())))
        .when(Command::JoinDepartment { department_id: STORE })
        .then([Event::UserDepartmentJoined {
            assignment_id: drawn(0),
            department_id: STORE,
        }]);
    given::<User>([registered(), joined()])
        .when(Command::JoinDepartment { department_id: STORE })
        .then([]);
    given::<User>([registered(), joined()])
        .when(Command::LeaveDepartment { department_id: STORE })
        .then([Event::UserDepartmentLeft {
            assignment_id: ASSIGNMENT,
            department_id: STORE,
        }]);
    given::<User>([registered()])
        .when(Command::LeaveDepartment { department_id: STORE })
        .then([]);
}

#[test]
fn a_struck_department_is_not_joined() {
    given::<User>([registered()])
        .with_facts(Facts::default().with(STORE, Register::Struck(store())))
        .when(Command::JoinDepartment { department_id: STORE })
        .refused(Refusal::DepartmentNotInUse);
}

#[test]
fn a_deactivated_user_is_given_nothing() {
    for command in [
        Command::AssignRole { role_id: ROLE },
        Command::JoinDepartment { department_id: STORE },
    ] {
        given::<User>([registered(), Event::UserDeactivated {}])
            .when(command)
            .refused(Refusal::Deactivated);
    }
}

#[test]
fn sign_ins_that_earlier_programs_recorded_with_the_user_change_nothing() {
    let once = [registered(), Event::UserSignedIn {}];
    assert_eq!(state::<User>(once), state::<User>([registered()]));
}

#[test]
fn a_user_is_deactivated_and_reactivated_once_and_keeps_what_they_had() {
    given::<User>([registered()])
        .when(Command::Deactivate {})
        .then([Event::UserDeactivated {}]);
    given::<User>([registered()]).when(Command::Reactivate {}).then([]);
    let away = [registered(), assigned(), joined(), Event::UserDeactivated {}];
    given::<User>(away.clone()).when(Command::Deactivate {}).then([]);
    given::<User>(away.clone())
        .when(Command::Reactivate {})
        .then([Event::UserReactivated {}]);

    let user = state::<User>(away);
    assert!(!user.is_active());
    assert_eq!(user.roles().collect::<Vec<_>>(), [ROLE]);
    assert_eq!(user.departments().collect::<Vec<_>>(), [STORE]);
}

#[test]
fn erasing_ends_every_assignment_frees_the_claims_and_destroys_the_persons_key() {
    let event = Event::UserErased {
        unassigned: vec![ASSIGNMENT],
        left: vec![ASSIGNMENT],
    };
    assert_eq!(User::erases(STREAM, &event), [Erase::Person(STREAM)]);
    assert_eq!(User::erases(STREAM, &Event::UserDeactivated {}), []);
    given::<User>([registered(), assigned(), joined()])
        .when(Command::Erase {})
        .then([event])
        .claims([releases(EMAIL, "ada@example.com"), releases(OAUTH_ID, "42")]);
}

#[test]
fn nothing_more_happens_to_an_erased_user() {
    for command in [
        register("a@b", "A"),
        Command::Reactivate {},
        Command::AssignRole { role_id: ROLE },
    ] {
        given::<User>([registered(), erased()])
            .when(command)
            .refused(Refusal::Erased);
    }
    given::<User>([registered(), erased()]).when(Command::Erase {}).then([]);
    assert!(!state::<User>([registered(), erased()]).is_active());
}

#[test]
fn a_history_whose_key_is_gone_still_folds() {
    let email = Sealed::Erased;
    let registered = Event::UserRegistered {
        email,
        name: Sealed::Erased,
        oauth_provider: None,
        oauth_id: None,
    };
    assert_eq!(state::<User>([registered, erased()]), User::Erased);
}

#[test]
fn what_tells_who_a_person_is_is_sealed_under_their_own_key() {
    let sealed = |event: &Event| event.sealed(STREAM);
    assert_eq!(
        sealed(&registered()),
        [("email", STREAM), ("name", STREAM), ("oauth_id", STREAM)]
    );
    assert_eq!(sealed(&Event::UserRenamed { name: open("A") }), [("name", STREAM)]);
    assert_eq!(
        sealed(&Event::UserEmailChanged { email: open("a@b") }),
        [("email", STREAM)]
    );
    assert_eq!(sealed(&assigned()), []);
}

#[test]
fn a_user_is_registered_first_and_erased_last() {
    assert_eq!(given::<User>([]).offered(), ["register"]);
    let whatever = [
        "rename",
        "change-email",
        "assign-role",
        "unassign-role",
        "join-department",
        "leave-department",
        "deactivate",
        "reactivate",
        "erase",
    ];
    let offered = |past: Vec<Event>| given::<User>(past).offered_of(&whatever);
    assert_eq!(offered(vec![registered()]), whatever);
    let given_nothing: Vec<&str> = whatever
        .into_iter()
        .filter(|name| !["assign-role", "join-department"].contains(name))
        .collect();
    assert_eq!(offered(vec![registered(), Event::UserDeactivated {}]), given_nothing);
    assert_eq!(offered(vec![registered(), erased()]), ["erase"]);
}
