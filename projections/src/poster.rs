//! A generation opened for posting: its statements, its checkpoint, its parked streams.

use std::collections::{BTreeSet, HashSet};
use std::panic::AssertUnwindSafe;

use domain::{AnyEvent, Recorded};
use futures::FutureExt as _;
use sqlx::Connection as _;
use sqlx::error::BoxDynError;
use sqlx::postgres::PgConnection;
use tokio::task::JoinHandle;
use tracing::error;
use uuid::Uuid;

use crate::aside::Aside;
use crate::audit::{Auditing, Turn};
use crate::context::Context;
use crate::copy;
use crate::error::{PostError, panicked};
use crate::fold::Change;
use crate::generation::{Generation, execute};
use crate::page::{Page, Parked, Parking};
use crate::sql::{self, Statements};

/// Posts pages into one generation, each in one transaction with its checkpoint.
#[derive(Debug)]
pub struct Poster {
    pub context: &'static Context,
    pub generation: Generation,
    /// How many streams are parked, as far as is known: another process may have taken some out.
    pub parked: usize,
    /// The term that a leading projector began; whoever else posts holds the checkpoint's row or the only
    /// generation, and has none.
    term: Option<i64>,
    statements: Vec<Statements>,
    auditing: Option<Auditing>,
    aside: Option<Aside>,
    insert_changes: String,
    copy_changes: String,
}

impl Poster {
    /// # Errors
    /// The database's error.
    pub async fn open(
        connection: &mut PgConnection,
        context: &'static Context,
        generation: Generation,
    ) -> Result<Self, sqlx::Error> {
        let schema = &generation.schema;
        let parked = count_parked(connection, context, generation.number).await?;
        let statements = context
            .tables
            .iter()
            .map(|projection| Statements::new(schema, projection.table()))
            .collect();
        let auditing = Auditing::of(context, schema);
        let insert_changes = sql::insert_changes(schema);
        let copy_changes = sql::copy_changes(schema);
        Ok(Self {
            context,
            generation,
            parked,
            term: None,
            statements,
            auditing,
            aside: None,
            insert_changes,
            copy_changes,
        })
    }

    /// From now on rows that nothing looks up while a generation is loaded are copied over this connection, beside the
    /// transactions of pages; for one that counts as a whole or not at all. The task ends after [`Poster::within`].
    pub(crate) fn beside(&mut self, connection: PgConnection) -> JoinHandle<Result<(), PostError>> {
        let (aside, copying) = Aside::over(connection);
        self.aside = Some(aside);
        copying
    }

    /// From now on all rows are written within the transactions of pages.
    pub(crate) fn within(&mut self) {
        self.aside = None;
    }

    /// Begins a term: from now on nobody who began one before posts this generation.
    ///
    /// # Errors
    /// [`PostError::Moved`] when the generation is not what it was; the database's error.
    pub async fn begin_term(&mut self, connection: &mut PgConnection) -> Result<(), PostError> {
        let term: Option<i64> = sqlx::query_scalar(
            "update book.generations set term = term + 1
             where context = $1 and generation = $2 and state = $3 returning term",
        )
        .bind(self.context.name)
        .bind(self.generation.number)
        .bind(self.generation.state.word())
        .fetch_optional(connection)
        .await?;
        self.term = Some(term.ok_or(PostError::Moved)?);
        Ok(())
    }

    /// Posts the events up to position `to`, which follow the checkpoint. A page that fails is halved
    /// down to the event, whose stream is parked; the others go on.
    ///
    /// # Errors
    /// What may pass when tried again, with nothing written beyond the checkpoint.
    pub async fn post(
        &mut self,
        connection: &mut PgConnection,
        to: i64,
        recorded: Vec<Recorded<String>>,
    ) -> Result<(), PostError> {
        let mut pages = Page::decode(self.context, to, recorded).portions(self.context);
        pages.reverse();
        while let Some(page) = pages.pop() {
            match self.post_page(connection, &page).await {
                Ok(()) => {}
                Err(failed) if failed.is_transient() || page.events.is_empty() => return Err(failed),
                Err(failed) if page.events.len() == 1 => pages.push(page.parked(&failed.to_string())),
                Err(_) => {
                    let (earlier, later) = page.halves();
                    pages.extend([later, earlier]);
                }
            }
        }
        Ok(())
    }

    /// Parks the stream of the next event, which the book itself cannot read.
    ///
    /// # Errors
    /// The database's error.
    pub async fn skip(&mut self, connection: &mut PgConnection, position: i64, error: &str) -> Result<(), PostError> {
        let (aggregate_type, id, tenant_id): (String, String, Uuid) =
            sqlx::query_as("select aggregate_type, aggregate_id, tenant_id from book.events where position = $1")
                .bind(position)
                .fetch_one(&mut *connection)
                .await?;
        let is_read = self.context.aggregate(&aggregate_type).is_some();
        let parking = Parking {
            stream: (aggregate_type, id.parse().unwrap_or_default()),
            tenant_id,
            position,
            error: error.to_owned(),
        };
        let page = Page {
            to: position,
            events: Vec::new(),
            parks: if is_read { vec![parking] } else { Vec::new() },
        };
        self.post_page(connection, &page).await
    }

    /// Posts a page or fails as a whole.
    pub(crate) async fn post_page(&mut self, connection: &mut PgConnection, page: &Page) -> Result<(), PostError> {
        let mut transaction = connection.begin().await?;
        match self.write_page(&mut transaction, page).await {
            Ok(parked) => {
                transaction.commit().await?;
                self.written(page, parked);
                Ok(())
            }
            Err(failed) => {
                // What went wrong is tried again in parts, on this connection: it must be free for that.
                transaction.rollback().await?;
                Err(failed)
            }
        }
    }

    /// Counts the parked streams anew.
    ///
    /// # Errors
    /// [`PostError::Moved`] when the generation is not what it was: another one was swapped in for it; the database's error.
    pub async fn recount(&mut self, connection: &mut PgConnection) -> Result<(), PostError> {
        let parked: Option<i64> = sqlx::query_scalar(
            "select (select count(*) from book.parked p where p.context = g.context and p.generation = g.generation)
             from book.generations g where g.context = $1 and g.generation = $2 and g.state = $3",
        )
        .bind(self.context.name)
        .bind(self.generation.number)
        .bind(self.generation.state.word())
        .fetch_optional(connection)
        .await?;
        self.parked = usize::try_from(parked.ok_or(PostError::Moved)?).unwrap_or(usize::MAX);
        Ok(())
    }

    /// Writes a page with its checkpoint, within a transaction; how many streams it parked.
    pub(crate) async fn write_page(&self, connection: &mut PgConnection, page: &Page) -> Result<usize, PostError> {
        // First, because it locks the checkpoint: neither a swap nor an unpark comes between.
        self.advance(connection, page.to).await?;
        // Nobody else parks streams of this generation: its checkpoint would have moved.
        let mut parked = match self.parked {
            0 => Parked::new(),
            _ => parked_of(connection, self.context, self.generation.number, page).await?,
        };
        let parked_before = parked.len();
        self.write(connection, &page.posted(&parked), Turn::InOrder).await?;
        for parking in &page.parks {
            if parked.insert(parking.stream.clone()) {
                park(connection, self.context, self.generation.number, parking).await?;
            }
        }
        execute(connection, "set constraints all immediate").await?;
        Ok(parked.len() - parked_before)
    }

    /// After the commit of [`Poster::write_page`].
    pub(crate) fn written(&mut self, page: &Page, parked: usize) {
        for Parking {
            stream: (aggregate_type, id),
            position,
            error,
            ..
        } in &page.parks
        {
            let context = self.context.name;
            error!(context, aggregate_type, %id, position, error, "parked a stream that cannot be posted");
        }
        self.generation.position = page.to;
        self.parked += parked;
    }

    /// Moves the checkpoint, if it still is where this poster knows it to be, and never beyond the book's end, whoever told
    /// of events there.
    async fn advance(&self, connection: &mut PgConnection, to: i64) -> Result<(), PostError> {
        let moved = sqlx::query(
            "update book.generations set position = $1
             where context = $2 and generation = $3 and state = $4 and position = $5
               and ($6::bigint is null or term = $6)
               and ahead_since is null and $1 <= book.last_position()",
        )
        .bind(to)
        .bind(self.context.name)
        .bind(self.generation.number)
        .bind(self.generation.state.word())
        .bind(self.generation.position)
        .bind(self.term)
        .execute(&mut *connection)
        .await?;
        if moved.rows_affected() == 1 {
            return Ok(());
        }
        let end: i64 = sqlx::query_scalar("select book.last_position()")
            .fetch_one(connection)
            .await?;
        match to > end {
            true => Err(PostError::Beyond { to, end }),
            false => Err(PostError::Moved),
        }
    }

    /// Folds events into every table that they touch and notes the changes, without the checkpoint. A fold
    /// runs between statements, so that its panic leaves the connection as usable as any other error.
    ///
    /// # Errors
    /// The event that cannot be folded, the panic of a fold, or the database's error.
    pub async fn write(
        &self,
        connection: &mut PgConnection,
        events: &[Recorded<AnyEvent>],
        turn: Turn,
    ) -> Result<(), PostError> {
        let folding = AssertUnwindSafe(self.write_folded(connection, events, turn));
        folding
            .catch_unwind()
            .await
            .unwrap_or_else(|panic| Err(panicked(&*panic)))
    }

    async fn write_folded(
        &self,
        connection: &mut PgConnection,
        events: &[Recorded<AnyEvent>],
        turn: Turn,
    ) -> Result<(), PostError> {
        let is_audited = self.auditing.is_some();
        let aside = self.aside.as_ref();
        let mut changes = Vec::new();
        for (projection, statements) in self.context.tables.iter().zip(&self.statements) {
            let posting = projection.post(connection, statements, events, is_audited, aside);
            changes.extend(posting.await?);
        }
        if let Some(auditing) = &self.auditing {
            auditing.write(connection, &mut changes, turn, aside).await?;
        }
        self.write_changes(connection, &changes).await
    }

    async fn write_changes(&self, connection: &mut PgConnection, changes: &[Change<'_>]) -> Result<(), PostError> {
        if changes.is_empty() {
            return Ok(());
        }
        let failed = |source| PostError::Sql {
            table: sql::CHANGES,
            source,
        };
        if changes.len() >= copy::ROWS_MIN {
            let buffer = copied(changes).map_err(|error| failed(sqlx::Error::Encode(error)))?;
            let sent = match &self.aside {
                Some(aside) => aside.send(sql::CHANGES, &self.copy_changes, buffer).await,
                None => buffer.send(connection, &self.copy_changes).await,
            };
            return sent.map_err(failed);
        }
        sqlx::query(&self.insert_changes)
            .bind(
                changes
                    .iter()
                    .map(|change| change.recorded.tenant_id)
                    .collect::<Vec<_>>(),
            )
            .bind(changes.iter().map(|change| change.table).collect::<Vec<_>>())
            .bind(changes.iter().map(|change| change.key.as_str()).collect::<Vec<_>>())
            .bind(
                changes
                    .iter()
                    .map(|change| change.recorded.position)
                    .collect::<Vec<_>>(),
            )
            .execute(connection)
            .await
            .map_err(failed)?;
        Ok(())
    }
}

fn copied(changes: &[Change<'_>]) -> Result<copy::Buffer, BoxDynError> {
    let mut buffer = copy::Buffer::default();
    for change in changes {
        buffer.row(4);
        buffer.cell(&change.recorded.tenant_id)?;
        buffer.text(change.table)?;
        buffer.cell(&change.key)?;
        buffer.cell(&change.recorded.position)?;
    }
    Ok(buffer)
}

/// All streams that the generation does not post.
pub(crate) async fn parked(
    connection: &mut PgConnection,
    context: &Context,
    generation: i64,
) -> Result<Parked, sqlx::Error> {
    let rows =
        sqlx::query_as("select aggregate_type, aggregate_id from book.parked where context = $1 and generation = $2")
            .bind(context.name)
            .bind(generation)
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().collect::<HashSet<_>>())
}

async fn count_parked(connection: &mut PgConnection, context: &Context, generation: i64) -> Result<usize, sqlx::Error> {
    let count: i64 = sqlx::query_scalar("select count(*) from book.parked where context = $1 and generation = $2")
        .bind(context.name)
        .bind(generation)
        .fetch_one(connection)
        .await?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// Those of the page's streams that the generation does not post.
async fn parked_of(
    connection: &mut PgConnection,
    context: &Context,
    generation: i64,
    page: &Page,
) -> Result<Parked, sqlx::Error> {
    let posted = page
        .events
        .iter()
        .map(|recorded| (recorded.aggregate_type.as_str(), recorded.stream));
    let parks = page
        .parks
        .iter()
        .map(|parking| (parking.stream.0.as_str(), parking.stream.1));
    let (types, ids): (Vec<&str>, Vec<Uuid>) = posted.chain(parks).collect::<BTreeSet<_>>().into_iter().unzip();
    let rows = sqlx::query_as(
        "select p.aggregate_type, p.aggregate_id
         from unnest($3::text[], $4::uuid[]) s(type, id)
         join book.parked p on p.aggregate_type = s.type and p.aggregate_id = s.id
         where p.context = $1 and p.generation = $2",
    )
    .bind(context.name)
    .bind(generation)
    .bind(types)
    .bind(ids)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().collect::<HashSet<_>>())
}

async fn park(
    connection: &mut PgConnection,
    context: &Context,
    generation: i64,
    parking: &Parking,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into book.parked (context, generation, aggregate_type, aggregate_id, tenant_id, position, error)
         values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing",
    )
    .bind(context.name)
    .bind(generation)
    .bind(&parking.stream.0)
    .bind(parking.stream.1)
    .bind(parking.tenant_id)
    .bind(parking.position)
    .bind(&parking.error)
    .execute(connection)
    .await
    .map(|_| ())
}
