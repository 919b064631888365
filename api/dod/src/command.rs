//! The subcommand of the context on the command line, which has some of its own.

use clap::ArgMatches;
use futures::FutureExt as _;
use http::Fault;
use http::cli::{Opened, Subcommand};

use crate::archive::command as archive;
use crate::replay;

/// `daybook dod ...`
pub const DOD: Subcommand = Subcommand {
    name: "dod",
    declared: |command| {
        command
            .about("What concerns alerts: have bodies that came in parsed again, and what is over archived")
            .override_usage(format!("{}\n       {}", replay::USAGE, archive::USAGE))
            .subcommand_required(true)
            .subcommand(replay::declared())
            .subcommand(archive::declared())
    },
    run: |opened, matches| run(opened, matches).boxed(),
};

async fn run(opened: &Opened, matches: &ArgMatches) -> Result<(), Fault> {
    match matches.subcommand() {
        Some((replay::REPLAY, matches)) => replay::run(opened, matches).await,
        Some((archive::ARCHIVE, matches)) => archive::run(opened, matches).await,
        Some(_) | None => Err(Fault::Refused(format!(
            "this command is not known; write it as {} or {}",
            replay::USAGE,
            archive::USAGE
        ))),
    }
}
