//! `/metrics` as a collector reads it.

use std::collections::BTreeMap;

use http::metric::{Kind, Metric};
use regex::Regex;

/// One metric as it is shown.
#[derive(Debug, Default)]
pub struct Family {
    pub help: String,
    pub kind: String,
    pub series: Vec<Series>,
}

/// One line of a metric.
#[derive(Debug)]
pub struct Series {
    /// With `_bucket`, `_sum` and `_count` of a histogram.
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// What is shown, by the names of metrics.
#[must_use]
pub fn read(text: &str) -> BTreeMap<String, Family> {
    let label = Regex::new(r#"([a-z_]+)="([^"]*)""#).expect("a pattern");
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut last = String::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next()) {
            (Some("#"), Some(what)) => {
                words.next().expect("a name").clone_into(&mut last);
                let family = families.entry(last.clone()).or_default();
                let told = words.next().unwrap_or_default().to_owned();
                match what {
                    "HELP" => family.help = told,
                    "TYPE" => family.kind = told,
                    other => panic!("{other} is no part of the form: {line}"),
                }
            }
            _ => {
                let (series, value) = line.rsplit_once(' ').expect("a value");
                let (name, labels) = series.split_once('{').unwrap_or((series, ""));
                let labels = label.captures_iter(labels);
                assert!(name.starts_with(&last), "{line} stands below {last}");
                families.entry(last.clone()).or_default().series.push(Series {
                    name: name.to_owned(),
                    labels: labels.map(|found| (found[1].to_owned(), found[2].to_owned())).collect(),
                    value: value.parse().expect("a number"),
                });
            }
        }
    }
    families
}

/// The word for a kind in `/metrics`.
#[must_use]
pub fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    }
}

/// Every metric that the program under test may show, by its name.
#[must_use]
pub fn known() -> BTreeMap<&'static str, Metric> {
    crate::contexts()
        .metrics()
        .map(|metric| (metric.name, metric))
        .collect()
}

/// The metric that a series of this name belongs to.
#[must_use]
pub fn of_series<'a>(known: &'a BTreeMap<&'static str, Metric>, series: &str) -> Option<&'a Metric> {
    known
        .get(series)
        .filter(|metric| metric.kind != Kind::Histogram)
        .or_else(|| {
            let mut endings = ["_bucket", "_sum", "_count"].into_iter();
            let name = endings.find_map(|ending| series.strip_suffix(ending))?;
            known.get(name).filter(|metric| metric.kind == Kind::Histogram)
        })
}
