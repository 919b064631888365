//! The statements that make the table of a plain kind, in the form of `migrations/read/<context>.sql`.

use std::fmt::Write as _;

use domain::entry::{Bound, Field, Key, Kind, Plain, Stamp, Unique};

/// Its table, then its constraints and indexes.
#[must_use]
pub fn ddl(list: &Plain) -> String {
    let mut ddl = table(list);
    let name = list.table;
    for field in list.fields {
        if let Some(unique) = field.spec.unique {
            let columns = within(list, field, unique).join(", ");
            let key = [unique.within, &[field.name]].concat().join("_");
            // Writing to a String does not fail.
            let _ = writeln!(
                ddl,
                "alter table {name} add constraint {name}_{key} unique ({columns}) deferrable initially deferred;"
            );
        }
        ddl.push_str(&foreign_key(list, field).unwrap_or_default());
    }
    for (column, columns) in indexes(list) {
        let _ = writeln!(ddl, "create index {name}_{column} on {name} ({columns});");
    }
    ddl
}

fn table(list: &Plain) -> String {
    let mut lines = vec!["tenant_id uuid not null".to_owned()];
    lines.push(match list.key {
        Key::Id(column) => format!("{column} uuid primary key"),
        // From the beginning, and not after loading: rows are found by it as they are posted.
        Key::Number(_) | Key::Fields(_) => "stream_id uuid not null unique".to_owned(),
    });
    for field in list.fields {
        let column = field.name;
        let mut line = format!("{column} {}", field.spec.bound.column_type(field.kind));
        if !field.nullable {
            line.push_str(" not null");
        }
        if matches!(field.spec.bound, Bound::Word { .. }) {
            let words: Vec<String> = field.words.iter().map(|word| format!("'{word}'")).collect();
            let _ = write!(line, " check ({column} in ({}))", words.join(", "));
        }
        lines.push(line);
    }
    lines.extend(list.in_use.map(|column| format!("{column} boolean not null")));
    for stamp in list.stamps {
        let kind = match stamp {
            Stamp::Version => "integer",
            Stamp::CreatedBy | Stamp::UpdatedBy => "uuid",
        };
        lines.push(format!("{} {kind} not null", stamp.name()));
    }
    lines.push("created_at timestamptz not null".to_owned());
    lines.push("updated_at timestamptz not null".to_owned());
    lines.push("position bigint not null".to_owned());
    lines.extend(list.constraints.iter().map(|constraint| (*constraint).to_owned()));
    if !matches!(list.key, Key::Id(_)) {
        let key: Vec<_> = list.key_columns().collect();
        // A number or a code is the tenant's own.
        lines.push(format!("primary key (tenant_id, {})", key.join(", ")));
    }
    format!("create table {} (\n    {}\n);\n", list.table, lines.join(",\n    "))
}

/// The columns of a unique constraint: led by the tenant, unless what leads them is no other tenant's.
fn within(list: &Plain, field: &Field, unique: Unique) -> Vec<&'static str> {
    let first = unique.within.first().and_then(|name| list.field(name));
    let is_own = first.is_some_and(|first| first.kind == Kind::Uuid);
    let tenant = (!is_own).then_some("tenant_id");
    tenant
        .into_iter()
        .chain(unique.within.iter().copied())
        .chain([field.name])
        .collect()
}

fn foreign_key(list: &Plain, field: &Field) -> Option<String> {
    let reference = field.spec.reference?;
    let name = list.table;
    let column = field.name;
    let (columns, target) = match (reference.rows, (reference.list)()) {
        (Some((table, key)), _) => (column.to_owned(), format!("{table} ({key})")),
        // A kind of another context's has no rows here.
        (None, Some(target)) if target.context == list.context => match target.key {
            Key::Id(key) => (column.to_owned(), format!("{} ({key})", target.table)),
            Key::Number(_) | Key::Fields(_) => {
                let key: Vec<_> = target.key_columns().collect();
                let to = format!("{} (tenant_id, {})", target.table, key.join(", "));
                (format!("tenant_id, {column}"), to)
            }
        },
        (None, _) => return None,
    };
    let cascades = if reference.cascades { " on delete cascade" } else { "" };
    Some(format!(
        "alter table {name} add constraint {name}_{column}_is_there foreign key ({columns}) references {target}{cascades} \
         deferrable initially deferred;\n"
    ))
}

/// The indexes of columns that clients filter and sort by, each with its columns: those of a department or a parent without
/// the tenant, whose own they are.
fn indexes(list: &Plain) -> Vec<(&'static str, String)> {
    let is_led = |column: &str| {
        let fields = list.fields.iter();
        let mut unique = fields.filter_map(|field| Some(within(list, field, field.spec.unique?)));
        let is_led = |columns: Vec<&str>| {
            let mut columns = columns.into_iter().filter(|column| *column != "tenant_id");
            columns.next() == Some(column)
        };
        unique.any(is_led) || list.key_columns().next() == Some(column)
    };
    let fields = list
        .fields
        .iter()
        .filter(|field| field.spec.is_found || list.is_key(field));
    let fields = fields.filter(|field| !is_led(field.name));
    let mut indexes: Vec<_> = fields
        .map(|field| match field.spec.reference {
            Some(_) if field.kind == Kind::Uuid => (field.name, format!("{}, created_at, position", field.name)),
            _ => (field.name, format!("tenant_id, {}, created_at, position", field.name)),
        })
        .collect();
    let in_use = list
        .in_use
        .map(|column| (column, format!("tenant_id, {column}, created_at, position")));
    indexes.extend(in_use);
    indexes.push(("created_at", "tenant_id, created_at, position".to_owned()));
    indexes
}
