//! The decisions about a request.

use uuid::Uuid;

use super::progress::Rows;
use super::receive::Repeatable;
use super::{
    AGENT_NAME_CHARS_MAX, Command, DECISION_TYPE_CHARS_MAX, DECISION_VALUE_CHARS_MAX, DeviceRequest, ERROR_CHARS_MAX,
    Event, ORDER, Progress, Received, Refusal, check, lease,
};
use domain::{Asker, Asking, Claim, ClaimChange, Decider, FactRef, Request};

impl Decider for DeviceRequest {
    const TYPE: &'static str = "cloudwatcher.request";
    const CREATES: &'static str = "receive";
    const CLAIMS: &'static [Claim] = &[ORDER];
    const ONLY_DAYBOOK: &'static [&'static str] = &["lapse", "archive"];
    // The hash says what a short payload is to whoever tries all that it could be.
    const MASKED: &'static [(&'static str, &'static str)] = &[
        ("payload", "cloudwatcher.requests.unmasked"),
        ("payload_hash", "cloudwatcher.requests.unmasked"),
    ];
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        match request.command {
            Command::Receive(sent) => {
                check::received(sent)?;
                self.receive(sent, request).map(|event| vec![event])
            }
            Command::Begin {} => self.live()?.begin(request),
            Command::Release {} => self.live()?.release(request),
            Command::TakeOver {} => self.live()?.take_over(request),
            Command::Lapse {} => self.live()?.lapse(request.at),
            Command::Annotate { metadata } => {
                check::metadata(metadata)?;
                self.live()?.annotate(metadata)
            }
            Command::Respond {
                content,
                ai_processed,
                metadata,
            } => {
                check::content(content)?;
                check::metadata(metadata)?;
                self.live()?.respond(request, content, *ai_processed, metadata)
            }
            Command::Fail {
                error,
                ai_processed,
                metadata,
            } => {
                check::required("error", error, ERROR_CHARS_MAX)?;
                check::metadata(metadata)?;
                self.live()?.fail(request, error, *ai_processed, metadata)
            }
            Command::Deliver {} => self.live()?.deliver(request),
            Command::AttachFile {
                file_type,
                cloud_provider,
                cloud_path,
                file_size_bytes,
                uploaded_at,
            } => {
                check::file(cloud_path, *file_size_bytes, *uploaded_at)?;
                let (file_id, response_id) = self.live()?.file(request, *file_type)?;
                Ok(vec![Event::RequestFileAttached {
                    file_id,
                    file_type: *file_type,
                    response_id,
                    cloud_provider: *cloud_provider,
                    cloud_path: cloud_path.clone(),
                    file_size_bytes: *file_size_bytes,
                    uploaded_at: *uploaded_at,
                }])
            }
            Command::MarkFile { file_id, sync_status } => self.live()?.mark(request, *file_id, *sync_status),
            Command::RecordDecision {
                agent_name,
                decision_type,
                decision_value,
                reasoning,
                confidence_score,
            } => {
                check::required("agent_name", agent_name, AGENT_NAME_CHARS_MAX)?;
                check::required("decision_type", decision_type, DECISION_TYPE_CHARS_MAX)?;
                check::required("decision_value", decision_value, DECISION_VALUE_CHARS_MAX)?;
                check::reasoning(reasoning.as_ref())?;
                check::confidence(*confidence_score)?;
                self.live()?.takes_decision()?;
                Ok(vec![Event::AgentDecisionRecorded {
                    decision_id: request.ids.draw(),
                    agent_name: agent_name.clone(),
                    decision_type: decision_type.clone(),
                    decision_value: decision_value.clone(),
                    reasoning: reasoning.clone(),
                    confidence_score: *confidence_score,
                }])
            }
            Command::Archive { archive, sha256 } => {
                check::archive(archive, sha256)?;
                self.archive(request, archive, sha256)
            }
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::RequestReceived {
                device_id,
                request_type,
                payload: _,
                payload_hash,
                request_key,
                metadata,
                received_at,
            } => {
                let received = Received {
                    body_hash: Self::body_hash(device_id, request_type, payload_hash, request_key.as_deref(), metadata),
                    received_at: *received_at,
                };
                *self = Self::Live(received, Progress::pending(metadata));
            }
            Event::RequestArchived { .. } => {
                if let Self::Live(received, _) = self {
                    *self = Self::Archived(received.clone());
                }
            }
            // Whatever else happens to a request happens while it is live; that is folded there.
            _ => {
                if let Self::Live(_, progress) = self {
                    progress.evolve(event);
                }
            }
        }
    }

    fn reads(&self, asking: &Asking<'_, Command>) -> Vec<FactRef> {
        match asking.command {
            Command::Receive(sent) => {
                let sent = Repeatable::by_payload(sent);
                sent.map_or_else(Vec::new, |sent| sent.reads(asking))
            }
            Command::Begin {} | Command::TakeOver {} => vec![lease::policy(asking.tenant)],
            _ => Vec::new(),
        }
    }

    fn stream_of(tenant: Uuid, command: &Command) -> Option<Uuid> {
        let sent = command.received()?;
        let request_key = sent.request_key.as_ref()?;
        Some(Self::keyed(tenant, &sent.device_id, request_key))
    }

    fn body_bytes_max(command: &str) -> usize {
        match command {
            // Payload, content and metadata count as they are kept; on their way they may be twice as long and more.
            "receive" | "respond" => 512 << 10,
            "annotate" => 256 << 10,
            "record-decision" => 128 << 10,
            _ => domain::decider::BODY_BYTES_MAX,
        }
    }

    fn offers(&self, command: &str, _stream: Uuid, asker: &Asker) -> Result<(), Refusal> {
        match (self, command) {
            (Self::Unreceived, "receive") => Ok(()),
            (Self::Live(..) | Self::Archived(_), "receive") => Err(Refusal::AlreadyReceived),
            (_, "archive") => self.archivable().map(drop),
            _ => self.live()?.takes(command, asker),
        }
    }

    /// An archived request keeps the claim of the order that could have answered it: its row is gone, and no
    /// order may refer to it any more.
    fn claims(&self, stream: Uuid, event: &Event) -> Vec<ClaimChange> {
        match event {
            Event::RequestArchived { .. } => vec![ClaimChange::Take {
                claim: ORDER,
                value: stream.to_string(),
            }],
            _ => Vec::new(),
        }
    }
}

impl DeviceRequest {
    fn live(&self) -> Result<&Progress, Refusal> {
        match self {
            Self::Unreceived => Err(Refusal::NotReceived),
            Self::Live(_, progress) => Ok(progress),
            Self::Archived(_) => Err(Refusal::Archived),
        }
    }

    /// The rows that are to go; none when they are gone already.
    fn archivable(&self) -> Result<Option<Rows>, Refusal> {
        if self.is_archived() {
            return Ok(None);
        }
        self.live()?.rows().map(Some)
    }

    fn archive(&self, request: &Request<'_, Command>, archive: &str, sha256: &str) -> Result<Vec<Event>, Refusal> {
        let Some(rows) = self.archivable()? else {
            return Ok(Vec::new());
        };
        Ok(vec![Event::RequestArchived {
            archive: archive.to_owned(),
            sha256: sha256.to_owned(),
            response_id: Self::response_id(request.stream),
            metadata: rows.metadata,
            response_metadata: rows.response_metadata,
            files: rows.files,
        }])
    }
}
