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
use identity::user::User;

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
    /// The lease that runs at that time, of somebody who is still here. Any other holds nobody off, even before it is taken back.
    fn running(&self, request: &Request<'_, Command>) -> Option<Lease> {
        let is_here = |by: Uuid| request.facts.get::<User>(by).is_none_or(User::is_active);
        self.lease.filter(|lease| lease.runs(request.at) && is_here(lease.by))
    }

    /// Whoever has the request to themselves, whether they are still here or not.
    pub(super) fn holder(&self) -> Option<FactRef> {
        self.lease.map(|lease| FactRef::of::<User>(lease.by))
    }

    /// Whether nobody else is on the request, as far as is known without looking whether they are still here.
    pub(super) fn may_be_free_for(&self, by: Uuid, at: DateTime<Utc>) -> Result<(), Refusal> {
        held_off(self.lease.filter(|lease| lease.runs(at)), by)
    }

    /// Whether nobody else is on the request.
    pub(super) fn free_for(&self, request: &Request<'_, Command>) -> Result<(), Refusal> {
        held_off(self.running(request), request.by)
    }

    pub(super) fn begin(&self, request: &Request<'_, Command>) -> Decided {
        self.open()?;
        self.free_for(request)?;
        let until = until(request);
        Ok(match self.running(request) {
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
        match self.running(request).filter(|lease| lease.by != request.by) {
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
        self.free_for(request)?;
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

fn held_off(lease: Option<Lease>, by: Uuid) -> Result<(), Refusal> {
    match lease {
        Some(lease) if lease.by != by => Err(Refusal::Taken {
            by: lease.by,
            until: lease.until,
        }),
        Some(_) | None => Ok(()),
    }
}

fn until(request: &Request<'_, Command>) -> DateTime<Utc> {
    let policy = DevicePolicy::in_force(request.tenant, request.facts);
    moment::after(request.at, policy.lease())
}
