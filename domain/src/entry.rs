//! Plain reference data: a kind of entry whose fields are listed once, with what bounds each. Struct, schema, checks, reads,
//! claims, table, rows and the samples of tests follow from the list.
//!
//! A rule that no list can say stands beside it, in [`Beside`]; a kind that is mostly such rules implements [`Entry`] itself.

mod bound;
mod check;
mod field;
mod key;
mod number;
mod plain;
mod reference;
mod sample;
mod schema;
mod value;
mod words;

use uuid::Uuid;

pub use bound::Bound;
pub use check::{KEY_CHARS_MAX, check, claims, home, judge, reads, stays, without_contacts};
pub use field::{Field, Spec, Unique, spec};
pub use key::{Key, escaped, unescaped};
pub use number::Number;
pub use plain::{Counts, Plain, Stamp, Told, claims_in, contacts_in, counts, is_among};
pub use reference::{Lacking, Reference, Referred};
pub use sample::{Sampled, fitting, sample, unfit};
pub use schema::bounded;
pub use value::{Held, Kind, Value};
pub use words::Word;

use crate::faults::Faults;
use crate::register::{Entry, EntryId};
use crate::text::Unfit;
use crate::{Claim, FactRef, Facts};

/// An [`Entry`] that `entry!` has declared.
pub trait PlainEntry: Entry + Beside {
    /// The list that it was declared by.
    const LIST: &'static Plain;

    /// The values of its fields, in the order of the list.
    fn values(&self) -> Vec<Value>;
}

/// What a plain kind has beside its list: rules that look at several fields, or at other streams than those it refers to.
pub trait Beside: Sized {
    /// What is wrong beside what the list says, see [`Entry::check`].
    fn check_beside(&self) -> Faults<Unfit> {
        Faults::default()
    }

    /// Streams beside those that the list refers to, see [`Entry::reads`].
    fn reads_beside(&self, _entry: EntryId, _facts: &Facts) -> Vec<FactRef> {
        Vec::new()
    }

    /// See [`Entry::judge`].
    fn judge_beside(&self, _entry: EntryId, _facts: &Facts) -> Faults<String> {
        Faults::default()
    }

    /// See [`Entry::becomes`].
    ///
    /// # Errors
    /// The field that stays as it was, and what to do instead.
    fn becomes_beside(&self, _now: &Self, _id: Uuid, _facts: &Facts) -> Result<(), (&'static str, String)> {
        Ok(())
    }

    /// Unique values beside those of single fields, see [`Entry::claims`].
    fn claims_beside(&self) -> Vec<(Claim, String)> {
        Vec::new()
    }
}

/// Declares a plain kind: its struct, its [`Aggregate`](crate::Aggregate) as `AGGREGATE`, and all that follows.
///
/// The sections stand in this order. `kind` has the stored name, the word for one and the word for many in URLs; events are
/// stored under the struct's name followed by `Entered`, `Amended` and `Struck`, so that it is never renamed. `key` is `id:
/// uuid`, a number that Daybook draws (`rule_id: serial`), or one or more of the fields. Each field has its type and, behind
/// the equals sign, what bounds it (see [`spec`]); attributes go to serde. `in_use` names the column that says whether the
/// entry is struck; without one a struck entry's row goes. Few kinds need more: `stamps { version, created_by,
/// updated_by }`, `checks { "..." }` for constraints of the table, `consts { ... }` for more of [`Entry`], and `rules { Beside }`
/// where the kind implements [`Beside`] itself.
///
/// The crate that declares one depends on `schemars`, `serde` and `uuid`.
#[macro_export]
macro_rules! entry {
    (
        $(#[doc = $doc:literal])+
        $kind:ident = $context:ident.$table:ident
        kind { $type:literal, $noun:literal, $plural:literal }
        key { $($key:tt)+ }
        fields { $(
            $(#[doc = $field_doc:literal])+ $(#[serde($($serde:tt)+)])? $field:ident: $held:ty = $spec:expr,
        )+ }
        in_use { $($in_use:ident)? }
        $(stamps { $($stamp:ident),+ $(,)? })?
        $(checks { $($constraint:literal),+ $(,)? })?
        $(consts { $($consts:tt)+ })?
        $(rules { $beside:ident })?
    ) => {
        $crate::entry! { @key $($key)+ =>
            $(#[doc = $doc])+
            $kind { $($(#[doc = $field_doc])+ $(#[serde($($serde)+)])? $field: $held = $spec,)+ }
        }

        /// The kind as a value.
        pub const AGGREGATE: $crate::Aggregate = $crate::Aggregate::of::<$crate::register::Register<$kind>>($plural);

        const LIST: $crate::entry::Plain = $crate::entry::Plain {
            context: stringify!($context),
            table: stringify!($table),
            doc: concat!($($doc),+).trim_ascii_start(),
            kind: $type,
            noun: $noun,
            key: $crate::entry! { @form $($key)+ },
            fields: FIELDS,
            in_use: { const IN_USE: &[&str] = &[$(stringify!($in_use))?]; IN_USE.first().copied() },
            stamps: &[$($($crate::entry::Stamp::called(stringify!($stamp))),+)?],
            constraints: &[$($($constraint),+)?],
            told: |event| $crate::entry::Told::of::<$kind>(event),
        };
        const COUNTS: $crate::entry::Counts = $crate::entry::counts(&LIST);

        $crate::entry! { @beside $kind $($beside)? }

        impl $crate::entry::PlainEntry for $kind {
            const LIST: &'static $crate::entry::Plain = &LIST;

            fn values(&self) -> Vec<$crate::entry::Value> {
                use $crate::entry::Held as _;
                let mut values = $crate::entry! { @numbered self $($key)+ };
                values.extend([$(self.$field.value()),+]);
                values
            }
        }

        impl $crate::register::Entry for $kind {
            const TYPE: &'static str = $type;
            const NOUN: &'static str = $noun;
            const ENTERED: &'static str = concat!(stringify!($kind), "Entered");
            const AMENDED: &'static str = concat!(stringify!($kind), "Amended");
            const STRUCK: &'static str = concat!(stringify!($kind), "Struck");
            const STRUCK_STAYS: bool = LIST.in_use.is_some();
            const SHOWN_IN: Option<&'static str> = Some(stringify!($table));
            const SCOPED: bool = LIST.is_scoped();
            const CLAIMS: &'static [$crate::Claim] = &$crate::entry::claims_in::<{ COUNTS.claims }>(&LIST);
            const CONTACTS: &'static [&'static str] = &$crate::entry::contacts_in::<{ COUNTS.contacts }>(&LIST);
            const FORGOTTEN: &'static str = match COUNTS.contacts {
                0 => "",
                _ => concat!(stringify!($kind), "ContactsForgotten"),
            };
            const PLAIN: Option<&'static $crate::entry::Plain> = Some(&LIST);
            $($($consts)+)?

            fn check(&self) -> $crate::faults::Faults<$crate::text::Unfit> {
                $crate::entry::check(self)
            }
            fn reads(&self, entry: $crate::register::EntryId, facts: &$crate::Facts) -> Vec<$crate::FactRef> {
                $crate::entry::reads(self, entry, facts)
            }
            fn judge(&self, entry: $crate::register::EntryId, facts: &$crate::Facts) -> $crate::faults::Faults<String> {
                $crate::entry::judge(self, entry, facts)
            }
            fn becomes(&self, now: &Self, id: uuid::Uuid, facts: &$crate::Facts) -> Result<(), (&'static str, String)> {
                $crate::entry::stays(self, now)?;
                $crate::entry::Beside::becomes_beside(self, now, id, facts)
            }
            fn home(&self) -> Option<uuid::Uuid> {
                $crate::entry::home(self)
            }
            fn without_contacts(&self) -> Self {
                $crate::entry::without_contacts(self)
            }
            fn claims(&self) -> Vec<($crate::Claim, String)> {
                $crate::entry::claims(self)
            }
            fn keyed_stream(&self, tenant: uuid::Uuid) -> Option<uuid::Uuid> {
                LIST.stream_of(tenant, &$crate::entry::PlainEntry::values(self))
            }
            fn number(&self) -> Option<$crate::entry::Number> {
                $crate::entry! { @number self $($key)+ }
            }
            fn with_number(self, number: $crate::entry::Number) -> Self {
                $crate::entry! { @with_number self number $($key)+ }
            }
        }
    };

    (@key $id:ident: uuid => $(#[$doc:meta])+ $kind:ident { $($fields:tt)+ }) => {
        $crate::entry! { @struct $(#[$doc])+ $kind {} { $($fields)+ } }
    };
    (@key $number:ident: serial => $(#[$doc:meta])+ $kind:ident { $($fields:tt)+ }) => {
        $crate::entry! { @struct $(#[$doc])+ $kind {
            /// The number, which Daybook gives.
            #[serde(default, skip_serializing_if = "domain::entry::Number::is_none")]
            $number: $crate::entry::Number = $crate::entry::spec::number(),
        } { $($fields)+ } }
    };
    (@key $($key:ident),+ => $(#[$doc:meta])+ $kind:ident { $($fields:tt)+ }) => {
        $crate::entry! { @struct $(#[$doc])+ $kind {} { $($fields)+ } }
    };

    (@struct $(#[$doc:meta])+ $kind:ident {
        $($(#[doc = $number_doc:literal])+ #[serde($($number_serde:tt)+)] $number:ident: $number_type:ty = $number_spec:expr,)?
    } { $(
        $(#[doc = $field_doc:literal])+ $(#[serde($($serde:tt)+)])? $field:ident: $held:ty = $spec:expr,
    )+ }) => {
        $(#[$doc])+
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        #[schemars(transform = domain::entry::bounded::<$kind>)]
        pub struct $kind {
            $($(#[doc = $number_doc])+ #[serde($($number_serde)+)] pub $number: $number_type,)?
            $($(#[doc = $field_doc])+ $(#[serde($($serde)+)])? pub $field: $held,)+
        }

        const FIELDS: &[$crate::entry::Field] = {
            #[allow(unused_imports, reason = "a list need not use every bound")]
            use $crate::entry::spec::*;
            &[
                $($crate::entry::Field::of::<$number_type>(stringify!($number), concat!($($number_doc),+), $number_spec),)?
                $($crate::entry::Field::of::<$held>(stringify!($field), concat!($($field_doc),+), $spec),)+
            ]
        };
    };

    (@form $id:ident: uuid) => { $crate::entry::Key::Id(stringify!($id)) };
    (@form $number:ident: serial) => { $crate::entry::Key::Number(stringify!($number)) };
    (@form $($key:ident),+) => { $crate::entry::Key::Fields(&[$(stringify!($key)),+]) };

    (@numbered $self:ident $id:ident: uuid) => { Vec::new() };
    (@numbered $self:ident $number:ident: serial) => { vec![$self.$number.value()] };
    (@numbered $self:ident $($key:ident),+) => { Vec::new() };

    (@number $self:ident $id:ident: uuid) => { None };
    (@number $self:ident $number:ident: serial) => { Some($self.$number) };
    (@number $self:ident $($key:ident),+) => { None };

    (@with_number $self:ident $n:ident $id:ident: uuid) => {{ let _ = $n; $self }};
    (@with_number $self:ident $n:ident $number:ident: serial) => { Self { $number: $n, ..$self } };
    (@with_number $self:ident $n:ident $($key:ident),+) => {{ let _ = $n; $self }};

    (@beside $kind:ident) => { impl $crate::entry::Beside for $kind {} };
    (@beside $kind:ident Beside) => {};
}
