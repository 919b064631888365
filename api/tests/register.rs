//! The register of personal data: which fields and columns tell of people, how they are kept, and how they go. It is made
//! of what the contexts declare, and kept in the documents between two marks.
#![expect(
    clippy::unwrap_used,
    reason = "these are tests; the lint knows only functions marked as such"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use domain::Recorded;
use projections::{Table, golden};

const BEGINS: &str = "<!-- the register begins: made from the code by `UPDATE_GOLDEN=1 ./dev test` -->\n";
const ENDS: &str = "<!-- the register ends -->\n";

/// How a field of events is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kept {
    OfPerson,
    Contact,
    Text,
    Address,
}

impl Kept {
    fn words(self) -> &'static str {
        match self {
            Self::OfPerson => "sealed under the person's key | with the person",
            Self::Contact => "sealed under a key of its own | by an event that forgets or drops it, or with the tenant",
            Self::Text => "sealed under a key of its own | alone by `redact`, or with who wrote it",
            Self::Address => "in clear, shown with `personal.read` | never",
        }
    }
}

/// The fields of all events, each with the events that have it, as the golden histories meet them.
fn fields() -> BTreeMap<(String, String, Kept), BTreeSet<String>> {
    let contexts = daybook::contexts::all().unwrap();
    let mut found: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for tables in contexts.iter().map(|context| context.decisions.history) {
        let stored: Vec<Recorded<String>> = golden::read(tables).unwrap();
        for recorded in stored {
            let kind = contexts.aggregate(&recorded.aggregate_type).unwrap();
            let event = kind.decode(&recorded.stored()).unwrap();
            let (sealed, apart) = (event.sealed(recorded.stream), event.sealed_apart(recorded.stream));
            let is_apart = |field: &str| apart.iter().any(|(other, _)| *other == field);
            let sealed = sealed.iter().map(|&(field, _)| match is_apart(field) {
                true => (field, Kept::Contact),
                false => (field, Kept::OfPerson),
            });
            let texts = event.texts().into_iter().map(|field| (field, Kept::Text));
            let payload: serde_json::Value = serde_json::from_str(&recorded.event).unwrap();
            let addresses = kind.addresses.iter().filter(|field| payload.get(**field).is_some());
            let addresses = addresses.map(|&field| (field, Kept::Address));
            for (field, kept) in sealed.chain(texts).chain(addresses) {
                let field = (recorded.aggregate_type.clone(), field.to_owned(), kept);
                found.entry(field).or_default().insert(recorded.event_type.clone());
            }
        }
    }
    found
}

/// A line for each column that shows any of it.
fn columns(table: &Table) -> Vec<String> {
    let line = |column: &str| {
        let masked = match table.masked.contains(&column) {
            true => format!("`{}.{}.unmasked`", table.context, table.name),
            false => "whoever reads the table".to_owned(),
        };
        let (kept, gone) = if table.texts.contains(&column) {
            ("sealed", "null, within a sentence `[struck]`")
        } else if table.personal.contains(&column) {
            ("in clear", "null, or a word that says so")
        } else {
            ("in clear", "as it was")
        };
        format!(
            "| `{}.{}.{column}` | {kept} | {masked} | {gone} |",
            table.context, table.name
        )
    };
    let told = [table.texts, table.personal, table.masked].concat();
    let shown = table.shown().map(|column| column.name);
    shown.filter(|column| told.contains(column)).map(line).collect()
}

fn register() -> String {
    let mut made = String::from(
        "| field of events | events | kept | goes |\n|---|---|---|---|\n\
         | `ip` | all that a request led to | in clear, shown with `personal.read` | never |\n",
    );
    let _ = writeln!(made, "| `reason` | all that were given one | {} |", Kept::Text.words());
    for ((aggregate_type, field, kept), events) in fields() {
        let events = events.into_iter().collect::<Vec<_>>().join(", ");
        let _ = writeln!(made, "| `{aggregate_type}` `{field}` | {events} | {} |", kept.words());
    }
    made.push_str("\n| column | kept | shown to | once erased or struck |\n|---|---|---|---|\n");
    let contexts = daybook::contexts::all().unwrap();
    for table in contexts.tables().flat_map(projections::Context::all_tables) {
        for line in columns(table) {
            made.push_str(&line);
            made.push('\n');
        }
    }
    made
}

/// The document with the register in it.
fn document() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/security.md")
}

#[test]
fn the_register_of_personal_data_is_what_the_code_declares() {
    let (made, path) = (register(), document());
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGINS).unwrap();
    let (kept, after) = rest.split_once(ENDS).unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, format!("{before}{BEGINS}{made}{ENDS}{after}")).unwrap();
        return;
    }
    assert!(
        kept == made,
        "the register in {} is not what the code declares any more; look at the difference, then run this test with \
         UPDATE_GOLDEN=1",
        path.display()
    );
}

#[test]
fn every_way_of_keeping_is_met() {
    let met: BTreeSet<Kept> = fields().into_keys().map(|(_, _, kept)| kept).collect();
    assert_eq!(
        met,
        BTreeSet::from([Kept::OfPerson, Kept::Contact, Kept::Text, Kept::Address])
    );
}
