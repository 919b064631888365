//! The life of a request between its receipt and its archive.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use uuid::Uuid;

use super::{
    Command, DECISIONS_MAX, DeviceRequest, Event, FILES_MAX, File, Lease, METADATA_KEYS_MAX, Metadata, Progress,
    Refusal, Response,
};
use crate::{FileType, RequestStatus, ResponseStatus, SyncStatus};
use domain::exact::Free;
use domain::{Asker, Request};

/// The names of the rows that an archived request leaves behind.
pub(super) struct Rows {
    pub(super) metadata: BTreeSet<String>,
    pub(super) response_metadata: BTreeSet<String>,
    pub(super) files: BTreeSet<Uuid>,
}

pub(super) type Decided = Result<Vec<Event>, Refusal>;

impl Progress {
    pub(super) fn pending(metadata: &Metadata) -> Self {
        Self {
            status: RequestStatus::Pending,
            lease: None,
            metadata: metadata.clone(),
            response: None,
            files: BTreeMap::new(),
            decisions: 0,
        }
    }

    /// Whether a command of this name may be accepted while the request is live.
    pub(super) fn takes(&self, command: &str, asker: &Asker) -> Result<(), Refusal> {
        match command {
            "begin" | "release" | "respond" | "fail" => {
                self.open()?;
                self.free_for(asker.by, asker.at)
            }
            "take-over" => self.open(),
            "deliver" => self.to_deliver().map(drop),
            "attach-file" => self.takes_file(),
            "mark-file" if self.files.is_empty() => Err(Refusal::NoSuchFile),
            "record-decision" => self.takes_decision(),
            _ => Ok(()),
        }
    }

    pub(super) fn annotate(&self, metadata: &Metadata) -> Decided {
        let new = |(key, value): &(&String, &String)| self.metadata.get(*key) != Some(*value);
        let new = metadata.iter().filter(new);
        let new: Metadata = new.map(|(key, value)| (key.clone(), value.clone())).collect();
        let added = new.keys().filter(|key| !self.metadata.contains_key(*key)).count();
        if self.metadata.len() + added > METADATA_KEYS_MAX {
            return Err(Refusal::TooMuchMetadata);
        }
        Ok(if new.is_empty() {
            Vec::new()
        } else {
            vec![Event::RequestAnnotated { metadata: new }]
        })
    }

    pub(super) fn respond(
        &self,
        request: &Request<'_, Command>,
        content: &Free,
        ai_processed: bool,
        metadata: &Metadata,
    ) -> Decided {
        self.open()?;
        self.free_for(request.by, request.at)?;
        Ok(vec![Event::RequestCompleted {
            response_id: DeviceRequest::response_id(request.stream),
            content: content.clone(),
            ai_processed,
            metadata: metadata.clone(),
        }])
    }

    pub(super) fn fail(
        &self,
        request: &Request<'_, Command>,
        error: &str,
        ai_processed: bool,
        metadata: &Metadata,
    ) -> Decided {
        self.open()?;
        self.free_for(request.by, request.at)?;
        Ok(vec![Event::RequestFailed {
            response_id: DeviceRequest::response_id(request.stream),
            content: json!({"error": error}).into(),
            ai_processed,
            metadata: metadata.clone(),
        }])
    }

    /// Whether its response is still to be delivered; an error when there is none that could be.
    fn to_deliver(&self) -> Result<bool, Refusal> {
        match self.response.as_ref().map(|response| response.status) {
            Some(ResponseStatus::Ready) => Ok(true),
            Some(ResponseStatus::Delivered) => Ok(false),
            None | Some(ResponseStatus::Processing | ResponseStatus::Failed) => Err(Refusal::NotReady),
        }
    }

    pub(super) fn deliver(&self, request: &Request<'_, Command>) -> Decided {
        let delivered = self.to_deliver()?.then(|| Event::ResponseDelivered {
            response_id: DeviceRequest::response_id(request.stream),
            delivered_at: request.at,
        });
        Ok(delivered.into_iter().collect())
    }

    fn takes_file(&self) -> Result<(), Refusal> {
        if self.files.len() < FILES_MAX {
            Ok(())
        } else {
            Err(Refusal::TooManyFiles)
        }
    }

    /// The ids of one more file, and of the response if it belongs to that.
    pub(super) fn file(
        &self,
        request: &Request<'_, Command>,
        file_type: FileType,
    ) -> Result<(Uuid, Option<Uuid>), Refusal> {
        self.takes_file()?;
        let response_id = match file_type {
            FileType::Request => None,
            FileType::Response if self.response.is_none() => return Err(Refusal::NoResponse),
            FileType::Response => Some(DeviceRequest::response_id(request.stream)),
        };
        Ok((request.ids.draw(), response_id))
    }

    pub(super) fn mark(&self, request: &Request<'_, Command>, file_id: Uuid, sync_status: SyncStatus) -> Decided {
        let file = self.files.get(&file_id).ok_or(Refusal::NoSuchFile)?;
        if file.sync_status == sync_status {
            return Ok(Vec::new());
        }
        let uploaded_now = (sync_status == SyncStatus::Synced).then_some(request.at);
        Ok(vec![Event::RequestFileMarked {
            file_id,
            sync_status,
            uploaded_at: file.uploaded_at.or(uploaded_now),
        }])
    }

    pub(super) fn takes_decision(&self) -> Result<(), Refusal> {
        if self.decisions < DECISIONS_MAX {
            Ok(())
        } else {
            Err(Refusal::TooManyDecisions)
        }
    }

    /// The rows that are to go, if the request may be archived.
    pub(super) fn rows(&self) -> Result<Rows, Refusal> {
        let Some(response) = self.response.as_ref().filter(|_| self.is_closed()) else {
            return Err(Refusal::NotClosed { status: self.status });
        };
        if self.decisions > 0 {
            return Err(Refusal::Referred);
        }
        Ok(Rows {
            metadata: self.metadata.keys().cloned().collect(),
            response_metadata: response.metadata.clone(),
            files: self.files.keys().copied().collect(),
        })
    }

    fn is_closed(&self) -> bool {
        match self.status {
            RequestStatus::Completed | RequestStatus::Failed => true,
            RequestStatus::Pending | RequestStatus::Processing => false,
        }
    }

    /// Whether a response is still to come.
    pub(super) fn open(&self) -> Result<(), Refusal> {
        if self.is_closed() {
            Err(Refusal::Closed { status: self.status })
        } else {
            Ok(())
        }
    }

    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            // What brings a request there and takes it away is folded by the request.
            Event::RequestReceived { .. } | Event::RequestArchived { .. } => {}
            Event::RequestBegun { by, until, .. } => {
                self.lease = by.zip(*until).map(|(by, until)| Lease { by, until });
                self.responded(
                    RequestStatus::Processing,
                    ResponseStatus::Processing,
                    &Metadata::default(),
                );
            }
            Event::RequestProlonged { by, until } | Event::RequestTakenOver { by, until, .. } => {
                self.lease = Some(Lease { by: *by, until: *until });
            }
            Event::RequestReleased { .. } | Event::RequestLapsed { .. } => {
                self.status = RequestStatus::Pending;
                self.lease = None;
            }
            Event::RequestAnnotated { metadata } => self.metadata.extend(metadata.clone()),
            Event::RequestCompleted { metadata, .. } => {
                self.lease = None;
                self.responded(RequestStatus::Completed, ResponseStatus::Ready, metadata);
            }
            Event::RequestFailed { metadata, .. } => {
                self.lease = None;
                self.responded(RequestStatus::Failed, ResponseStatus::Failed, metadata);
            }
            Event::ResponseDelivered { .. } => {
                if let Some(response) = &mut self.response {
                    response.status = ResponseStatus::Delivered;
                }
            }
            Event::RequestFileAttached {
                file_id, uploaded_at, ..
            } => {
                let sync_status = SyncStatus::Pending;
                let uploaded_at = *uploaded_at;
                self.files.insert(
                    *file_id,
                    File {
                        sync_status,
                        uploaded_at,
                    },
                );
            }
            Event::RequestFileMarked {
                file_id,
                sync_status,
                uploaded_at,
            } => {
                let (sync_status, uploaded_at) = (*sync_status, *uploaded_at);
                self.files.insert(
                    *file_id,
                    File {
                        sync_status,
                        uploaded_at,
                    },
                );
            }
            Event::AgentDecisionRecorded { .. } => self.decisions += 1,
        }
    }

    fn responded(&mut self, status: RequestStatus, response: ResponseStatus, metadata: &Metadata) {
        self.status = status;
        self.response = Some(Response {
            status: response,
            metadata: metadata.keys().cloned().collect(),
        });
    }
}
