use std::collections::BTreeSet;

use super::*;
use http::query::named::Arguments;
use http::query::sql::{self, Reader};
use uuid::Uuid;

#[test]
fn every_name_in_a_query_is_one_that_is_declared() {
    for query in QUERIES {
        let of_parameters = query
            .takes
            .iter()
            .map(|parameter| parameter.of().map(|_| parameter.name));
        let taken: BTreeSet<_> = of_parameters.collect();
        assert!(!taken.contains(&None), "{}: a parameter of no column", query.address);
        let words = query.sql.split('$').skip(1);
        let used: BTreeSet<_> = words
            .map(|rest| {
                rest.split(|char: char| !(char.is_ascii_lowercase() || char == '_'))
                    .next()
            })
            .collect();
        assert_eq!(used, taken, "{}", query.address);
        for beside in query.beside {
            if let Beside::Column { table, column, .. } = beside {
                assert!(table.column(column).is_some(), "{}: {column}", query.address);
                // Only the texts of the table that is shown whole are opened.
                assert!(!table.texts.contains(column), "{}: {column}", query.address);
            }
            assert!(
                query.table.column(beside.name()).is_none(),
                "{}: {}",
                query.address,
                beside.name()
            );
        }
        let braces = query.address.split('/').filter(|word| word.starts_with('{')).count();
        let in_address = query.takes.iter().filter(|parameter| query.is_in_address(parameter));
        let keys: Vec<_> = in_address
            .map(|parameter| (parameter.table.key, parameter.required))
            .collect();
        assert_eq!(keys, vec![(["id"].as_slice(), true); braces], "{}", query.address);
    }
}

#[test]
fn a_parameter_that_is_left_out_is_null() {
    let arguments = |variant: Option<Uuid>| Arguments {
        values: vec![
            Some(http::query::value::Value::Uuid(Uuid::from_u128(1))),
            variant.map(http::query::value::Value::Uuid),
            None,
            None,
        ],
        hidden: Vec::new(),
        after: None,
        limit: 1,
    };
    let reader = Reader {
        tenant: Uuid::from_u128(2),
        context: &cloudwatcher_tables::CONTEXT,
        departments: None,
        unmasked: true,
    };
    let of = |variant| sql::chosen(&BEST_OFFERS, &arguments(variant), &reader).into_sql();
    let (with, without) = (of(Some(Uuid::from_u128(3))), of(None));
    assert!(
        with.contains("(t.variant_id = $2 or $3::uuid is null and t.variant_id is null)"),
        "{with}"
    );
    assert!(
        without.contains("(t.variant_id = null or null::uuid is null and t.variant_id is null)"),
        "{without}"
    );
}

#[test]
fn no_condition_of_a_query_offers_a_way_around_those_that_are_added() {
    for query in QUERIES {
        let (mut depth, mut outside) = (0, String::new());
        for char in query.sql.chars() {
            depth += i32::from(char == '(') - i32::from(char == ')');
            if depth == 0 {
                outside.push(char);
            }
        }
        assert!(
            outside.contains("where") && !outside.contains(" or "),
            "{}: {outside}",
            query.address
        );
        for added in ["order by", "group by", "limit", "union"] {
            assert!(!outside.contains(added), "{}: {outside}", query.address);
        }
    }
}
