//! `POST /v1/dod/webhooks/{token}`: takes what senders of alerts send. What is answered 202 is in the book; what is meant by
//! it is found out afterwards.

use std::net::SocketAddr;

use axum::Json;
use axum::extract::{ConnectInfo, Extension, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use book::{Envelope, ExecuteError, Step};
use bytes::Bytes;
use chrono::{DateTime, SubsecRound as _, Utc};
use dod::delivery::{
    BODY_BYTES_MAX, BODY_WRITTEN_BYTES_MAX, Body as Written, Command, Delivery, Enclosed, HEADERS_BYTES_MAX,
    HEADERS_MAX,
};
use dod::source::Overload;
use dod_formats::KEPT_HEADERS;
use domain::object::ObjectRef;
use domain::{SYSTEM, Standing};
use http::App;
use http::auth::Caller;
use http::bounds::StoredBytes;
use http::command::headers::no_dry_run;
use http::extract::{Body, Path};
use http::problem::{self, Problem};
use objects::{Objects, Sealing};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::refused::{Reason, Refusals};
use crate::room::{Kept, Room};
use crate::senders::{self, Sender, Senders};
use crate::signed;

/// Its address.
pub const ADDRESS: &str = "/v1/dod/webhooks/{token}";
/// The same, as Prometheus makes an address of its own of it: it takes Daybook for an Alertmanager.
pub const ADDRESS_OF_PROMETHEUS: &str = "/v1/dod/webhooks/{token}/api/v2/alerts";
/// The parameter that names the receiver.
pub const RECEIVER_IM: &str = "receiver_im";
/// How long a sender waits that is to send again, in seconds.
const RETRY_SECONDS: u64 = 5;
/// The same while its tenant keeps no more bodies, which passes in hours rather than seconds.
const FULL_RETRY_SECONDS: u64 = 60;

/// Takes a body.
///
/// # Errors
/// [`Problem`]: 401 for a token or signature that is not good, 413, 415 and 400 for a body that cannot be one; 503 or 429, as
/// its sender understands it, when there is no room.
pub async fn receive(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(token): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let sender = app.of::<Senders>()?.of(&app.book, peer.ip(), &token).await?;
    let came = Came {
        peer,
        uri: &uri,
        headers: &headers,
    };
    let taken = take(&app, &caller, &sender, &came, body).await?;
    let told = json!({ "status": "accepted", "delivery_id": taken.id, "position": taken.position });
    Ok((StatusCode::ACCEPTED, Json(told)).into_response())
}

/// What came with a body.
#[derive(Debug, Clone, Copy)]
pub struct Came<'a> {
    pub peer: SocketAddr,
    pub uri: &'a Uri,
    pub headers: &'a HeaderMap,
}

/// A body that is in the book.
#[derive(Debug, Clone, Copy)]
pub struct Taken {
    pub id: Uuid,
    pub position: i64,
}

/// Reads a body and takes it in.
///
/// # Errors
/// As [`receive`].
async fn take(app: &App, caller: &Caller, sender: &Sender, came: &Came<'_>, body: Body) -> Result<Taken, Problem> {
    let bearer = sender.bearer();
    caller.set(bearer);
    let refusals = app.of::<Refusals>()?;
    let as_understood = |problem: Problem| overloaded(sender, problem);
    app.rates.check(bearer).map_err(as_understood)?;
    let _place = app.bounds.places.take(bearer, 1).map_err(as_understood)?;
    let content_type = text(came.headers, header::CONTENT_TYPE.as_str());
    if let Err(unreadable) = dod_formats::kind(content_type.as_deref()) {
        refusals.note(sender, Reason::MediaType);
        return Err(Problem::new(problem::MEDIA_TYPE, unreadable.to_string()));
    }
    let read = body.read_of(app, bearer, BODY_BYTES_MAX).await.map_err(|problem| {
        if problem.status == StatusCode::PAYLOAD_TOO_LARGE {
            refusals.note(sender, Reason::TooLarge);
        }
        overloaded(sender, problem)
    })?;
    accept(app, sender, came, &read, Utc::now()).await
}

/// Takes in a body that was read, and came then.
///
/// # Errors
/// As [`receive`].
pub async fn accept(
    app: &App,
    sender: &Sender,
    came: &Came<'_>,
    body: &[u8],
    now: DateTime<Utc>,
) -> Result<Taken, Problem> {
    let headers = came.headers;
    // To take it in all the same would be the worst answer to whoever tries out how to send.
    no_dry_run(headers)?;
    let refusals = app.of::<Refusals>()?;
    let (query, receiver_im) = query(came.uri)?;
    if body.is_empty() && query.is_empty() {
        refusals.note(sender, Reason::Empty);
        let detail = "the body is empty; send the alert as JSON, or its fields as a form or in the query";
        return Err(Problem::new(problem::MALFORMED, detail));
    }
    if let Err(problem) = signed::check(app, sender, headers, body, now).await {
        refusals.note(sender, Reason::Signature);
        return Err(problem);
    }
    let kept = kept_of(app, sender)?;
    if kept == Kept::NotYet {
        refusals.note(sender, Reason::Full);
        return Err(full(sender));
    }
    let is_brief = kept == Kept::Briefly;
    let enclosed = Enclosed {
        content_type: text(headers, header::CONTENT_TYPE.as_str()),
        headers: kept_headers(headers),
        query,
        receiver_im,
        // As exact as tables keep it: it is compared with what they have.
        received_at: now.trunc_subsecs(6),
    };
    let id = Uuid::now_v7();
    let (written, object) = content(app, sender, id, body, is_brief).await?;
    let command = Command::Receive {
        source_id: sender.source_id,
        token_id: sender.token_id,
        enclosed,
        body: written,
        object,
        sha256: hex::encode(Sha256::digest(body)),
        bytes: body.len() as u64,
        is_brief,
    };
    let envelope = Envelope {
        ip: Some(came.peer.ip().to_canonical().to_string()),
        traceparent: text(headers, "traceparent"),
        ..Envelope::once(sender.tenant, SYSTEM, now)
    };
    let step = Step::of::<Delivery>(id, None, command);
    match app.book.execute(envelope, vec![step]).await {
        Ok(answer) => Ok(Taken {
            id,
            position: answer.position,
        }),
        Err(ExecuteError::Suspended) => Err(active(app, sender).await.err().unwrap_or_else(suspended)),
        Err(error) => Err(overloaded(sender, error.into())),
    }
}

/// Refuses what is sent to a tenant that is not active. Of one that is deleted no token is good any more.
async fn active(app: &App, sender: &Sender) -> Result<(), Problem> {
    match app.book.standing(sender.tenant).await? {
        Standing::Active => Ok(()),
        Standing::Suspended => Err(suspended()),
        Standing::Deleted => Err(senders::unknown()),
    }
}

/// It may be active again before the sender gives up.
fn suspended() -> Problem {
    Problem::new(problem::UNAVAILABLE, "the tenant is suspended; send it again later").retry_after(RETRY_SECONDS)
}

/// What becomes of a body, by how much its tenant keeps already.
fn kept_of(app: &App, sender: &Sender) -> Result<Kept, Problem> {
    let max = app.of::<StoredBytes>()?.of_tenant_max;
    let fill = app.of::<Room>()?.fill(sender.tenant, max);
    Ok(Kept::of(fill, sender.source.overload()))
}

/// Where the bytes go: into the event, or into the object store before it, where they can be removed again.
async fn content(
    app: &App,
    sender: &Sender,
    id: Uuid,
    body: &[u8],
    is_brief: bool,
) -> Result<(Option<Written>, Option<ObjectRef>), Problem> {
    let written = Written::of(body);
    if !is_brief && written.written_bytes() <= BODY_WRITTEN_BYTES_MAX {
        return Ok((Some(written), None));
    }
    // Nothing is stored whose event would be refused.
    active(app, sender).await?;
    let objects = app.of::<Objects>()?;
    let sealing = Sealing::Sealed {
        key: Uuid::new_v5(&id, b"body"),
        owner: id,
    };
    let stored = objects.put(sender.tenant, Bytes::copy_from_slice(body), sealing).await;
    let refusals = app.of::<Refusals>()?;
    let stored = stored.map_err(|error| {
        refusals.note(sender, Reason::Unstored);
        tracing::debug!(%error, "a body could not be stored");
        Problem::new(problem::UNAVAILABLE, "the body cannot be stored now; send it again").retry_after(RETRY_SECONDS)
    })?;
    Ok((None, Some(stored)))
}

/// A refusal for want of room, or because a server does not answer, with the status that the sender understands: one that
/// drops what is answered 429 is never told that.
fn overloaded(sender: &Sender, problem: Problem) -> Problem {
    let is_want = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&problem.status);
    if !is_want {
        return problem;
    }
    let detail = match problem.is_of(problem::UNAVAILABLE) {
        true => problem.detail().to_owned(),
        false => "there is no room for more of this source now; send it again".to_owned(),
    };
    let kind = match (problem.is_of(problem::UNAVAILABLE), sender.source.overload()) {
        (true, Overload::Retry5xx | Overload::AlwaysTake) => problem::UNAVAILABLE,
        (_, _) => want(sender),
    };
    Problem::new(kind, detail).retry_after(RETRY_SECONDS)
}

/// The tenant keeps as many bytes of bodies as it may.
fn full(sender: &Sender) -> Problem {
    let detail = "the bodies that this tenant keeps take up all the room that they may; send it again later, and have bodies kept \
                  for less time, or more of them";
    Problem::new(want(sender), detail).retry_after(FULL_RETRY_SECONDS)
}

/// What a want of room is called.
fn want(sender: &Sender) -> &'static problem::Kind {
    match sender.source.overload() {
        Overload::Retry429 => problem::TOO_MANY,
        Overload::Retry5xx | Overload::AlwaysTake => problem::OVERLOADED,
    }
}

/// Parameters, and the receiver that one of them names.
type Named = (Vec<(String, String)>, Option<String>);

/// The parameters, and the receiver that they name.
fn query(uri: &Uri) -> Result<Named, Problem> {
    let axum::extract::Query(mut query) = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri)?;
    let named = query.iter().position(|(name, _)| name == RECEIVER_IM);
    let receiver_im = named.map(|at| query.remove(at).1);
    if let Some(receiver_im) = &receiver_im {
        dod::receiver::check_receiver_im(receiver_im)
            .map_err(|unfit| Problem::bad_value(RECEIVER_IM, format!("{RECEIVER_IM} {unfit}")))?;
    }
    let bytes: usize = query.iter().map(|(name, value)| name.len() + value.len()).sum();
    if query.len() > HEADERS_MAX / 2 || bytes > HEADERS_BYTES_MAX / 2 {
        let detail = "there are too many parameters; send them as a form or as JSON";
        return Err(Problem::new(problem::MALFORMED, detail));
    }
    Ok((query, receiver_im))
}

/// The headers that say something of alerts, as far as there is room.
fn kept_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let mut bytes = 0;
    let names = KEPT_HEADERS.iter();
    let pairs = names.filter_map(|&name| Some((name.to_owned(), text(headers, name)?)));
    let fits = |(name, value): &(String, String)| {
        bytes += name.len() + value.len();
        bytes <= HEADERS_BYTES_MAX / 2
    };
    pairs.take_while(fits).take(HEADERS_MAX / 2).collect()
}

/// The value of a header, if it is a text.
#[must_use]
pub fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}
