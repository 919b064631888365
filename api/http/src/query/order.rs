//! In which order rows come: by the columns that a request names, then by their place in the book, so that no two rows
//! share a place and pages follow each other without a seam.

use std::fmt;

use projections::table::{Column, ColumnKind, Table};

use super::filter::findable;
use super::value::shortened;
use crate::problem::Problem;

/// Columns that one order names.
pub const ORDER_COLUMNS_MAX: usize = 4;

/// One column of an order.
#[derive(Debug, Clone, Copy)]
pub struct Sorted {
    pub column: &'static Column,
    pub descending: bool,
}

/// All columns that are compared, of which the first few were asked for.
#[derive(Debug, Clone)]
pub struct Order {
    pub by: Vec<Sorted>,
    asked: usize,
}

/// Columns to order by that an index serves best: they are never null. The default is one of them.
pub fn orderable(table: &'static Table) -> impl Iterator<Item = &'static Column> {
    sortable(table).filter(|column| !column.nullable)
}

/// Columns to order by. Null comes after all values, and so first where the order descends.
pub fn sortable(table: &'static Table) -> impl Iterator<Item = &'static Column> {
    let sorts = |kind: ColumnKind| kind.is_compared() && !matches!(kind, ColumnKind::Json | ColumnKind::Inet);
    findable(table).filter(move |column| sorts(column.kind))
}

impl Order {
    /// The newest first, where a table has a time to tell by, but lines in the order in which they were entered;
    /// the order of keys else.
    #[must_use]
    pub fn by_default(table: &'static Table) -> Self {
        let time = orderable(table).find(|column| column.kind == ColumnKind::Timestamp);
        match time {
            Some(column) => Self::of(
                table,
                vec![Sorted {
                    column,
                    descending: !table.is_lines,
                }],
            ),
            None => Self {
                by: key(table, false).collect(),
                asked: 0,
            },
        }
    }

    /// By these columns, and where they do not tell rows apart by the place in the book, in the direction of the last.
    #[must_use]
    pub fn of(table: &'static Table, asked: Vec<Sorted>) -> Self {
        let descending = asked.last().is_some_and(|last| last.descending);
        let named = |name: &str| asked.iter().any(|sorted| sorted.column.name == name);
        let is_whole = table.key.iter().all(|name| named(name)) || table.place().all(|column| named(column.name));
        let rest: Vec<Sorted> = table
            .place()
            .filter(|column| !is_whole && !named(column.name))
            .map(|column| Sorted { column, descending })
            .collect();
        let count = asked.len();
        Self {
            by: asked.into_iter().chain(rest).collect(),
            asked: count,
        }
    }

    /// `column.desc,other.asc`.
    ///
    /// # Errors
    /// 400 that names the columns that there are.
    pub fn parse(table: &'static Table, text: &str) -> Result<Self, Problem> {
        let bad = |detail: String| Problem::bad_value("order", detail);
        let mut asked: Vec<Sorted> = Vec::new();
        for part in text.split(',') {
            let (name, descending) = match part.rsplit_once('.') {
                Some((name, "asc")) => (name, false),
                Some((name, "desc")) => (name, true),
                Some(_) | None => (part, false),
            };
            let column = sortable(table).find(|column| column.name == name).ok_or_else(|| {
                let named = shortened(name);
                bad(format!(
                    "{} cannot be ordered by {named:?}; write column.asc or column.desc, several parted by commas",
                    table.name
                ))
                .allowed(sortable(table).map(|column| column.name))
            })?;
            if asked.iter().any(|sorted| sorted.column.name == name) {
                return Err(bad(format!("order names {name} twice; name it once")));
            }
            if asked.len() == ORDER_COLUMNS_MAX {
                return Err(bad(format!("order names at most {ORDER_COLUMNS_MAX} columns")));
            }
            asked.push(Sorted { column, descending });
        }
        Ok(Self::of(table, asked))
    }

    /// The columns that were asked for; none when the key alone decides.
    #[must_use]
    pub fn asked(&self) -> &[Sorted] {
        self.by.get(..self.asked).unwrap_or(&self.by)
    }
}

fn key(table: &'static Table, descending: bool) -> impl Iterator<Item = Sorted> {
    let columns = table.key.iter().filter_map(|name| table.column(name));
    columns.map(move |column| Sorted { column, descending })
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = if self.asked == 0 { &*self.by } else { self.asked() };
        for (index, sorted) in told.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let direction = if sorted.descending { "desc" } else { "asc" };
            write!(f, "{comma}{}.{direction}", sorted.column.name)?;
        }
        Ok(())
    }
}
