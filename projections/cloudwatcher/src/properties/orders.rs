//! What the tables of orders say of one another.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::{Map, Value};

type Row = Map<String, Value>;

/// Every total that is not the sum over the order's items, as a sentence.
pub(super) fn broken(tables: &[(&'static str, Vec<Row>)]) -> Vec<String> {
    let rows = |name: &str| {
        let table = tables.iter().find(|(table, _)| *table == name);
        table.map_or(&[][..], |(_, rows)| rows.as_slice())
    };
    let amount = |cell: &Value| cell.as_str().map(|amount| amount.parse::<Decimal>().unwrap());
    let mut sums: BTreeMap<&str, Decimal> = BTreeMap::new();
    for item in rows("order_items") {
        *sums.entry(item["order_id"].as_str().unwrap()).or_default() += amount(&item["total_price"]).unwrap();
    }
    let mut broken = Vec::new();
    for order in rows("orders") {
        let total = amount(&order["total"]);
        if total != sums.get(order["id"].as_str().unwrap()).copied() {
            broken.push(format!(
                "the total of an order is the sum over its items: {order:?}, {sums:?}"
            ));
        }
        let submitted = amount(&order["submitted_total"]);
        if submitted.is_some() != (order["revision"] != 0) {
            broken.push(format!("what was submitted has a total: {order:?}"));
        }
        // Before that a change and what it submits anew are two events.
        let placed = ["ordered", "partially-received", "received", "closed-short"];
        if placed.contains(&order["status"].as_str().unwrap()) && total > submitted {
            broken.push(format!("no more is ordered than was submitted: {order:?}"));
        }
    }
    broken
}
