//! An event as a message: headers for everybody, and a code that tells Daybook's own messages from all others.
//!
//! Whoever can publish on the bus can write headers. So each message carries a code (HMAC-SHA256) over its subject, its
//! headers, its payload and the book that it mirrors, under a key of the book's own that is never on the bus. A message
//! without the right one is none, whatever it says. The address that a command came from is encrypted under that key,
//! too: the tables want it, and nobody else on the bus is to have it.

use std::time::Instant;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use async_nats::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, SecondsFormat};
use domain::{Metadata, Recorded};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::BookError;
use crate::master::{KEY_BYTES, NONCE_BYTES, digest, mac};
use crate::secrets::Secret;

/// The place in the whole book that a message says it is at.
const POSITION: &str = "daybook-position";
/// Who asked for the event, why and when, as JSON. Former versions read another header, with the address in it, and
/// take a message without that one from the book.
const ORIGIN: &str = "daybook-origin";
/// The address that the command came from, encrypted.
const ADDRESS: &str = "daybook-address";
/// The generation of the key and the code.
const CODE: &str = "daybook-code";

const ID: &str = "ce-id";
const SOURCE: &str = "ce-source";
const TYPE: &str = "ce-type";
const SUBJECT: &str = "ce-subject";
const TIME: &str = "ce-time";
/// The place among the events of its source, as CloudEvents' extension `sequence` wants it: in the order of letters.
const SEQUENCE: &str = "ce-sequence";
/// The place in the event's stream.
const STREAM_SEQUENCE: &str = "ce-streamsequence";
const TENANT: &str = "ce-tenant";
const VERSION: &str = "ce-version";
/// The digits of [`SEQUENCE`]: as many as the greatest position has.
const SEQUENCE_DIGITS: usize = 19;

/// The headers that the code covers, in its order: all that Daybook reads.
const COVERED: [&str; 12] = [
    POSITION,
    ID,
    SOURCE,
    TYPE,
    SUBJECT,
    TIME,
    SEQUENCE,
    STREAM_SEQUENCE,
    TENANT,
    VERSION,
    ORIGIN,
    ADDRESS,
];

/// The keys that messages of one book are told by.
#[derive(Clone)]
pub(crate) struct Signing {
    incarnation: String,
    /// The one in use first.
    keys: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    generation: i32,
    codes: [u8; KEY_BYTES],
    addresses: [u8; KEY_BYTES],
    until: Option<Instant>,
}

impl std::fmt::Debug for Signing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "signing for {}", self.incarnation)
    }
}

impl Signing {
    /// For this incarnation of the book: what was published of a former history is none of this one.
    pub fn of(incarnation: &str, secrets: &[Secret]) -> Self {
        let key = |secret: &Secret| Key {
            generation: secret.generation,
            codes: digest(&secret.bytes, &[b"daybook messages"]),
            addresses: digest(&secret.bytes, &[b"daybook addresses"]),
            until: secret.until,
        };
        Self {
            incarnation: incarnation.to_owned(),
            keys: secrets.iter().map(key).collect(),
        }
    }

    /// Whether Daybook has published this.
    pub fn is_own(&self, subject: &str, headers: &HeaderMap, payload: &[u8]) -> bool {
        self.key_of(subject, headers, payload).is_some()
    }

    /// The key that a message was signed with; `None` when it is none of Daybook's.
    fn key_of(&self, subject: &str, headers: &HeaderMap, payload: &[u8]) -> Option<&Key> {
        let (generation, code) = headers.get(CODE)?.as_str().split_once('.')?;
        let (generation, code): (i32, _) = (generation.parse().ok()?, BASE64.decode(code).ok()?);
        let is_it = |key: &&Key| key.generation == generation && key.until.is_none_or(|until| Instant::now() < until);
        let key = self.keys.iter().find(is_it)?;
        // Compared in constant time.
        self.code(key, subject, headers, payload).verify_slice(&code).ok()?;
        Some(key)
    }

    fn code(&self, key: &Key, subject: &str, headers: &HeaderMap, payload: &[u8]) -> Hmac<Sha256> {
        let mut mac = mac(&key.codes);
        // Each part with its length, so that nothing moves from one to the next.
        let mut add = |part: Option<&[u8]>| {
            mac.update(&[u8::from(part.is_some())]);
            mac.update(&(part.map_or(0, <[u8]>::len) as u64).to_be_bytes());
            mac.update(part.unwrap_or_default());
        };
        add(Some(self.incarnation.as_bytes()));
        add(Some(subject.as_bytes()));
        for name in COVERED {
            add(headers.get(name).map(|value| value.as_str().as_bytes()));
        }
        add(Some(payload));
        mac
    }

    /// What encrypts the address of one event: a key of its own, so that it needs no nonce that another has.
    fn address_key(&self, key: &Key, position: &str, event_id: &str) -> Aes256Gcm {
        let parts = [
            self.incarnation.as_bytes(),
            b"/",
            position.as_bytes(),
            b"/",
            event_id.as_bytes(),
        ];
        Aes256Gcm::new(&digest(&key.addresses, &parts).into())
    }
}

const NO_NONCE: [u8; NONCE_BYTES] = [0; NONCE_BYTES];

/// CloudEvents headers, and what else a projector needs so that it need not ask the book.
pub(crate) fn headers(event: &Recorded<String>, subject: &str, signing: &Signing) -> Result<HeaderMap, BookError> {
    let key = signing.keys.first();
    let key = key.ok_or(BookError::Key("the book has no key of the bus"))?;
    let (position, event_id) = (event.position.to_string(), event.event_id.to_string());
    let mut headers = HeaderMap::new();
    headers.insert("ce-specversion", "1.0");
    headers.insert(SOURCE, format!("/daybook/{}", event.aggregate_type));
    headers.insert(TYPE, event.event_type.as_str());
    headers.insert(SUBJECT, event.stream.to_string());
    headers.insert(TIME, event.recorded_at.to_rfc3339_opts(SecondsFormat::Micros, true));
    headers.insert("ce-datacontenttype", "application/json");
    headers.insert(SEQUENCE, format!("{position:0>SEQUENCE_DIGITS$}"));
    headers.insert(STREAM_SEQUENCE, event.sequence.to_string());
    headers.insert(TENANT, event.tenant_id.to_string());
    headers.insert(VERSION, event.event_version.as_str());
    // What could not be read is not made up: without this header a projector asks the book, and parks the stream.
    if event.metadata.unopened.is_empty() {
        let origin = Metadata {
            ip: None,
            ..event.metadata.clone()
        };
        headers.insert(ORIGIN, serde_json::to_string(&origin)?);
    }
    if let Some(address) = &event.metadata.ip {
        let cipher = signing.address_key(key, &position, &event_id);
        let sealed = cipher.encrypt(Nonce::from_slice(&NO_NONCE), address.as_bytes());
        let sealed = sealed.map_err(|_| BookError::Key("an address could not be encrypted"))?;
        headers.insert(ADDRESS, BASE64.encode(sealed));
    }
    headers.insert(POSITION, position);
    headers.insert(ID, event_id);
    let code = signing.code(key, subject, &headers, event.event.as_bytes());
    let code = BASE64.encode(code.finalize().into_bytes());
    headers.insert(CODE, format!("{}.{code}", key.generation));
    Ok(headers)
}

/// The event that a message carries; `None` when it is not one of ours.
pub(crate) fn received(message: &async_nats::Message, position: i64, signing: &Signing) -> Option<Recorded<String>> {
    let headers = message.headers.as_ref()?;
    let key = signing.key_of(&message.subject, headers, &message.payload)?;
    let header = |name: &str| headers.get(name).map(HeaderValue::as_str);
    // A message that came in beside the relay has moved all that follow: their place says nothing then.
    if header(POSITION)?.parse() != Ok(position) {
        return None;
    }
    let mut metadata: Metadata = serde_json::from_str(header(ORIGIN)?).ok()?;
    if let Some(address) = header(ADDRESS) {
        let cipher = signing.address_key(key, header(POSITION)?, header(ID)?);
        let msg = BASE64.decode(address).ok()?;
        let payload = Payload { msg: &msg, aad: b"" };
        let address = cipher.decrypt(Nonce::from_slice(&NO_NONCE), payload).ok()?;
        metadata.ip = Some(String::from_utf8(address).ok()?);
    }
    let recorded_at = DateTime::parse_from_rfc3339(header(TIME)?).ok()?.to_utc();
    Some(Recorded {
        position,
        event_id: header(ID)?.parse().ok()?,
        tenant_id: header(TENANT)?.parse().ok()?,
        aggregate_type: header(SOURCE)?.strip_prefix("/daybook/")?.to_owned(),
        stream: header(SUBJECT)?.parse().ok()?,
        sequence: header(STREAM_SEQUENCE)?.parse().ok()?,
        event_type: header(TYPE)?.to_owned(),
        event_version: header(VERSION)?.to_owned(),
        at: metadata.occurred_at.unwrap_or(recorded_at),
        recorded_at,
        metadata,
        event: String::from_utf8(message.payload.to_vec()).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;

    const SUBJECT_OF_IT: &str = "daybook.acme.a.b.Happened";

    fn event() -> Recorded<String> {
        let at = DateTime::from_timestamp(1_700_000_000, 123_456_000).unwrap();
        Recorded {
            position: 42,
            event_id: Uuid::from_u128(1),
            tenant_id: Uuid::from_u128(2),
            aggregate_type: "a.b".to_owned(),
            stream: Uuid::from_u128(3),
            sequence: 7,
            event_type: "Happened".to_owned(),
            event_version: "2".to_owned(),
            metadata: Metadata {
                tenant_id: Uuid::from_u128(2),
                reason: Some("so it is".to_owned()),
                ip: Some("192.0.2.7".to_owned()),
                ..Metadata::default()
            },
            at,
            recorded_at: at,
            event: r#"{"to":"Acme"}"#.to_owned(),
        }
    }

    fn secret(generation: i32, until: Option<Instant>) -> Secret {
        Secret {
            generation,
            bytes: [u8::try_from(generation).unwrap(); KEY_BYTES],
            until,
        }
    }

    fn signing() -> Signing {
        Signing::of("this book", &[secret(1, None)])
    }

    fn message(signing: &Signing) -> async_nats::Message {
        let event = event();
        async_nats::Message {
            subject: SUBJECT_OF_IT.into(),
            reply: None,
            headers: Some(headers(&event, SUBJECT_OF_IT, signing).unwrap()),
            length: 0,
            status: None,
            description: None,
            payload: event.event.into_bytes().into(),
        }
    }

    #[test]
    fn an_event_comes_back_from_its_message_whole() {
        let message = message(&signing());
        let headers = message.headers.as_ref().unwrap();
        assert_eq!(headers.get("ce-sequence").unwrap().as_str(), "0000000000000000042");
        assert_eq!(headers.get("ce-streamsequence").unwrap().as_str(), "7");
        assert!(received(&message, 42, &signing()) == Some(event()));
        assert!(received(&message, 43, &signing()).is_none());
    }

    #[test]
    fn nobody_reads_on_the_bus_where_a_command_came_from() {
        let message = message(&signing());
        let told = format!("{:?}", message.headers);
        assert!(
            told.contains("so it is") && !told.contains("192.0.2.7") && !told.contains("\"ip\""),
            "{told}"
        );
    }

    #[test]
    fn a_message_of_which_anything_was_changed_is_none() {
        let signing = signing();
        let is_own = |message: &async_nats::Message| received(message, 42, &signing).is_some();
        let whole = message(&signing);
        assert!(is_own(&whole));
        for name in COVERED {
            for value in [Some("42 and more"), None] {
                let mut changed = whole.clone();
                let mut headers = HeaderMap::new();
                for (other, values) in whole.headers.as_ref().unwrap().iter() {
                    if AsRef::<str>::as_ref(other) != name {
                        headers.insert(other.clone(), values[0].clone());
                    }
                }
                if let Some(value) = value {
                    headers.insert(name, value);
                }
                changed.headers = Some(headers);
                assert!(!is_own(&changed), "{name}: {value:?}");
            }
        }
        let payload = async_nats::Message {
            payload: r#"{"to":"Eve!"}"#.into(),
            ..whole.clone()
        };
        let subject = async_nats::Message {
            subject: "daybook.evil.a.b.Happened".into(),
            ..whole.clone()
        };
        let bare = async_nats::Message {
            headers: None,
            ..whole.clone()
        };
        assert!(!is_own(&payload) && !is_own(&subject) && !is_own(&bare));
        // One of another history of the book, or of another book.
        let elsewhere = Signing::of("that book", &[secret(1, None)]);
        assert!(!is_own(&message(&elsewhere)));
    }

    #[test]
    fn messages_under_a_former_key_are_ours_until_it_is_accepted_no_more() {
        let former = message(&signing());
        let later = |seconds: u64| Some(Instant::now() + Duration::from_secs(seconds));
        let both = Signing::of("this book", &[secret(2, None), secret(1, later(60))]);
        assert!(received(&former, 42, &both).is_some());
        assert!(
            received(&message(&both), 42, &signing()).is_none(),
            "the new key is in use"
        );
        let aged = Signing::of("this book", &[secret(2, None), secret(1, later(0))]);
        assert!(received(&former, 42, &aged).is_none());
        let forged = Signing::of(
            "this book",
            &[Secret {
                bytes: [9; KEY_BYTES],
                ..secret(1, None)
            }],
        );
        assert!(received(&message(&forged), 42, &both).is_none());
    }

    #[test]
    fn an_event_that_could_not_be_read_is_ours_and_is_asked_of_the_book() {
        let mut unread = event();
        unread.metadata.unopened.push("metadata".to_owned());
        let headers = headers(&unread, SUBJECT_OF_IT, &signing()).unwrap();
        assert!(signing().is_own(SUBJECT_OF_IT, &headers, unread.event.as_bytes()));
        let message = async_nats::Message {
            headers: Some(headers),
            ..message(&signing())
        };
        assert!(received(&message, 42, &signing()).is_none());
    }
}
