use super::*;
use crate::user;
use domain::{Facts, SYSTEM, Sealed};
use rehearsal::given::{BY, Given, given, long, releases, state, takes};

const ROBOT: Uuid = Uuid::from_u128(0x60);

fn at(hours: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::hours(hours)
}

fn digest() -> String {
    "0f".repeat(32)
}

fn issue() -> Command {
    Command::Issue {
        name: "Truck 1".to_owned(),
        user_id: ROBOT,
        digest: digest(),
        device_id: Some("truck-001".to_owned()),
        expires_at: at(24),
        issued_by: BY,
    }
}

fn issued() -> Event {
    Event::KeyIssued {
        name: "Truck 1".to_owned(),
        user_id: ROBOT,
        digest: digest(),
        device_id: Some("truck-001".to_owned()),
        expires_at: at(24),
        issued_by: BY,
    }
}

/// A user for whom keys may speak, or a person.
fn registered(provider: &str) -> user::Event {
    user::Event::UserRegistered {
        email: Sealed::Open("robot@example.com".to_owned()),
        name: Sealed::Open("Robot".to_owned()),
        oauth_provider: Some(provider.to_owned()),
        oauth_id: None,
    }
}

fn key(events: impl IntoIterator<Item = Event>) -> Given<Key> {
    let robot = state::<User>([registered(user::SERVICE)]);
    given::<Key>(events)
        .by(SYSTEM)
        .with_facts(Facts::default().with(ROBOT, robot))
}

#[test]
fn a_key_is_issued_once_for_a_service_that_is_active_and_takes_its_name() {
    key([]).when(issue()).then([issued()]).claims([takes(NAME, "truck 1")]);
    key([issued()]).when(issue()).refused(Refusal::AlreadyIssued);
    let person = Facts::default().with(ROBOT, state::<User>([registered("google")]));
    let gone = [registered(user::SERVICE), user::Event::UserDeactivated {}];
    let gone = Facts::default().with(ROBOT, state::<User>(gone));
    for facts in [person, gone, Facts::default()] {
        key([]).with_facts(facts).when(issue()).refused(Refusal::NoService);
    }
}

#[test]
fn a_key_says_what_it_is_for_and_ends() {
    let with = |change: &dyn Fn(&mut Command)| {
        let mut command = issue();
        change(&mut command);
        key([]).when(command).outcome().unwrap_err()
    };
    for hours in [-1, 0, 24 * DAYS_MAX + 1] {
        let expiry = |command: &mut Command| {
            if let Command::Issue { expires_at, .. } = command {
                *expires_at = at(hours);
            }
        };
        assert_eq!(with(&expiry), Refusal::Expiry, "{hours}");
    }
    for text in [String::new(), long(DEVICE_ID_CHARS_MAX + 1)] {
        let named = |command: &mut Command| {
            if let Command::Issue { name, .. } = command {
                name.clone_from(&text);
            }
        };
        assert_eq!(with(&named).field().as_deref(), Some("name"));
        let bound = |command: &mut Command| {
            if let Command::Issue { device_id, .. } = command {
                *device_id = Some(text.clone());
            }
        };
        assert_eq!(with(&bound).field().as_deref(), Some("device_id"));
        let digested = |command: &mut Command| {
            if let Command::Issue { digest, .. } = command {
                digest.clone_from(&text);
            }
        };
        assert_eq!(with(&digested).field().as_deref(), Some("digest"));
    }
}

#[test]
fn a_key_that_is_revoked_is_good_for_nothing_and_gives_its_name_back() {
    let revoked = || [issued(), Event::KeyRevoked {}];
    let then = key([issued()]).when(Command::Revoke {}).then([Event::KeyRevoked {}]);
    then.claims([releases(NAME, "truck 1")]);
    key(revoked()).when(Command::Revoke {}).then([]);
    key(revoked()).when(issue()).refused(Refusal::AlreadyIssued);
    key(revoked()).when(Command::NoteUse {}).refused(Refusal::Revoked);
    key([]).when(Command::Revoke {}).refused(Refusal::NotIssued);
}

#[test]
fn the_use_of_a_key_is_noted_once_an_hour() {
    let used = |hours| Event::KeyUsed { at: at(hours) };
    let note = |events: Vec<Event>, hours| key(events).at(at(hours)).when(Command::NoteUse {});
    note(vec![issued()], 2).then([used(2)]);
    let soon = key([issued(), used(2)]).at(at(3) - TimeDelta::seconds(1));
    soon.when(Command::NoteUse {}).then([]);
    note(vec![issued(), used(2)], 3).then([used(3)]);
}

#[test]
fn of_a_key_that_is_issued_everybody_is_offered_to_revoke_it() {
    assert_eq!(key([issued()]).by(BY).offered(), ["revoke"]);
    assert_eq!(key([]).by(BY).offered(), Vec::<String>::new());
    assert_eq!(key([issued()]).offered(), ["revoke", "note-use"]);
}

#[test]
fn a_state_that_is_shown_has_no_digest() {
    let shown = serde_json::to_string(&state::<Key>([issued()])).unwrap();
    assert!(shown.contains("truck-001") && !shown.contains(&digest()), "{shown}");
}
