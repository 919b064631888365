//! What persons say of an issue.

use super::*;

/// The past of an issue in each of its states, with whether it is ended.
fn states() -> Vec<(IssueStatus, Vec<Event>, bool)> {
    vec![
        (IssueStatus::Analyzing, vec![], false),
        (IssueStatus::InProgress, vec![Event::IssueStarted {}], false),
        (
            IssueStatus::UnableToResolve,
            vec![Event::IssueMarkedUnableToResolve {}],
            false,
        ),
        (IssueStatus::Resolved, vec![resolved(false)], true),
        (IssueStatus::FalsePositive, vec![none(None)], true),
    ]
}

#[test]
fn whoever_works_on_an_open_issue_says_so() {
    for (status, past, is_ended) in states() {
        let start = issue(past.clone()).when(Command::Start {}).outcome();
        let assign = issue(past.clone()).when(Command::Assign { user_id: BEN }).outcome();
        let unable = issue(past).when(Command::MarkUnableToResolve {}).outcome();
        if is_ended {
            assert_eq!(start, Err(Refusal::Ended { status }));
            assert_eq!(assign, Err(Refusal::Ended { status }));
            assert_eq!(unable, Err(Refusal::Ended { status }));
            continue;
        }
        let unless = |is_so: bool, event: Event| Ok(if is_so { vec![] } else { vec![event] });
        assert_eq!(start, unless(status == IssueStatus::InProgress, Event::IssueStarted {}));
        assert_eq!(
            assign,
            Ok(vec![Event::IssueAssigned {
                user_id: BEN,
                by_itself: false
            }])
        );
        let is_unable = status == IssueStatus::UnableToResolve;
        assert_eq!(unable, unless(is_unable, Event::IssueMarkedUnableToResolve {}));
    }
}

#[test]
fn an_issue_is_assigned_once_to_the_same_and_only_to_who_works_there() {
    issue([Event::IssueAssigned {
        user_id: BEN,
        by_itself: false,
    }])
    .when(Command::Assign { user_id: BEN })
    .then([]);
    issue([])
        .when(Command::Assign { user_id: SKILL })
        .refused(Refusal::NoPerson);
}

fn mark_none(conclusion: Option<&str>) -> Command {
    Command::MarkFalsePositive {
        conclusion: conclusion.map(str::to_owned),
    }
}

#[test]
fn a_person_ends_an_issue_once_and_in_one_way() {
    for (status, past, is_ended) in states() {
        let resolved_now = issue(past.clone()).when(resolve(Some("Mended."))).outcome();
        let called_none = issue(past).when(mark_none(Some("A test."))).outcome();
        if is_ended {
            let refused = || Err(Refusal::Ended { status });
            let (same, other) = match status {
                IssueStatus::Resolved => (resolved_now, called_none),
                _ => (called_none, resolved_now),
            };
            assert_eq!((same, other), (Ok(vec![]), refused()));
            continue;
        }
        let by_person = Event::IssueResolved {
            by_itself: false,
            conclusion: Some("Mended.".to_owned()),
            resolved_at: NOON,
        };
        assert_eq!(resolved_now, Ok(vec![by_person]), "{status}");
        assert_eq!(called_none, Ok(vec![none(Some("A test."))]), "{status}");
    }
}

#[test]
fn what_was_found_by_itself_is_said_anew_by_a_person_and_then_stays() {
    let found = |is_real_issue, status| vec![matched(1), concluded(1, is_real_issue, status)];
    let in_progress = found(Some(true), IssueStatus::InProgress);
    let unable = found(None, IssueStatus::UnableToResolve);
    let nothing = found(Some(false), IssueStatus::FalsePositive);
    let over = vec![ended(FIRST), resolved(true)];
    for (past, command, event) in [
        (in_progress, Command::Start {}, Event::IssueStarted {}),
        (
            unable,
            Command::MarkUnableToResolve {},
            Event::IssueMarkedUnableToResolve {},
        ),
        (nothing, mark_none(None), none(None)),
        (over, resolve(None), resolved(false)),
    ] {
        issue(past.clone()).when(command.clone()).then([event.clone()]);
        issue(past.into_iter().chain([event])).when(command).then([]);
    }
}

#[test]
fn what_a_person_writes_is_bounded() {
    let (chars, max) = (CONCLUSION_CHARS_MAX + 1, CONCLUSION_CHARS_MAX);
    let text = long(chars);
    let too_long = || unfit("conclusion", Unfit::TooLong { chars, max });
    assert_eq!(issue([]).when(resolve(Some(&text))).outcome(), too_long());
    assert_eq!(issue([]).when(mark_none(Some(&text))).outcome(), too_long());
    let over = || [matched(1), concluded(1, None, IssueStatus::UnableToResolve)];
    let correct = |conclusion: &str| Command::Correct {
        is_real_issue: true,
        conclusion: conclusion.to_owned(),
    };
    assert_eq!(issue(over()).when(correct(&text)).outcome(), too_long());
    assert_eq!(
        issue(over()).when(correct("")).outcome(),
        unfit("conclusion", Unfit::Empty)
    );
}

#[test]
fn what_is_ended_is_reopened_and_nothing_else() {
    for (status, past, is_ended) in states() {
        let outcome = issue(past).when(Command::Reopen {}).outcome();
        match is_ended {
            true => assert_eq!(outcome, Ok(vec![reopened(false)])),
            false => assert_eq!(outcome, Err(Refusal::NotEnded { status })),
        }
    }
    issue([ended(FIRST), resolved(true)])
        .when(Command::Reopen {})
        .then([reopened(false)]);
}

#[test]
fn what_was_concluded_is_corrected_and_nothing_before() {
    let correct = || Command::Correct {
        is_real_issue: false,
        conclusion: "A test.".to_owned(),
    };
    issue([]).when(correct()).refused(Refusal::NotConcluded);
    let over = [matched(1), concluded(1, Some(true), IssueStatus::InProgress)];
    let corrected = Event::IssueCorrected {
        log_id: drawn(0),
        alert_type: "DiskFull".to_owned(),
        is_real_issue: false,
        conclusion: Some("A test.".to_owned()),
    };
    issue(over.clone()).when(correct()).then([corrected.clone()]);
    let begins = [opened(), bound(FIRST), begun(1)].into_iter().chain(over);
    let issue = state::<Issue>(begins.chain([corrected]));
    assert_eq!(issue.opened().unwrap().is_real_issue, Some(false));
}

#[test]
fn an_issue_is_looked_into_anew_once_the_investigation_is_over() {
    issue([]).when(Command::Investigate {}).refused(Refusal::UnderWay);
    let over = || {
        [
            matched(1),
            step_taken(1, 1),
            concluded(1, None, IssueStatus::UnableToResolve),
        ]
    };
    issue(over()).when(Command::Investigate {}).then([begun(2)]);
    issue(over().into_iter().chain([begun(2)]))
        .when(Command::Investigate {})
        .refused(Refusal::UnderWay);
    let begins = [opened(), bound(FIRST), begun(1)].into_iter().chain(over());
    let issue = state::<Issue>(begins.chain([begun(2)]));
    let expected = Investigation {
        round: 2,
        ..Investigation::default()
    };
    assert_eq!(issue.opened().unwrap().investigation, expected);
}

#[test]
fn what_a_person_says_of_it_counts_whatever_is_concluded_later_until_they_take_it_back() {
    let says = |then: Vec<Event>| {
        let begins = [opened(), bound(FIRST), begun(1), matched(1)].into_iter();
        let issue = state::<Issue>(begins.chain(then));
        issue.opened().unwrap().is_real_issue
    };
    let found = |round, is_real| concluded(round, Some(is_real), IssueStatus::InProgress);
    let corrected = |is_real_issue| Event::IssueCorrected {
        log_id: drawn(0),
        alert_type: "DiskFull".to_owned(),
        is_real_issue,
        conclusion: None,
    };
    let reopened = || Event::IssueReopened { by_itself: false };
    assert_eq!(says(vec![found(1, true), corrected(false)]), Some(false));
    assert_eq!(
        says(vec![found(1, true), corrected(false), begun(2), found(2, true)]),
        Some(false)
    );
    assert_eq!(says(vec![found(1, true), none(None)]), Some(false));
    assert_eq!(says(vec![found(1, true), none(None), reopened()]), None);
    assert_eq!(
        says(vec![found(1, true), none(None), reopened(), begun(2), found(2, true)]),
        Some(true)
    );
    assert_eq!(says(vec![found(1, true), corrected(true), none(None)]), Some(false));
}
