//! `GET /v1/commands/{command_id}/tree`: what a command led to.

use std::collections::HashMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use domain::Recorded;
use serde::Serialize;
use uuid::Uuid;

use super::log::{self, PAGE_BYTES_MAX, Range, SCANNED_EVENTS_MAX, Size, Wanted};
use super::view::{Shown, Sight, shown};
use crate::app::App;
use crate::auth::By;
use crate::extract::{self, Parameters, Path};
use crate::problem::Problem;

/// Events of one tree.
pub const TREE_EVENTS_MAX: i64 = 1_000;
/// Events that one command can have made: how far before a command's last one its first may lie.
const COMMAND_EVENTS_MAX: i64 = 5_000;

/// A command with its events, and the commands that these caused.
#[derive(Serialize)]
struct Node {
    command_id: Uuid,
    /// The event that caused it; null when a person did.
    causation_id: Option<Uuid>,
    events: Vec<Shown>,
    causes: Vec<Node>,
}

/// The tree, and whether all of it was looked at. Written at once: as a value in between, numbers would lose digits.
#[derive(Serialize)]
struct Told {
    tree: Node,
    complete: bool,
}

/// The tree of commands and events that one command is the root of. Commands are found for as long
/// as their receipts are kept, 30 days.
///
/// # Errors
/// [`Problem`].
pub async fn tree(
    State(app): State<App>,
    by: By,
    Path(command_id): Path<String>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let sight = super::sight(&app, &by)?;
    let command_id = extract::uuid("command_id", &command_id)?;
    parameters.finish([] as [&str; 0])?;
    let turn = app.log_turn(by.bearer).await?;
    let none = || Problem::not_found(format!("command {command_id} whose receipt is kept"));
    let position: Option<i64> =
        sqlx::query_scalar("select position from book.receipts where command_id = $1 and tenant_id = $2")
            .bind(command_id)
            .bind(by.tenant)
            .fetch_optional(&app.pools.writer)
            .await?;
    let position = position.ok_or_else(none)?;
    let last = app
        .tail
        .at(&[position])
        .await?
        .pop()
        .filter(|last| last.metadata.command_id == command_id);
    // A command that changed nothing led to nothing.
    let Some(last) = last else {
        let tree = Node::of(command_id);
        return Ok(Json(Told { tree, complete: true }).into_response());
    };

    let wanted = Wanted {
        tenant: by.tenant,
        correlation: Some(last.metadata.correlation_id),
        ..Wanted::default()
    };
    let above = (position - COMMAND_EVENTS_MAX).max(0);
    let end = app.end_now().await?;
    let range = Range {
        above,
        upto: end.min(above + SCANNED_EVENTS_MAX),
    };
    drop(turn);
    let size = Size {
        events: TREE_EVENTS_MAX,
        bytes: PAGE_BYTES_MAX,
        patience: Duration::ZERO,
    };
    let found = log::search(&app, &by, &wanted, range, false, size).await?;
    if found.events.is_empty() {
        return Err(none());
    }
    let complete = found.rest.is_none() && range.upto == end;
    let tree = grown(command_id, found.events, sight);
    Ok(Json(Told { tree, complete }).into_response())
}

impl Node {
    fn of(command_id: Uuid) -> Self {
        Self {
            command_id,
            causation_id: None,
            events: Vec::new(),
            causes: Vec::new(),
        }
    }
}

/// The tree below a command, from the events of its correlation.
fn grown(root: Uuid, events: Vec<Recorded<String>>, sight: Sight) -> Node {
    let mut nodes: HashMap<Uuid, Node> = HashMap::new();
    let mut order = Vec::new();
    for recorded in events {
        let command_id = recorded.metadata.command_id;
        let node = nodes.entry(command_id).or_insert_with(|| {
            order.push(command_id);
            Node {
                causation_id: recorded.metadata.causation_id,
                ..Node::of(command_id)
            }
        });
        node.events.push(shown(recorded, &sight));
    }
    let made_by: HashMap<Uuid, Uuid> = nodes
        .values()
        .flat_map(|node| node.events.iter().map(|event| (event.event_id, node.command_id)))
        .collect();
    // An effect comes after its cause, so taking commands from the last one on finds every subtree whole.
    for command_id in order.into_iter().rev().filter(|&id| id != root) {
        let Some(cause) = nodes
            .get(&command_id)
            .and_then(|node| node.causation_id)
            .and_then(|event| made_by.get(&event))
        else {
            continue;
        };
        let cause = *cause;
        if cause != command_id
            && let Some(node) = nodes.remove(&command_id)
            && let Some(above) = nodes.get_mut(&cause)
        {
            above.causes.insert(0, node);
        }
    }
    nodes.remove(&root).unwrap_or_else(|| Node::of(root))
}
