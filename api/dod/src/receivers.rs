//! Receivers that are named and not there: whoever names one is warned.

use std::collections::BTreeSet;

use book::BookError;
use dod::escalation_policy::{self, EscalationPolicies};
use dod::expectation::{self, Expectations};
use dod::receiver::{self, Receiver};
use dod::source::{self, Source};
use domain::register::Register;
use domain::{AnyCommand, Decider as _};
use http::App;
use http::context::Warning;
use serde_json::Value;
use uuid::Uuid;

use crate::outward::ENTRIES_MAX;

/// What is warned of when a source, an escalation policy or an expectation names receivers.
pub const OF_SOURCE: Warning = naming(Source::TYPE, &["enter", "amend"]);
pub const OF_POLICY: Warning = naming(EscalationPolicies::TYPE, &["set-policy"]);
pub const OF_EXPECTATION: Warning = naming(Expectations::TYPE, &["expect"]);

const fn naming(aggregate_type: &'static str, commands: &'static [&'static str]) -> Warning {
    Warning {
        aggregate_type,
        commands,
        permission: "dod.im_receivers.read",
        find: |app, looked| Box::pin(missing(app, looked.by.tenant, named(looked.command))),
    }
}

/// The fields of a command that name receivers, each with the word that it names one by.
fn named(command: &AnyCommand) -> Vec<(String, &str)> {
    let source = command.typed::<Source>().and_then(|command| match command {
        source::Command::Enter(settings) => settings.receiver_im.as_deref(),
        source::Command::Amend(amendment) => amendment.named("receiver_im").and_then(Value::as_str),
        source::Command::Strike {} | source::Command::IssueToken { .. } | source::Command::RetireToken { .. } => None,
    });
    let expectation = command.typed::<Expectations>().and_then(|command| match command {
        expectation::Command::Expect { expectation, .. } => expectation.receiver_im.as_deref(),
        expectation::Command::Drop { .. } => None,
    });
    let steps = command
        .typed::<EscalationPolicies>()
        .map_or(&[][..], |command| match command {
            escalation_policy::Command::SetPolicy { steps, .. } => &steps[..],
            escalation_policy::Command::DropPolicy { .. } => &[][..],
        });
    let steps = steps.iter().enumerate().filter_map(|(place, step)| {
        let word = step.receiver_im.as_deref()?;
        Some((format!("steps[{place}].receiver_im"), word))
    });
    let source = source.map(|word| ("receiver_im".to_owned(), word));
    let expectation = expectation.map(|word| ("expectation.receiver_im".to_owned(), word));
    source.into_iter().chain(expectation).chain(steps).collect()
}

/// A sentence for each of these that names no receiver in use.
async fn missing(app: &App, tenant: Uuid, named: Vec<(String, &str)>) -> Result<Vec<String>, BookError> {
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let ids = app
        .book
        .holders(tenant, receiver::RECEIVER_IM, None, Uuid::nil(), ENTRIES_MAX);
    let entries = app.book.fresh::<Register<Receiver>>(tenant, &ids.await?).await?;
    let in_use = entries.iter().filter_map(|state| state.as_deref()?.active());
    let in_use: BTreeSet<&str> = in_use.map(|receiver| receiver.receiver_im.as_str()).collect();
    let missing = named.into_iter().filter(|(_, word)| !in_use.contains(word));
    Ok(missing
        .map(|(field, word)| {
            format!(
                "{field} names {word}, and no receiver in use is called so: nobody is told there until one is entered"
            )
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn fields(kind: &domain::Aggregate, command: &str, mut fields: Value) -> Vec<String> {
        let command = kind.parse(command, &mut fields).unwrap();
        named(&command)
            .into_iter()
            .map(|(field, word)| format!("{field} {word}"))
            .collect()
    }

    #[test]
    fn every_field_that_names_a_receiver_is_looked_at() {
        let source = json!({"name": "Prometheus", "receiver_im": "ops"});
        assert_eq!(fields(&source::AGGREGATE, "enter", source.clone()), ["receiver_im ops"]);
        assert_eq!(fields(&source::AGGREGATE, "amend", source), ["receiver_im ops"]);
        assert_eq!(fields(&source::AGGREGATE, "strike", json!({})), [""; 0]);
        let steps =
            json!([{"after_minutes": 5, "assign_to": Uuid::nil()}, {"after_minutes": 9, "receiver_im": "second"}]);
        let policy = json!({"name": "Nights", "steps": steps});
        assert_eq!(
            fields(&escalation_policy::AGGREGATE, "set-policy", policy),
            ["steps[1].receiver_im second"]
        );
        let expectation =
            json!({"name": "Backup", "source_id": Uuid::nil(), "every_minutes": 60, "receiver_im": "ops"});
        assert_eq!(
            fields(&expectation::AGGREGATE, "expect", json!({"expectation": expectation})),
            ["expectation.receiver_im ops"]
        );
    }
}
