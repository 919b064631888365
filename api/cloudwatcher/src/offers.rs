//! Whom to buy a part from.

use rust_decimal::Decimal;
use serde::Deserialize;
use sqlx::Row as _;
use uuid::Uuid;

use super::queries::BEST_OFFERS;
use http::app::App;
use http::auth::token::Bearer;
use http::problem::Problem;
use http::query::named::Arguments;
use http::query::read::{self, Plan};
use http::query::sql::{self, Reader};
use http::query::value::Value;

/// The terms for a part or a variant, as the row of the offer and that of its supplier say.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Offer {
    /// The offer's own id (`part_suppliers`).
    pub id: Uuid,
    pub supplier_id: Uuid,
    /// The name of the supplier.
    pub supplier: String,
    pub sku: Option<String>,
    /// For one unit; none where the supplier names no price.
    pub supplier_cost: Option<Decimal>,
    /// Of the price; none for one that is older than currencies of prices are, which counts in every one.
    pub currency: Option<String>,
    pub minimum_order_qty: i32,
    pub pack_qty: i32,
    /// How many have to be ordered to get what is needed: the minimum at least, in whole packs.
    pub quantity_to_order: i64,
    pub is_preferred: bool,
    /// For this offer, in days.
    pub lead_time_days: Option<i32>,
    /// For all that the supplier delivers, in days.
    pub supplier_lead_time_days: Option<i32>,
}

/// What is to be bought.
#[derive(Debug, Clone, Copy)]
pub struct Need<'a> {
    pub part_id: Uuid,
    pub variant_id: Option<Uuid>,
    /// In units.
    pub quantity: i32,
    /// In which it is to be paid; none for any.
    pub currency: Option<&'a str>,
}

/// The best price offer for what is needed, as `GET /v1/cloudwatcher/part-suppliers/best` lists it first.
///
/// # Errors
/// 503 when the database does not answer.
pub async fn best(app: &App, by: Bearer, need: Need<'_>) -> Result<Option<Offer>, Problem> {
    let arguments = Arguments {
        values: vec![
            Some(Value::Uuid(need.part_id)),
            need.variant_id.map(Value::Uuid),
            Some(Value::Integer(need.quantity)),
            need.currency.map(|currency| Value::Text(currency.to_owned())),
        ],
        hidden: Vec::new(),
        after: None,
        limit: 1,
    };
    let context = &cloudwatcher_tables::CONTEXT;
    let reader = Reader {
        tenant: by.tenant,
        context,
        departments: None,
        unmasked: true,
    };
    let read = read::rows(app, context, by, None, Plan::OfStatement, move || {
        sql::chosen(&BEST_OFFERS, &arguments, &reader)
    })
    .await?;
    let Some(row) = read.rows.first() else { return Ok(None) };
    let json: &str = row.try_get("row")?;
    serde_json::from_str(json)
        .map(Some)
        .map_err(|error| Problem::internal(&error))
}
