use std::collections::{BTreeMap, HashMap};

use crate::fingerprint;

use super::mutations::Dice;

/// A second writing of it, from its description alone: sort the names, join everything with 0xff, hash the bytes.
fn straightforward(pairs: &[(String, String)]) -> String {
    let mut sorted = pairs.to_vec();
    sorted.sort_by(|one, other| one.0.as_bytes().cmp(other.0.as_bytes()));
    let mut bytes = Vec::new();
    for (name, value) in sorted {
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(255);
        bytes.extend_from_slice(value.as_bytes());
        bytes.push(255);
    }
    let mut hash: u128 = 14_695_981_039_346_656_037;
    for byte in bytes {
        hash = ((hash ^ u128::from(byte)) * 1_099_511_628_211) % (1 << 64);
    }
    format!("{hash:016x}")
}

#[test]
fn fingerprints_are_those_that_were_computed_elsewhere() {
    let of = |pairs: &[(&str, &str)]| {
        fingerprint(
            &pairs
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
        )
    };
    assert_eq!(of(&[]), format!("{:016x}", 14_695_981_039_346_656_037_u64));
    assert_eq!(of(&[]), "cbf29ce484222325");
    assert_eq!(
        of(&[
            ("severity", "critical"),
            ("job", "web"),
            ("alertname", "HighErrorRate"),
            ("instance", "web-1:9090")
        ]),
        "d15141cb376a5820"
    );
    assert_eq!(
        of(&[("alertname", "NodeDown"), ("instance", "db-1")]),
        "7cfb446300be4a09"
    );
    assert_eq!(of(&[("name", "日本"), ("", "x"), ("a", "")]), "5d9f12357a18fca9");
}

/// Sets of labels that are hard to tell apart: few names, few values, moved borders, empty ones.
fn set(dice: &mut Dice) -> Vec<(String, String)> {
    const LETTERS: [&str; 8] = ["a", "b", "ab", "", "é", "日", "instance", "\u{10ffff}"];
    let mut names = Vec::new();
    for _ in 0..dice.below(6) {
        let name = format!("{}{}", LETTERS[dice.below(8)], LETTERS[dice.below(8)]);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
        .into_iter()
        .map(|name| (name, format!("{}{}", LETTERS[dice.below(8)], dice.below(50))))
        .collect()
}

// A million with DAYBOOK_SETS=1000000; a tenth of it otherwise.
fn sets() -> usize {
    std::env::var("DAYBOOK_SETS")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(100_000)
}

#[test]
fn fingerprints_are_alertmanagers_in_any_order_and_merge_no_two_sets() {
    let mut dice = Dice::new(12);
    let mut seen: HashMap<String, BTreeMap<String, String>> = HashMap::new();
    for _ in 0..sets() {
        let mut pairs = set(&mut dice);
        let found = fingerprint(&pairs.iter().cloned().collect());
        assert_eq!(found, straightforward(&pairs));
        pairs.reverse();
        let reversed: BTreeMap<String, String> = pairs.into_iter().collect();
        assert_eq!(found, fingerprint(&reversed));
        let held = seen.entry(found).or_insert_with(|| reversed.clone());
        assert_eq!(*held, reversed, "two sets have one fingerprint");
    }
    assert!(seen.len() > sets() / 4, "the sets are different ones: {}", seen.len());
}
