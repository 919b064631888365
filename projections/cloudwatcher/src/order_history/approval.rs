//! What happened on the way to an order's approval, in words.

use cloudwatcher::approval::Event;
use serde_json::{Value, json};

/// A sentence, and the particulars of the event.
pub(super) fn told(event: &Event) -> (String, Value) {
    match event {
        Event::ApprovalAsked {
            revision,
            levels,
            order_total,
            currency,
            split_with,
            ..
        } => {
            let needs = match levels {
                1 => "1 level".to_owned(),
                levels => format!("{levels} levels"),
            };
            let mut description =
                format!("Approval asked for revision {revision}: {needs} for {order_total} {currency}");
            match split_with.len() {
                0 => {}
                1 => description += "; together with 1 other order of the buyer it would need more",
                orders => {
                    description += &format!("; together with {orders} other orders of the buyer it would need more")
                }
            }
            (
                description,
                json!({ "revision": revision, "levels": levels, "split_with": split_with }),
            )
        }
        Event::LevelAsked {
            ask_id,
            level,
            approver_id,
            due_at,
            ..
        } => (
            format!("Level {level} waits for user {approver_id}"),
            json!({ "ask_id": ask_id, "level": level, "approver_id": approver_id, "due_at": due_at }),
        ),
        Event::LevelApproved {
            ask_id,
            level,
            by,
            on_behalf_of,
            notes,
            at: _,
        } => {
            let description = match on_behalf_of {
                Some(of) => format!("Level {level} approved in the place of user {of}"),
                None => format!("Level {level} approved"),
            };
            let metadata =
                json!({ "ask_id": ask_id, "level": level, "by": by, "on_behalf_of": on_behalf_of, "notes": notes });
            (description, metadata)
        }
        Event::LevelEscalated {
            ask_id,
            level,
            from,
            to,
            ..
        } => (
            format!("Level {level} was not decided in time and goes up to user {to}"),
            json!({ "ask_id": ask_id, "level": level, "from": from, "to": to }),
        ),
        Event::LevelReassigned {
            ask_id,
            level,
            from,
            to,
            ..
        } => (
            format!("Level {level} goes to user {to}, because user {from} may no longer decide it"),
            json!({ "ask_id": ask_id, "level": level, "from": from, "to": to }),
        ),
        Event::ApprovalOverdue {
            ask_id,
            level,
            approver_id,
        } => (
            format!("Level {level} was not decided in time, and nobody above user {approver_id} is left to ask"),
            json!({ "ask_id": ask_id, "level": level, "approver_id": approver_id }),
        ),
        Event::ApprovalGranted {
            revision, approved_by, ..
        } => (
            format!("Revision {revision} is approved at every level that it needs"),
            json!({ "revision": revision, "approved_by": approved_by }),
        ),
        Event::ApprovalRejected {
            revision,
            level,
            by,
            on_behalf_of,
            notes,
            ..
        } => (
            format!("Revision {revision} was rejected: {notes}"),
            json!({ "revision": revision, "level": level, "by": by, "on_behalf_of": on_behalf_of }),
        ),
        Event::ApprovalVoided {
            ask_ids, revision, why, ..
        } => (
            format!("The approval of revision {revision} does not count any more: {why}"),
            json!({ "revision": revision, "ask_ids": ask_ids, "why": why }),
        ),
    }
}
