//! Conclusions, and when they are drawn.

use crate::finding::Outcome;
use crate::sop::words::{Words, unknown};
use crate::sop::{Condition, Of, VALUE_CHARS_MAX, check};

const CONDITIONS_MAX: usize = 20;
const SUBJECTS: [&str; 4] = ["it", "step N", "all steps", "any step"];
const OUTCOMES: [&str; 3] = ["holds", "fails", "is unknown"];

/// What stands between `if` and `conclude`, which is taken too.
pub fn conditions(words: &mut Words<'_>, steps: u32, written: &[(u32, u32)]) -> Result<Vec<Condition>, String> {
    let mut conditions = Vec::new();
    loop {
        let of = subject(words, steps, written)?;
        conditions.push(Condition {
            of,
            outcome: outcome(words)?,
        });
        if conditions.len() > CONDITIONS_MAX {
            return Err(format!("At most {CONDITIONS_MAX} conditions are joined."));
        }
        if !words.take("and") {
            break;
        }
        words.take("if");
    }
    words.take("then");
    if words.take("conclude") {
        Ok(conditions)
    } else {
        Err(unknown(words.peek(), "the condition", &["and", "conclude"]))
    }
}

fn subject(words: &mut Words<'_>, steps: u32, written: &[(u32, u32)]) -> Result<Of, String> {
    if words.take("it") {
        return if steps > 0 {
            Ok(Of::Step(steps))
        } else {
            Err("No check comes before it.".to_owned())
        };
    }
    let of = if words.take("all steps") {
        Of::All
    } else if words.take("any step") {
        Of::Any
    } else if words.take("step") {
        let number = words.whole_number()?;
        if number == 0 || number > steps {
            return Err(format!(
                "Step {number} does not come before this line. Steps are the lines with check and get, of which {steps} come before."
            ));
        }
        if let Some((_, step)) = written
            .iter()
            .find(|(written, step)| *written == number && *step != number)
        {
            return Err(format!(
                "Which step is meant? Steps are the lines with check and get, counted from the top; the line written as {number}. is \
                 step {step}. Number the list so, or write \"if it fails\" right beneath the check."
            ));
        }
        Of::Step(number)
    } else {
        return Err(unknown(words.peek(), "if", &SUBJECTS));
    };
    if steps == 0 {
        Err("No check comes before this line.".to_owned())
    } else {
        Ok(of)
    }
}

fn outcome(words: &mut Words<'_>) -> Result<Outcome, String> {
    if words.take("holds") || words.take("hold") {
        Ok(Outcome::Held)
    } else if words.take("fails") || words.take("fail") {
        Ok(Outcome::Failed)
    } else if words.take("is unknown") || words.take("are unknown") {
        Ok(Outcome::CouldNotKnow)
    } else {
        Err(unknown(words.peek(), "the step", &OUTCOMES))
    }
}

/// What stands behind `conclude`.
pub fn verdict(words: &mut Words<'_>) -> Result<(Option<bool>, String), String> {
    let Some((head, _)) = words.rest().split_once(':') else {
        let mut head = Words::new(words.rest());
        check::reality(&mut head, "conclude")?;
        return Err(
            "A conclusion says why, behind a colon, as in: conclude false positive: The host is being moved."
                .to_owned(),
        );
    };
    let text_at = head.len() + 1;
    let mut head = Words::new(head);
    let is_real_issue = check::reality(&mut head, "conclude")?;
    head.done()?;
    let text = words.rest().get(text_at..).unwrap_or_default().trim();
    if text.is_empty() {
        return Err("The conclusion's text is missing behind the colon; say why it is so, and what to do.".to_owned());
    }
    if text.chars().nth(VALUE_CHARS_MAX).is_some() {
        return Err(format!(
            "A conclusion has at most {VALUE_CHARS_MAX} characters; shorten it."
        ));
    }
    Ok((is_real_issue, text.to_owned()))
}
