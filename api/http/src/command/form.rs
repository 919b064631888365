//! All that is wrong with the form of a body: reading stops at the first field that it does not understand, and whoever
//! fills in a form of twenty wants to hear of all of them at once.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use chrono::{DateTime, NaiveDate};
use domain::misread::Misread;
use domain::{Aggregate, Class, text};
use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::paths::LocationSegment;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;
use uuid::Uuid;

use crate::openapi::commands;
use crate::problem::{self, Problem};

/// How what is said of a word begins that is none of those that may be there.
pub const ONE_OF: &str = "must be one of ";
/// How many problems of one body are told.
pub const PROBLEMS_MAX: usize = 50;

/// The problem with whatever else is wrong with these fields of a command, if it is about one of them.
pub fn complete(problem: Problem, aggregate: &'static Aggregate, command: &str, fields: &Value) -> Problem {
    let is_of_a_field = problem.is_of(problem::BAD_VALUE) || problem.status == problem::of_class(Class::Refused).0;
    match problem.body()["field"].as_str() {
        Some(_) if is_of_a_field => problem.among(problems(aggregate, command, fields)),
        _ => problem,
    }
}

/// Refuses what is read although the document has no such thing: an object in the place of a word, since serde reads
/// `{"refuse": null}` as `refuse`, and leap seconds, which chrono reads and no column keeps.
///
/// # Errors
/// The first of them.
pub fn is_as_documented(aggregate: &'static Aggregate, command: &str, fields: &Value) -> Result<(), Misread> {
    let mut places = Vec::new();
    doubtful("", fields, &mut places);
    if places.is_empty() {
        return Ok(());
    }
    let mut problems = problems(aggregate, command, fields).into_iter();
    match problems.find(|problem| places.contains(&problem.field)) {
        Some(problem) => Err(problem),
        None => Ok(()),
    }
}

/// The paths below this one of objects that have null alone, and of texts that may be such times.
fn doubtful(at: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if !at.is_empty() && fields.len() == 1 && fields.values().all(Value::is_null) {
                found.push(at.to_owned());
            }
            for (name, value) in fields {
                doubtful(&below(at, name), value, found);
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                doubtful(&format!("{at}[{index}]"), value, found);
            }
        }
        Value::String(text) if text.contains(":60") => found.push(at.to_owned()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What is wrong with these fields, one problem for each field, in no order that matters.
#[must_use]
pub fn problems(aggregate: &'static Aggregate, command: &str, fields: &Value) -> Vec<Misread> {
    let Some(form) = form(aggregate, command) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for error in form.iter_errors(fields) {
        add(&error, &mut found);
        if found.len() >= PROBLEMS_MAX {
            break;
        }
    }
    found
}

/// The forms that somebody has filled in wrongly, made once each: there are as many as commands.
static FORMS: LazyLock<RwLock<HashMap<String, Arc<Validator>>>> = LazyLock::new(RwLock::default);

fn form(aggregate: &'static Aggregate, command: &str) -> Option<Arc<Validator>> {
    let name = crate::command::permission(aggregate, command);
    // Whoever panicked meanwhile has left the map as it was.
    if let Some(form) = FORMS.read().unwrap_or_else(PoisonError::into_inner).get(&name) {
        return Some(form.clone());
    }
    let schema = commands::form(aggregate, command)?;
    let made = jsonschema::options()
        .should_validate_formats(true)
        .with_format("date-time", |text: &str| misformed("date-time", text).is_none())
        .build(&schema);
    let form = made
        .inspect_err(|error| tracing::warn!(%error, name, "a schema is none"))
        .ok()?;
    let form = Arc::new(form);
    let mut forms = FORMS.write().unwrap_or_else(PoisonError::into_inner);
    forms.insert(name, form.clone());
    Some(form)
}

/// Adds what an error says, in the words of [`Misread`].
fn add(error: &ValidationError<'_>, found: &mut Vec<Misread>) {
    let path = path(error);
    let mut tell = |field: String, said: String| {
        let subject = if field.is_empty() { "what was sent" } else { &field };
        let detail = format!("{subject} {said}");
        let has_room = found.len() < PROBLEMS_MAX;
        match found.iter_mut().find(|told: &&mut Misread| told.field == field) {
            // The words say more than that it is to be one.
            Some(told) if said.starts_with(ONE_OF) => told.detail = detail,
            None if has_room => found.push(Misread { field, detail }),
            Some(_) | None => {}
        }
    };
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            tell(
                below(&path, property.as_str().unwrap_or_default()),
                "is missing".to_owned(),
            );
        }
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            for name in unexpected {
                tell(below(&path, name), "is no field here".to_owned());
            }
        }
        // Of what is in an object without any fields it is not said what it is; the reading has named the first.
        ValidationErrorKind::FalseSchema => {}
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            match meant(error, context) {
                Some(errors) => errors.iter().for_each(|error| add(error, found)),
                None => tell(
                    path,
                    match words(context) {
                        Some(words) => one_of(&words),
                        None => "has none of the forms that it may have".to_owned(),
                    },
                ),
            }
        }
        kind => {
            if let Some(said) = said(kind, error.instance()) {
                tell(path, said);
            }
        }
    }
}

/// What is wrong with a value by itself; nothing where what reads it understands it none the less.
fn said(kind: &ValidationErrorKind, value: &Value) -> Option<String> {
    Some(match kind {
        ValidationErrorKind::Type { kind } => format!("must be {}", wanted(kind)),
        ValidationErrorKind::Enum { options } => {
            let words: Vec<&str> = options
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            one_of(&words)
        }
        ValidationErrorKind::Constant { expected_value } => match expected_value.as_str() {
            Some(word) => format!("must be {word}"),
            None => format!("must be {expected_value}"),
        },
        ValidationErrorKind::Maximum { limit } => format!("must be at most {limit}"),
        ValidationErrorKind::Minimum { limit } => format!("must be at least {limit}"),
        ValidationErrorKind::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        ValidationErrorKind::ExclusiveMinimum { limit } => format!("must be more than {limit}"),
        ValidationErrorKind::MaxLength { limit } => format!("must have at most {limit} characters"),
        ValidationErrorKind::MinLength { limit: 1 } => "must not be empty".to_owned(),
        ValidationErrorKind::MinLength { limit } => format!("must have at least {limit} characters"),
        ValidationErrorKind::MaxItems { limit } => format!("must have at most {limit} entries"),
        ValidationErrorKind::MinItems { limit: 1 } => "must have an entry".to_owned(),
        ValidationErrorKind::MinItems { limit } => format!("must have at least {limit} entries"),
        ValidationErrorKind::MaxProperties { limit } => format!("must have at most {limit} fields"),
        ValidationErrorKind::MinProperties { limit } => format!("must have at least {limit} fields"),
        ValidationErrorKind::UniqueItems => "must not have an entry twice".to_owned(),
        ValidationErrorKind::Pattern { pattern } => format!("must be of the form {pattern}"),
        ValidationErrorKind::Format { format } => return misformed(format, value.as_str()?),
        _ => "is not as the schema of this command wants it".to_owned(),
    })
}

/// What is said of a word that is none of these.
fn one_of(words: &[&str]) -> String {
    format!("{ONE_OF}{}", words.join(", "))
}

/// The words that a value may be, if it may be nothing but one of them, or null.
fn words<'a>(forms: &'a [Vec<ValidationError<'static>>]) -> Option<Vec<&'a str>> {
    let mut words = Vec::new();
    for form in forms {
        for error in form {
            match error.kind() {
                ValidationErrorKind::Constant { expected_value } => words.push(expected_value.as_str()?),
                ValidationErrorKind::Enum { options } => {
                    words.extend(options.as_array()?.iter().filter_map(Value::as_str));
                }
                ValidationErrorKind::Type { .. } => {}
                _ => return None,
            }
        }
    }
    (!words.is_empty()).then_some(words)
}

/// What is wrong with a text that has a format; formats are read here more generously than schemas have them.
fn misformed(format: &str, sent: &str) -> Option<String> {
    let (is_read, wanted) = match format {
        "uuid" => (sent.parse::<Uuid>().is_ok(), domain::misread::UUID),
        "date-time" => match DateTime::parse_from_rfc3339(sent) {
            Ok(at) if text::is_no_leap_second(at.time()).is_err() => return Some(text::LEAP_SECOND.to_owned()),
            read => (read.is_ok(), domain::misread::TIME),
        },
        "date" => (sent.parse::<NaiveDate>().is_ok(), domain::misread::DATE),
        _ => return None,
    };
    (!is_read).then(|| format!("must be {wanted}"))
}

fn wanted(kind: &TypeKind) -> String {
    let word = |name: &str| match name {
        "object" => "an object",
        "array" => "a list",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "null" => "null",
        _ => "a string",
    };
    match kind {
        TypeKind::Single(kind) => word(kind.as_str()).to_owned(),
        TypeKind::Multiple(kinds) => {
            let words: Vec<&str> = kinds.iter().map(|kind| word(kind.as_str())).collect();
            words.join(" or ")
        }
    }
}

/// Of the forms that a value may have, the errors of the one that is meant: the only one whose kind of value and whose word
/// it has.
fn meant<'a>(
    error: &ValidationError<'_>,
    forms: &'a [Vec<ValidationError<'static>>],
) -> Option<&'a [ValidationError<'static>]> {
    let place = error.instance_path().as_str();
    let is_another = |error: &ValidationError<'static>| match error.kind() {
        ValidationErrorKind::Type { .. } => error.instance_path().as_str() == place,
        // A word that says which form it is.
        ValidationErrorKind::Constant { .. } | ValidationErrorKind::Enum { .. } => {
            let below = error.instance_path().as_str().strip_prefix(place);
            below.is_some_and(|below| below.matches('/').count() <= 1)
        }
        _ => false,
    };
    let mut left = forms.iter().filter(|errors| !errors.iter().any(is_another));
    let only = left.next()?;
    left.next().is_none().then_some(only.as_slice())
}

/// The path in the way of [`Misread`]: `steps[2].after_minutes`.
fn path(error: &ValidationError<'_>) -> String {
    let mut path = String::new();
    for segment in error.instance_path() {
        match segment {
            LocationSegment::Property(name) => path = below(&path, &name),
            LocationSegment::Index(index) => path.push_str(&format!("[{index}]")),
        }
    }
    path
}

fn below(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        _ => format!("{path}.{name}"),
    }
}
