//! Quantities that a supplier's price offer says are not sold: whoever orders one is warned, or refused, as the tenant's
//! stock policy says.

use book::BookError;
use cloudwatcher::OrderType;
use cloudwatcher::order::{self, Command, Item, NewItem, Order};
use cloudwatcher::part_supplier::{OFFER, PartSupplier};
use cloudwatcher::stock_policy::{NotSold, StockPolicy};
use domain::register::Register;
use domain::text::Unfit;
use domain::{Decider as _, Refusal};
use http::App;
use http::context::{Guard, Guarded, Looked, Warned, Warning};
use uuid::Uuid;

/// The commands that say what an order buys, and the one that hands it in.
const BUYING: &[&str] = &["draft", "add-item", "change-item", "submit"];

/// Refuses such a quantity, where the policy does.
pub const GUARD: Guard = Guard {
    aggregate_type: Order::TYPE,
    commands: BUYING,
    look: |app, looked| Box::pin(refused(app, looked)),
};

/// Warns of such a quantity.
pub const WARNING: Warning = Warning {
    aggregate_type: Order::TYPE,
    commands: BUYING,
    permission: "cloudwatcher.part_suppliers.read",
    find: |app, looked| Box::pin(warned(app, looked)),
};

async fn refused(app: &App, looked: Looked<'_>) -> Guarded {
    let stream = StockPolicy::stream(looked.tenant);
    let policy = app.book.now::<Register<StockPolicy>>(looked.tenant, stream).await?;
    match StockPolicy::of(policy.as_deref()).not_sold {
        NotSold::Warn => Ok(None),
        NotSold::Refuse => {
            let first = not_sold(app, looked).await?.into_iter().next();
            Ok(first.map(|(field, detail)| {
                let unfit = Unfit::Inside(detail);
                Refusal::of::<Order>(&order::Refusal::Unfit { field, unfit })
            }))
        }
    }
}

async fn warned(app: &App, looked: Looked<'_>) -> Warned {
    let all = not_sold(app, looked).await?.into_iter();
    Ok(all.map(|(field, detail)| format!("{field} {detail}")).collect())
}

/// The quantities of a command that are not sold: the field of each, and what is said of it.
async fn not_sold(app: &App, looked: Looked<'_>) -> Result<Vec<(String, String)>, BookError> {
    let Some(command) = looked.command.typed::<Order>() else {
        return Ok(Vec::new());
    };
    let order = app.book.now::<Order>(looked.tenant, looked.stream).await?;
    let mut told = Vec::new();
    for (field, line) in lines(order.as_deref(), command) {
        if let Some(offer) = offer(app, looked.tenant, line).await?
            && let Err(detail) = offer.sells(line.quantity)
        {
            told.push((field, detail));
        }
    }
    Ok(told)
}

/// The price offer of the supplier of a line for its part and variant, if there is one in use.
async fn offer(app: &App, tenant: Uuid, line: Line) -> Result<Option<PartSupplier>, BookError> {
    let value = PartSupplier::claimed(line.part_id, line.variant_id, line.supplier_id);
    let Some(id) = app.book.holder(tenant, OFFER, &value).await? else {
        return Ok(None);
    };
    let found = app.book.now::<Register<PartSupplier>>(tenant, id).await?;
    Ok(found.as_deref().and_then(Register::active).cloned())
}

/// What is bought of one part, variant and supplier.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Line {
    part_id: Uuid,
    variant_id: Option<Uuid>,
    supplier_id: Uuid,
    quantity: i32,
}

impl Line {
    fn new(item: &NewItem) -> Self {
        Self {
            part_id: item.part_id,
            variant_id: item.variant_id,
            supplier_id: item.supplier_id,
            quantity: item.quantity,
        }
    }

    fn of(item: &Item) -> Self {
        Self {
            part_id: item.part_id,
            variant_id: item.variant_id,
            supplier_id: item.supplier_id,
            quantity: item.quantity,
        }
    }
}

/// What a command would buy, each line with the field of its quantity. Orders that buy nothing have none.
fn lines(order: Option<&Order>, command: &Command) -> Vec<(String, Line)> {
    let numbered = |index: usize| format!("items[{index}].quantity");
    let content = order.and_then(Order::content);
    let is_purchase = match command {
        Command::Draft(draft) => draft.order_type == OrderType::Purchase,
        _ => content.is_some_and(|content| content.order_type == OrderType::Purchase),
    };
    if !is_purchase {
        return Vec::new();
    }
    match command {
        Command::Draft(draft) => {
            let items = draft.items.iter().enumerate();
            items.map(|(index, item)| (numbered(index), Line::new(item))).collect()
        }
        Command::AddItem(item) => vec![("quantity".to_owned(), Line::new(item))],
        Command::ChangeItem(change) => {
            let items = content.map_or(&[][..], |content| content.items.as_slice());
            let before = items.iter().find(|item| item.item_id == change.item_id);
            let lines = before.map(|before| {
                let kept = before.variant_id.filter(|_| !change.without_variant);
                let line = Line {
                    part_id: change.part_id.unwrap_or(before.part_id),
                    variant_id: change.variant_id.unwrap_or(kept),
                    supplier_id: change.supplier_id.unwrap_or(before.supplier_id),
                    quantity: change.quantity.unwrap_or(before.quantity),
                };
                ("quantity".to_owned(), line)
            });
            lines.into_iter().collect()
        }
        Command::Submit {} => {
            let items = content.map_or(&[][..], |content| content.items.as_slice());
            let items = items.iter().enumerate();
            items.map(|(index, item)| (numbered(index), Line::of(item))).collect()
        }
        _ => Vec::new(),
    }
}
