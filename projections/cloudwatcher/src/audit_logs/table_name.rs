//! The cell of a table's name.

use projections::cell::Cell;
use projections::table::ColumnKind;
use serde_json::Value;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgRow};

use crate::TABLES;

/// The name of one of this context's tables. Those that there are today can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableName(String);

impl TableName {
    pub(super) fn of(table: &str) -> Self {
        Self(table.to_owned())
    }
}

impl Cell for TableName {
    const KIND: ColumnKind = <String as Cell>::KIND;

    fn words() -> Vec<&'static str> {
        TABLES.iter().map(|projection| projection.table().name).collect()
    }
    fn bind<'a>(cells: impl Iterator<Item = Option<&'a Self>>, arguments: &mut PgArguments) -> Result<(), BoxDynError>
    where
        Self: 'a,
    {
        String::bind(cells.map(|cell| cell.map(|name| &name.0)), arguments)
    }
    fn encode(&self, out: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Cell::encode(&self.0, out)
    }
    fn find(row: &PgRow, index: usize) -> sqlx::Result<Option<Self>> {
        Ok(<String as Cell>::find(row, index)?.map(Self))
    }
    fn json(&self) -> Value {
        self.0.json()
    }
    fn write(&self, out: &mut String) {
        self.0.write(out);
    }
}
