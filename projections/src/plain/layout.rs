//! The declared table of a plain kind, made of its list while it is compiled.

use domain::entry::{Field, Key, Kind, Plain, Stamp, is_among};

use crate::row;
use crate::table::{Column, ColumnKind, Scope, Words};

pub(super) const CREATED_AT: &str = "created_at";
pub(super) const UPDATED_AT: &str = "updated_at";
/// The column with the stream of entries whose key is not its id.
const STREAM_ID: &str = "stream_id";

/// How many there are of what a table lists.
#[derive(Debug, Clone, Copy)]
pub struct Counts {
    pub columns: usize,
    pub find: usize,
    pub key: usize,
    pub personal: usize,
}

#[must_use]
pub const fn counts(list: &Plain) -> Counts {
    let (mut at, mut found, mut personal) = (0, 0, 0);
    while at < list.fields.len() {
        let field = &list.fields[at];
        found += (field.spec.is_found && !is_keyed(list, field.name)) as usize;
        personal += field.spec.is_contact as usize;
        at += 1;
    }
    let in_use = list.in_use.is_some() as usize;
    let key = match list.key {
        Key::Id(_) | Key::Number(_) => 1,
        Key::Fields(names) => names.len(),
    };
    Counts {
        // The tenant, the stream's id, both times and the position.
        columns: 2 + list.fields.len() + in_use + list.stamps.len() + 3,
        find: key + found + in_use + 1,
        key,
        personal,
    }
}

/// Whether the column is of the key.
#[must_use]
pub const fn is_keyed(list: &Plain, name: &str) -> bool {
    match list.key {
        Key::Id(_) => false,
        Key::Number(number) => is_among(name, &[number]),
        Key::Fields(names) => is_among(name, names),
    }
}

/// The columns, in the order in which rows have their cells.
#[must_use]
pub const fn columns<const N: usize>(list: &Plain) -> [Column; N] {
    let mut columns = [row::POSITION; N];
    columns[0] = row::TENANT;
    columns[1] = match list.key {
        Key::Id(name) => row::column::<uuid::Uuid>(name, " The entry's id."),
        Key::Number(_) | Key::Fields(_) => Column {
            hidden: true,
            ..row::column::<uuid::Uuid>(STREAM_ID, " The stream of the entry.")
        },
    };
    let mut next = 2;
    while next - 2 < list.fields.len() {
        columns[next] = of_field(&list.fields[next - 2]);
        next += 1;
    }
    if let Some(name) = list.in_use {
        columns[next] = row::column::<bool>(name, " Whether it is in use.");
        next += 1;
    }
    let mut stamp = 0;
    while stamp < list.stamps.len() {
        columns[next] = match list.stamps[stamp] {
            Stamp::Version => row::column::<i32>(
                "version",
                " How often anything has happened to it: the sequence of its stream.",
            ),
            Stamp::CreatedBy => row::column::<uuid::Uuid>("created_by", " Who first entered it."),
            Stamp::UpdatedBy => row::column::<uuid::Uuid>("updated_by", " Who last changed it."),
        };
        next += 1;
        stamp += 1;
    }
    columns[next] = row::column::<chrono::DateTime<chrono::Utc>>(CREATED_AT, " When it was first entered.");
    columns[next + 1] = row::column::<chrono::DateTime<chrono::Utc>>(UPDATED_AT, " When it last changed.");
    columns
}

const fn of_field(field: &Field) -> Column {
    Column {
        name: row::plain(field.name),
        kind: of_kind(field.kind),
        nullable: field.nullable,
        generated: false,
        hidden: false,
        doc: field.doc,
        words: Words::Listed(field.words),
    }
}

const fn of_kind(kind: Kind) -> ColumnKind {
    match kind {
        Kind::Uuid => ColumnKind::Uuid,
        Kind::Text => ColumnKind::Text,
        Kind::Integer => ColumnKind::Integer,
        Kind::Bigint => ColumnKind::Bigint,
        Kind::Boolean => ColumnKind::Boolean,
        Kind::Decimal => ColumnKind::Decimal,
        Kind::Timestamp => ColumnKind::Timestamp,
        Kind::Date => ColumnKind::Date,
        Kind::Time => ColumnKind::Time,
        Kind::Interval => ColumnKind::Interval,
        Kind::Json => ColumnKind::Json,
        Kind::Bytea => ColumnKind::Bytea,
        Kind::Texts => ColumnKind::Texts,
        Kind::Vector => ColumnKind::Vector,
    }
}

/// The columns of the key.
#[must_use]
pub const fn key<const N: usize>(list: &Plain) -> [&'static str; N] {
    let mut key = [""; N];
    match list.key {
        Key::Id(name) | Key::Number(name) => key[0] = name,
        Key::Fields(names) => {
            let mut at = 0;
            while at < names.len() {
                key[at] = names[at];
                at += 1;
            }
        }
    }
    key
}

/// The columns that clients may filter and sort by.
#[must_use]
pub const fn find<const N: usize>(list: &Plain) -> [&'static str; N] {
    let mut find = [CREATED_AT; N];
    let mut next = 0;
    match list.key {
        Key::Id(name) | Key::Number(name) => {
            find[0] = name;
            next = 1;
        }
        Key::Fields(names) => {
            while next < names.len() {
                find[next] = names[next];
                next += 1;
            }
        }
    }
    let mut at = 0;
    while at < list.fields.len() {
        let field = &list.fields[at];
        if field.spec.is_found && !is_keyed(list, field.name) {
            find[next] = field.name;
            next += 1;
        }
        at += 1;
    }
    if let Some(name) = list.in_use {
        find[next] = name;
    }
    find
}

/// The columns that tell who a person is.
#[must_use]
pub const fn personal<const N: usize>(list: &Plain) -> [&'static str; N] {
    domain::entry::contacts_in(list)
}

/// Which rows somebody may see.
#[must_use]
pub const fn scope(list: &Plain) -> Scope {
    let mut at = 0;
    while at < list.fields.len() {
        if list.fields[at].spec.is_home {
            return Scope::Department(list.fields[at].name);
        }
        at += 1;
    }
    Scope::Tenant
}

/// The column with the stream, where the key is not its id.
#[must_use]
pub const fn stream(list: &Plain) -> Option<&'static str> {
    match list.key {
        Key::Id(_) => None,
        Key::Number(_) | Key::Fields(_) => Some(STREAM_ID),
    }
}
