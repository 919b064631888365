//! What a tool's answer shows of what was expected.

use serde_json::Value;

use crate::finding::Outcome;
use crate::investigation::{Call, at, local};
use crate::quote::quoted;
use crate::sop::{Expectation, Test};

/// Bytes of a body that are looked at.
pub const BODY_BYTES_MAX: usize = 1 << 20;
const EXCERPT_CHARS_MAX: usize = 120;

pub fn judge(call: &Call, status: u16, body: &[u8], is_cut: bool) -> (Outcome, String) {
    let is_cut = is_cut || body.len() > BODY_BYTES_MAX;
    let body = body.get(..BODY_BYTES_MAX).unwrap_or(body);
    let names_status = call
        .expectations
        .iter()
        .any(|expected| matches!(expected, Expectation::Status(_)));
    if !names_status && !(200..300).contains(&status) {
        return (
            Outcome::CouldNotKnow,
            format!("The tool answered {status}{}.", excerpt(body)),
        );
    }
    let mut seen = vec![format!("The tool answered {status}")];
    let mut outcome = Outcome::Held;
    let answer = Answer {
        status,
        body,
        text: String::from_utf8_lossy(body).into_owned(),
        is_cut,
    };
    for expected in &call.expectations {
        let (one, said) = answer.judge(expected);
        seen.extend(said);
        outcome = match (outcome, one) {
            (Outcome::Failed, _) | (_, Outcome::Failed) => Outcome::Failed,
            (Outcome::CouldNotKnow, _) | (_, Outcome::CouldNotKnow) => Outcome::CouldNotKnow,
            (Outcome::Held, Outcome::Held) => Outcome::Held,
        };
    }
    if call.expectations.is_empty() {
        seen.push(format!("nothing more was expected{}", excerpt(body)));
    }
    (outcome, format!("{}.", seen.join("; ")))
}

fn excerpt(body: &[u8]) -> String {
    let start = String::from_utf8_lossy(body.get(..EXCERPT_CHARS_MAX * 4).unwrap_or(body)).into_owned();
    if start.trim().is_empty() {
        String::new()
    } else {
        format!(", with {}", quoted(&start, EXCERPT_CHARS_MAX))
    }
}

struct Answer<'a> {
    status: u16,
    body: &'a [u8],
    text: String,
    is_cut: bool,
}

impl Answer<'_> {
    fn judge(&self, expected: &Expectation) -> (Outcome, Option<String>) {
        match expected {
            Expectation::Status(statuses) if statuses.iter().any(|range| range.contains(&self.status)) => {
                (Outcome::Held, None)
            }
            Expectation::Status(_) => (Outcome::Failed, Some("another status was expected".to_owned())),
            Expectation::Json { pointer, test } => self.json(pointer, test),
            Expectation::Body(test) => self.body(test),
        }
    }

    fn json(&self, pointer: &str, test: &Test) -> (Outcome, Option<String>) {
        match serde_json::from_slice::<Value>(self.body) {
            Ok(value) => {
                let (outcome, said) = local::tested(
                    &at(&value, pointer),
                    test,
                    &format!("{} of its JSON", quoted(pointer, EXCERPT_CHARS_MAX)),
                );
                (outcome, Some(said))
            }
            Err(_) if self.is_cut => (
                Outcome::CouldNotKnow,
                Some("the answer was too long to be read as JSON".to_owned()),
            ),
            Err(_) => (Outcome::CouldNotKnow, Some("the answer is not JSON".to_owned())),
        }
    }

    fn body(&self, test: &Test) -> (Outcome, Option<String>) {
        let found = local::is_met(&self.text, false, test);
        // What was not seen in the start may stand in the rest.
        let sought_is_there = match test {
            Test::Lacks(_) | Test::MatchesNot(_) => found.map(|is_met| !is_met),
            Test::Contains(_)
            | Test::Matches(_)
            | Test::Is(_)
            | Test::IsNot(_)
            | Test::Exists
            | Test::Missing
            | Test::Compares(..) => found,
        };
        match (found, sought_is_there) {
            (_, Some(false)) if self.is_cut => (
                Outcome::CouldNotKnow,
                Some("what was looked for is not in the start of the answer, and the rest was cut off".to_owned()),
            ),
            (Some(is_met), Some(is_there)) => {
                let said = if is_there {
                    "what was looked for is in the answer"
                } else {
                    "what was looked for is not in the answer"
                };
                (
                    if is_met { Outcome::Held } else { Outcome::Failed },
                    Some(said.to_owned()),
                )
            }
            _ => (Outcome::CouldNotKnow, Some("the answer cannot be compared".to_owned())),
        }
    }
}
