//! What an investigation may say, and in what order.

use domain::Refuse as _;

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
fn an_investigation_that_breaks_off_before_it_finds_its_skill_says_so_and_nothing_else() {
    let broken_off = |is_real_issue| {
        let mut conclusion = conclusion(is_real_issue);
        conclusion.evidence.clear();
        Command::Conclude { round: 1, conclusion }
    };
    let events = issue([]).when(broken_off(None)).events();
    let [Event::IssueConcluded { status, .. }] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(*status, IssueStatus::UnableToResolve);
    issue([]).when(broken_off(Some(true))).refused(Refusal::NotMatched);
}

#[test]
fn the_skill_that_is_found_is_one_of_the_tenants_also_when_it_was_struck_meanwhile() {
    let struck = state::<Register<Skill>>([Change::Entered(skill()), Change::Struck {}]);
    let found = |facts: Facts| {
        let begins = [opened(), bound(FIRST), begun(1)];
        given::<Issue>(begins).with_facts(facts).at(NOON).when(note_match(1))
    };
    assert_eq!(found(facts().with(SKILL, struck)).events().len(), 1);
    let refusal = found(Facts::default()).outcome().unwrap_err();
    assert_eq!(
        (&refusal, refusal.field().as_deref()),
        (&Refusal::NoSkill, Some("skill_id"))
    );
    let mut nothing = note_match(1);
    if let Command::NoteMatch { skill_id, by, sop, .. } = &mut nothing {
        (*skill_id, *by, *sop) = (None, MatchedBy::Nothing, None);
    }
    assert_eq!(issue([]).when(nothing).events().len(), 1);
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

#[test]
fn what_a_person_calls_none_during_an_investigation_did_not_end_by_itself() {
    let meanwhile = concluded(1, Some(false), IssueStatus::FalsePositive);
    let events = [opened(), bound(FIRST), begun(1), matched(1), none(None), meanwhile];
    assert!(!state::<Issue>(events).takes_more());
}

/// Where an issue stands once it is looked into anew, after this.
fn anew(past: Vec<Event>) -> IssueStatus {
    let events = issue(past).when(Command::Investigate {}).events();
    let [Event::InvestigationBegun { round: 2, status }] = &events[..] else {
        panic!("{events:?}");
    };
    *status
}

#[test]
fn an_issue_that_is_looked_into_anew_is_analyzed_unless_a_person_or_the_end_of_its_alerts_says_otherwise() {
    let first = |is_real_issue, status| vec![matched(1), concluded(1, is_real_issue, status)];
    let real = || first(Some(true), IssueStatus::InProgress);
    assert_eq!(anew(real()), IssueStatus::Analyzing);
    assert_eq!(
        anew(first(Some(false), IssueStatus::FalsePositive)),
        IssueStatus::Analyzing
    );
    assert_eq!(anew(first(None, IssueStatus::UnableToResolve)), IssueStatus::Analyzing);
    for (said, stays) in [
        (Event::IssueStarted {}, IssueStatus::InProgress),
        (Event::IssueMarkedUnableToResolve {}, IssueStatus::UnableToResolve),
        (resolved(false), IssueStatus::Resolved),
        (resolved(true), IssueStatus::Resolved),
        (none(None), IssueStatus::FalsePositive),
    ] {
        let events = || [real(), vec![said.clone()]].concat();
        assert_eq!(anew(events()), stays, "{said:?}");
        let is_over = matches!(stays, IssueStatus::Resolved | IssueStatus::FalsePositive);
        if is_over {
            // Who opens it again says nothing of where it stands.
            assert_eq!(anew([events(), vec![reopened(false)]].concat()), IssueStatus::Analyzing);
        }
    }
}

#[test]
fn an_issue_that_was_none_and_is_looked_into_anew_ends_as_any_other() {
    let none_of_itself = [
        matched(1),
        concluded(1, Some(false), IssueStatus::FalsePositive),
        begun(2),
    ];
    let begins = [opened(), bound(FIRST), begun(1)];
    let now = state::<Issue>(begins.into_iter().chain(none_of_itself.clone()));
    assert_eq!(now.opened().unwrap().status, IssueStatus::Analyzing);
    assert!(!now.opened().unwrap().ended_by_itself);
    issue(none_of_itself)
        .when(Command::NoteAlertEnded {
            alert_id: FIRST,
            with_issue: false,
        })
        .then([ended(FIRST), resolved(true)]);
}

#[test]
fn what_an_investigation_looked_at_is_dropped_once_and_what_it_found_stays() {
    let drop = || Command::DropEvidence {};
    let dropped = Event::IssueEvidenceDropped {};
    issue([]).when(drop()).then([]);
    issue([matched(1)]).when(drop()).then([dropped.clone()]);
    issue([matched(1), dropped.clone()]).when(drop()).then([]);
    // Those of former investigations, too.
    let again = || [matched(1), concluded(1, None, IssueStatus::UnableToResolve), begun(2)];
    issue(again()).when(drop()).then([dropped.clone()]);
    issue(again().into_iter().chain([dropped.clone(), matched(2)]))
        .when(drop())
        .then([dropped.clone()]);
    let stream = Uuid::from_u128(0x15);
    assert_eq!(erased(stream, &dropped), [domain::Erase::Person(stream)]);
    assert_eq!(erased(stream, &matched(1)), []);
    let begins = [opened(), bound(FIRST), begun(1), matched(1), step_taken(1, 1), dropped];
    let now = state::<Issue>(begins);
    let investigation = &now.opened().unwrap().investigation;
    assert_eq!(investigation.matched.as_ref().unwrap().evidence, None);
    assert_eq!(investigation.findings.len(), 1);
}
