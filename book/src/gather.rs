//! What a decision rests on: the stream that a command is sent to, and the facts that it reads.

use std::collections::HashSet;

use domain::{FactRef, Facts};
use uuid::Uuid;

use crate::cache::Loaded;
use crate::draft::Draft;
use crate::execute::Inner;
use crate::pools::answered;
use crate::step::Asker;
use crate::trust::Trust;
use crate::{BookError, Envelope, ExecuteError, Step, facts};

/// Rounds of facts that lead to further facts: a department tree may be this deep.
const FACT_ROUNDS_MAX: usize = 40;
/// Streams that one command may read.
const FACTS_MAX: usize = 4_000;

impl Inner {
    /// The stream that a step is sent to.
    pub(crate) async fn own(&self, tenant: Uuid, step: &Step, trust: Trust) -> Result<Loaded, ExecuteError> {
        let (aggregate_type, stream) = (step.aggregate_type(), step.stream);
        // Many are refused on one and the same state of a busy stream that goes on without end, and each by the book.
        let is_long = step.fact().carries_forward.is_some();
        let cached = match self.cache.get(aggregate_type, stream) {
            Some(cached) if trust == Trust::Current || trust.is_of_the_book() && is_long => {
                let unmoved = self.unmoved(&[step.fact()], vec![Some(cached)]).await?;
                unmoved.into_iter().next().flatten()
            }
            Some(_) if trust.is_of_the_book() => None,
            cached => cached,
        };
        let loaded = match cached {
            Some(loaded) => loaded,
            None if trust == Trust::Guess => Loaded::unborn(step.fact())?,
            None => {
                let is_blind = trust == Trust::Unopened;
                let loaded = answered(self.streams.load(&self.vault, step.fact(), is_blind)).await?;
                if !is_blind {
                    self.cache.put(aggregate_type, stream, loaded.clone());
                }
                loaded
            }
        };
        match loaded.tenant {
            Some(owner) if owner != tenant => Err(ExecuteError::NotFound { aggregate_type, stream }),
            _ => Ok(loaded),
        }
    }

    /// Of the cached states of these streams those that the book has no later event of.
    async fn unmoved(
        &self,
        streams: &[FactRef],
        cached: Vec<Option<Loaded>>,
    ) -> Result<Vec<Option<Loaded>>, BookError> {
        let asked: Vec<FactRef> = streams
            .iter()
            .zip(&cached)
            .filter(|(_, cached)| cached.is_some())
            .map(|(fact, _)| *fact)
            .collect();
        if asked.is_empty() {
            return Ok(cached);
        }
        let mut last = answered(facts::last_sequences(&self.pool, &asked)).await?.into_iter();
        let unmoved = |cached: Option<Loaded>| cached.filter(|cached| last.next() == Some(cached.sequence));
        Ok(cached.into_iter().map(unmoved).collect())
    }

    /// All facts of a step, in as many rounds as its decider asks for.
    pub(crate) async fn all_facts(
        &self,
        envelope: &Envelope,
        step: &Step,
        before: &Loaded,
        draft: &mut Draft,
        trust: Trust,
    ) -> Result<Facts, ExecuteError> {
        let tenant = envelope.tenant;
        let asker = Asker {
            tenant,
            by: envelope.actor,
            at: envelope.at,
        };
        // A stream without events: what bears its id is taken to have none either, see [`Trust::Guess`].
        let unborn = (before.sequence == 0).then_some(step.stream);
        let mut facts = Facts::default();
        let mut asked: HashSet<(&'static str, Uuid)> = HashSet::new();
        for _ in 0..FACT_ROUNDS_MAX {
            let mut refs = step.command.reads(&before.state, &asker, step.stream, &facts);
            let own = |fact: &FactRef| (fact.aggregate_type, fact.id) == (step.aggregate_type(), step.stream);
            refs.extend(step.witnesses.iter().filter(|fact| !own(fact)).copied());
            refs.retain(|fact| asked.insert((fact.aggregate_type, fact.id)));
            if refs.is_empty() {
                return Ok(facts);
            }
            if asked.len() > FACTS_MAX {
                break;
            }
            for (fact, loaded) in refs.iter().zip(self.facts(&refs, trust, unborn).await?) {
                let let_through_at = step.let_through_at(fact.aggregate_type, fact.id);
                if let Some(expected) = let_through_at.filter(|&expected| expected != loaded.sequence) {
                    return Err(ExecuteError::Moved {
                        expected,
                        sequence: loaded.sequence,
                    });
                }
                // An earlier step of the same command may have changed what this one reads.
                let loaded = draft.latest(fact.aggregate_type, fact.id).unwrap_or(loaded);
                draft.read(fact.aggregate_type, fact.id, loaded.sequence);
                if loaded.tenant == Some(tenant) && !step.is_hidden(fact.aggregate_type, fact.id) {
                    facts.insert(fact.aggregate_type, fact.id, loaded.state);
                }
            }
        }
        Err(BookError::Broken(format!("a decision wants to read more than {FACTS_MAX} streams")).into())
    }

    /// The named streams, from the cache where it has them and from the book in one query else. A guess takes what bears
    /// the id `unborn`, and is not in the cache, to have no events.
    pub(crate) async fn facts(
        &self,
        refs: &[domain::FactRef],
        trust: Trust,
        unborn: Option<Uuid>,
    ) -> Result<Vec<Loaded>, BookError> {
        let mut found: Vec<Option<Loaded>> = refs
            .iter()
            .map(|fact| {
                if trust.is_of_the_book() {
                    return Ok(None);
                }
                let cached = self.cache.get(fact.aggregate_type, fact.id);
                let is_guess = cached.is_none() && trust == Trust::Guess;
                let seems_unborn = || unborn == Some(fact.id) || self.cache.seems_unborn(fact.aggregate_type, fact.id);
                match is_guess && seems_unborn() {
                    true => Loaded::unborn(*fact).map(Some),
                    false => Ok(cached),
                }
            })
            .collect::<Result<_, BookError>>()?;
        if trust == Trust::Current {
            found = self.unmoved(refs, found).await?;
        }
        let lacking: Vec<_> = refs
            .iter()
            .zip(&found)
            .filter(|(_, found)| found.is_none())
            .map(|(fact, _)| *fact)
            .collect();
        if !lacking.is_empty() {
            let mut loaded = answered(facts::load(
                &self.pool,
                &self.vault,
                &lacking,
                facts::Until::Now,
                facts::Texts::Open,
            ))
            .await?
            .into_iter();
            for (fact, found) in refs.iter().zip(&mut found).filter(|(_, found)| found.is_none()) {
                *found = loaded.next();
                if let Some(loaded) = found {
                    self.cache.put(fact.aggregate_type, fact.id, loaded.clone());
                }
            }
        }
        Ok(found.into_iter().flatten().collect())
    }
}
