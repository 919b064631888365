//! A context that asks no rule would break none.

use std::path::Path;

use crate::context;

#[test]
fn every_context_asks_all_rules_of_its_floors() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for context in context::added().iter() {
        let folder = |floor: &str| match context.name() {
            "sample" => root.join("tests/sample").join(floor),
            name => root.join(floor).join(name),
        };
        let mut floors = vec![(folder("domain").join("src/golden.rs"), "rehearsal::rules!(CONTEXT, ")];
        if context.tables.is_some() {
            floors.push((folder("projections").join("src/checks.rs"), "check::all(&CONTEXT, "));
        }
        for (file, asks) in floors {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            assert!(text.contains(asks), "{} does not say {asks}...)", file.display());
        }
    }
}
