//! Plain tables: what is entered, struck and entered again.

use cloudwatcher::part::Part;
use cloudwatcher::supplier::Supplier;
use domain::AnyEvent;
use domain::register::{Change, Entry as _, Register};
use projections::plain::Plain;
use projections::projection::Projection as _;
use serde_json::{Map, Value, json};

use super::{BUYER, Recorded, at, recorded};
use crate::parts::{PARTS, SUPPLIERS};

/// The row of a plain table after these events, one second apart.
fn plain(table: &Plain, kind: &str, events: Vec<AnyEvent>) -> Option<Map<String, Value>> {
    let events = events.into_iter().zip(1..).map(|(event, sequence)| Recorded {
        aggregate_type: kind.to_owned(),
        ..recorded(BUYER, sequence, event)
    });
    table.folded(&events.collect::<Vec<_>>()).unwrap().pop()
}

#[test]
fn a_part_whose_code_is_taken_anew_keeps_its_row_as_it_is() {
    let part: Part = serde_json::from_value(json!({"part_code": "F-1", "name": "Filter"})).unwrap();
    let of_part = AnyEvent::new::<Register<Part>>;
    let (entered, struck) = (of_part(Change::Entered(part)), of_part(Change::Struck {}));
    for past in [vec![entered.clone()], vec![entered, struck]] {
        let before = plain(PARTS, Part::TYPE, past.clone());
        assert!(before.is_some());
        let taken = past.into_iter().chain([of_part(Change::Taken {})]);
        assert_eq!(plain(PARTS, Part::TYPE, taken.collect()), before);
    }
}

#[test]
fn a_struck_supplier_stays_and_comes_back_when_entered_again() {
    let supplier = Supplier {
        name: "Bolts".to_owned(),
        contact_email: None,
        contact_phone: None,
        website: None,
        lead_time_days: None,
        is_preferred: false,
    };
    let entered = || AnyEvent::new::<Register<Supplier>>(Change::Entered(supplier.clone()));
    let struck = || AnyEvent::new::<Register<Supplier>>(Change::Struck {});
    let row = plain(SUPPLIERS, Supplier::TYPE, vec![entered(), struck()]).unwrap();
    assert_eq!(row["is_active"], false);
    let row = plain(SUPPLIERS, Supplier::TYPE, vec![entered(), struck(), entered()]).unwrap();
    let micros = |n| json!(at(n).to_rfc3339_opts(chrono::SecondsFormat::Micros, true));
    let told = (&row["is_active"], &row["created_at"], &row["updated_at"]);
    assert_eq!(told, (&json!(true), &micros(1), &micros(3)));
}
