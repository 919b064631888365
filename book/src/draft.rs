//! What a command is about to append, gathered from its steps.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use domain::{Claim, Erase, Metadata, Standing, event};
use serde_json::Value;
use uuid::Uuid;

use crate::append::{Append, EVENT_BYTES_MAX, NewEvent, NewKey, Seen};
use crate::cache::Loaded;
use crate::execute::{Envelope, StreamAnswer};
use crate::step::Decided;
use crate::vault::{PERSONAL_SECONDS_MAX, earlier};
use crate::{BookError, Step, Vault, claims, texts};

/// Whether fields that tell who a person is are sealed, and texts.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sealing<'a> {
    /// Under the person's key, which is made where there is none, and each text under a new one.
    Under(&'a Vault),
    /// They stay in plain, the fields named as those that would be sealed: the draft is never appended.
    Never(&'a Vault),
}

/// What the steps of one command have decided so far.
#[derive(Default)]
pub(crate) struct Draft {
    seen: Vec<Seen>,
    events: Vec<NewEvent>,
    claims: claims::Claims,
    clash: Option<claims::Clash>,
    /// The command's reason as its events bear it, once there is one.
    reason: Option<String>,
    keys: Vec<NewKey>,
    erased: Vec<Erase>,
    standing: Option<Standing>,
    streams: Vec<StreamAnswer>,
    after: Vec<(&'static str, Uuid, Loaded)>,
}

impl Draft {
    /// The state that an earlier step left a stream in.
    pub fn latest(&self, aggregate_type: &str, stream: Uuid) -> Option<Loaded> {
        let is_it = |after: &&(&'static str, Uuid, Loaded)| after.0 == aggregate_type && after.1 == stream;
        self.after.iter().rev().find(is_it).map(|(_, _, loaded)| loaded.clone())
    }

    /// The value that two of the command's streams want at once.
    pub fn clash(&self) -> Option<Claim> {
        self.clash.map(|clash| clash.claim)
    }

    pub fn read(&mut self, aggregate_type: &'static str, stream: Uuid, sequence: i64) {
        if !self
            .seen
            .iter()
            .any(|seen| seen.aggregate_type == aggregate_type && seen.stream == stream)
        {
            self.seen.push(Seen {
                aggregate_type,
                stream,
                sequence,
                writes: false,
            });
        }
    }

    pub async fn add(
        &mut self,
        sealing: Sealing<'_>,
        envelope: &Envelope,
        step: &Step,
        before: Loaded,
        decided: Decided,
    ) -> Result<(), BookError> {
        let (aggregate_type, stream) = (step.aggregate_type(), step.stream);
        if let Sealing::Under(vault) = sealing {
            vault.ready().await?;
        }
        self.write(aggregate_type, stream, before.sequence);
        let known = (before.sequence > 0).then_some(stream);
        let (mut sequence, mut payload_bytes, mut until) = (before.sequence, before.bytes, before.until);
        let mut names = Vec::with_capacity(decided.events.len());
        let mut ids = BTreeMap::new();
        for event in decided.events {
            sequence += 1;
            let event_id = event::event_id(aggregate_type, stream, sequence);
            self.seal_reason(sealing, envelope, event_id)?;
            let (payload, sealed) = match sealing {
                Sealing::Never(_) => {
                    let named = event.sealed.iter().chain(&event.sealed_apart);
                    let named = named.map(|&(field, person)| (field.to_owned(), person));
                    (event.payload, named.collect())
                }
                Sealing::Under(_)
                    if event.sealed.is_empty() && event.sealed_apart.is_empty() && event.texts.is_empty() =>
                {
                    (event.payload, BTreeMap::new())
                }
                Sealing::Under(vault) => {
                    let mut payload: Value = serde_json::from_str(&event.payload)?;
                    let sealing = vault.seal(envelope.tenant, event_id, known, &mut payload, &event.sealed);
                    let (mut sealed, sealed_until) = sealing.await?;
                    until = earlier(until, sealed_until);
                    let mut keys = texts::seal_fields(vault, event_id, envelope.actor, &mut payload, &event.texts)?;
                    let apart = texts::seal_apart(vault, event_id, &mut payload, &event.sealed_apart)?;
                    sealed.extend(apart.iter().map(|key| (key.field.clone(), key.subject)));
                    keys.extend(apart);
                    if !keys.is_empty() {
                        until = earlier(until, Some(Instant::now() + Duration::from_secs(PERSONAL_SECONDS_MAX)));
                    }
                    self.keys.extend(keys);
                    (payload.to_string(), sealed)
                }
            };
            let metadata = metadata(envelope, self.reason.clone(), sealed)?;
            let bytes = payload.len() + metadata.len();
            if bytes > EVENT_BYTES_MAX {
                return Err(BookError::EventTooLarge { bytes });
            }
            if event.carries_forward {
                payload_bytes = 0;
            }
            payload_bytes += payload.len();
            names.push(event.event_type.clone());
            ids.extend(event.part.map(|(field, id)| (field.to_owned(), id)));
            self.events.push(NewEvent {
                aggregate_type,
                stream,
                sequence,
                event_id,
                event_type: event.event_type,
                event_version: event.event_version,
                payload,
                metadata,
            });
        }
        let (Sealing::Under(vault) | Sealing::Never(vault)) = sealing;
        if !decided.claims.is_empty() {
            let key = vault.claim_key().await?;
            let added = self
                .claims
                .add(&key, envelope.tenant, aggregate_type, stream, decided.claims);
            self.clash = self.clash.or(added.err());
        }
        self.erased.extend(decided.erased);
        self.standing = decided.standing.or(self.standing);
        self.streams.push(StreamAnswer {
            aggregate_type: aggregate_type.to_owned(),
            stream,
            sequence,
            events: names,
            ids,
        });
        let loaded = Loaded {
            state: decided.after,
            sequence,
            tenant: before.tenant.or(Some(envelope.tenant)),
            bytes: payload_bytes,
            until,
        };
        self.after.push((aggregate_type, stream, loaded));
        Ok(())
    }

    /// Seals the command's reason for its first event, and for those that follow: one text, however many bear it.
    fn seal_reason(&mut self, sealing: Sealing<'_>, envelope: &Envelope, event_id: Uuid) -> Result<(), BookError> {
        let Some(reason) = envelope.reason.as_deref().filter(|_| self.reason.is_none()) else {
            return Ok(());
        };
        self.reason = Some(match sealing {
            Sealing::Never(_) => reason.to_owned(),
            Sealing::Under(vault) => {
                // Not of the command's id, under which another command may be sent once its receipt is gone.
                let id = event::text_id(event_id, event::REASON);
                let (sealed, key) = texts::seal(vault, id, envelope.actor, event::REASON, reason)?;
                self.keys.push(key);
                sealed
            }
        });
        Ok(())
    }

    /// Notes a stream as written; it may have been read as a fact by an earlier step.
    fn write(&mut self, aggregate_type: &'static str, stream: Uuid, sequence: i64) {
        match self
            .seen
            .iter_mut()
            .find(|seen| seen.aggregate_type == aggregate_type && seen.stream == stream)
        {
            Some(seen) => seen.writes = true,
            None => self.seen.push(Seen {
                aggregate_type,
                stream,
                sequence,
                writes: true,
            }),
        }
    }

    #[expect(
        clippy::type_complexity,
        reason = "the three parts go three ways at once, to the only caller"
    )]
    pub fn finish(
        self,
        envelope: &Envelope,
    ) -> Result<(Vec<StreamAnswer>, Vec<(&'static str, Uuid, Loaded)>, Append), BookError> {
        let append = Append {
            command_id: envelope.command_id,
            tenant: envelope.tenant,
            body_hash: envelope.body_hash,
            answer: serde_json::to_string(&self.streams)?,
            seen: self.seen,
            events: self.events,
            claims: self.claims.net(),
            keys: self.keys,
            erased: self.erased,
            standing: self.standing,
        };
        Ok((self.streams, self.after, append))
    }
}

/// The metadata of an event, as JSON text.
fn metadata(envelope: &Envelope, reason: Option<String>, sealed: BTreeMap<String, Uuid>) -> Result<String, BookError> {
    Ok(serde_json::to_string(&Metadata {
        tenant_id: envelope.tenant,
        actor: envelope.actor,
        correlation_id: envelope.correlation_id,
        causation_id: envelope.causation_id,
        command_id: envelope.command_id,
        reason,
        ip: envelope.ip.clone(),
        traceparent: envelope.traceparent.clone(),
        occurred_at: envelope.occurred_at,
        sealed,
        unopened: Vec::new(),
    })?)
}
