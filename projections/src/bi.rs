//! What tools for reports read: the tables of one tenant, of which the login says which, with all columns that nobody
//! masks, and comments that say what they mean.
//!
//! It is read where it lies, so a report shows what the API shows. Only the live generation can be entered.

use std::fmt::Write as _;

use book::logins::READER;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use crate::context::Context;
use crate::generation::{Generation, State, execute};
use crate::sql;
use crate::table::{Column, Table};

/// The role that the logins of such tools are members of.
pub const ROLE: &str = "daybook_bi";
/// The policy under which they see the rows of their tenant. Asked once for a statement, not for each row.
pub const POLICY: &str = "for select to daybook_bi using (tenant_id = (select book.bi_tenant()))";
/// How long a statement waits for somebody who uses a table, in seconds.
const LOCK_SECONDS_MAX: u64 = 5;

/// Whether such a tool sees the column: masked ones, those that tell who a person is, and those with texts that somebody
/// wrote it does not. Texts lie sealed in the tables, and only the API opens them.
#[must_use]
pub fn shows(table: &Table, column: &Column) -> bool {
    !column.hidden && !table.is_private(column.name) && !table.texts.contains(&column.name)
}

/// A relation of a schema, and what is open of it.
#[derive(Debug, Default)]
struct Relation {
    name: String,
    /// Whether others than Daybook's readers come under the policy that believes a session which tenant it is of.
    is_believed: bool,
    /// Whether these tools have a policy.
    is_open: bool,
    comment: Option<String>,
}

book::from_row!(Relation {
    name,
    is_believed,
    is_open,
    comment
});

/// A column of one.
#[derive(Debug)]
struct Found {
    relation: String,
    name: String,
    is_readable: bool,
    comment: Option<String>,
}

book::from_row!(Found {
    relation,
    name,
    is_readable,
    comment
});

/// Opens the live tables of a context to such tools, as far as they are not open yet.
///
/// # Errors
/// The database's error; what was opened until then stays open.
pub async fn ensure(connection: &mut PgConnection, context: &Context) -> Result<(), sqlx::Error> {
    let live = Generation::find(connection, context, State::Live).await?;
    let Some(live) = live.filter(|live| !live.is_gone) else {
        return Ok(());
    };
    let mut statements = lacking(connection, context, &live.schema).await?;
    // Not sooner: whoever may enter finds each table as it is to be.
    statements.push(usage(&live.schema, true));
    for statement in statements {
        let mut transaction = connection.begin().await?;
        let limit = format!("set local lock_timeout = '{LOCK_SECONDS_MAX}s'");
        execute(&mut transaction, &limit).await?;
        execute(&mut transaction, &statement).await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// Lets such tools into a schema, or keeps them out of it.
pub(crate) fn usage(schema: &str, is_live: bool) -> String {
    match is_live {
        true => format!("grant usage on schema \"{schema}\" to {ROLE}"),
        false => format!("revoke usage on schema \"{schema}\" from {ROLE}"),
    }
}

/// What is to be executed so that the tables of this schema are as open as they are to be, and not more.
///
/// # Errors
/// The database's error.
pub(crate) async fn lacking(
    connection: &mut PgConnection,
    context: &Context,
    schema: &str,
) -> Result<Vec<String>, sqlx::Error> {
    let relations: Vec<Relation> = sqlx::query_as(
        "select c.relname::text as name,
                coalesce(bool_or(p.polname = 'tenant' and p.polroles <> array[$2::text::regrole::oid]), false)
                    as is_believed,
                coalesce(bool_or(p.polname = 'bi'), false) as is_open,
                obj_description(c.oid, 'pg_class') as comment
         from pg_class c left join pg_policy p on p.polrelid = c.oid
         where c.relnamespace = $1::text::regnamespace and c.relkind in ('r', 'p')
         group by c.oid, c.relname order by c.relname",
    )
    .bind(schema)
    .bind(READER)
    .fetch_all(&mut *connection)
    .await?;
    let columns: Vec<Found> = sqlx::query_as(
        "select c.relname::text as relation, a.attname::text as name,
                exists (select from aclexplode(a.attacl) x
                        where x.grantee = $2::text::regrole and x.privilege_type = 'SELECT') as is_readable,
                col_description(c.oid, a.attnum) as comment
         from pg_class c join pg_attribute a on a.attrelid = c.oid
         where c.relnamespace = $1::text::regnamespace and c.relkind in ('r', 'p')
           and a.attnum > 0 and not a.attisdropped",
    )
    .bind(schema)
    .bind(ROLE)
    .fetch_all(connection)
    .await?;
    let mut statements = Vec::new();
    for relation in &relations {
        let of_relation = columns.iter().filter(|column| column.relation == relation.name);
        let of_relation: Vec<&Found> = of_relation.collect();
        statements.extend(opening(schema, context.table(&relation.name), relation, &of_relation));
    }
    Ok(statements)
}

/// The statements, as one, that a relation lacks; none when it lacks nothing. One that is no declared table (the index of
/// changes, a year of a table in years) opens to nobody.
fn opening(schema: &str, table: Option<&Table>, relation: &Relation, columns: &[&Found]) -> Option<String> {
    let name = sql::name(schema, &relation.name);
    let mut statements = String::new();
    let mut say = |statement: std::fmt::Arguments<'_>| {
        // Writing to a string does not fail.
        let _ = writeln!(statements, "{statement};");
    };
    if relation.is_believed {
        say(format_args!("alter policy tenant on {name} to {READER}"));
    }
    if let Some(table) = table {
        if !relation.is_open {
            say(format_args!("create policy bi on {name} {POLICY}"));
        }
        let is_right = |found: &&Found| {
            let shown = table.column(&found.name).is_some_and(|column| shows(table, column));
            shown == found.is_readable
        };
        if !columns.iter().all(is_right) {
            let shown: Vec<&str> = columns_shown(table).collect();
            say(format_args!("revoke all on {name} from {ROLE}"));
            say(format_args!("grant select ({}) on {name} to {ROLE}", shown.join(", ")));
        }
        if relation.comment.as_deref() != Some(table.doc) {
            say(format_args!("comment on table {name} is {}", quoted(table.doc)));
        }
        for found in columns {
            let doc = table.column(&found.name).map(|column| column.doc);
            let doc = doc.filter(|doc| !doc.is_empty());
            if found.comment.as_deref() != doc {
                let doc = doc.map_or("null".to_owned(), quoted);
                say(format_args!("comment on column {name}.{} is {doc}", found.name));
            }
        }
    }
    (!statements.is_empty()).then_some(statements)
}

fn columns_shown(table: &Table) -> impl Iterator<Item = &'static str> {
    let shown = table.columns.iter().filter(|column| shows(table, column));
    shown.map(|column| column.name)
}

/// A text as SQL has it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::row::Row as _;
    use crate::{Scope, row};

    row! {
        /// Somebody's drawer.
        Drawer = sample.drawers
        key {
            /// The drawer's id.
            id: Uuid,
        }
        columns {
            /// What its label says.
            label: String,
            /// What lies in it.
            secret: String,
            /// Whose it is.
            owner: String,
            /// What somebody says of it.
            note: Option<String>,
        }
        generated {}
        find { id }
        scope { Scope::Tenant }
        masked { secret }
        personal { owner }
        texts { note }
    }

    fn found(name: &str, is_readable: bool, comment: Option<&str>) -> Found {
        Found {
            relation: "drawers".to_owned(),
            name: name.to_owned(),
            is_readable,
            comment: comment.map(str::to_owned),
        }
    }

    fn statements(relation: Relation, columns: &[Found]) -> Vec<String> {
        let columns: Vec<&Found> = columns.iter().collect();
        let relation = Relation {
            name: "drawers".to_owned(),
            ..relation
        };
        let opening = opening("sample", Some(Drawer::TABLE), &relation, &columns);
        opening.iter().flat_map(|all| all.lines()).map(str::to_owned).collect()
    }

    #[test]
    fn a_new_table_opens_with_what_is_neither_masked_nor_personal_and_says_what_it_is() {
        let columns = ["tenant_id", "id", "label", "secret", "owner", "note", "position"];
        let columns = columns.map(|name| found(name, false, None));
        let all = statements(Relation::default(), &columns);
        assert_eq!(all[0], format!("create policy bi on \"sample\".drawers {POLICY};"));
        assert_eq!(
            all[2],
            "grant select (id, label, position) on \"sample\".drawers to daybook_bi;"
        );
        assert_eq!(all[3], "comment on table \"sample\".drawers is 'Somebody''s drawer.';");
        assert!(all.contains(&"comment on column \"sample\".drawers.label is 'What its label says.';".to_owned()));
    }

    #[test]
    fn a_table_that_lacks_nothing_is_left_alone() {
        let columns: Vec<Found> = Drawer::TABLE
            .columns
            .iter()
            .map(|column| found(column.name, shows(Drawer::TABLE, column), Some(column.doc)))
            .collect();
        let relation = || Relation {
            is_open: true,
            comment: Some("Somebody's drawer.".to_owned()),
            ..Relation::default()
        };
        assert_eq!(statements(relation(), &columns), [""; 0]);
        let believed = Relation {
            is_believed: true,
            ..relation()
        };
        assert_eq!(
            statements(believed, &columns),
            ["alter policy tenant on \"sample\".drawers to daybook_reader;"]
        );
    }

    #[test]
    fn a_column_that_is_masked_from_now_on_closes() {
        let mut columns: Vec<Found> = Drawer::TABLE
            .columns
            .iter()
            .map(|column| found(column.name, shows(Drawer::TABLE, column), Some(column.doc)))
            .collect();
        for column in &mut columns {
            column.is_readable |= column.name == "secret";
        }
        let relation = Relation {
            is_open: true,
            comment: Some("Somebody's drawer.".to_owned()),
            ..Relation::default()
        };
        assert_eq!(
            statements(relation, &columns),
            [
                "revoke all on \"sample\".drawers from daybook_bi;",
                "grant select (id, label, position) on \"sample\".drawers to daybook_bi;"
            ]
        );
    }

    #[test]
    fn what_is_no_declared_table_opens_to_nobody() {
        let relation = Relation {
            name: "changes".to_owned(),
            is_believed: true,
            ..Relation::default()
        };
        assert_eq!(
            opening("sample", None, &relation, &[]).unwrap(),
            "alter policy tenant on \"sample\".changes to daybook_reader;\n"
        );
    }
}
