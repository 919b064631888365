//! `daybook bi --login NAME [--tenant UUID] [--remove]`

use clap::Args;
use http::Contexts;

use super::say;
use crate::{Config, Fault, logins};

#[derive(Debug, Args)]
pub struct Bi {
    /// What the tool is to be called in Postgres
    #[arg(long)]
    login: String,
    /// Remove the login
    #[arg(long)]
    remove: bool,
}

impl Bi {
    pub async fn run(&self, config: &Config, contexts: &Contexts) -> Result<(), Fault> {
        let login = &self.login;
        if self.remove {
            logins::close_to_reports(config, login).await?;
            return say(&format!("{login} is removed"));
        }
        let report = logins::open_to_reports(config, contexts, login).await?;
        say(&format!("{login} reads the tables of tenant {}", report.tenant))?;
        match report.password {
            Some(password) => say(&format!("password (nobody can ask for it again): {password}")),
            None => say("it has the password that it had"),
        }
    }
}
