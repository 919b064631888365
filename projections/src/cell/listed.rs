//! The cell of a word out of a long list: one that another table or standard has.

use std::fmt::{self, Debug, Formatter};
use std::marker::PhantomData;

use serde_json::Value;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgRow};

use super::Cell;
use crate::table::ColumnKind;

/// A list of words.
pub trait List {
    /// All that the column may hold: another one, asked for, is a slip.
    fn words() -> Vec<&'static str>;
}

/// A word that a list has. It is read also when the list has it no longer.
pub struct Listed<L> {
    word: String,
    of: PhantomData<fn() -> L>,
}

impl<L> From<String> for Listed<L> {
    fn from(word: String) -> Self {
        Self { word, of: PhantomData }
    }
}

impl<L> Clone for Listed<L> {
    fn clone(&self) -> Self {
        Self::from(self.word.clone())
    }
}

impl<L> PartialEq for Listed<L> {
    fn eq(&self, other: &Self) -> bool {
        self.word == other.word
    }
}

impl<L> Debug for Listed<L> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.word.fmt(f)
    }
}

impl<L: List> Cell for Listed<L> {
    const KIND: ColumnKind = <String as Cell>::KIND;

    fn words() -> Vec<&'static str> {
        L::words()
    }
    fn bind<'a>(cells: impl Iterator<Item = Option<&'a Self>>, arguments: &mut PgArguments) -> Result<(), BoxDynError>
    where
        Self: 'a,
    {
        String::bind(cells.map(|cell| cell.map(|listed| &listed.word)), arguments)
    }
    fn encode(&self, out: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Cell::encode(&self.word, out)
    }
    fn find(row: &PgRow, index: usize) -> sqlx::Result<Option<Self>> {
        Ok(<String as Cell>::find(row, index)?.map(Self::from))
    }
    fn json(&self) -> Value {
        self.word.json()
    }
    fn write(&self, out: &mut String) {
        self.word.write(out);
    }
}
