//! The skill whose described problem is nearest to an alert, by the cosine between their vectors.

use uuid::Uuid;

use crate::lexical;
use crate::subject::Subject;

/// Numbers of a vector, as its column holds them.
pub const DIMENSIONS: usize = 1536;
/// Bytes of the text that a vector is made of; what comes after is left out.
pub const TEXT_BYTES_MAX: usize = 8 << 10;

/// From which cosine on a skill is taken for an alert, of vectors that the model made: below it, no skill is better than a
/// wrong one. For models other than our own it is where sentences about one thing usually lie; a tenant sets another after a
/// look at its own matches.
pub fn threshold(model: &str) -> f32 {
    if model == lexical::MODEL {
        LEXICAL_THRESHOLD
    } else {
        OTHERS_THRESHOLD
    }
}

/// By the cases in this file's tests.
const LEXICAL_THRESHOLD: f32 = 0.2;
const OTHERS_THRESHOLD: f32 = 0.5;

/// The text of which a skill's vector is made.
pub fn text_of_skill(name: &str, problem_description: &str) -> String {
    start(&format!("{name}\n{problem_description}")).to_owned()
}

/// The text of which an alert's vector is made: its type, its title and its description. Labels say where it is, not what.
pub fn text_of_alert(subject: &Subject<'_>) -> String {
    start(&format!(
        "{}\n{}\n{}",
        subject.alert_type, subject.title, subject.description
    ))
    .to_owned()
}

/// The start of a text, cut to what a vector is made of.
pub(crate) fn start(text: &str) -> &str {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The cosine of the angle between two vectors, from -1 to 1. Zero when they cannot be compared: of different lengths, without
/// direction, or with a number that is none.
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    if a.len() != b.len() {
        return 0.0;
    }
    along(a, dot(a, a), b)
}

/// The cosine, where the square of the first one's length is known.
fn along(a: &[f32], a_squared: f32, b: &[f32]) -> f32 {
    let cosine = dot(a, b) / (a_squared * dot(b, b)).sqrt();
    if cosine.is_finite() {
        cosine.clamp(-1.0, 1.0)
    } else {
        0.0
    }
}

/// The candidates, of the query's length, whose cosine to it is at least the threshold, the nearest first and at most `k` of them; of equally
/// near ones, that with the lower id. Looks at every candidate: exact.
pub fn nearest<'a>(
    query: &[f32],
    candidates: impl IntoIterator<Item = (Uuid, &'a [f32])>,
    threshold: f32,
    k: usize,
) -> Vec<(Uuid, f32)> {
    let squared = dot(query, query);
    let mut near: Vec<_> = candidates
        .into_iter()
        .filter(|(_, vector)| vector.len() == query.len())
        .map(|(id, vector)| (id, along(query, squared, vector)))
        .filter(|(_, cosine)| *cosine >= threshold)
        .collect();
    near.sort_by(|(a_id, a), (b_id, b)| b.total_cmp(a).then(a_id.cmp(b_id)));
    near.truncate(k);
    near
}

/// Summed in eight lanes, in one order on every machine.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_blocks, a_rest) = a.as_chunks::<8>();
    let (b_blocks, b_rest) = b.as_chunks::<8>();
    let mut lanes = [0.0f32; 8];
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..8 {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use dod_formats::Severity;
    use proptest::prelude::*;

    use super::*;

    const SKILLS: [(&str, &str); 8] = [
        (
            "Full disks",
            "A filesystem runs out of space. Free space on the volume and find out what fills it.",
        ),
        (
            "Pods that restart",
            "Kubernetes pods crash and restart in a loop, or are killed for using too much memory (OOM).",
        ),
        ("Certificates", "A TLS certificate expires soon or has expired."),
        ("Database replication", "A PostgreSQL replica lags behind its primary."),
        ("Slow API", "Requests to the API take too long; p99 latency is high."),
        (
            "Failed backups",
            "The nightly backup job did not finish or its archive is missing.",
        ),
        (
            "Message queues",
            "Consumers of a Kafka topic fall behind; the lag of the queue grows.",
        ),
        ("磁盘", "磁盘空间不足,需要清理日志文件"),
    ];

    /// The skill's name that is nearest, when it is near enough.
    fn found(title: &str) -> Option<&'static str> {
        let labels = BTreeMap::new();
        let alert = Subject {
            title,
            description: "",
            source: "",
            alert_type: "",
            severity: Severity::High,
            labels: &labels,
        };
        let query = lexical::embed(&text_of_alert(&alert));
        let vectors: Vec<_> = SKILLS
            .iter()
            .map(|(name, problem)| lexical::embed(&text_of_skill(name, problem)))
            .collect();
        let candidates = vectors
            .iter()
            .enumerate()
            .map(|(n, v)| (Uuid::from_u128(n as u128), v.as_slice()));
        let near = nearest(&query, candidates.clone(), threshold(lexical::MODEL), 1);
        let all: Vec<_> = nearest(&query, candidates, -1.0, 2)
            .iter()
            .map(|(id, c)| (SKILLS[id.as_u128() as usize].0, *c))
            .collect();
        println!("{title}: {all:?}");
        near.first().map(|(id, _)| SKILLS[id.as_u128() as usize].0)
    }

    #[test]
    fn an_alert_finds_the_skill_that_shares_its_words() {
        for (title, skill) in [
            ("Disk almost full on db-7", "Full disks"),
            ("NodeFilesystemSpaceFillingUp", "Full disks"),
            ("Volume /var is 96% used, no space left on device", "Full disks"),
            ("KubePodCrashLooping", "Pods that restart"),
            ("Container was OOMKilled", "Pods that restart"),
            ("CertificateExpiresIn7Days for shop.example", "Certificates"),
            ("PostgresReplicationLag above 30s", "Database replication"),
            ("High latency of the checkout API", "Slow API"),
            ("BackupJobFailed", "Failed backups"),
            ("KafkaConsumerLag on topic orders", "Message queues"),
            ("主机 7 磁盘空间不足", "磁盘"),
        ] {
            assert_eq!(found(title), Some(skill), "{title}");
        }
    }

    #[test]
    fn a_strange_alert_finds_no_skill() {
        for title in [
            "Login attempts from a new country",
            "Temperature in rack 4 is 41 degrees",
            "Zahlung abgelehnt",
            "x",
            "",
        ] {
            assert_eq!(found(title), None, "{title}");
        }
    }

    /// It counts words; what is meant by them it does not know beyond a short list of the trade's words.
    #[test]
    fn other_words_for_the_same_are_not_known() {
        for title in ["The box cannot write any more", "Secondary is stale"] {
            assert_eq!(found(title), None, "{title}");
        }
    }

    #[test]
    fn vectors_that_cannot_be_compared_are_far_apart() {
        assert_eq!(cosine(&[1.0], &[1.0, 0.0]), 0.0);
        assert_eq!(cosine(&[0.0, 0.0], &[1.0, 0.0]), 0.0);
        assert_eq!(cosine(&[f32::NAN, 1.0], &[1.0, 0.0]), 0.0);
        assert_eq!(cosine(&[f32::MAX; 9], &[f32::MAX; 9]), 0.0);
        assert_eq!(cosine(&[3.0, 4.0], &[6.0, 8.0]), 1.0);
        assert_eq!(cosine(&[1.0, 0.0], &[-2.0, 0.0]), -1.0);
    }

    #[test]
    fn of_equally_near_ones_the_lower_id_comes_first() {
        let v = [1.0, 0.0];
        let ids = [3, 1, 2].map(Uuid::from_u128);
        let near = nearest(&v, ids.map(|id| (id, v.as_slice())), 0.5, 2);
        assert_eq!(near, [(Uuid::from_u128(1), 1.0), (Uuid::from_u128(2), 1.0)]);
    }

    proptest! {
        #[test]
        fn a_cosine_lies_between_minus_one_and_one(a in proptest::collection::vec(any::<f32>(), 0..20), b in proptest::collection::vec(any::<f32>(), 0..20)) {
            let cosine = cosine(&a, &b);
            prop_assert!((-1.0..=1.0).contains(&cosine));
        }
    }
}
