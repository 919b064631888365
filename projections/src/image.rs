//! Images: what an audit table may tell of a row and of its changes, as JSON text.
//!
//! Columns that are masked or tell who a person is are not in them: a mask is worth nothing when the
//! next table shows what is under it, and after an erasure a rebuild could not give the same images.

use crate::cell::json::quote;
use crate::cell::{Cell, Json};
use crate::table::Table;

/// What an event did to a row: the columns of a row that came or went, and those that changed in one
/// that stayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Image {
    Insert { new: Json },
    Update { old: Json, new: Json },
    Delete { old: Json },
}

/// A whole row that is being written.
#[derive(Debug)]
pub struct Whole {
    table: &'static Table,
    row: Object,
}

impl Whole {
    #[must_use]
    pub fn of(table: &'static Table) -> Self {
        let row = Object::default();
        Self { table, row }
    }

    /// A column that is null says nothing, and is left out.
    pub fn add<C: Cell>(&mut self, column: &'static str, cell: &C) {
        self.put(column, |out| cell.write(out));
    }

    /// As [`Whole::add`], of a cell that writes itself.
    pub fn put(&mut self, column: &'static str, write: impl FnOnce(&mut String)) {
        if self.table.is_private(column) {
            return;
        }
        let before = self.row.0.len();
        self.row.put(column, write);
        if self.row.0.ends_with(":null") {
            self.row.0.truncate(before);
        }
    }

    #[must_use]
    pub fn end(self) -> Json {
        self.row.end()
    }
}

/// The columns in which two states of a row differ.
#[derive(Debug)]
pub struct Difference {
    table: &'static Table,
    old: Object,
    new: Object,
}

impl Difference {
    #[must_use]
    pub fn of(table: &'static Table) -> Self {
        let (old, new) = (Object::default(), Object::default());
        Self { table, old, new }
    }

    pub fn add<C: Cell>(&mut self, column: &'static str, old: &C, new: &C) {
        if !old.same(new) {
            self.put(column, |out| old.write(out), |out| new.write(out));
        }
    }

    /// As [`Difference::add`], of cells that differ and write themselves.
    pub fn put(&mut self, column: &'static str, old: impl FnOnce(&mut String), new: impl FnOnce(&mut String)) {
        if !self.table.is_private(column) {
            self.old.put(column, old);
            self.new.put(column, new);
        }
    }

    /// Before and after; `None` when they do not differ.
    #[must_use]
    pub fn end(self) -> Option<(Json, Json)> {
        (!self.new.0.is_empty()).then(|| (self.old.end(), self.new.end()))
    }
}

/// A JSON object without its last brace.
#[derive(Debug, Default)]
struct Object(String);

impl Object {
    fn put(&mut self, name: &str, write: impl FnOnce(&mut String)) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        quote(name, &mut self.0);
        self.0.push(':');
        write(&mut self.0);
    }

    fn end(mut self) -> Json {
        if self.0.is_empty() {
            self.0.push('{');
        }
        self.0.push('}');
        Json(self.0)
    }
}
