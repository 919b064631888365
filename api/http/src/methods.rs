//! Which methods an address takes that is made of the words of a context: the routes know its form alone, and would say of
//! each table that it takes commands, and of each kind of stream that it has rows.

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::app::App;
use crate::context::Contexts;
use crate::problem::Problem;
use crate::query::Source;

pub const KIND: &str = "/v1/{context}/{name}";
pub const ROW: &str = "/v1/{context}/{name}/{id}";
pub const BELOW: &str = "/v1/{context}/{name}/{id}/{word}";

/// Refuses a method that the address does not take, with those that it does; what nothing is meant by goes on to be told so.
pub async fn heeded(State(app): State<App>, request: Request, next: Next) -> Response {
    let matched = request.extensions().get::<MatchedPath>();
    let Some(taken) = matched.and_then(|form| Taken::of(&app.contexts, form.as_str(), request.uri().path())) else {
        return next.run(request).await;
    };
    match (taken.allow(), request.method()) {
        // A kind of stream says itself why it does not take this one here.
        (_, &Method::POST) if taken.is_kind => next.run(request).await,
        (Some(allow), method) if !taken.takes(method) => Problem::not_allowed(method, allow).into_response(),
        (None, &(Method::GET | Method::HEAD | Method::POST)) | (Some(_), _) => next.run(request).await,
        // An empty list says that it takes none.
        (None, method) => Problem::not_found(format!("address {} that takes {method}", request.uri().path()))
            .allow(HeaderValue::from_static(""))
            .into_response(),
    }
}

/// What an address takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Taken {
    reads: bool,
    commands: bool,
    /// Whether it is of a kind of stream, whatever commands that takes.
    is_kind: bool,
}

impl Taken {
    /// Of an address of this form; none of an address of another.
    fn of(contexts: &Contexts, form: &str, path: &str) -> Option<Self> {
        // "", "v1", context, name, id, word
        let words: Vec<&str> = path.split('/').collect();
        let (context, name) = (words.get(2)?, words.get(3)?);
        let table = Source::of(contexts, context, name).ok().map(|source| source.table);
        let kind = contexts.by_url(context, name);
        Some(match form {
            KIND => Self {
                reads: table.is_some(),
                commands: kind.is_some_and(|kind| !kind.borrows_id && !kind.only_daybook.contains(&kind.creates)),
                is_kind: kind.is_some(),
            },
            ROW => Self {
                reads: table.is_some(),
                commands: false,
                is_kind: false,
            },
            BELOW => {
                let word = *words.get(5)?;
                Self {
                    reads: table.is_some() && word == "history",
                    is_kind: kind.is_some() && word != "history",
                    commands: kind.is_some_and(|kind| contexts.commands(kind).iter().any(|command| command == word)),
                }
            }
            _ => return None,
        })
    }

    fn takes(self, method: &Method) -> bool {
        match *method {
            Method::GET | Method::HEAD => self.reads,
            Method::POST => self.commands,
            _ => false,
        }
    }

    fn allow(self) -> Option<HeaderValue> {
        let methods = match (self.reads, self.commands) {
            (true, true) => "GET, HEAD, POST",
            (true, false) => "GET, HEAD",
            (false, true) => "POST",
            (false, false) => return None,
        };
        Some(HeaderValue::from_static(methods))
    }
}
