//! `daybook dod replay`: has bodies parsed again, after a parser or the rules of a source were mended.
//!
//! Each body is asked for by the command that people have, in the order in which they came in, and not faster than the
//! rate. Under one name of a run no body is asked for twice: its commands have ids that follow from the name. So a run that
//! was ended, in whatever way, is begun again under its name and goes on where it was.

mod select;

use std::time::Duration;

use book::{Envelope, ExecuteError, Repeat, Step};
use chrono::{DateTime, Utc};
use clap::{ArgGroup, ArgMatches, Args, FromArgMatches as _};
use dod::delivery::{Command, Delivery};
use domain::SYSTEM;
use http::Fault;
use http::cli::{self, Opened, say, stop_on_signal};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::shown;
use select::{Chosen, Found, Status};

/// The word of the subcommand.
pub const REPLAY: &str = "replay";
/// How it is written.
pub const USAGE: &str = "daybook dod replay [OPTIONS]";
/// Bodies that are asked for in a second, unless it is said otherwise.
const RATE_DEFAULT: u32 = 50;
const RATE_MAX: i64 = 2_000;

/// Have bodies that senders of alerts delivered parsed again, by the rules of today; what they say again changes nothing
#[derive(Debug, Args)]
#[group(skip)]
#[command(group(ArgGroup::new("chosen").required(true).multiple(true).args(["from", "since", "source", "status"])))]
struct Replay {
    /// Those that came into the book at this position or later
    #[arg(long, value_name = "POSITION")]
    from: Option<i64>,
    /// And at this one at the latest; the end of the book when absent
    #[arg(long, value_name = "POSITION")]
    up_to: Option<i64>,
    /// Those that came in then or later, as 2026-01-05T12:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<DateTime<Utc>>,
    /// Those of this source
    #[arg(long, value_name = "ID", value_parser = cli::id)]
    source: Option<Uuid>,
    /// Those of which this came the last time
    #[arg(long)]
    status: Option<Status>,
    /// Say how many they are, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Bodies a second at most
    #[arg(long, default_value_t = RATE_DEFAULT, value_parser = clap::value_parser!(u32).range(1..=RATE_MAX))]
    rate: u32,
    /// Go on with the run of this name: what was asked for in it is not asked for again
    #[arg(long, value_name = "NAME", value_parser = cli::id)]
    run: Option<Uuid>,
}

/// The subcommand as it is declared.
#[must_use]
pub fn declared() -> clap::Command {
    Replay::augment_args(clap::Command::new(REPLAY)).override_usage(USAGE)
}

/// Has the chosen bodies parsed again.
///
/// # Errors
/// What the database or the book says.
pub async fn run(opened: &Opened, matches: &ArgMatches) -> Result<(), Fault> {
    let replay = Replay::from_arg_matches(matches).map_err(|error| Fault::Refused(error.to_string()))?;
    let end = shown::up_to_now(opened).await?;
    let chosen = Chosen {
        from: replay.from.unwrap_or(1),
        to: replay.up_to.unwrap_or(end).min(end),
        since: replay.since,
        source: replay.source,
        status: replay.status,
    };
    let bodies = counted(opened, &chosen).await?;
    if replay.dry_run {
        return Ok(());
    }
    let stop = CancellationToken::new();
    stop_on_signal(stop.clone())?;
    let name = replay.run.unwrap_or_else(Uuid::now_v7);
    say(&format!(
        "the name of this run is {name}; with --run {name} it goes on where it was"
    ))?;
    let run = Run {
        opened,
        name,
        began_at: end,
        stop,
    };
    let told = run.all(chosen, replay.rate, bodies).await?;
    say(&told.to_string())
}

/// Says of each source how many of its bodies are chosen, and counts them.
async fn counted(opened: &Opened, chosen: &Chosen) -> Result<u64, Fault> {
    let sources = chosen.counted(&opened.pools.projector).await?;
    for of in &sources {
        let (tenant, source, name) = (of.tenant_id, of.source_id, of.name.as_deref().unwrap_or_default());
        say(&format!(
            "tenant {tenant}, source {source} {name}: {} bodies, of which {} are unreadable and {} unmapped",
            of.bodies, of.unreadable, of.unmapped
        ))?;
    }
    let bodies: i64 = sources.iter().map(|of| of.bodies).sum();
    say(&format!("{bodies} bodies are chosen"))?;
    Ok(bodies.unsigned_abs())
}

/// What came of a run.
#[derive(Debug, Default)]
struct Told {
    asked: u64,
    /// Asked for in this run before.
    before: u64,
    /// Parsed by somebody else's wish at this moment, or dropped meanwhile.
    refused: u64,
    is_stopped: bool,
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            asked, before, refused, ..
        } = self;
        if self.is_stopped {
            write!(f, "stopped: ")?;
        }
        write!(
            f,
            "{asked} bodies are parsed again, {before} were in this run before, {refused} are being parsed or are gone"
        )
    }
}

struct Run<'a> {
    opened: &'a Opened,
    name: Uuid,
    /// The end of the book when it began: what was answered then or before was answered to a run before.
    began_at: i64,
    stop: CancellationToken,
}

/// What came of asking for one body.
enum Asked {
    Now,
    Before,
    Refused,
}

impl Run<'_> {
    async fn all(&self, mut chosen: Chosen, rate: u32, bodies: u64) -> Result<Told, Fault> {
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} bodies, {elapsed} ({per_sec})");
        let bar = ProgressBar::new(bodies).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        let mut tick = tokio::time::interval(Duration::from_secs(1) / rate);
        // A database that was slow for a while is not made up for.
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = Told::default();
        loop {
            let page = chosen.page(&self.opened.pools.projector).await?;
            let Some(last) = page.last() else { break };
            chosen.from = last.position + 1;
            for found in page {
                if !self.may_go_on(&mut tick).await {
                    told.is_stopped = true;
                    bar.finish_and_clear();
                    return Ok(told);
                }
                match self.ask(&found).await? {
                    Asked::Now => told.asked += 1,
                    Asked::Before => told.before += 1,
                    Asked::Refused => told.refused += 1,
                }
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
        Ok(told)
    }

    async fn may_go_on(&self, tick: &mut Interval) -> bool {
        tokio::select! {
            () = self.stop.cancelled() => false,
            _ = tick.tick() => true,
        }
    }

    async fn ask(&self, found: &Found) -> Result<Asked, Fault> {
        let envelope = Envelope {
            command_id: Uuid::new_v5(&self.name, found.id.as_bytes()),
            repeat: Repeat::Asked,
            correlation_id: self.name,
            reason: Some("daybook dod replay".to_owned()),
            ..Envelope::once(found.tenant_id, SYSTEM, Utc::now())
        };
        let step = Step::of::<Delivery>(found.id, None, Command::ParseAgain {});
        match self.opened.book.execute(envelope, vec![step]).await {
            Ok(answer) if answer.position <= self.began_at => Ok(Asked::Before),
            Ok(_) => Ok(Asked::Now),
            Err(ExecuteError::Refused(_)) => Ok(Asked::Refused),
            Err(error) => Err(error.into()),
        }
    }
}
