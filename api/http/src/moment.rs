//! A moment of the book: a position, or a time that stands for one.

use chrono::{DateTime, Utc};
use projections::history;

use crate::app::App;
use crate::auth::token::Bearer;
use crate::extract;
use crate::problem::Problem;
use crate::query::value;

/// `at=17` or `at=2026-01-31T08:00:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    Position(i64),
    Time(DateTime<Utc>),
}

impl Moment {
    /// # Errors
    /// 400, naming the parameter.
    pub fn parse(name: &str, text: &str) -> Result<Self, Problem> {
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return extract::position(name, text).map(Self::Position);
        }
        value::time(text).map(Self::Time).ok_or_else(|| {
            Problem::bad_value(
                name,
                format!("{name} must be a position such as 17 or a time such as 2026-01-31T08:00:00Z"),
            )
        })
    }

    /// The last position that is not after the moment, of which the parameter of this name says. A time is looked for in
    /// the book by turns, so the caller has none.
    ///
    /// # Errors
    /// 422 when it is a position that the book has not reached; the database's error; 429 or 503 without a turn.
    pub async fn position(self, app: &App, by: Bearer, name: &str) -> Result<i64, Problem> {
        match self {
            Self::Position(position) => {
                app.reached(name, position).await?;
                Ok(position)
            }
            Self::Time(time) => {
                let _turn = app.log_turn(by).await?;
                Ok(history::position_at(&app.tail, time).await?)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_a_position_and_the_rest_a_time() {
        assert_eq!(Moment::parse("at", "17").unwrap(), Moment::Position(17));
        assert!(matches!(
            Moment::parse("at", "2026-01-31T08:00:00+01:00").unwrap(),
            Moment::Time(_)
        ));
        for bad in ["", "-1", "17.5", "yesterday", "99999999999999999999"] {
            assert!(Moment::parse("at", bad).is_err(), "{bad}");
        }
    }
}
