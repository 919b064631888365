//! What bounds the value of a field, as data.

use std::fmt::Write as _;

use rust_decimal::Decimal;

use super::value::{Kind, grouped};

/// What bounds a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// A text of at most so many characters; of one that must be there something shows.
    Text {
        chars_max: usize,
        form: Form,
        /// Whether the column's own type has the limit, as documents say `VARCHAR(255)` or `TEXT`.
        is_varchar: bool,
    },
    /// One of a few words, in a column for so many characters.
    Word {
        chars_max: usize,
    },
    /// A whole number, both ends included.
    Whole {
        min: i64,
        max: i64,
    },
    /// An amount of so many digits, so many of them decimals; not negative, unless it may be.
    Amount {
        digits: u32,
        decimals: u32,
        is_signed: bool,
    },
    /// Whatever the type holds.
    Any,
    /// JSON of so many bytes in its canonical form.
    Json {
        bytes_max: usize,
    },
    Bytes {
        bytes_max: usize,
    },
    /// So many texts, each a required one of so many characters.
    Texts {
        items_max: usize,
        chars_max: usize,
    },
    /// So many numbers, neither more nor fewer.
    Vector {
        dimensions: usize,
    },
}

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Free,
    Email,
}

impl Bound {
    /// Whether values of this kind can be bounded so.
    #[must_use]
    pub const fn is_of(self, kind: Kind) -> bool {
        match self {
            Self::Text { .. } | Self::Word { .. } => matches!(kind, Kind::Text),
            Self::Whole { .. } => matches!(kind, Kind::Integer | Kind::Bigint),
            Self::Amount { .. } => matches!(kind, Kind::Decimal),
            Self::Json { .. } => matches!(kind, Kind::Json),
            Self::Bytes { .. } => matches!(kind, Kind::Bytea),
            Self::Texts { .. } => matches!(kind, Kind::Texts),
            Self::Vector { .. } => matches!(kind, Kind::Vector),
            Self::Any => matches!(
                kind,
                Kind::Uuid | Kind::Boolean | Kind::Timestamp | Kind::Date | Kind::Time | Kind::Interval
            ),
        }
    }

    /// The type of the column.
    #[must_use]
    pub fn column_type(self, kind: Kind) -> String {
        match (self, kind) {
            (
                Self::Text {
                    chars_max,
                    is_varchar: true,
                    ..
                }
                | Self::Word { chars_max },
                _,
            ) => format!("varchar({chars_max})"),
            (Self::Amount { digits, decimals, .. }, _) => format!("decimal({digits}, {decimals})"),
            (Self::Vector { dimensions }, _) => format!("vector({dimensions})"),
            (_, kind) => match kind {
                Kind::Uuid => "uuid",
                Kind::Text => "text",
                Kind::Integer => "integer",
                Kind::Bigint => "bigint",
                Kind::Boolean => "boolean",
                Kind::Decimal => "numeric",
                Kind::Timestamp => "timestamptz",
                Kind::Date => "date",
                Kind::Time => "time",
                Kind::Interval => "interval",
                Kind::Json => "jsonb",
                Kind::Bytea => "bytea",
                Kind::Texts => "text[]",
                Kind::Vector => "vector",
            }
            .to_owned(),
        }
    }

    /// What documents say of it: "At most 255 characters."; nothing where the type says it all.
    #[must_use]
    pub fn told(self) -> String {
        let count = |count: usize| grouped(i64::try_from(count).unwrap_or(i64::MAX));
        let mut told = String::new();
        // Writing to a String does not fail.
        let _ = match self {
            Self::Text { chars_max, .. } => write!(told, "At most {} characters.", count(chars_max)),
            Self::Whole { min, max } if max == i64::from(i32::MAX) => write!(told, "At least {}.", grouped(min)),
            Self::Whole { min, max } => write!(told, "From {} to {}.", grouped(min), grouped(max)),
            Self::Amount {
                decimals, is_signed, ..
            } => {
                let least = if is_signed {
                    "More than minus"
                } else {
                    "From 0 to below"
                };
                let below = self.below().unwrap_or_default();
                write!(
                    told,
                    "{least} {below}, with at most {decimals} decimals; a string keeps it exact."
                )
            }
            Self::Json { bytes_max } | Self::Bytes { bytes_max } => write!(told, "At most {} bytes.", count(bytes_max)),
            Self::Texts { items_max, chars_max } => write!(
                told,
                "At most {} entries of at most {} characters.",
                count(items_max),
                count(chars_max)
            ),
            Self::Vector { dimensions } => write!(told, "{} numbers.", count(dimensions)),
            Self::Word { .. } | Self::Any => Ok(()),
        };
        told
    }

    /// What an amount stays below.
    #[must_use]
    pub fn below(self) -> Option<Decimal> {
        match self {
            Self::Amount { digits, decimals, .. } => {
                Decimal::try_from_i128_with_scale(10_i128.pow(digits - decimals), 0).ok()
            }
            _ => None,
        }
    }
}
