//! The cell of a vector, in the form of the extension pgvector.

use serde_json::Value;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgRow, PgValueFormat};
use sqlx::{Arguments as _, Row as _, ValueRef as _};

use super::{Cell, decode_error};
use crate::table::ColumnKind;

/// Numbers of a fixed count, which its column says. All of them are finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Vector(pub Vec<f32>);

impl Vector {
    /// As Postgres writes it: `[1,0.5,-2]`.
    fn text(&self) -> String {
        let numbers: Vec<String> = self.0.iter().map(f32::to_string).collect();
        format!("[{}]", numbers.join(","))
    }
}

impl Cell for Vector {
    const KIND: ColumnKind = ColumnKind::Vector;

    fn bind<'a>(cells: impl Iterator<Item = Option<&'a Self>>, arguments: &mut PgArguments) -> Result<(), BoxDynError> {
        arguments.add(cells.map(|cell| cell.map(Self::text)).collect::<Vec<Option<String>>>())
    }

    fn encode(&self, out: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        // How many there are, two bytes that mean nothing, and the numbers.
        out.extend_from_slice(&u16::try_from(self.0.len())?.to_be_bytes());
        out.extend_from_slice(&[0; 2]);
        for number in &self.0 {
            out.extend_from_slice(&number.to_be_bytes());
        }
        Ok(IsNull::No)
    }

    fn find(row: &PgRow, index: usize) -> sqlx::Result<Option<Self>> {
        let value = row.try_get_raw(index)?;
        if value.is_null() {
            return Ok(None);
        }
        let read = match value.format() {
            PgValueFormat::Binary => value.as_bytes().map(decoded),
            PgValueFormat::Text => value.as_str().map(parsed),
        };
        let vector = read.map_err(|error| decode_error(index, error))?;
        vector.map(Some).ok_or_else(|| decode_error(index, "no vector".into()))
    }

    // A number is told in as few digits as it takes, as Postgres tells it.
    fn json(&self) -> Value {
        let numbers = self.0.iter().map(|number| number.to_string().parse::<f64>());
        numbers.map(Result::unwrap_or_default).map(Value::from).collect()
    }
}

fn decoded(bytes: &[u8]) -> Option<Vector> {
    let (count, bytes) = bytes.split_first_chunk()?;
    let (numbers, rest) = bytes.get(2..)?.as_chunks();
    let is_whole = rest.is_empty() && numbers.len() == usize::from(u16::from_be_bytes(*count));
    is_whole.then(|| Vector(numbers.iter().map(|number| f32::from_be_bytes(*number)).collect()))
}

fn parsed(text: &str) -> Option<Vector> {
    let numbers = text.strip_prefix('[')?.strip_suffix(']')?.split(',');
    let numbers: Result<Vec<f32>, _> = numbers.map(str::parse).collect();
    numbers.ok().map(Vector)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_comes_back_from_postgres_in_either_form() {
        let vector = Vector(vec![1.0, -0.1, 3.402_823_5e38, 1.0e-45, 0.0]);
        let mut out = PgArgumentBuffer::default();
        assert!(matches!(vector.encode(&mut out), Ok(IsNull::No)));
        assert_eq!(decoded(&out), Some(vector.clone()));
        assert_eq!(parsed(&vector.text()), Some(vector));
    }

    #[test]
    fn what_is_no_vector_is_not_taken_for_one() {
        assert_eq!(decoded(&[0, 1, 0, 0, 0, 0, 0]), None, "a number is cut");
        assert_eq!(decoded(&[0, 2, 0, 0, 0, 0, 0, 0]), None, "a number is missing");
        assert_eq!(decoded(&[0]), None);
        assert_eq!(parsed("1,2"), None);
        assert_eq!(parsed("[1,x]"), None);
    }

    #[test]
    fn numbers_are_told_in_as_few_digits_as_they_take() {
        assert_eq!(Vector(vec![0.1, -2.0]).json().to_string(), "[0.1,-2.0]");
    }
}
