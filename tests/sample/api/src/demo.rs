//! Demo data: some jars.

use chrono::Utc;
use clap::{Arg, ArgMatches, value_parser};
use futures::FutureExt as _;
use http::Fault;
use http::cli::{Opened, say};
use http::demo::{Act, Demo, Story};
use serde_json::json;

/// The demo as `daybook demo` loads it.
pub const DEMO: Demo = Demo {
    declared: |command| {
        let jars = Arg::new("jars").long("jars").value_parser(value_parser!(u32));
        command.arg(jars.default_value("3").help("Jars, each with a label"))
    },
    load: |opened, seed, matches| load(opened, seed, matches).boxed(),
    send: None,
};

async fn load(opened: &Opened, seed: u64, matches: &ArgMatches) -> Result<(), Fault> {
    let jars = matches.get_one::<u32>("jars").copied().unwrap_or_default();
    let (contexts, book, tail) = (&opened.contexts, &opened.book, &opened.tail);
    let story = Story::new(contexts, book, tail, opened.tenant, seed, &|_| {});
    let by = story.administrator().await?;
    for n in 1..=jars {
        let label = Act {
            by,
            at: Utc::now(),
            url: "sample/jars",
            stream: story.id(&format!("jar/{n}")),
            command: "label",
            body: json!({ "label": format!("Jar {n}") }),
            nth: 0,
            reason: None,
        };
        story.give(label).await?;
    }
    say(&format!("{jars} jars are in tenant {}", opened.tenant))
}
