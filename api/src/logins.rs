//! Logins on Postgres, made as the database's owner: one for each of Daybook's roles, and those of tools for reports.

use book::Pools;
use book::logins::{self, Made, ROLES};
use http::Contexts;
use http::cli::require_tenant;
use percent_encoding::percent_decode_str;
use projections::bi;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection as _, Executor as _, PgPool};
use tracing::{info, warn};
use uuid::Uuid;

use crate::{Config, Fault, migrate};

/// Length of a login's name.
const NAME_CHARS_MAX: usize = 63;
/// Connections of one tool for reports.
const BI_CONNECTIONS_MAX: u32 = 10;
/// How long a statement of such a tool may take unless it says otherwise, in minutes.
const BI_STATEMENT_MINUTES: u32 = 5;
/// How long one may be idle within a transaction, in minutes, unless its session asks for more: what it looks at is kept.
const BI_IDLE_MINUTES: u32 = 5;

/// Makes the logins that the settings name, or gives those that are there the passwords of the settings.
///
/// # Errors
/// When a setting is missing or names no user and password, when a login is somebody else's, or the database fails.
pub async fn make(config: &Config, owner: &PgPool) -> Result<(), Fault> {
    let mut connection = owner.acquire().await?;
    let mut transaction = connection.begin().await?;
    for (variable, url, role) in config.of_roles() {
        let url = crate::config::needed(url, variable)?;
        let (login, password) = user_of(url.reveal()).ok_or_else(|| {
            Fault::setting(format!(
                "{variable} must name a user and a password: postgres://user:password@host/database"
            ))
        })?;
        match logins::make(&mut transaction, &login, &password, role).await? {
            Made::New => info!(login, role, "made a login"),
            Made::WasThere => info!(login, role, "the login is there, with the password of the settings"),
            Made::Foreign => {
                return Err(Fault::Refused(format!(
                    "there is a login {login} already, which is not {role}'s; name another one in {variable}"
                )));
            }
        }
    }
    Ok(transaction.commit().await?)
}

/// The user and the password that an address has before its host.
fn user_of(url: &str) -> Option<(String, String)> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (user, _) = authority.rsplit_once('@')?;
    let (login, password) = user.split_once(':')?;
    let plain = |text: &str| {
        percent_decode_str(text)
            .decode_utf8()
            .ok()
            .map(|text| text.into_owned())
    };
    Some((plain(login)?, plain(password)?)).filter(|(login, password)| !login.is_empty() && !password.is_empty())
}

/// A login of a tool for reports.
#[derive(Debug)]
pub struct Report {
    pub tenant: Uuid,
    /// Of one that is new: nobody can ask for it again.
    pub password: Option<String>,
}

/// Makes a login that reads the tables of the settings' tenant, or opens to one that is there what it does not see yet.
///
/// # Errors
/// When the name is none, the tenant is not there, the login is somebody else's or another tenant's, or the database fails.
pub async fn open_to_reports(config: &Config, contexts: &Contexts, login: &str) -> Result<Report, Fault> {
    named(login)?;
    let pools = owned(config).await?;
    let tenant = config.tenant;
    // A suspended one is read.
    require_tenant(tenant, book::tenants::told(&pools.owner, tenant).await?)?;
    let mut projector = pools.projector.acquire().await?;
    for context in contexts.tables() {
        bi::ensure(&mut projector, context).await?;
    }
    drop(projector);
    let mut connection = pools.owner.acquire().await?;
    let mut transaction = connection.begin().await?;
    keep_apart(&mut transaction).await?;
    let report = report(&mut transaction, login, tenant).await?;
    transaction.commit().await?;
    pools.close().await;
    Ok(report)
}

async fn report(connection: &mut PgConnection, login: &str, tenant: Uuid) -> Result<Report, Fault> {
    let reads: Option<Uuid> = sqlx::query_scalar("select tenant_id from book.bi_logins where login = $1")
        .bind(login)
        .fetch_optional(&mut *connection)
        .await?;
    let exists: bool = sqlx::query_scalar("select exists (select from pg_roles where rolname = $1)")
        .bind(login)
        .fetch_one(&mut *connection)
        .await?;
    match (reads, exists) {
        (Some(reads), _) if reads != tenant => {
            return Err(Fault::Refused(format!(
                "{login} reads tenant {reads}; remove it first, or choose another name"
            )));
        }
        (Some(_), true) => return Ok(Report { tenant, password: None }),
        (None, true) => {
            return Err(Fault::Refused(format!(
                "there is a login {login} already, which is none of a tool for reports here; choose another name"
            )));
        }
        (_, false) => {}
    }
    let password = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    logins::make(connection, login, &password, bi::ROLE).await?;
    // The name was looked at: it needs no quotes.
    let bounds = format!(
        "alter role {login} connection limit {BI_CONNECTIONS_MAX};
         alter role {login} set default_transaction_read_only = on;
         alter role {login} set statement_timeout = '{BI_STATEMENT_MINUTES}min';
         alter role {login} set idle_in_transaction_session_timeout = '{BI_IDLE_MINUTES}min'"
    );
    connection.execute(bounds.as_str()).await?;
    sqlx::query("insert into book.bi_logins (login, tenant_id) values ($1, $2) on conflict do nothing")
        .bind(login)
        .bind(tenant)
        .execute(connection)
        .await?;
    Ok(Report {
        tenant,
        password: Some(password),
    })
}

/// Removes the login of a tool for reports.
///
/// # Errors
/// When there is none of this name, or the database fails.
pub async fn close_to_reports(config: &Config, login: &str) -> Result<(), Fault> {
    named(login)?;
    let pools = owned(config).await?;
    let mut connection = pools.owner.acquire().await?;
    let mut transaction = connection.begin().await?;
    let known = sqlx::query("delete from book.bi_logins where login = $1")
        .bind(login)
        .execute(&mut *transaction)
        .await?;
    if known.rows_affected() == 0 {
        return Err(Fault::Refused(format!(
            "there is no login {login} of a tool for reports"
        )));
    }
    let is_there: bool = sqlx::query_scalar("select exists (select from pg_roles where rolname = $1)")
        .bind(login)
        .fetch_one(&mut *transaction)
        .await?;
    if is_there {
        transaction
            .execute(format!("alter role {login} nologin").as_str())
            .await?;
    }
    // Whatever becomes of the role, it reads nothing from here on.
    transaction.commit().await?;
    if is_there {
        gone(&mut connection, login).await.map_err(|error| {
            Fault::Refused(format!(
                "{login} reads nothing any more and cannot sign in, but the role is still there ({error}); end what it has and \
                 `drop role {login}`"
            ))
        })?;
    }
    pools.close().await;
    Ok(())
}

/// Drops a role with what it may have left in this database, which none of Daybook's is.
async fn gone(connection: &mut PgConnection, login: &str) -> Result<(), sqlx::Error> {
    sqlx::query("select pg_terminate_backend(pid) from pg_stat_activity where usename = $1")
        .bind(login)
        .execute(&mut *connection)
        .await?;
    let mut transaction = connection.begin().await?;
    // A superuser is everybody already; another owner is to be whom it drops the things of.
    let is_super: bool = sqlx::query_scalar("select rolsuper from pg_roles where rolname = current_user")
        .fetch_one(&mut *transaction)
        .await?;
    if !is_super {
        transaction
            .execute(format!("grant {login} to current_user").as_str())
            .await?;
    }
    let dropping = format!("drop owned by {login}; drop role {login}");
    transaction.execute(dropping.as_str()).await?;
    transaction.commit().await
}

/// Pools of the database's owner, who alone makes logins.
async fn owned(config: &Config) -> Result<Pools, Fault> {
    let owner: PgConnectOptions = config.database()?;
    let pools = Pools::connect(&owner).await?;
    migrate::check(&pools.owner).await?;
    Ok(pools)
}

/// Refuses a name that SQL would not take as it stands.
fn named(login: &str) -> Result<(), Fault> {
    let begins_well = login.starts_with(|first: char| first.is_ascii_lowercase());
    let goes_on = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    if begins_well && login.len() <= NAME_CHARS_MAX && login.chars().all(goes_on) && !login.starts_with("pg_") {
        return Ok(());
    }
    Err(Fault::Refused(format!(
        "a login's name has small letters, digits and underscores, at most {NAME_CHARS_MAX}, and begins with a letter"
    )))
}

/// Keeps from everybody else locks by number, with which Daybook's processes tell each other who leads and whose turn it is
/// (who may only read could hold up all who write), and large objects and tables for a while, which anybody may make
/// (who may only read could fill the disk). A superuser alone can do all of that.
async fn keep_apart(connection: &mut PgConnection) -> Result<(), Fault> {
    let (is_super, owner, database): (bool, String, String) = sqlx::query_as(
        "select rolsuper, (select quote_ident(pg_get_userbyid(nspowner)) from pg_namespace where nspname = 'book'),
                quote_ident(current_database())
         from pg_roles where rolname = current_user",
    )
    .fetch_one(&mut *connection)
    .await?;
    if !is_super {
        warn!(
            "this owner is no superuser, so logins for reports may take locks that Daybook's processes wait for, and make large \
             objects and temporary tables; see docs/operations.md"
        );
        return Ok(());
    }
    let roles = ROLES.join(", ");
    let functions: Vec<String> = sqlx::query_scalar(
        "select oid::regprocedure::text from pg_proc
         where pronamespace = 'pg_catalog'::regnamespace
           and proname ~ '^(pg_.*advisory.*lock|lo_creat|lo_from_bytea|lo_import|lo_put|lowrite)'",
    )
    .fetch_all(&mut *connection)
    .await?;
    for function in functions {
        let statement = format!(
            "revoke execute on function {function} from public;
             grant execute on function {function} to {owner}, {roles}"
        );
        connection.execute(statement.as_str()).await?;
    }
    let temporary = format!(
        "revoke temporary on database {database} from public;
         grant temporary on database {database} to {owner}, {roles}"
    );
    connection.execute(temporary.as_str()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_a_user_and_a_password() {
        let user = |url: &str| user_of(url);
        let found = |login: &str, password: &str| Some((login.to_owned(), password.to_owned()));
        assert_eq!(user("postgres://w:secret@db/daybook"), found("w", "secret"));
        assert_eq!(
            user("postgres://w:a%40b%2Fc@db:5432/daybook?x=y@z"),
            found("w", "a@b/c")
        );
        for wrong in [
            "",
            "postgres://db/daybook",
            "postgres://w@db/daybook",
            "postgres://w:@db/daybook",
            "postgres://:secret@db/daybook",
            "postgres://db/daybook?user=w:secret@db",
        ] {
            assert_eq!(user(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_login_is_named_so_that_it_needs_no_quotes() {
        assert!(named("reports_2026").is_ok());
        let long = "x".repeat(64);
        for wrong in [
            "",
            "Reports",
            "2026",
            "a b",
            "a\"b",
            "a;drop role b",
            "pg_reports",
            "_a",
            &long,
        ] {
            assert!(named(wrong).is_err(), "{wrong}");
        }
    }
}
