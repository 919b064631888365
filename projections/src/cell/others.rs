//! Cells that few tables have: bytes, times of day, spans of time, and lists of texts.

use chrono::NaiveTime;
use domain::bytes::Bytes;
use domain::interval::Interval;
use serde_json::Value;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::PgInterval;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgRow};
use sqlx::{Arguments as _, Encode, Postgres, Row as _};

use super::Cell;
use crate::table::ColumnKind;

impl Cell for Bytes {
    const KIND: ColumnKind = ColumnKind::Bytea;

    fn bind<'a>(cells: impl Iterator<Item = Option<&'a Self>>, arguments: &mut PgArguments) -> Result<(), BoxDynError> {
        arguments.add(
            cells
                .map(|cell| cell.map(AsRef::as_ref))
                .collect::<Vec<Option<&[u8]>>>(),
        )
    }

    fn encode(&self, out: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        out.extend_from_slice(self.as_ref());
        Ok(IsNull::No)
    }

    fn find(row: &PgRow, index: usize) -> sqlx::Result<Option<Self>> {
        Ok(row.try_get::<Option<Vec<u8>>, _>(index)?.map(Self::from))
    }

    fn json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

impl Cell for NaiveTime {
    const KIND: ColumnKind = ColumnKind::Time;

    fn bind<'a>(cells: impl Iterator<Item = Option<&'a Self>>, arguments: &mut PgArguments) -> Result<(), BoxDynError> {
        arguments.add(cells.map(|cell| cell.copied()).collect::<Vec<Option<Self>>>())
    }

    fn encode(&self, out: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Postgres>::encode_by_ref(self, out)
    }

    fn find(row: &PgRow, index: usize) -> sqlx::Result<Option<Self>> {
        row.try_get(index)
    }

    /// As Postgres writes it: with as many decimals of a second as it takes, six at most.
    fn json(&self) -> Value {
        let micros = self.format("%H:%M:%S%.6f").to_string();
        let text = match micros.split_once('.') {
            Some((seconds, decimals)) if decimals.bytes().all(|digit| digit == b'0') => seconds.to_owned(),
            Some(_) => micros.trim_end_matches('0').to_owned(),
            None => micros,
        };
        text.into()
    }

    fn same(&self, other: &Self) -> bool {
        self.json() == other.json()
    }
}

impl Cell for Interval {
    const KIND: ColumnKind = ColumnKind::Interval;

    fn bind<'a>(cells: impl Iterator<Item = Option<&'a Self>>, arguments: &mut PgArguments) -> Result<(), BoxDynError> {
        arguments.add(cells.map(|cell| cell.map(sent)).collect::<Vec<Option<PgInterval>>>())
    }

    fn encode(&self, out: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Postgres>::encode(sent(self), out)
    }

    fn find(row: &PgRow, index: usize) -> sqlx::Result<Option<Self>> {
        let found: Option<PgInterval> = row.try_get(index)?;
        Ok(found.map(|found| Self {
            months: found.months,
            days: found.days,
            microseconds: found.microseconds,
        }))
    }

    fn json(&self) -> Value {
        self.to_string().into()
    }
}

fn sent(interval: &Interval) -> PgInterval {
    PgInterval {
        months: interval.months,
        days: interval.days,
        microseconds: interval.microseconds,
    }
}

impl Cell for Vec<String> {
    const KIND: ColumnKind = ColumnKind::Texts;

    // unnest would make one array of them all, so each goes as Postgres writes an array.
    fn bind<'a>(cells: impl Iterator<Item = Option<&'a Self>>, arguments: &mut PgArguments) -> Result<(), BoxDynError> {
        let cells = cells.map(|cell| cell.map(|texts| written(texts)));
        arguments.add(cells.collect::<Vec<Option<String>>>())
    }

    fn encode(&self, out: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Postgres>::encode_by_ref(self, out)
    }

    fn find(row: &PgRow, index: usize) -> sqlx::Result<Option<Self>> {
        row.try_get(index)
    }

    fn json(&self) -> Value {
        self.iter().map(String::as_str).collect()
    }
}

fn written(texts: &[String]) -> String {
    let quoted = |text: &String| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let texts: Vec<String> = texts.iter().map(quoted).collect();
    format!("{{{}}}", texts.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_has_as_many_decimals_as_it_takes() {
        for (micros, told) in [(0, "08:30:00"), (500_000, "08:30:00.5"), (1, "08:30:00.000001")] {
            let time = NaiveTime::from_hms_micro_opt(8, 30, 0, micros).unwrap();
            assert_eq!(time.json(), told);
        }
    }

    #[test]
    fn texts_of_a_list_are_quoted() {
        let texts = ["plain", "a\"b", "c\\d", "e,{f}", ""].map(str::to_owned);
        assert_eq!(written(&texts), r#"{"plain","a\"b","c\\d","e,{f}",""}"#);
    }
}
