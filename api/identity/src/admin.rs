//! `daybook admin --email EMAIL --name NAME [--user UUID] [--tenant UUID]`: makes a tenant's first administrator, or brings
//! one back where everybody is locked out.

use std::sync::Arc;

use book::{Book, Step};
use chrono::Utc;
use clap::{ArgMatches, Args as _, FromArgMatches as _};
use futures::FutureExt as _;
use http::Fault;
use http::cli::{self, Opened, Subcommand, say};
use http::roles::{self, Outcome};
use identity::role::{self, EVERYTHING, Role};
use identity::user::{self, User};
use uuid::Uuid;

use crate::operator;

/// The subcommand as the program knows it.
pub const ADMIN: Subcommand = Subcommand {
    name: "admin",
    declared: |command| {
        Wanted::augment_args(command)
            .about("Make a tenant's first administrator, or bring one back")
            .override_usage(
                "daybook admin [--tenant <UUID>] --email <EMAIL> --name <NAME> [--user <UUID>]\n       daybook admin \
                 [--tenant <UUID>] --user <UUID>",
            )
    },
    run: |opened, matches| run(opened, matches).boxed(),
};

#[derive(Debug, clap::Args)]
struct Wanted {
    /// The address of somebody who is not registered yet
    #[arg(long, requires = "name", required_unless_present = "user")]
    email: Option<String>,
    /// Their name
    #[arg(long, requires = "email")]
    name: Option<String>,
    /// The id of the person: the `sub` of the tokens that an identity provider gives them. Without, a new one
    #[arg(long, value_parser = cli::person)]
    user: Option<Uuid>,
}

async fn run(opened: &Opened, matches: &ArgMatches) -> Result<(), Fault> {
    let wanted = Wanted::from_arg_matches(matches).map_err(|error| Fault::Refused(error.to_string()))?;
    let (book, tenant) = (&opened.book, opened.tenant);
    opened.require_active_tenant().await?;
    let role = everything(book, tenant).await?;
    let user = wanted.user.unwrap_or_else(Uuid::now_v7);
    let person = book.now::<User>(tenant, user).await?;
    let mut steps = Vec::new();
    let mut then = |command: user::Command| steps.push(Step::of::<User>(user, None, command));
    match (person.as_deref(), wanted.email, wanted.name) {
        (None, Some(email), Some(name)) => then(user::Command::Register {
            email,
            name,
            oauth_provider: None,
            oauth_id: None,
        }),
        (None, ..) => {
            let detail = format!("nobody is registered as {user}; say --email and --name, too");
            return Err(Fault::Refused(detail));
        }
        (Some(User::Erased), ..) => {
            let detail = format!("{user} was erased; register the person as somebody new, without --user");
            return Err(Fault::Refused(detail));
        }
        (Some(person), ..) if !person.is_active() => then(user::Command::Reactivate {}),
        (Some(_), ..) => {}
    }
    then(user::Command::AssignRole { role_id: role });
    operator::carry_out(book, tenant, None, steps).await?;
    say(&format!(
        "{user} may do everything in tenant {tenant}. A token for them says sub={user} and tenant={tenant}: of an identity \
         provider, or of `daybook token --user {user} --tenant {tenant}` where DAYBOOK_JWT_SECRET signs them"
    ))
}

/// A role that grants everything: the standard one, as it was or mended, or another one where that was retired.
async fn everything(book: &Book, tenant: Uuid) -> Result<Uuid, Fault> {
    let standard = roles::admin();
    let id = roles::id(tenant, standard.name);
    match roles::define(book, tenant, &standard, None).await? {
        Outcome::Defined => return Ok(id),
        Outcome::WasThere { without } if without.is_empty() && grants(book, tenant, id).await? => return Ok(id),
        Outcome::WasThere { .. } => {
            let permission = EVERYTHING.to_owned();
            let step = Step::of::<Role>(id, None, role::Command::Grant { permission });
            operator::carry_out(book, tenant, None, vec![step]).await?;
            return Ok(id);
        }
        Outcome::Retired | Outcome::NameTaken => {}
    }
    let id = Uuid::now_v7();
    let define = role::Command::Define {
        name: format!("{} of {}", standard.name, Utc::now().format("%Y-%m-%dT%H:%M:%S%.3fZ")),
        description: Some(standard.description.to_owned()),
        permissions: standard.permissions,
    };
    operator::carry_out(book, tenant, None, vec![Step::of::<Role>(id, None, define)]).await?;
    Ok(id)
}

async fn grants(book: &Book, tenant: Uuid, role: Uuid) -> Result<bool, Fault> {
    let found: Option<Arc<Role>> = book.now::<Role>(tenant, role).await?;
    Ok(found.as_deref().is_some_and(Role::grants_everything))
}
