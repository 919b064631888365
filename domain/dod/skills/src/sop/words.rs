//! The words of an instruction, taken one after the other.

use rust_decimal::Decimal;

use crate::quote::quoted;
use crate::sop::VALUE_CHARS_MAX;

pub struct Words<'a> {
    rest: &'a str,
}

impl<'a> Words<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { rest: text.trim() }
    }

    /// The next word, up to white space.
    pub fn peek(&self) -> &'a str {
        self.rest.split_whitespace().next().unwrap_or_default()
    }

    pub fn rest(&self) -> &'a str {
        self.rest
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Takes the next word.
    pub fn skip(&mut self) -> &'a str {
        let word = self.peek();
        self.rest = self.rest.get(word.len()..).unwrap_or_default().trim_start();
        word
    }

    /// Takes these words when they come next, whatever their case; a comma behind the last is taken with it.
    pub fn take(&mut self, phrase: &str) -> bool {
        let mut rest = self.rest;
        for wanted in phrase.split(' ') {
            let word = rest.split_whitespace().next().unwrap_or_default();
            if !word.trim_end_matches(',').eq_ignore_ascii_case(wanted) {
                return false;
            }
            rest = rest.get(word.len()..).unwrap_or_default().trim_start();
        }
        self.rest = rest;
        true
    }

    /// Takes these signs when they come next, with or without a space behind them.
    pub fn sign(&mut self, sign: &str) -> bool {
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    /// A value: between quotation marks, or all that comes before one of the words that end it, or before the end.
    pub fn value(&mut self, what: &str, ends: &[&str]) -> Result<String, String> {
        let value = if let Some(quoted) = self.rest.strip_prefix('"') {
            let Some((value, rest)) = quoted.split_once('"') else {
                return Err(format!("The quotation mark before {what} is not closed."));
            };
            self.rest = rest.trim_start();
            value
        } else {
            self.until(ends)
        };
        if value.is_empty() {
            return Err(format!(
                "Here {what} is missing; write it behind the other words, between \"quotation marks\" where it has several."
            ));
        }
        if value.chars().nth(VALUE_CHARS_MAX).is_some() {
            return Err(format!(
                "Here {what} is longer than {VALUE_CHARS_MAX} characters; shorten it."
            ));
        }
        Ok(value.to_owned())
    }

    /// All that comes before one of the words, or before the end.
    pub fn until(&mut self, ends: &[&str]) -> &'a str {
        let (before, rest) = self.rest.split_at_checked(self.end(ends)).unwrap_or((self.rest, ""));
        self.rest = rest.trim_start();
        before.trim()
    }

    /// Where the first of the words begins, or the end.
    fn end(&self, ends: &[&str]) -> usize {
        let mut at = 0;
        for word in self.rest.split_inclusive(char::is_whitespace) {
            if at > 0 && ends.iter().any(|end| word.trim_end().eq_ignore_ascii_case(end)) {
                return at;
            }
            at += word.len();
        }
        self.rest.len()
    }

    /// A name of one word, or of several between quotation marks.
    pub fn name(&mut self, what: &str) -> Result<String, String> {
        if self.rest.starts_with('"') {
            return self.value(what, &[]);
        }
        let name = self.skip();
        if name.is_empty() {
            Err(format!("Here {what} is missing."))
        } else {
            Ok(name.to_owned())
        }
    }

    /// What stands between two slashes, and whether an `i` follows them. A slash within is written `\/`.
    pub fn slashes(&mut self) -> Result<(String, bool), String> {
        let missing =
            || "An expression stands between slashes, as in /disk.*full/ or, for any case, /disk.*full/i.".to_owned();
        let inner = self.rest.strip_prefix('/').ok_or_else(missing)?;
        let mut is_escaped = false;
        let end = inner.find(|c| {
            let is_end = c == '/' && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            is_end
        });
        let (pattern, rest) = end.and_then(|end| inner.split_at_checked(end)).ok_or_else(missing)?;
        self.rest = rest.get(1..).unwrap_or_default();
        let is_caseless = self
            .rest
            .strip_prefix('i')
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace));
        self.rest = self.rest.get(usize::from(is_caseless)..).unwrap_or_default();
        if !self.rest.is_empty() && !self.rest.starts_with(char::is_whitespace) {
            return Err(missing());
        }
        self.rest = self.rest.trim_start();
        Ok((pattern.replace("\\/", "/"), is_caseless))
    }

    pub fn number(&mut self) -> Result<Decimal, String> {
        let word = self.skip();
        decimal(word).ok_or_else(|| format!("{} is not a number; write one as in 90, 0.5 or 95%.", quoted(word, 40)))
    }

    pub fn whole_number(&mut self) -> Result<u32, String> {
        let word = self.skip();
        word.parse()
            .map_err(|_| format!("{} is not a whole number; write one as in 3.", quoted(word, 40)))
    }

    /// A JSON pointer.
    pub fn pointer(&mut self) -> Result<String, String> {
        let pointer = self.name("the JSON pointer")?;
        if pointer.starts_with('/') && pointer.chars().nth(VALUE_CHARS_MAX).is_none() {
            Ok(pointer)
        } else {
            Err(format!(
                "{} is not a JSON pointer; it begins with a slash, as in /labels/team or /alerts/0/status.",
                quoted(&pointer, 60)
            ))
        }
    }

    /// That nothing follows.
    pub fn done(&self) -> Result<(), String> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(format!(
                "{} is too much here; the instruction is complete before it.",
                quoted(self.rest, 60)
            ))
        }
    }
}

/// A number as people and tools write it; a per cent sign behind it is left out.
pub fn decimal(text: &str) -> Option<Decimal> {
    let text = text.trim();
    let text = text.strip_suffix('%').unwrap_or(text).trim_end();
    text.parse().ok().or_else(|| Decimal::from_scientific(text).ok())
}

/// That a word is not among those that there are, with the nearest of them.
pub fn unknown(word: &str, place: &str, there_are: &[&str]) -> String {
    let first = |phrase: &str| phrase.split(' ').next().unwrap_or_default().to_lowercase();
    let typed = word.to_lowercase();
    let near = there_are
        .iter()
        .map(|phrase| (distance(&typed, &first(phrase)), phrase))
        .filter(|(distance, phrase)| *distance > 0 && *distance <= 2 && *distance < first(phrase).chars().count())
        .min_by_key(|(distance, _)| *distance);
    let near = near
        .map(|(_, phrase)| format!(" Perhaps \"{phrase}\" is meant."))
        .unwrap_or_default();
    let said = if word.is_empty() {
        format!("Nothing follows {place}.")
    } else {
        format!("{} is not known after {place}.", quoted(word, 40))
    };
    format!(
        "{said} There is: {}.{near} If the line is a note, begin it with another word, or with > as a quotation.",
        there_are.join(", ")
    )
}

/// Letters to change, add, take out or swap to make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    const CHARS_MAX: usize = 24;
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(CHARS_MAX).collect(), b.chars().take(CHARS_MAX).collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = changed.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows.last().and_then(|row| row.last()).copied().unwrap_or(0)
}
