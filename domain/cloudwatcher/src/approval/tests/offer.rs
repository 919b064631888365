//! The commands that an approval offers in each state, and to whom.

use super::*;
use domain::{Decider as _, SYSTEM};

fn offered(past: Vec<Event>, by: Uuid) -> Vec<String> {
    approval(past).by(by).offered()
}

#[test]
fn approval_is_asked_for_before_anything_else() {
    assert_eq!(offered(vec![], LOW), [""; 0]);
    assert_eq!(offered(vec![], SYSTEM), ["ask"]);
}

#[test]
fn who_ordered_or_decided_below_is_not_offered_a_decision() {
    let all = ["approve", "reject", "reassign"];
    let not_to_decide = ["reassign"];
    assert_eq!(offered(first_asked(), LOW), all);
    // Somebody may have delegated to them.
    assert_eq!(offered(first_asked(), DEPUTY), all);
    assert_eq!(offered(first_asked(), DRAFTER), not_to_decide);
    assert_eq!(offered(first_asked(), SUBMITTER), not_to_decide);
    assert_eq!(offered(second_asked(), MID), all);
    assert_eq!(offered(second_asked(), LOW), not_to_decide);
}

#[test]
fn what_is_decided_is_decided_no_more() {
    let rejected = [first_asked(), vec![rejected(ASKS[0], 1, LOW)]].concat();
    let voided = [first_asked(), vec![voided(&[ASKS[0]], WhyVoid::OrderCancelled)]].concat();
    for past in [granted(), rejected, voided] {
        for by in [LOW, DEPUTY] {
            assert_eq!(offered(past.clone(), by), [""; 0]);
        }
        assert_eq!(offered(past, SYSTEM), ["ask", "escalate", "void"]);
    }
}

#[test]
fn the_command_that_tells_who_is_entitled_is_one_that_they_could_send() {
    let pending: Approval = state(second_asked());
    for command in ["approve", "reject"] {
        let probe = pending.probe(command).unwrap();
        assert_eq!(pending.department(&probe), None);
        let decided = approval(second_asked()).by(MID).when(probe).outcome();
        assert!(decided.is_ok(), "{decided:?}");
    }
    for command in ["ask", "escalate", "reassign", "void"] {
        assert!(pending.probe(command).is_none(), "a department is asked of {command}");
    }
    assert!(Approval::default().probe("approve").is_none());
}
