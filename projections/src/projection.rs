//! Projections: a table with its fold, as an object that a list can hold.

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;

use domain::{AnyEvent, Recorded};
use futures::future::BoxFuture;
use serde_json::{Map, Value};
use sqlx::postgres::{PgArguments, PgConnection};

use crate::cell::Key;
use crate::copy;
use crate::error::PostError;
use crate::fold::{Change, FoldError, Project, Slot, Unfolded, fold};
use crate::sql::Statements;
use crate::table::Table;

/// One read table and how events become its rows.
pub trait Projection: Send + Sync {
    fn table(&self) -> &'static Table;

    /// Whether rows are only ever added, by [`Project::APPENDS`], and none is ever taken away, by [`Project::TAKES`].
    fn appends(&self) -> bool;

    /// Folds events into the rows of one generation, within the transaction of `connection`: at most
    /// one select, one delete and one upsert. Returns each event's touch of each row.
    fn post<'a, 'e: 'a>(
        &'a self,
        connection: &'a mut PgConnection,
        statements: &'a Statements,
        events: &'e [Recorded<AnyEvent>],
        is_audited: bool,
    ) -> BoxFuture<'a, Result<Vec<Change<'e>>, PostError>>;

    /// Every row that these events fold to, in canonical form and by key, without a database.
    ///
    /// # Errors
    /// The first event that cannot be folded.
    fn folded(&self, events: &[Recorded<AnyEvent>]) -> Result<Vec<Map<String, Value>>, Unfolded>;

    /// Every change that these events make, with what an audit table tells of it, without a database.
    ///
    /// # Errors
    /// The first event that cannot be folded.
    fn changes<'a>(&self, events: &'a [Recorded<AnyEvent>]) -> Result<Vec<Change<'a>>, Unfolded>;

    /// Folds the events of one row again; `None` when `key` is no key of this table.
    fn retell(&self, key: &str) -> Option<Box<dyn Retelling>>;
}

/// A row on its way through its events.
pub trait Retelling: Send {
    /// The row after the event, in canonical form; `None` when it is gone.
    ///
    /// # Errors
    /// When the event cannot be folded into the row.
    fn after(&mut self, recorded: &Recorded<AnyEvent>) -> Result<Option<Map<String, Value>>, FoldError>;
}

/// The projection of a row type.
#[derive(Debug)]
pub struct Of<R>(PhantomData<R>);

/// For the list of a context's tables: `&of::<OrderRow>()`.
#[must_use]
pub const fn of<R: Project>() -> Of<R> {
    Of(PhantomData)
}

impl<R: Project> Projection for Of<R> {
    fn table(&self) -> &'static Table {
        R::TABLE
    }

    fn appends(&self) -> bool {
        R::APPENDS && R::TAKES.is_none()
    }

    fn post<'a, 'e: 'a>(
        &'a self,
        connection: &'a mut PgConnection,
        statements: &'a Statements,
        events: &'e [Recorded<AnyEvent>],
        is_audited: bool,
    ) -> BoxFuture<'a, Result<Vec<Change<'e>>, PostError>> {
        Box::pin(async move {
            let touches = touches::<R>(events);
            if touches.is_empty() {
                return Ok(Vec::new());
            }
            let mut slots = load::<R>(connection, statements, &touches).await?;
            let changes = fold(&mut slots, touches.into_iter(), is_audited)?;
            store(connection, statements, &slots).await?;
            Ok(changes)
        })
    }

    fn folded(&self, events: &[Recorded<AnyEvent>]) -> Result<Vec<Map<String, Value>>, Unfolded> {
        let mut slots: BTreeMap<R::Key, Slot<R>> = BTreeMap::new();
        fold(&mut slots, touches::<R>(events).into_iter(), false)?;
        Ok(slots
            .values()
            .filter_map(|slot| slot.row.as_ref())
            .map(R::json)
            .collect())
    }

    fn changes<'a>(&self, events: &'a [Recorded<AnyEvent>]) -> Result<Vec<Change<'a>>, Unfolded> {
        let mut slots: BTreeMap<R::Key, Slot<R>> = BTreeMap::new();
        fold(&mut slots, touches::<R>(events).into_iter(), true)
    }

    fn retell(&self, key: &str) -> Option<Box<dyn Retelling>> {
        Some(Box::new(RetellingOf::<R> {
            key: R::Key::parse(key)?,
            row: None,
        }))
    }
}

type Touch<'a, R> = (&'a Recorded<AnyEvent>, <R as crate::row::Row>::Key);

fn touches<R: Project>(events: &[Recorded<AnyEvent>]) -> Vec<Touch<'_, R>> {
    let keys = |recorded| {
        let mut keys = R::keys(recorded);
        if keys.len() > 1 {
            // An event touches a row once, however often it names it, and in the order in which it names them.
            let mut seen = BTreeSet::new();
            keys.retain(|key: &R::Key| seen.insert(key.clone()));
        }
        keys
    };
    events
        .iter()
        .flat_map(|recorded| keys(recorded).into_iter().map(move |key| (recorded, key)))
        .collect()
}

/// The rows that are touched and may be in the table, in one select.
async fn load<R: Project>(
    connection: &mut PgConnection,
    statements: &Statements,
    touches: &[Touch<'_, R>],
) -> Result<BTreeMap<R::Key, Slot<R>>, PostError> {
    let mut slots = BTreeMap::new();
    // Whether the first event that touches a key may meet a row of it.
    let may_meet = |recorded: &Recorded<AnyEvent>| match R::APPENDS {
        true => R::TAKES.is_some_and(|takes| takes(recorded)),
        false => !(R::OWNED && recorded.sequence == 1),
    };
    let mut first: BTreeMap<&R::Key, bool> = BTreeMap::new();
    for (recorded, key) in touches {
        first.entry(key).or_insert_with(|| may_meet(recorded));
    }
    let wanted: Vec<&R::Key> = first
        .into_iter()
        .filter_map(|(key, wanted)| wanted.then_some(key))
        .collect();
    if wanted.is_empty() {
        return Ok(slots);
    }
    let failed = |source| PostError::Sql {
        table: R::TABLE.name,
        source,
    };
    let mut arguments = PgArguments::default();
    R::Key::bind(&wanted, &mut arguments).map_err(|error| failed(sqlx::Error::Encode(error)))?;
    let found = sqlx::query_with(&statements.select, arguments)
        .fetch_all(connection)
        .await
        .map_err(failed)?;
    for row in &found {
        let row = R::read(row).map_err(failed)?;
        slots.insert(
            row.key(),
            Slot {
                stored: true,
                row: Some(row),
            },
        );
    }
    Ok(slots)
}

/// Deletes the rows that are gone, then writes those that are there.
async fn store<R: Project>(
    connection: &mut PgConnection,
    statements: &Statements,
    slots: &BTreeMap<R::Key, Slot<R>>,
) -> Result<(), PostError> {
    let failed = |source| PostError::Sql {
        table: R::TABLE.name,
        source,
    };
    let encode = |error| failed(sqlx::Error::Encode(error));
    let gone: Vec<&R::Key> = slots
        .iter()
        .filter(|(_, slot)| slot.stored && slot.row.is_none())
        .map(|(key, _)| key)
        .collect();
    if !gone.is_empty() {
        let mut arguments = PgArguments::default();
        R::Key::bind(&gone, &mut arguments).map_err(encode)?;
        sqlx::query_with(&statements.delete, arguments)
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
    }
    let (stored, new): (Vec<_>, Vec<_>) = slots
        .values()
        .filter_map(|slot| Some((slot.stored, slot.row.as_ref()?)))
        .partition(|(stored, _)| *stored);
    if new.len() < copy::ROWS_MIN {
        return write(
            connection,
            statements,
            stored.iter().chain(&new).map(|(_, row)| *row).collect(),
        )
        .await;
    }
    let mut buffer = copy::Buffer::default();
    for (_, row) in new {
        row.copy(&mut buffer).map_err(encode)?;
    }
    buffer.send(&mut *connection, &statements.copy).await.map_err(failed)?;
    write(connection, statements, stored.into_iter().map(|(_, row)| row).collect()).await
}

/// Inserts or updates rows in one statement.
async fn write<R: Project>(
    connection: &mut PgConnection,
    statements: &Statements,
    rows: Vec<&R>,
) -> Result<(), PostError> {
    if rows.is_empty() {
        return Ok(());
    }
    let failed = |source| PostError::Sql {
        table: R::TABLE.name,
        source,
    };
    let statement = if R::APPENDS {
        &statements.insert
    } else {
        &statements.upsert
    };
    let mut arguments = PgArguments::default();
    R::bind(&rows, &mut arguments).map_err(|error| failed(sqlx::Error::Encode(error)))?;
    sqlx::query_with(statement, arguments)
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(())
}

struct RetellingOf<R: Project> {
    key: R::Key,
    row: Option<R>,
}

impl<R: Project> Retelling for RetellingOf<R> {
    fn after(&mut self, recorded: &Recorded<AnyEvent>) -> Result<Option<Map<String, Value>>, FoldError> {
        self.row = R::fold(self.row.take(), &self.key, recorded)?;
        Ok(self.row.as_ref().map(R::json))
    }
}
