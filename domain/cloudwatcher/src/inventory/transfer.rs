//! Goods that go from one location to another: one half on each record, and neither without the other.

use uuid::Uuid;

use super::moves::{Taken, quantity};
use super::{Command, Event, Inventory, Record, Refusal, Source, StockKey};
use domain::Request;

impl Record {
    pub(super) fn transferred_out(
        &self,
        transfer_id: Uuid,
        to: StockKey,
        of: i32,
        reservation_id: Option<Uuid>,
        source: Option<Source>,
        request: &Request<'_, Command>,
    ) -> Result<Event, Refusal> {
        elsewhere(self.stock, to)?;
        let is_other_half = |command: &Command| {
            matches!(command, Command::TransferIn { transfer_id: other, from, to: there, quantity, .. }
                if (*other, *from, *there, *quantity) == (transfer_id, self.stock, to, of))
        };
        together(request, transfer_id, to, is_other_half)?;
        let Taken { after, source } = self.taken(of, reservation_id, source)?;
        let still_to_come = self.noted(source, request)?;
        Ok(Event::StockTransferredOut {
            stock: self.stock,
            transfer_id,
            to,
            quantity: of,
            reservation_id,
            source,
            still_to_come,
            after: self.with_still(after, source, still_to_come),
        })
    }

    pub(super) fn transferred_in(
        &self,
        transfer_id: Uuid,
        from: StockKey,
        of: i32,
        source: Option<Source>,
        request: &Request<'_, Command>,
    ) -> Result<Event, Refusal> {
        elsewhere(self.stock, from)?;
        self.takes_in(request.facts)?;
        let is_other_half = |command: &Command| {
            matches!(command, Command::TransferOut { transfer_id: other, to, quantity, .. }
                if (*other, *to, *quantity) == (transfer_id, self.stock, of))
        };
        together(request, transfer_id, from, is_other_half)?;
        let after = self.with(quantity(of)?)?;
        let still_to_come = self.noted(source, request)?;
        Ok(Event::StockTransferredIn {
            stock: self.stock,
            transfer_id,
            from,
            quantity: of,
            source,
            still_to_come,
            after: self.with_still(after, source, still_to_come),
        })
    }
}

/// A transfer changes the location and nothing else.
fn elsewhere(here: StockKey, there: StockKey) -> Result<(), Refusal> {
    if (here.part_id, here.variant_id) != (there.part_id, there.variant_id) {
        return Err(Refusal::OtherPart);
    }
    if here.location_id == there.location_id {
        return Err(Refusal::SameLocation);
    }
    Ok(())
}

/// The other half, and one alone, is carried out as one with this one, and this half once.
fn together(
    request: &Request<'_, Command>,
    transfer_id: Uuid,
    there: StockKey,
    is_other_half: impl Fn(&Command) -> bool,
) -> Result<(), Refusal> {
    let of_transfer = |stream: Uuid| {
        let commands = request.together.all::<Inventory>(stream);
        commands.filter(move |command| command.transfer_id() == Some(transfer_id))
    };
    let mut others = of_transfer(there.stream(request.tenant));
    match (others.next(), others.next(), of_transfer(request.stream).next()) {
        (Some(other), None, None) if is_other_half(other) => Ok(()),
        (Some(_) | None, ..) => Err(Refusal::HalfATransfer),
    }
}
