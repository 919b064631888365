//! The figures of DESIGN.md 9, each measured against its baseline in the same run.

pub mod append;
pub mod dod;
pub mod http;
pub mod idle;
pub mod queries;
pub mod seals;
pub mod tables;
pub mod volume;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde::Serialize;

/// One measured figure.
#[derive(Debug, Serialize)]
pub struct Figure {
    pub name: &'static str,
    pub value: f64,
    pub unit: &'static str,
    /// The same measure of what the figure is compared with.
    pub baseline: Option<f64>,
    pub ratio: Option<f64>,
}

impl Figure {
    pub fn alone(name: &'static str, value: f64, unit: &'static str) -> Self {
        Self {
            name,
            value,
            unit,
            baseline: None,
            ratio: None,
        }
    }

    pub fn against(name: &'static str, value: f64, unit: &'static str, baseline: f64) -> Self {
        Self {
            name,
            value,
            unit,
            baseline: Some(baseline),
            ratio: Some(value / baseline),
        }
    }
}

type Measuring = Pin<Box<dyn Future<Output = Vec<Figure>>>>;

/// How much is measured with, where the full size takes long.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// How long bodies of alerts come in.
    pub seconds: u64,
    /// Among how many alerts lists are made.
    pub alerts: u32,
}

/// Figures that are measured together.
pub struct Group {
    pub figures: &'static [&'static str],
    pub run: fn(Size) -> Measuring,
}

pub const GROUPS: &[Group] = &[
    Group {
        figures: &["append.256", "append.stock.64"],
        run: |_| Box::pin(append::run()),
    },
    Group {
        figures: &[
            "http.command.p50",
            "http.command.64",
            "freshness.p50",
            "freshness.p99",
            "memory.peak",
        ],
        run: |_| Box::pin(http::run()),
    },
    Group {
        figures: &["idle.cpu", "idle.statements"],
        run: |_| Box::pin(idle::run()),
    },
    Group {
        figures: &["project.orders", "rebuild.cloudwatcher"],
        run: |_| Box::pin(tables::run()),
    },
    Group {
        figures: &["verify", "verify.core", "seal"],
        run: |_| Box::pin(seals::run()),
    },
    Group {
        figures: &[
            "query.pending-requests",
            "query.reorder",
            "query.best-supplier",
            "query.approval-chain",
        ],
        run: |_| Box::pin(queries::run()),
    },
    Group {
        figures: &["dod.match"],
        run: |_| Box::pin(dod::matching::run()),
    },
    Group {
        figures: &["dod.intake"],
        run: |size| Box::pin(dod::intake::run(size)),
    },
    Group {
        figures: &["dod.list"],
        run: |size| Box::pin(dod::list::run(size)),
    },
];

/// In milliseconds.
fn percentile(times: &mut [Duration], share: f64) -> f64 {
    times.sort_unstable();
    let index = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
    times.get(index).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}
