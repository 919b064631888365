//! How a request is received: once, however often it is sent.

use uuid::Uuid;

use super::identity::Window;
use super::{Command, DeviceRequest, Event, NewRequest, Refusal};
use crate::device_policy::DevicePolicy;
use domain::register::OnePerTenant;
use domain::{Asking, Decider, FactRef, Facts, Request, canonical};

impl DeviceRequest {
    pub(super) fn receive(&self, sent: &NewRequest, request: &Request<'_, Command>) -> Result<Event, Refusal> {
        let keyed = Self::stream_of(request.tenant, request.command);
        if let Some(id) = keyed.filter(|&id| id != request.stream) {
            return Err(Refusal::KeyedElsewhere { id });
        }
        let payload_hash = canonical::hash(sent.payload.value());
        if let Some(before) = self.received() {
            let request_key = sent.request_key.as_deref();
            let body_hash = Self::body_hash(
                &sent.device_id,
                &sent.request_type,
                &payload_hash,
                request_key,
                &sent.metadata,
            );
            return Err(match request_key {
                _ if before.body_hash == body_hash => Refusal::AlreadyReceived,
                Some(_) => Refusal::KeyReused,
                None => Refusal::IdReused,
            });
        }
        if let Some(id) = Repeatable::by_payload(sent).and_then(|sent| sent.repeated(request)) {
            return Err(Refusal::Repeats { id });
        }
        Ok(Event::RequestReceived {
            device_id: sent.device_id.clone(),
            request_type: sent.request_type.clone(),
            payload: sent.payload.clone(),
            payload_hash,
            request_key: sent.request_key.clone(),
            metadata: sent.metadata.clone(),
            received_at: Some(request.at),
        })
    }
}

/// A body that a device sent without a key, so that an equal one may have been received before.
pub(super) struct Repeatable<'a> {
    sent: &'a NewRequest,
    payload_hash: String,
}

impl<'a> Repeatable<'a> {
    pub(super) fn by_payload(sent: &'a NewRequest) -> Option<Self> {
        sent.request_key.is_none().then(|| Self {
            sent,
            payload_hash: canonical::hash(sent.payload.value()),
        })
    }

    /// The policy, and the neighbouring spans when the id is that of the window of now: a request under an id
    /// that its sender chose repeats nothing but itself.
    pub(super) fn reads(&self, asking: &Asking<'_, Command>) -> Vec<FactRef> {
        let mut refs = vec![DevicePolicy::fact(asking.tenant)];
        let window = self.window(asking.tenant, asking.facts);
        if window.stream(asking.at) == asking.stream {
            refs.extend(window.neighbours(asking.at).map(FactRef::of::<DeviceRequest>));
        }
        refs
    }

    /// The request that was received in a neighbouring span, less than a window ago.
    fn repeated(&self, request: &Request<'_, Command>) -> Option<Uuid> {
        let window = self.window(request.tenant, request.facts);
        if window.stream(request.at) != request.stream {
            return None;
        }
        let repeats = |id: &Uuid| {
            let before = request.facts.get::<DeviceRequest>(*id);
            before.is_some_and(|before| window.repeats(before, request.at))
        };
        window.neighbours(request.at).into_iter().find(repeats)
    }

    fn window(&self, tenant: Uuid, facts: &Facts) -> Window<'_> {
        Window {
            tenant,
            device_id: &self.sent.device_id,
            request_type: &self.sent.request_type,
            payload_hash: &self.payload_hash,
            minutes: DevicePolicy::in_force(tenant, facts).dedup_window_minutes,
        }
    }
}
