//! The rendered page of the API's document at `/docs`, from assets within the program.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{Cursor, Read as _};

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::middleware;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use tokio::sync::OnceCell;
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;
use zip::result::ZipError;

use crate::app::App;
use crate::problem::Problem;

/// Our own page, and the script that begins it.
const PAGE: &str = include_str!("docs/page.html");
const SCRIPT: (&str, &str) = ("page.js", include_str!("docs/page.js"));
/// What the page loads besides, out of the folder of this name in the archive of the program that draws it.
const LOADED: [&str; 3] = ["swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"];
const FOLDER: &str = "/dist/";
/// They change with the program alone.
const CACHED: &str = "public, max-age=3600";

/// Unpacked for the first who asks; all answers share the bytes.
static ASSETS: OnceCell<HashMap<&str, Bytes>> = OnceCell::const_new();

/// The page and its assets. It loads nothing from elsewhere and stands in no other page.
pub fn docs() -> Router<App> {
    Router::new()
        .route("/docs", get(async || Redirect::to("docs/")))
        .route("/docs/", get(async || asset("page.html").await))
        .route("/docs/{name}", get(async |Path(name): Path<String>| asset(&name).await))
        .layer(middleware::map_response(alone))
}

async fn asset(name: &str) -> Result<Response, Problem> {
    let making = || tokio::task::spawn_blocking(unpacked);
    let made = ASSETS.get_or_try_init(async || making().await.map_err(|error| Problem::internal(&error))?);
    let bytes = made.await?.get(name).cloned();
    let bytes = bytes.ok_or_else(|| Problem::not_found(format!("asset {name}")))?;
    let content_type = match name.rsplit_once('.') {
        Some((_, "html")) => "text/html; charset=utf-8",
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        _ => "image/png",
    };
    let headers = [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, CACHED)];
    Ok((headers, bytes).into_response())
}

/// Every asset, by the name that it has behind `/docs/`.
fn unpacked() -> Result<HashMap<&'static str, Bytes>, Problem> {
    let (name, script) = SCRIPT;
    let mut assets: HashMap<&str, Bytes> = [("page.html", PAGE), (name, script)]
        .map(|(name, text)| (name, Bytes::from_static(text.as_bytes())))
        .into();
    for name in LOADED {
        assets.insert(name, of_archive(name).map_err(|error| Problem::internal(&error))?);
    }
    Ok(assets)
}

fn of_archive(name: &str) -> Result<Bytes, ZipError> {
    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
    let names: Vec<String> = (0..archive.len())
        .filter_map(|at| archive.name_for_index(at)?.ok().map(Cow::into_owned))
        .collect();
    let is_it = |path: &&String| {
        path.split_once(FOLDER)
            .is_some_and(|(version, rest)| !version.contains('/') && rest == name)
    };
    let path = names.iter().find(is_it).ok_or(ZipError::FileNotFound)?;
    let mut bytes = Vec::new();
    archive.by_name(path)?.read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'",
);

async fn alone(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    response
}
