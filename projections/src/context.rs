//! A bounded context as the read side sees it: its tables, and the streams that they are posted from.

use domain::{Aggregate, AnyEvent, DecodeError, Recorded};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::audit::{self, AuditTable};
use crate::error::caught;
use crate::fold::Unfolded;
use crate::projection::Projection;
use crate::sql;
use crate::table::Table;

/// A table's name, and its rows in canonical form.
type Folded = (&'static str, Vec<Map<String, Value>>);

/// One document: one schema, one URL prefix, one projector.
pub struct Context {
    /// The name in URLs, which is also the schema of the live generation.
    pub name: &'static str,
    /// `migrations/read/<name>.sql`: every table that is no plain one, declared whole. See [`Context::whole_ddl`].
    pub ddl: &'static str,
    /// The kinds of streams whose events it posts.
    pub reads: &'static [Aggregate],
    /// Parents before what refers to them.
    pub tables: &'static [&'static dyn Projection],
    /// The table that tells of every change in the others, if the document has one.
    pub audit: Option<&'static dyn AuditTable>,
    /// Bytes of rows that posting the event loads, at most, where that is far more than the event itself: when
    /// it deletes what earlier events wrote. 0 for most.
    pub loads: fn(&AnyEvent) -> usize,
    /// The golden history that its folds are told by, see [`Context::fingerprint`]: `history` of [`domain::Context`].
    pub history: &'static str,
    /// Where its tables say which department lies under which, if they do: rows of departments are seen by that.
    pub departments: Option<Departments>,
}

/// The table of departments, and how its rows tell which one lies under which.
#[derive(Debug, Clone, Copy)]
pub struct Departments {
    pub table: &'static Table,
    /// The column of the department's id.
    pub id: &'static str,
    /// The column of the id of the department above it, null at the top.
    pub parent: &'static str,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Context").field(&self.name).finish()
    }
}

impl Context {
    /// Every table, the audit table too.
    pub fn all_tables(&self) -> impl Iterator<Item = &'static Table> {
        let audit = self.audit.map(|audit| audit.table());
        self.tables.iter().map(|projection| projection.table()).chain(audit)
    }

    /// The table of this name.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&'static Table> {
        self.all_tables().find(|table| table.name == name)
    }

    /// Whether any of its tables is not among these, which are those of a schema.
    #[must_use]
    pub fn lacks(&self, tables: &[String]) -> bool {
        let mut own = self.all_tables().map(|table| table.name).chain([sql::CHANGES]);
        own.any(|own| !tables.iter().any(|table| table == own))
    }

    /// The projection of the table of this name; the audit table has none.
    #[must_use]
    pub fn projection(&self, name: &str) -> Option<&'static dyn Projection> {
        self.tables
            .iter()
            .copied()
            .find(|projection| projection.table().name == name)
    }

    /// The kind of stream of this stored name, if the context posts it.
    #[must_use]
    pub fn aggregate(&self, aggregate_type: &str) -> Option<&'static Aggregate> {
        let mut reads = self.reads.iter();
        reads.find(|aggregate| aggregate.aggregate_type == aggregate_type)
    }

    /// The event decoded; `None` when the context does not post its kind of stream.
    ///
    /// # Errors
    /// When this program cannot read the event, or could not open a sealed field of it.
    pub fn decode(&self, recorded: &Recorded<String>) -> Result<Option<AnyEvent>, DecodeError> {
        let Some(aggregate) = self.aggregate(&recorded.aggregate_type) else {
            return Ok(None);
        };
        recorded.is_open()?;
        aggregate.decode(&recorded.stored()).map(Some)
    }

    /// Every row that these events, from the first of the book on, lead to, by table and without a database.
    ///
    /// # Errors
    /// The first event that cannot be folded.
    pub fn folded(&self, events: &[Recorded<AnyEvent>]) -> Result<Vec<Folded>, Unfolded> {
        let mut tables = Vec::new();
        for projection in self.tables {
            tables.push((projection.table().name, projection.folded(events)?));
        }
        if let Some(audit) = self.audit {
            let mut changes = Vec::new();
            for projection in self.tables {
                changes.extend(projection.changes(events)?);
            }
            tables.push((audit.table().name, audit::rows(audit, changes)));
        }
        Ok(tables)
    }

    /// The statements that make its tables, those of plain tables too.
    #[must_use]
    pub fn whole_ddl(&self) -> String {
        let made = self.tables.iter().filter_map(|projection| projection.made_by());
        std::iter::once(self.ddl.to_owned()).chain(made).collect()
    }

    /// The statements of the DDL: those to execute before rows are loaded, and those after.
    #[must_use]
    pub fn statements(&self) -> (Vec<String>, Vec<String>) {
        let whole = self.whole_ddl();
        let lines = whole.lines().filter(|line| !line.trim_start().starts_with("--"));
        let text = lines.map(|line| format!("{line}\n")).collect::<String>();
        let statements = text.split(";\n").map(|statement| statement.trim().to_owned());
        statements
            .filter(|statement| !statement.is_empty())
            .partition(|statement| !comes_after_loading(statement))
    }

    /// Changes when the tables would come out differently: SHA-256 of the DDL, the engine's too, and of what the golden
    /// history folds to.
    ///
    /// # Errors
    /// When the golden history cannot be folded or a fold panics, which is a defect of this program.
    pub fn fingerprint(&self) -> Result<String, String> {
        let mut hash = Sha256::new();
        hash.update(self.whole_ddl());
        for statement in std::iter::once(sql::CHANGES_TABLE).chain(sql::CHANGES_INDEXES) {
            hash.update(statement);
        }
        let folded = caught(|| crate::golden::folded(self)).map_err(|panic| panic.to_string())?;
        hash.update(folded?);
        Ok(hex::encode(hash.finalize()))
    }
}

fn comes_after_loading(statement: &str) -> bool {
    let statement = statement.to_ascii_lowercase();
    ["create index", "create unique index", "alter table"]
        .iter()
        .any(|start| statement.starts_with(start))
}

#[cfg(test)]
mod tests {
    use domain::register::Register;
    use uuid::Uuid;

    use super::*;
    use crate::fold::{FoldError, Project};
    use crate::projection::of;
    use crate::sample::{self, Folder};
    use crate::{Scope, row};

    row! {
        /// A folder whose fold has a defect.
        Defective = sample.folders
        key {
            /// The folder's id.
            id: Uuid,
        }
        columns {
            /// What it is called.
            name: String,
        }
        generated {}
        find { id, name }
        scope { Scope::Tenant }
        masked {}
    }

    const DEFECTIVE: &[&dyn Projection] = &[&of::<Defective>()];

    impl Project for Defective {
        fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
            let event = recorded.of::<Register<Folder>>();
            event.map(|_| recorded.stream).into_iter().collect()
        }

        fn fold(_: Option<Self>, _: &Uuid, _: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
            panic!("a defect")
        }
    }

    #[test]
    fn a_history_that_cannot_be_folded_has_no_fingerprint_and_a_panic_is_an_error_like_any_other() {
        let unread = Context {
            history: "no history",
            ..sample::CONTEXT
        };
        assert!(unread.fingerprint().is_err());
        let defective = Context {
            tables: DEFECTIVE,
            ..sample::CONTEXT
        };
        assert_eq!(defective.fingerprint(), Err("panicked: a defect".to_owned()));
    }
}
