//! Every route, and what every request goes through.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use futures::FutureExt as _;
use tracing::{Instrument as _, debug, field, info_span};
use uuid::Uuid;

use crate::app::App;
use crate::auth::{By, Caller};
use crate::command::body::BODY_BYTES_MAX;
use crate::command::headers::DAYBOOK_DRY_RUN;
use crate::context::{Contexts, Route};
use crate::extract::{self, Parameters, Path};
use crate::problem::{self, Problem};
use crate::security::Watched;
use crate::{admin, audit, command, docs, health, lent, me, methods, openapi, outgoing, permissions, query};

/// How long a request may take, its body included, in seconds. Longer than an append is tried.
pub const REQUEST_SECONDS_MAX: u64 = 30;
/// Length of an X-Request-Id that is kept.
pub const REQUEST_ID_CHARS_MAX: usize = 128;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The routes of a process. Health belongs to every one, so that a load balancer finds it; metrics unless they have a
/// listener of their own.
pub fn router(app: App, has_metrics: bool) -> Router {
    let mut router = looked_at(has_metrics);
    if app.serves_api {
        let (patient, brief): (Vec<Route>, Vec<Route>) = routes(&app.contexts)
            .into_iter()
            .partition(|route| route.waits_seconds > 0);
        let added = |router: Router<App>, route: Route| {
            let takes_parameters = route.takes_parameters;
            let heeded = move |request, next| heeded(takes_parameters, request, next);
            let methods = route.methods.route_layer(middleware::from_fn(heeded));
            router.route(route.path, methods)
        };
        let brief = brief.into_iter().fold(docs::docs(), added);
        router = router.merge(brief.layer(middleware::from_fn(bounded)));
        for route in patient {
            let seconds = route.waits_seconds + REQUEST_SECONDS_MAX;
            let waiting = added(Router::new(), route);
            router = router.merge(waiting.layer(middleware::from_fn(move |request, next| {
                patiently(seconds, request, next)
            })));
        }
    }
    finished(router, app)
}

/// The routes for those who look after a process: what a listener of their own serves.
pub fn of_health(app: App) -> Router {
    finished(looked_at(true), app)
}

fn looked_at(has_metrics: bool) -> Router<App> {
    let router = Router::new()
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready));
    match has_metrics {
        true => router.route("/metrics", get(health::metrics)),
        false => router,
    }
}

fn finished(router: Router<App>, app: App) -> Router {
    let routes = routes(&app.contexts).into_iter();
    let secret: Secret = Arc::new(routes.filter(|route| route.is_secret).map(|route| route.path).collect());
    router
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(middleware::from_fn_with_state(app.clone(), methods::heeded))
        .layer(middleware::from_fn_with_state((app.clone(), secret), observed))
        .with_state(app)
}

/// The routes of the API: those of every context, and those of the contexts. A test finds each of them in the OpenAPI
/// document.
#[must_use]
pub fn routes(contexts: &Contexts) -> Vec<Route> {
    let mut routes = fixed();
    for context in contexts.iter() {
        routes.extend((context.routes)());
        routes.extend(context.queries.iter().map(|&named| {
            let list = move |app: State<App>,
                             by: By,
                             words: Path<BTreeMap<String, String>>,
                             headers: HeaderMap,
                             parameters: Parameters| {
                query::named::list(named, app, by, words, headers, parameters)
            };
            Route::new(named.address, get(list))
        }));
    }
    routes
}

/// The words behind `/v1/` with which routes begin that belong to no context.
pub fn own_words() -> impl Iterator<Item = &'static str> {
    let words = fixed().into_iter().filter_map(|route| route.path.split('/').nth(2));
    words.filter(|word| !word.starts_with('{'))
}

fn fixed() -> Vec<Route> {
    [
        (methods::KIND, get(query::list).post(command::create)),
        (methods::ROW, get(query::row)),
        (methods::BELOW, get(query::below).post(command::send)),
        ("/v1/me", get(me::show)),
        ("/v1/permissions", get(permissions::list)),
        ("/v1/events", get(audit::events::list)),
        ("/v1/events/stream", get(audit::live::follow)),
        ("/v1/events/types", get(audit::types::list)),
        ("/v1/events/{position}", get(audit::events::one)),
        ("/v1/streams/{context}/{aggregate}/{id}", get(audit::stream::list)),
        (
            "/v1/streams/{context}/{aggregate}/{id}/state",
            get(audit::stream::state),
        ),
        (
            "/v1/streams/{context}/{aggregate}/{id}/commands",
            get(command::offers::list),
        ),
        ("/v1/commands/{command_id}/tree", get(audit::causes::tree)),
        ("/v1/admin/rebuild/{context}", post(admin::start).get(admin::progress)),
        ("/v1/admin/parked", get(admin::parked)),
        ("/v1/admin/unpark", post(admin::unpark)),
        ("/v1/admin/policies", get(admin::policies)),
        ("/v1/admin/policies/{policy}/retry", post(admin::retry)),
        ("/v1/admin/reactors", get(admin::reactors::list)),
        ("/v1/admin/reactors/{reactor}/retry", post(admin::reactors::retry)),
        ("/v1/admin/reactors/{reactor}/letters", get(admin::reactors::letters)),
        (
            "/v1/admin/reactors/{reactor}/letters/{letter}/retry",
            post(admin::reactors::retry_one),
        ),
        (openapi::ADDRESS, get(openapi::serve)),
        ("/problems/{kind}", get(problem::known::kind)),
        ("/problems/{aggregate_type}/{rule}", get(problem::known::rule)),
    ]
    .into_iter()
    .map(|(path, methods)| Route::new(path, methods))
    .collect()
}

async fn no_route(request: Request) -> Problem {
    let shown = request.extensions().get::<Shown>();
    let path = shown.map_or_else(|| request.uri().path(), |Shown(path)| path);
    Problem::not_found(format!("route {path}; /v1/openapi.json lists those that there are"))
}

async fn no_method(request: Request) -> Problem {
    Problem::new(problem::METHOD, problem::not_allowed(request.method()))
}

/// Refuses what would go unheeded: a dry run that is asked for in the wrong place would be carried out.
async fn heeded(takes_parameters: bool, request: Request, next: Next) -> Response {
    if request.headers().contains_key(header::TRAILER) {
        let detail = "what follows a body is not read; send it as a header, and leave Trailer out";
        return Problem::new(problem::MALFORMED, detail)
            .field("Trailer")
            .into_response();
    }
    if request.method() == Method::POST
        && !takes_parameters
        && let Err(problem) = extract::no_parameters(request.uri())
    {
        return problem.into_response();
    }
    next.run(request).await
}

/// Refuses what is too large for anybody, and ends what takes too long. How much may be under way, and of whom, is
/// seen to where it is known who asks.
async fn bounded(request: Request, next: Next) -> Response {
    if content_length(request.headers()).is_some_and(|length| length > BODY_BYTES_MAX as u64) {
        return Problem::new(
            problem::TOO_LARGE,
            format!("the body is larger than {BODY_BYTES_MAX} bytes"),
        )
        .into_response();
    }
    match tokio::time::timeout(Duration::from_secs(REQUEST_SECONDS_MAX), next.run(request)).await {
        Ok(response) => response,
        // A command goes on without its client, so a repeat with the same key will get its answer.
        Err(_) => {
            let detail = format!(
                "the request took longer than {REQUEST_SECONDS_MAX} s; repeat a command with the same Idempotency-Key"
            );
            Problem::new(problem::UNAVAILABLE, detail).into_response()
        }
    }
}

/// The routes whose paths are written nowhere.
type Secret = Arc<BTreeSet<&'static str>>;

/// The path of a request as it may be shown.
#[derive(Debug, Clone)]
struct Shown(String);

impl Shown {
    /// Of what lies under a secret route, also where no route is, the path of that one.
    fn of(path: &str, secret: &Secret) -> Self {
        let is_under = |route: &&&str| {
            let open = route.split('{').next().unwrap_or_default();
            path.len() > open.len() && path.starts_with(open)
        };
        Self(secret.iter().find(is_under).map_or(path, |route| route).to_owned())
    }
}

/// The outermost layer: an id for the request, a span, metrics, every error as a problem, and what becomes of a body that
/// nobody read.
async fn observed(State((app, secret)): State<(App, Secret)>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(request.headers());
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("(none)".to_owned(), |route| route.as_str().to_owned());
    let shown = Shown::of(request.uri().path(), &secret);
    let path = shown.0.clone();
    request.extensions_mut().insert(shown);
    let span = info_span!(
        "request",
        id,
        %method,
        path,
        tenant = field::Empty,
        actor = field::Empty,
        command_id = field::Empty,
        correlation_id = field::Empty
    );
    // What a command has done is told in any case; one that is rehearsed has done nothing.
    let only_tells = method == Method::GET || request.headers().contains_key(DAYBOOK_DRY_RUN);
    let caller = Caller::default();
    request.extensions_mut().insert(caller.clone());
    let watched = Watched::of(&request, caller.clone());
    let (request, rest) = lent::lend(request);
    let handled = AssertUnwindSafe(next.run(request))
        .catch_unwind()
        .instrument(span.clone())
        .await;
    let seconds = started.elapsed().as_secs_f64();
    let mut response = {
        let _entered = span.enter();
        handled.unwrap_or_else(|panic| Problem::internal(&panicked(&*panic)).into_response())
    };
    if only_tells {
        let counted = outgoing::counted(response, &app.bounds.answers, &caller).await;
        response = counted.unwrap_or_else(|problem| problem.into_response());
    }
    if response.status().is_client_error() || response.status().is_server_error() {
        response = as_problem(response, &path, &id);
        watched.answered(&route, &id, &response);
    }
    if response.status() == StatusCode::TOO_MANY_REQUESTS
        && let Some(bearer) = caller.get()
    {
        app.rates.hold_back(bearer, &app.stop).await;
    }
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
        .headers_mut()
        .insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if path.starts_with("/v1/") && !response.headers().contains_key(header::CACHE_CONTROL) {
        // Rows and events are somebody's, and a moment later they may be others.
        let no_store = HeaderValue::from_static("no-store");
        response.headers_mut().insert(header::CACHE_CONTROL, no_store);
    }
    rest.settle(&mut response).await;
    let status = response.status();
    span.in_scope(|| debug!(status = status.as_u16(), seconds, "answered"));
    let code = status.as_str().to_owned();
    let measured = metrics::histogram!(
        "daybook_http_seconds", "method" => method_label(&method), "route" => route, "status" => code
    );
    measured.record(seconds);
    response
}

/// The method as metrics name it: a client that invents methods must not make a series of each.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

/// Ends what takes longer than it may wait and a brief request may take. How many wait is bounded where they do.
async fn patiently(seconds: u64, request: Request, next: Next) -> Response {
    match tokio::time::timeout(Duration::from_secs(seconds), next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail = format!("the request took longer than {seconds} s; try again in a moment");
            Problem::new(problem::UNAVAILABLE, detail).into_response()
        }
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The caller's id for the request, if it is one to keep; a new one else.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let kept = given
        .filter(|id| (1..=REQUEST_ID_CHARS_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()));
    kept.map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

/// The answer as a problem of this request, also when axum or a layer made it.
fn as_problem(mut response: Response, path: &str, id: &str) -> Response {
    let problem = response.extensions_mut().remove::<Problem>();
    let is_health = path.starts_with("/health/");
    let problem = match problem {
        Some(problem) => problem,
        // A process that is not ready says why in words of its own, and so does who speaks another protocol.
        None if is_health || response.extensions().get::<problem::InOthersWords>().is_some() => return response,
        None => Problem::of_status(response.status()),
    };
    // A router says it beside the problem that its fallback makes.
    let allow = response.headers_mut().remove(header::ALLOW);
    let problem = match allow.filter(|_| problem.status == StatusCode::METHOD_NOT_ALLOWED) {
        Some(allow) => problem.allow(allow),
        None => problem,
    };
    problem.of_request(path, Some(id)).into_response().map(Body::new)
}

fn panicked(panic: &(dyn Any + Send)) -> String {
    let message = panic.downcast_ref::<&str>().map(|message| (*message).to_owned());
    let message = message.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("a handler panicked: {}", message.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invented_method_is_measured_as_other() {
        let invented = Method::from_bytes(b"X-7F3A9C").unwrap();
        assert_eq!(method_label(&invented), "OTHER");
        assert_eq!(method_label(&Method::POST), "POST");
    }
}
