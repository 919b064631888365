//! The cell of a word out of a few: an enum of a context's own crate, which knows nothing of tables.

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, IntoDeserializer as _};
use serde_json::Value;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgRow};
use sqlx::{Arguments as _, Postgres, Row as _};

use super::{Cell, decode_error, json};
use crate::table::ColumnKind;

/// An enum whose values are words: `Into<&'static str>` writes them, `Deserialize` reads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word<W>(pub W);

impl<W> Cell for Word<W>
where
    W: Copy + PartialEq + Into<&'static str> + DeserializeOwned,
{
    const KIND: ColumnKind = ColumnKind::Text;

    fn bind<'a>(cells: impl Iterator<Item = Option<&'a Self>>, arguments: &mut PgArguments) -> Result<(), BoxDynError>
    where
        Self: 'a,
    {
        let words: Vec<Option<&'static str>> = cells.map(|cell| cell.map(|word| word.0.into())).collect();
        arguments.add(words)
    }

    fn encode(&self, out: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let word: &'static str = self.0.into();
        <&str as sqlx::Encode<'_, Postgres>>::encode(word, out)
    }

    fn find(row: &PgRow, index: usize) -> sqlx::Result<Option<Self>> {
        let word: Option<&str> = row.try_get(index)?;
        word.map(|word| read(word, index)).transpose()
    }

    fn json(&self) -> Value {
        let word: &'static str = self.0.into();
        word.into()
    }

    fn write(&self, out: &mut String) {
        json::quote(self.0.into(), out);
    }
}

/// The value that a word stands for.
fn read<W: DeserializeOwned>(word: &str, index: usize) -> sqlx::Result<Word<W>> {
    let deserializer: StrDeserializer<'_, serde::de::value::Error> = word.into_deserializer();
    let value = W::deserialize(deserializer).map_err(|error| decode_error(index, Box::new(error)))?;
    Ok(Word(value))
}
