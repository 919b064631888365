//! The words by which the log is searched: contexts, kinds of stream and events. They are closed lists, so a word that is in
//! none of them is a slip; it is refused, since it would find nothing.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::app::App;
use crate::auth::Principal;
use crate::context::Contexts;
use crate::extract::Parameters;
use crate::problem::Problem;
use crate::query::value::shortened;

/// Length of a word that the log is searched for.
const WORD_BYTES_MAX: usize = 200;
/// Words that a refusal names; there are more events than anybody reads.
const NAMED_MAX: usize = 60;
/// What CloudEvents put before the kind of stream that an event comes from.
const SOURCE: &str = "/daybook/";

/// The words as they stand in a request.
#[derive(Debug, Default)]
pub struct Words {
    pub context: Option<String>,
    pub aggregate: Option<String>,
    pub event_type: Option<String>,
}

/// What the words mean.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Meant {
    /// The kinds of stream, by their stored names; `None` is any.
    pub types: Option<Vec<String>>,
    /// The name of an event: `UserRegistered`.
    pub event_type: Option<String>,
}

/// What there is in the log: each kind of stream with its events; of one of a context that this program is without, nobody
/// here knows them.
#[derive(Debug)]
struct Known(Vec<(String, Option<&'static [&'static str]>)>);

impl Words {
    /// Takes them out of the parameters.
    ///
    /// # Errors
    /// 400, naming the parameter, for what can be no word.
    pub fn take(parameters: &mut Parameters) -> Result<Self, Problem> {
        let mut word = |name: &str| match parameters.take(name)? {
            Some(word) if word.is_empty() || word.len() > WORD_BYTES_MAX || word.contains('\0') => {
                let detail = format!("{name} must be a word of the log, of 1 to {WORD_BYTES_MAX} bytes");
                Err(Problem::bad_value(name, detail))
            }
            word => Ok(word),
        };
        Ok(Self {
            context: word("context")?,
            aggregate: word("aggregate")?,
            event_type: word("type")?,
        })
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.context.is_none() && self.aggregate.is_none() && self.event_type.is_none()
    }

    /// What they mean to this principal. With `narrowed`, kinds of stream are named even where any will do: then a search for
    /// one stream uses its index.
    ///
    /// # Errors
    /// 400, naming the parameter and the words that there are; the failure of the database.
    pub async fn meant(&self, app: &App, by: &Principal, narrowed: bool) -> Result<Meant, Problem> {
        if self.is_empty() && !narrowed {
            return Ok(Meant::default());
        }
        // What a context has left behind that this program is without is told to those alone who see all departments.
        let stored = match by.sees_all_departments() {
            true => app.tail.kinds().await?,
            false => Vec::new(),
        };
        self.of_kinds(&app.contexts, stored)
    }

    /// What they mean where the book has these kinds of streams besides those of the program.
    ///
    /// # Errors
    /// As [`Words::meant`].
    pub fn of_kinds(&self, contexts: &Contexts, stored: Vec<String>) -> Result<Meant, Problem> {
        let declared = contexts.decisions().aggregates();
        let declared = declared.map(|kind| (kind.aggregate_type.to_owned(), Some(kind.events)));
        let left = stored.into_iter().filter(|kind| contexts.aggregate(kind).is_none());
        self.among(Known(declared.chain(left.map(|kind| (kind, None))).collect()))
    }

    fn among(&self, mut known: Known) -> Result<Meant, Problem> {
        if let Some(word) = &self.context {
            known.keep("context", word, Known::contexts, |kind, _| split(kind).0 == word)?;
        }
        if let Some(word) = &self.aggregate {
            let plain = word.strip_prefix(SOURCE).unwrap_or(word);
            known.keep("aggregate", word, Known::kinds, |kind, _| is_kind(kind, plain))?;
        }
        let mut event_type = None;
        if let Some(word) = &self.event_type {
            let (kind, name) = word.rsplit_once('.').unwrap_or(("", word));
            known.keep("type", word, Known::events, |of, events| {
                let is_kind = kind.is_empty() || is_kind(of, kind);
                is_kind && events.is_none_or(|events| events.contains(&name))
            })?;
            event_type = Some(name.to_owned());
        }
        let types = known.0.into_iter().map(|(kind, _)| kind).collect();
        Ok(Meant {
            types: Some(types),
            event_type,
        })
    }
}

/// Context and own word of a kind of stream.
fn split(kind: &str) -> (&str, &str) {
    kind.split_once('.').unwrap_or((kind, ""))
}

/// How many bytes two words begin with alike: what was meant is among the first that are named.
fn in_common(one: &str, other: &str) -> usize {
    one.bytes()
        .zip(other.bytes())
        .take_while(|(one, other)| one == other)
        .count()
}

/// Whether a kind of stream is called so: `identity.user`, or `user` for short.
fn is_kind(kind: &str, word: &str) -> bool {
    kind == word || split(kind).1 == word
}

impl Known {
    /// Leaves what a word means, of what the words before it mean.
    fn keep(
        &mut self,
        name: &str,
        word: &str,
        words: fn(&Self) -> BTreeSet<String>,
        is_meant: impl Fn(&str, Option<&[&str]>) -> bool,
    ) -> Result<(), Problem> {
        if !self.0.iter().any(|(kind, events)| is_meant(kind, *events)) {
            let known = words(self);
            let rest = known.len().saturating_sub(NAMED_MAX);
            let more = match rest {
                0 => String::new(),
                rest => format!(" and {rest} more, see GET /v1/events/types"),
            };
            let mut known = Vec::from_iter(known);
            known.sort_by_key(|known| Reverse(in_common(known, word)));
            known.truncate(NAMED_MAX);
            let detail = format!(
                "{name} {:?} is none that there is here; there are {}{more}",
                shortened(word),
                known.join(", ")
            );
            return Err(Problem::bad_value(name, detail).allowed(known));
        }
        self.0.retain(|(kind, events)| is_meant(kind, *events));
        Ok(())
    }

    fn contexts(&self) -> BTreeSet<String> {
        self.0.iter().map(|(kind, _)| split(kind).0.to_owned()).collect()
    }

    fn kinds(&self) -> BTreeSet<String> {
        self.0.iter().map(|(kind, _)| kind.clone()).collect()
    }

    fn events(&self) -> BTreeSet<String> {
        let events = self.0.iter().flat_map(|(_, events)| events.unwrap_or_default());
        events.map(|&event| event.to_owned()).collect()
    }
}

#[cfg(test)]
mod tests;
