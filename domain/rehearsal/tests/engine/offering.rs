//! A check that checks nothing would be believed.

use domain::AnyCommand;
use rehearsal::given::{BY, STREAM, TENANT};
use rehearsal::offering;

use crate::sample::{Command, Counter, Event, SUM_MAX, contexts};
use domain::Asker;
use rehearsal::given::state;

fn check(past: Event, is_accepted: bool) {
    let asker = Asker {
        tenant: TENANT,
        by: BY,
        at: chrono::DateTime::UNIX_EPOCH,
    };
    let full: Counter = state([past]);
    let command = Command::Add { number: 0 };
    offering::check_typed(&full, &command, STREAM, &asker, is_accepted);
    let contexts = contexts();
    let kind = contexts.aggregate("test.counter").unwrap();
    let command = AnyCommand::of::<Counter>(command);
    offering::check(
        kind,
        &(std::sync::Arc::new(full) as _),
        &command,
        STREAM,
        &asker,
        is_accepted,
    );
}

#[test]
fn a_command_that_is_not_offered_may_be_refused() {
    check(Event::NumberAdded { number: SUM_MAX }, false);
    check(Event::NumberAdded { number: SUM_MAX - 1 }, true);
}

#[test]
#[should_panic(expected = "which it does not offer")]
fn a_command_that_is_accepted_although_it_is_not_offered_fails_the_test() {
    check(Event::NumberAdded { number: SUM_MAX }, true);
}
