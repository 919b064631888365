//! Logins on Postgres: one for each of Daybook's roles, so that what one of them leaks opens nothing of the others.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Executor as _, Row as _};
use uuid::Uuid;

/// Appends to the book.
pub const WRITER: &str = "daybook_writer";
/// Owns the read tables.
pub const PROJECTOR: &str = "daybook_projector";
/// Reads them, one tenant at a time.
pub const READER: &str = "daybook_reader";
/// All roles that a process works under.
pub const ROLES: [&str; 3] = [WRITER, PROJECTOR, READER];

/// How often a password is hashed, as Postgres does it by itself.
const ITERATIONS: u32 = 4_096;

/// How a process connects, for each of its roles.
#[derive(Debug, Clone)]
pub struct Logins {
    /// Whoever migrates. A process that serves has no such login, and none of its questions needs one: then it is the
    /// writer's.
    pub owner: PgConnectOptions,
    pub writer: PgConnectOptions,
    pub projector: PgConnectOptions,
    pub reader: PgConnectOptions,
}

impl Logins {
    /// One login that may act as every role: the owner's, in tests and for commands by hand.
    #[must_use]
    pub fn one(options: &PgConnectOptions) -> Self {
        Self {
            owner: options.clone(),
            writer: options.clone(),
            projector: options.clone(),
            reader: options.clone(),
        }
    }
}

/// What came of making a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    New,
    /// It was there, and has this password now.
    WasThere,
    /// There is a login of this name that has not this role: it is somebody else's.
    Foreign,
}

/// Makes a login that has this role, or gives the one that is there this password, as the database's owner. The server
/// gets what it compares passwords with, and not the password: statements are found in logs.
///
/// # Errors
/// The database's error: the owner may lack the right to make logins.
pub async fn make(connection: &mut PgConnection, login: &str, password: &str, role: &str) -> Result<Made, sqlx::Error> {
    let found = sqlx::query(
        "select rolsuper or not pg_has_role(oid, $2::text::regrole, 'member') as is_foreign from pg_roles
         where rolname = $1",
    )
    .bind(login)
    .bind(role)
    .fetch_optional(&mut *connection)
    .await?;
    let (made, form) = match found.map(|found| found.try_get("is_foreign")).transpose()? {
        Some(true) => return Ok(Made::Foreign),
        Some(false) => (
            Made::WasThere,
            "select format('alter role %1$I login password %2$L', $1, $2, $3)",
        ),
        None => (
            Made::New,
            "select format('create role %1$I login password %2$L in role %3$I', $1, $2, $3)",
        ),
    };
    let statement: String = sqlx::query_scalar(form)
        .bind(login)
        .bind(verifier(password, Uuid::new_v4().as_bytes()))
        .bind(role)
        .fetch_one(&mut *connection)
        .await?;
    connection.execute(statement.as_str()).await?;
    Ok(made)
}

/// What a login lacks to be this role's alone, in words; none when it is fit.
///
/// # Errors
/// The database's error.
pub async fn unfit(connection: &mut PgConnection, role: &str) -> Result<Option<String>, sqlx::Error> {
    let others: Vec<&str> = ROLES.into_iter().filter(|other| *other != role).collect();
    let row = sqlx::query(
        "select session_user::text as login, rolsuper as is_super,
                pg_has_role(session_user, (select nspowner from pg_namespace where nspname = 'book'), 'member') as owns,
                array(select name from unnest($1::text[]) name where pg_has_role(session_user, name, 'member')) as others
         from pg_roles where rolname = session_user",
    )
    .bind(others)
    .fetch_one(connection)
    .await?;
    let (login, others): (String, Vec<String>) = (row.try_get("login")?, row.try_get("others")?);
    let why = if row.try_get("is_super")? {
        "is a superuser".to_owned()
    } else if row.try_get("owns")? {
        "owns the book".to_owned()
    } else if !others.is_empty() {
        format!("may act as {}, too", others.join(" and "))
    } else {
        return Ok(None);
    };
    Ok(Some(format!("{login}, which works as {role}, {why}")))
}

/// What Postgres keeps of a password (RFC 5803), and compares a login's proof with.
fn verifier(password: &str, salt: &[u8]) -> String {
    // The first block is as long as a key, so it is all of it.
    let mut block = mac(password.as_bytes(), &[salt, &1_u32.to_be_bytes()]);
    let mut salted = block;
    for _ in 1..ITERATIONS {
        block = mac(password.as_bytes(), &[&block]);
        for (all, this) in salted.iter_mut().zip(block) {
            *all ^= this;
        }
    }
    let stored = Sha256::digest(mac(&salted, &[b"Client Key"]));
    let server = mac(&salted, &[b"Server Key"]);
    format!(
        "SCRAM-SHA-256${ITERATIONS}:{}${}:{}",
        STANDARD.encode(salt),
        STANDARD.encode(stored),
        STANDARD.encode(server)
    )
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes the hash of a key that is longer than a block, and pads a shorter one with zeros; done here, the
    // constructor cannot fail.
    let mut block = [0; 64];
    let hashed: [u8; 32] = Sha256::digest(key).into();
    let key = if key.len() > block.len() { &hashed } else { key };
    for (place, byte) in block.iter_mut().zip(key) {
        *place = *byte;
    }
    let mut mac = <Hmac<Sha256> as KeyInit>::new(&block.into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_kept_as_the_standard_says() {
        // RFC 7677, section 3: the server's signature over its exchange proves both keys.
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let kept = verifier("pencil", &salt);
        let (_, keys) = kept.rsplit_once('$').unwrap();
        let (stored, server) = keys.split_once(':').unwrap();
        let exchange = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                        s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let signed = mac(&STANDARD.decode(server).unwrap(), &[exchange.as_bytes()]);
        assert_eq!(STANDARD.encode(signed), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        let proof = STANDARD.decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=").unwrap();
        let stored = STANDARD.decode(stored).unwrap();
        let signature = mac(&stored, &[exchange.as_bytes()]);
        let client: Vec<u8> = proof.iter().zip(signature).map(|(proof, sign)| proof ^ sign).collect();
        assert_eq!(Sha256::digest(client).as_slice(), stored);
    }

    #[test]
    fn a_long_password_is_hashed_before_it_is_a_key() {
        let long = "x".repeat(100);
        let hashed: [u8; 32] = Sha256::digest(&long).into();
        assert_eq!(mac(long.as_bytes(), &[b"text"]), mac(&hashed, &[b"text"]));
    }
}
