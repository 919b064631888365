//! `/v1/admin`: rebuilding contexts, which is an operator's, since it concerns every tenant; and of one's own tenant
//! un-parking streams, what policies have missed and what reactors could not do, with the permission `admin.rebuild`.

pub mod reactors;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use projections::{Context, park, rebuild};
use serde::Deserialize;
use serde_json::json;
use tracing::{info, warn};
use uuid::Uuid;

use crate::app::App;
use crate::auth::{By, Operator};
use crate::command::{body, headers};
use crate::extract::{Body, NoParameters, Path};
use crate::problem::{self, Problem};

/// Needed for what concerns one tenant here.
pub const REBUILD: &str = "admin.rebuild";

fn named(app: &App, name: &str) -> Result<&'static Context, Problem> {
    let names = app.contexts.tables().map(|context| context.name);
    let context = app.contexts.tables_of(name);
    context.ok_or_else(|| Problem::not_found(format!("context {name:?} with tables")).allowed(names))
}

/// Starts a rebuild in the background.
///
/// # Errors
/// [`Problem`]; 409 when one is under way in this process.
pub async fn start(
    State(app): State<App>,
    by: Operator,
    Path(context): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    headers::no_dry_run(&headers)?;
    let context = named(&app, &context)?;
    if !app.rebuilds.begin(context) {
        return Err(Problem::new(
            problem::BUSY,
            format!(
                "{name} is being rebuilt already; GET /v1/admin/rebuild/{name} tells how far it is",
                name = context.name
            ),
        ));
    }
    info!(context = context.name, by = %by.bearer.user, "a rebuild was asked for");
    let running = app.clone();
    tokio::spawn(async move {
        let rebuilding = running.clone();
        let outcome = tokio::spawn(async move {
            let progressed = |progress| rebuilding.rebuilds.progress(context, progress);
            rebuild::rebuild(&rebuilding.pools, &rebuilding.tail.clone(), context, false, &progressed).await
        });
        let outcome = outcome.await.map_err(|error| format!("it ended in a defect: {error}"));
        let error = match &outcome {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(defect) => Some(defect.clone()),
        };
        if let Some(error) = error {
            warn!(
                context = context.name,
                error, "the rebuild failed; the live tables stay"
            );
        }
        match outcome {
            Ok(outcome) => running.rebuilds.end(context, &outcome),
            Err(defect) => running.rebuilds.broke(context, defect),
        }
    });
    let mut response = (
        StatusCode::ACCEPTED,
        Json(json!({ "context": context.name, "state": "running" })),
    )
        .into_response();
    let location = HeaderValue::try_from(format!("/v1/admin/rebuild/{}", context.name)).ok();
    response
        .headers_mut()
        .extend(location.map(|location| (header::LOCATION, location)));
    Ok(response)
}

/// How far the latest rebuild is; it counts rows of all tenants.
///
/// # Errors
/// [`Problem`]; 404 when this process has not rebuilt the context.
pub async fn progress(
    State(app): State<App>,
    _by: Operator,
    Path(context): Path<String>,
    _: NoParameters,
) -> Result<Response, Problem> {
    let context = named(&app, &context)?;
    let rebuild = app.rebuilds.of(context);
    let rebuild = rebuild.ok_or_else(|| Problem::not_found(format!("rebuild of {} in this process", context.name)))?;
    Ok(Json(rebuild).into_response())
}

/// How far each policy is, and of the tenant: its timers, and what it could not do.
///
/// # Errors
/// [`Problem`].
pub async fn policies(State(app): State<App>, by: By, _: NoParameters) -> Result<Response, Problem> {
    by.require(REBUILD)?;
    let policies = book::policy::missed::progress(&app.pools.writer, Some(by.tenant)).await?;
    Ok(Json(json!({ "policies": policies })).into_response())
}

/// Has a policy react again to what it could not react to of the tenant.
///
/// # Errors
/// [`Problem`]; 404 for a policy that does not exist.
pub async fn retry(
    State(app): State<App>,
    by: By,
    Path(policy): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    by.require(REBUILD)?;
    headers::no_dry_run(&headers)?;
    let known = || app.contexts.decisions().policies().into_iter();
    let Some(policy) = known().find(|known| known.name() == policy) else {
        let names = known().map(domain::Policy::name);
        return Err(Problem::not_found(format!("policy {policy:?}")).allowed(names));
    };
    let (pool, tenant) = (&app.pools.writer, Some(by.tenant));
    let made_good = book::policy::missed::retry(pool, &app.book, &app.tail.clone(), policy, tenant).await?;
    info!(policy = policy.name(), made_good, by = %by.user, "what the policy had missed was tried again");
    Ok(Json(json!({ "policy": policy.name(), "made_good": made_good })).into_response())
}

/// The tenant's streams that are parked, all contexts together.
///
/// # Errors
/// [`Problem`].
pub async fn parked(State(app): State<App>, by: By, _: NoParameters) -> Result<Response, Problem> {
    by.require(REBUILD)?;
    let mut streams = Vec::new();
    for context in app.contexts.tables() {
        for parked in park::parked(&app.pools.projector, context)
            .await?
            .into_iter()
            .filter(|parked| parked.tenant_id == by.tenant)
        {
            streams.push(json!({
                "context": context.name,
                "aggregate_type": parked.aggregate_type,
                "stream": parked.aggregate_id,
                "position": parked.position,
                "error": parked.error,
                "parked_at": parked.parked_at,
            }));
        }
    }
    Ok(Json(json!({ "parked": streams })).into_response())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unpark {
    context: String,
    /// With `stream`, the one to post again; all of the tenant's without.
    #[serde(default)]
    aggregate_type: Option<String>,
    #[serde(default)]
    stream: Option<Uuid>,
}

/// Posts the tenant's parked streams again, or one of them.
///
/// # Errors
/// [`Problem`].
pub async fn unpark(State(app): State<App>, by: By, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    by.require(REBUILD)?;
    headers::no_dry_run(&headers)?;
    let mut body = body.read(&app, &by, domain::decider::BODY_BYTES_MAX).await?;
    let asked: Unpark = body::typed(body::fields(&headers, &mut body)?)?;
    let context = named(&app, &asked.context)?;
    let mut own = park::parked(&app.pools.projector, context).await?;
    own.retain(|parked| parked.tenant_id == by.tenant);
    let own: Vec<_> = own
        .into_iter()
        .map(|parked| (parked.aggregate_type, parked.aggregate_id))
        .collect();
    if let Some(kind) = &asked.aggregate_type
        && app.contexts.aggregate(kind).is_none()
        && !own.iter().any(|(parked, _)| parked == kind)
    {
        let kinds = app.contexts.decisions().aggregates();
        let problem = Problem::bad_value("aggregate_type", format!("there is no kind of stream {kind:?}"));
        return Err(problem.allowed(kinds.map(|kind| kind.aggregate_type)));
    }
    let wanted = own.iter().filter(|(aggregate_type, stream)| {
        asked
            .aggregate_type
            .as_ref()
            .is_none_or(|wanted| wanted == aggregate_type)
            && asked.stream.is_none_or(|wanted| wanted == *stream)
    });
    let (mut posted, mut still) = (Vec::new(), Vec::new());
    for stream in wanted {
        let outcome = park::unpark(&app.pools.projector, &app.tail.clone(), context, Some(stream)).await?;
        // With it go those that waited for it; what another tenant's did is not told here.
        for posted_now in outcome.posted.iter().filter(|stream| own.contains(stream)) {
            posted.push(json!({ "aggregate_type": posted_now.0, "stream": posted_now.1 }));
        }
        if let Some((_, error)) = outcome.parked.iter().find(|(parked, _)| parked == stream) {
            still.push(json!({ "aggregate_type": stream.0, "stream": stream.1, "error": error }));
        }
    }
    Ok(Json(json!({ "posted": posted, "parked": still })).into_response())
}
