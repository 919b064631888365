//! Contexts as decisions see them, and the list of those that a program serves.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::{Aggregate, AnyEvent, Claim, DecodeError, Policy, Recorded};

/// One bounded context: its kinds of streams and its policies.
#[derive(Debug)]
pub struct Context {
    /// The first word of the stored names of its aggregates. Stored for ever.
    pub name: &'static str,
    pub aggregates: &'static [Aggregate],
    /// In the order in which they are asked.
    pub policies: &'static [&'static dyn Policy],
    /// A valid history that meets every event of the context, as the book would hold it, with the sealed fields in
    /// plain: a JSON array in order of position. A change of it is a decision.
    pub history: &'static str,
}

/// The contexts of one program. Clones share them.
#[derive(Debug, Clone)]
pub struct Contexts(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    contexts: Vec<&'static Context>,
    by_type: HashMap<&'static str, &'static Aggregate>,
    claims: Vec<Claim>,
}

/// The contexts do not fit together: two claim the same name, one claims a name of another, or one needs another that
/// is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Clash(String);

impl Contexts {
    /// # Errors
    /// [`Clash`] when two contexts, aggregates or policies have one name, two claims are stored under one, an
    /// aggregate or claim is not named for its context, or a policy reads a kind of stream that none of them has.
    pub fn new(contexts: &[&'static Context]) -> Result<Self, Clash> {
        let (mut names, mut policies, mut claims) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut by_type = HashMap::new();
        for &context in contexts {
            if names.insert(context.name, ()).is_some() {
                return Err(Clash(format!("there are two contexts {}", context.name)));
            }
            for aggregate in context.aggregates {
                if aggregate.context() != context.name {
                    let detail = format!("{aggregate:?} is not of context {}", context.name);
                    return Err(Clash(detail));
                }
                if by_type.insert(aggregate.aggregate_type, aggregate).is_some() {
                    return Err(Clash(format!("there are two aggregates {aggregate:?}")));
                }
                for &claim in aggregate.claims {
                    if claim.context() != context.name {
                        return Err(Clash(format!(
                            "the claim {claim} of {aggregate:?} is not of its context"
                        )));
                    }
                    // Several kinds of streams may share one claim.
                    if *claims.entry(claim.stored()).or_insert(claim) != claim {
                        return Err(Clash(format!("two claims are stored as {}", claim.stored())));
                    }
                }
            }
            for policy in context.policies {
                if policies.insert(policy.name(), ()).is_some() {
                    return Err(Clash(format!("there are two policies {}", policy.name())));
                }
            }
        }
        for context in contexts {
            for policy in context.policies {
                // Its checkpoint would pass their events, and nobody would react to them when they can be read again.
                if let Some(unknown) = policy.reads().iter().find(|kind| !by_type.contains_key(**kind)) {
                    return Err(Clash(format!(
                        "policy {} of context {} reads {unknown}, which none of the contexts has; leave both out or none",
                        policy.name(),
                        context.name
                    )));
                }
            }
        }
        let contexts = contexts.to_vec();
        let claims = claims.into_values().collect();
        Ok(Self(Arc::new(Inner {
            contexts,
            by_type,
            claims,
        })))
    }

    /// The contexts, in the order of the list.
    pub fn iter(&self) -> impl Iterator<Item = &'static Context> {
        self.0.contexts.iter().copied()
    }

    /// The kind of stream of this stored name.
    #[must_use]
    pub fn aggregate(&self, aggregate_type: &str) -> Option<&'static Aggregate> {
        self.0.by_type.get(aggregate_type).copied()
    }

    /// Every kind of stream, context by context.
    pub fn aggregates(&self) -> impl Iterator<Item = &'static Aggregate> {
        self.iter().flat_map(|context| context.aggregates)
    }

    /// Every kind of unique value, by the name that is stored.
    pub fn claims(&self) -> impl Iterator<Item = Claim> {
        self.0.claims.iter().copied()
    }

    /// The policies of all contexts, in the order in which they are asked.
    #[must_use]
    pub fn policies(&self) -> Vec<&'static dyn Policy> {
        self.iter().flat_map(|context| context.policies).copied().collect()
    }

    /// A stored event as one of its kind; `None` when these contexts have no such kind of stream.
    ///
    /// # Errors
    /// [`DecodeError`] when the kind is known but the event's name, version or fields are not.
    pub fn decode(&self, recorded: &Recorded<String>) -> Result<Option<AnyEvent>, DecodeError> {
        let aggregate = self.aggregate(&recorded.aggregate_type);
        aggregate
            .map(|aggregate| aggregate.decode(&recorded.stored()))
            .transpose()
    }
}
