//! The lists of plain kinds in lines, for a reader of what a change does to them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use domain::Context;
use domain::entry::{Bound, Field, Plain};

use crate::golden;

/// That every list is the one of the file, so that a limit, a reference or a claim that a field loses is told by name.
///
/// # Panics
/// When one differs from its line there.
pub fn plain_lists_are_those_of_the_golden_file(context: &'static Context, manifest: &str) {
    let lines: Vec<String> = context
        .aggregates
        .iter()
        .filter_map(|kind| kind.plain)
        .flat_map(lines)
        .collect();
    let path = Path::new(manifest).join("plain.txt");
    if lines.is_empty() {
        return;
    }
    if golden::updating() {
        fs::write(&path, lines.concat()).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let before: BTreeSet<&str> = written.lines().collect();
    let now: BTreeSet<&str> = lines.iter().map(|line| line.trim_end()).collect();
    let lost: Vec<_> = before.difference(&now).collect();
    let new: Vec<_> = now.difference(&before).collect();
    assert!(
        lost.is_empty() && new.is_empty(),
        "lists differ from {}, which UPDATE_GOLDEN=1 writes anew, as a decision; lost: {lost:#?}, new: {new:#?}",
        path.display()
    );
}

fn lines(list: &'static Plain) -> Vec<String> {
    let of_field = |field: &Field| {
        let spec = field.spec;
        let mut line = format!(
            "{}.{}.{} {}",
            list.context,
            list.table,
            field.name,
            spec.bound.column_type(field.kind)
        );
        let mut say = |word: String| {
            line.push(' ');
            line.push_str(&word);
        };
        if !field.nullable {
            say("needed".to_owned());
        }
        match spec.bound {
            Bound::Word { .. } => say(format!("[{}]", field.words.join("|"))),
            bound if !bound.told().is_empty() => say(format!("({})", bound.told().trim_end_matches('.'))),
            _ => {}
        }
        if let Some(unique) = spec.unique {
            say(format!("unique:{}", unique.claim));
        }
        if let Some(reference) = spec.reference {
            say(format!("names:{}", reference.kind));
        }
        let flags = [
            (list.is_key(field), "key"),
            (spec.stays, "stays"),
            (spec.is_home, "home"),
            (spec.is_contact, "contact"),
            (spec.is_found, "found"),
        ];
        flags
            .iter()
            .filter(|(is_so, _)| *is_so)
            .for_each(|(_, word)| say((*word).to_owned()));
        line.push('\n');
        line
    };
    list.fields.iter().map(of_field).collect()
}
