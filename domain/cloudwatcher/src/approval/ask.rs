//! Asking for approval, and the end of what was asked.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::decide::order;
use super::route::{self, Routing, Seat};
use super::split;
use super::{Approval, Asked, Asks, Command, Event, Pending, Refusal, WhyVoid};
use crate::OrderStatus;
use crate::approval_policy::ApprovalPolicy;
use crate::order::Order;
use domain::register::OnePerTenant;
use domain::{Facts, Request, moment};

impl Approval {
    /// The events of asking when an order waits at this revision, which was submitted at that time; none when it was asked
    /// already.
    pub(super) fn ask(
        &self,
        revision: i32,
        submitted_at: DateTime<Utc>,
        request: &Request<'_, Command>,
    ) -> Result<Vec<Event>, Refusal> {
        if self.asked().is_some_and(|asked| asked.revision == revision) {
            return Ok(Vec::new());
        }
        let submitted = order(request)
            .filter(|order| order.status() == Some(OrderStatus::PendingApproval))
            .and_then(Order::submitted)
            .filter(|submitted| submitted.revision == revision)
            .ok_or(Refusal::NotWaiting { revision })?;
        let routing = Routing::of(submitted, request.tenant);
        let asked = Asked {
            revision,
            content_hash: submitted.content_hash.clone(),
            order_total: submitted.total,
            currency: submitted.currency.clone(),
            department_id: submitted.department_id,
            drafted_by: submitted.drafted_by,
            submitted_by: submitted.submitted_by,
            levels: route::levels(&routing, request.facts).unwrap_or(0),
            deadline_hours: ApprovalPolicy::in_force(request.tenant, request.facts).deadline_hours,
            split_with: split::split_with(request.stream, &routing, submitted, request.facts),
            asked_at: Some(submitted_at),
            asks: Asks::default(),
        };
        // Submit saw to it that there is a route; the world may have changed since.
        let next = match route::route(&routing, request.facts) {
            Ok(seats) => match seats.first() {
                Some(seat) => asked.of(*seat, None, request),
                None => Event::ApprovalGranted {
                    revision,
                    content_hash: submitted.content_hash.clone(),
                    approved_by: None,
                },
            },
            Err(no_route) => Event::ApprovalRejected {
                revision,
                ask_id: None,
                level: None,
                by: None,
                on_behalf_of: None,
                notes: no_route.to_string(),
                at: Some(request.at),
            },
        };
        let voided = self.voided(WhyVoid::Resubmitted, Some(submitted.submitted_by), submitted_at);
        Ok(voided.into_iter().chain([asked.event(), next]).collect())
    }

    /// The end of what is pending or granted; of nothing else there is anything to end.
    pub(super) fn voided(&self, why: WhyVoid, by: Option<Uuid>, at: DateTime<Utc>) -> Option<Event> {
        let (asked, decided, open) = match self {
            Self::Pending(Pending { asked, decided, open }) => (asked, decided, open.as_ref()),
            Self::Granted { asked, decided } => (asked, decided, None),
            Self::Unasked | Self::Rejected { .. } | Self::Voided(_) => return None,
        };
        let decided = decided.iter().map(|decided| decided.ask_id);
        Some(Event::ApprovalVoided {
            ask_ids: decided.chain(open.map(|open| open.ask_id)).collect(),
            revision: asked.revision,
            why,
            by,
            at: Some(at),
        })
    }
}

impl Asked {
    pub(super) fn decided_no_more(&self, revision: i32, state: &'static str) -> Refusal {
        if revision == self.revision {
            Refusal::NotPending { state }
        } else {
            self.other_than(revision)
        }
    }

    /// That this is another revision than the one named.
    pub(super) fn other_than(&self, revision: i32) -> Refusal {
        let current = self.revision;
        if revision > current {
            return Refusal::UnknownRevision { current };
        }
        Refusal::StaleRevision {
            current,
            submitted_by: self.submitted_by,
            at: self.asked_at,
        }
    }

    /// What became of what this person was asked, if anything was and it is over.
    pub(super) fn over(&self, reader: Uuid, at: DateTime<Utc>, facts: &Facts) -> Option<Refusal> {
        let tree = route::tree(self.department_id, facts);
        let over = self
            .asks
            .over(reader, (at, &tree, (self.order_total, self.currency.as_str())), facts)?;
        Some(Refusal::Over { over: Box::new(over) })
    }

    fn event(self) -> Event {
        let Self {
            revision,
            content_hash,
            order_total,
            currency,
            department_id,
            drafted_by,
            submitted_by,
            levels,
            deadline_hours,
            split_with,
            asked_at,
            asks: _,
        } = self;
        Event::ApprovalAsked {
            revision,
            content_hash,
            order_total,
            currency,
            department_id,
            drafted_by,
            submitted_by,
            levels,
            deadline_hours,
            split_with,
            at: asked_at,
        }
    }

    /// The asking of one level. The deadline counts from now: who is asked late has as much time as others.
    pub(super) fn of(&self, seat: Seat, escalated_from: Option<Uuid>, request: &Request<'_, Command>) -> Event {
        Event::LevelAsked {
            ask_id: request.ids.draw(),
            level: seat.level,
            department_id: seat.department_id,
            approver_id: seat.approver_id,
            due_at: moment::after(request.at, TimeDelta::hours(self.deadline_hours.into())),
            escalated_from,
            revision: self.revision,
            order_total: self.order_total,
            currency: self.currency.clone(),
            split_with: self.split_with.clone(),
            is_top: seat.is_top,
        }
    }
}
