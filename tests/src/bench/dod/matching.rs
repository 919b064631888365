//! `dod.match`: one alert against 9,000 keywords and 1,000 regular expressions, beside trying each of them by itself.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use dod_formats::Severity;
use dod_skills::matching::{Binding, Matcher};
use dod_skills::pattern::PatternKind;
use dod_skills::subject::{Field, Subject};
use regex::Regex;
use uuid::Uuid;

use crate::bench::{Figure, percentile};

// A tenant as large as they come, as the tests of matching and its example have it.
#[path = "../../../../domain/dod/skills/src/matching/tests/large.rs"]
mod large;

const WARM_UP: usize = 200;
const MEASURED: usize = 5_000;
/// Trying each by itself is slow, and steady.
const MEASURED_EACH: usize = 50;

pub async fn run() -> Vec<Figure> {
    let measuring = tokio::task::spawn_blocking(measured);
    measuring.await.unwrap()
}

fn measured() -> Vec<Figure> {
    let bindings = large::large_tenant();
    let labels = large::usual_labels();
    let description = "The volume /var of host-17 is 96 % used. Replica lagging, queue slow. ".repeat(8);
    let alert = Subject {
        title: "Disk full service3 on host-17: pod restarting",
        description: &description,
        source: "alertmanager",
        alert_type: "HostDiskFull",
        severity: Severity::High,
        labels: &labels,
    };
    let each = Each::of(&bindings);
    let text = format!("{}\n{description}", alert.title).to_lowercase();
    let mut by_itself = timed(MEASURED_EACH, || {
        black_box(each.met(black_box(&text)));
    });
    let began = Instant::now();
    let (matcher, unusable) = Matcher::new(bindings);
    let made = began.elapsed();
    assert!(unusable.is_empty() && matcher.first(&alert).is_some());
    timed(WARM_UP, || drop(black_box(matcher.first(black_box(&alert)))));
    let mut taken = timed(MEASURED, || drop(black_box(matcher.first(black_box(&alert)))));
    let (p50, p99) = (percentile(&mut taken, 0.5), percentile(&mut taken, 0.99));
    vec![
        Figure::against("dod.match", p99, "ms", percentile(&mut by_itself, 0.99)),
        Figure::against("dod.match.p50", p50, "ms", percentile(&mut by_itself, 0.5)),
        Figure::alone("dod.match.made", made.as_secs_f64() * 1e3, "ms"),
    ]
}

/// Every pattern by itself: what somebody would write first.
struct Each {
    keywords: Vec<String>,
    expressions: Vec<Regex>,
}

impl Each {
    fn of(bindings: &[Binding]) -> Self {
        let (keywords, expressions): (Vec<_>, Vec<_>) = bindings
            .iter()
            .partition(|binding| binding.kind == PatternKind::Keyword);
        let expression = |binding: &&Binding| Regex::new(&binding.pattern).ok();
        Self {
            keywords: keywords.iter().map(|binding| binding.pattern.to_lowercase()).collect(),
            expressions: expressions.iter().filter_map(expression).collect(),
        }
    }

    /// How many are found in a text.
    fn met(&self, text: &str) -> usize {
        let words = self.keywords.iter().filter(|keyword| text.contains(keyword.as_str()));
        let expressions = self.expressions.iter().filter(|expression| expression.is_match(text));
        words.count() + expressions.count()
    }
}

fn timed(times: usize, mut what: impl FnMut()) -> Vec<Duration> {
    let one = |_| {
        let began = Instant::now();
        what();
        began.elapsed()
    };
    (0..times).map(one).collect()
}
