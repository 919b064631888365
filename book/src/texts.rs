//! What people wrote in their own words: each text is sealed under a key of its own, which goes when its author is
//! erased or the text is struck.
//!
//! What is stored in its place names its key. So it can be carried about as it is, into rows, sentences and images, onto
//! the bus, into dumps and archives, and is opened by who shows it to a person, or is struck there and everywhere at
//! once. Only decisions have it opened when they are loaded.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use domain::event::{REASON, text_id};
use domain::{DecodeError, Recorded};
use rand::RngCore as _;
use serde_json::{Map, Value};
use sqlx::PgPool;
use uuid::Uuid;

use crate::append::NewKey;
use crate::master::{KEY_BYTES, NONCE_BYTES};
use crate::vault::{PERSONAL_SECONDS_MAX, bound_to};
use crate::{BookError, Vault};

/// A sealed text as it is stored: this, the id of the text, a colon, nonce and cipher in base64, and [`ENDS`].
const BEGINS: &str = "⟦text:";
const ENDS: char = '⟧';
/// Characters of an id.
const ID_CHARS: usize = 36;

/// What stands in a sentence in the place of a text that was struck, or whose author was erased.
pub const STRUCK: &str = "[struck]";
/// What stands there when the key or the sealed text is not what it was.
const UNREADABLE: &str = "[unreadable]";

/// Whether there may be a sealed text in it.
#[must_use]
pub fn has_any(text: &str) -> bool {
    text.contains(BEGINS)
}

/// Seals a text. The key comes back, to be appended with what the sealed text stands in.
///
/// # Errors
/// When the key cannot be wrapped.
pub(crate) fn seal(
    vault: &Vault,
    id: Uuid,
    author: Uuid,
    field: &str,
    text: &str,
) -> Result<(String, NewKey), BookError> {
    let mut key = [0; KEY_BYTES];
    rand::rng().fill_bytes(&mut key);
    let sealed = BASE64.encode(encrypted(&key, text.as_bytes(), id.as_bytes())?);
    let sealed = format!("{BEGINS}{id}:{sealed}{ENDS}");
    let key = NewKey {
        subject: id,
        wrapped: vault.wrap(id, &key)?,
        author,
        field: field.to_owned(),
    };
    Ok((sealed, key))
}

/// Seals the texts among the fields of an event, see [`domain::Event::texts`].
///
/// # Errors
/// When a key cannot be wrapped, or a field that is said to be a text is none.
pub(crate) fn seal_fields(
    vault: &Vault,
    event_id: Uuid,
    author: Uuid,
    payload: &mut Value,
    fields: &[&'static str],
) -> Result<Vec<NewKey>, BookError> {
    let mut keys = Vec::new();
    for field in fields {
        let Some(value) = payload.get_mut(*field).filter(|value| !value.is_null()) else {
            continue;
        };
        let Value::String(text) = value else {
            return Err(BookError::Broken(format!("the field {field} of an event is no text")));
        };
        let (sealed, key) = seal(vault, text_id(event_id, field), author, field, text)?;
        *text = sealed;
        keys.push(key);
    }
    Ok(keys)
}

/// Seals the fields of an event that are sealed each under a key of its own in somebody's name, see
/// [`domain::Event::sealed_apart`]: the way that fields of persons are, so that whoever opens those opens these.
///
/// # Errors
/// When a key cannot be wrapped.
pub(crate) fn seal_apart(
    vault: &Vault,
    event_id: Uuid,
    payload: &mut Value,
    fields: &[(&'static str, Uuid)],
) -> Result<Vec<NewKey>, BookError> {
    let mut keys = Vec::new();
    for &(field, owner) in fields {
        let Some(value) = payload.get_mut(field).filter(|value| !value.is_null()) else {
            continue;
        };
        let mut key = [0; KEY_BYTES];
        rand::rng().fill_bytes(&mut key);
        let plain = serde_json::to_vec(value)?;
        let sealed = encrypted(&key, &plain, &bound_to(event_id, field))?;
        *value = Value::String(BASE64.encode(sealed));
        let subject = text_id(event_id, field);
        keys.push(NewKey {
            subject,
            wrapped: vault.wrap(subject, &key)?,
            author: owner,
            field: field.to_owned(),
        });
    }
    Ok(keys)
}

/// Nonce and cipher.
fn encrypted(key: &[u8; KEY_BYTES], plain: &[u8], bound_to: &[u8]) -> Result<Vec<u8>, BookError> {
    let mut nonce = [0; NONCE_BYTES];
    rand::rng().fill_bytes(&mut nonce);
    let payload = Payload {
        msg: plain,
        aad: bound_to,
    };
    let cipher = Aes256Gcm::new(key.into())
        .encrypt(Nonce::from_slice(&nonce), payload)
        .map_err(|_| BookError::Key("a text could not be sealed"))?;
    Ok([&nonce[..], &cipher].concat())
}

/// A sealed text in a longer one.
struct Found<'a> {
    at: Range<usize>,
    id: Uuid,
    sealed: &'a str,
}

/// The sealed texts in a text, in order.
fn found(text: &str) -> impl Iterator<Item = Found<'_>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let begin = from + text.get(from..)?.find(BEGINS)?;
            let inner = begin + BEGINS.len();
            from = inner;
            let Some(length) = text[inner..].find(ENDS) else {
                continue;
            };
            let Some((id, sealed)) = text[inner..inner + length].split_once(':') else {
                continue;
            };
            if let Some(id) = Some(id)
                .filter(|id| id.len() == ID_CHARS)
                .and_then(|id| id.parse().ok())
            {
                let end = inner + length + ENDS.len_utf8();
                from = end;
                return Some(Found {
                    at: begin..end,
                    id,
                    sealed,
                });
            }
        }
    })
}

/// The id of the text that this is, sealed and nothing else.
#[must_use]
pub fn id(text: &str) -> Option<Uuid> {
    let first = found(text).next()?;
    (first.at == (0..text.len())).then_some(first.id)
}

/// Something that is shown to a person and may have sealed texts in it.
#[derive(Debug)]
pub enum Place<'a> {
    /// A text that may be absent.
    Words(&'a mut Option<String>),
    /// Any JSON: all that is in it.
    Json(&'a mut Value),
}

/// An event whose texts are opened.
pub(crate) struct Letter<'a> {
    pub tenant: Uuid,
    pub event_id: Uuid,
    /// JSON text.
    pub payload: &'a mut String,
    pub reason: Option<&'a mut Option<String>>,
    /// The fields that did not open, and are null now.
    pub unopened: Vec<String>,
    /// Whether it had any texts.
    pub had_any: bool,
}

impl<'a> Letter<'a> {
    pub fn of(tenant: Uuid, event_id: Uuid, payload: &'a mut String) -> Self {
        Self {
            tenant,
            event_id,
            payload,
            reason: None,
            unopened: Vec::new(),
            had_any: false,
        }
    }
}

/// Opens what a tenant's people are shown, with one question for all of it. A struck text that stands alone becomes
/// null, in a sentence [`STRUCK`].
///
/// # Errors
/// The database's error.
pub(crate) async fn open(
    pool: &PgPool,
    vault: &Vault,
    tenant: Uuid,
    places: &mut [Place<'_>],
) -> Result<(), BookError> {
    let mut ids = Vec::new();
    for place in &mut *places {
        match place {
            Place::Words(Some(words)) => ids.extend(found(words).map(|found| found.id)),
            Place::Words(None) => {}
            Place::Json(value) => each(value, &mut |text| {
                ids.extend(found(text).map(|found| found.id));
                None
            }),
        }
    }
    if ids.is_empty() {
        return Ok(());
    }
    let keys = Keys::read(pool, vault, ids).await?;
    for place in places {
        match place {
            Place::Words(words) => {
                if let Some(opened) = words.as_deref().and_then(|text| keys.opened(tenant, text)) {
                    **words = match opened {
                        Value::String(text) => Some(text),
                        _ => None,
                    };
                }
            }
            Place::Json(value) => each(value, &mut |text| keys.opened(tenant, text)),
        }
    }
    Ok(())
}

/// Opens the texts of events with one question for all of them: those alone that were sealed for the very field that
/// they stand in, and the reason.
///
/// # Errors
/// The database's error.
pub(crate) async fn open_letters(pool: &PgPool, vault: &Vault, letters: &mut [Letter<'_>]) -> Result<(), BookError> {
    let mut ids = Vec::new();
    let mut open = Vec::new();
    for (index, letter) in letters.iter_mut().enumerate() {
        let reason = letter.reason.as_deref().and_then(|reason| id(reason.as_deref()?));
        let fields = match has_any(letter.payload) {
            // Whoever decodes it tells what is wrong with a payload that is no object.
            true => serde_json::from_str::<Map<String, Value>>(letter.payload).unwrap_or_default(),
            false => Map::new(),
        };
        let is_text = |(name, value): (&String, &Value)| {
            let named = id(value.as_str()?)?;
            (named == text_id(letter.event_id, name)).then_some(named)
        };
        let texts: Vec<Uuid> = fields.iter().filter_map(is_text).collect();
        if reason.is_some() || !texts.is_empty() {
            letter.had_any = true;
            ids.extend(texts.into_iter().chain(reason));
            open.push((index, fields));
        }
    }
    if open.is_empty() {
        return Ok(());
    }
    let keys = Keys::read(pool, vault, ids).await?;
    for (index, mut fields) in open {
        let letter = &mut letters[index];
        let (tenant, event_id) = (letter.tenant, letter.event_id);
        let mut changed = false;
        for (name, value) in &mut fields {
            let text = value.as_str().filter(|text| id(text) == Some(text_id(event_id, name)));
            let Some(opened) = text.and_then(|text| keys.alone(tenant, text)) else {
                continue;
            };
            changed = true;
            *value = opened.map_or_else(
                || {
                    letter.unopened.push(name.clone());
                    Value::Null
                },
                |opened| opened.map_or(Value::Null, Value::String),
            );
        }
        if changed {
            *letter.payload = Value::Object(fields).to_string();
        }
        if let Some(reason) = &mut letter.reason
            && let Some(opened) = reason.as_deref().and_then(|text| keys.alone(tenant, text))
        {
            **reason = opened.unwrap_or_else(|| {
                letter.unopened.push(REASON.to_owned());
                None
            });
        }
    }
    Ok(())
}

/// As [`open_letters`], of events that a decision rests on: until when they may be remembered, if they have texts.
///
/// # Errors
/// The database's error; [`DecodeError::Sealed`] when a text does not open, since nothing may be decided without it,
/// unless the caller `is_blind`: then it is taken for a struck one.
pub(crate) async fn open_for_decision(
    pool: &PgPool,
    vault: &Vault,
    letters: &mut [Letter<'_>],
    is_blind: bool,
) -> Result<Option<Instant>, BookError> {
    let until = Instant::now() + Duration::from_secs(PERSONAL_SECONDS_MAX);
    open_letters(pool, vault, letters).await?;
    if let Some(letter) = letters.iter().find(|letter| !letter.unopened.is_empty() && !is_blind) {
        let named = format!("{} of event {}", letter.unopened.join(", "), letter.event_id);
        return Err(DecodeError::Sealed(named).into());
    }
    Ok(letters.iter().any(|letter| letter.had_any).then_some(until))
}

/// As [`open_letters`], of events as they are read from the book.
///
/// # Errors
/// The database's error.
pub(crate) async fn open_events(
    pool: &PgPool,
    vault: &Vault,
    events: &mut [Recorded<String>],
) -> Result<(), BookError> {
    let mut letters: Vec<Letter<'_>> = events
        .iter_mut()
        .map(|recorded| Letter {
            reason: Some(&mut recorded.metadata.reason),
            ..Letter::of(recorded.tenant_id, recorded.event_id, &mut recorded.event)
        })
        .collect();
    open_letters(pool, vault, &mut letters).await?;
    let unopened: Vec<_> = letters.into_iter().map(|letter| letter.unopened).collect();
    for (recorded, unopened) in events.iter_mut().zip(unopened) {
        recorded.metadata.unopened.extend(unopened);
    }
    Ok(())
}

/// Changes every text in some JSON for which there is another value.
fn each(value: &mut Value, change: &mut dyn FnMut(&str) -> Option<Value>) {
    match value {
        Value::String(text) => {
            if let Some(other) = change(text) {
                *value = other;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| each(value, change)),
        Value::Object(fields) => fields.iter_mut().for_each(|(_, value)| each(value, change)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The keys of some texts.
struct Keys(HashMap<Uuid, (Uuid, Key)>);

enum Key {
    Open(Arc<Aes256Gcm>),
    Destroyed,
    /// It does not unwrap.
    Broken,
}

/// What a sealed text is.
enum Opened {
    Text(String),
    Struck,
    Unreadable,
}

impl Keys {
    async fn read(pool: &PgPool, vault: &Vault, ids: Vec<Uuid>) -> Result<Self, BookError> {
        let rows: Vec<(Uuid, Uuid, Option<Vec<u8>>)> =
            sqlx::query_as("select subject, tenant_id, wrapped from book.keys where subject = any($1)")
                .bind(ids)
                .fetch_all(pool)
                .await?;
        let mut keys = HashMap::with_capacity(rows.len());
        for (id, tenant, wrapped) in rows {
            let key = match wrapped {
                None => Key::Destroyed,
                Some(wrapped) => match vault.unwrap_surely(id, &wrapped).await {
                    Ok(cipher) => Key::Open(cipher),
                    Err(BookError::Key(_)) => Key::Broken,
                    Err(error) => return Err(error),
                },
            };
            keys.insert(id, (tenant, key));
        }
        Ok(Self(keys))
    }

    /// A text of this tenant's; that of another is as good as struck.
    fn one(&self, tenant: Uuid, id: Uuid, sealed: &str) -> Opened {
        match self.0.get(&id) {
            Some((owner, Key::Open(cipher))) if *owner == tenant => {
                plain(cipher, id, sealed).map_or(Opened::Unreadable, Opened::Text)
            }
            Some((owner, Key::Broken)) if *owner == tenant => Opened::Unreadable,
            Some(_) | None => Opened::Struck,
        }
    }

    /// What stands in the place of a text that is sealed and nothing else: `None` when it does not open, nothing within
    /// when it is struck. `None` from the outset when it is no such text.
    fn alone(&self, tenant: Uuid, text: &str) -> Option<Option<Option<String>>> {
        let only = found(text).next().filter(|found| found.at == (0..text.len()))?;
        Some(match self.one(tenant, only.id, only.sealed) {
            Opened::Text(text) => Some(Some(text)),
            Opened::Struck => Some(None),
            Opened::Unreadable => None,
        })
    }

    /// The text with all that is sealed in it opened; `None` when nothing is.
    fn opened(&self, tenant: Uuid, text: &str) -> Option<Value> {
        if let Some(alone) = self.alone(tenant, text) {
            return Some(alone.flatten().map_or(Value::Null, Value::String));
        }
        let (mut told, mut from) = (String::new(), 0);
        for found in found(text) {
            told.push_str(&text[from..found.at.start]);
            match self.one(tenant, found.id, found.sealed) {
                Opened::Text(text) => told.push_str(&text),
                Opened::Struck => told.push_str(STRUCK),
                Opened::Unreadable => told.push_str(UNREADABLE),
            }
            from = found.at.end;
        }
        if from == 0 {
            return None;
        }
        told.push_str(&text[from..]);
        Some(Value::String(told))
    }
}

fn plain(cipher: &Aes256Gcm, id: Uuid, sealed: &str) -> Option<String> {
    let bytes = BASE64.decode(sealed).ok()?;
    let (nonce, msg) = bytes.split_at_checked(NONCE_BYTES)?;
    let payload = Payload {
        msg,
        aad: id.as_bytes(),
    };
    String::from_utf8(cipher.decrypt(Nonce::from_slice(nonce), payload).ok()?).ok()
}

#[cfg(test)]
mod tests;
