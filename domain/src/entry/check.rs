//! What a list lets pass: the checks that every plain kind has alike.

use chrono::Datelike as _;
use rust_decimal::Decimal;
use uuid::Uuid;

use super::bound::{Bound, Form};
use super::field::Field;
use super::key::Key;
use super::value::{Kind, Value};
use super::{Plain, PlainEntry};
use crate::faults::Faults;
use crate::register::EntryId;
use crate::text::{self, Unfit};
use crate::{Claim, FactRef, Facts};

/// Characters of all texts of a key together: every index can hold them in any script.
pub const KEY_CHARS_MAX: usize = 500;

/// The fields that do not fit their columns, and what else the kind finds wrong with them.
pub fn check<K: PlainEntry>(entry: &K) -> Faults<Unfit> {
    let values = entry.values();
    let fields = K::LIST.fields.iter().zip(&values);
    let faults = fields.fold(Faults::default(), |faults, (field, value)| {
        faults.at(field.name, fits(K::LIST, field, value))
    });
    faults.and(entry.check_beside())
}

fn fits(list: &Plain, field: &Field, value: &Value) -> Result<(), Unfit> {
    match (field.spec.bound, value) {
        (_, Value::Null) => Ok(()),
        (Bound::Text { chars_max, form, .. }, Value::Text(value)) => {
            match form {
                Form::Email => text::email(value, chars_max),
                Form::Free if field.nullable => text::optional(Some(value), chars_max),
                Form::Free => text::required(value, chars_max),
            }?;
            if list.is_key(field) {
                addressed(list, value)
            } else {
                Ok(())
            }
        }
        (Bound::Whole { min, max }, Value::Whole(value)) if !(min..=max).contains(value) => {
            let value = *value;
            Err(Unfit::Range { value, min, max })
        }
        (
            Bound::Amount {
                decimals, is_signed, ..
            },
            Value::Amount(value),
        ) => amount(
            *value,
            decimals,
            is_signed,
            field.spec.bound.below().unwrap_or_default(),
        ),
        (Bound::Json { bytes_max }, Value::Json(value)) => text::json(value, bytes_max),
        (Bound::Bytes { bytes_max: max }, Value::Bytes(value)) if value.as_ref().len() > max => {
            let bytes = value.as_ref().len();
            Err(Unfit::Inside(format!("has {bytes} bytes; at most {max} are allowed")))
        }
        (Bound::Texts { items_max, chars_max }, Value::Texts(values)) => texts(values, items_max, chars_max),
        (Bound::Vector { dimensions }, Value::Vector(numbers)) => vector(numbers, dimensions),
        (Bound::Any, Value::Moment(moment)) => text::moment(*moment),
        (Bound::Any, Value::Time(time)) => text::is_no_leap_second(*time),
        (Bound::Any, Value::Interval(interval)) if !interval.is_kept() => Err(Unfit::Form(
            "must be shorter than 10,000 years in its months, in its days and in its time",
        )),
        (Bound::Any, Value::Date(date)) if !(1..=9_999).contains(&date.year()) => {
            Err(Unfit::Form("must lie in the years 1 to 9999"))
        }
        (_, _) => Ok(()),
    }
}

/// Whether a text can stand in every address.
fn addressed(list: &Plain, value: &str) -> Result<(), Unfit> {
    let is_only = matches!(list.key, Key::Fields([_]));
    if value.chars().any(char::is_control) {
        Err(Unfit::Form(
            "must have no tabs and line breaks: it is a key, and stands in addresses",
        ))
    } else if value.trim() != value {
        Err(Unfit::Form(
            "must neither begin nor end with a blank: it is a key, and stands in addresses",
        ))
    } else if value == "." || value == ".." {
        Err(Unfit::Form(
            "must not be dots alone: it is a key, and addresses take them for a way up",
        ))
    } else if text::is_mistakable(value) {
        Err(Unfit::Form(
            "must have no characters that do not show, and letters with their marks as one (NFC): it is a key, and must be told from others",
        ))
    } else if is_only && value.parse::<Uuid>().is_ok() {
        Err(Unfit::Form(
            "must not be a uuid: it is a key, and would be taken for the id of a stream",
        ))
    } else {
        Ok(())
    }
}

fn amount(value: Decimal, decimals: u32, is_signed: bool, below: Decimal) -> Result<(), Unfit> {
    if !is_signed && value.is_sign_negative() && !value.is_zero() {
        return Err(Unfit::Negative);
    }
    if value.normalize().scale() > decimals || value.abs() >= below {
        return Err(Unfit::Amount { decimals, below });
    }
    Ok(())
}

fn texts(values: &[String], items_max: usize, chars_max: usize) -> Result<(), Unfit> {
    if values.len() > items_max {
        let told = format!("has {} entries; at most {items_max} are allowed", values.len());
        return Err(Unfit::Inside(told));
    }
    let wrong = values.iter().find_map(|value| text::required(value, chars_max).err());
    wrong.map_or(Ok(()), |unfit| Err(Unfit::Inside(format!("has an entry that {unfit}"))))
}

fn vector(numbers: &[f32], dimensions: usize) -> Result<(), Unfit> {
    if numbers.len() != dimensions {
        let told = format!("has {} numbers; it must have {dimensions}", numbers.len());
        return Err(Unfit::Inside(told));
    }
    if numbers.iter().all(|number| number.is_finite()) {
        Ok(())
    } else {
        Err(Unfit::Form("must have finite numbers alone"))
    }
}

/// The streams that the entry refers to.
pub fn reads<K: PlainEntry>(entry: &K, of: EntryId, facts: &Facts) -> Vec<FactRef> {
    let values = entry.values();
    let fields = K::LIST.fields.iter().zip(&values);
    let referred = fields.filter_map(|(field, value)| field.spec.reference?.fact(of.tenant, value));
    referred.chain(entry.reads_beside(of, facts)).collect()
}

/// The fields that name what does not exist or is not in use.
pub fn judge<K: PlainEntry>(entry: &K, of: EntryId, facts: &Facts) -> Faults<String> {
    let values = entry.values();
    let fields = K::LIST.fields.iter().zip(&values);
    let faults = fields.fold(Faults::default(), |faults, (field, value)| {
        match &field.spec.reference {
            Some(reference) => faults.at(field.name, reference.judge(field.name, of.tenant, value, facts)),
            None => faults,
        }
    });
    faults.and(entry.judge_beside(of, facts))
}

/// That what stays is as it was.
///
/// # Errors
/// The field that would change, and what to do instead.
pub fn stays<K: PlainEntry>(entry: &K, now: &K) -> Result<(), (&'static str, String)> {
    let (next, now) = (entry.values(), now.values());
    let fields = K::LIST.fields.iter().zip(now.iter().zip(&next));
    for (field, (now, next)) in fields {
        // What is entered again need not say its number.
        let is_said = !matches!(next, Value::Null) || field.nullable;
        if (field.spec.stays || K::LIST.is_key(field)) && is_said && now != next {
            let noun = K::LIST.noun;
            let told = format!(
                "{} stays {}; enter another {noun} instead of changing this one",
                field.name,
                match now {
                    Value::Null => "empty".to_owned(),
                    now => now.text(),
                }
            );
            return Err((field.name, told));
        }
    }
    Ok(())
}

/// The department that the entry belongs to.
pub fn home<K: PlainEntry>(entry: &K) -> Option<Uuid> {
    let at = K::LIST.fields.iter().position(|field| field.spec.is_home)?;
    match entry.values().get(at) {
        Some(Value::Uuid(id)) => Some(*id),
        Some(_) | None => None,
    }
}

/// The entry without what tells who a person is.
pub fn without_contacts<K: PlainEntry>(entry: &K) -> K {
    // Contacts may be absent, so that what is left is an entry still.
    let written = serde_json::to_value(entry).ok().and_then(|written| match written {
        serde_json::Value::Object(mut fields) => {
            fields.retain(|name, _| !K::CONTACTS.contains(&name.as_str()));
            serde_json::from_value(serde_json::Value::Object(fields)).ok()
        }
        _ => None,
    });
    written.unwrap_or_else(|| entry.clone())
}

/// The unique values of the entry. Of texts those alike are the same.
pub fn claims<K: PlainEntry>(entry: &K) -> Vec<(Claim, String)> {
    let values = entry.values();
    let named = |name: &str| {
        let at = K::LIST.fields.iter().position(|field| field.name == name);
        at.and_then(|at| values.get(at)).map(Value::text).unwrap_or_default()
    };
    let mut claims = Vec::new();
    for (field, value) in K::LIST.fields.iter().zip(&values) {
        let Some(unique) = field.spec.unique else { continue };
        if *value == Value::Null {
            continue;
        }
        let within: Vec<String> = unique.within.iter().map(|name| named(name)).collect();
        let (within, text) = (within.join("/"), value.text());
        let exact = if within.is_empty() {
            text.clone()
        } else {
            format!("{within}/{text}")
        };
        claims.push((unique.claim, exact));
        if field.kind == Kind::Text {
            claims.push((unique.claim, Claim::alike(&within, &text)));
        }
    }
    claims.extend(entry.claims_beside());
    claims
}
