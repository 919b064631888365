//! The schemas of commands against the program that reads and decides them.

use std::sync::Arc;

use domain::misread::Misread;
use domain::{Aggregate, Circumstances, SYSTEM, Together, Undecided};
use http::command::form;
use http::openapi::document;
use http::query::streams::shown_in;
use serde_json::{Map, Value, json};

mod samples;

use samples::{ID, Sample, samples};

use super::contexts;

/// Every command that the document has, with the schema of its body and all schemas.
fn commands(mut look: impl FnMut(&'static Aggregate, &str, &Value, &Value)) {
    let contexts = contexts();
    let document = document(&contexts);
    let schemas = &document["components"]["schemas"];
    let mut looked = 0;
    for aggregate in contexts.decisions().aggregates() {
        for command in contexts.commands(aggregate) {
            let path = format!("/v1/{}/{}/{{id}}/{command}", aggregate.context(), aggregate.plural);
            let body = &document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"];
            if !body.is_null() {
                looked += 1;
                look(aggregate, command, body, schemas);
            }
        }
    }
    assert!(looked > 50, "{looked}");
}

/// The field that stands in the way of a command with these fields to a new stream, if one does.
fn refused_for(aggregate: &Aggregate, command: &str, mut fields: Value) -> Option<(String, String)> {
    let parsed = match aggregate.parse(command, &mut fields) {
        Ok(parsed) => parsed,
        Err(unparsed) => {
            let misread = Misread::of(&unparsed, command);
            return Some((misread.field, misread.detail));
        }
    };
    let circumstances = Circumstances {
        tenant: ID,
        stream: parsed.stream(ID).unwrap_or(ID),
        sequence: 0,
        by: SYSTEM,
        at: "2026-01-30T08:00:00Z".parse().unwrap(),
        seed: ID,
        reason: None,
        facts: Arc::default(),
        together: Together::default(),
    };
    match parsed.decide(&aggregate.unborn(), &circumstances) {
        Err(Undecided::Refused(refusal)) => Some((refusal.field?, refusal.detail)),
        Ok(_) | Err(_) => None,
    }
}

/// A path without places in lists.
fn without_places(path: &str) -> String {
    let parts = path.split('[');
    let parts = parts.enumerate().map(|(at, part)| match at {
        0 => part,
        _ => part.split_once(']').map_or("", |(_, rest)| rest),
    });
    parts.collect()
}

#[test]
fn every_word_that_the_schema_of_a_command_lists_is_one_that_the_command_takes() {
    commands(|aggregate, command, body, schemas| {
        for Sample { value, word } in samples(body, schemas, 0) {
            let Some(word) = word else { continue };
            let refused = refused_for(aggregate, command, value.clone());
            assert!(
                refused.as_ref().is_none_or(|(field, _)| without_places(field) != word),
                "{aggregate:?} {command}: {word} of {value} is in the schema, and refused: {refused:?}"
            );
        }
    });
}

/// The fields that a value must have by its schema: each with the object that has it, as a pointer, and its own path.
fn required(
    schema: &Value,
    schemas: &Value,
    value: &Value,
    pointer: &str,
    path: &str,
) -> Vec<(String, String, String)> {
    if let Some(reference) = schema["$ref"].as_str() {
        return required(
            &schemas[reference.rsplit('/').next().unwrap()],
            schemas,
            value,
            pointer,
            path,
        );
    }
    match value {
        Value::Object(fields) => {
            let mut found = Vec::new();
            for name in schema["required"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
            {
                let own = if path.is_empty() {
                    name.to_owned()
                } else {
                    format!("{path}.{name}")
                };
                let inner = &schema["properties"][name];
                let below = format!("{pointer}/{name}");
                found.extend(required(inner, schemas, &fields[name], &below, &own));
                found.push((pointer.to_owned(), name.to_owned(), own));
            }
            found
        }
        Value::Array(items) if !items.is_empty() => required(
            &schema["items"],
            schemas,
            &items[0],
            &format!("{pointer}/0"),
            &format!("{path}[0]"),
        ),
        _ => Vec::new(),
    }
}

#[test]
fn a_field_that_is_missing_is_named() {
    commands(|aggregate, command, body, schemas| {
        let Some(plainest) = samples(body, schemas, 0).into_iter().next() else {
            return;
        };
        for (pointer, name, path) in required(body, schemas, &plainest.value, "", "") {
            let mut fields = plainest.value.clone();
            fields
                .pointer_mut(&pointer)
                .unwrap()
                .as_object_mut()
                .unwrap()
                .remove(&name);
            let unparsed = aggregate.parse(command, &mut fields).unwrap_err();
            let misread = Misread::of(&unparsed, command);
            let expected = (path.clone(), format!("{path} is missing"));
            assert_eq!((misread.field, misread.detail), expected, "{aggregate:?} {command}");
        }
    });
}

/// Words of this program's language, which mean nothing to who sends JSON.
const RUST: [&str; 17] = [
    "struct", "enum", "sequence", "map", "tuple", "unit", "variant", "option", "i16", "i32", "i64", "u32", "u64",
    "f64", "usize", "newtype", "serde",
];

/// Every value within a value, by its pointer.
fn places(value: &Value, pointer: &str) -> Vec<String> {
    let mut found = vec![pointer.to_owned()];
    match value {
        Value::Object(fields) => {
            found.extend(
                fields
                    .iter()
                    .flat_map(|(name, field)| places(field, &format!("{pointer}/{name}"))),
            );
        }
        Value::Array(items) => {
            found.extend(
                items
                    .iter()
                    .enumerate()
                    .flat_map(|(at, item)| places(item, &format!("{pointer}/{at}"))),
            );
        }
        _ => {}
    }
    found
}

#[test]
fn what_is_wrong_with_a_body_is_said_in_words_of_json() {
    let wrong = [
        json!(3),
        json!(-1.5),
        json!("?"),
        json!([]),
        json!(["?"]),
        json!({"?": 1}),
        json!(true),
        Value::Null,
    ];
    commands(|aggregate, command, body, schemas| {
        for Sample { value, .. } in samples(body, schemas, 0) {
            for place in places(&value, "").into_iter().filter(|place| !place.is_empty()) {
                for wrong in &wrong {
                    let mut fields = value.clone();
                    *fields.pointer_mut(&place).unwrap() = wrong.clone();
                    let Err(unparsed) = aggregate.parse(command, &mut fields) else {
                        agrees(aggregate, command, &fields);
                        continue;
                    };
                    let Misread { field, detail } = Misread::of(&unparsed, command);
                    assert!(!field.is_empty(), "{aggregate:?} {command}: {detail}");
                    let is_of_rust = |word: &str| RUST.contains(&word) || word.contains("::");
                    let mut words = detail
                        .split([' ', ',', ';', '`', '(', ')'])
                        .filter(|word| *word != field);
                    assert!(!words.any(is_of_rust), "{aggregate:?} {command}: {detail}");
                }
            }
        }
    });
}

/// What a command takes is held to be of its form: whoever is told of all problems at once is told of none that is none.
#[track_caller]
fn agrees(aggregate: &'static Aggregate, command: &str, fields: &Value) {
    const OF_KIND: [&str; 7] = [
        "is missing",
        "is no field",
        "a string",
        "a list",
        "an object",
        "true or false",
        "a number",
    ];
    let problems = form::problems(aggregate, command, fields);
    let is_of_kind = |problem: &&Misread| OF_KIND.iter().any(|said| problem.detail.contains(said));
    let wrong: Vec<&Misread> = problems.iter().filter(is_of_kind).collect();
    assert!(
        wrong.is_empty(),
        "{aggregate:?} {command}: {fields} is taken, and {wrong:?}"
    );
}

#[test]
fn what_a_command_takes_is_of_its_form() {
    commands(|aggregate, command, body, schemas| {
        for Sample { mut value, .. } in samples(body, schemas, 0) {
            if aggregate.parse(command, &mut value).is_ok() {
                agrees(aggregate, command, &value);
            }
        }
    });
}

#[test]
fn whatever_is_wrong_with_a_body_is_told_at_once_with_its_path() {
    let (mut looked, mut untold) = (0, Vec::new());
    commands(|aggregate, command, body, schemas| {
        let Some(plainest) = samples(body, schemas, 0).into_iter().next() else {
            return;
        };
        let required = required(body, schemas, &plainest.value, "", "");
        // Of fields of one object each stands for itself.
        let mut fields = plainest.value.clone();
        let mut wrong = vec!["surplus".to_owned()];
        for (pointer, name, path) in &required {
            if pointer.is_empty() {
                fields.as_object_mut().unwrap().remove(name);
                wrong.push(path.clone());
            }
        }
        fields["surplus"] = json!("?");
        let problems = form::problems(aggregate, command, &fields);
        let found: Vec<&str> = problems.iter().map(|problem| problem.field.as_str()).collect();
        looked += 1;
        // Of a command without fields the first is told, by what reads it.
        let is_bare = wrong.len() == 1 && problems.is_empty();
        if !is_bare && !wrong.iter().all(|field| found.contains(&field.as_str())) {
            untold.push(format!(
                "{}.{command}: {wrong:?} of {fields}, {problems:?}",
                aggregate.aggregate_type
            ));
        }
    });
    // Of what has one form out of several, nobody can tell which one was meant.
    assert!(untold.len() * 10 <= looked, "{} of {looked}: {untold:#?}", untold.len());
}

/// Every object among schemas, by its place.
fn find(schema: &Value, at: &str, found: &mut Vec<(String, Map<String, Value>)>) {
    match schema {
        Value::Object(fields) => {
            found.push((at.to_owned(), fields.clone()));
            fields
                .iter()
                .for_each(|(name, inner)| find(inner, &format!("{at}/{name}"), found));
        }
        Value::Array(ways) => ways.iter().for_each(|way| find(way, at, found)),
        _ => {}
    }
}

#[test]
fn a_secret_is_as_long_as_it_is_sent_and_nothing_is_asked_for_that_daybook_fills_in() {
    let document = document(&contexts());
    let mut found = Vec::new();
    find(&document["components"]["schemas"], "", &mut found);
    let mut secrets = 0;
    for (at, schema) in found {
        if schema.get("x-sealed").is_some() {
            secrets += 1;
            assert_eq!(schema["maxLength"], domain::setting::SECRET_BYTES_MAX, "{at}");
        }
        assert!(schema.get("readOnly").is_none(), "{at}");
    }
    assert!(secrets > 3, "{secrets}");
}

#[test]
fn whoever_amends_an_entry_may_leave_its_secrets_out() {
    commands(|aggregate, command, body, schemas| {
        let (name, mut found) = (body["$ref"].as_str().unwrap().rsplit('/').next().unwrap(), Vec::new());
        find(&schemas[name], "", &mut found);
        let is_secret = |schema: &Map<String, Value>, name: &Value| {
            let name = name.as_str().unwrap();
            schema["properties"][name]["x-sealed"] == true
        };
        for (at, schema) in found {
            let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
            assert!(
                command == aggregate.creates || required.clone().all(|name| !is_secret(&schema, name)),
                "{aggregate:?} {command}{at}"
            );
        }
    });
}

#[test]
fn a_row_says_which_columns_it_always_has_and_which_words_they_hold() {
    let contexts = contexts();
    let document = document(&contexts);
    for table in contexts.tables().flat_map(projections::Context::all_tables) {
        let schema = &document["components"]["schemas"][format!("{}.{}", table.context, table.name)];
        let required = schema["required"].as_array().unwrap();
        for column in table.shown() {
            let is_never_null = !column.nullable && !table.masked.contains(&column.name);
            let is_required = required.iter().any(|name| name == column.name);
            assert_eq!(is_required, is_never_null, "{}.{}", table.name, column.name);
            let words = column.words();
            let listed = schema["properties"][column.name]["enum"]
                .as_array()
                .into_iter()
                .flatten();
            let listed: Vec<&str> = listed.filter_map(Value::as_str).collect();
            assert_eq!(listed, words, "{}.{}", table.name, column.name);
        }
    }
}

#[test]
fn a_read_that_takes_a_position_takes_it_as_a_header_and_as_a_parameter() {
    let document = document(&contexts());
    for (path, operations) in document["paths"].as_object().unwrap() {
        let parameters = operations["get"]["parameters"].as_array().into_iter().flatten();
        let is_there = |named: &str| {
            let mut parameters = parameters.clone();
            parameters.any(|parameter| parameter["name"] == named || parameter["$ref"] == named)
        };
        assert_eq!(
            is_there("#/components/parameters/After"),
            is_there("Daybook-After") || is_there("#/components/parameters/AfterQuery"),
            "{path}"
        );
    }
}

#[test]
fn what_a_command_makes_can_be_read_where_its_kind_says() {
    let contexts = contexts();
    for aggregate in contexts.decisions().aggregates() {
        let Some(name) = aggregate.shown_in else { continue };
        let table = contexts.table(aggregate.context(), name);
        let table = table.unwrap_or_else(|| panic!("{aggregate:?} has no table {name}"));
        assert_eq!(table.key.len(), 1, "{name}");
    }
}

#[test]
fn the_stream_that_a_row_says_it_shows_is_the_one_whose_id_is_its_key() {
    let contexts = contexts();
    let mut shown = Vec::new();
    for context in contexts.tables() {
        let history = projections::golden::history(context).unwrap();
        for (name, rows) in context.folded(&history).unwrap() {
            let table = context.table(name).unwrap();
            let Some(kind) = shown_in(&contexts, context, table) else {
                continue;
            };
            // A tenant's row may be there before the tenant has events of its own.
            let is_stream = |id: &Value| {
                history.iter().any(|recorded| {
                    let is_kind = recorded.aggregate_type == kind.aggregate_type;
                    is_kind && *id == json!(recorded.stream) || *id == json!(recorded.tenant_id)
                })
            };
            let other = rows.iter().find(|row| !is_stream(&row[table.key[0]]));
            assert_eq!(other, None, "{}.{name} of {}", context.name, kind.aggregate_type);
            shown.push(format!("{}.{name} {}", context.name, kind.aggregate_type));
        }
    }
    for expected in [
        "cloudwatcher.orders cloudwatcher.order",
        "cloudwatcher.inventory cloudwatcher.inventory",
        "cloudwatcher.part_suppliers cloudwatcher.part-supplier",
        "cloudwatcher.users identity.user",
        "cloudwatcher.departments identity.department",
        "dod.issues dod.issue",
        "dod.webhook_sources dod.source",
    ] {
        assert!(shown.iter().any(|shown| shown == expected), "{expected}: {shown:#?}");
    }
}
