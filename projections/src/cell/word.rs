//! The cell of a word out of a few: an enum of a context's own crate, which knows nothing of tables.

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, Deserializer, Error as _, IntoDeserializer as _, Visitor};
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

    fn words() -> Vec<&'static str> {
        let mut names = Vec::new();
        // The enum itself says which variants it reads; another name for one is no word that is written.
        let _ = W::deserialize(Variants(&mut names));
        let is_written =
            |name: &&'static str| read::<W>(name, 0).is_ok_and(|word| Into::<&'static str>::into(word.0) == *name);
        names.retain(is_written);
        names
    }

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

/// Notes the variants that an enum can be read from, and reads nothing.
struct Variants<'a>(&'a mut Vec<&'static str>);

impl<'de> Deserializer<'de> for Variants<'_> {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Self::Error> {
        Err(Self::Error::custom("there is nothing to read"))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.0.extend(variants);
        self.deserialize_any(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// The value that a word stands for.
fn read<W: DeserializeOwned>(word: &str, index: usize) -> sqlx::Result<Word<W>> {
    let deserializer: StrDeserializer<'_, serde::de::value::Error> = word.into_deserializer();
    let value = W::deserialize(deserializer).map_err(|error| decode_error(index, Box::new(error)))?;
    Ok(Word(value))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Light {
        Red,
        #[serde(alias = "amber")]
        VeryYellow,
    }

    impl From<Light> for &'static str {
        fn from(light: Light) -> Self {
            match light {
                Light::Red => "red",
                Light::VeryYellow => "very_yellow",
            }
        }
    }

    #[test]
    fn a_word_knows_all_that_its_column_may_hold() {
        assert_eq!(Word::<Light>::words(), ["red", "very_yellow"]);
        assert_eq!(Option::<Word<Light>>::words(), ["red", "very_yellow"]);
        assert_eq!(String::words(), [""; 0]);
    }
}
