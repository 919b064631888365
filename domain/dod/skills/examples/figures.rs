//! Takes the figures of matching and of vectors on this machine: `cargo run -p dod-skills --example figures`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use dod_formats::Severity;
use dod_skills::lexical;
use dod_skills::matching::{Binding, Matcher};
use dod_skills::pattern::PatternKind;
use dod_skills::subject::{Field, Subject};
use dod_skills::vectors::nearest;
use uuid::Uuid;

#[path = "../src/matching/tests/large.rs"]
mod large;

const SENTENCE: &str = "The volume /var of host-17 is 96 % used. Replica lagging, queue slow. ";

fn main() {
    memory();
    matching();
    vectors();
}

fn matching() {
    let (matcher, _) = Matcher::new(large::large_tenant());
    let labels = large::usual_labels();
    for (name, times) in [("of half a KiB", 8), ("of 16 KiB", 224)] {
        let description = SENTENCE.repeat(times);
        let alert = subject("Disk full service3 on host-17: pod restarting", &description, &labels);
        let taken = timed(5_000, || drop(std::hint::black_box(matcher.first(&alert))));
        println!(
            "10,000 bindings, a description {name}: p50 {:?}, p99 {:?}",
            taken[2_500], taken[4_950]
        );
    }
}

fn memory() {
    let (keywords, regexes): (Vec<_>, Vec<_>) = large::large_tenant()
        .into_iter()
        .partition(|binding| binding.kind == PatternKind::Keyword);
    let wide = (0..1_000).map(|n| {
        let pattern = format!(r"\w+-\w+\s\d{{{}}}[a-c]{{{}}}", n % 40 + 1, n / 40 + 1);
        large::binding(n, PatternKind::Regex, Field::Any, &pattern, 0)
    });
    let labels = large::usual_labels();
    let description = SENTENCE.repeat(8);
    for (name, bindings) in [
        ("9,000 keywords", keywords),
        ("1,000 expressions", regexes),
        ("1,000 with Unicode classes", wide.collect()),
    ] {
        let before = resident_kib();
        let start = Instant::now();
        let (matcher, unusable) = Matcher::new(bindings);
        let made = start.elapsed();
        let start = Instant::now();
        matcher.first(&subject("checkout-host 1234 is slow", &description, &labels));
        let asked = start.elapsed();
        println!(
            "{name}: {} MiB, made in {made:?}, first asked in {asked:?}; {} beyond the bound",
            resident_kib().saturating_sub(before) / 1024,
            unusable.len()
        );
    }
}

fn vectors() {
    let text = SENTENCE.repeat(8);
    let vectors: Vec<_> = (0..10_000)
        .map(|n| lexical::embed(&format!("{n} {SENTENCE}")))
        .collect();
    let embed = timed(1_000, || drop(std::hint::black_box(lexical::embed(&text))));
    let scan = timed(100, || {
        let candidates = vectors
            .iter()
            .enumerate()
            .map(|(n, vector)| (Uuid::from_u128(n as u128), vector.as_slice()));
        drop(std::hint::black_box(nearest(&vectors[0], candidates, 0.2, 5)));
    });
    println!(
        "a vector of {} bytes: p50 {:?}, p99 {:?}",
        text.len(),
        embed[500],
        embed[990]
    );
    println!("the nearest of 10,000: p50 {:?}, p99 {:?}", scan[50], scan[99]);
}

fn subject<'a>(title: &'a str, description: &'a str, labels: &'a BTreeMap<String, String>) -> Subject<'a> {
    let severity = Severity::High;
    Subject {
        title,
        description,
        source: "alertmanager",
        alert_type: "HostDiskFull",
        severity,
        labels,
    }
}

fn timed(times: usize, what: impl Fn()) -> Vec<Duration> {
    let mut taken: Vec<_> = (0..times)
        .map(|_| {
            let start = Instant::now();
            what();
            start.elapsed()
        })
        .collect();
    taken.sort_unstable();
    taken
}

/// What the process holds in memory; zero where the system does not tell.
fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap_or_default();
    line.split_whitespace()
        .nth(1)
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}
