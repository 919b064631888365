//! Claims: the kinds of unique values that streams take and give back.

use std::fmt;

/// A kind of unique value: within a tenant, one stream has a value of it at a time.
///
/// What is kept of a value is a digest that covers the name under which the claim is stored, so that name never
/// changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Claim {
    /// The context, where the stored name does not begin with it.
    kept: Option<&'static str>,
    // Stored for ever. Do not rename.
    stored: &'static str,
}

impl Claim {
    /// The claim of this name, which begins with its context's: `sample.tools.mark`.
    #[must_use]
    pub const fn new(qualified: &'static str) -> Self {
        Self {
            kept: None,
            stored: qualified,
        }
    }

    /// A claim from before names began with their context's: it is stored without it for ever, for values that were
    /// taken under that name, and for processes of a former version that take them still. There are no more of these.
    #[must_use]
    pub const fn kept(context: &'static str, stored: &'static str) -> Self {
        Self {
            kept: Some(context),
            stored,
        }
    }

    /// The context that declares it.
    #[must_use]
    pub fn context(&self) -> &'static str {
        let first = || self.stored.split_once('.').map_or("", |(context, _)| context);
        self.kept.unwrap_or_else(first)
    }

    /// The name within its context: `tools.mark`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.kept {
            Some(_) => self.stored,
            None => self.stored.split_once('.').map_or(self.stored, |(_, name)| name),
        }
    }

    /// The value of this claim that texts have in common which a person would call the same: taken beside the text itself,
    /// so that of those alike one is taken. `within` is what they are compared within, a part's id for one.
    #[must_use]
    pub fn alike(within: &str, text: &str) -> String {
        // No text has this character, so that none is like the value of another.
        format!("\u{1}{within}/{}", crate::text::alike(text))
    }

    /// The columns whose value is unique: those of `tools.kind+mark` are `kind` and `mark`.
    pub fn columns(&self) -> impl Iterator<Item = &'static str> {
        let name = self.name();
        name.split_once('.').map_or(name, |(_, columns)| columns).split('+')
    }

    /// The name that is stored and digested.
    #[must_use]
    pub const fn stored(&self) -> &'static str {
        self.stored
    }

    /// Whether it is stored without its context's name.
    #[must_use]
    pub const fn is_kept(&self) -> bool {
        self.kept.is_some()
    }
}

/// The name with its context's, for people and lists.
impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.context(), self.name())
    }
}

/// A unique value taken or given back by an event. The book keeps only an HMAC of the value.
#[derive(Clone, PartialEq, Eq)]
pub enum ClaimChange {
    Take { claim: Claim, value: String },
    Release { claim: Claim, value: String },
}

impl ClaimChange {
    /// The changes that lead from one set of taken values to another: only what differs moves.
    pub fn between(before: Vec<(Claim, String)>, after: Vec<(Claim, String)>) -> Vec<Self> {
        let gone = before.iter().filter(|taken| !after.contains(taken)).cloned();
        let new = after.iter().filter(|taken| !before.contains(taken)).cloned();
        gone.map(|(claim, value)| Self::Release { claim, value })
            .chain(new.map(|(claim, value)| Self::Take { claim, value }))
            .collect()
    }

    /// The kind of value.
    #[must_use]
    pub fn claim(&self) -> Claim {
        match self {
            Self::Take { claim, .. } | Self::Release { claim, .. } => *claim,
        }
    }
}

/// The kind of value, and not the value: an address tells who a person is.
impl fmt::Debug for ClaimChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::Take { .. } => "take",
            Self::Release { .. } => "release",
        };
        write!(f, "{what} {}", self.claim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_told_with_its_context_and_stored_with_it_unless_it_is_older() {
        let (new, kept) = (Claim::new("sample.tools.mark"), Claim::kept("sample", "tools.mark"));
        for claim in [new, kept] {
            assert_eq!((claim.context(), claim.name()), ("sample", "tools.mark"));
            assert_eq!(claim.to_string(), "sample.tools.mark");
        }
        assert_eq!((new.stored(), kept.stored()), ("sample.tools.mark", "tools.mark"));
    }

    #[test]
    fn the_columns_of_a_claim_are_those_that_its_name_adds_up() {
        let columns = |claim: Claim| claim.columns().collect::<Vec<_>>();
        assert_eq!(columns(Claim::new("sample.tools.kind+mark")), ["kind", "mark"]);
        assert_eq!(columns(Claim::kept("sample", "tools.mark")), ["mark"]);
    }
}
