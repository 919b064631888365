//! What still lies in stock of something that is struck, or is still to come: whoever strikes it is told.

use std::time::Duration;

use cloudwatcher::location::Location;
use cloudwatcher::part::Part;
use cloudwatcher::part_variant::PartVariant;
use domain::Decider as _;
use domain::register::{Entry, Register};
use http::App;
use http::context::{Looked, Warned, Warning};

/// What is warned of when a part, a variant or a location is struck.
pub const PART: Warning = of::<Part>(|app, looked| Box::pin(left(app, looked, "part_id", STILL_MOVED)));
pub const VARIANT: Warning = of::<PartVariant>(|app, looked| Box::pin(left(app, looked, "variant_id", STILL_MOVED)));
pub const LOCATION: Warning = of::<Location>(|app, looked| Box::pin(left(app, looked, "location_id", GOES_OUT)));

/// How long the tables may take to show what was moved before.
const TABLES_WAIT: Duration = Duration::from_secs(1);

const STILL_MOVED: &str = "what is in stock of it can still be moved, used up and counted, and what is on order still comes; \
                           it is reordered no more";
const GOES_OUT: &str = "what is in stock there can still be moved out, used up and counted, and what is on order is refused \
                        when it comes: cancel those orders, or enter the location again before";

const fn of<K: Entry>(find: Find) -> Warning {
    Warning {
        aggregate_type: Register::<K>::TYPE,
        commands: &["strike"],
        permission: "cloudwatcher.inventory.read",
        find,
    }
}

type Find = for<'a> fn(&'a App, Looked<'a>) -> futures::future::BoxFuture<'a, Warned>;

/// A sentence, if the tables show stock under keys that have it in this column. Who does not see all departments is told what
/// holds in any case: how much others have is not for them.
async fn left(app: &App, looked: Looked<'_>, column: &'static str, and: &'static str) -> Warned {
    if !looked.by.sees_all_departments() {
        return Ok(vec![and.to_owned()]);
    }
    // What was moved a moment before is to be told, too: not for long, for whoever struck it waits.
    let end = app.tail.end().await?;
    let _ = app.posted.wait(&cloudwatcher_tables::CONTEXT, end, TABLES_WAIT).await;
    let question = format!(
        "select count(*), coalesce(sum(quantity_on_hand), 0)::bigint, coalesce(sum(quantity_on_order), 0)::bigint
         from cloudwatcher.inventory
         where tenant_id = $1 and {column} = $2 and (quantity_on_hand > 0 or quantity_on_order > 0)"
    );
    let asking = sqlx::query_as(&question).bind(looked.by.tenant).bind(looked.stream);
    let (keys, on_hand, on_order): (i64, i64, i64) = asking.fetch_one(&app.pools.projector).await?;
    let told =
        (keys > 0).then(|| format!("{on_hand} are on hand and {on_order} on order under {keys} stock keys: {and}"));
    Ok(told.into_iter().collect())
}
