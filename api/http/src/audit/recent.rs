//! Whose events came last, so that those who follow the log live need not look for what is not theirs.
//!
//! However many streams are open, each stretch of the book is read once, and only of whom its events are.

use std::collections::VecDeque;

use book::pools::answered;
use book::{BookError, Tail};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::problem::Problem;

/// Events whose tenants are remembered.
const EVENTS_MAX: usize = 20_000;

/// The tenants of the latest events.
#[derive(Debug, Default)]
pub struct Recent(Mutex<Known>);

#[derive(Debug)]
struct Known {
    /// The position of the first one; the book has no gaps.
    first: i64,
    tenants: VecDeque<Uuid>,
}

impl Recent {
    /// Whether no event of a tenant lies above one position and up to another. False also when that is not known.
    ///
    /// # Errors
    /// The database's error.
    pub async fn is_silent(&self, tail: &Tail, tenant: Uuid, above: i64, upto: i64) -> Result<bool, Problem> {
        let mut known = self.0.lock().await;
        if known.last() < upto {
            // Further back than this nobody's past is kept.
            let from = known.last().max(upto - EVENTS_MAX as i64);
            let reading = sqlx::query_scalar(
                "select tenant_id from book.events where position > $1 and position <= $2 order by position",
            )
            .bind(from)
            .bind(upto)
            .fetch_all(tail.pool());
            let tenants: Vec<Uuid> = answered(async { Ok::<_, BookError>(reading.await?) }).await?;
            known.add(from, tenants);
        }
        Ok(known.is_silent(tenant, above, upto))
    }
}

/// Nothing, up to the first position.
impl Default for Known {
    fn default() -> Self {
        Self {
            first: 1,
            tenants: VecDeque::new(),
        }
    }
}

impl Known {
    fn last(&self) -> i64 {
        self.first + self.tenants.len() as i64 - 1
    }

    fn add(&mut self, from: i64, tenants: Vec<Uuid>) {
        if from != self.last() {
            self.first = from + 1;
            self.tenants.clear();
        }
        self.tenants.extend(tenants);
        while self.tenants.len() > EVENTS_MAX {
            self.tenants.pop_front();
            self.first += 1;
        }
    }

    fn is_silent(&self, tenant: Uuid, above: i64, upto: i64) -> bool {
        let is_known = above >= self.first - 1 && upto <= self.last();
        let place = |position: i64| usize::try_from(position - self.first).unwrap_or_default();
        is_known
            && above < upto
            && !self
                .tenants
                .range(place(above + 1)..=place(upto))
                .any(|of| *of == tenant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Uuid = Uuid::from_u128(1);
    const B: Uuid = Uuid::from_u128(2);

    #[test]
    fn a_stretch_is_silent_for_those_who_have_nothing_in_it() {
        let mut known = Known::default();
        known.add(10, vec![A, B, A]);
        assert!(known.is_silent(B, 10, 11) && known.is_silent(B, 12, 13) && known.is_silent(A, 11, 12));
        assert!(!known.is_silent(B, 10, 12) && !known.is_silent(A, 10, 13));
        known.add(13, vec![A, A]);
        assert!(known.is_silent(B, 12, 15));
    }

    #[test]
    fn a_book_is_known_from_its_first_event_on() {
        let mut known = Known::default();
        assert_eq!(known.last(), 0);
        known.add(known.last(), vec![B, B]);
        known.add(known.last(), vec![A, B, B]);
        assert_eq!(known.last(), 5);
        assert!(!known.is_silent(A, 0, 3) && !known.is_silent(A, 2, 3) && known.is_silent(A, 3, 5));
        assert!(known.is_silent(A, 0, 2) && !known.is_silent(B, 1, 2));
    }

    #[test]
    fn what_is_not_known_is_not_silent() {
        let mut known = Known::default();
        assert!(!known.is_silent(A, 0, 1));
        known.add(10, vec![B]);
        assert!(!known.is_silent(A, 9, 11), "it begins before what is known");
        assert!(!known.is_silent(A, 10, 12), "it ends behind what is known");
    }

    #[test]
    fn a_gap_and_a_bound_forget_what_was_before() {
        let mut known = Known::default();
        known.add(10, vec![B]);
        known.add(20, vec![B]);
        assert!(!known.is_silent(A, 10, 11) && known.is_silent(A, 20, 21));
        known.add(21, vec![B; EVENTS_MAX]);
        assert_eq!((known.first, known.tenants.len()), (22, EVENTS_MAX));
    }
}
