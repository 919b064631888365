//! The catalogue of permissions: every one that something asks for, over all contexts of the program. `GET
//! /v1/permissions` shows it, and roles may grant no other.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use crate::app::App;
use crate::auth::By;
use crate::auth::principal::ALL_DEPARTMENTS;
use crate::command::permission;
use crate::context::Contexts;
use crate::extract::NoParameters;
use crate::openapi::commands;
use crate::problem::Problem;
use crate::query::{may_read, sees_masked};
use crate::{admin, audit};

/// Permissions that are shown to somebody who named one that there is not.
const NEAREST_MAX: usize = 5;

/// Those of the engines, with what each allows.
pub const FIXED: [(&str, &str); 4] = [
    (
        admin::REBUILD,
        "Looks after the tenant's parked streams, what policies missed of it and what reactors could not do for it.",
    ),
    (audit::READ, "Reads the log of events."),
    (
        audit::PERSONAL,
        "Reads in the log what tells who people are, and rehearses commands to them.",
    ),
    (ALL_DEPARTMENTS, "Sees and commands what belongs to any department."),
];

/// Every permission that there is, with what it allows.
#[must_use]
pub(crate) fn catalogue(contexts: &Contexts) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for (name, allows) in FIXED {
        all.insert(name.to_owned(), allows.to_owned());
    }
    for context in contexts.iter() {
        for aggregate in context.decisions.aggregates {
            for (command, allows) in commands::described(aggregate) {
                if !aggregate.only_daybook.contains(&command.as_str()) {
                    all.insert(permission(aggregate, &command), allows);
                }
            }
        }
        for table in context.tables.into_iter().flat_map(|tables| tables.all_tables()) {
            let name = format!("{}.{}", table.context, table.name);
            all.insert(may_read(table), format!("Reads the table {name}."));
            if !table.masked.is_empty() {
                let masked = table.masked.join(", ");
                all.insert(sees_masked(table), format!("Sees {masked} in the table {name}."));
            }
        }
        for &(name, allows) in context.permissions {
            all.insert(name.to_owned(), allows.to_owned());
        }
    }
    all
}

/// Those of a catalogue that come nearest to a name that is not in it: the best first.
#[must_use]
pub fn nearest(catalogue: &BTreeMap<String, String>, name: &str) -> Vec<String> {
    let mut known: Vec<(usize, &String)> = catalogue.keys().map(|known| (distance(known, name), known)).collect();
    known.sort_unstable();
    known
        .into_iter()
        .take(NEAREST_MAX)
        .map(|(_, known)| known.clone())
        .collect()
}

/// How many letters stand between what both begin and what both end with.
fn distance(one: &str, other: &str) -> usize {
    let same = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    let rest = one[same..]
        .bytes()
        .rev()
        .zip(other.as_bytes()[same..].iter().rev().copied());
    let same = same + rest.take_while(|(a, b)| a == b).count();
    one.len().max(other.len()) - same.min(one.len().max(other.len()))
}

/// `GET /v1/permissions`: the catalogue, for whoever is registered.
///
/// # Errors
/// [`Problem`].
pub async fn list(State(app): State<App>, _by: By, _: NoParameters) -> Result<Response, Problem> {
    let all = app.contexts.permissions().iter();
    let all: Vec<Value> = all
        .map(|(permission, allows)| json!({ "permission": permission, "allows": allows }))
        .collect();
    Ok(Json(json!({ "permissions": all })).into_response())
}

/// Whether something asks for what is granted so: one of the catalogue, or a wildcard that covers one.
#[must_use]
pub fn is_known(catalogue: &BTreeMap<String, String>, granted: &str) -> bool {
    catalogue.contains_key(granted)
        || catalogue
            .keys()
            .any(|permission| identity::role::covers(granted, permission))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn what_is_near_is_what_was_meant() {
        let known = ["audit.read", "sample.jar.label", "sample.jar.clear", "sample.jars.read"];
        let catalogue = known.map(|name| (name.to_owned(), String::new())).into();
        for (typed, meant) in [
            ("sample.jar.lable", "sample.jar.label"),
            ("sample.jar.read", "sample.jars.read"),
            ("audits.read", "audit.read"),
            ("jar.clear", "sample.jar.clear"),
        ] {
            assert_eq!(nearest(&catalogue, typed)[0], meant, "{typed}");
        }
    }

    #[test]
    fn a_wildcard_is_known_if_it_covers_something_and_a_name_if_it_is_one() {
        let catalogue = catalogue(&sample::contexts());
        for known in [
            "*",
            "audit.*",
            "audit.read",
            "identity.user.*",
            "identity.user.register",
            "identity.*",
        ] {
            assert!(is_known(&catalogue, known), "{known}");
        }
        for unknown in [
            "audit",
            "audit.reed",
            "nothing.*",
            "identity.user",
            "identity.tenant.suspend",
            "identity.tenant.*",
        ] {
            assert!(!is_known(&catalogue, unknown), "{unknown}");
        }
    }
}
