//! What the tables of stock say of one another.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

type Row = Map<String, Value>;

/// Every sum that is not what another table says, as a sentence.
pub(super) fn broken(tables: &[(&'static str, Vec<Row>)]) -> Vec<String> {
    let rows = |name: &str| {
        let table = tables.iter().find(|(table, _)| *table == name);
        table.map_or(&[][..], |(_, rows)| rows.as_slice())
    };
    let mut broken = Vec::new();
    let mut same = |what: &str, one: BTreeMap<String, i64>, other: BTreeMap<String, i64>| {
        if one != other {
            broken.push(format!("{what}: {one:?}, {other:?}"));
        }
    };
    same(
        "what is reserved is the sum of the live reservations",
        sums(rows("inventory"), &["id"], "quantity_reserved"),
        sums(rows("stock_reservations"), &["inventory_id"], "quantity_left"),
    );
    same(
        "what is reserved is the sum of the moves",
        sums(rows("inventory"), &["id"], "quantity_reserved"),
        sums(rows("stock_moves"), &["inventory_id"], "quantity_reserved"),
    );
    same(
        "what is on hand is the sum of the moves",
        sums(rows("inventory"), &["id"], "quantity_on_hand"),
        sums(rows("stock_moves"), &["inventory_id"], "quantity"),
    );
    same(
        "a level is the sum over variants",
        sums(rows("inventory"), &["part_id", "location_id"], "quantity_on_hand"),
        sums(rows("stock_levels"), &["part_id", "location_id"], "qty"),
    );
    let ended = rows("stock_reservations")
        .iter()
        .filter(|row| (row["status"] == "live") != (row["quantity_left"] != 0));
    broken.extend(ended.map(|row| format!("a reservation is live while something is left: {row:?}")));
    broken
}

/// The sums of a column by others, where they are not 0.
fn sums(rows: &[Row], by: &[&str], column: &str) -> BTreeMap<String, i64> {
    let mut sums = BTreeMap::new();
    for row in rows {
        let key: Vec<String> = by.iter().map(|column| row[*column].to_string()).collect();
        *sums.entry(key.join("/")).or_default() += row[column].as_i64().unwrap();
    }
    sums.retain(|_, sum| *sum != 0);
    sums
}
