//! Unique values: what a command takes and gives back, by digest.

use domain::ClaimChange;
use uuid::Uuid;

use crate::MasterKey;

/// A claim change as the book stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub takes: bool,
    pub name: &'static str,
    pub digest: Vec<u8>,
    pub aggregate_type: &'static str,
    pub stream: Uuid,
}

/// The net changes of one command: what it takes and gives back again is no change at all.
#[must_use]
pub fn net(
    master: &MasterKey,
    tenant: Uuid,
    aggregate_type: &'static str,
    stream: Uuid,
    changes: Vec<ClaimChange>,
) -> Vec<Claim> {
    let mut claims: Vec<Claim> = Vec::new();
    for change in changes {
        let (takes, name, value) = match change {
            ClaimChange::Take { name, value } => (true, name, value),
            ClaimChange::Release { name, value } => (false, name, value),
        };
        let digest = master.claim_digest(tenant, name, &value);
        let opposite = claims
            .iter()
            .position(|claim| claim.takes != takes && claim.name == name && claim.digest == digest);
        match opposite {
            Some(index) => drop(claims.remove(index)),
            None => claims.push(Claim {
                takes,
                name,
                digest,
                aggregate_type,
                stream,
            }),
        }
    }
    claims
}
