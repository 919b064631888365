//! The demo's device requests: what eighty trucks asked for in the last three months, with the answers.

use chrono::TimeDelta;
use cloudwatcher::request::DeviceRequest;
use futures::{StreamExt as _, TryStreamExt as _};
use rand_chacha::rand_core::RngCore as _;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Plan;
use super::company::Company;
use http::Fault;
use http::demo::{AT_ONCE, Piece, Story};

/// Requests that are told as one command, which takes them in on the same minute.
pub(crate) const BATCH_REQUESTS: u32 = 100;
const TRUCKS: u32 = 80;
/// How far back requests go, in minutes; older ones would be archived.
const MINUTES: u32 = 85 * 24 * 60;
const TYPES: [&str; 4] = ["get_parts", "update_inventory", "report_fault", "request_service"];

pub(crate) async fn send(story: &Story<'_>, company: &Company, plan: &Plan) -> Result<(), Fault> {
    let batches: Vec<_> = (0..plan.requests.div_ceil(BATCH_REQUESTS))
        .map(|n| batch(story, company, n, plan))
        .collect();
    futures::stream::iter(batches)
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(())
}

async fn batch(story: &Story<'_>, company: &Company, n: u32, plan: &Plan) -> Result<(), Fault> {
    let mut chance = story.chance(&format!("requests/{n}"));
    let batches = plan.requests.div_ceil(BATCH_REQUESTS);
    // Spread evenly, so that the newest are of the last hours and still open.
    let ago = u64::from(MINUTES) * u64::from(batches - n - 1) / u64::from(batches) + 60;
    let at = plan.until - TimeDelta::minutes(i64::try_from(ago).unwrap_or(i64::MAX));
    let is_open = n + 1 == batches;
    let (mut received, mut answered) = (Vec::new(), Vec::new());
    for nth in (n * BATCH_REQUESTS)..((n + 1) * BATCH_REQUESTS).min(plan.requests) {
        let device_id = format!("truck-{:03}", 1 + chance.next_u32() % TRUCKS);
        let request_key = format!("demo-{nth}");
        let stream = DeviceRequest::keyed(story.tenant, &device_id, &request_key);
        let request = json!({
            "device_id": device_id, "request_type": TYPES[chance.next_u32() as usize % TYPES.len()],
            "request_key": request_key,
            "payload": { "number": nth, "part": format!("ENG-{:04}", chance.next_u32() % 1_000) },
            "metadata": { "app_version": "2.1.0", "network_type": if nth.is_multiple_of(3) { "4g" } else { "5g" } },
        });
        received.push(part(stream, "receive", request));
        match chance.next_u32() % 20 {
            0 => answered.push(part(stream, "begin", json!({}))),
            1 => {
                let error = "The part is not known; check its code";
                answered.push(part(stream, "fail", json!({ "error": error })));
            }
            2..12 if is_open => {}
            _ => {
                let content = json!({ "available": chance.next_u32() % 50, "number": nth });
                let respond = json!({ "content": content, "ai_processed": nth.is_multiple_of(5) });
                answered.push(part(stream, "respond", respond));
                answered.push(part(stream, "deliver", json!({})));
            }
        }
    }
    let keeper = company.buyers[n as usize % company.buyers.len()].user;
    let is_told = story.give_all(keeper, at, &format!("requests/{n}"), received).await?;
    if is_told {
        let answered_at = at + TimeDelta::minutes(2);
        story
            .give_all(keeper, answered_at, &format!("responses/{n}"), answered)
            .await?;
    }
    Ok(())
}

fn part(stream: Uuid, command: &'static str, body: Value) -> Piece {
    Piece {
        url: "cloudwatcher/requests",
        stream,
        command,
        body,
    }
}
