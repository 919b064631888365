//! Quantities that a supplier's price offer says are not sold: whoever orders one is warned, or refused, as the tenant's
//! stock policy says.

use std::collections::BTreeMap;

use book::BookError;
use cloudwatcher::order::{self, Command, Content, Item, NewItem, Order};
use cloudwatcher::part_supplier::{OFFER, PartSupplier};
use cloudwatcher::stock_policy::{NotSold, StockPolicy};
use cloudwatcher::{OrderStatus, OrderType};
use domain::register::{OnePerTenant as _, Register};
use domain::text::Unfit;
use domain::{Decider as _, Refusal};
use http::App;
use http::context::{Guard, Guarded, Looked, Seen};
use uuid::Uuid;

/// Looks at the commands that say what an order buys, and at the one that hands it in.
pub const GUARD: Guard = Guard {
    aggregate_type: Order::TYPE,
    commands: &["draft", "add-item", "change-item", "submit"],
    look: |app, looked| Box::pin(look(app, looked)),
};

/// What it takes to be told what an offer says.
const READS_OFFERS: &str = "cloudwatcher.part_suppliers.read";
/// What is said to others.
const HIDDEN: &str =
    "is a quantity that this supplier does not sell; ask somebody who sees the supplier's price offers";

async fn look(app: &App, looked: Looked<'_>) -> Guarded {
    let not_sold = not_sold(app, looked).await?;
    let Some((field, detail)) = not_sold.first() else {
        return Ok(Seen::default());
    };
    let tenant = looked.by.tenant;
    let policy = app
        .book
        .now::<Register<StockPolicy>>(tenant, StockPolicy::stream(tenant))
        .await?;
    let reads_offers = looked.by.permits(READS_OFFERS);
    Ok(match StockPolicy::of(policy.as_deref()).not_sold {
        NotSold::Warn if reads_offers => Seen {
            refusal: None,
            warnings: not_sold
                .iter()
                .map(|(field, detail)| format!("{field} {detail}"))
                .collect(),
        },
        NotSold::Warn => Seen::default(),
        NotSold::Refuse => {
            let unfit = Unfit::Inside(if reads_offers {
                detail.clone()
            } else {
                HIDDEN.to_owned()
            });
            let field = field.clone();
            Seen {
                refusal: Some(Refusal::of::<Order>(&order::Refusal::Unfit { field, unfit })),
                warnings: Vec::new(),
            }
        }
    })
}

/// The quantities of a command that are not sold: the field of each, and what is said of it.
async fn not_sold(app: &App, looked: Looked<'_>) -> Result<Vec<(String, String)>, BookError> {
    let Some(command) = looked.command.typed::<Order>() else {
        return Ok(Vec::new());
    };
    let tenant = looked.by.tenant;
    let order = match command {
        Command::Draft(_) => None,
        _ => app.book.now::<Order>(tenant, looked.stream).await?,
    };
    let bought: Vec<Bought> = bought(order.as_deref(), command).into_iter().collect();
    let offers = offers(app, tenant, &bought).await?;
    let told = bought.into_iter().zip(offers);
    Ok(told
        .filter_map(|(bought, offer)| Some((bought.field, offer?.sells(bought.quantity).err()?)))
        .collect())
}

/// The price offer of each one's supplier, if there is one in use: that of the variant, or else that of the part.
async fn offers(app: &App, tenant: Uuid, bought: &[Bought]) -> Result<Vec<Option<PartSupplier>>, BookError> {
    let claims: Vec<Vec<String>> = bought.iter().map(|bought| claims(bought.of)).collect();
    if claims.is_empty() {
        return Ok(Vec::new());
    }
    let holders = app.book.each_holder(tenant, OFFER, &claims.concat()).await?;
    let known: Vec<Uuid> = holders.iter().copied().flatten().collect();
    let mut states = app
        .book
        .fresh::<Register<PartSupplier>>(tenant, &known)
        .await?
        .into_iter();
    let mut offers = holders.into_iter().map(|holder| {
        let state = holder.and_then(|_| states.next().flatten());
        state.as_deref().and_then(Register::active).cloned()
    });
    let first = |claims: &Vec<String>| {
        offers
            .by_ref()
            .take(claims.len())
            .collect::<Vec<_>>()
            .into_iter()
            .flatten()
            .next()
    };
    Ok(claims.iter().map(first).collect())
}

/// A part, a variant of it, and the supplier.
type Of = (Uuid, Option<Uuid>, Uuid);

fn claims((part_id, variant_id, supplier_id): Of) -> Vec<String> {
    PartSupplier::claims_of(part_id, variant_id, supplier_id)
}

/// How many an order buys of one thing in all, and the first field of the command that says so.
#[derive(Debug, PartialEq)]
struct Bought {
    of: Of,
    field: String,
    quantity: i32,
}

/// What an order would buy after a command, of which the command says something. Orders that buy nothing have none, nor have those
/// that take no such command any more.
fn bought(order: Option<&Order>, command: &Command) -> Vec<Bought> {
    let content = order.filter(|order| takes_changes(order)).and_then(Order::content);
    let is_purchase = match command {
        Command::Draft(draft) => draft.order_type == OrderType::Purchase,
        _ => content.is_some_and(|content| content.order_type == OrderType::Purchase),
    };
    if !is_purchase {
        return Vec::new();
    }
    let kept = |content: &Content| content.items.iter().map(line).collect::<Vec<_>>();
    let quantity = || Some("quantity".to_owned());
    let lines: Vec<_> = match (command, content) {
        (Command::Draft(draft), _) => numbered(draft.items.iter().map(new_line)),
        (Command::AddItem(item), Some(content)) => {
            let added = [(quantity(), new_line(item))];
            added
                .into_iter()
                .chain(kept(content).into_iter().map(|line| (None, line)))
                .collect()
        }
        (Command::ChangeItem(change), Some(content)) => {
            let after = |item: &Item| match item.item_id == change.item_id {
                // What cannot be done is refused by the decision.
                true => (
                    quantity(),
                    change.applied(item).as_ref().map_or_else(|_| line(item), line),
                ),
                false => (None, line(item)),
            };
            content.items.iter().map(after).collect()
        }
        (Command::Submit {}, Some(content)) => numbered(kept(content).into_iter()),
        _ => Vec::new(),
    };
    summed(lines)
}

fn takes_changes(order: &Order) -> bool {
    match order.status() {
        Some(OrderStatus::Draft | OrderStatus::PendingApproval | OrderStatus::Approved) => true,
        Some(_) | None => false,
    }
}

type Line = (Of, i32);

fn line(item: &Item) -> Line {
    ((item.part_id, item.variant_id, item.supplier_id), item.quantity)
}

fn new_line(item: &NewItem) -> Line {
    ((item.part_id, item.variant_id, item.supplier_id), item.quantity)
}

fn numbered(lines: impl Iterator<Item = Line>) -> Vec<(Option<String>, Line)> {
    lines
        .enumerate()
        .map(|(index, line)| (Some(format!("items[{index}].quantity")), line))
        .collect()
}

/// The lines of one thing as one, where the command names a field of one of them; in the order in which it names them.
fn summed(lines: Vec<(Option<String>, Line)>) -> Vec<Bought> {
    let mut sums: BTreeMap<Of, (usize, Option<String>, i32)> = BTreeMap::new();
    for (place, (field, (of, quantity))) in lines.into_iter().enumerate() {
        let sum = sums.entry(of).or_insert((place, None, 0));
        sum.1 = sum.1.take().or(field);
        sum.2 = sum.2.saturating_add(quantity);
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|(_, (place, ..))| *place);
    sums.into_iter()
        .filter_map(|(of, (_, field, quantity))| {
            let field = field?;
            Some(Bought { of, field, quantity })
        })
        .collect()
}
