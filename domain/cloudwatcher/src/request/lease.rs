//! Who is on a request: one person at a time, for as long as their lease runs. What a crash leaves behind is over when
//! the lease is, so that no request waits for somebody who will not come back.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::progress::Decided;
use super::{Command, DeviceRequest, Event, Progress, Refusal};
use crate::RequestStatus;
use crate::device_policy::DevicePolicy;
use domain::register::OnePerTenant;
use domain::{FactRef, Request, moment};

/// Somebody who is on a request, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    pub by: Uuid,
    pub until: DateTime<Utc>,
}

impl Lease {
    fn runs(self, at: DateTime<Utc>) -> bool {
        at < self.until
    }
}

/// The tenant's policy, which says how long a lease is.
pub(super) fn policy(tenant: Uuid) -> FactRef {
    DevicePolicy::fact(tenant)
}

impl Progress {
    /// The lease that runs at that time. One that has run out holds nobody off, even before it is taken back.
    fn running(&self, at: DateTime<Utc>) -> Option<Lease> {
        self.lease.filter(|lease| lease.runs(at))
    }

    /// Whether nobody else is on the request.
    pub(super) fn free_for(&self, by: Uuid, at: DateTime<Utc>) -> Result<(), Refusal> {
        match self.running(at) {
            Some(lease) if lease.by != by => Err(Refusal::Taken {
                by: lease.by,
                until: lease.until,
            }),
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn begin(&self, request: &Request<'_, Command>) -> Decided {
        self.open()?;
        self.free_for(request.by, request.at)?;
        let until = until(request);
        Ok(match self.running(request.at) {
            Some(lease) if lease.until >= until => Vec::new(),
            Some(lease) => vec![Event::RequestProlonged { by: lease.by, until }],
            None => vec![Event::RequestBegun {
                response_id: DeviceRequest::response_id(request.stream),
                by: Some(request.by),
                until: Some(until),
            }],
        })
    }

    pub(super) fn take_over(&self, request: &Request<'_, Command>) -> Decided {
        self.open()?;
        match self.running(request.at).filter(|lease| lease.by != request.by) {
            Some(lease) => Ok(vec![Event::RequestTakenOver {
                by: request.by,
                from: lease.by,
                until: until(request),
            }]),
            None => self.begin(request),
        }
    }

    /// What nobody is known to be on, since it was begun before there were leases, can be given back by anybody.
    pub(super) fn release(&self, request: &Request<'_, Command>) -> Decided {
        self.open()?;
        self.free_for(request.by, request.at)?;
        Ok(match self.status {
            RequestStatus::Processing => vec![Event::RequestReleased {
                from: self.lease.map(|lease| lease.by),
            }],
            RequestStatus::Pending | RequestStatus::Completed | RequestStatus::Failed => Vec::new(),
        })
    }

    pub(super) fn lapse(&self, at: DateTime<Utc>) -> Decided {
        match self.lease {
            None => Ok(Vec::new()),
            Some(lease) if lease.runs(at) => Err(Refusal::NotYet { until: lease.until }),
            Some(lease) => Ok(vec![Event::RequestLapsed { from: lease.by }]),
        }
    }
}

fn until(request: &Request<'_, Command>) -> DateTime<Utc> {
    let policy = DevicePolicy::in_force(request.tenant, request.facts);
    moment::after(request.at, policy.lease())
}
