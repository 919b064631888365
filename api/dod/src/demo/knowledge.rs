//! What the demo's people know of solving problems: skills with procedures, and the alerts that call for each.

use chrono::{DateTime, Utc};
use http::Fault;
use http::demo::{Story, enter};
use serde_json::json;
use uuid::Uuid;

/// A skill, and the pattern on alerts that calls for it.
struct Known {
    name: &'static str,
    problem: &'static str,
    sop: &'static str,
    /// Kind, pattern, and the field where it is looked for.
    binding: (&'static str, &'static str, &'static str),
}

const KNOWN: [Known; 4] = [
    Known {
        name: "A filesystem fills up",
        problem: "A disk of a host has hardly any space left.",
        sop: "# A filesystem fills up

Logs are rotated at midnight; shortly before, a disk may be fuller than usual.

1. check label env is production
2. check label used > 90
3. check fired more than 3 times in 24h

- if step 1 fails conclude false positive: Disks of the test environment are emptied every night.
- if step 2 holds and step 3 holds conclude real issue: It comes again and again; make the volume larger.
- if step 2 holds conclude real issue: Free space on the host.
- conclude unknown: Look at the disk by hand.
",
        binding: ("keyword", "DiskFillsUp", "alert_type"),
    },
    Known {
        name: "A host does not answer",
        problem: "A host is down or cannot be reached.",
        sop: "# A host does not answer

1. check label instance matches /^rack\\d+-/
2. check severity at least high

- if step 1 holds conclude real issue: It stands in a rack; look whether its neighbours answer before you look at the host.
- if step 2 holds conclude real issue: Restart the host from its console.
- conclude unknown: Ask whoever works on the host.
",
        binding: ("keyword", "InstanceDown", "alert_type"),
    },
    Known {
        name: "Requests are slow",
        problem: "A service answers late, or its latency is high.",
        sop: "# Requests are slow

1. check flapping
2. check label service is one of checkout, search

- if step 1 holds conclude false positive: It comes and goes by itself; make the threshold wider.
- if step 2 holds conclude real issue: Customers wait. Look at the latest deployment.
- conclude unknown: Look at the dashboard of the service.
",
        binding: ("regex", "(?i)slow|latency", "title"),
    },
    Known {
        name: "A queue grows",
        problem: "Messages wait in a queue because nobody takes them.",
        sop: "# A queue grows

1. check label depth > 10000
- if it holds conclude real issue: Start more consumers.
- conclude false positive: A batch arrived; it is worked off.
",
        binding: ("keyword", "queue", "any"),
    },
];

pub(super) async fn enter_all(story: &Story<'_>, by: Uuid, at: DateTime<Utc>) -> Result<(), Fault> {
    for known in &KNOWN {
        let skill_id = story.id(&format!("skill/{}", known.name));
        let skill = json!({ "name": known.name, "problem_description": known.problem, "sop": known.sop });
        story.give(enter(by, at, "dod/skills", skill_id, skill)).await?;
        let (kind, pattern, field) = known.binding;
        let binding = json!({ "alert_pattern": pattern, "pattern_kind": kind, "field": field, "skill_id": skill_id });
        let stream = story.id(&format!("binding/{}", known.name));
        story.give(enter(by, at, "dod/bindings", stream, binding)).await?;
    }
    Ok(())
}
