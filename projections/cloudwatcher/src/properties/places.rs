//! Where rows stand in the book: every table says it, whatever happened.

use std::collections::{BTreeMap, BTreeSet};

use domain::{AnyEvent, Recorded};
use proptest::prelude::*;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::past::Past;
use super::wish::{Kind, Wish};
use crate::CONTEXT;
use projections::fold::Change;
use projections::golden;
use projections::image::Image;
use projections::table::{PLACE, POSITION, Table};

type Row = Map<String, Value>;

/// Every way in which rows do not say where they stand, as a sentence that begins with the table's name.
fn broken(events: &[Recorded<AnyEvent>]) -> Vec<String> {
    let mut broken = Vec::new();
    let came = came(events);
    for (name, rows) in CONTEXT.folded(events).unwrap() {
        let table = CONTEXT.table(name).unwrap();
        let mut seen = BTreeSet::new();
        for row in &rows {
            let place = place(table, row);
            if !seen.insert(place.clone()) {
                broken.push(format!(
                    "{name}: several rows say {place:?}; the table needs a `{PLACE}`"
                ));
            }
            let key: Vec<&str> = table.key.iter().map(|column| row[*column].as_str().unwrap()).collect();
            let brought_in = came.get(&(name, key.join("/")));
            if brought_in.is_some_and(|position| row[POSITION] != *position) {
                broken.push(format!("{name}: {row:?} came with event {brought_in:?}"));
            }
        }
    }
    broken
}

/// What tells a row apart from those of the same time.
fn place(table: &Table, row: &Row) -> Vec<i64> {
    table.place().map(|column| row[column.name].as_i64().unwrap()).collect()
}

/// Every change of every table that has a fold.
fn changes(events: &[Recorded<AnyEvent>]) -> Vec<Change<'_>> {
    let changes = |projection: &&dyn projections::Projection| projection.changes(events).unwrap();
    CONTEXT.tables.iter().flat_map(changes).collect()
}

/// By table and key, the position of the event that brought the row in, for the last time.
fn came(events: &[Recorded<AnyEvent>]) -> BTreeMap<(&'static str, String), i64> {
    let insert = |change: &Change<'_>| matches!(change.image, Some(Image::Insert { .. }));
    let changes = changes(events).into_iter().filter(insert);
    changes
        .map(|change| ((change.table, change.key), change.recorded.position))
        .collect()
}

/// The tables into which one command, and those into which one event, brings several rows.
fn several(events: &[Recorded<AnyEvent>]) -> [BTreeSet<&'static str>; 2] {
    let (mut of_command, mut of_event) = (
        BTreeMap::<(&str, Uuid), usize>::new(),
        BTreeMap::<(&str, i64), usize>::new(),
    );
    let command = |position: i64| {
        let recorded = events.iter().find(|recorded| recorded.position == position);
        recorded.unwrap().metadata.command_id
    };
    for ((table, _), position) in came(events) {
        *of_command.entry((table, command(position))).or_default() += 1;
        *of_event.entry((table, position)).or_default() += 1;
    }
    let commands = of_command.into_iter().filter(|(_, rows)| *rows > 1);
    let events = of_event.into_iter().filter(|(_, rows)| *rows > 1);
    [
        commands.map(|((table, _), _)| table).collect(),
        events.map(|((table, _), _)| table).collect(),
    ]
}

/// The tables into which this history brings several rows at once, and that do not tell them apart, by name.
fn forgotten(events: &[Recorded<AnyEvent>]) -> Vec<String> {
    let [of_command, of_event] = several(events);
    let lacks = |name: &&&str, column| CONTEXT.table(name).unwrap().column(column).is_none();
    let of_command = of_command.iter().filter(|name| lacks(name, POSITION));
    let of_event = of_event.iter().filter(|name| lacks(name, PLACE));
    of_command
        .map(|name| format!("{name}: one command brings in several rows, and they do not say their `{POSITION}`"))
        .chain(
            of_event
                .map(|name| format!("{name}: one event brings in several rows, and they do not say their `{PLACE}`")),
        )
        .collect()
}

proptest! {
    #[test]
    fn whatever_happens_every_row_says_its_place_and_no_two_say_the_same(wishes in prop::collection::vec(any::<Wish>(), 0..120)) {
        let past = Past::of(wishes);
        prop_assert_eq!(forgotten(&past.events), Vec::<String>::new());
        prop_assert_eq!(broken(&past.events), Vec::<String>::new());
    }
}

#[test]
fn in_the_golden_history_every_table_tells_apart_what_comes_at_once() {
    let events = golden::history(&CONTEXT).unwrap();
    assert_eq!(forgotten(&events), Vec::<String>::new());
    assert_eq!(broken(&events), Vec::<String>::new());
    let missing = CONTEXT.all_tables().filter(|table| table.column(POSITION).is_none());
    assert_eq!(missing.map(|table| table.name).collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn a_row_keeps_its_place_for_as_long_as_it_is_there() {
    let events = golden::history(&CONTEXT).unwrap();
    let mut before: BTreeMap<(&str, String), Vec<i64>> = BTreeMap::new();
    let (mut kept, mut seen) = (0, 0);
    for end in (1..events.len()).step_by(9).chain([events.len()]) {
        let mut now = BTreeMap::new();
        for projection in CONTEXT.tables {
            let table = projection.table();
            for row in projection.folded(&events[..end]).unwrap() {
                now.insert((table.name, row["id"].to_string()), place(table, &row));
            }
        }
        for (row, place) in &now {
            match before.get(row) {
                Some(was) => {
                    assert_eq!(was, place, "{row:?}");
                    kept += 1;
                }
                None => assert!((seen + 1..=events[end - 1].position).contains(&place[0]), "{row:?}"),
            }
        }
        before = now;
        seen = events[end - 1].position;
    }
    assert!(kept > events.len(), "rows stay while others come");
}

#[test]
fn the_tables_of_lines_are_those_into_which_one_event_brings_several_rows() {
    let wish = |kind: Kind, choice| Wish {
        what: kind as u8,
        which: 0,
        first: 0,
        second: 0,
        choice,
        more: 0,
        long: false,
    };
    let wishes = (0..14).flat_map(|choice| [Kind::Role, Kind::Request, Kind::Order].map(|kind| wish(kind, choice)));
    let golden = golden::history(&CONTEXT).unwrap();
    let found: BTreeSet<&str> = [&golden, &Past::of(wishes.collect()).events]
        .into_iter()
        .flat_map(|events| {
            let [_, of_event] = several(events);
            of_event
        })
        .collect();
    let tables = CONTEXT.tables.iter().map(|projection| projection.table());
    let lines: BTreeSet<&str> = tables.filter(|table| table.is_lines).map(|table| table.name).collect();
    assert_eq!(found, lines);
}
