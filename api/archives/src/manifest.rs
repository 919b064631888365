//! What an archive has, and what became of it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

/// The version of the format of archives; it tells a reader what to expect.
pub(crate) const FORMAT: u32 = 1;

/// The contents of an archive, and what became of its things.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    pub name: String,
    pub tenant_id: Uuid,
    pub written_at: DateTime<Utc>,
    /// The rows are those of this position of the book.
    pub position: i64,
    /// Rows of each table, by the words of the kind.
    pub counts: Map<String, Value>,
    /// The oldest and the newest thing.
    pub first: Cursor,
    pub last: Cursor,
    /// SHA-256 of the content before it was compressed, and its size.
    pub sha256: String,
    pub bytes: u64,
    pub file: Data,
    /// The things, under the word for them.
    #[serde(flatten)]
    pub things: BTreeMap<String, Vec<Member>>,
    /// Things that stayed in the tables, and why; absent until every one was asked to leave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Vec<Kept>>,
}

/// The compressed file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Data {
    pub name: String,
    pub sha256: String,
    pub bytes: u64,
}

/// A thing's place in the order in which they are archived.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cursor {
    pub created_at: DateTime<Utc>,
    pub id: Uuid,
}

/// A thing, and the sequence of its last event that its rows show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    pub id: Uuid,
    pub sequence: i64,
    /// The streams that leave along with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub along: Vec<Along>,
}

/// A stream that leaves along with a thing, and the sequence of its last event that its rows show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Along {
    #[serde(rename = "type")]
    pub aggregate_type: String,
    pub id: Uuid,
    pub sequence: i64,
}

/// A thing that stayed in the tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    pub id: Uuid,
    pub why: String,
}

impl Manifest {
    /// The things.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.things.values().flatten()
    }

    /// How many things left the tables, and how many stayed.
    #[must_use]
    pub fn outcome(&self) -> (usize, usize) {
        let kept = self.kept.as_ref().map_or(0, Vec::len);
        (self.members().count().saturating_sub(kept), kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORED: &str = r#"{
  "format": 1,
  "name": "sample.things.t.20260301T120000Z.0",
  "tenant_id": "00000000-0000-0000-0000-000000000007",
  "written_at": "2026-03-01T12:00:00Z",
  "position": 9,
  "counts": {
    "things": 2,
    "parts": 0
  },
  "first": {
    "created_at": "2026-01-01T12:00:00Z",
    "id": "00000000-0000-0000-0000-000000000001"
  },
  "last": {
    "created_at": "2026-01-01T12:00:00Z",
    "id": "00000000-0000-0000-0000-000000000002"
  },
  "sha256": "ab",
  "bytes": 12,
  "file": {
    "name": "sample.things.t.20260301T120000Z.0.jsonl.gz",
    "sha256": "cd",
    "bytes": 34
  },
  "things": [
    {
      "id": "00000000-0000-0000-0000-000000000001",
      "sequence": 3
    },
    {
      "id": "00000000-0000-0000-0000-000000000002",
      "sequence": 4,
      "along": [
        {
          "type": "sample.part",
          "id": "00000000-0000-0000-0000-000000000003",
          "sequence": 1
        }
      ]
    }
  ],
  "kept": [
    {
      "id": "00000000-0000-0000-0000-000000000002",
      "why": "it changed"
    }
  ]
}"#;

    #[test]
    fn a_manifest_is_written_as_it_was_read() {
        let manifest: Manifest = serde_json::from_str(STORED).unwrap();
        assert_eq!(manifest.outcome(), (1, 1));
        assert_eq!(serde_json::to_string_pretty(&manifest).unwrap(), STORED);
    }
}
