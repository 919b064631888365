//! Rebuilds that were asked for over HTTP, and how far they are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use projections::Context;
use projections::rebuild::{Progress, RebuildError, Report};
use serde::Serialize;

/// The latest rebuild of each context in this process. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Rebuilds(Arc<Mutex<HashMap<&'static str, Rebuild>>>);

/// How a rebuild is getting on.
#[derive(Debug, Clone, Serialize)]
pub struct Rebuild {
    pub context: &'static str,
    pub state: State,
    pub started_at: DateTime<Utc>,
    /// `loading`, `indexing`, `comparing` or `swapping`.
    pub phase: Option<&'static str>,
    /// The last position that is in the new tables, and where the phase will end.
    pub position: i64,
    pub target: i64,
    pub seconds: f64,
    pub error: Option<String>,
    pub report: Option<Summary>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    Running,
    Done,
    Failed,
}

/// A [`Report`] without the rows that differ: they may be another tenant's.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    pub generation: i64,
    pub position: i64,
    pub events: i64,
    pub compared: bool,
    pub same_code: bool,
    pub parked: usize,
    pub tables: Vec<TableSummary>,
    pub swap_seconds: f64,
    pub total_seconds: f64,
}

#[derive(Debug, Clone, Serialize)]
pub struct TableSummary {
    pub table: String,
    pub rows: i64,
    pub differing: i64,
}

impl Rebuilds {
    /// Notes that a rebuild begins; `false` when one is under way.
    #[must_use]
    pub fn begin(&self, context: &'static Context) -> bool {
        let mut rebuilds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if rebuilds
            .get(context.name)
            .is_some_and(|rebuild| rebuild.state == State::Running)
        {
            return false;
        }
        let rebuild = Rebuild {
            context: context.name,
            state: State::Running,
            started_at: Utc::now(),
            phase: None,
            position: 0,
            target: 0,
            seconds: 0.0,
            error: None,
            report: None,
        };
        rebuilds.insert(context.name, rebuild);
        true
    }

    pub fn progress(&self, context: &'static Context, progress: Progress) {
        self.change(context, |rebuild| {
            rebuild.phase = Some(progress.phase.word());
            rebuild.position = progress.position;
            rebuild.target = progress.target;
            rebuild.seconds = progress.seconds;
        });
    }

    pub fn end(&self, context: &'static Context, outcome: &Result<Report, RebuildError>) {
        self.change(context, |rebuild| match outcome {
            Ok(report) => {
                rebuild.state = State::Done;
                rebuild.report = Some(summary(report));
            }
            Err(error) => {
                rebuild.state = State::Failed;
                rebuild.error = Some(error.to_string());
                if let RebuildError::Differs { report, .. } = error {
                    rebuild.report = Some(summary(report));
                }
            }
        });
    }

    /// Notes that a rebuild ended without an outcome.
    pub fn broke(&self, context: &'static Context, error: String) {
        self.change(context, |rebuild| {
            rebuild.state = State::Failed;
            rebuild.error = Some(error);
        });
    }

    /// The latest rebuild of a context, if there was one.
    #[must_use]
    pub fn of(&self, context: &'static Context) -> Option<Rebuild> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(context.name)
            .cloned()
    }

    fn change(&self, context: &'static Context, change: impl FnOnce(&mut Rebuild)) {
        let mut rebuilds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rebuild) = rebuilds.get_mut(context.name) {
            change(rebuild);
        }
    }
}

fn summary(report: &Report) -> Summary {
    let differing = |table: &str| {
        report
            .differences
            .iter()
            .find(|difference| difference.table == table)
            .map_or(0, |difference| difference.differing)
    };
    let tables = report.rows.iter().map(|(table, rows)| TableSummary {
        table: table.clone(),
        rows: *rows,
        differing: differing(table),
    });
    Summary {
        generation: report.generation,
        position: report.position,
        events: report.events,
        compared: report.compared,
        same_code: report.same_code,
        parked: report.parked,
        tables: tables.collect(),
        swap_seconds: report.swap_seconds,
        total_seconds: report.total_seconds,
    }
}
