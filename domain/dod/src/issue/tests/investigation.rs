//! What an investigation may say, and in what order.

use super::*;

#[test]
fn an_investigation_finds_its_skill_then_takes_its_steps_then_concludes() {
    let mut noted = matched(1);
    if let Event::IssueSkillMatched { log_id, .. } = &mut noted {
        *log_id = drawn(0);
    }
    issue([]).when(note_match(1)).then([noted]);
    let mut taken = step_taken(1, 1);
    if let Event::InvestigationStepTaken { log_id, .. } = &mut taken {
        *log_id = drawn(0);
    }
    issue([matched(1)]).when(note_step(1, 1)).then([taken]);
    issue([]).when(note_step(1, 1)).refused(Refusal::NotMatched);
    issue([]).when(conclude(1, None)).refused(Refusal::NotMatched);
    issue([matched(1)]).when(note_match(1)).refused(Refusal::AlreadyMatched);
}

#[test]
fn steps_are_taken_in_their_order_and_each_once() {
    let taken = || [matched(1), step_taken(1, 2)];
    for step in [1, 2] {
        issue(taken()).when(note_step(1, step)).refused(Refusal::OtherStep);
    }
    assert_eq!(issue(taken()).when(note_step(1, 3)).events().len(), 1);
}

#[test]
fn an_investigation_takes_so_many_steps_and_no_more() {
    let taken = |steps: u32| std::iter::once(matched(1)).chain((1..=steps).map(|step| step_taken(1, step)));
    assert_eq!(
        issue(taken(STEPS_MAX - 1)).when(note_step(1, STEPS_MAX)).events().len(),
        1
    );
    issue(taken(STEPS_MAX))
        .when(note_step(1, STEPS_MAX + 1))
        .refused(Refusal::TooManySteps);
}

#[test]
fn an_investigation_that_is_over_says_nothing_more() {
    let over = || [matched(1), concluded(1, Some(true), IssueStatus::InProgress)];
    for command in [note_match(1), note_step(1, 1), conclude(1, None)] {
        issue(over()).when(command).refused(Refusal::OtherRound);
    }
    let again = || over().into_iter().chain([begun(2)]);
    for command in [note_match(1), note_step(1, 1), conclude(1, None)] {
        issue(again()).when(command).refused(Refusal::OtherRound);
    }
    assert_eq!(issue(again()).when(note_match(2)).events().len(), 1);
}

#[test]
fn what_an_investigation_says_is_bounded() {
    let mut long_why = note_match(1);
    if let Command::NoteMatch { why, .. } = &mut long_why {
        *why = long(CONTENT_CHARS_MAX + 1);
    }
    let (chars, max) = (CONTENT_CHARS_MAX + 1, CONTENT_CHARS_MAX);
    assert_eq!(
        issue([]).when(long_why).outcome(),
        unfit("why", Unfit::TooLong { chars, max })
    );

    let mut no_why = note_match(1);
    if let Command::NoteMatch { why, .. } = &mut no_why {
        why.clear();
    }
    assert_eq!(issue([]).when(no_why).outcome(), unfit("why", Unfit::Empty));

    let mut large = note_match(1);
    if let Command::NoteMatch { evidence, .. } = &mut large {
        evidence.raw = Some("a".repeat(EVIDENCE_BYTES_MAX));
    }
    let refused = issue([]).when(large).outcome();
    let Err(Refusal::Unfit { field: "evidence", .. }) = refused else {
        panic!("{refused:?}");
    };

    let blob = json!({"text": "a".repeat(METADATA_BYTES_MAX)});
    let mut with_match = note_match(1);
    if let Command::NoteMatch { metadata, .. } = &mut with_match {
        *metadata = blob.clone();
    }
    let mut with_step = note_step(1, 1);
    if let Command::NoteStep { metadata, .. } = &mut with_step {
        *metadata = blob;
    }
    for (past, command) in [(vec![], with_match), (vec![matched(1)], with_step)] {
        let refused = issue(past).when(command).outcome();
        let Err(Refusal::Unfit { field: "metadata", .. }) = refused else {
            panic!("{refused:?}");
        };
    }
}

#[test]
fn what_is_concluded_says_where_the_issue_stands() {
    let status = |past: Vec<Event>, is_real_issue| {
        let past = [vec![matched(1)], past].concat();
        let events = issue(past).when(conclude(1, is_real_issue)).events();
        let [Event::IssueConcluded { status, .. }] = &events[..] else {
            panic!("{events:?}");
        };
        *status
    };
    assert_eq!(status(vec![], Some(true)), IssueStatus::InProgress);
    assert_eq!(status(vec![], Some(false)), IssueStatus::FalsePositive);
    assert_eq!(status(vec![], None), IssueStatus::UnableToResolve);
    // What a person or its alerts have said stays.
    for (said, stays) in [
        (Event::IssueStarted {}, IssueStatus::InProgress),
        (resolved(true), IssueStatus::Resolved),
        (resolved(false), IssueStatus::Resolved),
        (none(None), IssueStatus::FalsePositive),
        (Event::IssueMarkedUnableToResolve {}, IssueStatus::UnableToResolve),
    ] {
        for is_real_issue in [Some(true), Some(false), None] {
            assert_eq!(status(vec![said.clone()], is_real_issue), stays, "{said:?}");
        }
    }
}

#[test]
fn an_issue_that_was_concluded_to_be_none_takes_more_and_one_that_a_person_calls_so_does_not() {
    let takes_more = |then: Event| {
        let begins = [opened(), bound(FIRST), begun(1), matched(1)];
        state::<Issue>(begins.into_iter().chain([then])).takes_more()
    };
    assert!(takes_more(concluded(1, Some(false), IssueStatus::FalsePositive)));
    assert!(!takes_more(none(None)));
    assert!(!takes_more(resolved(false)));
    assert!(takes_more(resolved(true)));
    assert!(Issue::Unopened.takes_more());
}
