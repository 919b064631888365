//! `GET /v1/streams/{context}/{aggregate}/{id}/commands`: which commands a stream takes now, for the page that shows
//! it. A command that is not offered is refused; one that is may be refused still, for what it says or for what
//! other streams say.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use book::ExecuteError;
use chrono::Utc;
use domain::{Aggregate, Asker};
use serde::Serialize;
use uuid::Uuid;

use super::permission;
use crate::app::App;
use crate::audit::stream::named;
use crate::auth::By;
use crate::extract::{Parameters, Path};
use crate::problem::Problem;

/// The commands of one stream, as somebody may send them.
#[derive(Debug, Serialize)]
struct Offers<'a> {
    aggregate_type: &'static str,
    stream: Uuid,
    /// The sequence that this is true of, for `If-Match`.
    sequence: i64,
    commands: Vec<Offer<'a>>,
}

/// One command.
#[derive(Debug, Serialize)]
struct Offer<'a> {
    command: &'a str,
    /// Whether the asker holds the permission for it.
    permitted: bool,
    /// Whether the stream may accept it from the asker.
    offered: bool,
    /// The rule that stands against it; null when it is offered.
    why_not: Option<WhyNot>,
}

#[derive(Debug, Serialize)]
struct WhyNot {
    /// The name of the rule, or `missing-permission`.
    rule: &'static str,
    detail: String,
}

/// Tells which commands a stream takes now.
///
/// # Errors
/// [`Problem`]; 404 for a stream that has no events, is another tenant's, or belongs to a department out of reach.
pub async fn list(
    State(app): State<App>,
    by: By,
    Path((context, aggregate, id)): Path<(String, String, String)>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let (aggregate, stream) = named(&app.contexts, &context, &aggregate, &id)?;
    parameters.finish::<&str>([])?;
    let names = || app.contexts.commands(aggregate).iter().map(String::as_str);
    let permits = |command: &str| by.permits(&permission(aggregate, command));
    // Who may neither command it nor read the log has no business with the stream.
    if !names().any(permits) {
        crate::audit::sight(&app, &by)?;
    }
    let (state, sequence) = app.book.seen(by.tenant, aggregate.fact(stream)).await?;
    let state = state.filter(|_| sequence > 0).ok_or_else(|| none(aggregate, stream))?;
    if aggregate.scoped && !by.sees_all_departments() {
        let home = aggregate.home(&state).ok_or_else(|| none(aggregate, stream))?;
        if !app.principals.reaches(&by, home).await? {
            return Err(none(aggregate, stream));
        }
    }
    let asker = Asker {
        tenant: by.tenant,
        by: by.user,
        at: Utc::now(),
    };
    let commands = names().map(|command| {
        let why_not = match permits(command) {
            false => Some(WhyNot {
                rule: "missing-permission",
                detail: format!("the permission {} is needed", permission(aggregate, command)),
            }),
            true => aggregate
                .offers(&state, command, stream, &asker)
                .err()
                .map(|refusal| WhyNot {
                    rule: refusal.rule,
                    detail: refusal.detail,
                }),
        };
        Offer {
            command,
            permitted: permits(command),
            offered: why_not.is_none(),
            why_not,
        }
    });
    Ok(Json(Offers {
        aggregate_type: aggregate.aggregate_type,
        stream,
        sequence,
        commands: commands.collect(),
    })
    .into_response())
}

fn none(aggregate: &'static Aggregate, stream: Uuid) -> Problem {
    ExecuteError::NotFound {
        aggregate_type: aggregate.aggregate_type,
        stream,
    }
    .into()
}
