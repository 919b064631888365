//! The state of an approval that events lead to.

use super::{Approval, Asked, Asks, DecidedLevel, Event, OpenLevel, Pending};

impl Approval {
    /// Takes the event into the state.
    pub(super) fn follow(&mut self, event: &Event) {
        let mut asks = self
            .asked_mut()
            .map(|asked| std::mem::take(&mut asked.asks))
            .unwrap_or_default();
        asks.note(event);
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
                    at,
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
                    asked_at: *at,
                    asks: Asks::default(),
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
                    is_top,
                },
            ) => Self::Pending(Pending {
                open: Some(OpenLevel {
                    ask_id: *ask_id,
                    level: *level,
                    department_id: *department_id,
                    approver_id: *approver_id,
                    is_top: *is_top,
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
        if let Some(asked) = self.asked_mut() {
            asked.asks = asks;
        }
    }

    fn asked_mut(&mut self) -> Option<&mut Asked> {
        match self {
            Self::Unasked => None,
            Self::Pending(Pending { asked, .. })
            | Self::Granted { asked, .. }
            | Self::Rejected { asked, .. }
            | Self::Voided(asked) => Some(asked),
        }
    }
}
