//! `POST /v1/cloudwatcher/approvals/decide`: decides many approvals at once, each on its own.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use cloudwatcher::approval;
use futures::StreamExt as _;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use http::app::App;
use http::auth::By;
use http::command::headers::CommandHeaders;
use http::command::{self, Sent, body};
use http::extract::Body;
use http::problem::Problem;

/// Decisions of one request.
pub const DECISIONS_MAX: usize = 200;
/// Size of the body, in bytes: so many decisions, each with a note as long as it may be in one alphabet.
pub const BODY_BYTES_MAX: usize = 512 << 10;
/// Decisions that are carried out at one time.
const AT_ONCE: usize = 16;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Decisions {
    decisions: Vec<Decision>,
}

/// One order's decision.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Decision {
    order_id: Uuid,
    /// The revision that was looked at.
    revision: i32,
    decision: Verdict,
    #[serde(default)]
    notes: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    Approve,
    Reject,
}

impl Verdict {
    fn command(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
        }
    }
}

/// Approves or rejects each of the orders. One that is refused does not keep the others back: the
/// answer tells what became of each, in the order in which they were asked.
///
/// # Errors
/// [`Problem`] when the request itself cannot be read.
pub async fn send(
    State(app): State<App>,
    by: By,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let headers_of_all = CommandHeaders::read(&headers)?;
    if headers_of_all.is_dry_run {
        let detail =
            "decisions about many orders take no Daybook-Dry-Run; send it with one decision, to the approval itself";
        return Err(Problem::bad_value("Daybook-Dry-Run", detail));
    }
    if headers_of_all.if_match.is_some() {
        let detail = "decisions about many orders take no If-Match; each names the revision that it is about";
        return Err(Problem::bad_value("If-Match", detail));
    }
    // Each decision asks for the permission of its own command: who holds neither is not listened to.
    let aggregate = &approval::AGGREGATE;
    let holds = |verdict: Verdict| by.require(&command::permission(aggregate, verdict.command()));
    holds(Verdict::Approve).or_else(|_| holds(Verdict::Reject))?;
    let mut body = body.read(&app, &by, BODY_BYTES_MAX).await?;
    let Decisions { decisions } = body::typed(body::fields(&headers, &mut body)?)?;
    if decisions.is_empty() || decisions.len() > DECISIONS_MAX {
        let detail = format!("decisions must be 1 to {DECISIONS_MAX}");
        return Err(Problem::bad_value("decisions", detail));
    }
    let mut orders = BTreeSet::new();
    if let Some(index) = decisions.iter().position(|decision| !orders.insert(decision.order_id)) {
        let field = format!("decisions[{index}].order_id");
        return Err(Problem::bad_value(
            &field,
            "an order is named twice; decide it once in a request",
        ));
    }
    let outcomes: Vec<Value> = futures::stream::iter(decisions)
        .map(|decision| one(&app, &by, &headers_of_all, peer, decision))
        .buffered(AT_ONCE)
        .collect()
        .await;
    Ok(Json(json!({ "outcomes": outcomes })).into_response())
}

async fn one(app: &App, by: &By, headers: &CommandHeaders, peer: SocketAddr, decision: Decision) -> Value {
    let Decision {
        order_id,
        revision,
        decision,
        notes,
    } = decision;
    let mut fields = json!({ "revision": revision });
    if let Some(notes) = notes {
        fields["notes"] = notes.into();
    }
    let mut outcome = json!({ "order_id": order_id, "decision": decision.command() });
    let sent = Sent {
        aggregate: &approval::AGGREGATE,
        stream: order_id,
        addressed: Some(order_id),
        command: decision.command(),
        // Each decision is a command of its own, and a repeat of all is a repeat of each.
        headers: CommandHeaders {
            key: headers.key.as_ref().map(|key| format!("{key}/{order_id}")),
            ..headers.clone()
        },
        peer,
    };
    let answer = sent.carry_out_fields(app, by, fields).await;
    match answer {
        Ok(answer) => {
            outcome["status"] = 200.into();
            outcome["command_id"] = json!(answer.command_id);
            if answer.is_repeat {
                outcome["repeated"] = true.into();
            }
            outcome["position"] = answer.position.into();
            outcome["events"] = json!(answer.streams.first().map(|stream| &stream.events));
        }
        Err(problem) => {
            outcome["status"] = problem.status.as_u16().into();
            outcome["problem"] = problem.body();
        }
    }
    outcome
}
