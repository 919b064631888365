//! The state that all request handlers share.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::StatusCode;
use book::pools::answered;
use book::{Book, BookError, Pools, Tail};
use projections::Posted;
use serde_json::Value;
use tokio::sync::{OnceCell, watch};
use tokio_util::sync::CancellationToken;

use crate::asked_once::AskedOnce;
use crate::audit::recent::Recent;
use crate::auth::keys::Verifier;
use crate::auth::principal::Principals;
use crate::auth::token::Bearer;
use crate::bounds::Bounds;
use crate::context::{Contexts, States};
use crate::crew::Workers;
use crate::fair::Turn;
use crate::health::Standing;
use crate::mark::Mark;
use crate::problem::Problem;
use crate::rates::Rates;
use crate::rebuilds::Rebuilds;

/// The running service, as its handlers see it. Clones share everything.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What is wrong with something, in words, if anything is.
pub type Trouble = Box<dyn Fn() -> Option<String> + Send + Sync>;

/// The parts of [`App`].
pub struct Parts {
    pub contexts: Contexts,
    pub book: Book,
    pub pools: Pools,
    /// Whoever reads more than an event with it clones it, see [`Tail`].
    pub tail: Tail,
    pub posted: Posted,
    pub verifier: Verifier,
    pub principals: Principals,
    pub rates: Rates,
    pub rebuilds: Rebuilds,
    pub standing: Standing,
    pub workers: Workers,
    /// Whether this process serves commands and reads, or works only.
    pub serves_api: bool,
    /// The fingerprint of this program's tables, per context; none of one whose golden history it cannot fold.
    pub fingerprints: BTreeMap<&'static str, String>,
    /// The last position of the book when this process started.
    pub began: i64,
    /// The last position of the book, as it grows.
    pub end: watch::Receiver<i64>,
    /// Which history of the book this process reads.
    pub mark: watch::Receiver<Mark>,
    pub bounds: Bounds,
    /// The end of the book, when the database is asked for it.
    pub asked_end: AskedOnce<i64>,
    /// What `/health/ready` says: anybody may ask.
    pub ready: AskedOnce<(StatusCode, Bytes)>,
    pub recent: Recent,
    /// The values that handlers of contexts share.
    pub states: States,
    /// What contexts rest on beside the book and the bus: each says what is wrong with it, if anything is.
    pub mechanisms: Vec<Trouble>,
    /// The OpenAPI document, once somebody has asked for it.
    pub openapi: OnceCell<Bytes>,
    /// The catalogue of events, once somebody has asked for it.
    pub event_types: OnceCell<Bytes>,
    /// Cancelled when the service is to end.
    pub stop: CancellationToken,
}

impl App {
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl App {
    /// A value that the handlers of a context share.
    ///
    /// # Errors
    /// 500 when no context has added it, which is a defect of this program.
    pub fn of<T: std::any::Any + Send + Sync>(&self) -> Result<&T, Problem> {
        let missing = || Problem::internal(&format_args!("no context added {}", std::any::type_name::<T>()));
        self.states.get().ok_or_else(missing)
    }

    /// A text that is made of the contexts once, when it is first asked for: that is work, and others go on meanwhile.
    ///
    /// # Errors
    /// 500 when it cannot be made, which is a defect of this program.
    pub async fn made_once(
        &self,
        of: fn(&Parts) -> &OnceCell<Bytes>,
        make: fn(&Contexts) -> Value,
    ) -> Result<Bytes, Problem> {
        let contexts = self.contexts.clone();
        let making = || tokio::task::spawn_blocking(move || Bytes::from(make(&contexts).to_string()));
        let made = of(self).get_or_try_init(making).await;
        made.cloned().map_err(|error| Problem::internal(&error))
    }

    /// Waits for one's turn to read the log or to fold a row's past.
    ///
    /// # Errors
    /// As [`crate::fair::Queues::turn`].
    pub async fn log_turn(&self, by: Bearer) -> Result<Turn, Problem> {
        self.bounds.log.turn(by).await
    }

    /// The end of the book as the database says it: all who ask at one time wait for one question.
    ///
    /// # Errors
    /// The database's error.
    pub async fn end_now(&self) -> Result<i64, BookError> {
        answered(self.asked_end.ask(self.tail.end())).await
    }

    /// Refuses a position that the book has not reached. Another process may have written it a moment ago, so the
    /// database is asked before.
    ///
    /// # Errors
    /// 422 that tells the end; the database's error.
    pub async fn reached(&self, name: &str, position: i64) -> Result<(), Problem> {
        if position <= *self.end.borrow() {
            return Ok(());
        }
        let end = self.end_now().await?;
        if position > end {
            return Err(Problem::beyond_end(name, position, end));
        }
        Ok(())
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
