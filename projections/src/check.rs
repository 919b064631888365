//! What a test of every context holds its read side to, without a database.

mod texts;

use std::collections::BTreeSet;

use domain::{Aggregate, AnyEvent, Recorded};

use crate::context::Context;
use crate::golden;
use crate::projection::Projection;

/// Every rule of a read side. Tells, as sentences, every way in which the context breaks one; none when it keeps them
/// all. `kinds` are all that its golden history may meet.
#[must_use]
pub fn all(context: &Context, kinds: &[Aggregate]) -> Vec<String> {
    let rules = [
        statements(context),
        reads(context, kinds),
        met(context),
        rows(context),
        departments(context),
        texts::texts(context),
    ];
    rules.concat()
}

/// Its DDL makes every table once, and does all the rest after rows are loaded; what is unique is so at the end of
/// each transaction.
fn statements(context: &Context) -> Vec<String> {
    let (before, after) = context.statements();
    let is_table = |statement: &&String| statement.starts_with("create table");
    let mut found: Vec<String> = before
        .iter()
        .filter(|statement| !is_table(statement))
        .map(|statement| format!("this comes before rows and makes no table: {statement}"))
        .collect();
    let late = after
        .iter()
        .filter(|statement| statement.contains("create table") || statement.contains(';'));
    found.extend(
        late.map(|statement| format!("this comes after rows and is not one statement without a table: {statement}")),
    );
    let hasty = after
        .iter()
        .filter(|statement| statement.contains(" unique ") && !statement.ends_with("deferrable initially deferred"));
    found.extend(hasty.map(|statement| {
        format!("this is not deferred, so a value could not change hands within a page: {statement}")
    }));
    let made = before
        .iter()
        .filter(|statement| is_table(statement) && !statement.contains(" partition of "));
    let (made, declared) = (made.count(), context.all_tables().count());
    if made != declared {
        found.push(format!("the DDL makes {made} tables, and {declared} are declared"));
    }
    found
}

/// Its golden history brings a row into every table that is there at the end.
fn rows(context: &Context) -> Vec<String> {
    let folded = golden::history(context).and_then(|events| {
        let folded = context.folded(&events);
        folded.map_err(|unfolded| unfolded.to_string())
    });
    match folded {
        Ok(tables) => {
            let empty = tables.into_iter().filter(|(_, rows)| rows.is_empty());
            empty
                .map(|(table, _)| format!("the golden history leaves no row in {table}"))
                .collect()
        }
        Err(error) => vec![format!("the golden history cannot be folded: {error}")],
    }
}

/// It reads every kind of stream that a table of it posts, of these `kinds`: all that its golden history may meet.
fn reads(context: &Context, kinds: &[Aggregate]) -> Vec<String> {
    let stored = match golden::stored(context) {
        Ok(stored) => stored,
        Err(error) => return vec![format!("the golden history cannot be read: {error}")],
    };
    stored
        .into_iter()
        .filter_map(|recorded| unread(context, kinds, recorded))
        .collect()
}

/// Its golden history has an event of each name that the kinds have which it reads, those of the prelude too: the
/// fingerprint tells folds by what the history leads to, so a fold of an event that it lacks could change unseen.
fn met(context: &Context) -> Vec<String> {
    let Ok(stored) = golden::stored(context) else {
        // Told by those who fold it.
        return Vec::new();
    };
    let stored = stored.iter();
    let met: BTreeSet<(&str, &str)> = stored
        .map(|recorded| (recorded.aggregate_type.as_str(), recorded.event_type.as_str()))
        .collect();
    let read = context
        .reads
        .iter()
        .flat_map(|kind| kind.events.iter().map(|&event| (kind.aggregate_type, event)));
    read.filter(|event| !met.contains(event))
        .map(|(kind, event)| format!("{kind} is read, and the golden history has no {event}"))
        .collect()
}

/// What it says of departments, if it does, names a table of its own and columns of that.
fn departments(context: &Context) -> Vec<String> {
    let Some(departments) = context.departments else {
        return Vec::new();
    };
    let table = departments.table.name;
    let mut found = Vec::new();
    if context.table(table).is_none() {
        found.push(format!(
            "{table} tells of departments and is no table of {}",
            context.name
        ));
    }
    let columns = [departments.id, departments.parent].into_iter();
    let missing = columns.filter(|column| departments.table.column(column).is_none());
    found.extend(missing.map(|column| format!("{table} tells of departments and has no column {column}")));
    found
}

/// What is wrong with how the context reads the kind of one event.
fn unread(context: &Context, kinds: &[Aggregate], recorded: Recorded<String>) -> Option<String> {
    let aggregate_type = recorded.aggregate_type.clone();
    let Some(kind) = kinds.iter().find(|kind| kind.aggregate_type == aggregate_type) else {
        return Some(format!(
            "the golden history has an event of {aggregate_type}, which is no kind of these"
        ));
    };
    let event: AnyEvent = match kind.decode(&recorded.stored()) {
        Ok(event) => event,
        Err(error) => return Some(format!("event {} cannot be read: {error}", recorded.position)),
    };
    let event = [recorded.map(|_| event)];
    // A row, or the lack of one that should be there: either way the table wants the event.
    let wants = |projection: &&&dyn Projection| projection.folded(&event).map_or(true, |rows| !rows.is_empty());
    let projection = context.tables.iter().find(wants)?;
    let is_read = context.aggregate(&aggregate_type).is_some();
    (!is_read).then(|| {
        format!(
            "{} posts {aggregate_type}, which the context does not read",
            projection.table().name
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Departments;
    use crate::sample;

    #[test]
    fn a_context_that_keeps_every_rule_has_nothing_told_of_it() {
        assert_eq!(all(&sample::CONTEXT, sample::CONTEXT.reads), Vec::<String>::new());
    }

    #[test]
    fn all_rules_are_asked() {
        let unique = "alter table papers add constraint papers_title unique (tenant_id, title);\n";
        let context = Context {
            ddl: format!("{}{unique}", sample::CONTEXT.ddl).leak(),
            reads: &sample::CONTEXT.reads[..1],
            history: r#"[]"#,
            departments: Some(Departments {
                table: sample::CONTEXT.tables[0].table(),
                id: "id",
                parent: "parent_id",
            }),
            ..sample::CONTEXT
        };
        let found = all(&context, sample::CONTEXT.reads);
        for rule in ["not deferred", "has no FolderEntered", "no row in papers", "no column"] {
            assert!(found.iter().any(|found| found.contains(rule)), "{rule}: {found:?}");
        }
        let unread = Context {
            history: sample::CONTEXT.history,
            ..context
        };
        let found = all(&unread, sample::CONTEXT.reads);
        assert!(found.iter().any(|found| found.contains("does not read")), "{found:?}");
    }

    #[test]
    fn an_event_of_a_kind_that_is_read_and_that_the_history_lacks_is_told() {
        let mut history: Vec<serde_json::Value> = serde_json::from_str(sample::CONTEXT.history).unwrap();
        history.retain(|event| event["event_type"] != "FolderStruck");
        let context = Context {
            history: serde_json::to_string(&history).unwrap().leak(),
            ..sample::CONTEXT
        };
        let told = "sample.folder is read, and the golden history has no FolderStruck";
        assert_eq!(all(&context, sample::CONTEXT.reads), [told]);
    }

    #[test]
    fn a_kind_that_is_posted_and_not_read_is_told() {
        let context = Context {
            reads: &sample::CONTEXT.reads[..1],
            ..sample::CONTEXT
        };
        let found = reads(&context, sample::CONTEXT.reads);
        assert!(!found.is_empty());
        let told = "papers posts sample.paper, which the context does not read";
        assert!(found.iter().all(|found| found == told), "{found:?}");
    }

    #[test]
    fn a_table_without_a_row_is_told() {
        let context = Context {
            history: "[]",
            ..sample::CONTEXT
        };
        let empty = ["folders", "papers"].map(|table| format!("the golden history leaves no row in {table}"));
        assert_eq!(rows(&context), empty);
    }

    #[test]
    fn a_table_that_the_ddl_lacks_and_what_makes_none_is_told() {
        let context = Context {
            ddl: "create table folders (id uuid primary key);\ncreate view papers as select 1;\n",
            ..sample::CONTEXT
        };
        let found = statements(&context);
        assert_eq!(
            found,
            [
                "this comes before rows and makes no table: create view papers as select 1",
                "the DDL makes 1 tables, and 2 are declared"
            ]
        );
    }

    #[test]
    fn a_unique_key_that_is_not_deferred_is_told() {
        let unique = "alter table papers add constraint papers_title unique (tenant_id, title)";
        let ddl = |end: &str| format!("{}{unique}{end};\n", sample::CONTEXT.ddl).leak();
        let found = |ddl: &'static str| statements(&Context { ddl, ..sample::CONTEXT });
        assert_eq!(
            found(ddl("")),
            [format!(
                "this is not deferred, so a value could not change hands within a page: {unique}"
            )]
        );
        assert_eq!(found(ddl(" deferrable initially deferred")), Vec::<String>::new());
    }

    #[test]
    fn a_column_that_the_table_of_departments_lacks_is_told() {
        let departments = |parent| Context {
            departments: Some(Departments {
                table: sample::CONTEXT.tables[0].table(),
                id: "id",
                parent,
            }),
            ..sample::CONTEXT
        };
        assert_eq!(super::departments(&departments("name")), Vec::<String>::new());
        let found = super::departments(&departments("parent_id"));
        assert_eq!(found, ["folders tells of departments and has no column parent_id"]);
    }
}
