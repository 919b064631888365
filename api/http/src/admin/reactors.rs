//! `/v1/admin/reactors`: what follows outside from events of one's own tenant, and what could not be had of it. With the
//! permission `admin.rebuild`, as policies.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use serde_json::json;
use tracing::info;
use uuid::Uuid;

use super::REBUILD;
use crate::app::App;
use crate::auth::By;
use crate::command::headers;
use crate::extract::{self, NoParameters, Parameters, Path};
use crate::problem::{self, Problem};

/// Dead letters on a page, unless it is said how many.
pub const PAGE_LETTERS: i64 = 50;
/// Dead letters on a page at most.
pub const PAGE_LETTERS_MAX: i64 = 200;

/// How far each reactor is, and what of the tenant waits or is dead.
///
/// # Errors
/// [`Problem`].
pub async fn list(State(app): State<App>, by: By, _: NoParameters) -> Result<Response, Problem> {
    by.require(REBUILD)?;
    let reactors = reactors::progress(&app.pools.writer, Some(by.tenant)).await?;
    Ok(Json(json!({ "reactors": reactors })).into_response())
}

/// The tenant's dead letters of a reactor, in the book's order.
///
/// # Errors
/// [`Problem`]; 404 for a reactor that does not exist.
pub async fn letters(
    State(app): State<App>,
    by: By,
    Path(reactor): Path<String>,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    by.require(REBUILD)?;
    let reactor = named(&app, &reactor)?;
    let limit = parameters.limit(PAGE_LETTERS, PAGE_LETTERS_MAX)?;
    let after = parameters.take("after")?;
    let after = after.map_or(Ok((0, 0)), |text| cursor(&text))?;
    parameters.finish(["limit", "after"])?;
    let pool = &app.pools.writer;
    let mut letters = reactors::letters(pool, reactor, Some(by.tenant), after, limit + 1).await?;
    let has_more = i64::try_from(letters.len()).is_ok_and(|found| found > limit);
    letters.truncate(usize::try_from(limit).unwrap_or_default());
    let last = letters.last().filter(|_| has_more);
    let next = last.map(|letter| format!("{}-{}", letter.position, letter.place));
    Ok(Json(json!({ "letters": letters, "next": next })).into_response())
}

/// Has one of the tenant's dead letters tried again.
///
/// # Errors
/// [`Problem`]; 404 where there is no such reactor, or no such dead letter of the tenant.
pub async fn retry_one(
    State(app): State<App>,
    by: By,
    Path((reactor, letter)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    by.require(REBUILD)?;
    headers::no_dry_run(&headers)?;
    let reactor = named(&app, &reactor)?;
    let id = extract::uuid("letter", &letter)?;
    match sent_again(&app, &by, reactor, Some(&[id])).await? {
        0 => Err(Problem::not_found(format!("dead letter {id} of {reactor}"))),
        again => Ok(Json(json!({ "reactor": reactor, "again": again })).into_response()),
    }
}

/// Has all of the tenant's dead letters of a reactor tried again.
///
/// # Errors
/// [`Problem`]; 404 for a reactor that does not exist.
pub async fn retry(
    State(app): State<App>,
    by: By,
    Path(reactor): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    by.require(REBUILD)?;
    headers::no_dry_run(&headers)?;
    let reactor = named(&app, &reactor)?;
    let again = sent_again(&app, &by, reactor, None).await?;
    Ok(Json(json!({ "reactor": reactor, "again": again })).into_response())
}

async fn sent_again(app: &App, by: &By, reactor: &'static str, ids: Option<&[Uuid]>) -> Result<u64, Problem> {
    let again = reactors::retry(&app.pools.writer, reactor, Some(by.tenant), ids).await?;
    let again = again.unwrap_or_default();
    info!(reactor, again, by = %by.user, "dead letters were sent again");
    Ok(again)
}

fn named(app: &App, name: &str) -> Result<&'static str, Problem> {
    let known = app.contexts.reactor(name);
    known
        .map(|known| known.name)
        .map_err(|names| Problem::not_found(format!("reactor {name:?}")).allowed(names))
}

/// Where a page ended: position and place of its last letter.
fn cursor(text: &str) -> Result<(i64, i32), Problem> {
    let read = text
        .split_once('-')
        .and_then(|(position, place)| Some((position.parse().ok()?, place.parse().ok()?)));
    read.ok_or_else(|| {
        let detail = "after must be the `next` of the page before";
        Problem::new(problem::BAD_VALUE, detail).field("after")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_goes_on_where_the_one_before_says() {
        assert_eq!(cursor("12-3").ok(), Some((12, 3)));
        for wrong in ["", "12", "12-", "-3", "a-b", "12-3-4", "99999999999999999999-1"] {
            assert_eq!(cursor(wrong).unwrap_err().body()["field"], "after", "{wrong}");
        }
    }
}
