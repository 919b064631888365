//! Projections: a table with its fold, as an object that a list can hold.

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;

use domain::{AnyEvent, Recorded};
use futures::future::BoxFuture;
use serde_json::{Map, Value};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};

use crate::aside::Aside;
use crate::cell::{Json, Key as _};
use crate::copy;
use crate::error::PostError;
use crate::fold::{Change, FoldError, Project, Slot, Unfolded, fold};
use crate::sql::Statements;
use crate::table::Table;

/// One read table and how events become its rows.
pub trait Projection: Send + Sync {
    fn table(&self) -> &'static Table;

    /// The statements that make the table, where they follow from its list.
    fn made_by(&self) -> Option<String>;

    /// Whether rows are only ever added, by [`Project::APPENDS`], and none is ever taken away, by [`Project::TAKES`].
    fn appends(&self) -> bool;

    /// Folds events into the rows of one generation, within the transaction of `connection`: at most
    /// one select, one delete and one upsert. Many rows of a table that is only appended to go `aside`, if
    /// there is such a way. Returns each event's touch of each row.
    fn post<'a, 'e: 'a>(
        &'a self,
        connection: &'a mut PgConnection,
        statements: &'a Statements,
        events: &'e [Recorded<AnyEvent>],
        is_audited: bool,
        aside: Option<&'a Aside>,
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

/// A table with its rows and their fold, whether a type declares them or a list.
pub trait Posts: Send + Sync {
    type Row: Clone + Send + Sync + 'static;
    type Key: Ord + Clone + Send + Sync + 'static;
    /// Whether the text of a key is that of the row, and cannot be told without one.
    const KEY_OF_ROW: bool = false;

    fn declared(&self) -> &'static Table;
    /// See [`Projection::made_by`].
    fn made_by(&self) -> Option<String> {
        None
    }
    /// See [`Project::OWNED`].
    fn is_owned(&self) -> bool;
    /// See [`Project::APPENDS`].
    fn is_appended(&self) -> bool;
    /// See [`Project::TAKES`].
    fn takes(&self, recorded: &Recorded<AnyEvent>) -> bool;
    /// See [`Project::TAKES`].
    fn takes_any(&self) -> bool;
    /// See [`Project::keys`].
    fn keys(&self, recorded: &Recorded<AnyEvent>) -> Vec<Self::Key>;
    /// See [`Project::fold`].
    ///
    /// # Errors
    /// When the event cannot be folded into the row.
    fn fold(
        &self,
        row: Option<Self::Row>,
        key: &Self::Key,
        recorded: &Recorded<AnyEvent>,
    ) -> Result<Option<Self::Row>, FoldError>;
    fn key(&self, row: &Self::Row) -> Self::Key;
    /// As the key stands in a URL, before it is escaped for one.
    fn key_text(&self, key: &Self::Key, row: Option<&Self::Row>) -> String;
    /// The key of this text, as far as folding needs it; `None` when it is none.
    fn parse(&self, key: &str) -> Option<Self::Key>;
    /// # Errors
    /// When a value cannot be written in Postgres' form.
    fn bind_keys(&self, keys: &[&Self::Key], arguments: &mut PgArguments) -> Result<(), BoxDynError>;
    /// See [`crate::row::Row::bind`].
    ///
    /// # Errors
    /// As that.
    fn bind(&self, rows: &[&Self::Row], arguments: &mut PgArguments) -> Result<(), BoxDynError>;
    /// See [`crate::row::Row::copy`].
    ///
    /// # Errors
    /// As that.
    fn copy(&self, row: &Self::Row, out: &mut copy::Buffer) -> Result<(), BoxDynError>;
    /// See [`crate::row::Row::read`].
    ///
    /// # Errors
    /// As that.
    fn read(&self, row: &PgRow) -> sqlx::Result<Self::Row>;
    /// See [`crate::row::Row::json`].
    fn json(&self, row: &Self::Row) -> Map<String, Value>;
    /// See [`crate::row::Row::image`].
    fn image(&self, row: &Self::Row) -> Json;
    /// See [`crate::row::Row::difference`].
    fn difference(&self, before: &Self::Row, after: &Self::Row) -> Option<(Json, Json)>;
}

/// The projection of a row type.
#[derive(Debug)]
pub struct Of<R>(PhantomData<fn() -> R>);

impl<R> Clone for Of<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Of<R> {}

/// For the list of a context's tables: `&of::<OrderRow>()`.
#[must_use]
pub const fn of<R: Project>() -> Of<R> {
    Of(PhantomData)
}

impl<R: Project> Posts for Of<R> {
    type Row = R;
    type Key = R::Key;

    fn declared(&self) -> &'static Table {
        R::TABLE
    }
    fn is_owned(&self) -> bool {
        R::OWNED
    }
    fn is_appended(&self) -> bool {
        R::APPENDS
    }
    fn takes(&self, recorded: &Recorded<AnyEvent>) -> bool {
        R::TAKES.is_some_and(|takes| takes(recorded))
    }
    fn takes_any(&self) -> bool {
        R::TAKES.is_some()
    }
    fn keys(&self, recorded: &Recorded<AnyEvent>) -> Vec<R::Key> {
        R::keys(recorded)
    }
    fn fold(&self, row: Option<R>, key: &R::Key, recorded: &Recorded<AnyEvent>) -> Result<Option<R>, FoldError> {
        R::fold(row, key, recorded)
    }
    fn key(&self, row: &R) -> R::Key {
        row.key()
    }
    fn key_text(&self, key: &R::Key, _row: Option<&R>) -> String {
        key.text()
    }
    fn parse(&self, key: &str) -> Option<R::Key> {
        R::Key::parse(key)
    }
    fn bind_keys(&self, keys: &[&R::Key], arguments: &mut PgArguments) -> Result<(), BoxDynError> {
        R::Key::bind(keys, arguments)
    }
    fn bind(&self, rows: &[&R], arguments: &mut PgArguments) -> Result<(), BoxDynError> {
        R::bind(rows, arguments)
    }
    fn copy(&self, row: &R, out: &mut copy::Buffer) -> Result<(), BoxDynError> {
        row.copy(out)
    }
    fn read(&self, row: &PgRow) -> sqlx::Result<R> {
        R::read(row)
    }
    fn json(&self, row: &R) -> Map<String, Value> {
        row.json()
    }
    fn image(&self, row: &R) -> Json {
        row.image()
    }
    fn difference(&self, before: &R, after: &R) -> Option<(Json, Json)> {
        before.difference(after)
    }
}

impl<P: Posts + Copy + 'static> Projection for P {
    fn table(&self) -> &'static Table {
        self.declared()
    }

    fn made_by(&self) -> Option<String> {
        Posts::made_by(self)
    }

    fn appends(&self) -> bool {
        self.is_appended() && !self.takes_any()
    }

    fn post<'a, 'e: 'a>(
        &'a self,
        connection: &'a mut PgConnection,
        statements: &'a Statements,
        events: &'e [Recorded<AnyEvent>],
        is_audited: bool,
        aside: Option<&'a Aside>,
    ) -> BoxFuture<'a, Result<Vec<Change<'e>>, PostError>> {
        Box::pin(async move {
            let touches = touches(self, events);
            if touches.is_empty() {
                return Ok(Vec::new());
            }
            let mut slots = load(self, connection, statements, &touches).await?;
            let changes = fold(self, &mut slots, touches.into_iter(), is_audited)?;
            let aside = aside.filter(|_| Projection::appends(self));
            store(self, connection, statements, &slots, aside).await?;
            Ok(changes)
        })
    }

    fn folded(&self, events: &[Recorded<AnyEvent>]) -> Result<Vec<Map<String, Value>>, Unfolded> {
        let mut slots: BTreeMap<P::Key, Slot<P::Row>> = BTreeMap::new();
        fold(self, &mut slots, touches(self, events).into_iter(), false)?;
        Ok(slots
            .values()
            .filter_map(|slot| slot.row.as_ref())
            .map(|row| self.json(row))
            .collect())
    }

    fn changes<'a>(&self, events: &'a [Recorded<AnyEvent>]) -> Result<Vec<Change<'a>>, Unfolded> {
        let mut slots: BTreeMap<P::Key, Slot<P::Row>> = BTreeMap::new();
        fold(self, &mut slots, touches(self, events).into_iter(), true)
    }

    fn retell(&self, key: &str) -> Option<Box<dyn Retelling>> {
        Some(Box::new(RetellingOf {
            posts: *self,
            key: self.parse(key)?,
            row: None,
        }))
    }
}

type Touch<'a, P> = (&'a Recorded<AnyEvent>, <P as Posts>::Key);

fn touches<'a, P: Posts>(posts: &P, events: &'a [Recorded<AnyEvent>]) -> Vec<Touch<'a, P>> {
    let keys = |recorded| {
        let mut keys = posts.keys(recorded);
        if keys.len() > 1 {
            // An event touches a row once, however often it names it, and in the order in which it names them.
            let mut seen = BTreeSet::new();
            keys.retain(|key: &P::Key| seen.insert(key.clone()));
        }
        keys
    };
    events
        .iter()
        .flat_map(|recorded| keys(recorded).into_iter().map(move |key| (recorded, key)))
        .collect()
}

/// The rows that are touched and may be in the table, in one select.
async fn load<P: Posts>(
    posts: &P,
    connection: &mut PgConnection,
    statements: &Statements,
    touches: &[Touch<'_, P>],
) -> Result<BTreeMap<P::Key, Slot<P::Row>>, PostError> {
    let mut slots = BTreeMap::new();
    // Whether the first event that touches a key may meet a row of it.
    let may_meet = |recorded: &Recorded<AnyEvent>| match posts.is_appended() {
        true => posts.takes(recorded),
        false => !(posts.is_owned() && recorded.sequence == 1),
    };
    let mut first: BTreeMap<&P::Key, bool> = BTreeMap::new();
    for (recorded, key) in touches {
        first.entry(key).or_insert_with(|| may_meet(recorded));
    }
    let wanted: Vec<&P::Key> = first
        .into_iter()
        .filter_map(|(key, wanted)| wanted.then_some(key))
        .collect();
    if wanted.is_empty() {
        return Ok(slots);
    }
    let failed = |source| failed(posts, source);
    let mut arguments = PgArguments::default();
    posts
        .bind_keys(&wanted, &mut arguments)
        .map_err(|error| failed(sqlx::Error::Encode(error)))?;
    let found = sqlx::query_with(&statements.select, arguments)
        .fetch_all(connection)
        .await
        .map_err(failed)?;
    for row in &found {
        let row = posts.read(row).map_err(failed)?;
        slots.insert(
            posts.key(&row),
            Slot {
                stored: true,
                row: Some(row),
            },
        );
    }
    Ok(slots)
}

/// Deletes the rows that are gone, then writes those that are there.
async fn store<P: Posts>(
    posts: &P,
    connection: &mut PgConnection,
    statements: &Statements,
    slots: &BTreeMap<P::Key, Slot<P::Row>>,
    aside: Option<&Aside>,
) -> Result<(), PostError> {
    let failed = |source| failed(posts, source);
    let encode = |error| failed(sqlx::Error::Encode(error));
    let gone: Vec<&P::Key> = slots
        .iter()
        .filter(|(_, slot)| slot.stored && slot.row.is_none())
        .map(|(key, _)| key)
        .collect();
    if !gone.is_empty() {
        let mut arguments = PgArguments::default();
        posts.bind_keys(&gone, &mut arguments).map_err(encode)?;
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
        let rows = stored.iter().chain(&new).map(|(_, row)| *row).collect();
        return write(posts, connection, statements, rows).await;
    }
    let mut buffer = copy::Buffer::default();
    for (_, row) in new {
        posts.copy(row, &mut buffer).map_err(encode)?;
    }
    let sent = match aside {
        Some(aside) => aside.send(posts.declared().name, &statements.copy, buffer).await,
        None => buffer.send(&mut *connection, &statements.copy).await,
    };
    sent.map_err(failed)?;
    let stored = stored.into_iter().map(|(_, row)| row).collect();
    write(posts, connection, statements, stored).await
}

/// Inserts or updates rows in one statement.
async fn write<P: Posts>(
    posts: &P,
    connection: &mut PgConnection,
    statements: &Statements,
    rows: Vec<&P::Row>,
) -> Result<(), PostError> {
    if rows.is_empty() {
        return Ok(());
    }
    let failed = |source| failed(posts, source);
    let statement = if posts.is_appended() {
        &statements.insert
    } else {
        &statements.upsert
    };
    let mut arguments = PgArguments::default();
    posts
        .bind(&rows, &mut arguments)
        .map_err(|error| failed(sqlx::Error::Encode(error)))?;
    sqlx::query_with(statement, arguments)
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(())
}

fn failed<P: Posts>(posts: &P, source: sqlx::Error) -> PostError {
    PostError::Sql {
        table: posts.declared().name,
        source,
    }
}

struct RetellingOf<P: Posts> {
    posts: P,
    key: P::Key,
    row: Option<P::Row>,
}

impl<P: Posts> Retelling for RetellingOf<P> {
    fn after(&mut self, recorded: &Recorded<AnyEvent>) -> Result<Option<Map<String, Value>>, FoldError> {
        self.row = self.posts.fold(self.row.take(), &self.key, recorded)?;
        Ok(self.row.as_ref().map(|row| self.posts.json(row)))
    }
}
