//! The commands that an approval offers in each state, and to whom.

use super::*;

fn offered(past: Vec<Event>, by: Uuid) -> Vec<String> {
    approval(past).by(by).offered()
}

#[test]
fn approval_is_asked_for_before_anything_else() {
    assert_eq!(offered(vec![], LOW), ["ask"]);
}

#[test]
fn who_ordered_or_decided_below_is_not_offered_a_decision() {
    let all = ["ask", "approve", "reject", "escalate", "reassign", "void"];
    let not_to_decide = ["ask", "escalate", "reassign", "void"];
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
            assert_eq!(offered(past.clone(), by), ["ask", "escalate", "void"]);
        }
    }
}
