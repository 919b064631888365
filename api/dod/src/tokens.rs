//! `POST /v1/dod/sources/{id}/tokens`: has a token drawn for a source, and shows it this once.

use std::net::SocketAddr;

use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use book::{Envelope, Step};
use chrono::Utc;
use dod::source::{self, Source};
use dod::token::{self, TOKEN_CHARS, Token};
use domain::SYSTEM;
use http::App;
use http::auth::By;
use http::command::headers::{self, Unheeded};
use http::extract::{self, Path};
use http::problem::Problem;
use rand::Rng as _;
use rand::distr::Alphanumeric;
use serde_json::json;
use uuid::Uuid;

/// Its address.
pub const ADDRESS: &str = "/v1/dod/sources/{id}/tokens";
/// Needed to have a token issued.
pub const ISSUE: &str = "dod.source.issue-token";

/// What other commands heed and the issue of a token does not: whoever sends it is told so.
const UNHEEDED: [Unheeded; 3] = [
    (
        "Idempotency-Key",
        headers::IDEMPOTENCY_KEY,
        "a token is shown once and kept by nobody, so a repeat cannot be answered with it (retire a token whose answer did \
         not arrive: webhook_tokens lists those that are good)",
    ),
    (
        "If-Match",
        header::IF_MATCH,
        "a token is issued whatever else happened to the source",
    ),
    (
        "Daybook-Reason",
        headers::DAYBOOK_REASON,
        "the log tells who had a token issued, and for which source",
    ),
];

/// Issues a token. The one before it goes on being good until it is retired, so that senders can be changed one after the
/// other.
///
/// # Errors
/// [`Problem`].
pub async fn issue(
    State(app): State<App>,
    by: By,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    by.require(ISSUE)?;
    headers::no_dry_run(&headers)?;
    headers::none_of(&headers, &UNHEEDED)?;
    let source_id = extract::uuid("id", &id)?;
    let drawn: String = rand::rng()
        .sample_iter(Alphanumeric)
        .take(TOKEN_CHARS)
        .map(char::from)
        .collect();
    let steps = steps(source_id, &drawn, by.user);
    let steps = steps.ok_or_else(|| Problem::internal(&"a token that was drawn is none"))?;
    let envelope = Envelope {
        ip: Some(peer.ip().to_canonical().to_string()),
        ..Envelope::once(by.tenant, SYSTEM, Utc::now())
    };
    let answer = app.book.execute(envelope, steps).await?;
    let token_id = app
        .book
        .now::<Source>(by.tenant, source_id)
        .await?
        .and_then(|source| source.token(&Token::digest(&drawn)));
    let told = json!({
        "token_id": token_id.unwrap_or_else(Uuid::nil),
        "token": drawn,
        "path": format!("/v1/dod/webhooks/{drawn}"),
        "position": answer.position,
    });
    Ok(Json(told).into_response())
}

/// What has to happen for a token to be issued; none of what is no token.
#[must_use]
pub fn steps(source_id: Uuid, token: &str, issued_by: Uuid) -> Option<Vec<Step>> {
    let stream = Token::stream(token)?;
    let issue = source::Command::IssueToken {
        digest: Token::digest(token),
        issued_by,
    };
    Some(vec![
        Step::of::<Source>(source_id, None, issue),
        Step::of::<Token>(stream, None, token::Command::Issue { source_id }),
    ])
}
