//! The command line.

mod bi;
mod events;
mod health;
mod keys;
mod objects;
mod policies;
mod reactors;
mod rebuild;
mod roles;
mod seal;
mod token;
mod unpark;
mod verify;

use std::ffi::OsString;

use book::{Book, Pools, Tail};
use clap::{ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use http::cli::{Opened, say, stop_on_signal};
use http::{Contexts, demo};
use tokio_util::sync::CancellationToken;

use crate::{Config, Fault, Role, check, logins, migrate, serve};

/// Daybook: an operations back office whose tables are posted from one append-only book.
#[derive(Debug, Parser)]
#[command(name = "daybook", version, after_help = crate::config::secrets::help())]
pub struct Cli {
    #[command(flatten)]
    pub config: Config,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve HTTP and run the workers, until SIGTERM or Ctrl-C
    #[command(override_usage = "daybook serve [--roles <ROLES>]")]
    Serve {
        /// What this process does
        #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Role::Api, Role::Relay, Role::Projector, Role::Policy, Role::Reactor])]
        roles: Vec<Role>,
    },
    /// Ask the process that serves at DAYBOOK_LISTEN whether it is ready; status 1, with the reason, when it is not
    #[command(override_usage = "daybook health")]
    Health,
    /// Apply the book's migrations; connect as the database's owner
    #[command(override_usage = "daybook migrate [--logins]")]
    Migrate {
        /// Also make the logins of DAYBOOK_WRITER_URL, DAYBOOK_PROJECTOR_URL and DAYBOOK_READER_URL, with the passwords there
        #[arg(long)]
        logins: bool,
    },
    /// Make a login for a tool for reports, which reads the tables of one tenant; connect as the database's owner
    #[command(
        override_usage = "daybook bi --login <NAME> [--tenant <UUID>]\n       daybook bi --login <NAME> --remove"
    )]
    Bi(bi::Bi),
    /// Build a context's tables anew beside the live ones, compare, and swap
    #[command(
        override_usage = "daybook rebuild <CONTEXT> [--rollback | --force]\n       daybook rebuild --all [--rollback | --force]"
    )]
    Rebuild(rebuild::Rebuild),
    /// Post parked streams again
    #[command(override_usage = "daybook unpark <CONTEXT> [AGGREGATE/ID]")]
    Unpark(unpark::Unpark),
    /// Show how far each policy is, its timers, and what it could not do
    #[command(override_usage = "daybook policies [--retry <POLICY>]")]
    Policies(policies::Policies),
    /// Show how far each reactor is, what waits, and its dead letters
    #[command(override_usage = "daybook reactors [--letters <REACTOR>] [--retry <REACTOR>] [--letter <UUID>]")]
    Reactors(reactors::Reactors),
    /// Show what each tenant has in the object store, and whether it is what it was
    #[command(override_usage = "daybook objects [--of <UUID>] [--verify]")]
    Objects(objects::Stored),
    /// Define the roles admin, manager, technician and viewer in a tenant, as far as they are missing
    #[command(override_usage = "daybook roles [--tenant <UUID>]")]
    Roles(roles::Roles),
    /// Print a token that is signed with DAYBOOK_JWT_SECRET
    #[command(
        override_usage = "daybook token --admin [--tenant <UUID>] [--hours <N>]\n       daybook token --user <UUID> [--tenant <UUID>] [--hours <N>]\n       daybook token --operator [--hours <N>]"
    )]
    Token(token::Token),
    /// Make the key that seals are signed with, or print the seals
    #[command(override_usage = "daybook seal key [FILE]\n       daybook seal export [--from <POSITION>]")]
    Seal(seal::Seal),
    /// Hold the book against its seals, and name the first place that is not as it was sealed
    #[command(override_usage = "daybook verify [--from <POSITION>] [--seals <FILE>] [--public-key <KEY>]...")]
    Verify(verify::Verify),
    /// List the book's keys, or wrap all of them anew
    #[command(override_usage = "daybook keys list\n       daybook keys rotate [--bus [--at-once]]")]
    Keys(keys::Keys),
    /// Print the log, and follow it
    #[command(override_usage = "daybook events [OPTIONS]")]
    Events(events::Events),
}

/// What somebody typed.
#[derive(Debug)]
pub struct Typed {
    pub config: Config,
    wanted: Wanted,
}

#[derive(Debug)]
enum Wanted {
    /// One of the commands above.
    Own(Command),
    Demo(ArgMatches),
    OfContext(http::cli::Subcommand, ArgMatches),
}

/// Loads the demo data of all contexts.
const DEMO: &str = "demo";

#[derive(Debug, Args)]
struct Seeded {
    /// The same seed makes the same company
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Send what comes from outside to the Daybook that serves at this address, as http://127.0.0.1:8080, instead of loading
    /// the rest
    #[arg(long, value_name = "URL")]
    to: Option<String>,
}

/// The command line with what the contexts add to it.
#[must_use]
pub fn command(contexts: &Contexts) -> clap::Command {
    let about = "Load demo data that looks like a company; again, it changes nothing";
    let usage = "daybook demo [OPTIONS]";
    let mut demo = Seeded::augment_args(clap::Command::new(DEMO));
    let mut command = Cli::command();
    for context in contexts.iter() {
        for added in context.commands {
            command = command.subcommand((added.declared)(clap::Command::new(added.name)));
        }
        if let Some(of_context) = context.demo {
            // The options alone: contexts may group them under one name.
            let declared = (of_context.declared)(clap::Command::new(DEMO));
            demo = demo.args(declared.get_arguments().cloned());
        }
    }
    command.subcommand(demo.about(about).override_usage(usage))
}

impl Typed {
    /// Reads the process's arguments; ends it with a message when they are wrong.
    #[must_use]
    pub fn parse(contexts: &Contexts) -> Self {
        let mut command = command(contexts);
        let matches = command.get_matches_mut();
        Self::of(contexts, &matches).unwrap_or_else(|error| error.format(&mut command).exit())
    }

    /// Reads these arguments, of which the first is the program's name.
    ///
    /// # Errors
    /// When they are wrong.
    pub fn parse_from<I>(contexts: &Contexts, arguments: I) -> Result<Self, clap::Error>
    where
        I: IntoIterator<Item: Into<OsString> + Clone>,
    {
        Self::of(contexts, &command(contexts).try_get_matches_from(arguments)?)
    }

    fn of(contexts: &Contexts, matches: &ArgMatches) -> Result<Self, clap::Error> {
        let added = matches.subcommand().and_then(|(name, of_added)| {
            let mut commands = contexts.iter().flat_map(|context| context.commands);
            let of_context = commands.find(|added| added.name == name);
            let wanted = of_context.map(|added| Wanted::OfContext(*added, of_added.clone()));
            wanted.or_else(|| (name == DEMO).then(|| Wanted::Demo(of_added.clone())))
        });
        match added {
            Some(wanted) => Ok(Self {
                config: clap::FromArgMatches::from_arg_matches(matches)?,
                wanted,
            }),
            None => {
                let Cli { config, command } = Cli::from_arg_matches(matches)?;
                let wanted = Wanted::Own(command);
                Ok(Self { config, wanted })
            }
        }
    }
}

/// Carries out what was typed.
///
/// # Errors
/// [`Fault`].
pub async fn run(typed: Typed, contexts: Contexts) -> Result<(), Fault> {
    let Typed { mut config, wanted } = typed;
    config.read_secrets()?;
    let command = match wanted {
        Wanted::Own(command) => command,
        Wanted::OfContext(added, matches) => {
            return (added.run)(&opened(&config, &contexts).await?, &matches).await;
        }
        Wanted::Demo(matches) => {
            let seeded = Seeded::from_arg_matches(&matches).map_err(|error| Fault::Refused(error.to_string()))?;
            let opened = opened(&config, &contexts).await?;
            if let Some(to) = &seeded.to {
                for send in contexts.iter().filter_map(|context| context.demo?.send) {
                    send(&opened, seeded.seed, to).await?;
                }
                return Ok(());
            }
            let _alone = demo::alone(&opened.pools.writer, &contexts).await?;
            for demo in contexts.iter().filter_map(|context| context.demo) {
                (demo.load)(&opened, seeded.seed, &matches).await?;
            }
            return Ok(());
        }
    };
    match command {
        Command::Serve { roles } => {
            let stop = CancellationToken::new();
            stop_on_signal(stop.clone())?;
            serve(config, contexts, roles, stop).await?.ended().await;
            Ok(())
        }
        Command::Health => health::run(&config).await,
        Command::Migrate { logins: wanted } => {
            let pools = Pools::connect(&config.database()?).await?;
            migrate(&pools.owner, &contexts).await?;
            match wanted {
                true => logins::make(&config, &pools.owner).await,
                false => Ok(()),
            }
        }
        Command::Bi(bi) => bi.run(&config, &contexts).await,
        Command::Rebuild(rebuild) => rebuild.run(&config, &contexts).await,
        Command::Unpark(unpark) => unpark.run(&config, &contexts).await,
        Command::Policies(policies) => policies.run(&config, &contexts).await,
        Command::Reactors(reactors) => reactors.run(&config, &contexts).await,
        Command::Objects(objects) => objects.run(&config, &contexts).await,
        Command::Roles(roles) => roles.run(&config, &contexts).await,
        Command::Token(token) => token.run(&config, &contexts).await,
        Command::Seal(seal) => seal.run(&config).await,
        Command::Verify(verify) => verify.run(&config).await,
        Command::Keys(keys) => keys.run(&config).await,
        Command::Events(events) => events.run(&config, &contexts).await,
    }
}

/// Connects, and makes sure that the database is one for this program.
async fn opened(config: &Config, contexts: &Contexts) -> Result<Opened, Fault> {
    let pools = Pools::connect_of(&config.logins()?).await?;
    migrate::check(&pools.writer).await?;
    let master = config.master()?;
    check::master_key(&pools, master.clone()).await?;
    let book = Book::new(pools.writer.clone(), master, contexts.decisions().clone());
    let tail = Tail::new(pools.projector.clone(), book.vault().clone());
    Ok(Opened {
        pools,
        book,
        tail,
        contexts: contexts.clone(),
        tenant: config.tenant,
        archive: config.archive.clone(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_command_line_is_sound_with_what_the_contexts_add() {
        let contexts = crate::contexts::all().unwrap();
        command(&contexts).debug_assert();
    }

    #[test]
    fn contexts_are_held_against_the_subcommands_and_options_that_the_program_has() {
        let mut own = Cli::command();
        own.build();
        let names: BTreeSet<&str> = own.get_subcommands().map(clap::Command::get_name).collect();
        assert_eq!(
            names,
            BTreeSet::from(http::cli::SUBCOMMANDS)
                .into_iter()
                .filter(|name| *name != DEMO)
                .collect()
        );
        let mut options = BTreeSet::new();
        for argument in own.get_arguments() {
            options.extend(argument.get_long().map(str::to_owned));
            options.extend(argument.get_short().map(String::from));
        }
        assert_eq!(options, http::cli::OPTIONS.map(str::to_owned).into());
        let seeded = Seeded::augment_args(clap::Command::new(DEMO));
        let shared: Vec<_> = seeded.get_arguments().filter_map(clap::Arg::get_long).collect();
        assert_eq!(shared, http::cli::SHARED_OF_DEMO);
    }
}
