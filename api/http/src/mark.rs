//! Which history of the book a place in it belongs to. After a restore or a fail-over the same position may be another
//! event, so whatever a client is to send back later, a cursor or the id of a live event, bears a mark of the history.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use book::BookError;
use book::bus::incarnation;
use book::worker::pause;
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::app::App;
use crate::extract::Parameters;
use crate::problem::{self, Problem};
use crate::query::changed::CHANGED;

/// Length of a mark, in hexadecimal digits.
const MARK_CHARS: usize = 8;
/// How often it is looked whether the database is another one, in seconds.
const LOOK_SECONDS: u64 = 5;

/// The mark of one history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark(Arc<str>);

impl Mark {
    /// The mark of a database's incarnation, see [`book::bus::incarnation`].
    #[must_use]
    pub fn of(incarnation: &str) -> Self {
        let digits = hex::encode(Sha256::digest(incarnation));
        Self(digits.chars().take(MARK_CHARS).collect::<String>().into())
    }

    /// The mark of the database that a pool leads to.
    ///
    /// # Errors
    /// The database's error.
    pub async fn read(pool: &PgPool) -> Result<Self, BookError> {
        incarnation(pool).await.map(|incarnation| Self::of(&incarnation))
    }

    /// Looks now and then whether the database has become another one, until stopped.
    pub async fn keep(pool: &PgPool, mark: &watch::Sender<Self>, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            pause(stop, Duration::from_secs(LOOK_SECONDS)).await;
            match Self::read(pool).await {
                Ok(now) => {
                    if mark.send_if_modified(|mark| std::mem::replace(mark, now.clone()) != now) {
                        info!("the database is another one, or goes on from an earlier point: cursors begin anew");
                    }
                }
                Err(error) => warn!(%error, "it cannot be read which database this is"),
            }
        }
    }
}

impl App {
    /// A place as a client gets it.
    #[must_use]
    pub fn marked(&self, place: impl Display) -> String {
        format!("{place}.{}", self.mark.borrow().0)
    }

    /// A place as a client sent it, without its mark. One without any is from before there were marks, or was never
    /// given out: it says what it says.
    ///
    /// # Errors
    /// 409 when it belongs to another history than the book's.
    pub fn unmarked<'a>(&self, name: &str, text: &'a str) -> Result<&'a str, Problem> {
        let Some((place, mark)) = parted(text) else {
            return Ok(text);
        };
        if *mark == *self.mark.borrow().0 {
            return Ok(place);
        }
        let detail = format!("{name} was given out before the book was restored or moved; begin anew without it");
        Err(Problem::new(problem::FORMER_HISTORY, detail).field(name))
    }

    /// Takes the marks off the parameters that say where to go on.
    ///
    /// # Errors
    /// As [`App::unmarked`].
    pub fn unmark(&self, parameters: &mut Parameters) -> Result<(), Problem> {
        for (name, text) in &mut parameters.0 {
            match name.as_str() {
                "after" | "before" => *text = self.unmarked(name, text)?.to_owned(),
                // It begins with how it is compared, and eight digits behind that are a position.
                CHANGED => {
                    if let Some((how, place)) = text.split_once('.') {
                        *text = format!("{how}.{}", self.unmarked(name, place)?);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn parted(text: &str) -> Option<(&str, &str)> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.rsplit_once('.')
        .filter(|(_, mark)| mark.len() == MARK_CHARS && mark.bytes().all(is_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_told_from_what_else_may_end_a_place() {
        assert_eq!(parted("17.0a1b2c3d"), Some(("17", "0a1b2c3d")));
        assert_eq!(parted("eyJvIjoxfQ.0a1b2c3d"), Some(("eyJvIjoxfQ", "0a1b2c3d")));
        for bare in ["17", "2026-01-31T08:00:00.000001Z_17", "17.0a1b2c3", "17.0A1B2C3D", ""] {
            assert_eq!(parted(bare), None, "{bare}");
        }
    }

    #[test]
    fn each_incarnation_has_a_mark_of_its_own() {
        let (one, other) = (Mark::of("7 000000010000 5 a"), Mark::of("7 000000020000 5 a"));
        assert_eq!(one.0.len(), MARK_CHARS);
        assert!(parted(&format!("1.{}", one.0)).is_some());
        assert_ne!(one, other);
    }
}
