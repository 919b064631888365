//! Checks of what is known without asking anybody.

use dod_formats::Severity;

use crate::quote::quoted;
use crate::sop::words::{Words, unknown};
use crate::sop::{Check, Count, Order, Part, SPAN_SECONDS_MAX, SeverityTest, Test, VALUE_CHARS_MAX, expression};

const SUBJECTS: [&str; 14] = [
    "title ...",
    "description ...",
    "source ...",
    "type ...",
    "severity ...",
    "label NAME ...",
    "value at /pointer ...",
    "fired more than 3 times in 24h",
    "firing for more than 10m",
    "flapping",
    "not flapping",
    "other alerts include NAME",
    "more than 5 alerts in this issue",
    "last correction is false positive",
];
const TESTS: [&str; 13] = [
    "is",
    "is not",
    "is one of",
    "is missing",
    "exists",
    "contains",
    "does not contain",
    "matches /.../",
    "does not match /.../",
    ">",
    ">=",
    "<",
    "<=",
];
const SEVERITY_TESTS: [&str; 5] = ["is", "is not", "is one of", "at least", "at most"];
const COUNTS: [&str; 5] = ["more than", "at least", "less than", "at most", "exactly"];
const VALUES_MAX: usize = 20;

pub fn check(words: &mut Words<'_>) -> Result<Check, String> {
    let word = words.peek();
    let check = if words.take("title") {
        Check::Alert {
            part: Part::Title,
            test: test(words, &[])?,
        }
    } else if words.take("description") {
        Check::Alert {
            part: Part::Description,
            test: test(words, &[])?,
        }
    } else if words.take("source") {
        Check::Alert {
            part: Part::Source,
            test: test(words, &[])?,
        }
    } else if words.take("type") {
        Check::Alert {
            part: Part::Type,
            test: test(words, &[])?,
        }
    } else if words.take("label") {
        Check::Alert {
            part: Part::Label(words.name("the label's name")?),
            test: test(words, &[])?,
        }
    } else if words.take("value at") {
        Check::Alert {
            part: Part::Value(words.pointer()?),
            test: test(words, &[])?,
        }
    } else if words.take("severity") {
        Check::Severity(severity(words)?)
    } else if words.take("fired") {
        fired(words)?
    } else if words.take("firing for") {
        let Some(order @ (Order::More | Order::Less)) = order(words) else {
            return Err(unknown(words.peek(), "firing for", &["more than 10m", "less than 10m"]));
        };
        Check::Firing {
            is_longer: order == Order::More,
            seconds: span(words)?,
        }
    } else if words.take("flapping") {
        Check::Flapping(true)
    } else if words.take("not flapping") {
        Check::Flapping(false)
    } else if words.take("other alerts include") {
        Check::Others {
            include: true,
            name: words.value("the name of an alert", &[])?,
        }
    } else if words.take("other alerts do not include") {
        Check::Others {
            include: false,
            name: words.value("the name of an alert", &[])?,
        }
    } else if words.take("last correction is") {
        Check::LastCorrection(reality(words, "last correction is")?)
    } else if let Some(order) = order(words) {
        let number = words.whole_number()?;
        if !words.take("alerts in this issue") && !words.take("alert in this issue") {
            return Err(unknown(words.peek(), "the number", &["alerts in this issue"]));
        }
        Check::InIssue(Count { order, number })
    } else {
        return Err(unknown(word, "check", &SUBJECTS));
    };
    words.done()?;
    Ok(check)
}

/// What a text or a number must be, up to one of the words that end a value.
pub fn test(words: &mut Words<'_>, ends: &[&str]) -> Result<Test, String> {
    let value = |words: &mut Words<'_>| words.value("the value", ends);
    Ok(if words.take("exists") {
        Test::Exists
    } else if words.take("is missing") {
        Test::Missing
    } else if words.take("is not one of") {
        Test::IsNot(values(words, ends)?)
    } else if words.take("is one of") {
        Test::Is(values(words, ends)?)
    } else if words.take("does not contain") {
        Test::Lacks(value(words)?)
    } else if words.take("contains") {
        Test::Contains(value(words)?)
    } else if words.take("does not match") {
        let (pattern, is_caseless) = words.slashes()?;
        Test::MatchesNot(expression(&pattern, is_caseless)?)
    } else if words.take("matches") {
        let (pattern, is_caseless) = words.slashes()?;
        Test::Matches(expression(&pattern, is_caseless)?)
    } else if let Some(order) = comparison(words) {
        Test::Compares(order, words.number()?)
    } else if words.take("is not") || words.sign("!=") {
        Test::IsNot(vec![value(words)?])
    } else if words.take("is") || words.sign("=") {
        Test::Is(vec![value(words)?])
    } else {
        return Err(unknown(words.peek(), "what is looked at", &TESTS));
    })
}

fn values(words: &mut Words<'_>, ends: &[&str]) -> Result<Vec<String>, String> {
    let all = words.until(ends);
    let values: Vec<_> = all
        .split(',')
        .map(|value| value.trim().trim_matches('"').to_owned())
        .filter(|v| !v.is_empty())
        .collect();
    if let Some(long) = values.iter().find(|value| value.chars().nth(VALUE_CHARS_MAX).is_some()) {
        return Err(format!(
            "The value {} is longer than {VALUE_CHARS_MAX} characters; shorten it.",
            quoted(long, 40)
        ));
    }
    match values.len() {
        0 => Err("The list of values is empty; write them with commas between.".to_owned()),
        1..=VALUES_MAX => Ok(values),
        _ => Err(format!(
            "At most {VALUES_MAX} values are listed; write an expression between slashes in their place."
        )),
    }
}

fn comparison(words: &mut Words<'_>) -> Option<Order> {
    for (sign, order) in [
        (">=", Order::AtLeast),
        ("<=", Order::AtMost),
        (">", Order::More),
        ("<", Order::Less),
    ] {
        if words.sign(sign) {
            return Some(order);
        }
    }
    for (phrase, order) in [
        ("is above", Order::More),
        ("above", Order::More),
        ("is below", Order::Less),
        ("below", Order::Less),
    ] {
        if words.take(phrase) {
            return Some(order);
        }
    }
    for (phrase, order) in [
        ("is more than", Order::More),
        ("is at least", Order::AtLeast),
        ("is less than", Order::Less),
        ("is at most", Order::AtMost),
    ] {
        if words.take(phrase) {
            return Some(order);
        }
    }
    order(words).filter(|order| *order != Order::Exactly)
}

fn order(words: &mut Words<'_>) -> Option<Order> {
    let orders = [Order::More, Order::AtLeast, Order::Less, Order::AtMost, Order::Exactly];
    COUNTS
        .into_iter()
        .zip(orders)
        .find(|(phrase, _)| words.take(phrase))
        .map(|(_, order)| order)
}

fn severity(words: &mut Words<'_>) -> Result<SeverityTest, String> {
    Ok(
        if words.take("is at least") || words.take("at least") || words.sign(">=") {
            SeverityTest::AtLeast(a_severity(words.skip())?)
        } else if words.take("is at most") || words.take("at most") || words.sign("<=") {
            SeverityTest::AtMost(a_severity(words.skip())?)
        } else if words.take("is not one of") {
            SeverityTest::IsNot(
                values(words, &[])?
                    .iter()
                    .map(|word| a_severity(word))
                    .collect::<Result<_, _>>()?,
            )
        } else if words.take("is one of") {
            SeverityTest::Is(
                values(words, &[])?
                    .iter()
                    .map(|word| a_severity(word))
                    .collect::<Result<_, _>>()?,
            )
        } else if words.take("is not") {
            SeverityTest::IsNot(vec![a_severity(words.skip())?])
        } else if words.take("is") {
            SeverityTest::Is(vec![a_severity(words.skip())?])
        } else {
            return Err(unknown(words.peek(), "severity", &SEVERITY_TESTS));
        },
    )
}

fn a_severity(word: &str) -> Result<Severity, String> {
    word.to_lowercase()
        .parse()
        .map_err(|_| unknown(word, "severity", &["low", "medium", "high", "critical"]))
}

fn fired(words: &mut Words<'_>) -> Result<Check, String> {
    let Some(order) = order(words) else {
        return Err(unknown(words.peek(), "fired", &COUNTS));
    };
    let number = words.whole_number()?;
    if !words.take("times in") && !words.take("time in") {
        return Err(unknown(words.peek(), "the number", &["times in 24h"]));
    }
    Ok(Check::Fired {
        count: Count { order, number },
        seconds: span(words)?,
    })
}

/// A span of time: `90s`, `10 minutes`, `24h`, `7d`.
fn span(words: &mut Words<'_>) -> Result<i64, String> {
    let word = words.skip();
    let digits = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
    let (number, unit) = word.split_at_checked(digits).unwrap_or((word, ""));
    let unit = if unit.is_empty() { words.skip() } else { unit };
    let seconds = match unit.to_lowercase().as_str() {
        "s" | "second" | "seconds" => 1,
        "m" | "min" | "minute" | "minutes" => 60,
        "h" | "hour" | "hours" => 3_600,
        "d" | "day" | "days" => 24 * 3_600,
        _ => {
            return Err(format!(
                "{} is not a span of time; write it as in 90s, 10m, 24h or 7d.",
                quoted(word, 40)
            ));
        }
    };
    number
        .parse::<i64>()
        .ok()
        .and_then(|number| number.checked_mul(seconds))
        .filter(|seconds| (1..=SPAN_SECONDS_MAX).contains(seconds))
        .ok_or_else(|| {
            format!(
                "{} is not a span from a second to {} days.",
                quoted(word, 40),
                SPAN_SECONDS_MAX / 86_400
            )
        })
}

/// What it is said to be: a real issue, a false positive, or unknown.
pub fn reality(words: &mut Words<'_>, place: &str) -> Result<Option<bool>, String> {
    if words.take("real issue") {
        Ok(Some(true))
    } else if words.take("false positive") {
        Ok(Some(false))
    } else if words.take("unknown") {
        Ok(None)
    } else {
        Err(unknown(
            words.peek(),
            place,
            &["real issue", "false positive", "unknown"],
        ))
    }
}
