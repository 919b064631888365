//! What the audit table tells, of the golden history and of single events.

use std::collections::{BTreeMap, BTreeSet};

use domain::{AnyEvent, Recorded};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::CONTEXT;
use crate::users::UserRow;
use projections::cell::{Cell as _, Json};
use projections::fold::{Change, Project as _};
use projections::golden;
use projections::image::Image;
use projections::row::Row as _;
use projections::table::ColumnKind;

fn history() -> Vec<Recorded<AnyEvent>> {
    golden::history(&CONTEXT).unwrap()
}

/// Every change of every table.
fn changes(events: &[Recorded<AnyEvent>]) -> Vec<Change<'_>> {
    let changes = |projection: &&dyn projections::Projection| projection.changes(events).unwrap();
    CONTEXT.tables.iter().flat_map(changes).collect()
}

fn rows(events: &[Recorded<AnyEvent>]) -> Vec<Map<String, Value>> {
    projections::audit::rows(CONTEXT.audit.unwrap(), changes(events))
}

/// The event as it reads once the keys of the people in it are destroyed, and which fields were theirs.
type Erased = (Recorded<AnyEvent>, Vec<&'static str>);

fn erased(recorded: &Recorded<AnyEvent>) -> Erased {
    let kind = CONTEXT
        .reads
        .iter()
        .find(|kind| kind.aggregate_type == recorded.aggregate_type);
    let payload = kind.unwrap().encode(&recorded.event).unwrap().unwrap();
    let mut payload: Map<String, Value> = serde_json::from_str(&payload).unwrap();
    let fields = recorded.event.sealed(recorded.stream);
    let fields: Vec<_> = fields.into_iter().map(|(field, _)| field).collect();
    for field in &fields {
        payload.insert((*field).to_owned(), Value::Null);
    }
    let erased = recorded.clone().map(|_| Value::Object(payload).to_string());
    let event = CONTEXT.decode(&erased).unwrap().unwrap();
    (recorded.clone().map(|_| event), fields)
}

#[test]
fn every_column_that_is_fed_from_a_sealed_field_is_personal() {
    let events = history();
    let (mut seen, mut differing) = (0, BTreeSet::new());
    for end in 1..=events.len() {
        let (gone, fields) = erased(&events[end - 1]);
        if fields.is_empty() {
            continue;
        }
        seen += 1;
        let mut erased = events[..end].to_vec();
        erased[end - 1] = gone;
        for projection in CONTEXT.tables {
            let (open, erased) = (projection.folded(&events[..end]), projection.folded(&erased));
            for (open, erased) in open.unwrap().iter().zip(&erased.unwrap()) {
                let columns = open.iter().filter(|(column, cell)| erased.get(*column) != Some(cell));
                differing.extend(columns.map(|(column, _)| (projection.table().name, column.clone())));
            }
        }
    }
    assert!(seen > 2, "the golden history has people in it");
    let personal: BTreeSet<(&str, String)> = CONTEXT
        .all_tables()
        .flat_map(|table| table.personal.iter().map(|column| (table.name, (*column).to_owned())))
        .collect();
    assert_eq!(differing, personal);
}

#[test]
fn an_erasure_changes_no_row_that_is_there() {
    let events = history();
    let erased: Vec<_> = events.iter().map(|recorded| erased(recorded).0).collect();
    assert_ne!(events, erased);
    assert_eq!(rows(&events), rows(&erased));
}

#[test]
fn images_are_the_rows_without_what_is_masked_or_personal_and_without_their_place() {
    let events = history();
    // The state of each row as its images tell it.
    let mut told: BTreeMap<(&str, String), Map<String, Value>> = BTreeMap::new();
    let object = |json: &Json| match json.json() {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    };
    let mut kinds = BTreeSet::new();
    for change in changes(&events) {
        let row = (change.table, change.key);
        match change.image {
            None => {}
            Some(Image::Insert { new }) => {
                kinds.insert("insert");
                assert_eq!(told.insert(row, object(&new)), None);
            }
            Some(Image::Update { old, new }) => {
                kinds.insert("update");
                let (old, new, state) = (object(&old), object(&new), told.get_mut(&row).unwrap());
                assert!(old.keys().eq(new.keys()) && !old.is_empty());
                for (column, cell) in old {
                    // What is null is not told of a whole row.
                    assert_eq!(*state.get(&column).unwrap_or(&Value::Null), cell, "{}.{column}", row.0);
                    assert_ne!(new[&column], cell, "{}.{column}", row.0);
                }
                state.extend(new);
                state.retain(|_, cell| !cell.is_null());
            }
            Some(Image::Delete { old }) => {
                kinds.insert("delete");
                assert_eq!(told.remove(&row), Some(object(&old)));
            }
        }
    }
    assert_eq!(kinds.len(), 3);
    for projection in CONTEXT.tables {
        let table = projection.table();
        let mut left = projection.folded(&events).unwrap();
        for row in &mut left {
            let is_place = |column: &str| table.place().any(|place| place.name == column);
            row.retain(|column, cell| !table.is_private(column) && !is_place(column) && !cell.is_null());
        }
        let in_images = told.iter().filter(|((name, _), _)| *name == table.name);
        let in_images: Vec<_> = in_images.map(|(_, row)| row.clone()).collect();
        assert_eq!(in_images.len(), left.len(), "{}", table.name);
        assert!(left.iter().all(|row| in_images.contains(row)), "{}", table.name);
    }
}

#[test]
fn ids_are_of_one_row_each_and_the_same_again() {
    let events = history();
    let ids = || rows(&events).into_iter().map(|row| row["id"].clone().to_string());
    assert_eq!(ids().collect::<BTreeSet<_>>().len(), ids().count());
    assert!(ids().eq(ids()));
}

#[test]
fn a_change_of_nothing_but_what_may_not_be_told_is_no_row() {
    let user = |recorded: &&Recorded<AnyEvent>| !UserRow::keys(recorded).is_empty();
    let event = history().into_iter().find(|recorded| user(&recorded)).unwrap();
    let row = UserRow::fold(None, &event.stream, &event).unwrap().unwrap();
    let (mut renamed, mut stopped) = (row.clone(), row.clone());
    renamed.name = "Somebody else".to_owned();
    stopped.is_active = !row.is_active;
    assert_eq!(row.difference(&renamed), None);
    assert_eq!(row.difference(&row), None);
    let (old, new) = row.difference(&stopped).unwrap();
    let text = |json: &Json| {
        let mut text = String::new();
        json.write(&mut text);
        text
    };
    assert_eq!(
        (text(&old), text(&new)),
        (r#"{"is_active":true}"#.to_owned(), r#"{"is_active":false}"#.to_owned())
    );
}

#[test]
fn who_asked_is_named_as_a_user_from_their_registration_on() {
    let mut events = history();
    let registration =
        |recorded: &&Recorded<AnyEvent>| recorded.aggregate_type == "identity.user" && recorded.sequence == 1;
    let (user, position) = events
        .iter()
        .find(registration)
        .map(|recorded| (recorded.stream, recorded.position))
        .unwrap();
    for recorded in &mut events {
        recorded.metadata.actor = user;
        recorded.metadata.reason = Some("because".to_owned());
        recorded.metadata.ip = Some("10.0.0.1".to_owned());
    }
    let all = rows(&events);
    let named = |row: &&Map<String, Value>| row["position"].as_i64().unwrap() >= position;
    let (named, unnamed): (Vec<_>, Vec<_>) = all.iter().partition(named);
    assert!(!named.is_empty() && named.iter().all(|row| row["user_id"] == user.to_string()));
    assert!(
        unnamed
            .iter()
            .all(|row| row["user_id"].is_null() && row["actor_id"] == user.to_string())
    );
    let told = |row: &Map<String, Value>| row["change_reason"] == "because" && row["ip_address"] == "10.0.0.1";
    assert!(all.iter().all(told));

    for recorded in &mut events {
        recorded.metadata.actor = domain::SYSTEM;
    }
    let daybooks = rows(&events);
    assert!(daybooks.iter().all(|row| row["user_id"].is_null()));
}

#[test]
fn every_key_fits_the_column_that_names_it() {
    const RECORD_ID_CHARS_MAX: usize = 100;
    for projection in CONTEXT.tables {
        let table = projection.table();
        let chars = table.key.iter().map(|column| match table.column(column).unwrap().kind {
            ColumnKind::Uuid => 36,
            ColumnKind::Integer | ColumnKind::Date => 11,
            ColumnKind::Bigint => 20,
            other => panic!("{}: how long is a key of {other:?}?", table.name),
        });
        let slashes = table.key.len() - 1;
        assert!(chars.sum::<usize>() + slashes <= RECORD_ID_CHARS_MAX, "{}", table.name);
    }
}

#[test]
fn an_event_that_names_a_row_twice_touches_it_once() {
    let mut seen = BTreeSet::new();
    for change in changes(&history()) {
        let touch: (i64, &str, String) = (change.recorded.position, change.table, change.key);
        assert!(seen.insert(touch));
    }
    assert_ne!(seen.len(), 0);
}

#[test]
fn the_id_is_made_of_event_table_and_key() {
    let events = history();
    let change = changes(&events).remove(0);
    let id = Uuid::new_v5(
        &change.recorded.event_id,
        format!("{}/{}", change.table, change.key).as_bytes(),
    );
    assert_eq!(rows(&events)[0]["id"], id.to_string());
}

#[test]
fn the_rows_of_one_event_are_numbered_from_1_table_by_table_and_so_in_pages_of_any_size() {
    let events = history();
    let places = |changes: Vec<Change<'_>>| -> Vec<(i64, i64, String)> {
        let rows = projections::audit::rows(CONTEXT.audit.unwrap(), changes).into_iter();
        let place = |row: Map<String, Value>| {
            let number = |column: &str| row[column].as_i64().unwrap();
            (
                number("position"),
                number("place"),
                row["table_name"].as_str().unwrap().to_owned(),
            )
        };
        let mut places: Vec<_> = rows.map(place).collect();
        places.sort_by_key(|(position, place, _)| (*position, *place));
        places
    };
    let all = changes(&events);
    let whole = places(all.clone());
    for pair in whole.windows(2) {
        let ((position, place, table), (next_position, next_place, next_table)) = (&pair[0], &pair[1]);
        let order = |name: &String| {
            CONTEXT
                .tables
                .iter()
                .position(|projection| projection.table().name == *name)
        };
        if position == next_position {
            assert_eq!(*next_place, place + 1);
            assert!(order(table) <= order(next_table), "{pair:?}");
        } else {
            assert_eq!(*next_place, 1, "{pair:?}");
        }
    }
    assert!(whole.iter().any(|(_, place, _)| *place > 3));
    for page in [1, 7] {
        let of_page = |events: &[Recorded<AnyEvent>]| {
            let (first, last) = (events[0].position, events[events.len() - 1].position);
            let mut changes = all.clone();
            changes.retain(|change| (first..=last).contains(&change.recorded.position));
            places(changes)
        };
        let paged: Vec<_> = events.chunks(page).flat_map(of_page).collect();
        assert_eq!(paged, whole, "pages of {page}");
    }
}
