//! The reservations that were live before, in bounded memory.

use std::collections::VecDeque;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// How many reservations of a stock key that have ended are remembered, the latest ones.
///
/// Their ids are not accepted again, so that a late repeat of `reserve` cannot bring back what was released.
/// A repeat under the same command id is answered by its receipt for 30 days; this is for the others.
pub const ENDED_REMEMBERED: usize = 2_048;

/// Ids of reservations that have ended, the oldest first, each by its lower eight bytes: they are random in
/// every version of ids that we draw, and half the size matters where there are thousands in one event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ended(VecDeque<u64>);

impl Ended {
    pub(super) fn remember(&mut self, id: Uuid) {
        if self.0.len() >= ENDED_REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(id.as_u64_pair().1);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn contains(&self, id: Uuid) -> bool {
        self.0.contains(&id.as_u64_pair().1)
    }
}

// As one text in hexadecimal, 16 digits each.
impl Serialize for Ended {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = self.0.iter().flat_map(|id| id.to_be_bytes()).collect();
        serializer.serialize_str(&hex::encode(bytes))
    }
}

impl<'de> Deserialize<'de> for Ended {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = hex::decode(String::deserialize(deserializer)?).map_err(D::Error::custom)?;
        let (ids, rest) = bytes.as_chunks::<8>();
        if !rest.is_empty() {
            return Err(D::Error::custom("ended reservations are told in 16 digits each"));
        }
        Ok(Self(ids.iter().map(|id| u64::from_be_bytes(*id)).collect()))
    }
}
