//! One field of a plain kind, as data.

use super::bound::Bound;
use super::reference::Reference;
use super::value::{Held, Kind};
use crate::Claim;

/// A field: its name, its type, and what its list says of it.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    pub name: &'static str,
    /// Meaning and unit, without its limits, for documents.
    pub doc: &'static str,
    pub kind: Kind,
    pub nullable: bool,
    /// The words that it holds, where there are only a few.
    pub words: &'static [&'static str],
    pub spec: Spec,
}

/// What the list says of a field beside its type, put together by [`spec`] and the methods here.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    pub bound: Bound,
    /// Whether clients may filter and sort by it.
    pub is_found: bool,
    /// Whether it cannot be amended.
    pub stays: bool,
    /// Whether it is the department that the entry belongs to.
    pub is_home: bool,
    /// Whether it tells who a person is: it lies sealed, and can be forgotten.
    pub is_contact: bool,
    pub unique: Option<Unique>,
    pub reference: Option<Reference>,
    /// A value for tests, as JSON, where none can be made from the bound.
    pub sample: Option<&'static str>,
}

/// That no two entries have the same value in a field.
#[derive(Debug, Clone, Copy)]
pub struct Unique {
    pub claim: Claim,
    /// The fields within whose values it is unique; none means within the tenant.
    pub within: &'static [&'static str],
}

impl Field {
    /// A field whose type is `H`.
    ///
    /// # Panics
    /// While it is compiled, when its type is bounded otherwise than the list says.
    #[must_use]
    pub const fn of<H: Held>(name: &'static str, doc: &'static str, spec: Spec) -> Self {
        assert!(spec.bound.is_of(H::KIND), "a field's type is not bounded so");
        assert!(
            !matches!(spec.bound, Bound::Word { .. }) || !H::WORDS.is_empty(),
            "a field of words has an enum for its type"
        );
        // Under row security Postgres compares by an index only what tells nothing of rows that are not shown, and it does not
        // vouch for comparisons of amounts, JSON and lists; spans of time are not compared.
        assert!(
            !spec.is_found
                || !matches!(
                    H::KIND,
                    Kind::Decimal | Kind::Json | Kind::Bytea | Kind::Texts | Kind::Vector | Kind::Interval
                ),
            "no index serves whoever filters by such a field"
        );
        assert!(
            !spec.is_contact || H::NULLABLE,
            "a contact can be forgotten, so its field is optional"
        );
        Self {
            name,
            doc: doc.trim_ascii_start(),
            kind: H::KIND,
            nullable: H::NULLABLE,
            words: H::WORDS,
            spec,
        }
    }
}

impl Spec {
    const fn bounded(bound: Bound) -> Self {
        Self {
            bound,
            is_found: false,
            stays: false,
            is_home: false,
            is_contact: false,
            unique: None,
            reference: None,
            sample: None,
        }
    }

    /// Clients may filter and sort by it.
    #[must_use]
    pub const fn found(self) -> Self {
        Self { is_found: true, ..self }
    }

    /// It cannot be amended: what was done under it rests on it.
    #[must_use]
    pub const fn stays(self) -> Self {
        Self { stays: true, ..self }
    }

    /// It is the department that the entry belongs to, for ever.
    #[must_use]
    pub const fn home(self) -> Self {
        Self { is_home: true, ..self }
    }

    /// It tells who a person is.
    #[must_use]
    pub const fn contact(self) -> Self {
        Self {
            is_contact: true,
            ..self
        }
    }

    /// No two entries have the same in the tenant. The claim's name is stored for ever.
    #[must_use]
    pub const fn unique(self, claim: Claim) -> Self {
        self.unique_within(claim, &[])
    }

    /// No two entries with the same values in those fields have the same here.
    #[must_use]
    pub const fn unique_within(self, claim: Claim, within: &'static [&'static str]) -> Self {
        Self {
            unique: Some(Unique { claim, within }),
            ..self
        }
    }

    /// A value for tests, as JSON.
    #[must_use]
    pub const fn sample(self, json: &'static str) -> Self {
        Self {
            sample: Some(json),
            ..self
        }
    }

    /// The table whose rows the reference leads to, by the column of their key, where the kind that is referred to does not
    /// say it itself.
    #[must_use]
    pub const fn rows(self, table: &'static str, column: &'static str) -> Self {
        let reference = match self.reference {
            Some(reference) => Some(Reference {
                rows: Some((table, column)),
                ..reference
            }),
            None => None,
        };
        Self { reference, ..self }
    }

    /// The document's foreign key says `ON DELETE CASCADE`. No row is ever deleted so.
    #[must_use]
    pub const fn cascades(self) -> Self {
        let reference = match self.reference {
            Some(reference) => Some(Reference {
                cascades: true,
                ..reference
            }),
            None => None,
        };
        Self { reference, ..self }
    }

    /// An amount may be negative.
    #[must_use]
    pub const fn signed(self) -> Self {
        let bound = match self.bound {
            Bound::Amount { digits, decimals, .. } => Bound::Amount {
                digits,
                decimals,
                is_signed: true,
            },
            bound => bound,
        };
        Self { bound, ..self }
    }
}

/// What a list says of fields, one function for each bound.
pub mod spec {
    use super::Spec;
    use crate::entry::Number;
    use crate::entry::bound::{Bound, Form};
    use crate::entry::reference::{Reference, Referred};

    const fn text_of(chars_max: usize, form: Form, is_varchar: bool) -> Spec {
        Spec::bounded(Bound::Text {
            chars_max,
            form,
            is_varchar,
        })
    }

    /// A text in a `varchar(n)`.
    #[must_use]
    pub const fn varchar(chars_max: usize) -> Spec {
        text_of(chars_max, Form::Free, true)
    }

    /// A text in a column without a limit of its own.
    #[must_use]
    pub const fn text(chars_max: usize) -> Spec {
        text_of(chars_max, Form::Free, false)
    }

    /// An email address in a `varchar(n)`.
    #[must_use]
    pub const fn email(chars_max: usize) -> Spec {
        text_of(chars_max, Form::Email, true)
    }

    /// A word of an enum in a `varchar(n)`.
    #[must_use]
    pub const fn word(chars_max: usize) -> Spec {
        Spec::bounded(Bound::Word { chars_max })
    }

    /// A whole number, both ends included.
    #[must_use]
    pub const fn whole(min: i64, max: i64) -> Spec {
        Spec::bounded(Bound::Whole { min, max })
    }

    /// An amount in a `decimal(digits, decimals)`, not negative.
    #[must_use]
    pub const fn amount(digits: u32, decimals: u32) -> Spec {
        Spec::bounded(Bound::Amount {
            digits,
            decimals,
            is_signed: false,
        })
    }

    /// A flag, an id, a moment, a date, a time of day or an interval: its type says it all.
    #[must_use]
    pub const fn any() -> Spec {
        Spec::bounded(Bound::Any)
    }

    /// JSON of so many bytes.
    #[must_use]
    pub const fn json(bytes_max: usize) -> Spec {
        Spec::bounded(Bound::Json { bytes_max })
    }

    /// So many bytes.
    #[must_use]
    pub const fn bytes(bytes_max: usize) -> Spec {
        Spec::bounded(Bound::Bytes { bytes_max })
    }

    /// So many texts of so many characters.
    #[must_use]
    pub const fn texts(items_max: usize, chars_max: usize) -> Spec {
        Spec::bounded(Bound::Texts { items_max, chars_max })
    }

    /// A vector of so many numbers.
    #[must_use]
    pub const fn vector(dimensions: usize) -> Spec {
        Spec::bounded(Bound::Vector { dimensions })
    }

    /// The number that Daybook gives.
    #[must_use]
    pub const fn number() -> Spec {
        Spec::bounded(Bound::Whole {
            min: 1,
            max: Number::MAX as i64,
        })
    }

    const fn referring<D: Referred>(spec: Spec) -> Spec {
        Spec {
            reference: Some(Reference::to::<D>()),
            ..spec
        }
    }

    /// The id of something in use.
    #[must_use]
    pub const fn reference<D: Referred>() -> Spec {
        referring::<D>(any())
    }

    /// The number of something in use.
    #[must_use]
    pub const fn numbered<D: Referred>() -> Spec {
        referring::<D>(number())
    }

    /// The code of something in use, which is its key.
    #[must_use]
    pub const fn coded<D: Referred>(chars_max: usize) -> Spec {
        referring::<D>(varchar(chars_max))
    }
}
