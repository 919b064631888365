//! `POST /v1/dod/v2/enqueue`: what speaks the Events API of PagerDuty sends here, a token in the place of its routing key.

use std::net::SocketAddr;

use axum::Json;
use axum::extract::{ConnectInfo, Extension, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use chrono::Utc;
use dod_formats::pagerduty;
use http::App;
use http::auth::Caller;
use http::auth::token::Bearer;
use http::extract::Body;
use http::problem::{InOthersWords, Problem};
use serde_json::json;
use uuid::Uuid;

use crate::refused::{Reason, Refusals};
use crate::senders::{self, Senders};
use crate::webhooks::{self, Came};

/// Its address.
pub const ADDRESS: &str = "/v1/dod/v2/enqueue";
/// Bytes of an event, as PagerDuty has it.
pub const EVENT_BYTES_MAX: usize = 512 << 10;
/// Who all are as long as nobody knows who sends: together they take no more room than a tenant.
const STRANGERS: Uuid = Uuid::nil();

/// Takes an event.
///
/// # Errors
/// [`Problem`]; what is wrong with the event itself is said as PagerDuty says it.
pub async fn receive(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    // The body says who sends, so it is read for a stranger: all such requests share one part of the room, and those from
    // one address a part of that.
    let stranger = Bearer {
        tenant: STRANGERS,
        ..senders::stranger(peer.ip())
    };
    let _place = app.bounds.places.take(stranger, 1)?;
    let read = body.read_of(&app, stranger, EVENT_BYTES_MAX).await?;
    // The same for the key that is made here and in what is recognised of the event.
    let now = Utc::now();
    let accepted = match pagerduty::check(&read, now) {
        Ok(accepted) => accepted,
        Err(errors) => {
            // Whoever it was is answered so, and a source hears of it.
            if let Some(routing_key) = pagerduty::routing_key(&read)
                && let Ok(sender) = app.of::<Senders>()?.of(&app.book, peer.ip(), &routing_key).await
            {
                app.of::<Refusals>()?.note(&sender, Reason::Invalid);
            }
            let told = json!({ "status": "invalid event", "message": "Event object is invalid", "errors": errors });
            return Ok((StatusCode::BAD_REQUEST, Extension(InOthersWords), Json(told)).into_response());
        }
    };
    let senders = app.of::<Senders>()?;
    let sender = senders.of(&app.book, peer.ip(), &accepted.routing_key).await?;
    caller.set(sender.bearer());
    app.rates.check(sender.bearer())?;
    let came = Came {
        peer,
        uri: &uri,
        headers: &headers,
    };
    webhooks::accept(&app, &sender, &came, &read, now).await?;
    let told = json!({ "status": "success", "message": "Event processed", "dedup_key": accepted.dedup_key });
    Ok((StatusCode::ACCEPTED, Json(told)).into_response())
}
