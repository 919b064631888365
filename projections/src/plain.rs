//! Plain tables: one projection of every kind that `domain::entry!` has declared, by its list.

mod ddl;
mod layout;
mod typed;

use domain::entry::{Key, Plain as List, Stamp, Told, Value as Cell};
use domain::{AnyEvent, Recorded};
use serde_json::{Map, Value};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgRow};
use uuid::Uuid;

use crate::cell::{self, Json};
use crate::copy;
use crate::fold::FoldError;
use crate::image;
use crate::projection::Posts;
use crate::table::Table;

pub use ddl::ddl;
pub use layout::{Counts, columns, counts, find, is_keyed, key, personal, scope, stream};

/// The projection of a plain kind.
#[derive(Debug, Clone, Copy)]
pub struct Plain {
    list: &'static List,
    table: &'static Table,
}

impl Plain {
    /// The projection of this list into this table, which [`plain!`](crate::plain!) has made of it.
    #[must_use]
    pub const fn of(list: &'static List, table: &'static Table) -> Self {
        Self { list, table }
    }

    /// The declared table.
    #[must_use]
    pub const fn table(&self) -> &'static Table {
        self.table
    }
}

/// For the list of a context's tables: `plain!(Location)`.
#[macro_export]
macro_rules! plain {
    ($kind:ty) => {{
        use $crate::plain as made;

        const LIST: &domain::entry::Plain = <$kind as domain::entry::PlainEntry>::LIST;
        const COUNTS: made::Counts = made::counts(LIST);
        static COLUMNS: [$crate::table::Column; COUNTS.columns] = made::columns(LIST);
        static FIND: [&str; COUNTS.find] = made::find(LIST);
        static KEY: [&str; COUNTS.key] = made::key(LIST);
        static PERSONAL: [&str; COUNTS.personal] = made::personal(LIST);
        static TABLE: $crate::table::Table = $crate::table::Table {
            context: LIST.context,
            name: LIST.table,
            doc: LIST.doc,
            key: &KEY,
            columns: &COLUMNS,
            find: &FIND,
            scope: made::scope(LIST),
            masked: &[],
            personal: &PERSONAL,
            texts: &[],
            stream: made::stream(LIST),
            is_lines: false,
        };
        &made::Plain::of(LIST, &TABLE)
    }};
}

/// A row: its cells in the order in which the table's columns are written.
#[derive(Debug, Clone, PartialEq)]
pub struct PlainRow(Vec<Cell>);

impl Plain {
    /// The places of the columns behind those of the fields.
    fn after_fields(self) -> usize {
        // The tenant, and the stream's id.
        2 + self.list.fields.len()
    }

    fn place(self, column: &str) -> Option<usize> {
        self.table.written().position(|of| of.name == column)
    }

    fn entered(self, values: Vec<Cell>, before: Option<&PlainRow>, recorded: &Recorded<AnyEvent>) -> PlainRow {
        let was = |column: &str| before.and_then(|row| row.0.get(self.place(column)?).cloned());
        let mut cells = Vec::with_capacity(self.table.columns.len());
        cells.push(Cell::Uuid(recorded.tenant_id));
        cells.push(Cell::Uuid(recorded.stream));
        cells.extend(values);
        if self.list.in_use.is_some() {
            cells.push(Cell::Flag(true));
        }
        for stamp in self.list.stamps {
            cells.push(match stamp {
                Stamp::Version => Cell::Whole(recorded.sequence),
                Stamp::CreatedBy => was(stamp.name()).unwrap_or(Cell::Uuid(recorded.metadata.actor)),
                Stamp::UpdatedBy => Cell::Uuid(recorded.metadata.actor),
            });
        }
        cells.push(was(layout::CREATED_AT).unwrap_or(Cell::Moment(recorded.at)));
        cells.push(Cell::Moment(recorded.at));
        cells.push(was(crate::table::POSITION).unwrap_or(Cell::Whole(recorded.position)));
        PlainRow(cells)
    }

    /// The row as it was, touched again.
    fn touched(self, mut row: PlainRow, recorded: &Recorded<AnyEvent>) -> PlainRow {
        let mut set = |column: &str, value: Cell| {
            if let Some(cell) = self.place(column).and_then(|at| row.0.get_mut(at)) {
                *cell = value;
            }
        };
        set(layout::UPDATED_AT, Cell::Moment(recorded.at));
        for stamp in self.list.stamps {
            match stamp {
                Stamp::Version => set(stamp.name(), Cell::Whole(recorded.sequence)),
                Stamp::UpdatedBy => set(stamp.name(), Cell::Uuid(recorded.metadata.actor)),
                Stamp::CreatedBy => {}
            }
        }
        row
    }

    fn existing(self, row: Option<PlainRow>) -> Result<PlainRow, FoldError> {
        row.ok_or(FoldError::MissingRow { table: self.table.name })
    }
}

impl Posts for Plain {
    type Row = PlainRow;
    /// The stream, whatever the key of the table is.
    type Key = Uuid;
    const KEY_OF_ROW: bool = true;

    fn declared(&self) -> &'static Table {
        self.table
    }
    fn made_by(&self) -> Option<String> {
        Some(ddl(self.list))
    }
    fn is_owned(&self) -> bool {
        true
    }
    fn is_appended(&self) -> bool {
        false
    }
    fn takes(&self, _recorded: &Recorded<AnyEvent>) -> bool {
        false
    }
    fn takes_any(&self) -> bool {
        false
    }

    fn keys(&self, recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        let is_mine = recorded.aggregate_type == self.list.kind;
        is_mine.then_some(recorded.stream).into_iter().collect()
    }

    fn fold(
        &self,
        row: Option<PlainRow>,
        _key: &Uuid,
        recorded: &Recorded<AnyEvent>,
    ) -> Result<Option<PlainRow>, FoldError> {
        Ok(match (self.list.told)(&recorded.event) {
            None => row,
            Some(Told::Entered(values)) => Some(self.entered(values, row.as_ref(), recorded)),
            Some(Told::Amended(values)) => Some(self.entered(values, Some(&self.existing(row)?), recorded)),
            Some(Told::Struck) => {
                let mut row = self.touched(self.existing(row)?, recorded);
                let in_use = self.list.in_use.and(row.0.get_mut(self.after_fields()));
                in_use.map(|cell| *cell = Cell::Flag(false)).map(|()| row)
            }
            // A row that went with its entry is not there.
            Some(Told::Forgotten) => row.map(|row| {
                let mut row = self.touched(row, recorded);
                for (cell, field) in row.0.iter_mut().skip(2).zip(self.list.fields) {
                    if field.spec.is_contact {
                        *cell = Cell::Null;
                    }
                }
                row
            }),
            // Nothing that it shows has changed.
            Some(Told::Taken) => row,
        })
    }

    fn key(&self, row: &PlainRow) -> Uuid {
        match row.0.get(1) {
            Some(Cell::Uuid(stream)) => *stream,
            Some(_) | None => Uuid::nil(),
        }
    }

    fn key_text(&self, key: &Uuid, row: Option<&PlainRow>) -> String {
        let of_row = row.and_then(|row| self.list.key_text(row.0.get(2..)?));
        of_row.unwrap_or_else(|| key.to_string())
    }

    fn parse(&self, key: &str) -> Option<Uuid> {
        match self.list.key {
            Key::Id(_) => key.parse().ok(),
            // The events are those of its stream; folding them needs no more.
            Key::Number(_) | Key::Fields(_) => Some(Uuid::nil()),
        }
    }

    fn bind_keys(&self, keys: &[&Uuid], arguments: &mut PgArguments) -> Result<(), BoxDynError> {
        cell::Key::bind(keys, arguments)
    }

    fn bind(&self, rows: &[&PlainRow], arguments: &mut PgArguments) -> Result<(), BoxDynError> {
        for (at, column) in self.table.written().enumerate() {
            typed::bind(column.kind, rows.iter().map(|row| row.0.get(at)), arguments)?;
        }
        Ok(())
    }

    fn copy(&self, row: &PlainRow, out: &mut copy::Buffer) -> Result<(), BoxDynError> {
        out.row(row.0.len());
        let cells = self.table.written().zip(&row.0);
        cells
            .into_iter()
            .try_for_each(|(column, cell)| typed::copy(column.kind, cell, out))
    }

    fn read(&self, row: &PgRow) -> sqlx::Result<PlainRow> {
        let columns = self.table.written().enumerate();
        let cells = columns.map(|(at, column)| typed::read(column.kind, row, at));
        cells.collect::<sqlx::Result<_>>().map(PlainRow)
    }

    fn json(&self, row: &PlainRow) -> Map<String, Value> {
        let cells = self.table.written().zip(&row.0).filter(|(column, _)| !column.hidden);
        let cells = cells.map(|(column, cell)| (column.name.to_owned(), typed::json(column.kind, cell)));
        cells.collect()
    }

    // Where a row stands in the book is no value of it, and an audit table has its own.
    fn image(&self, row: &PlainRow) -> Json {
        let mut image = image::Whole::of(self.table);
        for (column, cell) in self.table.written().zip(&row.0) {
            if !column.hidden && column.name != crate::table::POSITION {
                image.put(column.name, |out| typed::write(column.kind, cell, out));
            }
        }
        image.end()
    }

    fn difference(&self, before: &PlainRow, after: &PlainRow) -> Option<(Json, Json)> {
        let mut difference = image::Difference::of(self.table);
        for (column, (old, new)) in self.table.written().zip(before.0.iter().zip(&after.0)) {
            let is_told = !column.hidden && column.name != crate::table::POSITION && !self.is_of_key(column.name);
            if is_told && !typed::same(column.kind, old, new) {
                let written = |cell| move |out: &mut String| typed::write(column.kind, cell, out);
                difference.put(column.name, written(old), written(new));
            }
        }
        difference.end()
    }
}

impl Plain {
    fn is_of_key(self, column: &str) -> bool {
        self.table.key.contains(&column)
    }
}
