//! Keys of a tenant for what mechanisms beside the book seal: settings, objects. A row of `book.keys` each, as those of
//! persons and texts: wrapped anew with them, destroyed with the tenant, with their owner, or alone by an event.
//!
//! Every one has an owner, whose own key stands beside it and seals nothing here: once that is destroyed
//! ([`domain::Erase::Person`]), no key of the owner is handed out, and no new one is made.

use std::collections::HashSet;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use chrono::{DateTime, Utc};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::master::{self, KEY_BYTES, NONCE_BYTES, digest};
use crate::pools::answered;
use crate::{BookError, Vault};

/// A key of a tenant, unwrapped. What is derived from it for one purpose opens nothing of another.
#[derive(Clone)]
pub struct OwnKey {
    pub id: Uuid,
    bytes: Zeroizing<[u8; KEY_BYTES]>,
}

impl std::fmt::Debug for OwnKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "key {}", self.id)
    }
}

/// A key that there is, without what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    pub id: Uuid,
    pub created_at: DateTime<Utc>,
}

crate::from_row!(Listed { id, created_at });

/// What a key is for, and whose it is.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    pub id: Uuid,
    /// Who takes it along when they are erased. Gets a key of its own when it has none.
    pub owner: Uuid,
    /// One word of the mechanism's: `settings`, `objects`.
    pub purpose: &'a str,
}

/// Where an event names what was sealed in the name of its stream.
#[derive(Debug, Clone, Copy)]
pub struct Naming {
    pub aggregate_type: &'static str,
    pub event_type: &'static str,
    /// The way to the name within the payload.
    pub path: &'static [&'static str],
}

/// Keys of a tenant that are looked at by one statement.
const KEYS_AT_ONCE: i64 = 5_000;

/// Both rows must stand: that of the key and that of its owner.
const READ: &str = "select k.wrapped
from book.keys k join book.keys o on o.subject = k.author and o.tenant_id = k.tenant_id and o.wrapped is not null
where k.tenant_id = $1 and k.subject = $2 and k.wrapped is not null";

const LIST: &str = "select k.subject as id, k.created_at
from book.keys k join book.keys o on o.subject = k.author and o.tenant_id = k.tenant_id and o.wrapped is not null
where k.tenant_id = $1 and k.author = $2 and k.field = $3 and k.wrapped is not null
order by k.created_at, k.subject";

/// Owner by owner, along the index of streams: an event that is not of one is not read.
const NAMED: &str = "with page as materialized (
    select subject, author, field from book.keys
    where tenant_id = $1 and subject > $2 and wrapped is not null order by subject limit $3)
select (select subject from page order by subject desc limit 1) as last,
       array(select e.payload #>> $7
             from page k
             join book.keys o on o.subject = k.author and o.tenant_id = $1 and o.wrapped is not null
             join book.events e on e.aggregate_type = $5 and e.aggregate_id = k.author::text
             where k.field = $4 and e.tenant_id = $1 and e.event_type = $6 and e.payload #>> $7 is not null) as named";

/// Nothing is made for who is erased, nor for a tenant that is deleted.
const MAKE: &str = "insert into book.keys (subject, tenant_id, wrapped, author, field)
select $2, $1, $3, o.subject, $5
from book.keys o
where o.subject = $4 and o.tenant_id = $1 and o.wrapped is not null
  and not exists (select from book.tenants t where t.tenant_id = $1 and t.standing = 'deleted')
on conflict do nothing";

impl Vault {
    /// A key of a tenant; `None` when it was destroyed, alone or with its owner, or there is none. Nothing is remembered:
    /// what is destroyed is gone at once, in every process.
    ///
    /// # Errors
    /// The database's error; [`BookError::Key`] when the key does not unwrap.
    pub async fn own_key(&self, tenant: Uuid, id: Uuid) -> Result<Option<OwnKey>, BookError> {
        let wrapped: Option<Vec<u8>> = sqlx::query_scalar(READ)
            .bind(tenant)
            .bind(id)
            .fetch_optional(self.pool())
            .await?;
        let Some(wrapped) = wrapped else { return Ok(None) };
        let bytes = self.secrets().unwrap_surely(id.as_bytes(), &wrapped).await?;
        let bytes = Zeroizing::new(bytes);
        Ok(Some(OwnKey { id, bytes }))
    }

    /// As [`Vault::own_key`], and the key is made if there never was one. It comes before whatever event names it: one
    /// that no event ever names seals nothing that anybody finds. The pool must be one of `daybook_writer`.
    ///
    /// # Errors
    /// As [`Vault::own_key`].
    pub async fn own_key_or_new(&self, tenant: Uuid, named: Named<'_>) -> Result<Option<OwnKey>, BookError> {
        if let Some(key) = self.own_key(tenant, named.id).await? {
            return Ok(Some(key));
        }
        if !self.owner_stands(tenant, named.owner).await? {
            return Ok(None);
        }
        let bytes = Zeroizing::new(master::random());
        // Another process may have made the key meanwhile; then that one is used.
        sqlx::query(MAKE)
            .bind(tenant)
            .bind(named.id)
            .bind(self.wrap(named.id, &bytes)?)
            .bind(named.owner)
            .bind(named.purpose)
            .execute(self.pool())
            .await?;
        self.own_key(tenant, named.id).await
    }

    /// The keys of an owner for one purpose that are not destroyed, the oldest first.
    ///
    /// # Errors
    /// The database's error.
    pub async fn own_keys(&self, tenant: Uuid, owner: Uuid, purpose: &str) -> Result<Vec<Listed>, BookError> {
        Ok(sqlx::query_as(LIST)
            .bind(tenant)
            .bind(owner)
            .bind(purpose)
            .fetch_all(self.pool())
            .await?)
    }

    /// The names that events of a tenant have given to what is sealed for a purpose in the name of their streams, as long as it
    /// can be opened: what was sealed for nobody, or by a key that is destroyed, is not among them.
    ///
    /// # Errors
    /// The database's error.
    pub async fn named(&self, tenant: Uuid, purpose: &str, naming: Naming) -> Result<HashSet<String>, BookError> {
        let (mut named, mut after) = (HashSet::new(), Uuid::nil());
        loop {
            let looking = sqlx::query_as(NAMED)
                .bind(tenant)
                .bind(after)
                .bind(KEYS_AT_ONCE)
                .bind(purpose)
                .bind(naming.aggregate_type)
                .bind(naming.event_type)
                .bind(naming.path)
                .fetch_one(self.pool());
            let page: (Option<Uuid>, Vec<String>) = answered(async { Ok::<_, BookError>(looking.await?) }).await?;
            named.extend(page.1);
            match page.0 {
                Some(last) => after = last,
                None => return Ok(named),
            }
        }
    }

    /// Whether an owner is not erased; one who has no key gets it. Keys are wrapped by the latest wrapping key from here on.
    async fn owner_stands(&self, tenant: Uuid, owner: Uuid) -> Result<bool, BookError> {
        self.ready().await?;
        sqlx::query(
            "insert into book.keys (subject, tenant_id, wrapped)
             select $2, $1, $3
             where not exists (select from book.tenants t where t.tenant_id = $1 and t.standing = 'deleted')
             on conflict do nothing",
        )
        .bind(tenant)
        .bind(owner)
        .bind(self.wrap(owner, &master::random())?)
        .execute(self.pool())
        .await?;
        let stands =
            sqlx::query_scalar("select wrapped is not null from book.keys where subject = $1 and tenant_id = $2")
                .bind(owner)
                .bind(tenant)
                .fetch_optional(self.pool())
                .await?;
        Ok(stands.unwrap_or(false))
    }
}

impl OwnKey {
    /// Nonce and cipher. The same under the same key, purpose and binding is the same bytes: the nonce is a digest of what
    /// is sealed. So whoever sends the same twice sends the same, and who has no key learns no more than that it is.
    ///
    /// # Errors
    /// [`BookError::Key`] when it cannot be sealed.
    pub fn seal(&self, purpose: &str, bound_to: &[u8], plain: &[u8]) -> Result<Vec<u8>, BookError> {
        let digest = self.digest(purpose, &[bound_to, plain]);
        let nonce = &digest[..NONCE_BYTES];
        let payload = Payload {
            msg: plain,
            aad: bound_to,
        };
        let mut cipher = self
            .cipher(purpose)
            .encrypt(Nonce::from_slice(nonce), payload)
            .map_err(|_| BookError::Key("what is too large for it could not be sealed"))?;
        cipher.splice(..0, nonce.iter().copied());
        Ok(cipher)
    }

    /// What was sealed; `None` when it was not sealed under this key, or not for this purpose or binding.
    #[must_use]
    pub fn open(&self, purpose: &str, bound_to: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, msg) = sealed.split_at_checked(NONCE_BYTES)?;
        let payload = Payload { msg, aad: bound_to };
        let plain = self.cipher(purpose).decrypt(Nonce::from_slice(nonce), payload).ok()?;
        Some(Zeroizing::new(plain))
    }

    /// HMAC-SHA256 of parts, each with its length before it, so that no two lists of parts are one.
    #[must_use]
    pub fn digest(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        let lengths: Vec<[u8; 8]> = parts.iter().map(|part| (part.len() as u64).to_be_bytes()).collect();
        let framed: Vec<&[u8]> = lengths
            .iter()
            .zip(parts)
            .flat_map(|(length, part)| [length.as_slice(), part])
            .collect();
        digest(&self.derived(purpose, b"digest"), &framed)
    }

    fn cipher(&self, purpose: &str) -> Aes256Gcm {
        Aes256Gcm::new((&*self.derived(purpose, b"cipher")).into())
    }

    fn derived(&self, purpose: &str, of: &[u8]) -> Zeroizing<[u8; KEY_BYTES]> {
        Zeroizing::new(digest(&self.bytes, &[b"daybook ", of, b" of ", purpose.as_bytes()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> OwnKey {
        OwnKey {
            id: Uuid::nil(),
            bytes: Zeroizing::new([byte; KEY_BYTES]),
        }
    }

    #[test]
    fn what_is_sealed_opens_under_its_key_for_its_purpose_and_binding_alone() {
        let sealed = key(1).seal("settings", b"here", b"hunter2").unwrap();
        assert_eq!(**key(1).open("settings", b"here", &sealed).unwrap(), *b"hunter2");
        assert!(key(2).open("settings", b"here", &sealed).is_none());
        assert!(key(1).open("objects", b"here", &sealed).is_none());
        assert!(key(1).open("settings", b"there", &sealed).is_none());
        for at in 0..sealed.len() {
            let mut spoiled = sealed.clone();
            spoiled[at] ^= 1;
            assert!(key(1).open("settings", b"here", &spoiled).is_none(), "byte {at}");
        }
        assert!(key(1).open("settings", b"here", &sealed[..5]).is_none());
    }

    #[test]
    fn the_same_is_sealed_to_the_same_and_all_else_has_another_nonce() {
        let sealed = |key: u8, purpose, bound_to: &[u8], plain: &[u8]| {
            super::tests::key(key).seal(purpose, bound_to, plain).unwrap()
        };
        let first = sealed(1, "settings", b"here", b"hunter2");
        assert_eq!(first, sealed(1, "settings", b"here", b"hunter2"));
        for other in [
            sealed(2, "settings", b"here", b"hunter2"),
            sealed(1, "objects", b"here", b"hunter2"),
            sealed(1, "settings", b"hereh", b"unter2"),
            sealed(1, "settings", b"here", b"hunter3"),
        ] {
            assert_ne!(first[..NONCE_BYTES], other[..NONCE_BYTES]);
        }
    }

    #[test]
    fn a_key_is_never_shown() {
        assert_eq!(format!("{:?}", key(1)), format!("key {}", Uuid::nil()));
    }
}
