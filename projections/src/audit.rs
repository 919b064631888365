//! Audit tables: one row for every row that an event changed, in every other table of the context.
//!
//! Such a table has no fold. Its rows are made from the changes of all others, by a pure function, and
//! never change again. Whatever else a table has comes as with any other: endpoint, row-level security,
//! conformance, rebuild and comparison, history.

use std::collections::{BTreeSet, HashMap};
use std::marker::PhantomData;

use domain::{AnyEvent, Recorded};
use futures::future::BoxFuture;
use serde_json::{Map, Value};
use sqlx::postgres::{PgArguments, PgConnection};
use uuid::Uuid;

use crate::aside::Aside;
use crate::cell::Key;
use crate::context::Context;
use crate::copy;
use crate::error::PostError;
use crate::fold::{Change, actor};
use crate::image::Image;
use crate::row::Row;
use crate::sql::{self, Statements};
use crate::table::Table;

/// The row of an audit table. The table has, besides what it wants, the columns `place` (among the rows of
/// one event), `actor_id` (whoever asked for it) and `user_id` (the same, once that is a user's).
pub trait Audit: Row {
    /// The context's table of users, whose key is the user's id, and to which `user_id` refers.
    const USERS: &'static str;

    fn row(entry: Entry<'_>) -> Self;

    /// The event's position, which every row has.
    fn position(&self) -> i64;
}

/// What an event did to one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry<'a> {
    /// Made of the event and the row, so that a rebuild gives the same.
    pub id: Uuid,
    pub recorded: &'a Recorded<AnyEvent>,
    pub table: &'static str,
    /// The row's key.
    pub record: &'a str,
    pub image: Image,
    /// Who asked for the event, if they were in [`Audit::USERS`] by then.
    pub user: Option<Uuid>,
    /// Which of the event's entries it is, from 1, in the order of [`Context::tables`] and in each table in that of
    /// [`keys`](crate::fold::Project::keys). It follows from the event and the rows before it, not from the page.
    pub place: i32,
}

/// An audit table, as an object that a context can name.
pub trait AuditTable: Send + Sync {
    fn table(&self) -> &'static Table;

    /// See [`Audit::USERS`].
    fn users(&self) -> &'static str;

    /// The row in canonical form.
    fn row(&self, entry: Entry<'_>) -> Map<String, Value>;

    /// Writes the rows of these entries.
    fn post<'a>(&'a self, entries: Vec<Entry<'a>>, into: Sink<'a>) -> BoxFuture<'a, Result<(), PostError>>;

    /// The row of a key in the schema; `None` when there is none.
    fn find<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        schema: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Found>, sqlx::Error>>;
}

/// A row of an audit table.
#[derive(Debug)]
pub struct Found {
    pub tenant_id: Uuid,
    pub position: i64,
    /// In canonical form.
    pub row: Map<String, Value>,
}

/// The audit table of a row type.
#[derive(Debug)]
pub struct Of<R>(PhantomData<R>);

/// For a context's `audit`: `Some(&audit::of::<AuditLogRow>())`.
#[must_use]
pub const fn of<R: Audit>() -> Of<R> {
    Of(PhantomData)
}

impl<R: Audit> AuditTable for Of<R> {
    fn table(&self) -> &'static Table {
        R::TABLE
    }

    fn users(&self) -> &'static str {
        R::USERS
    }

    fn row(&self, entry: Entry<'_>) -> Map<String, Value> {
        R::row(entry).json()
    }

    fn post<'a>(&'a self, entries: Vec<Entry<'a>>, into: Sink<'a>) -> BoxFuture<'a, Result<(), PostError>> {
        Box::pin(async move {
            let is_few = entries.len() < copy::ROWS_MIN;
            let rows = entries.into_iter().map(R::row);
            let written = match into {
                Sink::Page(connection, statements) if is_few => insert(connection, statements, rows.collect()).await,
                into @ (Sink::Page(..) | Sink::Beside(..)) => copy(rows, into).await,
            };
            written.map_err(|source| PostError::Sql {
                table: R::TABLE.name,
                source,
            })
        })
    }

    fn find<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        schema: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Found>, sqlx::Error>> {
        Box::pin(async move {
            let Some(key) = R::Key::parse(key) else { return Ok(None) };
            let mut arguments = PgArguments::default();
            R::Key::bind(&[&key], &mut arguments).map_err(sqlx::Error::Encode)?;
            let select = Statements::new(schema, R::TABLE).select;
            let found = sqlx::query_with(&select, arguments).fetch_optional(connection).await?;
            let row = found.as_ref().map(R::read).transpose()?;
            Ok(row.map(|row| Found {
                tenant_id: row.tenant_id(),
                position: row.position(),
                row: row.json(),
            }))
        })
    }
}

/// Where the rows of an audit table go.
#[derive(Debug)]
pub enum Sink<'a> {
    /// Into the page's own transaction.
    Page(&'a mut PgConnection, &'a Statements),
    /// Beside the page's transaction, which goes on without them.
    Beside(&'a Aside, &'a Statements),
}

impl Sink<'_> {
    async fn send(&mut self, table: &'static str, rows: copy::Buffer) -> Result<(), sqlx::Error> {
        match self {
            Self::Page(connection, statements) => rows.send(connection, &statements.copy).await,
            Self::Beside(aside, statements) => aside.send(table, &statements.copy, rows).await,
        }
    }
}

async fn insert<R: Row>(
    connection: &mut PgConnection,
    statements: &Statements,
    rows: Vec<R>,
) -> Result<(), sqlx::Error> {
    let mut arguments = PgArguments::default();
    let rows: Vec<&R> = rows.iter().collect();
    R::bind(&rows, &mut arguments).map_err(sqlx::Error::Encode)?;
    sqlx::query_with(&statements.insert, arguments)
        .execute(connection)
        .await
        .map(|_| ())
}

/// In portions, so that the rows of a rebuild's window are not all in memory once more.
async fn copy<R: Row>(rows: impl Iterator<Item = R>, mut into: Sink<'_>) -> Result<(), sqlx::Error> {
    let mut buffer = copy::Buffer::default();
    for row in rows {
        row.copy(&mut buffer).map_err(sqlx::Error::Encode)?;
        if buffer.is_full() {
            into.send(R::TABLE.name, std::mem::take(&mut buffer)).await?;
        }
    }
    into.send(R::TABLE.name, buffer).await
}

/// When events are posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// In the order of the book: all that came before has been posted, or is parked.
    InOrder,
    /// Out of a parked stream, after later ones.
    Late,
}

/// The audit table of one generation.
pub(crate) struct Auditing {
    table: &'static dyn AuditTable,
    statements: Statements,
    registered: String,
    first_touched: String,
    named: String,
}

impl std::fmt::Debug for Auditing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Auditing").field(self.table.table()).finish()
    }
}

impl Auditing {
    /// `None` when the context has no audit table.
    pub(crate) fn of(context: &Context, schema: &str) -> Option<Self> {
        let table = context.audit?;
        let users = context.table(table.users())?;
        Some(Self {
            table,
            statements: Statements::new(schema, table.table()),
            registered: sql::present(schema, users),
            first_touched: sql::first_touched(schema),
            named: sql::name_users(schema, table.table()),
        })
    }

    /// Writes what the changes of one transaction say, and takes it from them. Rows go into the transaction, or beside it.
    pub(crate) async fn write(
        &self,
        connection: &mut PgConnection,
        changes: &mut [Change<'_>],
        turn: Turn,
        aside: Option<&Aside>,
    ) -> Result<(), PostError> {
        if changes.iter().all(|change| change.image.is_none()) {
            return Ok(());
        }
        let failed = |source| PostError::Sql {
            table: self.table.table().name,
            source,
        };
        let mut users = self.known(connection, changes, turn).await.map_err(failed)?;
        let came = users.add(self.table.users(), changes);
        let into = match aside {
            Some(aside) => Sink::Beside(aside, &self.statements),
            None => Sink::Page(connection, &self.statements),
        };
        self.table.post(entries(changes, &users), into).await?;
        if turn == Turn::Late && !came.is_empty() {
            // What they did since then was posted before they were.
            let (ids, positions): (Vec<Uuid>, Vec<i64>) = came.into_iter().unzip();
            sqlx::query(&self.named)
                .bind(ids)
                .bind(positions)
                .execute(connection)
                .await
                .map_err(failed)?;
        }
        Ok(())
    }

    /// Those who asked for these changes, as far as they are in the table of users.
    async fn known(
        &self,
        connection: &mut PgConnection,
        changes: &[Change<'_>],
        turn: Turn,
    ) -> Result<Users, sqlx::Error> {
        let asked: BTreeSet<Uuid> = changes.iter().filter_map(|change| actor(change.recorded)).collect();
        let asked: Vec<Uuid> = asked.into_iter().collect();
        let known = match turn {
            // Whoever is there came before these events.
            Turn::InOrder => {
                let known: Vec<Uuid> = sqlx::query_scalar(&self.registered)
                    .bind(asked)
                    .fetch_all(connection)
                    .await?;
                known.into_iter().map(|id| (id, 0)).collect()
            }
            Turn::Late => {
                sqlx::query_as(&self.first_touched)
                    .bind(self.table.users())
                    .bind(asked)
                    .fetch_all(connection)
                    .await?
            }
        };
        Ok(Users(known.into_iter().collect()))
    }
}

/// The positions at which users came into their table.
#[derive(Debug, Default)]
struct Users(HashMap<Uuid, i64>);

impl Users {
    /// Adds the users who come into their table by these changes; who they are.
    fn add(&mut self, users: &str, changes: &[Change<'_>]) -> Vec<(Uuid, i64)> {
        let came: Vec<(Uuid, i64)> = changes
            .iter()
            .filter(|change| change.table == users && matches!(change.image, Some(Image::Insert { .. })))
            .filter_map(|change| Some((change.key.parse().ok()?, change.recorded.position)))
            .collect();
        self.0.extend(came.iter().copied());
        came
    }

    /// Who asked for the event, if they were a user by then.
    fn by(&self, recorded: &Recorded<AnyEvent>) -> Option<Uuid> {
        let since = |actor: &Uuid| self.0.get(actor).copied();
        actor(recorded).filter(|actor| since(actor).is_some_and(|since| since <= recorded.position))
    }
}

/// What these changes have to tell, taken from them.
fn entries<'a>(changes: &'a mut [Change<'_>], users: &Users) -> Vec<Entry<'a>> {
    // Changes come table by table, so the entries of one event lie apart.
    let mut places: HashMap<i64, i32> = HashMap::new();
    let entry = |change: &'a mut Change<'_>| {
        let image = change.image.take()?;
        let place = places.entry(change.recorded.position).or_default();
        *place += 1;
        let place = *place;
        let (recorded, table, record) = (change.recorded, change.table, change.key.as_str());
        Some(Entry {
            id: Uuid::new_v5(&recorded.event_id, format!("{table}/{record}").as_bytes()),
            recorded,
            table,
            record,
            image,
            user: users.by(recorded),
            place,
        })
    };
    changes.iter_mut().filter_map(entry).collect()
}

/// The rows that a whole history leaves in an audit table, in canonical form, without a database.
#[must_use]
pub fn rows(table: &dyn AuditTable, mut changes: Vec<Change<'_>>) -> Vec<Map<String, Value>> {
    let mut users = Users::default();
    users.add(table.users(), &changes);
    entries(&mut changes, &users)
        .into_iter()
        .map(|entry| table.row(entry))
        .collect()
}
