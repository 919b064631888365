//! The decisions about an approval, and the state that events lead to.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::route::{self, NoRoute, Seat, Wanted};
use super::split;
use super::{
    Approval, Asked, Became, Command, DecidedLevel, End, Event, NOTES_CHARS_MAX, OpenLevel, Over, Pending, Refusal,
    WhyVoid,
};
use crate::OrderStatus;
use crate::order::Order;
use domain::text;
use domain::{Asker, Asking, Decider, FactRef, Request};

impl Decider for Approval {
    const TYPE: &'static str = "cloudwatcher.approval";
    const CREATES: &'static str = "ask";
    const BORROWS_ID: bool = true;
    const SCOPED: bool = true;
    /// Asked before the orders beside it are noted, it would not see that one was split.
    const ONLY_DAYBOOK: &'static [&'static str] = &["ask", "escalate", "void"];
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        match (self, request.command) {
            (_, Command::Ask { revision, submitted_at }) => {
                self.ask(*revision, done_at(*submitted_at, request), request)
            }
            (Self::Unasked, _) => Err(Refusal::NotAsked),

            (Self::Pending(pending), Command::Approve { revision, notes }) => {
                pending.approve(*revision, notes.as_ref(), request)
            }
            (Self::Pending(pending), Command::Reject { revision, notes }) => pending.reject(*revision, notes, request),
            (Self::Pending(pending), Command::Escalate { ask_id }) => pending.escalate(*ask_id, request),
            (Self::Pending(pending), Command::Reassign {}) => pending.reassign(request),
            (Self::Pending(pending), Command::Void { .. }) if waits(order(request), &pending.asked) => {
                Err(Refusal::StillNeeded)
            }
            (Self::Granted { asked, .. }, Command::Void { .. }) if rests(order(request), asked) => {
                Err(Refusal::StillNeeded)
            }
            (Self::Pending(_) | Self::Granted { .. }, Command::Void { by, cancelled_at }) => {
                let is_cancelled = order(request).and_then(Order::status) == Some(OrderStatus::Cancelled);
                let (why, by, at) = if is_cancelled {
                    (WhyVoid::OrderCancelled, *by, done_at(*cancelled_at, request))
                } else {
                    (WhyVoid::OrderMovedOn, None, request.at)
                };
                Ok(self.voided(why, by, at).into_iter().collect())
            }

            (
                Self::Granted { asked, .. } | Self::Rejected { asked, .. } | Self::Voided(asked),
                Command::Approve { revision, .. } | Command::Reject { revision, .. },
            ) => Err(self.too_late(asked, *revision, request)),
            (Self::Granted { .. } | Self::Rejected { .. } | Self::Voided(_), Command::Reassign {}) => {
                Err(Refusal::NotPending { state: self.word() })
            }
            // A timer may fire after the decision, and a policy may void what is over.
            (Self::Granted { .. } | Self::Rejected { .. } | Self::Voided(_), Command::Escalate { .. })
            | (Self::Rejected { .. } | Self::Voided(_), Command::Void { .. }) => Ok(Vec::new()),
        }
    }

    fn evolve(&mut self, event: &Event) {
        self.follow(event);
    }

    fn reads(&self, asking: &Asking<'_, Command>) -> Vec<FactRef> {
        let Asking { tenant, facts, .. } = *asking;
        let mut refs = vec![FactRef::of::<Order>(asking.stream)];
        match asking.command {
            Command::Ask { .. } => {
                if let Some(submitted) = facts.get::<Order>(asking.stream).and_then(Order::submitted) {
                    refs.extend(route::route_reads(tenant, submitted.department_id, facts));
                    refs.extend(split::reads(asking.stream, submitted, facts));
                }
            }
            // Who is asked now is among those who were asked last.
            Command::Approve { .. } | Command::Reject { .. } => {
                if let Some(asked) = self.asked() {
                    refs.extend(route::route_reads(tenant, asked.department_id, facts));
                    refs.extend(route::approver_reads(asking.by, facts));
                    refs.extend(asked.asks.reads());
                }
            }
            Command::Escalate { .. } | Command::Reassign {} => {
                if let Self::Pending(pending) = self {
                    refs.extend(route::route_reads(tenant, pending.asked.department_id, facts));
                }
            }
            _ => {}
        }
        refs
    }

    fn home(&self) -> Option<Uuid> {
        self.department_id()
    }

    fn offers(&self, command: &str, _stream: Uuid, asker: &Asker) -> Result<(), Refusal> {
        match (self, command) {
            (Self::Unasked, "ask") => Ok(()),
            (Self::Unasked, _) => Err(Refusal::NotAsked),
            (Self::Pending(pending), "approve" | "reject") => pending.open().and_then(|_| pending.apart(asker.by)),
            (Self::Pending(pending), "reassign") => pending.open().map(drop),
            // Whose delegate the asker is does not stand in the state; refused it is anyway.
            (Self::Granted { .. } | Self::Rejected { .. } | Self::Voided(_), "approve" | "reject")
                if !self.concerns(asker.by) =>
            {
                Err(Refusal::NotConcerned)
            }
            (_, "approve" | "reject" | "reassign") => Err(Refusal::NotPending { state: self.word() }),
            _ => Ok(()),
        }
    }

    fn probe(&self, command: &str) -> Option<Command> {
        let revision = self.asked()?.revision;
        match command {
            "approve" => Some(Command::Approve { revision, notes: None }),
            "reject" => Some(Command::Reject {
                revision,
                notes: "because".to_owned(),
            }),
            _ => None,
        }
    }

    fn department(&self, command: &Command) -> Option<Uuid> {
        match command {
            // Managers and delegates need not be members of the department; who may decide is judged
            // more strictly than by membership.
            Command::Approve { .. } | Command::Reject { .. } => None,
            _ => self.home(),
        }
    }
}

impl Approval {
    /// Why somebody decides no more. What was decided is no business of those who had no part in it.
    fn too_late(&self, asked: &Asked, revision: i32, request: &Request<'_, Command>) -> Refusal {
        match asked.over(request.by, request.at, request.facts) {
            Some(over) => over,
            None if !self.concerns(request.by) => Refusal::NotConcerned,
            None => asked.decided_no_more(revision, self.word()),
        }
    }

    /// The state, in a word.
    fn word(&self) -> &'static str {
        match self {
            Self::Unasked => "not asked",
            Self::Pending(_) => "pending",
            Self::Granted { .. } => "granted",
            Self::Rejected { .. } => "rejected",
            Self::Voided(_) => "void",
        }
    }
}

impl Pending {
    fn open(&self) -> Result<&OpenLevel, Refusal> {
        self.open.as_ref().ok_or(Refusal::OrderMovedOn)
    }

    fn approve(
        &self,
        revision: i32,
        notes: Option<&String>,
        request: &Request<'_, Command>,
    ) -> Result<Vec<Event>, Refusal> {
        let (open, on_behalf_of) = self.decided_by(revision, request)?;
        text::optional(notes, NOTES_CHARS_MAX).map_err(|unfit| Refusal::Unfit { unfit })?;
        let approved = Event::LevelApproved {
            ask_id: open.ask_id,
            level: open.level,
            by: request.by,
            on_behalf_of,
            notes: notes.cloned(),
            at: Some(request.at),
        };
        let next = if open.level < self.asked.levels {
            let tree = route::tree(self.asked.department_id, request.facts);
            let mut excluded = self.excluded();
            excluded.extend([request.by, open.approver_id]);
            let wanted = Wanted {
                levels: (open.level + 1, self.asked.levels),
                from: place_above(open.department_id, open.level, &tree),
                excluded: &excluded,
                top: &route::top_deciders(request.tenant, request.facts),
            };
            if on_behalf_of.is_some() {
                // A delegate who is wanted at a level above would be used up here, and nobody left there.
                wanted.seats(&tree, request.facts)?;
            }
            self.asked.of(wanted.first(&tree, request.facts)?, None, request)
        } else {
            Event::ApprovalGranted {
                revision,
                content_hash: self.asked.content_hash.clone(),
                approved_by: Some(request.by),
            }
        };
        Ok(vec![approved, next])
    }

    fn reject(&self, revision: i32, notes: &str, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        let (open, on_behalf_of) = self.decided_by(revision, request)?;
        text::required(notes, NOTES_CHARS_MAX).map_err(|unfit| Refusal::Unfit { unfit })?;
        Ok(vec![Event::ApprovalRejected {
            revision,
            ask_id: Some(open.ask_id),
            level: Some(open.level),
            by: Some(request.by),
            on_behalf_of,
            notes: notes.to_owned(),
            at: Some(request.at),
        }])
    }

    /// The level that the asker decides, and in whose place.
    fn decided_by(&self, revision: i32, request: &Request<'_, Command>) -> Result<(&OpenLevel, Option<Uuid>), Refusal> {
        let open = self.open()?;
        // First, so that a person who may not decide learns nothing else of the order.
        let on_behalf_of = self.entitled(open, request)?;
        if revision != self.asked.revision {
            return Err(self.asked.other_than(revision));
        }
        match order(request) {
            order if waits(order, &self.asked) => Ok((open, on_behalf_of)),
            order => Err(self.moved_on(open, order, request.by)),
        }
    }

    /// What became of the order, before its approval heard of it.
    fn moved_on(&self, open: &OpenLevel, order: Option<&Order>, reader: Uuid) -> Refusal {
        let latest = order.and_then(Order::submitted);
        let became = if order.and_then(Order::status) == Some(OrderStatus::Cancelled) {
            Became::of(End::OrderCancelled, None, None)
        } else if let Some(latest) = latest.filter(|latest| latest.revision > self.asked.revision) {
            Became::of(End::Resubmitted, Some(latest.submitted_by), None)
        } else {
            return Refusal::OrderMovedOn;
        };
        let over = Over {
            revision: self.asked.revision,
            level: open.level,
            approver_id: open.approver_id,
            became,
            reader,
        };
        Refusal::Over { over: Box::new(over) }
    }

    fn escalate(&self, ask_id: Uuid, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        let Some(open) = self.open.as_ref().filter(|open| open.ask_id == ask_id) else {
            return Ok(Vec::new());
        };
        if request.at < open.due_at {
            return Err(Refusal::NotDue { due_at: open.due_at });
        }
        if open.overdue || !waits(order(request), &self.asked) {
            return Ok(Vec::new());
        }
        let overdue = Event::ApprovalOverdue {
            ask_id,
            level: open.level,
            approver_id: open.approver_id,
        };
        if open.escalated_from.is_some() {
            return Ok(vec![overdue]);
        }
        let tree = route::tree(self.asked.department_id, request.facts);
        let mut excluded = self.excluded();
        excluded.push(open.approver_id);
        let from = place_above(open.department_id, open.level, &tree);
        Ok(match self.rest(open, from, &excluded, &tree, request) {
            Ok(seat) => vec![
                Event::LevelEscalated {
                    ask_id,
                    level: open.level,
                    from: open.approver_id,
                    to: seat.approver_id,
                    at: Some(request.at),
                },
                self.asked.of(seat, Some(open.approver_id), request),
            ],
            Err(_) => vec![overdue],
        })
    }

    fn reassign(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        let open = self.open()?;
        if !waits(order(request), &self.asked) {
            return Err(Refusal::OrderMovedOn);
        }
        let tree = route::tree(self.asked.department_id, request.facts);
        if open.holds(&tree, request.tenant, request.facts) {
            return Err(Refusal::StillEntitled {
                approver_id: open.approver_id,
            });
        }
        let mut excluded = self.excluded();
        excluded.extend(open.escalated_from);
        // From where this level began: a new manager of a department that was passed over gets their
        // turn, unless the level was escalated past it.
        let from = match (open.escalated_from, self.decided.last()) {
            (Some(_), _) => place_above(open.department_id, open.level, &tree).saturating_sub(1),
            (None, Some(below)) => place_above(below.department_id, below.level, &tree),
            (None, None) => 0,
        };
        let seat = self.rest(open, from, &excluded, &tree, request)?;
        Ok(vec![
            Event::LevelReassigned {
                ask_id: open.ask_id,
                level: open.level,
                from: open.approver_id,
                to: seat.approver_id,
                by: Some(request.by),
                at: Some(request.at),
            },
            self.asked.of(seat, open.escalated_from, request),
        ])
    }

    /// The seat for the open level that leaves somebody for every level above it.
    fn rest(
        &self,
        open: &OpenLevel,
        from: usize,
        excluded: &[Uuid],
        tree: &[Uuid],
        request: &Request<'_, Command>,
    ) -> Result<Seat, NoRoute> {
        let facts = request.facts;
        let wanted = Wanted {
            levels: (open.level, self.asked.levels),
            from,
            excluded,
            top: &route::top_deciders(request.tenant, facts),
        };
        wanted.seats(tree, facts)?;
        wanted.first(tree, facts)
    }

    /// Who is not asked any more: who ordered, and who had to do with the levels below.
    fn excluded(&self) -> Vec<Uuid> {
        let decided = self.decided.iter().flat_map(DecidedLevel::people);
        self.involved().into_iter().chain(decided).collect()
    }
}

/// The place in the tree just above a level's department; the level's own when that department is no
/// longer in the tree.
fn place_above(department_id: Uuid, level: i32, tree: &[Uuid]) -> usize {
    let place = tree.iter().position(|&id| id == department_id);
    place.map_or_else(|| usize::try_from(level).unwrap_or(0), |place| place + 1)
}

/// The time of what a command of Daybook's own follows from, as it says it: the command comes later, by minutes when much
/// is to be done.
fn done_at(said: Option<DateTime<Utc>>, request: &Request<'_, Command>) -> DateTime<Utc> {
    said.map_or(request.at, |said| said.min(request.at))
}

/// The order that the approval is of.
pub(super) fn order<'a>(request: &Request<'a, Command>) -> Option<&'a Order> {
    request.facts.get::<Order>(request.stream)
}

fn is_of(order: &Order, asked: &Asked) -> bool {
    order
        .submitted()
        .is_some_and(|submitted| submitted.revision == asked.revision && submitted.content_hash == asked.content_hash)
}

/// Whether the order waits for approval of exactly what was asked.
fn waits(order: Option<&Order>, asked: &Asked) -> bool {
    order.is_some_and(|order| order.status() == Some(OrderStatus::PendingApproval) && is_of(order, asked))
}

/// Whether the order waits for this approval or was approved by it.
fn rests(order: Option<&Order>, asked: &Asked) -> bool {
    order.is_some_and(|order| {
        is_of(order, asked)
            && match order.status() {
                None | Some(OrderStatus::Draft | OrderStatus::Cancelled) => false,
                Some(
                    OrderStatus::PendingApproval
                    | OrderStatus::Approved
                    | OrderStatus::Ordered
                    | OrderStatus::PartiallyReceived
                    | OrderStatus::Received
                    | OrderStatus::ClosedShort,
                ) => true,
            }
    })
}
