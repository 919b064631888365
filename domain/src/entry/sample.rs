//! Samples: values that a list lets pass, and values that it does not, for the tests of every plain kind.

use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::bound::{Bound, Form};
use super::field::Field;
use super::plain::Plain;
use super::reference::Reference;
use super::value::{Kind, Value};

/// A body that enters an entry.
pub type Sampled = Map<String, Json>;

/// A body that enters the `n`th sample of a kind, from 1. `named` gives the value that names a sample of what a field refers
/// to, of which there must be one; where it gives none the field is left out, if it can be.
#[must_use]
pub fn sample(list: &Plain, n: u16, named: &dyn Fn(&Reference) -> Option<Value>) -> Sampled {
    let mut body = Map::new();
    for field in list.fields {
        if matches!(list.key, super::Key::Number(number) if number == field.name) {
            continue;
        }
        let value = match &field.spec.reference {
            Some(reference) => named(reference).map(|value| Json::from(value.text())),
            None => Some(fitting(field, n)),
        };
        if let Some(value) = value {
            let value = match (field.kind, value.as_str().and_then(|text| text.parse::<i64>().ok())) {
                (Kind::Integer | Kind::Bigint, Some(number)) => number.into(),
                _ => value,
            };
            body.insert(field.name.to_owned(), value);
        }
    }
    body
}

/// A value that the field takes, another one for each number up to a thousand where it can have so many.
#[must_use]
pub fn fitting(field: &Field, n: u16) -> Json {
    if let Some(sample) = field.spec.sample {
        return serde_json::from_str(&sample.replace('#', &n.to_string())).unwrap_or(Json::Null);
    }
    match field.spec.bound {
        Bound::Text { chars_max, form, .. } => {
            let text = match form {
                Form::Free => format!("{n}{}", field.name),
                Form::Email => format!("{n}@{}.test", field.name),
            };
            text.chars().take(chars_max).collect::<String>().into()
        }
        Bound::Word { .. } => field.words.first().copied().unwrap_or_default().into(),
        Bound::Whole { min, max } => min.saturating_add(i64::from(n) - 1).min(max).into(),
        Bound::Amount { .. } => format!("{}.00", n % 10).into(),
        Bound::Json { .. } => json!({ "n": n }),
        Bound::Bytes { .. } => "aGVsbG8=".into(),
        Bound::Texts { .. } => json!([format!("{n}")]),
        Bound::Vector { dimensions } => (0..dimensions)
            .map(|at| if at == 0 { f64::from(n) } else { 0.5 })
            .collect(),
        Bound::Any => match field.kind {
            Kind::Boolean => true.into(),
            Kind::Timestamp => format!("2026-01-31T08:00:{:02}Z", n % 60).into(),
            Kind::Date => format!("2026-01-{:02}", 1 + n % 28).into(),
            Kind::Time => format!("08:00:{:02}", n % 60).into(),
            Kind::Interval => format!("PT{n}M").into(),
            _ => Uuid::from_u128(u128::from(n)).to_string().into(),
        },
    }
}

/// Values that the field does not take for what bounds it, each with words of what is said of it. Those that are not of its
/// type are read before it is known what bounds them.
#[must_use]
pub fn unfit(field: &Field) -> Vec<(Json, String)> {
    match field.spec.bound {
        Bound::Text { chars_max, form, .. } => {
            let long = match form {
                Form::Free => "x".repeat(chars_max + 1),
                Form::Email => format!("{}@b", "x".repeat(chars_max - 1)),
            };
            let mut wrong = vec![
                (long.into(), format!("at most {chars_max} are allowed")),
                ("a\u{0}b".into(), "U+0000".to_owned()),
            ];
            if !field.nullable {
                wrong.push((" ".into(), "must not be empty".to_owned()));
            }
            wrong
        }
        Bound::Whole { min, max } => {
            let told = format!("it must be from {min} to {max}");
            let beyond = [min.checked_sub(1), max.checked_add(1)];
            let is_of_type = |beyond: &i64| field.kind == Kind::Bigint || i32::try_from(*beyond).is_ok();
            let beyond = beyond.into_iter().flatten().filter(is_of_type);
            beyond.map(|beyond| (beyond.into(), told.clone())).collect()
        }
        Bound::Amount {
            digits,
            decimals,
            is_signed,
        } => {
            let below = field.spec.bound.below().unwrap_or_default();
            let told = format!("at most {decimals} decimals and stay below {below}");
            let fine = format!("0.{:0>1$}", 1, decimals as usize + 1);
            let large = format!("1{}", "0".repeat((digits - decimals) as usize));
            let mut wrong: Vec<(Json, String)> = vec![(fine.into(), told.clone()), (large.into(), told)];
            if !is_signed {
                wrong.push(("-1".into(), "must not be negative".to_owned()));
            }
            wrong
        }
        Bound::Json { bytes_max } => vec![(
            json!({ "a": "x".repeat(bytes_max) }),
            format!("at most {bytes_max} are allowed"),
        )],
        Bound::Bytes { bytes_max } => vec![(
            Value::Bytes(vec![0; bytes_max + 1].into()).text().into(),
            format!("at most {bytes_max} are allowed"),
        )],
        Bound::Texts { items_max, chars_max } => vec![
            (
                vec!["x"; items_max + 1].into(),
                format!("at most {items_max} are allowed"),
            ),
            (
                json!(["x".repeat(chars_max + 1)]),
                format!("at most {chars_max} are allowed"),
            ),
        ],
        Bound::Vector { dimensions } => vec![(vec![0.5; dimensions + 1].into(), format!("it must have {dimensions}"))],
        Bound::Any if field.kind == Kind::Timestamp => {
            vec![("1999-12-31T23:59:59Z".into(), "the years 2000 to 9999".to_owned())]
        }
        Bound::Word { .. } | Bound::Any => Vec::new(),
    }
}
