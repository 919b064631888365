//! What is told, what is taken, and what is told again.

use rehearsal::given::{Given, given, long, state};

use domain::text::Unfit;

use super::*;

const ISSUE: Uuid = Uuid::from_u128(0x15);
const RECEIVER: Uuid = Uuid::from_u128(0x4e);
const AT: DateTime<Utc> = DateTime::UNIX_EPOCH;

fn notice(tells: Tells) -> Box<Notice> {
    Box::new(Notice {
        tells,
        title: "Disk is full".to_owned(),
        severity: Severity::High,
        source: "Prometheus".to_owned(),
        alert_type: "DiskFull".to_owned(),
        alerts: 1,
        alerts_open: 1,
        description: None,
        labels: Vec::new(),
        conclusion: None,
        is_real_issue: None,
        links: Vec::new(),
        opened_at: AT,
        told_at: AT,
        is_flapping: false,
    })
}

fn wanted(revision: u32, tells: Tells) -> Event {
    Event::MessageWanted {
        issue_id: ISSUE,
        receiver_im: "ops".to_owned(),
        revision,
        notice: notice(tells),
    }
}

fn want(tells: Tells) -> Command {
    Command::Want {
        issue_id: ISSUE,
        receiver_im: "ops".to_owned(),
        notice: notice(tells),
    }
}

fn hold(tells: Tells) -> Command {
    Command::Hold {
        issue_id: ISSUE,
        receiver_im: "ops".to_owned(),
        notice: notice(tells),
    }
}

fn held(tells: Tells) -> Event {
    Event::MessageHeld { notice: notice(tells) }
}

/// So many minutes after the first telling.
fn after(minutes: i64) -> DateTime<Utc> {
    AT + TimeDelta::minutes(minutes)
}

fn quieted(minutes: i64) -> Event {
    Event::MessageQuieted {
        quiet_until: after(minutes),
    }
}

fn tell_held(minutes: i64) -> Command {
    Command::TellHeld {
        quiet_until: after(minutes),
    }
}

fn place() -> Place {
    Place {
        im_id: "17.1".to_owned(),
        channel: Some("C1".to_owned()),
    }
}

fn sent(revision: u32, place: Option<Place>) -> Event {
    Event::MessageSent {
        revision,
        receiver_id: RECEIVER,
        place,
        sent_at: AT,
    }
}

fn note_sent(revision: u32, place: Option<Place>) -> Command {
    Command::NoteSent {
        revision,
        receiver_id: RECEIVER,
        place,
    }
}

fn refused(revision: u32) -> Event {
    Event::MessageRefused {
        revision,
        because: "There is no such channel.".to_owned(),
        refused_at: AT,
    }
}

fn note_refused(revision: u32, because: &str) -> Command {
    Command::NoteRefused {
        revision,
        because: because.to_owned(),
    }
}

fn message(events: impl IntoIterator<Item = Event>) -> Given<Message> {
    given::<Message>(events).on(Message::stream(ISSUE, "ops"))
}

#[test]
fn each_change_that_is_told_is_a_revision() {
    message([]).when(want(Tells::Opened)).then([wanted(1, Tells::Opened)]);
    message([wanted(1, Tells::Opened)])
        .when(want(Tells::Resolved))
        .then([wanted(2, Tells::Resolved)]);
}

#[test]
fn the_first_of_ups_and_downs_is_told_at_once_and_the_next_ones_wait() {
    message([])
        .when(hold(Tells::Opened))
        .then([wanted(1, Tells::Opened), quieted(30)]);
    let told = || [wanted(1, Tells::Reopened), quieted(30)];
    message(told())
        .at(after(29))
        .when(hold(Tells::Resolved))
        .then([held(Tells::Resolved)]);
    message(told())
        .at(after(30))
        .when(hold(Tells::Resolved))
        .then([wanted(2, Tells::Resolved), quieted(60)]);
    given::<Message>([])
        .when(hold(Tells::Opened))
        .refused(Refusal::OtherStream {
            receiver_im: "ops".to_owned(),
        });
}

#[test]
fn the_latest_of_what_waits_is_told_when_the_time_has_come_and_the_next_ones_wait_again() {
    let waits = || {
        [
            wanted(1, Tells::Reopened),
            quieted(30),
            held(Tells::Resolved),
            held(Tells::Reopened),
        ]
    };
    message(waits())
        .at(after(30))
        .when(tell_held(30))
        .then([wanted(2, Tells::Reopened), quieted(60)]);
    let over = || waits().into_iter().chain([wanted(2, Tells::Reopened), quieted(60)]);
    for minutes in [30, 60] {
        message(over()).at(after(60)).when(tell_held(minutes)).then([]);
    }
}

#[test]
fn what_a_person_or_an_investigation_says_is_told_at_once_and_what_waited_was_before_that() {
    let waits = || [wanted(1, Tells::Reopened), quieted(30), held(Tells::Resolved)];
    message(waits())
        .at(after(5))
        .when(want(Tells::FalsePositive))
        .then([wanted(2, Tells::FalsePositive)]);
    let said = || waits().into_iter().chain([wanted(2, Tells::FalsePositive)]);
    message(said()).at(after(30)).when(tell_held(30)).then([]);
    // What comes afterwards waits as before.
    message(said())
        .at(after(29))
        .when(hold(Tells::Reopened))
        .then([held(Tells::Reopened)]);
    message(said().chain([held(Tells::Reopened)]))
        .at(after(30))
        .when(tell_held(30))
        .then([wanted(3, Tells::Reopened), quieted(60)]);
}

#[test]
fn what_is_sent_again_is_the_latest_also_when_it_waited() {
    let waits = [
        wanted(1, Tells::Reopened),
        quieted(30),
        sent(1, None),
        held(Tells::Resolved),
    ];
    message(waits)
        .when(Command::SendAgain {})
        .then([wanted(2, Tells::Resolved)]);
}

#[test]
fn an_issue_has_one_message_for_each_receiver() {
    given::<Message>([])
        .when(want(Tells::Opened))
        .refused(Refusal::OtherStream {
            receiver_im: "ops".to_owned(),
        });
    assert_ne!(Message::stream(ISSUE, "ops"), Message::stream(ISSUE, "dev"));
    assert_ne!(Message::stream(ISSUE, "ops"), Message::stream(RECEIVER, "ops"));
}

#[test]
fn what_was_taken_is_noted_once_and_never_what_was_not_wanted() {
    let told = || [wanted(1, Tells::Opened), wanted(2, Tells::Resolved)];
    message(told())
        .when(note_sent(2, Some(place())))
        .then([sent(2, Some(place()))]);
    for revision in [0, 3] {
        message(told())
            .when(note_sent(revision, None))
            .refused(Refusal::OtherRevision);
        message(told())
            .when(note_refused(revision, "No."))
            .refused(Refusal::OtherRevision);
    }
    let taken = told().into_iter().chain([sent(2, None)]);
    for revision in [1, 2] {
        message(taken.clone()).when(note_sent(revision, None)).then([]);
    }
}

#[test]
fn a_place_is_kept_until_there_is_another() {
    let told = [
        wanted(1, Tells::Opened),
        sent(1, Some(place())),
        wanted(2, Tells::Resolved),
    ];
    let message = state::<Message>(told.into_iter().chain([sent(2, None)]));
    let wanted = message.wanted().unwrap();
    assert_eq!((wanted.place.clone(), wanted.sent), (Some(place()), 2));
}

#[test]
fn what_places_say_is_bounded() {
    let (chars, max) = (IM_ID_CHARS_MAX + 1, IM_ID_CHARS_MAX);
    let told = || [wanted(1, Tells::Opened)];
    for (field, place, unfit) in [
        ("im_id", (String::new(), None), Unfit::Empty),
        ("im_id", (long(chars), None), Unfit::TooLong { chars, max }),
        (
            "channel",
            ("1".to_owned(), Some(long(chars))),
            Unfit::TooLong { chars, max },
        ),
    ] {
        let (im_id, channel) = place;
        message(told())
            .when(note_sent(1, Some(Place { im_id, channel })))
            .refused(Refusal::Unfit { field, unfit });
    }
    let (chars, max) = (BECAUSE_CHARS_MAX + 1, BECAUSE_CHARS_MAX);
    for (because, unfit) in [
        (String::new(), Unfit::Empty),
        (long(chars), Unfit::TooLong { chars, max }),
    ] {
        message(told()).when(note_refused(1, &because)).refused(Refusal::Unfit {
            field: "because",
            unfit,
        });
    }
}

#[test]
fn a_refusal_is_noted_once() {
    let because = "There is no such channel.";
    message([wanted(1, Tells::Opened)])
        .when(note_refused(1, because))
        .then([refused(1)]);
    message([wanted(1, Tells::Opened), refused(1)])
        .when(note_refused(1, because))
        .then([]);
}

#[test]
fn what_was_taken_is_not_refused_afterwards() {
    let told = || {
        [
            wanted(1, Tells::Opened),
            wanted(2, Tells::Resolved),
            sent(2, Some(place())),
        ]
    };
    for revision in [1, 2] {
        message(told())
            .when(note_refused(revision, "It took too long."))
            .then([]);
    }
    let late = [wanted(1, Tells::Opened), refused(1)];
    message(late).when(note_sent(1, None)).then([sent(1, None)]);
}

#[test]
fn what_became_of_an_earlier_revision_hides_no_refusal_of_the_latest() {
    let told = || [wanted(1, Tells::Opened), wanted(2, Tells::Resolved), refused(2)];
    message(told()).when(note_refused(1, "No.")).then([]);
    message(told().into_iter().chain([sent(1, None)]))
        .when(Command::SendAgain {})
        .then([wanted(3, Tells::Resolved)]);
}

#[test]
fn the_latest_is_sent_again_once_it_was_taken_or_refused() {
    for over in [sent(1, None), refused(1)] {
        message([wanted(1, Tells::Concluded), over])
            .when(Command::SendAgain {})
            .then([wanted(2, Tells::Concluded)]);
    }
    message([wanted(1, Tells::Opened)])
        .when(Command::SendAgain {})
        .refused(Refusal::UnderWay);
    // Of an earlier one it does not matter what became.
    message([wanted(1, Tells::Opened), refused(1), wanted(2, Tells::Resolved)])
        .when(Command::SendAgain {})
        .refused(Refusal::UnderWay);
}

#[test]
fn nothing_can_be_asked_of_a_message_that_nobody_wanted() {
    for command in [
        note_sent(1, None),
        note_refused(1, "No."),
        Command::SendAgain {},
        tell_held(30),
    ] {
        message([]).when(command).refused(Refusal::NotWanted);
    }
}

#[test]
fn an_archived_message_tells_nothing_more() {
    let archive = || Command::Archive {
        archive: "dod.issues.1".to_owned(),
        sha256: "ab".repeat(32),
    };
    let archived = Event::MessageArchived {
        archive: "dod.issues.1".to_owned(),
        sha256: "ab".repeat(32),
    };
    given::<Message>([]).when(archive()).refused(Refusal::NotWanted);
    let past = |then: Option<Event>| message([wanted(1, Tells::Opened)].into_iter().chain(then));
    past(None).when(archive()).then([archived.clone()]);
    for command in [
        want(Tells::Reopened),
        hold(Tells::Reopened),
        Command::SendAgain {},
        Command::TellHeld { quiet_until: AT },
    ] {
        past(Some(archived.clone())).when(command).refused(Refusal::Archived);
    }
    past(Some(archived.clone())).when(archive()).then([]);
    assert_eq!(past(Some(archived)).by(domain::SYSTEM).offered(), ["archive"]);
}
