//! How an order begins: drafted anew, or as a copy of another.

use uuid::Uuid;

use super::check::{check, check_note, outdated_copy, reference, usable};
use super::submit::by_a_user;
use super::{Command, Content, Event, Item, NewOrder, Order, PastDate, Refusal, total};
use crate::inventory::{self, Inventory};
use domain::Request;

/// The first event of an order.
pub(super) fn begun(request: &Request<'_, Command>) -> Result<Event, Refusal> {
    match request.command {
        Command::Draft(order) => {
            by_a_user(request.by)?;
            let content = order.content(request);
            check(&content)?;
            usable(&content, request.facts).map_err(reference)?;
            Ok(content.drafted(None, Vec::new()))
        }
        Command::Duplicate { of, note } => {
            by_a_user(request.by)?;
            let (content, left_out) = duplicate(*of, note.as_ref(), request)?;
            check(&content)?;
            usable(&content, request.facts).map_err(outdated_copy)?;
            Ok(content.drafted(Some(*of), left_out))
        }
        _ => Err(Refusal::NotDrafted),
    }
}

impl NewOrder {
    fn content(&self, request: &Request<'_, Command>) -> Content {
        let items = self.items.iter();
        let items: Vec<Item> = items.map(|item| item.numbered(request.ids.draw())).collect();
        Content {
            order_type: self.order_type,
            department_id: self.department_id,
            currency: self.currency.clone(),
            request_id: self.request_id,
            location_id: self.location_id,
            from_location_id: self.from_location_id,
            note: self.note.clone(),
            total: total(&items),
            is_reorder: is_reorder(&items, self.location_id, request),
            items,
            tolerance_percent: self.tolerance_percent,
            drafted_by: request.by,
            revision: 0,
        }
    }
}

/// Whether a suggestion to reorder is accepted along with the draft of these items.
fn is_reorder(items: &[Item], location_id: Option<Uuid>, request: &Request<'_, Command>) -> bool {
    let Some(location_id) = location_id else {
        return false;
    };
    let mut streams = items.iter().map(|item| item.stock(location_id).stream(request.tenant));
    streams.any(|stream| {
        let mut commands = request.together.all::<Inventory>(stream);
        commands.any(|command| {
            matches!(command, inventory::Command::AcceptReorder { order_id, .. } if *order_id == request.stream)
        })
    })
}

/// The content of the copy, and the days that are left out of it because they have passed.
fn duplicate(
    of: Uuid,
    note: Option<&String>,
    request: &Request<'_, Command>,
) -> Result<(Content, Vec<PastDate>), Refusal> {
    let source = request
        .facts
        .get::<Order>(of)
        .and_then(Order::content)
        .ok_or(Refusal::Reference {
            field: "of".to_owned(),
            detail: "names no order that was drafted",
        })?;
    check_note(note)?;
    let today = request.at.date_naive();
    let mut left_out = Vec::new();
    let items: Vec<Item> = source
        .items
        .iter()
        .map(|item| {
            let item_id = request.ids.draw();
            let (passed, ahead) = match item.expected_delivery_date {
                Some(day) if day < today => (Some(day), None),
                ahead => (None, ahead),
            };
            left_out.extend(passed.map(|expected_delivery_date| PastDate {
                item_id,
                expected_delivery_date,
            }));
            Item {
                item_id,
                expected_delivery_date: ahead,
                ..item.clone()
            }
        })
        .collect();
    let content = Content {
        request_id: None,
        note: note.cloned(),
        total: total(&items),
        items,
        drafted_by: request.by,
        revision: 0,
        is_reorder: false,
        ..source.clone()
    };
    Ok((content, left_out))
}
