//! The names that contexts bring and that a program has one of each: two contexts with one are refused, and one that
//! takes a name of the engines'.

use std::collections::BTreeMap;

use crate::cli::{OPTIONS, SHARED_OF_DEMO, SUBCOMMANDS};
use crate::context::Context;
use crate::crew::{ERASURES, POLICY, PROJECTOR, RELAY, SEALER, SWEEPS, TIMERS};
use crate::{metric, permissions, router};

/// First words of the engines' workers, and what follows `daybook` in the names of their locks.
const WORKERS: [&str; 9] = [
    RELAY, SEALER, PROJECTOR, POLICY, TIMERS, ERASURES, SWEEPS, "rebuild", "rebuilds",
];

/// Two contexts bring the same name, or one brings a name of the engines.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Clash(String);

impl From<domain::context::Clash> for Clash {
    fn from(clash: domain::context::Clash) -> Self {
        Self(clash.to_string())
    }
}

/// A kind of name, and the name.
type Brought = (&'static str, String);

/// # Errors
/// [`Clash`], which names both.
pub fn refuse(contexts: &[&'static Context]) -> Result<(), Clash> {
    let mut owners: BTreeMap<Brought, &'static str> = BTreeMap::new();
    for context in contexts {
        let name = context.name();
        in_place(context)?;
        for (kind, word) in brought(context) {
            if is_of_an_engine(kind, &word) {
                return Err(Clash(format!(
                    "context {name} brings the {kind} {word}, which is Daybook's own"
                )));
            }
            match owners.insert((kind, word.clone()), name) {
                Some(other) if other == name => {
                    return Err(Clash(format!("context {name} brings the {kind} {word} twice")));
                }
                Some(other) => {
                    return Err(Clash(format!(
                        "contexts {other} and {name} both bring the {kind} {word}"
                    )));
                }
                None => {}
            }
        }
    }
    Ok(())
}

/// Whether the routes of a context lie below its name, which no route of the engines has.
fn in_place(context: &Context) -> Result<(), Clash> {
    let name = context.name();
    if router::own_words().any(|word| word == name) {
        return Err(Clash(format!(
            "context {name} is called like routes of Daybook itself: /v1/{name}"
        )));
    }
    let below = format!("/v1/{name}/");
    match paths(context).find(|path| !path.starts_with(&below)) {
        Some(path) => Err(Clash(format!(
            "the route {path} of context {name} does not begin with {below}"
        ))),
        None => Ok(()),
    }
}

/// Every name that a context brings.
fn brought(context: &'static Context) -> Vec<Brought> {
    let mut names: Vec<Brought> = Vec::new();
    for worker in context.workers {
        names.push(("worker", worker.name.to_owned()));
        names.push(("lock", worker.lock.to_owned()));
    }
    for reactor in context.reactors {
        names.push(("reactor", reactor.name.to_owned()));
    }
    let gauges = context.gauges.iter().map(|gauge| gauge.name);
    let counted = context.counts.iter().map(|metric| metric.name);
    names.extend(gauges.chain(counted).map(|name| ("metric", name.to_owned())));
    for receiver in context.receivers {
        names.push(("receiver", format!("{} {}", receiver.aggregate_type, receiver.command)));
    }
    for rehearsal in context.rehearsals {
        let commands = rehearsal.commands.iter();
        names.extend(commands.map(|command| ("rehearsal", format!("{} {command}", rehearsal.aggregate_type))));
    }
    for (permission, _) in context.permissions {
        names.push(("permission", (*permission).to_owned()));
    }
    for request in context.joint {
        names.push(("request for several commands", request.address()));
    }
    // Of two that differ in the names of their parameters alone, no router could tell which is meant.
    names.extend(paths(context).map(|path| ("route", without_names(path))));
    for added in context.commands {
        names.push(("subcommand", added.name.to_owned()));
        let declared = (added.declared)(clap::Command::new(added.name));
        let of_all = options(&declared).filter(|option| is_of_an_engine("option", option));
        names.extend(of_all.map(|option| ("option", option)));
    }
    if let Some(demo) = context.demo {
        let declared = (demo.declared)(clap::Command::new(""));
        names.extend(options(&declared).map(|option| ("option of daybook demo", option)));
    }
    names
}

fn is_of_an_engine(kind: &str, name: &str) -> bool {
    let first_word = |name: &str| WORKERS.contains(&name.split(' ').next().unwrap_or_default());
    match kind {
        "worker" => first_word(name),
        "lock" => name.strip_prefix("daybook ").is_some_and(first_word),
        "metric" => metric::ENGINES.iter().any(|metric| metric.name == name),
        "permission" => permissions::FIXED.iter().any(|(fixed, _)| *fixed == name),
        "subcommand" => SUBCOMMANDS.contains(&name),
        "option" => OPTIONS.contains(&name),
        "option of daybook demo" => SHARED_OF_DEMO.contains(&name) || OPTIONS.contains(&name),
        _ => false,
    }
}

/// The names of options, as they are typed without the dashes: what tells them apart for the command line, too.
fn options(command: &clap::Command) -> impl Iterator<Item = String> {
    command.get_arguments().flat_map(|argument| {
        let typed = argument.get_long().map(str::to_owned);
        let short = argument.get_short().map(|short| short.to_string());
        let id = argument.get_id().as_str().replace('_', "-");
        let id = (typed.as_ref() != Some(&id)).then_some(id);
        [typed, short, id].into_iter().flatten()
    })
}

fn paths(context: &Context) -> impl Iterator<Item = &'static str> {
    let routes = (context.routes)().into_iter().map(|route| route.path);
    routes.chain(context.queries.iter().map(|named| named.address))
}

fn without_names(path: &str) -> String {
    let words = path
        .split('/')
        .map(|word| if word.starts_with('{') { "{}" } else { word });
    words.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests;
