//! `daybook rebuild <context>|--all [--rollback] [--force]`

use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};

use book::Tail;
use clap::Args;
use projections::Context;
use projections::rebuild::{self, Progress, RebuildError, Report};

use super::{opened, say};
use http::Contexts;

use crate::{Config, Fault};

#[derive(Debug, Args)]
pub struct Rebuild {
    /// The context to rebuild
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    context: Option<String>,
    /// Rebuild every context
    #[arg(long)]
    all: bool,
    /// Swap the generation that was live before back in
    #[arg(long)]
    rollback: bool,
    /// Swap even if the same code gave other rows: those of the new tables are the book's
    #[arg(long, conflicts_with = "rollback")]
    force: bool,
}

impl Rebuild {
    pub async fn run(&self, config: &Config, contexts: &Contexts) -> Result<(), Fault> {
        let wanted: Vec<&'static Context> = match &self.context {
            Some(name) => vec![named(contexts, name)?],
            None => contexts.tables().collect(),
        };
        let opened = opened(config, contexts).await?;
        let mut failures = Vec::new();
        for context in wanted {
            // What one context lacks is no other's.
            if let Err(failure) = self.one(&opened.pools, &opened.tail, context).await {
                failures.push(failure.to_string());
            }
        }
        if failures.is_empty() {
            return Ok(());
        }
        Err(Fault::Refused(failures.join("; ")))
    }

    /// Does what was asked for to one context, and says what came of it.
    async fn one(&self, pools: &book::Pools, tail: &Tail, context: &'static Context) -> Result<(), Fault> {
        if self.rollback {
            let generation = rebuild::rollback(pools, tail, context)
                .await
                .map_err(|error| failed(context, &error))?;
            return say(&format!(
                "{}: generation {} is live again, at position {}",
                context.name, generation.number, generation.position
            ));
        }
        match self.rebuild(pools, tail, context).await {
            Ok(report) => table(&report, true),
            Err(error) => {
                if let RebuildError::Differs { report, .. } = &error {
                    table(report, false)?;
                }
                Err(failed(context, &error))
            }
        }
    }

    async fn rebuild(
        &self,
        pools: &book::Pools,
        tail: &Tail,
        context: &'static Context,
    ) -> Result<Report, RebuildError> {
        let shown = std::io::stderr().is_terminal();
        let lines = Mutex::new(Lines::default());
        let told = move |progress: Progress| {
            let Progress {
                position,
                target,
                seconds,
                ..
            } = progress;
            if !shown && !lines.lock().unwrap_or_else(PoisonError::into_inner).is_due(progress) {
                return;
            }
            let start = if shown { "\r\x1b[K" } else { "" };
            let end = if shown { "" } else { "\n" };
            // Progress that nobody can read is no reason to stop.
            let _ = write!(
                std::io::stderr(),
                "{start}{}: {} {position}/{target}, {seconds:.1} s{end}",
                context.name,
                progress.phase.word()
            );
        };
        let outcome = rebuild::rebuild(pools, tail, context, self.force, &told).await;
        if shown {
            let _ = writeln!(std::io::stderr());
        }
        outcome
    }
}

/// Between two lines of one phase where lines are kept, in seconds.
const LINE_SECONDS: f64 = 5.0;

/// What of the progress becomes a line where each is kept, as in a file: every phase, and within it now and then where it is.
#[derive(Default)]
struct Lines(Option<Progress>);

impl Lines {
    fn is_due(&mut self, now: Progress) -> bool {
        let is_due = self.0.is_none_or(|last| {
            last.phase != now.phase || (last.position != now.position && now.seconds - last.seconds >= LINE_SECONDS)
        });
        if is_due {
            self.0 = Some(now);
        }
        is_due
    }
}

pub fn named(contexts: &Contexts, name: &str) -> Result<&'static Context, Fault> {
    contexts.tables_of(name).ok_or_else(|| {
        let names: Vec<_> = contexts.tables().map(|context| context.name).collect();
        Fault::Refused(format!("there is no context {name}; there are {}", names.join(", ")))
    })
}

/// The error, and whose it is.
fn failed(context: &Context, error: &RebuildError) -> Fault {
    Fault::Refused(match error {
        RebuildError::Post(error) => format!("{}: {error}", context.name),
        named => named.to_string(),
    })
}

fn table(report: &Report, swapped: bool) -> Result<(), Fault> {
    let width = report
        .rows
        .iter()
        .map(|(table, _)| table.len())
        .max()
        .unwrap_or(0)
        .max(5);
    say(&format!("{:width$}  {:>12}  {:>10}", "table", "rows", "differing"))?;
    for (table, rows) in &report.rows {
        let difference = report.differences.iter().find(|difference| difference.table == *table);
        let differing = match difference {
            _ if !report.compared => "-".to_owned(),
            Some(difference) => difference.differing.to_string(),
            None => "0".to_owned(),
        };
        say(&format!("{table:width$}  {rows:>12}  {differing:>10}"))?;
    }
    for difference in &report.differences {
        for example in &difference.examples {
            let side = |row: &Option<String>| row.clone().unwrap_or_else(|| "(no row)".to_owned());
            say(&format!("{} {}:", difference.table, example.key))?;
            say(&format!("  live {}", side(&example.live)))?;
            say(&format!("  new  {}", side(&example.new)))?;
        }
    }
    let per_second = report.events as f64 / report.total_seconds.max(f64::EPSILON);
    let swap_ms = report.swap_seconds * 1_000.0;
    let end = if swapped {
        format!("swapped in {swap_ms:.1} ms; generation {} is live", report.generation)
    } else {
        "not swapped".to_owned()
    };
    say(&format!(
        "{}: {} events to position {} in {:.2} s ({per_second:.0}/s: load {:.2} s, index {:.2} s, compare {:.2} s), {} parked; {end}",
        report.context,
        report.events,
        report.position,
        report.total_seconds,
        report.load_seconds,
        report.index_seconds,
        report.compare_seconds,
        report.parked
    ))
}

#[cfg(test)]
mod tests {
    use projections::rebuild::Phase;

    use super::*;

    #[test]
    fn a_file_has_a_line_for_each_phase_and_now_and_then_one_that_says_something_new() {
        let mut lines = Lines::default();
        let mut is_due = |phase, position, seconds| {
            lines.is_due(Progress {
                phase,
                position,
                target: 900,
                seconds,
            })
        };
        assert!(is_due(Phase::Loading, 10, 0.1));
        assert!(!is_due(Phase::Loading, 20, 0.2));
        assert!(is_due(Phase::Loading, 600, 5.2));
        assert!(is_due(Phase::Comparing, 900, 5.3));
        assert!(!is_due(Phase::Comparing, 900, 60.0));
        assert!(is_due(Phase::Swapping, 900, 60.0));
    }
}
