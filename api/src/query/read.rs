//! Runs a query as `daybook_reader`, seeing one tenant.

use sqlx::postgres::PgRow;
use sqlx::{PgPool, Postgres, QueryBuilder};
use uuid::Uuid;

use crate::problem::{self, Problem};

/// For which values a statement is planned.
#[derive(Debug, Clone, Copy)]
pub enum Plan {
    /// Those at hand: which index serves a query depends on which filter is the selective one.
    OfValues,
    /// Any, and so only now and then: one plan is right for all, as a test of the plans has found.
    OfStatement,
}

/// How often a statement is tried that a swap of generations broke.
const SWAPS_MAX: usize = 3;

/// The rows of a query. It runs to its end even if the client hangs up, so that no connection goes
/// back to the pool with a transaction open.
///
/// # Errors
/// 503 when the database does not answer or the query takes too long.
pub async fn rows<B>(pool: &PgPool, tenant: Uuid, plan: Plan, build: B) -> Result<Vec<PgRow>, Problem>
where
    B: Fn() -> QueryBuilder<'static, Postgres> + Send + 'static,
{
    let pool = pool.clone();
    let reading = async move {
        let mut tried = 1;
        loop {
            match once(&pool, tenant, plan, build()).await {
                Err(error) if tried < SWAPS_MAX && met_a_swap(&error) => tried += 1,
                outcome => return outcome,
            }
        }
    };
    let read = tokio::spawn(reading).await.map_err(|error| Problem::internal(&error))?;
    read.map_err(|error| match code(&error).as_deref() {
        Some("57014") => Problem::new(
            problem::OVERLOADED,
            "the query took too long; ask for less, or by another column",
        ),
        // Before a projector made the first generation.
        Some("42P01" | "3F000") => {
            Problem::new(problem::NOT_YET_POSTED, "the tables of this context are not there yet")
        }
        // Before the tables of a former version are replaced; names of columns are never a client's.
        Some("42703") => Problem::new(
            problem::NOT_YET_POSTED,
            "the tables of this context are a former version's, and are being rebuilt",
        ),
        _ => error.into(),
    })
}

async fn once(
    pool: &PgPool,
    tenant: Uuid,
    plan: Plan,
    mut query: QueryBuilder<'static, Postgres>,
) -> Result<Vec<PgRow>, sqlx::Error> {
    let mode = match plan {
        Plan::OfValues => "force_custom_plan",
        Plan::OfStatement => "force_generic_plan",
    };
    // Row-level security asks for the tenant.
    let begin = format!(
        "begin read only; select set_config('daybook.tenant', '{tenant}', true), set_config('plan_cache_mode', '{mode}', true)"
    );
    let mut transaction = pool.begin_with(begin).await?;
    let rows = query.build().fetch_all(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(rows)
}

/// What a statement can meet while schemas are renamed: a plan whose columns changed, a table or
/// schema that is not there for an instant, a tuple of the catalog that was updated.
fn met_a_swap(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| ["0A000", "42P01", "3F000", "XX000"].contains(&code.as_str()))
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(std::borrow::Cow::into_owned)
}
