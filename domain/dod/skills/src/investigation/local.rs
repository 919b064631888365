//! Checks of the alert, its history and its issue.

use chrono::{DateTime, TimeDelta, Utc};

use crate::evidence::{Correction, Evidence};
use crate::finding::Outcome;
use crate::fold::{Folded, fold};
use crate::investigation::{Found, part_of};
use crate::quote::quoted;
use crate::sop::{Check, Count, Order, Part, SeverityTest, Test, decimal};

const EXCERPT_CHARS_MAX: usize = 120;

pub fn evaluate(check: &Check, evidence: &Evidence) -> (Outcome, String) {
    match check {
        Check::Alert { part, test } => {
            let (outcome, said) = tested(&part_of(part, evidence), test, &named(part));
            (outcome, sentence(&said))
        }
        Check::Severity(test) => {
            let severity = evidence.severity;
            let holds = match test {
                SeverityTest::Is(all) => all.contains(&severity),
                SeverityTest::IsNot(all) => !all.contains(&severity),
                SeverityTest::AtLeast(least) => severity >= *least,
                SeverityTest::AtMost(most) => severity <= *most,
            };
            (outcome(holds), format!("The severity is {severity}."))
        }
        Check::Fired { count, seconds } => fired(*count, *seconds, evidence),
        Check::Firing { is_longer, seconds } => match evidence.starts_at {
            Some(start) => {
                let taken = (evidence.as_of - start).num_seconds().max(0);
                let holds = if *is_longer { taken > *seconds } else { taken < *seconds };
                (
                    outcome(holds),
                    format!("It has been firing for {}, since {}.", span(taken), time(start)),
                )
            }
            None => (
                Outcome::CouldNotKnow,
                "The sender did not say since when it is so.".to_owned(),
            ),
        },
        Check::Flapping(wanted) => {
            let said = if evidence.is_flapping {
                "It comes and goes: it is flapping."
            } else {
                "It does not flap."
            };
            (outcome(evidence.is_flapping == *wanted), said.to_owned())
        }
        Check::Others { include, name } => others(*include, name, evidence),
        Check::InIssue(Count { order, number }) => {
            let all = evidence.others_count.saturating_add(1);
            let said = match evidence.others_count {
                0 => "It is the only alert of its issue.".to_owned(),
                _ => format!("Its issue has {all} alerts."),
            };
            (outcome(order.holds(&all, number)), said)
        }
        Check::LastCorrection(wanted) => match evidence.corrections.first() {
            Some(correction) => (
                outcome(correction.is_real_issue == *wanted),
                sentence(&corrected(correction)),
            ),
            None => (
                Outcome::Failed,
                "No person has corrected a conclusion on this type of alert.".to_owned(),
            ),
        },
    }
}

fn fired(count: Count, seconds: i64, evidence: &Evidence) -> (Outcome, String) {
    let since = TimeDelta::try_seconds(seconds)
        .and_then(|span| evidence.as_of.checked_sub_signed(span))
        .unwrap_or(DateTime::<Utc>::MIN_UTC);
    let times = evidence
        .fired_at
        .iter()
        .filter(|at| **at >= since && **at <= evidence.as_of)
        .count();
    let times = u32::try_from(times).unwrap_or(u32::MAX);
    let said = format!("It fired {times} times in {}", span(seconds));
    match evidence.fired_since.filter(|whole| *whole > since) {
        // More may be missing, so only what more of them cannot change is known.
        Some(whole) => match (count.order, count.order.holds(&times, &count.number)) {
            (Order::More | Order::AtLeast, true) => (Outcome::Held, format!("{said} or more.")),
            (Order::Less | Order::AtMost, false) => (Outcome::Failed, format!("{said} or more.")),
            (Order::Exactly, false) if times > count.number => (Outcome::Failed, format!("{said} or more.")),
            _ => (
                Outcome::CouldNotKnow,
                format!("{said} that are known; what was before {} is not.", time(whole)),
            ),
        },
        None => (outcome(count.order.holds(&times, &count.number)), format!("{said}.")),
    }
}

/// An alert is meant by its type, or by words of its title.
fn others(include: bool, name: &str, evidence: &Evidence) -> (Outcome, String) {
    let wanted = fold(name);
    let is_meant = |title: &str| {
        let title = Folded::new(title);
        title
            .text
            .match_indices(&wanted)
            .any(|(at, _)| title.is_whole(at, at + wanted.len()))
    };
    let found = evidence
        .others
        .iter()
        .find(|other| fold(&other.alert_type) == wanted || is_meant(&other.title));
    let is_whole = evidence.others.len() >= evidence.others_count as usize;
    match found {
        Some(other) => (
            outcome(include),
            format!(
                "Its issue has {}, {}.",
                quoted(&other.alert_type, EXCERPT_CHARS_MAX),
                quoted(&other.title, EXCERPT_CHARS_MAX)
            ),
        ),
        None if is_whole => (
            outcome(!include),
            format!(
                "None of the {} other alerts of its issue is that.",
                evidence.others_count
            ),
        ),
        None => (
            Outcome::CouldNotKnow,
            format!(
                "None of the {} other alerts that were looked at is that; there are {}.",
                evidence.others.len(),
                evidence.others_count
            ),
        ),
    }
}

/// Holds what was found against the test.
pub fn tested(found: &Found, test: &Test, name: &str) -> (Outcome, String) {
    let (text, is_number) = match found {
        Found::Unknown(reason) => return (Outcome::CouldNotKnow, reason.clone()),
        Found::Absent => {
            let holds = match test {
                Test::Missing | Test::IsNot(_) | Test::Lacks(_) | Test::MatchesNot(_) => true,
                Test::Exists | Test::Is(_) | Test::Contains(_) | Test::Matches(_) => false,
                Test::Compares(..) => {
                    return (
                        Outcome::CouldNotKnow,
                        format!("{name} is missing, so there is no number"),
                    );
                }
            };
            return (outcome(holds), format!("{name} is missing"));
        }
        Found::Text(text) => (text, false),
        Found::Number(text) => (text, true),
    };
    match is_met(text, is_number, test) {
        Some(holds) => (outcome(holds), format!("{name} is {}", quoted(text, EXCERPT_CHARS_MAX))),
        None => (
            Outcome::CouldNotKnow,
            format!("{name} is {}, which is not a number", quoted(text, EXCERPT_CHARS_MAX)),
        ),
    }
}

/// Whether a text, or a number of JSON, is as it must be: of two texts, `1.1` and `1.10` are not the same version. None when a number is asked for and it is none.
pub fn is_met(text: &str, is_number: bool, test: &Test) -> Option<bool> {
    Some(match test {
        Test::Exists => true,
        Test::Missing => false,
        Test::Is(all) => all.iter().any(|one| is_same(text, is_number, one)),
        Test::IsNot(all) => !all.iter().any(|one| is_same(text, is_number, one)),
        Test::Contains(part) => fold(text).contains(&fold(part)),
        Test::Lacks(part) => !fold(text).contains(&fold(part)),
        Test::Matches(regex) => regex.is_match(text),
        Test::MatchesNot(regex) => !regex.is_match(text),
        Test::Compares(order, bound) => order.holds(&decimal(text)?, bound),
    })
}

fn is_same(a: &str, is_number: bool, b: &str) -> bool {
    fold(a.trim()) == fold(b.trim()) || is_number && matches!((decimal(a), decimal(b)), (Some(a), Some(b)) if a == b)
}

fn outcome(holds: bool) -> Outcome {
    if holds { Outcome::Held } else { Outcome::Failed }
}

fn named(part: &Part) -> String {
    match part {
        Part::Title => "the title".to_owned(),
        Part::Description => "the description".to_owned(),
        Part::Source => "the source".to_owned(),
        Part::Type => "the type".to_owned(),
        Part::Label(name) => format!("the label {}", quoted(name, EXCERPT_CHARS_MAX)),
        Part::Value(pointer) => format!("the value at {}", quoted(pointer, EXCERPT_CHARS_MAX)),
    }
}

/// What a person said, in words to be followed by others.
pub fn corrected(correction: &Correction) -> String {
    let said = match correction.is_real_issue {
        Some(true) => "a real issue",
        Some(false) => "a false positive",
        None => "unknown",
    };
    let by = quoted(&correction.by, EXCERPT_CHARS_MAX);
    format!(
        "{by} called an alert of this type {said} on {}: {}",
        time(correction.at),
        quoted(&correction.text, EXCERPT_CHARS_MAX)
    )
}

fn sentence(said: &str) -> String {
    let mut chars = said.chars();
    let first = chars.next().map(char::to_uppercase).into_iter().flatten();
    format!("{}.", first.chain(chars).collect::<String>())
}

fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

fn span(seconds: i64) -> String {
    let (number, unit) = match seconds {
        s if s >= 172_800 => (s / 86_400, "days"),
        s if s >= 7_200 => (s / 3_600, "hours"),
        s if s >= 120 => (s / 60, "minutes"),
        s => (s, "seconds"),
    };
    format!("{number} {unit}")
}
