//! A check that checks nothing would be believed.

use std::sync::Arc;

use chrono::DateTime;
use domain::{Aggregate, AnyCommand, Asker, Context, Contexts, Decider, Request};
use rehearsal::given::{BY, STREAM, TENANT, state};
use rehearsal::{Chronicle, offering};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::sample::{Command, Counter, Event, Refusal, SUM_MAX, contexts};

/// A counter that can be emptied at any time, and says that it cannot while it is empty.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Shy {
    counter: Counter,
}

static SHY: Context = Context {
    name: "test",
    aggregates: &[Aggregate::of::<Shy>("shy")],
    policies: &[],
    history: "[]\n",
};

impl Decider for Shy {
    const TYPE: &'static str = "test.shy";
    const CREATES: &'static str = "add";
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        self.counter.decide(request)
    }

    fn evolve(&mut self, event: &Event) {
        self.counter.evolve(event);
    }

    fn offers(&self, command: &str, _stream: Uuid, _asker: &Asker) -> Result<(), Refusal> {
        match command {
            "empty" if self.counter == Counter::default() => Err(Refusal::Full),
            _ => Ok(()),
        }
    }
}

fn check(past: Event, is_accepted: bool) {
    let asker = Asker {
        tenant: TENANT,
        by: BY,
        at: DateTime::UNIX_EPOCH,
    };
    let full: Counter = state([past]);
    let command = Command::Add { number: 0 };
    offering::check_typed(&full, &command, STREAM, &asker, is_accepted);
    let contexts = contexts();
    let kind = contexts.aggregate("test.counter").unwrap();
    let command = AnyCommand::of::<Counter>(command);
    offering::check(kind, &(Arc::new(full) as _), &command, STREAM, &asker, is_accepted);
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

#[test]
#[should_panic(expected = "test.shy accepts test.shy empty, which it does not offer")]
fn what_a_story_never_asks_in_a_state_is_tried_there_all_the_same() {
    let contexts = Contexts::new(&[&SHY]).unwrap();
    let mut story = Chronicle::new(contexts, BY, DateTime::UNIX_EPOCH);
    story
        .send::<Shy>(STREAM, json!({"add": {"number": 1}}))
        .send::<Shy>(STREAM, json!({"empty": {}}));
    offering::what_is_not_offered_is_refused(&SHY, &story.ended());
}
