//! Issues, and what is told of them.

use super::*;

#[test]
fn an_issue_counts_its_alerts_and_forgets_how_it_ended_once_it_is_open_again() {
    let of_issue = |sequence, event| recorded(sequence, ISSUE, sequence, PERSON, AnyEvent::new::<Issue>(event));
    let opened = issue::Event::IssueOpened {
        brief: Box::new(brief()),
        opened_at: at(1),
    };
    let bound = |alert_id, severity| issue::Event::IssueAlertBound {
        binding_id: alert_id,
        alert_id,
        severity,
        brief: None,
        is_flapping: false,
        worsens: false,
    };
    let resolved = issue::Event::IssueResolved {
        by_itself: false,
        conclusion: Some("A full disk.".to_owned()),
        resolved_at: at(5),
    };
    let events = [
        of_issue(1, opened),
        of_issue(2, bound(ALERT, Severity::High)),
        of_issue(3, bound(SIGNAL, Severity::Critical)),
        of_issue(4, issue::Event::IssueAlertEnded { alert_id: ALERT }),
        of_issue(5, resolved),
        of_issue(6, issue::Event::IssueReopened { by_itself: false }),
    ];
    let ended: IssueRow = row(&ISSUE, &events[..5]);
    assert_eq!(
        (ended.alerts, ended.alerts_open, ended.severity.0),
        (2, 1, Severity::Critical)
    );
    assert_eq!((ended.resolved_by, ended.resolved_at), (Some(PERSON), Some(at(5))));
    let again: IssueRow = row(&ISSUE, &events);
    assert_eq!(
        (again.status.0, again.resolution, again.resolved_at),
        (IssueStatus::Analyzing, None, None)
    );
}

#[test]
fn an_issue_that_is_looked_into_anew_stands_where_its_event_says() {
    let of_issue = |sequence, event| recorded(sequence, ISSUE, sequence, PERSON, AnyEvent::new::<Issue>(event));
    let opened = issue::Event::IssueOpened {
        brief: Box::new(brief()),
        opened_at: at(1),
    };
    let none = issue::Event::IssueMarkedFalsePositive {
        conclusion: Some("A test.".to_owned()),
        resolved_at: at(2),
    };
    let after = |status| {
        let begun = issue::Event::InvestigationBegun { round: 2, status };
        let events = [
            of_issue(1, opened.clone()),
            of_issue(2, none.clone()),
            of_issue(3, begun),
        ];
        let row: IssueRow = row(&ISSUE, &events);
        (row.status.0, row.rounds, row.resolved_at, row.resolved_by)
    };
    let stays = (IssueStatus::FalsePositive, 2, Some(at(2)), Some(PERSON));
    assert_eq!(after(IssueStatus::FalsePositive), stays);
    assert_eq!(after(IssueStatus::Analyzing), (IssueStatus::Analyzing, 2, None, None));
}

#[test]
fn a_message_that_is_wanted_anew_is_on_its_way_whatever_became_of_the_one_before() {
    let stream = Message::stream(ISSUE, "ops");
    let of_message = |sequence, event| recorded(sequence, stream, sequence, SYSTEM, AnyEvent::new::<Message>(event));
    let wanted = |revision| message::Event::MessageWanted {
        issue_id: ISSUE,
        receiver_im: "ops".to_owned(),
        revision,
        notice: Box::new(Notice {
            tells: Tells::Opened,
            title: "Disk is full".to_owned(),
            severity: Severity::High,
            source: "prometheus".to_owned(),
            alert_type: "DiskFull".to_owned(),
            alerts: 1,
            alerts_open: 1,
            description: None,
            labels: Vec::new(),
            conclusion: None,
            is_real_issue: None,
            links: Vec::new(),
            opened_at: at(1),
            told_at: at(1),
            is_flapping: false,
        }),
    };
    let refused = message::Event::MessageRefused {
        revision: 1,
        because: "There is no such channel.".to_owned(),
        refused_at: at(3),
    };
    let events = [
        of_message(1, wanted(1)),
        of_message(2, wanted(2)),
        of_message(3, refused),
    ];
    let late: MessageRow = row(&stream, &events);
    assert_eq!(
        (late.status, late.revision, late.because),
        (Word(MessageStatus::Wanted), 2, None)
    );
    // What only waits changes nothing of the row.
    let quieted = message::Event::MessageQuieted { quiet_until: at(9) };
    assert_eq!(MessageRow::keys(&of_message(4, quieted)), Vec::<Uuid>::new());
}
