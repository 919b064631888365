//! The conclusion: what it is, what was checked and found, what could not be known, and what persons said before.

use crate::finding::{Finding, Outcome};
use crate::investigation::{CONCLUSION_BYTES_MAX, Conclusion, Kind, Run, local};
use crate::quote::{cut, plain};
use crate::sop::{Conclude, Of, What};

/// Corrections that a conclusion shows, lines of what could not be known, characters of a line, and bytes of a list, so that
/// there is room for what was checked.
const CORRECTIONS_SHOWN_MAX: usize = 3;
const UNKNOWN_MAX: usize = 50;
const UNKNOWN_CHARS_MAX: usize = 240;
const LINE_CHARS_MAX: usize = 600;
const LIST_BYTES_MAX: usize = 2 << 10;

impl Run<'_> {
    pub(super) fn concluded(&self, conclude: &Conclude, done: &[&Finding]) -> Conclusion {
        let named: Vec<u32> = done
            .iter()
            .map(|finding| finding.step)
            .filter(|step| {
                conclude.when.is_empty()
                    || conclude.when.iter().any(|condition| match condition.of {
                        Of::Step(number) => number == *step,
                        Of::All | Of::Any => true,
                    })
            })
            .collect();
        self.composed(conclude.is_real_issue, &conclude.text, named, done, None)
    }

    pub(super) fn without_conclusion(&self, done: &[&Finding]) -> Conclusion {
        let all = done.iter().map(|finding| finding.step).collect();
        self.composed(
            None,
            "The procedure ended without a conclusion that fits what was found.",
            all,
            done,
            None,
        )
    }

    pub(super) fn before_its_time(&self, done: &[&Finding], reason: &str) -> Conclusion {
        let all = done.iter().map(|finding| finding.step).collect();
        let reason = plain(reason, LINE_CHARS_MAX);
        self.composed(
            None,
            &format!("The investigation was ended before its time. {reason}"),
            all,
            done,
            Some(&reason),
        )
    }

    fn composed(
        &self,
        is_real_issue: Option<bool>,
        said: &str,
        rests_on: Vec<u32>,
        done: &[&Finding],
        ended: Option<&str>,
    ) -> Conclusion {
        let head = match is_real_issue {
            Some(true) => "Real issue",
            Some(false) => "False positive",
            None => "Not known",
        };
        let mut lines = vec![format!("{head}: {}", plain(said, LINE_CHARS_MAX))];
        lines.extend(match self.kind {
            Kind::Skill => None,
            Kind::NoSkill => Some("No skill was found for this alert; what is known of every alert was looked at.".to_owned()),
            Kind::SkillWithoutSteps => Some(
                "The skill's procedure has no steps that can be followed without a person; what is known of every alert was looked at."
                    .to_owned(),
            ),
        });
        let unknown = self.unknown(done, ended);
        let mut rest = listed("Could not be known:", &unknown);
        let corrections = &self.evidence.corrections;
        let said: Vec<_> = corrections
            .iter()
            .take(CORRECTIONS_SHOWN_MAX)
            .map(local::corrected)
            .collect();
        rest.extend(listed("Said by persons before:", &said));

        lines.push(String::new());
        lines.push(if done.is_empty() {
            "Nothing was checked.".to_owned()
        } else {
            "Checked:".to_owned()
        });
        let taken: usize = lines.iter().chain(&rest).map(|line| line.len() + 1).sum();
        let share = CONCLUSION_BYTES_MAX.saturating_sub(taken) / done.len().max(1);
        lines.extend(done.iter().map(|finding| cut(told(finding), share.saturating_sub(1))));
        lines.extend(rest);
        Conclusion {
            text: cut(lines.join("\n"), CONCLUSION_BYTES_MAX),
            is_real_issue,
            evidence: rests_on,
            unknown,
        }
    }

    fn unknown(&self, done: &[&Finding], ended: Option<&str>) -> Vec<String> {
        let without_answer = done
            .iter()
            .filter(|finding| finding.outcome == Outcome::CouldNotKnow)
            .map(|finding| format!("Step {}: {}", finding.step, plain(&finding.seen, UNKNOWN_CHARS_MAX)));
        let is_done = |number: u32| done.iter().any(|finding| finding.step == number);
        let not_done = self
            .sop
            .instructions
            .iter()
            .filter_map(|instruction| match &instruction.what {
                What::Check(step) if !is_done(step.number) => Some((step.number, &step.text)),
                What::Get(step) if !is_done(step.number) => Some((step.number, &step.text)),
                What::Check(_) | What::Get(_) | What::Note(_) | What::Conclude(_) => None,
            });
        let not_done = not_done
            .filter(|_| ended.is_some())
            .map(|(number, text)| format!("Step {number} was not done: {}", plain(text, UNKNOWN_CHARS_MAX)));
        without_answer.chain(not_done).take(UNKNOWN_MAX).collect()
    }
}

fn told(finding: &Finding) -> String {
    let outcome = match finding.outcome {
        Outcome::Held => "holds",
        Outcome::Failed => "does not hold",
        Outcome::CouldNotKnow => "could not be known",
    };
    format!(
        "{}. {}: {outcome}. {}",
        finding.step,
        plain(&finding.check, LINE_CHARS_MAX),
        plain(&finding.seen, LINE_CHARS_MAX)
    )
}

/// A paragraph of its own, as much of it as may be.
fn listed(heading: &str, items: &[String]) -> Vec<String> {
    if items.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![String::new(), heading.to_owned()];
    let mut bytes = 0;
    for (index, item) in items.iter().enumerate() {
        let line = format!("- {}", cut(item.clone(), LIST_BYTES_MAX / 4));
        bytes += line.len() + 1;
        if bytes > LIST_BYTES_MAX {
            lines.push(format!("- and {} more.", items.len() - index));
            break;
        }
        lines.push(line);
    }
    lines
}
