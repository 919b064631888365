//! Vectors made of the words themselves, where no model is at hand: deterministic, the same on every machine.
//!
//! This is not what a language model makes. It sees that two texts have words, pairs of words and pieces of words in common,
//! and knows a short list of the trade's synonyms ([`CONCEPTS`]); it does not know what is meant. Each of these is
//! hashed to one of the dimensions and to a sign; it weighs by its kind, and less each time it comes again. The whole has length
//! one.

use std::collections::BTreeMap;

use crate::fold;
use crate::vectors::{self, DIMENSIONS};

/// The name under which these vectors are stored. Changes of what `embed` gives need another name.
pub const MODEL: &str = "lexical-1";

const WORD: f64 = 1.0;
const PAIR: f64 = 0.6;
const CONCEPT: f64 = 1.0;
const PIECE: f64 = 0.35;
/// Characters of a piece of a word.
const PIECE_CHARS: usize = 4;

/// Words that are everywhere and say nothing of a problem.
const STOP_WORDS: [&str; 84] = [
    "a", "about", "above", "after", "alert", "all", "also", "an", "and", "any", "are", "as", "at", "be", "been",
    "before", "below", "but", "by", "can", "did", "do", "does", "for", "from", "had", "has", "have", "high", "if",
    "in", "into", "is", "it", "its", "low", "many", "more", "most", "much", "no", "not", "of", "on", "one", "or",
    "other", "our", "out", "over", "soon", "some", "such", "than", "that", "the", "their", "them", "then", "there",
    "these", "they", "this", "to", "too", "under", "until", "up", "was", "we", "were", "what", "when", "where",
    "which", "while", "who", "will", "with", "without", "you", "your", "problem", "issue",
];

/// Words that mean nearly the same to who is on call. A word stands for itself and for its group.
pub const CONCEPTS: [&[&str]; 22] = [
    &[
        "disk",
        "disks",
        "filesystem",
        "filesystems",
        "volume",
        "volumes",
        "partition",
        "mount",
        "storage",
        "inode",
        "inodes",
    ],
    &[
        "full",
        "fill",
        "fills",
        "filling",
        "space",
        "capacity",
        "exhausted",
        "free",
    ],
    &["memory", "oom", "ram", "heap", "swap"],
    &["cpu", "processor", "load", "throttling", "throttled"],
    &[
        "restart",
        "restarts",
        "restarted",
        "restarting",
        "crash",
        "crashes",
        "crashed",
        "crashing",
        "loop",
        "looping",
        "killed",
    ],
    &[
        "pod",
        "pods",
        "container",
        "containers",
        "deployment",
        "kubernetes",
        "kube",
        "k8s",
    ],
    &["host", "hosts", "node", "nodes", "machine", "instance", "server", "vm"],
    &[
        "down",
        "unreachable",
        "unavailable",
        "offline",
        "dead",
        "absent",
        "missing",
        "gone",
    ],
    &[
        "fail",
        "fails",
        "failed",
        "failing",
        "failure",
        "failures",
        "error",
        "errors",
        "exception",
        "exceptions",
        "broken",
    ],
    &["slow", "latency", "delay", "duration", "slowness", "p99", "p95"],
    &["timeout", "timeouts", "deadline", "hang", "hangs", "stuck"],
    &["network", "packet", "packets", "dns", "interface", "connectivity"],
    &["connection", "connections", "pool", "socket", "sockets"],
    &["certificate", "certificates", "cert", "certs", "tls", "ssl", "x509"],
    &["expire", "expires", "expired", "expiry", "expiring", "expiration"],
    &["database", "databases", "db", "postgres", "postgresql", "mysql", "rds"],
    &["replication", "replica", "replicas", "standby", "secondary", "follower"],
    &["lag", "lags", "lagging", "behind", "backlog"],
    &[
        "queue",
        "queues",
        "kafka",
        "topic",
        "consumer",
        "consumers",
        "rabbitmq",
        "broker",
    ],
    &["backup", "backups", "snapshot", "snapshots", "restore"],
    &["api", "http", "request", "requests", "endpoint", "5xx", "gateway"],
    &[
        "login",
        "logins",
        "password",
        "auth",
        "authentication",
        "unauthorized",
        "token",
    ],
];

/// The vector of a text: [`DIMENSIONS`] numbers of six decimals, of length one. Only the first 8 KiB count. A text without words
/// has the vector of no words, which is near to no other.
pub fn embed(text: &str) -> Vec<f32> {
    let mut sums = vec![0.0f64; DIMENSIONS];
    for (feature, (weight, times)) in features(vectors::start(text)) {
        let hash = hash(&feature);
        let place = usize::try_from(hash % DIMENSIONS as u64).unwrap_or_default();
        let sign = if hash >> 63 == 0 { 1.0 } else { -1.0 };
        sums[place] += sign * weight * damped(times);
    }
    // Sums, products, quotients and roots are exact in the same way on every machine; logarithms would not be.
    let length = sums.iter().map(|x| x * x).sum::<f64>().sqrt();
    let length = if length > 0.0 { length } else { 1.0 };
    sums.iter().map(|x| ((x / length * 1e6).round() / 1e6) as f32).collect()
}

/// What is counted of a text, with its weight and how often it comes. In the order of names, so that sums are always the same.
fn features(text: &str) -> BTreeMap<String, (f64, u32)> {
    let mut features: BTreeMap<String, (f64, u32)> = BTreeMap::new();
    let mut add = |name: String, weight: f64| features.entry(name).or_insert((weight, 0)).1 += 1;
    let mut before: Option<String> = None;
    let words = fold::words(text);
    for word in words.iter().filter(|word| is_telling(word)) {
        add(format!("w {word}"), WORD);
        if let Some(before) = &before {
            add(format!("p {before} {word}"), PAIR);
        }
        if let Some(group) = CONCEPTS.iter().position(|group| group.contains(&word.as_str())) {
            add(format!("c {group}"), CONCEPT);
        }
        let framed: Vec<char> = std::iter::once('<')
            .chain(word.chars())
            .chain(std::iter::once('>'))
            .collect();
        for piece in framed.windows(PIECE_CHARS) {
            add(format!("n {}", piece.iter().collect::<String>()), PIECE);
        }
        before = Some(word.clone());
    }
    if features.is_empty() {
        features.insert("nothing".to_owned(), (WORD, 1));
    }
    features
}

/// Numbers and single letters are in every alert.
fn is_telling(word: &str) -> bool {
    let is_short = word.is_ascii() && word.len() < 2;
    !is_short && !word.chars().all(char::is_numeric) && !STOP_WORDS.contains(&word)
}

/// One and the natural logarithm of how often, written out.
fn damped(times: u32) -> f64 {
    match times {
        0 | 1 => 1.0,
        2 => 1.693_147,
        3 => 2.098_612,
        4 => 2.386_294,
        5..=7 => 2.609_438,
        8..=15 => 3.079_442,
        16..=63 => 3.772_589,
        _ => 5.158_883,
    }
}

/// FNV-1a of 64 bits, stirred once more so that all its bits depend on all letters.
fn hash(text: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::vectors::cosine;

    #[test]
    fn a_text_has_one_vector_on_every_machine() {
        let vector = embed("Disk almost full on db-7: 磁盘");
        let told: Vec<String> = vector
            .iter()
            .enumerate()
            .filter(|(_, x)| x.abs() > 0.17)
            .map(|(n, x)| format!("{n} {x}"))
            .collect();
        assert_eq!(told, GOLDEN);
    }

    const GOLDEN: [&str; 14] = [
        "30 0.293991",
        "97 -0.176394",
        "139 -0.176394",
        "301 -0.293991",
        "317 -0.176394",
        "811 -0.293991",
        "840 0.293991",
        "1025 0.293991",
        "1093 -0.176394",
        "1126 -0.293991",
        "1139 -0.293991",
        "1207 0.191094",
        "1215 -0.293991",
        "1220 -0.176394",
    ];

    #[test]
    fn case_signs_and_order_matter_little() {
        let near = cosine(&embed("disk full on host"), &embed("HOST: Disk full!"));
        assert!(near > 0.75, "{near}");
        assert!(cosine(&embed("disk full"), &embed("")).abs() < 0.1);
        assert_eq!(embed(""), embed("7 - 12"));
    }

    #[test]
    fn synonyms_of_the_trade_are_near() {
        let near = cosine(&embed("disk almost full"), &embed("filesystem out of space"));
        assert!(near > 0.2, "{near}");
    }

    #[test]
    fn no_word_stands_in_two_groups() {
        let all: Vec<_> = CONCEPTS.iter().copied().flatten().collect();
        let once: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(all.len(), once.len());
    }

    proptest! {
        #[test]
        fn every_vector_has_length_one(text in any::<String>()) {
            let vector = embed(&text);
            prop_assert_eq!(vector.len(), DIMENSIONS);
            let length = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>();
            prop_assert!((length - 1.0).abs() < 1e-3, "{length}");
            prop_assert!(cosine(&vector, &embed(&text)) > 0.999);
        }
    }
}
