//! Rows of the book's own questions, read by the names of their columns.

/// Has a struct read from a row, each of these fields from the column of its name. sqlx derives the same, for which a build
/// compiles its client of Postgres, TLS and all, a second time for the compiler's own use.
///
/// Reading fails where a column is missing or of another type.
#[macro_export]
macro_rules! from_row {
    ($row:ident { $($column:ident),+ $(,)? }) => {
        impl<'r> ::sqlx::FromRow<'r, ::sqlx::postgres::PgRow> for $row {
            fn from_row(row: &'r ::sqlx::postgres::PgRow) -> Result<Self, ::sqlx::Error> {
                Ok(Self {
                    $($column: ::sqlx::Row::try_get(row, stringify!($column))?,)+
                })
            }
        }
    };
}
