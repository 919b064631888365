//! How a text is struck: by those who see the event that brought it, and only where there is one that can be.

use book::texts;
use book::{Answer, Step};
use domain::event::REASON;
use domain::{Decider as _, Recorded};
use identity::redaction::{Command, Redaction, Text};
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::app::App;
use crate::audit::log::Visible;
use crate::auth::Principal;
use crate::command::{Received, Receiver, Would};
use crate::context::Contexts;
use crate::problem::Problem;

/// For the context of people: the decision cannot know which texts there are.
pub const RECEIVER: Receiver = Receiver {
    aggregate_type: Redaction::TYPE,
    command: Redaction::CREATES,
    carry_out: |received| Box::pin(carry_out(received)),
    rehearse: |received| Box::pin(rehearse(received)),
    offers: |_, _, _| Ok(()),
};

async fn carry_out(received: Received<'_>) -> Result<Answer, Problem> {
    let step = step(&received).await?;
    let span = tracing::Span::current();
    span.record("command_id", tracing::field::display(received.envelope.command_id));
    span.record(
        "correlation_id",
        tracing::field::display(received.envelope.correlation_id),
    );
    let answer = received.app.book.execute(received.envelope, vec![step]).await;
    answer.map_err(|error| received.sent.problem(error))
}

async fn rehearse(received: Received<'_>) -> Result<Would, Problem> {
    let step = step(&received).await?;
    let rehearsed = received.app.book.rehearse(received.envelope, vec![step]).await;
    rehearsed
        .map(Would::Happen)
        .map_err(|error| received.sent.problem(error))
}

/// The command, once there is a text that it can strike.
async fn step(received: &Received<'_>) -> Result<Step, Problem> {
    let Some(Command::Redact(text)) = received.command.typed::<Redaction>() else {
        return Err(Problem::internal(&"only texts are redacted"));
    };
    // What names no place at all is refused by the decision.
    if text.check().is_ok() {
        let recorded = event(received.app, received.by, text).await?;
        let kept = Kept::of(&received.app.contexts, &recorded);
        can_be_struck(text, &recorded, &kept)?;
    }
    let (stream, if_match) = (received.sent.stream, received.sent.headers.if_match);
    Ok(Step::new(stream, if_match, received.command.clone()))
}

/// The event that brought the text, with its texts sealed.
///
/// # Errors
/// 404 when there is none, or none that the principal may see.
async fn event(app: &App, by: &Principal, text: &Text) -> Result<Recorded<String>, Problem> {
    let none = || Problem::not_found("such event of such a stream within your reach");
    let _turn = app.log_turn(by.bearer()).await?;
    let position: Option<i64> = sqlx::query_scalar(
        "select position from book.events
         where aggregate_type = $1 and aggregate_id = $2 and sequence = $3 and tenant_id = $4",
    )
    .bind(&text.aggregate_type)
    .bind(text.stream.to_string())
    .bind(text.sequence)
    .bind(by.tenant)
    .fetch_optional(app.tail.pool())
    .await?;
    let position = position.ok_or_else(none)?;
    let recorded = app.tail.at(&[position]).await?.pop().ok_or_else(none)?;
    match Visible::default().shows(app, by, &recorded).await? {
        true => Ok(recorded),
        false => Err(none()),
    }
}

/// The stream whose text was struck, if the event tells of that: who does not see the stream does not see why either.
pub fn about(recorded: &Recorded<String>) -> Option<(&str, Uuid)> {
    #[derive(Deserialize)]
    struct Struck<'a> {
        #[serde(borrow)]
        aggregate_type: &'a str,
        stream: Uuid,
    }
    let is_redaction = recorded.aggregate_type == Redaction::TYPE;
    let struck: Struck<'_> = serde_json::from_str(&recorded.event).ok().filter(|_| is_redaction)?;
    Some((struck.aggregate_type, struck.stream))
}

/// The fields of an event that do not lie in clear, or would not if it were recorded now.
struct Kept {
    texts: Vec<&'static str>,
    /// Those that tell who somebody is.
    of_persons: Vec<&'static str>,
}

impl Kept {
    /// Those of an event that cannot be decoded are not known, and none of them is a text.
    fn of(contexts: &Contexts, recorded: &Recorded<String>) -> Self {
        let aggregate = contexts.aggregate(&recorded.aggregate_type);
        let event = aggregate.and_then(|aggregate| aggregate.decode(&recorded.stored()).ok());
        let of_persons = event.iter().flat_map(|event| {
            let apart = event.sealed_apart(recorded.stream);
            event.sealed(recorded.stream).into_iter().chain(apart)
        });
        Self {
            of_persons: of_persons.map(|(field, _)| field).collect(),
            texts: event.iter().flat_map(|event| event.texts()).collect(),
        }
    }
}

/// Refuses what is no text of the event, or one that lies in clear.
fn can_be_struck(text: &Text, recorded: &Recorded<String>, kept: &Kept) -> Result<(), Problem> {
    let payload: Map<String, Value> = serde_json::from_str(&recorded.event).unwrap_or_default();
    let stored = match text.field.as_str() {
        REASON => recorded.metadata.reason.as_deref(),
        field if kept.of_persons.contains(&field) => {
            let detail = "field tells who somebody is, and is sealed under a key of theirs: it goes when they are erased, or when \
                          the contacts are forgotten";
            return Err(Problem::bad_value("field", detail));
        }
        field if kept.texts.contains(&field) => payload.get(field).and_then(Value::as_str),
        _ => None,
    };
    let Some(stored) = stored else {
        let detail = format!("field names no text of this event; name a field with a text, or {REASON}");
        return Err(Problem::bad_value("field", detail));
    };
    match texts::id(stored) {
        Some(id) if id == text.id() => Ok(()),
        Some(_) if text.field == REASON => Err(Problem::bad_value(
            "sequence",
            "the reason stands with the first event that its command made; name that one",
        )),
        Some(_) | None => Err(Problem::bad_value(
            "field",
            "field names a text that is not sealed: it was recorded before texts were, and events are never changed",
        )),
    }
}

#[cfg(test)]
mod tests {
    use domain::Metadata;
    use domain::event::{event_id, text_id};
    use serde_json::json;

    use super::*;

    const STREAM: Uuid = Uuid::from_u128(5);

    fn text(sequence: i64, field: &str) -> Text {
        Text {
            aggregate_type: "shop.order".to_owned(),
            stream: STREAM,
            sequence,
            field: field.to_owned(),
        }
    }

    fn sealed(sequence: i64, field: &str) -> String {
        let id = text_id(event_id("shop.order", STREAM, sequence), field);
        format!("⟦text:{id}:AAAA⟧")
    }

    /// The second event of a command whose reason is sealed with its first.
    fn recorded() -> Recorded<String> {
        let at = chrono::DateTime::UNIX_EPOCH;
        Recorded {
            position: 9,
            event_id: event_id("shop.order", STREAM, 2),
            tenant_id: Uuid::nil(),
            aggregate_type: "shop.order".to_owned(),
            stream: STREAM,
            sequence: 2,
            event_type: "OrderDrafted".to_owned(),
            event_version: "1".to_owned(),
            metadata: Metadata {
                reason: Some(sealed(1, REASON)),
                ..Metadata::default()
            },
            at,
            recorded_at: at,
            event:
                json!({"note": sealed(2, "note"), "old": "in clear", "none": null, "quantity": 3, "currency": "EUR"})
                    .to_string(),
        }
    }

    #[test]
    fn a_sealed_text_of_the_event_can_be_struck_and_nothing_else() {
        let kept = Kept {
            texts: vec!["note", "old", "none"],
            of_persons: vec!["email"],
        };
        let refused = |sequence, field: &str| can_be_struck(&text(sequence, field), &recorded(), &kept).err();
        let field = |sequence, field: &str| refused(sequence, field).map(|problem| problem.body()["field"].clone());
        assert_eq!(field(2, "note"), None);
        for (name, why) in [
            ("old", "not sealed"),
            ("none", "no text"),
            ("quantity", "no text"),
            ("currency", "no text"),
            ("absent", "no text"),
            ("email", "erased"),
        ] {
            let refused = refused(2, name).unwrap();
            assert_eq!(refused.body()["field"], "field", "{name}");
            assert!(refused.body()["detail"].as_str().unwrap().contains(why), "{name}");
        }
        // The reason is one text, with the first event of the command.
        assert_eq!(field(2, REASON), Some(json!("sequence")));
        assert_eq!(field(1, REASON), None);
    }
}
