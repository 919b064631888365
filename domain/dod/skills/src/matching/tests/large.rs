//! A tenant with as many bindings as the largest has. Shared with the example that takes figures.

use super::*;

pub fn binding(number: u128, kind: PatternKind, field: Field, pattern: &str, priority: i32) -> Binding {
    Binding {
        id: Uuid::from_u128(number),
        skill_id: Uuid::from_u128(number + 1_000_000),
        kind,
        field,
        pattern: pattern.to_owned(),
        priority,
        since: number as i64,
    }
}

fn label(name: &str) -> Field {
    Field::Label(name.to_owned())
}

/// A tenant as large as they come.
pub fn large_tenant() -> Vec<Binding> {
    let nouns = [
        "disk",
        "pod",
        "replica",
        "queue",
        "certificate",
        "gateway",
        "cache",
        "volume",
        "job",
        "node",
    ];
    let verbs = [
        "full",
        "down",
        "slow",
        "lagging",
        "expired",
        "restarting",
        "unreachable",
        "throttled",
        "failed",
        "hot",
    ];
    let fields = [
        Field::Title,
        Field::Any,
        Field::Description,
        Field::AlertType,
        label("service"),
        label("team"),
    ];
    let keywords = (0..9_000).map(|n| {
        let pattern = format!("{} {} service{}", nouns[n % 10], verbs[n / 10 % 10], n / 100);
        binding(
            n as u128,
            PatternKind::Keyword,
            fields[n % 6].clone(),
            &pattern,
            (n % 50) as i32,
        )
    });
    let regexes = (0..1_000).map(|n| {
        let (noun, verb) = (nouns[n % 10], verbs[n / 10 % 10]);
        let pattern = match n % 10 {
            0..3 => format!("(?i){noun}.*{verb}.*{n}"),
            3..6 => format!(r"^{noun}-\d{{1,3}}\.zone{n}\."),
            6..8 => format!(r"\b({noun}|{verb})s? (on|of) host-{n}\b"),
            8 => format!(r"{noun}_\w+_{n}$"),
            // Nothing of it can be looked for ahead.
            _ => format!(r"^[a-z]+\d+[A-Z]{{{}}}$", n / 10 + 1),
        };
        binding(
            10_000 + n as u128,
            PatternKind::Regex,
            fields[n % 6].clone(),
            &pattern,
            (n % 50) as i32,
        )
    });
    keywords.chain(regexes).collect()
}

pub fn usual_labels() -> BTreeMap<String, String> {
    (0..14)
        .map(|n| (format!("label{n}"), format!("value-{n}.zone{n}.example")))
        .chain([
            ("service".to_owned(), "checkout".to_owned()),
            ("team".to_owned(), "storage".to_owned()),
        ])
        .collect()
}
