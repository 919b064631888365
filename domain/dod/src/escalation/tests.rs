//! What only a look at single decisions shows; the course of an escalation is shown by `simulation/escalations.rs`.

use domain::SYSTEM;
use rehearsal::given::{STREAM, given};

use super::*;

#[test]
fn an_escalation_has_the_id_that_follows_from_its_issue() {
    given::<Escalation>([])
        .by(SYSTEM)
        .when(Command::Begin { issue_id: STREAM })
        .refused(Refusal::OtherStream);
}

#[test]
fn there_is_none_without_an_issue() {
    given::<Escalation>([])
        .by(SYSTEM)
        .on(Escalation::stream(STREAM))
        .when(Command::Begin { issue_id: STREAM })
        .refused(Refusal::NoIssue);
}

#[test]
fn a_step_waits_as_long_as_a_silence_and_the_next_ones_with_it() {
    let at = |minutes| DateTime::<Utc>::UNIX_EPOCH + TimeDelta::minutes(minutes);
    let steps: Vec<EscalationStep> = [10, 30]
        .map(|after_minutes| EscalationStep {
            after_minutes,
            receiver_im: Some("ops".to_owned()),
            assign_to: None,
        })
        .into();
    let begun = Event::EscalationBegun {
        issue_id: STREAM,
        round: 1,
        policy_id: STREAM,
        policy_name: "Nights".to_owned(),
        steps,
        begun_at: at(0),
        next_at: at(10),
    };
    let postponed = Event::EscalationPostponed {
        issue_id: STREAM,
        log_id: STREAM,
        round: 1,
        step: 1,
        content: "It waits.".to_owned(),
        silence_id: STREAM,
        next_at: at(60),
    };
    let now: Escalation = rehearsal::given::state([begun, postponed]);
    let under_way = now.under_way.unwrap();
    assert_eq!([under_way.due_at(0), under_way.due_at(1)], [Some(at(60)), Some(at(80))]);
    assert_eq!(under_way.due_at(2), None);
}

#[test]
fn an_archived_escalation_names_what_it_wrote_into_the_log_and_nothing_more_happens_to_it() {
    let archive = || Command::Archive {
        issue_id: STREAM,
        archive: "dod.issues.1".to_owned(),
        sha256: "ab".repeat(32),
    };
    let archived = Event::EscalationArchived {
        issue_id: STREAM,
        archive: "dod.issues.1".to_owned(),
        sha256: "ab".repeat(32),
        part: 1,
        parts: 1,
        logs: vec![Uuid::from_u128(0x10)],
    };
    let at = DateTime::<Utc>::UNIX_EPOCH;
    let begun = Event::EscalationBegun {
        issue_id: STREAM,
        round: 1,
        policy_id: STREAM,
        policy_name: "Nights".to_owned(),
        steps: Vec::new(),
        begun_at: at,
        next_at: at,
    };
    let taken = Event::EscalationStepTaken {
        issue_id: STREAM,
        log_id: Uuid::from_u128(0x10),
        round: 1,
        step: 1,
        content: "Nobody came.".to_owned(),
        receiver_im: None,
        notice: None,
        assigned_to: None,
        next_at: None,
    };
    let past = |then: Option<Event>| {
        let events = [begun.clone(), taken.clone()].into_iter().chain(then);
        given::<Escalation>(events).by(SYSTEM).on(Escalation::stream(STREAM))
    };
    past(None).when(archive()).then([archived.clone()]);
    past(Some(archived.clone())).when(archive()).then([]);
    past(Some(archived))
        .when(Command::Begin { issue_id: STREAM })
        .refused(Refusal::Archived);
    given::<Escalation>([])
        .by(SYSTEM)
        .on(Escalation::stream(STREAM))
        .when(archive())
        .refused(Refusal::NotBegun);
}
