//! Whatever is asked in whatever sequence, by whomever and however late: no order is placed but with the
//! approvals that its content needs. Told by an oracle that keeps its own books; see [`oracle`].

mod oracle;
mod steps;
mod world;

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use world::World;

/// Sequences that one half of the property tries.
const SEQUENCES: u32 = 50_000;
/// Steps of one sequence: enough to bring an order through three levels, back, and through them again.
const STEPS_MIN: usize = 20;
const STEPS_MAX: usize = 60;

/// What the sequences met, so that a property that tests nothing is noticed.
pub(super) type Met = BTreeMap<&'static str, u32>;

/// Tries the sequences; each number is one step.
fn explore(sequences: u32) -> Met {
    let met = RefCell::new(Met::new());
    let config = Config {
        cases: sequences,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    let sequence = prop::collection::vec(any::<u32>(), STEPS_MIN..STEPS_MAX);
    let outcome = TestRunner::new(config).run(&sequence, |numbers| {
        let mut world = World::new();
        let walked = numbers.iter().try_for_each(|&number| world.step(number));
        for (what, count) in &world.met {
            *met.borrow_mut().entry(what).or_default() += count;
        }
        walked.map_err(|broken| TestCaseError::fail(format!("{broken}\n{}", world.log())))
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    met.into_inner()
}

/// Each of these is met at least once in a thousand sequences.
const MEANT: [&str; 14] = [
    "placed",
    "placed without any level",
    "placed with two levels",
    "placed with three levels",
    "placed after a later revision",
    "placed with less than was submitted",
    "approved by a delegate",
    "escalated",
    "reassigned",
    "overdue",
    "rejected",
    "void",
    "split",
    "a stale repeat",
];

fn no_order_is_placed_without_its_approvals() {
    let met = explore(SEQUENCES);
    println!("{met:?}");
    for what in MEANT {
        let count = met.get(what).copied().unwrap_or(0);
        assert!(count >= SEQUENCES / 1_000, "{what}: met {count} times; {met:?}");
    }
}

// Two halves, so that two processors share the work.
#[test]
fn no_order_is_placed_without_its_approvals_one() {
    no_order_is_placed_without_its_approvals();
}

#[test]
fn no_order_is_placed_without_its_approvals_two() {
    no_order_is_placed_without_its_approvals();
}
