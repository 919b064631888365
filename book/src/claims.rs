//! Unique values: what a command takes and gives back, by digest.

use domain::{Claim, ClaimChange};
use uuid::Uuid;

use crate::master::ClaimKey;

/// A claim change as the book stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub takes: bool,
    pub claim: Claim,
    pub digest: Vec<u8>,
    pub aggregate_type: &'static str,
    pub stream: Uuid,
}

/// The net changes of one command, over all its steps: what one of its streams takes and gives back
/// again is no change at all.
#[derive(Debug, Default)]
pub struct Claims(Vec<Change>);

/// Two streams of one command want the same value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clash {
    pub claim: Claim,
}

impl Claims {
    /// Adds what one step takes and gives back on its stream.
    ///
    /// # Errors
    /// [`Clash`] when it takes what an earlier step has taken for another stream.
    pub fn add(
        &mut self,
        key: &ClaimKey,
        tenant: Uuid,
        aggregate_type: &'static str,
        stream: Uuid,
        changes: Vec<ClaimChange>,
    ) -> Result<(), Clash> {
        for change in changes {
            let (takes, claim, value) = match change {
                ClaimChange::Take { claim, value } => (true, claim, value),
                ClaimChange::Release { claim, value } => (false, claim, value),
            };
            let change = Change {
                takes,
                claim,
                digest: key.digest(tenant, claim, &value),
                aggregate_type,
                stream,
            };
            let same_value = |other: &Change| other.claim == claim && other.digest == change.digest;
            let own = |other: &Change| other.aggregate_type == aggregate_type && other.stream == stream;
            let opposite = |other: &Change| other.takes != takes && same_value(other) && own(other);
            if let Some(index) = self.0.iter().position(opposite) {
                self.0.remove(index);
            } else if self.0.contains(&change) {
                // Said twice.
            } else if takes && self.0.iter().any(|other| other.takes && same_value(other)) {
                return Err(Clash { claim });
            } else {
                self.0.push(change);
            }
        }
        Ok(())
    }

    #[must_use]
    pub fn net(self) -> Vec<Change> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Uuid = Uuid::from_u128(1);
    const B: Uuid = Uuid::from_u128(2);
    const CODE: Claim = Claim::new("a.parts.code");

    fn take() -> ClaimChange {
        ClaimChange::Take {
            claim: CODE,
            value: "P-1".to_owned(),
        }
    }

    fn release() -> ClaimChange {
        ClaimChange::Release {
            claim: CODE,
            value: "P-1".to_owned(),
        }
    }

    /// What is left of these changes, one step each: whether it takes, and for which stream.
    fn net(steps: Vec<(Uuid, ClaimChange)>) -> Result<Vec<(bool, Uuid)>, Clash> {
        let key = ClaimKey([7; 32]);
        let mut claims = Claims::default();
        for (stream, change) in steps {
            claims.add(&key, Uuid::nil(), "a.b", stream, vec![change])?;
        }
        Ok(claims.net().iter().map(|claim| (claim.takes, claim.stream)).collect())
    }

    #[test]
    fn what_one_step_takes_and_the_next_gives_back_is_no_change() {
        assert_eq!(net(vec![(A, take()), (A, release())]), Ok(vec![]));
        assert_eq!(net(vec![(A, release()), (A, take())]), Ok(vec![]));
        assert_eq!(net(vec![(A, take()), (A, release()), (B, take())]), Ok(vec![(true, B)]));
    }

    #[test]
    fn a_value_passes_from_one_stream_to_another() {
        assert_eq!(net(vec![(A, release()), (B, take())]), Ok(vec![(false, A), (true, B)]));
    }

    #[test]
    fn two_streams_of_one_command_cannot_take_one_value() {
        assert_eq!(net(vec![(A, take()), (B, take())]), Err(Clash { claim: CODE }));
        assert_eq!(net(vec![(A, take()), (A, take())]), Ok(vec![(true, A)]));
    }
}
