//! Contexts that fit together, and those that do not.

use domain::{Context, Contexts, Policy, Reaction, Seen};

use crate::sample::CONTEXT;

/// Reads a kind of the sample, and does nothing.
#[derive(Debug)]
struct Watching;

impl Policy for Watching {
    fn name(&self) -> &'static str {
        "watching"
    }

    fn reads(&self) -> &'static [&'static str] {
        &["test.counter"]
    }

    fn react(&self, _seen: &Seen<'_>) -> Vec<Reaction> {
        Vec::new()
    }
}

static WATCHER: Context = Context {
    name: "watcher",
    aggregates: &[],
    policies: &[&Watching],
    history: "[]\n",
};

#[test]
fn a_context_whose_kinds_a_policy_of_another_reads_cannot_be_left_out() {
    let clash = Contexts::new(&[&WATCHER]).unwrap_err().to_string();
    for word in ["watching", "watcher", "test.counter"] {
        assert!(clash.contains(word), "{clash}");
    }
    // In any order, and the other way round: nothing of the sample reads the watcher.
    for fits in [&[&CONTEXT, &WATCHER][..], &[&WATCHER, &CONTEXT], &[&CONTEXT]] {
        Contexts::new(fits).unwrap();
    }
}
