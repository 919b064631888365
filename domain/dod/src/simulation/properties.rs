//! Whatever happens in whatever order, alerts and issues agree.

use proptest::prelude::*;

use super::*;

/// Something that happens in the world; hosts and issues are named by numbers.
#[derive(Debug, Clone)]
enum Step {
    Fires(u32, i64),
    Clears(u32, i64),
    Passes(i64),
    ResolvesIssue(usize),
    CallsIssueNone(usize),
    ReopensIssue(usize),
    ToAlert(usize, u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let host = || 1_u32..4;
    let step = prop_oneof![
        4 => (host(), 0_i64..4).prop_map(|(host, began)| Step::Fires(host, began)),
        3 => (host(), 0_i64..4).prop_map(|(host, began)| Step::Clears(host, began)),
        2 => (1_i64..40).prop_map(Step::Passes),
        1 => (0_usize..3).prop_map(Step::ResolvesIssue),
        1 => (0_usize..3).prop_map(Step::CallsIssueNone),
        1 => (0_usize..3).prop_map(Step::ReopensIssue),
        3 => (0_usize..6, 0_u8..5).prop_map(|(alert, command)| Step::ToAlert(alert, command)),
    ];
    prop::collection::vec(step, 1..24)
}

fn take(world: &mut World, step: &Step) {
    let issue = |world: &World, n: usize| world.streams::<Issue>().get(n).copied();
    let to_issue = |world: &mut World, n: usize, command: issue::Command| {
        if let Some(id) = issue(world, n) {
            world.asks(BEN, Sending::of::<Issue>(id, command));
        }
    };
    match step {
        Step::Fires(host, began) => _ = world.comes(&told([*host], "firing", *began)),
        Step::Clears(host, began) => _ = world.comes(&told([*host], "resolved", *began)),
        Step::Passes(minutes) => world.passes(*minutes),
        Step::ResolvesIssue(n) => to_issue(world, *n, issue::Command::Resolve { conclusion: None }),
        Step::CallsIssueNone(n) => to_issue(world, *n, issue::Command::MarkFalsePositive { conclusion: None }),
        Step::ReopensIssue(n) => to_issue(world, *n, issue::Command::Reopen {}),
        Step::ToAlert(n, command) => {
            let command = match command {
                0 => alert::Command::Acknowledge {},
                1 => alert::Command::Resolve {},
                2 => alert::Command::MarkFalsePositive {},
                3 => alert::Command::Ignore {},
                _ => alert::Command::Reopen {},
            };
            if let Some(&id) = world.streams::<Alert>().get(*n) {
                world.asks(BEN, Sending::of::<Alert>(id, command));
            }
        }
    }
}

/// What holds whatever happens.
fn check(world: &World) {
    let issues: BTreeMap<Uuid, issue::Opened> = world.issues().into_iter().collect();
    let mut bound = 0;
    for (alert_id, alert) in world.alerts() {
        assert!(
            !alert.is_open() || alert.issue_id.is_some(),
            "{alert_id} is open and of no issue"
        );
        if let Some(issue_id) = alert.issue_id {
            bound += 1;
            let is_over = issues[&issue_id].alerts.get(&alert_id);
            assert_eq!(is_over, Some(&!alert.is_open()), "{alert_id} {}", alert.status);
        }
        let signal = world.book.state::<Signal>(alert.signal_id).unwrap();
        assert!(!alert.is_over || !alert.is_open(), "{alert_id} is open and over");
        let is_current = signal.current.is_some_and(|current| current.alert_id == alert_id);
        assert!(
            is_current || !alert.is_open(),
            "{alert_id} is open though its signal is over"
        );
    }
    for (issue_id, issue) in &issues {
        let open = issue.alerts.values().filter(|is_over| !**is_over).count();
        assert_eq!(issue.alerts_open, open, "{issue_id}");
        bound -= issue.alerts.len();
    }
    assert_eq!(bound, 0, "an issue has alerts that say otherwise");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn alerts_and_issues_agree_whatever_happens_and_parsing_again_changes_nothing(
        steps in steps(),
        is_silenced in any::<bool>(),
        auto_resolve in prop::option::of(10_i64..60),
    ) {
        let mut world = World::new(json!({
            "name": "Prometheus", "receiver_im": "ops", "auto_resolve_minutes": auto_resolve,
        }));
        if is_silenced {
            world.does(silenced(30));
        }
        for step in &steps {
            take(&mut world, step);
            check(&world);
        }
        let happened = world.happened();
        for delivery in world.streams::<Delivery>() {
            world.does(Sending::of::<Delivery>(delivery, delivery::Command::ParseAgain {}));
        }
        prop_assert_eq!(world.happened(), happened);
    }
}
