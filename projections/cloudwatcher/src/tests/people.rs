//! Rows of people: registered, signed in, erased.

use super::*;

#[test]
fn an_erased_user_looks_the_same_posted_live_or_rebuilt() {
    let events = |email: Sealed<String>, name: Sealed<String>, oauth_id: Sealed<String>| {
        let oauth_id = Some(oauth_id);
        vec![
            AnyEvent::new::<user::User>(User::UserRegistered {
                email,
                name: name.clone(),
                oauth_provider: Some("google".to_owned()),
                oauth_id,
            }),
            AnyEvent::new::<user::User>(User::UserSignedIn {}),
            AnyEvent::new::<SignIns>(SignIn::SignedIn {}),
            AnyEvent::new::<user::User>(User::UserRenamed { name }),
            AnyEvent::new::<user::User>(User::UserErased {
                unassigned: Vec::new(),
                left: Vec::new(),
            }),
        ]
    };
    let open = |text: &str| Sealed::Open(text.to_owned());
    let live = folded::<UserRow>(BUYER, &STREAM, events(open("ada@example.com"), open("Ada"), open("42"))).unwrap();
    let rebuilt = folded::<UserRow>(BUYER, &STREAM, events(Sealed::Erased, Sealed::Erased, Sealed::Erased)).unwrap();
    assert_eq!(live, rebuilt);
    assert_eq!(live.unwrap().email, format!("erased-{STREAM}@invalid"));
}

#[test]
fn the_last_sign_in_is_the_latest_of_both_kinds_in_whatever_order_they_are_posted() {
    let registered = AnyEvent::new::<user::User>(User::UserRegistered {
        email: Sealed::Open("ada@example.com".to_owned()),
        name: Sealed::Open("Ada".to_owned()),
        oauth_provider: None,
        oauth_id: None,
    });
    let deactivated = AnyEvent::new::<user::User>(User::UserDeactivated {});
    let erased = AnyEvent::new::<user::User>(User::UserErased {
        unassigned: Vec::new(),
        left: Vec::new(),
    });
    let row = |order: &[i64], events: &[&AnyEvent]| {
        let fold = |row, (&n, &event): (&i64, &&AnyEvent)| {
            UserRow::fold(row, &STREAM, &recorded(BUYER, n, event.clone())).unwrap()
        };
        order.iter().zip(events).fold(None, fold).unwrap()
    };
    let (before, now) = (
        AnyEvent::new::<user::User>(User::UserSignedIn {}),
        AnyEvent::new::<SignIns>(SignIn::SignedIn {}),
    );
    let in_order = row(&[1, 2, 3], &[&registered, &before, &now]);
    assert_eq!((in_order.last_login, in_order.updated_at), (Some(at(3)), at(1)));
    assert_eq!(row(&[1, 3, 2], &[&registered, &now, &before]), in_order);
    // Also when the person was deactivated since, and when they are gone.
    let away = row(&[1, 2, 3], &[&registered, &now, &deactivated]);
    assert_eq!(row(&[1, 3, 2], &[&registered, &deactivated, &now]), away);
    let gone = row(&[1, 2, 3], &[&registered, &now, &erased]);
    assert_eq!(gone.last_login, None);
    assert_eq!(row(&[1, 3, 2], &[&registered, &erased, &now]), gone);
}

#[test]
fn a_sign_in_waits_for_a_user_who_is_not_posted() {
    let sign_in = recorded(BUYER, 2, AnyEvent::new::<SignIns>(SignIn::SignedIn {}));
    assert_eq!(UserRow::keys(&sign_in), [STREAM]);
    assert!(matches!(
        UserRow::fold(None, &STREAM, &sign_in),
        Err(FoldError::MissingRow { .. })
    ));
    const {
        assert!(!UserRow::OWNED, "its stream's first event meets a row that is there");
    }
}

#[test]
fn erasing_a_user_takes_their_roles() {
    let (assignment_id, role_id) = (Uuid::from_u128(0xa), Uuid::from_u128(0xe));
    let assigned = AnyEvent::new::<user::User>(User::UserRoleAssigned { assignment_id, role_id });
    let row = folded::<UserRoleRow>(SYSTEM, &assignment_id, vec![assigned.clone()])
        .unwrap()
        .unwrap();
    assert_eq!((row.user_id, row.assigned_by), (STREAM, None));
    let erased = AnyEvent::new::<user::User>(User::UserErased {
        unassigned: vec![assignment_id],
        left: Vec::new(),
    });
    assert_eq!(
        folded::<UserRoleRow>(BUYER, &assignment_id, vec![assigned, erased]),
        Ok(None)
    );
}
