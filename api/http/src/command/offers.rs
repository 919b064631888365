//! `GET /v1/streams/{context}/{aggregate}/{id}/commands`: which commands a stream takes now, for the page that shows
//! it. A command that is not offered is refused; one that is may be refused still, for what it says or for what
//! other streams say.

use std::net::SocketAddr;

use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::response::{IntoResponse as _, Response};
use book::{ExecuteError, Step};
use chrono::Utc;
use domain::fact::AnyState;
use domain::{Aggregate, Asker, Class, Refusal};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::headers::CommandHeaders;
use super::{Sent, permission};
use crate::app::App;
use crate::audit::stream::named;
use crate::auth::By;
use crate::extract::{NoParameters, Path};
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

/// One command, or a request that takes several.
#[derive(Debug, Serialize)]
struct Offer<'a> {
    command: &'a str,
    /// Whether the asker holds the permissions for it.
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

impl<'a> Offer<'a> {
    fn of(command: &'a str, taken: Result<(), Refusal>) -> Self {
        let why_not = taken.err().map(|refusal| WhyNot {
            rule: refusal.rule,
            detail: refusal.detail,
        });
        Self {
            command,
            permitted: true,
            offered: why_not.is_none(),
            why_not,
        }
    }

    fn without(command: &'a str, permission: &str) -> Self {
        Self {
            command,
            permitted: false,
            offered: false,
            why_not: Some(WhyNot {
                rule: "missing-permission",
                detail: format!("the permission {permission} is needed"),
            }),
        }
    }
}

/// Tells which commands a stream takes now.
///
/// # Errors
/// [`Problem`]; 404 for a stream that has no events, is another tenant's, or belongs to a department out of reach,
/// unless its state knows the asker as entitled.
pub async fn list(
    State(app): State<App>,
    by: By,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path((context, aggregate, id)): Path<(String, String, String)>,
    _: NoParameters,
) -> Result<Response, Problem> {
    // What a stream takes tells how it stands, and it may be somebody else's.
    by.require_unbound()?;
    let (aggregate, stream) = named(&app.contexts, &context, &aggregate, &id)?;
    let mut names = app.contexts.commands(aggregate).iter();
    // Who may neither command it nor read the log has no business with the stream.
    if !names.any(|command| by.permits(&permission(aggregate, command))) {
        crate::audit::sight(&app, &by)?;
    }
    let (state, sequence) = app.book.seen(by.tenant, aggregate.fact(stream)).await?;
    let state = state.filter(|_| sequence > 0).ok_or_else(|| none(aggregate, stream))?;
    let asked = Asked {
        app: &app,
        by: &by,
        aggregate,
        stream,
        state,
    };
    let commands = if asked.reaches().await? {
        asked.offers()
    } else {
        let entitled = asked.entitled(peer).await?;
        if entitled.is_empty() {
            return Err(none(aggregate, stream));
        }
        entitled
    };
    Ok(Json(Offers {
        aggregate_type: aggregate.aggregate_type,
        stream,
        sequence,
        commands,
    })
    .into_response())
}

/// A stream, and who asks for its commands.
struct Asked<'a> {
    app: &'a App,
    by: &'a By,
    aggregate: &'static Aggregate,
    stream: Uuid,
    state: AnyState,
}

impl<'a> Asked<'a> {
    async fn reaches(&self) -> Result<bool, Problem> {
        if !self.aggregate.scoped || self.by.sees_all_departments() {
            return Ok(true);
        }
        match self.aggregate.home(&self.state) {
            Some(home) => self.app.principals.reaches(self.by, home).await,
            None => Ok(false),
        }
    }

    /// Every command, in the order of declaration; those that are not sent alone by the requests that take them.
    fn offers(&self) -> Vec<Offer<'a>> {
        let asker = Asker {
            tenant: self.by.tenant,
            by: self.by.user,
            at: Utc::now(),
        };
        let mut offers = Vec::new();
        for command in self.commands() {
            let (word, needed) = match self.app.contexts.joint(self.aggregate, command) {
                Some(request) if request.command == command => (request.word, request.permissions().collect()),
                Some(_) => continue,
                None => (command, vec![permission(self.aggregate, command)]),
            };
            offers.push(match needed.iter().find(|needed| !self.by.permits(needed)) {
                Some(missing) => Offer::without(word, missing),
                None => Offer::of(word, self.offered(command, &asker)),
            });
        }
        offers
    }

    fn offered(&self, command: &str, asker: &Asker) -> Result<(), Refusal> {
        match self.app.contexts.receiver(self.aggregate, command) {
            Some(receiver) => (receiver.offers)(&self.state, self.stream, asker),
            None => self.aggregate.offers(&self.state, command, self.stream, asker),
        }
    }

    /// The commands that the decision takes from somebody who does not reach the stream's department: it alone knows
    /// whom, so it is asked, and nothing is written. To others the stream is not there.
    async fn entitled(&self, peer: SocketAddr) -> Result<Vec<Offer<'a>>, Problem> {
        let mut offers = Vec::new();
        for command in self.commands() {
            if !self.by.permits(&permission(self.aggregate, command)) {
                continue;
            }
            let probe = self.aggregate.probe(&self.state, command);
            let Some(probe) = probe.filter(|probe| probe.department(&self.state).is_none()) else {
                continue;
            };
            let sent = Sent {
                aggregate: self.aggregate,
                stream: self.stream,
                addressed: Some(self.stream),
                command,
                headers: CommandHeaders::default(),
                peer,
            };
            let envelope = sent.envelope(self.by, &Value::Null);
            let step = Step::new(self.stream, None, probe);
            match self.app.book.rehearse(envelope, vec![step]).await {
                Ok(_) => offers.push(Offer::of(command, Ok(()))),
                Err(ExecuteError::Refused(refusal)) if refusal.class == Class::Forbidden => {}
                Err(ExecuteError::Refused(refusal)) => offers.push(Offer::of(command, Err(refusal))),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(offers)
    }

    fn commands(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let all = self.app.contexts.commands(self.aggregate).iter().map(String::as_str);
        let aggregate = self.aggregate;
        // Those that Daybook alone sends have no address.
        all.filter(|command| !aggregate.only_daybook.contains(command))
    }
}

fn none(aggregate: &'static Aggregate, stream: Uuid) -> Problem {
    ExecuteError::NotFound {
        aggregate_type: aggregate.aggregate_type,
        stream,
    }
    .into()
}
