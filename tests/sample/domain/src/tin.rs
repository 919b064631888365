//! Tins, by ids: a plain kind with a field of every type that there is.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use domain::Claim;
use domain::bytes::Bytes;
use domain::entry;
use domain::entry::Word;
use domain::interval::Interval;
use domain::register::Register;
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::drawer::Drawer;

/// No two tins of a drawer have the same.
pub const MARK: Claim = Claim::new("sample.tins.drawer+mark");

entry! {
    /// A tin in a drawer. A struck tin's row stays.
    Tin = sample.tins
    kind { "sample.tin", "tin", "tins" }
    key { tin_id: uuid }
    fields {
        /// The drawer that it lies in, by its number; in use. It stays there.
        drawer: i32 = numbered::<Register<Drawer>>().stays().found(),
        /// What tells it from others in the drawer.
        mark: String = varchar(20).unique_within(MARK, &["drawer"]),
        /// The tin that it stands on; in use.
        #[serde(default)]
        on_tin: Option<Uuid> = reference::<Register<Tin>>().found(),
        /// The lid that it has.
        lid: Lid = word(20).found(),
        /// Who filled it.
        #[serde(default)]
        filled_by: Option<String> = email(80).contact(),
        /// What is in it.
        #[serde(default)]
        content: Value = json(2_000),
        /// Its weight, less what was taken out.
        #[serde(default, deserialize_with = "domain::money::optional_amount")]
        weight: Option<Decimal> = amount(9, 4).signed(),
        /// How many were made like it.
        #[serde(default)]
        made: i64 = whole(-1, 5_000_000_000),
        /// When it was closed.
        #[serde(default)]
        closed_at: Option<DateTime<Utc>> = any().found(),
        /// The day until which it keeps.
        #[serde(default)]
        keeps_until: Option<NaiveDate> = any(),
        /// The time of day at which it is opened.
        #[serde(default)]
        opened: Option<NaiveTime> = any(),
        /// How long it may stay open.
        #[serde(default)]
        stays_open: Option<Interval> = any(),
        /// A picture of it.
        #[serde(default)]
        picture: Option<Bytes> = bytes(300),
        /// What people call it besides.
        #[serde(default)]
        names: Vec<String> = texts(3, 30),
        /// Where it lies among others.
        #[serde(default)]
        vector: Option<Vec<f32>> = vector(3),
    }
    in_use { is_kept }
    checks { "check (made >= -1)" }
}

/// How a tin is closed.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr, strum::VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Lid {
    Screwed,
    PressedOn,
}

impl Word for Lid {}
