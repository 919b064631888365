//! `daybook label <JAR> <LABEL>`

use book::{Envelope, Step};
use chrono::Utc;
use clap::{Arg, ArgMatches, value_parser};
use domain::SYSTEM;
use futures::FutureExt as _;
use http::Fault;
use http::cli::{Opened, Subcommand, say};
use sample::jar::{Command, Jar};
use uuid::Uuid;

/// The subcommand.
pub const LABEL: Subcommand = Subcommand {
    name: "label",
    declared: |command| {
        let jar = Arg::new("jar").value_parser(value_parser!(Uuid)).required(true);
        let label = Arg::new("label").required(true);
        command.about("Label a jar").args([jar, label])
    },
    run: |opened, matches| run(opened, matches).boxed(),
};

async fn run(opened: &Opened, matches: &ArgMatches) -> Result<(), Fault> {
    let given = (matches.get_one::<Uuid>("jar"), matches.get_one::<String>("label"));
    let (Some(&jar), Some(label)) = given else {
        return Err(Fault::Refused("the jar and its label are needed".to_owned()));
    };
    let envelope = Envelope::once(opened.tenant, SYSTEM, Utc::now());
    let label = Command::Label { label: label.clone() };
    let step = Step::of::<Jar>(jar, None, label);
    let answer = opened.book.execute(envelope, vec![step]).await?;
    say(&format!("labelled at {}", answer.position))
}
