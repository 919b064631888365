//! `GET /problems/{kind}` and `GET /problems/{context}.{aggregate}/{rule}`: what the `type` of a problem means.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::{Problem, TABLE};
use crate::app::App;
use crate::context::Contexts;
use crate::extract::{NoParameters, Path};

/// A kind of general problem.
#[derive(Debug, Serialize)]
pub struct Kind {
    r#type: String,
    title: &'static str,
    status: u16,
    meaning: &'static str,
}

/// A domain rule that refuses commands. What the status is, depends on the command.
#[derive(Debug, Serialize)]
pub struct Rule {
    r#type: String,
    title: &'static str,
    aggregate_type: &'static str,
    rule: &'static str,
    meaning: String,
}

/// Every type of problem that these contexts have, a line each.
#[must_use]
pub fn lines(contexts: &Contexts) -> String {
    let kinds = TABLE.iter().map(|kind| format!("/problems/{}\n", kind.name));
    let rules = contexts.decisions().aggregates().flat_map(|aggregate| {
        let names = (aggregate.rules)().into_iter();
        names.map(|rule| format!("/problems/{}/{rule}\n", aggregate.aggregate_type))
    });
    let mut lines: Vec<String> = kinds.chain(rules).collect();
    lines.sort_unstable();
    lines.concat()
}

/// # Errors
/// 404 when there is no such kind.
pub async fn kind(Path(name): Path<String>, _: NoParameters) -> Result<Json<Kind>, Problem> {
    let kind = TABLE.iter().find(|kind| kind.name == name).ok_or_else(|| {
        let names = TABLE.iter().map(|kind| kind.name);
        Problem::not_found(format!("kind of problem {name:?}")).allowed(names)
    })?;
    Ok(Json(Kind {
        r#type: format!("/problems/{name}"),
        title: kind.title,
        status: kind.status.as_u16(),
        meaning: kind.meaning,
    }))
}

/// # Errors
/// 404 when there is no such kind of stream, or it has no such rule.
pub async fn rule(
    State(app): State<App>,
    Path((aggregate_type, name)): Path<(String, String)>,
    _: NoParameters,
) -> Result<Json<Rule>, Problem> {
    let aggregate = app.contexts.aggregate(&aggregate_type).ok_or_else(|| {
        let types = app.contexts.decisions().aggregates().map(|known| known.aggregate_type);
        Problem::not_found(format!("kind of stream {aggregate_type:?}")).allowed(types)
    })?;
    let rules = (aggregate.rules)();
    let Some(&rule) = rules.iter().find(|rule| **rule == name) else {
        return Err(Problem::not_found(format!("rule {name:?} of {aggregate_type}")).allowed(rules));
    };
    Ok(Json(Rule {
        r#type: format!("/problems/{aggregate_type}/{rule}"),
        title: "A rule forbids it",
        aggregate_type: aggregate.aggregate_type,
        rule,
        meaning: format!(
            "A command to {aggregate_type} is refused by its rule {rule}. The `detail` of the problem says what is wrong \
             and what would satisfy the rule; `field` names the field at fault, if it is one."
        ),
    }))
}
