//! Requests about stock that take more than one command: goods that go to another location, and a
//! suggestion to reorder that becomes an order.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use cloudwatcher::approval_policy::ApprovalPolicy;
use cloudwatcher::inventory::{self, Inventory, Source, StockKey};
use cloudwatcher::order::{self, Order};
use cloudwatcher::part_supplier::PartSupplier;
use domain::Decider as _;
use domain::register::{OnePerTenant, Register};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

use super::offers;
use http::app::App;
use http::auth::By;
use http::command::headers::CommandHeaders;
use http::command::joint::{Joint, JointRequest, Member, Outcome};
use http::command::sent::out_of_reach;
use http::command::{answer, body};
use http::extract::{self, Body, Path, Read};
use http::problem::Problem;

/// Goods that go to another location: both halves.
pub static TRANSFER: JointRequest = JointRequest {
    aggregate: &inventory::AGGREGATE,
    word: "transfer",
    command: "transfer-out",
    beside: &[(&inventory::AGGREGATE, "transfer-in")],
};

/// A suggestion to reorder that becomes an order.
pub static ACCEPT_REORDER: JointRequest = JointRequest {
    aggregate: &inventory::AGGREGATE,
    word: "accept-reorder",
    command: "accept-reorder",
    beside: &[(&order::AGGREGATE, "draft")],
};

/// The fields of `transfer`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Transfer {
    to_location_id: Uuid,
    quantity: i32,
    #[serde(default)]
    reservation_id: Option<Uuid>,
    #[serde(default)]
    source: Option<Source>,
}

/// The fields of `accept-reorder`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Acceptance {
    suggestion_id: Uuid,
    #[serde(default)]
    order_id: Option<Uuid>,
    #[serde(default)]
    part_supplier_id: Option<Uuid>,
    #[serde(default)]
    quantity: Option<i32>,
    #[serde(default)]
    currency: Option<String>,
    #[serde(default)]
    note: Option<String>,
}

/// Moves goods to another location: out here and in there, both or neither.
///
/// # Errors
/// [`Problem`].
pub async fn transfer(
    State(app): State<App>,
    by: By,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    TRANSFER.require(&by)?;
    let mut body = body.read(&app, &by, domain::decider::BODY_BYTES_MAX).await?;
    let (joint, wanted) = asked::<Transfer>(&id, &TRANSFER, &headers, &mut body, peer)?;
    let Transfer {
        to_location_id,
        quantity,
        reservation_id,
        source,
    } = wanted;
    let Some(from) = record(&app, &by, joint.stream).await?.stock() else {
        return Err(Problem::internal(&"an open record has a stock key"));
    };
    let to = StockKey {
        location_id: to_location_id,
        ..from
    };
    let transfer_id = Uuid::now_v7();
    let out = json!({
        "transfer_id": transfer_id, "to": to, "quantity": quantity, "reservation_id": reservation_id, "source": source,
    });
    let into = json!({
        "transfer_id": transfer_id, "from": from, "to": to, "quantity": quantity, "source": source,
    });
    let members = vec![
        of_stock(joint.stream, "transfer-out", out),
        of_stock(to.stream(by.tenant), "transfer-in", into),
    ];
    Ok(match joint.carry_out(&app, &by, members).await? {
        Outcome::Accepted(accepted, warnings) => answer::all_accepted(&accepted, &warnings),
        Outcome::Rehearsed(response) => response,
    })
}

/// Follows an open suggestion to reorder: drafts a purchase order with the best price offer, and counts what it
/// orders as on order.
///
/// # Errors
/// [`Problem`].
pub async fn accept_reorder(
    State(app): State<App>,
    by: By,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    ACCEPT_REORDER.require(&by)?;
    let mut body = body.read(&app, &by, domain::decider::BODY_BYTES_MAX).await?;
    let (joint, wanted) = asked::<Acceptance>(&id, &ACCEPT_REORDER, &headers, &mut body, peer)?;
    let order_id = wanted.order_id.unwrap_or_else(Uuid::now_v7);
    let members = match drafted(&app, &by, joint.stream, order_id, &wanted).await? {
        Some(members) => members,
        // No such suggestion is open. Either this repeats what was accepted before, which its receipt
        // answers, or the decision says what is wrong.
        None => vec![accepting(joint.stream, order_id, &wanted, 1, Uuid::nil())],
    };
    let (accepted, warnings) = match joint.carry_out(&app, &by, members).await? {
        Outcome::Accepted(accepted, warnings) => (accepted, warnings),
        Outcome::Rehearsed(response) => return Ok(response),
    };
    let mut response = answer::all_accepted(&accepted, &warnings);
    let order = accepted
        .streams
        .iter()
        .find(|stream| stream.aggregate_type == Order::TYPE);
    if let Some(location) =
        order.and_then(|order| HeaderValue::try_from(format!("/v1/cloudwatcher/orders/{}", order.stream)).ok())
    {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// The draft of the order and the acceptance; `None` when the suggestion is not the open one.
async fn drafted(
    app: &App,
    by: &By,
    inventory_id: Uuid,
    order_id: Uuid,
    wanted: &Acceptance,
) -> Result<Option<Vec<Member>>, Problem> {
    let inventory = record(app, by, inventory_id).await?;
    let suggestion = inventory
        .open_suggestion()
        .filter(|open| open.suggestion_id == wanted.suggestion_id);
    let (Some(suggestion), Some(stock), Some(department_id)) =
        (suggestion, inventory.stock(), inventory.department_id())
    else {
        return Ok(None);
    };
    let needed = wanted.quantity.unwrap_or(suggestion.quantity);
    let asked = wanted.currency.as_deref();
    let offer = match wanted.part_supplier_id {
        Some(id) => Offer::named(app, by, id, &stock, needed, asked).await?,
        None => Offer::best(app, by, &stock, needed, asked).await?,
    };
    let quantity = wanted.quantity.unwrap_or(offer.quantity_to_order);
    let currency = match wanted.currency.as_ref().or(offer.currency.as_ref()) {
        Some(currency) => currency.clone(),
        None => usual_currency(app, by).await?,
    };
    let draft = json!({
        "order_type": "purchase",
        "department_id": department_id,
        "location_id": stock.location_id,
        "currency": currency,
        "note": wanted.note,
        "items": [{
            "part_id": stock.part_id,
            "variant_id": stock.variant_id,
            "supplier_id": offer.supplier_id,
            "quantity": quantity,
            "unit_price": offer.unit_price,
        }],
    });
    Ok(Some(vec![
        Member {
            aggregate: &order::AGGREGATE,
            stream: order_id,
            command: "draft",
            fields: draft,
        },
        accepting(inventory_id, order_id, wanted, quantity, offer.id),
    ]))
}

fn accepting(inventory_id: Uuid, order_id: Uuid, wanted: &Acceptance, quantity: i32, offer: Uuid) -> Member {
    let fields = json!({
        "suggestion_id": wanted.suggestion_id, "order_id": order_id, "quantity": quantity, "part_supplier_id": offer,
    });
    of_stock(inventory_id, "accept-reorder", fields)
}

fn of_stock(stream: Uuid, command: &'static str, fields: Value) -> Member {
    Member {
        aggregate: &inventory::AGGREGATE,
        stream,
        command,
        fields,
    }
}

/// The terms of a price offer of a part and variant, as the order is to have them. Whether its supplier is in use, the
/// decisions see to.
struct Offer {
    id: Uuid,
    supplier_id: Uuid,
    unit_price: Decimal,
    currency: Option<String>,
    /// How many have to be ordered to get what is needed.
    quantity_to_order: i32,
}

impl Offer {
    /// Before anything is decided with its terms: one of another part is refused as one that does not exist, since
    /// a refusal of the order would tell of them.
    async fn named(
        app: &App,
        by: &By,
        id: Uuid,
        stock: &StockKey,
        needed: i32,
        currency: Option<&str>,
    ) -> Result<Self, Problem> {
        let found = one::<Register<PartSupplier>>(app, by, id).await?;
        let entered = found.as_deref().and_then(Register::active);
        let offer = entered.filter(|offer| offer.is_of(stock)).ok_or_else(|| {
            let detail = "part_supplier_id names no price offer in use of this part and variant; choose another, or leave \
                          it to Daybook";
            Problem::bad_value("part_supplier_id", detail)
        })?;
        if currency.is_some_and(|asked| !offer.is_in(asked)) {
            let detail = "currency is not that of this price offer; leave it out, or choose another price offer";
            return Err(Problem::bad_value("currency", detail));
        }
        Ok(Self {
            id,
            supplier_id: offer.supplier_id,
            unit_price: offer.supplier_cost.ok_or_else(unpriced)?,
            currency: offer.currency.clone(),
            quantity_to_order: offer.to_order(needed),
        })
    }

    /// The best one for so many: in the currency that is asked for or, if none is, in the usual one before others.
    async fn best(app: &App, by: &By, stock: &StockKey, needed: i32, currency: Option<&str>) -> Result<Self, Problem> {
        let need = |currency| offers::Need {
            part_id: stock.part_id,
            variant_id: stock.variant_id,
            quantity: needed,
            currency,
        };
        let usual = match currency {
            Some(_) => None,
            None => usual_currency(app, by).await.ok(),
        };
        let mut best = offers::best(app, by.bearer, need(currency.or(usual.as_deref()))).await?;
        if usual.is_some() && best.as_ref().is_none_or(|offer| offer.supplier_cost.is_none()) {
            best = offers::best(app, by.bearer, need(None)).await?.or(best);
        }
        let offer = best.ok_or_else(|| {
            let detail = "no supplier in use sells this part and variant in this currency; enter a price offer as a \
                          part-supplier first";
            Problem::bad_value("part_supplier_id", detail)
        })?;
        Ok(Self {
            id: offer.id,
            supplier_id: offer.supplier_id,
            unit_price: offer.supplier_cost.ok_or_else(unpriced)?,
            currency: offer.currency,
            quantity_to_order: i32::try_from(offer.quantity_to_order).unwrap_or(i32::MAX),
        })
    }
}

fn unpriced() -> Problem {
    let detail = "this price offer names no price; amend it, or choose another";
    Problem::bad_value("part_supplier_id", detail)
}

/// The currency that the approval policy in force names first.
async fn usual_currency(app: &App, by: &By) -> Result<String, Problem> {
    let only = ApprovalPolicy::stream(by.tenant);
    let entered = one::<Register<ApprovalPolicy>>(app, by, only).await?;
    let policy = entered
        .as_deref()
        .and_then(Register::active)
        .cloned()
        .unwrap_or_default();
    let first = policy.currencies.into_iter().next();
    first.map(|of| of.currency).ok_or_else(|| {
        let detail = "the approval policy names no currency; name it here";
        Problem::bad_value("currency", detail)
    })
}

/// The record of a stock key. One that is out of reach is refused as one that does not exist.
async fn record(app: &App, by: &By, inventory_id: Uuid) -> Result<Arc<Inventory>, Problem> {
    if let Some(inventory) = one::<Inventory>(app, by, inventory_id).await?
        && let Some(department_id) = inventory.department_id()
        && (by.sees_all_departments() || app.principals.reaches(by, department_id).await?)
    {
        return Ok(inventory);
    }
    Err(out_of_reach(&inventory::AGGREGATE, inventory_id))
}

async fn one<D: domain::Decider>(app: &App, by: &By, stream: Uuid) -> Result<Option<Arc<D>>, Problem> {
    Ok(app.book.now::<D>(by.tenant, stream).await?)
}

fn asked<T: DeserializeOwned>(
    id: &str,
    request: &'static JointRequest,
    headers: &HeaderMap,
    body: &mut Read,
    peer: SocketAddr,
) -> Result<(Joint<'static>, T), Problem> {
    let stream = extract::uuid("id", id)?;
    let command_headers = CommandHeaders::read(headers)?;
    let fields: Value = body::fields(headers, body)?;
    let wanted = body::typed(fields.clone())?;
    let joint = Joint {
        aggregate: request.aggregate,
        stream,
        word: request.word,
        fields,
        headers: command_headers,
        peer,
    };
    Ok((joint, wanted))
}
