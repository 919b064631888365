//! A decision is the same whether the book carries it out or cqrs-es handles it.

use std::sync::Arc;

use chrono::DateTime;
use domain::{Circumstances, Decider as _, Facts, Together};
use proptest::prelude::*;
use rehearsal::given::{BY, STREAM, TENANT};
use rehearsal::sourcing::decided_both_ways;
use uuid::Uuid;

use crate::sample::{Command, Counter, SUM_MAX};

fn circumstances() -> Circumstances {
    Circumstances {
        tenant: TENANT,
        stream: STREAM,
        sequence: 0,
        by: BY,
        at: DateTime::UNIX_EPOCH,
        seed: Uuid::nil(),
        reason: None,
        facts: Arc::new(Facts::default()),
        together: Together::default(),
    }
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        4 => (0..SUM_MAX / 2).prop_map(|number| Command::Add { number }),
        1 => Just(Command::Empty {}),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_decision_that_is_carried_out_is_the_one_that_cqrs_es_handles(
        commands in prop::collection::vec(command(), 1..40),
    ) {
        let mut counter = Counter::default();
        for command in commands {
            // Full counters refuse, which both ways do in the same words.
            let decided = decided_both_ways(&counter, &circumstances(), &Arc::new(command));
            decided.iter().flatten().for_each(|event| counter.evolve(event));
        }
    }
}
