//! An operation of the document, and the call that tries it.

use reqwest::{Method, StatusCode};
use serde_json::Value;
use sqlx::PgPool;

use crate::Client;
use crate::service::Reply;

/// How long the event stream may take to the end of the book.
const FOLLOWED_SECONDS_MAX: u64 = 10;

/// Whose the subject of an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// A department's: hidden from other departments and other tenants.
    Department,
    /// A tenant's: hidden from other tenants; whoever has the permission within it may see it.
    Tenant,
    /// Nobody's yet: it becomes the asking tenant's.
    New,
    /// The whole installation's.
    Installation,
    /// Everybody's, without a token.
    Open,
}

/// An operation as the document names it.
#[derive(Debug, Clone, Copy)]
pub struct Operation<'a> {
    /// In lower case.
    pub method: &'a str,
    /// With the names of parameters in braces.
    pub path: &'a str,
}

impl<'a> Operation<'a> {
    /// The words of the path, to match on.
    pub fn words(&self) -> Vec<&'a str> {
        self.path.trim_start_matches('/').split('/').collect()
    }

    /// The call of it at `path`, with the statuses for the owner, for another tenant's administrator and for somebody
    /// of another department.
    pub fn at(self, path: impl Into<String>, body: Option<Value>, reach: Reach, statuses: [u16; 3]) -> Call {
        let [owner, other, outsider] = statuses;
        Call {
            operation: self.to_string(),
            method: Method::from_bytes(self.method.to_uppercase().as_bytes()).unwrap(),
            path: path.into(),
            body,
            reach,
            owner,
            other,
            outsider,
            silent: false,
            has_key: true,
            form: Form::Whole,
        }
    }
}

impl std::fmt::Display for Operation<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}", self.method, self.path)
    }
}

/// How the answer to a call is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// To its end.
    Whole,
    /// Until it has told of the last event of the asker's tenant: it has no end.
    Endless,
    /// As the only one of its outcomes: it answers for several commands.
    Outcomes,
}

/// An operation with real ids of the owner's tenant in its path and body.
#[derive(Debug)]
pub struct Call {
    pub operation: String,
    pub method: Method,
    pub path: String,
    pub body: Option<Value>,
    pub reach: Reach,
    /// What the owner gets, as the proof that the call is a good one.
    pub owner: u16,
    /// What the administrator of another tenant gets.
    pub other: u16,
    /// What somebody of another department gets.
    pub outsider: u16,
    /// Whether the owner is answered 200 and nothing is written: the effect was there already, by the policies' doing.
    silent: bool,
    /// Whether it is sent with an Idempotency-Key.
    has_key: bool,
    form: Form,
}

impl Call {
    /// Of a command whose effect is there already.
    #[must_use]
    pub fn silent(self) -> Self {
        Self { silent: true, ..self }
    }

    /// Of an answer that no repeat gets.
    #[must_use]
    pub fn without_key(self) -> Self {
        Self { has_key: false, ..self }
    }

    /// Of an answer that has no end.
    #[must_use]
    fn endless(self) -> Self {
        Self {
            form: Form::Endless,
            ..self
        }
    }

    /// Of a subject that is another's than an operation of this kind usually has.
    #[must_use]
    pub(super) fn reaching(self, reach: Reach) -> Self {
        Self { reach, ..self }
    }

    /// Of a request for several commands that holds one.
    #[must_use]
    pub fn outcomes(self) -> Self {
        Self {
            form: Form::Outcomes,
            ..self
        }
    }

    /// Whether the owner writes something by it.
    pub(super) fn writes(&self) -> bool {
        self.method == Method::POST && self.reach != Reach::Installation && self.owner == 200 && !self.silent
    }

    /// Whether the owner sees by it what is hidden from others.
    pub(super) fn shows(&self) -> bool {
        self.method == Method::GET && matches!(self.reach, Reach::Department | Reach::Tenant)
    }

    /// Whether it takes out of use what others refer to.
    pub(super) fn takes_away(&self) -> bool {
        ["/strike", "/retire", "/erase"]
            .iter()
            .any(|end| self.path.ends_with(end))
    }

    /// Whether the call itself says this: a refusal may repeat what it refuses.
    pub(super) fn says(&self, word: &str) -> bool {
        self.path.contains(word) || self.body.as_ref().is_some_and(|body| body.to_string().contains(word))
    }

    /// The answer to this client.
    pub(super) async fn made(&self, client: &Client, pool: &PgPool) -> Reply {
        let request = client.request(self.method.clone(), &self.path);
        if self.form == Form::Endless {
            let last = "select max(position) from book.events where tenant_id = $1";
            let end = sqlx::query_scalar(last)
                .bind(client.tenant)
                .fetch_one(pool)
                .await
                .unwrap();
            return followed(request.header("Last-Event-ID", "0"), end).await;
        }
        let request = match &self.body {
            Some(body) => {
                // What takes no key is no command, and is given no reason.
                let request = match self.has_key {
                    true => {
                        let request = request.header("Idempotency-Key", &self.path);
                        request.header("Daybook-Reason", "a test wants it so")
                    }
                    false => request,
                };
                request.json(body)
            }
            None => request,
        };
        let reply = client.send(request).await;
        if self.form == Form::Outcomes && reply.status == 200 {
            return outcome(reply);
        }
        reply
    }
}

/// The calls that read the log: a page of it, and the stream.
pub fn of_log() -> [Call; 2] {
    let read = |path| Operation { method: "get", path };
    let (page, stream) = ("/v1/events", "/v1/events/stream");
    [
        read(page).at(format!("{page}?limit=200"), None, Reach::Department, [200; 3]),
        read(stream).at(stream, None, Reach::Department, [200; 3]).endless(),
    ]
}

/// The only outcome of a request for several, as the answer that it stands for.
fn outcome(reply: Reply) -> Reply {
    let all = reply.json();
    let [outcome] = all["outcomes"].as_array().unwrap().as_slice() else {
        panic!("{all}");
    };
    let status = outcome["status"].as_u64().and_then(|status| u16::try_from(status).ok());
    Reply {
        status: StatusCode::from_u16(status.unwrap()).unwrap(),
        text: outcome.to_string(),
        ..reply
    }
}

/// The event stream up to this position, as an answer.
async fn followed(request: reqwest::RequestBuilder, end: i64) -> Reply {
    let mut response = request.send().await.expect("the service answers");
    let (status, headers) = (response.status(), response.headers().clone());
    let mut text = String::new();
    if status != 200 {
        return Reply {
            status,
            headers,
            text: response.text().await.unwrap(),
        };
    }
    let reached = |text: &str| {
        let ids = text.lines().filter_map(|line| line.strip_prefix("id:"));
        ids.filter_map(|id| id.trim().split('.').next()?.parse::<i64>().ok())
            .any(|id| id >= end)
            && text.ends_with("\n\n")
    };
    let reading = async {
        while !reached(&text) {
            text.push_str(&String::from_utf8_lossy(&response.chunk().await.unwrap().unwrap()));
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(FOLLOWED_SECONDS_MAX), reading)
        .await
        .expect("the stream reaches the end");
    Reply { status, headers, text }
}
