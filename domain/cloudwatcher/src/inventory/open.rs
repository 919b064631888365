//! How a record begins.

use super::{Command, Event, Record, Refusal, StockKey};
use crate::location::Location;
use crate::part::Part;
use crate::part_variant::PartVariant;
use domain::register::{Entry, Register};
use domain::{FactRef, Facts, Request};

/// The first event of a record.
pub(super) fn opened(
    stock: StockKey,
    reorder_point: Option<i32>,
    reorder_quantity: Option<i32>,
    request: &Request<'_, Command>,
) -> Result<Event, Refusal> {
    let location = Register::<Location>::active_in(stock.location_id, request.facts)
        .ok_or(Refusal::reference("location_id", "names no location in use"))?;
    Register::<Part>::active_in(stock.part_id, request.facts)
        .ok_or(Refusal::reference("part_id", "names no part in use"))?;
    if let Some(variant_id) = stock.variant_id {
        Register::<PartVariant>::active_in(variant_id, request.facts)
            .filter(|variant| variant.part_id == stock.part_id)
            .ok_or(Refusal::reference("variant_id", "names no variant in use of the part"))?;
    }
    Ok(Event::InventoryOpened {
        stock,
        department_id: location.dept_id,
        reorder_point,
        reorder_quantity,
    })
}

/// The part, variant and location of a stock key.
pub(super) fn keys_read(stock: StockKey) -> Vec<FactRef> {
    let variant = stock.variant_id.map(FactRef::of::<Register<PartVariant>>);
    [
        FactRef::of::<Register<Part>>(stock.part_id),
        FactRef::of::<Register<Location>>(stock.location_id),
    ]
    .into_iter()
    .chain(variant)
    .collect()
}

/// The stock key decides which record a command is for.
pub(super) fn in_place(stock: StockKey, request: &Request<'_, Command>) -> Result<(), Refusal> {
    let id = stock.stream(request.tenant);
    if id == request.stream {
        Ok(())
    } else {
        Err(Refusal::OtherStock { id })
    }
}

fn is_struck<K: Entry>(facts: &Facts, id: uuid::Uuid) -> bool {
    matches!(facts.get::<Register<K>>(id), Some(Register::Struck(_)))
}

impl Record {
    /// Of its part, variant and location, those whose use matters to the command: whether it leads to a suggestion, and
    /// whether goods come in.
    pub(super) fn in_use_reads(&self, command: &Command) -> Vec<FactRef> {
        let is_watched = self.reorder_point.is_some() || matches!(command, Command::SetReorder { .. });
        match command {
            _ if is_watched => keys_read(self.stock),
            Command::Receive { .. } | Command::TransferIn { .. } => {
                vec![FactRef::of::<Register<Location>>(self.stock.location_id)]
            }
            _ => Vec::new(),
        }
    }

    /// Whether what it is of is in use. What is struck is reordered no more.
    pub(super) fn is_in_use(&self, facts: &Facts) -> bool {
        let StockKey {
            part_id,
            variant_id,
            location_id,
        } = self.stock;
        !(is_struck::<Part>(facts, part_id)
            || variant_id.is_some_and(|id| is_struck::<PartVariant>(facts, id))
            || is_struck::<Location>(facts, location_id))
    }

    /// Goods go out of a location that is struck, and none come in.
    pub(super) fn takes_in(&self, facts: &Facts) -> Result<(), Refusal> {
        match is_struck::<Location>(facts, self.stock.location_id) {
            true => Err(Refusal::LocationStruck),
            false => Ok(()),
        }
    }

    pub(super) fn new(event_stock: StockKey, department_id: uuid::Uuid) -> Self {
        Self {
            stock: event_stock,
            department_id,
            on_hand: 0,
            reorder_point: None,
            reorder_quantity: None,
            reservations: Vec::new(),
            ended: super::Ended::default(),
            expected: std::collections::BTreeMap::new(),
            suggestion: None,
            is_dismissed: false,
            recent: std::collections::VecDeque::new(),
            since_count: None,
            events: 0,
        }
    }
}
