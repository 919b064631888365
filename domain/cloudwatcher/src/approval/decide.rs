//! The decisions about an approval, and the state that events lead to.

use uuid::Uuid;

use super::route::{self, NoRoute, Seat, Wanted};
use super::split;
use super::{Approval, Asked, Command, DecidedLevel, Event, NOTES_CHARS_MAX, OpenLevel, Pending, Refusal, WhyVoid};
use crate::OrderStatus;
use crate::delegation::Delegations;
use crate::order::Order;
use domain::text;
use domain::{Asker, Asking, Decider, FactRef, Facts, Request};

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
            (_, Command::Ask { revision }) => self.ask(*revision, request),
            (
                Self::Unasked,
                Command::Approve { .. }
                | Command::Reject { .. }
                | Command::Escalate { .. }
                | Command::Reassign {}
                | Command::Void {},
            ) => Err(Refusal::NotAsked),

            (Self::Pending(pending), Command::Approve { revision, notes }) => {
                pending.approve(*revision, notes.as_ref(), request)
            }
            (Self::Pending(pending), Command::Reject { revision, notes }) => pending.reject(*revision, notes, request),
            (Self::Pending(pending), Command::Escalate { ask_id }) => pending.escalate(*ask_id, request),
            (Self::Pending(pending), Command::Reassign {}) => pending.reassign(request),
            (Self::Pending(pending), Command::Void {}) if waits(order(request), &pending.asked) => {
                Err(Refusal::StillNeeded)
            }
            (Self::Granted { asked, .. }, Command::Void {}) if rests(order(request), asked) => {
                Err(Refusal::StillNeeded)
            }
            (Self::Pending(_) | Self::Granted { .. }, Command::Void {}) => {
                let is_cancelled = order(request).and_then(Order::status) == Some(OrderStatus::Cancelled);
                let why = if is_cancelled {
                    WhyVoid::OrderCancelled
                } else {
                    WhyVoid::OrderMovedOn
                };
                Ok(self.voided(why).into_iter().collect())
            }

            // What was decided is no business of those who had no part in it.
            (
                Self::Granted { .. } | Self::Rejected { .. } | Self::Voided(_),
                Command::Approve { .. } | Command::Reject { .. },
            ) if !self.concerns(request.by) => Err(Refusal::NotConcerned),
            (
                Self::Granted { asked, .. } | Self::Rejected { asked, .. } | Self::Voided(asked),
                Command::Approve { revision, .. } | Command::Reject { revision, .. },
            ) => Err(asked.decided_no_more(*revision, self.word())),
            (Self::Granted { .. } | Self::Rejected { .. } | Self::Voided(_), Command::Reassign {}) => {
                Err(Refusal::NotPending { state: self.word() })
            }
            // A timer may fire after the decision, and a policy may void what is over.
            (Self::Granted { .. } | Self::Rejected { .. } | Self::Voided(_), Command::Escalate { .. })
            | (Self::Rejected { .. } | Self::Voided(_), Command::Void {}) => Ok(Vec::new()),
        }
    }

    fn evolve(&mut self, event: &Event) {
        *self = match (std::mem::take(self), event) {
            (
                _,
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
                },
            ) => Self::Pending(Pending {
                asked: Asked {
                    revision: *revision,
                    content_hash: content_hash.clone(),
                    order_total: *order_total,
                    currency: currency.clone(),
                    department_id: *department_id,
                    drafted_by: *drafted_by,
                    submitted_by: *submitted_by,
                    levels: *levels,
                    deadline_hours: *deadline_hours,
                    split_with: split_with.clone(),
                },
                decided: Vec::new(),
                open: None,
            }),
            (
                Self::Pending(pending),
                Event::LevelAsked {
                    ask_id,
                    level,
                    department_id,
                    approver_id,
                    due_at,
                    escalated_from,
                    revision: _,
                    order_total: _,
                    currency: _,
                    split_with: _,
                },
            ) => Self::Pending(Pending {
                open: Some(OpenLevel {
                    ask_id: *ask_id,
                    level: *level,
                    department_id: *department_id,
                    approver_id: *approver_id,
                    due_at: *due_at,
                    escalated_from: *escalated_from,
                    overdue: false,
                }),
                ..pending
            }),
            (Self::Pending(mut pending), Event::LevelApproved { by, on_behalf_of, .. }) => {
                pending.decided.extend(pending.open.take().map(|open| DecidedLevel {
                    ask_id: open.ask_id,
                    level: open.level,
                    department_id: open.department_id,
                    by: *by,
                    on_behalf_of: *on_behalf_of,
                }));
                Self::Pending(pending)
            }
            (Self::Pending(pending), Event::LevelEscalated { .. } | Event::LevelReassigned { .. }) => {
                Self::Pending(Pending { open: None, ..pending })
            }
            (Self::Pending(pending), Event::ApprovalOverdue { .. }) => Self::Pending(Pending {
                open: pending.open.map(|open| OpenLevel { overdue: true, ..open }),
                ..pending
            }),
            (Self::Pending(Pending { asked, decided, .. }), Event::ApprovalGranted { .. }) => {
                Self::Granted { asked, decided }
            }
            (Self::Pending(Pending { asked, .. }), Event::ApprovalRejected { by, .. }) => {
                Self::Rejected { asked, by: *by }
            }
            (Self::Pending(Pending { asked, .. }) | Self::Granted { asked, .. }, Event::ApprovalVoided { .. }) => {
                Self::Voided(asked)
            }
            (
                approval @ (Self::Unasked | Self::Granted { .. } | Self::Rejected { .. } | Self::Voided(_)),
                Event::LevelAsked { .. }
                | Event::LevelApproved { .. }
                | Event::LevelEscalated { .. }
                | Event::LevelReassigned { .. }
                | Event::ApprovalOverdue { .. }
                | Event::ApprovalGranted { .. }
                | Event::ApprovalRejected { .. },
            )
            | (approval @ (Self::Unasked | Self::Rejected { .. } | Self::Voided(_)), Event::ApprovalVoided { .. }) => {
                approval
            }
        };
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
            Command::Approve { .. } | Command::Reject { .. } => {
                if let Self::Pending(pending) = self {
                    refs.extend(route::route_reads(tenant, pending.asked.department_id, facts));
                    refs.extend(route::approver_reads(asking.by, facts));
                    let open = pending.open.as_ref();
                    refs.extend(open.map(|open| FactRef::of::<Delegations>(open.approver_id)));
                }
            }
            Command::Escalate { .. } | Command::Reassign {} => {
                if let Self::Pending(pending) = self {
                    refs.extend(route::route_reads(tenant, pending.asked.department_id, facts));
                }
            }
            Command::Void {} => {}
        }
        refs
    }

    fn home(&self) -> Option<Uuid> {
        self.department_id()
    }

    fn offers(&self, command: &str, _stream: Uuid, asker: &Asker) -> Result<(), Refusal> {
        match (self, command) {
            (Self::Unasked, "approve" | "reject" | "escalate" | "reassign" | "void") => Err(Refusal::NotAsked),
            (Self::Pending(pending), "approve" | "reject") => pending.open().and_then(|_| pending.apart(asker.by)),
            (Self::Pending(pending), "reassign") => pending.open().map(drop),
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
            Command::Ask { .. } | Command::Escalate { .. } | Command::Reassign {} | Command::Void {} => {
                self.department_id()
            }
        }
    }
}

impl Approval {
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
        };
        let next = if open.level < self.asked.levels {
            let tree = route::tree(self.asked.department_id, request.facts);
            let mut excluded = self.excluded();
            excluded.extend([request.by, open.approver_id]);
            let wanted = Wanted {
                levels: (open.level + 1, self.asked.levels),
                from: place_above(open.department_id, open.level, &tree),
                excluded: &excluded,
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
        }])
    }

    /// The level that the asker decides, and in whose place.
    fn decided_by(&self, revision: i32, request: &Request<'_, Command>) -> Result<(&OpenLevel, Option<Uuid>), Refusal> {
        let open = self.open()?;
        // First, so that a person who may not decide learns nothing else of the order.
        let on_behalf_of = self.entitled(open, request.by, request.at, request.facts)?;
        if revision != self.asked.revision {
            return Err(Refusal::StaleRevision {
                current: self.asked.revision,
            });
        }
        if !waits(order(request), &self.asked) {
            return Err(Refusal::OrderMovedOn);
        }
        Ok((open, on_behalf_of))
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
        Ok(match self.rest(open, from, &excluded, &tree, request.facts) {
            Ok(seat) => vec![
                Event::LevelEscalated {
                    ask_id,
                    level: open.level,
                    from: open.approver_id,
                    to: seat.approver_id,
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
        if open.holds(&tree, request.facts) {
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
        let seat = self.rest(open, from, &excluded, &tree, request.facts)?;
        Ok(vec![
            Event::LevelReassigned {
                ask_id: open.ask_id,
                level: open.level,
                from: open.approver_id,
                to: seat.approver_id,
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
        facts: &Facts,
    ) -> Result<Seat, NoRoute> {
        let wanted = Wanted {
            levels: (open.level, self.asked.levels),
            from,
            excluded,
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
