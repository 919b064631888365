use super::*;
use crate::user::Event as UserEvent;
use domain::{Event as _, Facts, Sealed};
use rehearsal::given::{STREAM, given, state};

fn registered() -> UserEvent {
    UserEvent::UserRegistered {
        email: Sealed::Open("ada@example.com".to_owned()),
        name: Sealed::Open("Ada".to_owned()),
        oauth_provider: None,
        oauth_id: None,
    }
}

fn erased() -> UserEvent {
    UserEvent::UserErased {
        unassigned: Vec::new(),
        left: Vec::new(),
    }
}

/// The user after these events, as the decision finds them.
fn user(events: impl IntoIterator<Item = UserEvent>) -> Facts {
    Facts::default().with(STREAM, state::<User>(events))
}

#[test]
fn an_active_user_signs_in_as_often_as_they_like() {
    for before in [vec![], vec![Event::SignedIn {}]] {
        given::<SignIns>(before)
            .with_facts(user([registered()]))
            .when(Command::Record {})
            .then([Event::SignedIn {}]);
    }
}

#[test]
fn who_is_unknown_deactivated_or_erased_does_not_sign_in_and_is_told_so_in_the_words_of_users() {
    for (facts, refusal) in [
        (Facts::default(), Refusal::NotRegistered),
        (user([]), Refusal::NotRegistered),
        (
            user([registered(), UserEvent::UserDeactivated {}]),
            Refusal::Deactivated,
        ),
        (user([registered(), erased()]), Refusal::Erased),
    ] {
        given::<SignIns>([])
            .with_facts(facts)
            .when(Command::Record {})
            .refused(refusal);
    }
}

#[test]
fn a_user_who_is_reactivated_signs_in_again() {
    let back = [
        registered(),
        UserEvent::UserDeactivated {},
        UserEvent::UserReactivated {},
    ];
    given::<SignIns>([])
        .with_facts(user(back))
        .when(Command::Record {})
        .then([Event::SignedIn {}]);
}

#[test]
fn each_sign_in_says_all_that_matters_of_those_before_and_nothing_of_the_person() {
    let event: &'static str = (&Event::SignedIn {}).into();
    assert_eq!(SignIns::CARRIES_FORWARD, Some(event));
    assert_eq!(Event::SignedIn {}.sealed(STREAM), []);
}

#[test]
fn whether_somebody_may_sign_in_is_the_users_to_say() {
    assert_eq!(given::<SignIns>([]).offered(), ["record"]);
}
