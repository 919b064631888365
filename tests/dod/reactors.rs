//! What operators see of reactors and do about dead letters: `/v1/admin/reactors`, one's own tenant's alone.

use daybook::Role;
use serde_json::{Value, json};
use sqlx::PgPool;
use tests::Service;
use uuid::Uuid;

use crate::house::{Source, service};

const REACTORS: &str = "/v1/admin/reactors";
const BODIES: &str = "dod-bodies";

async fn pool(service: &Service) -> PgPool {
    PgPool::connect_with(service.database.options.clone()).await.unwrap()
}

fn of<'a>(reactors: &'a Value, name: &str) -> &'a Value {
    let all = reactors["reactors"].as_array().unwrap();
    all.iter().find(|reactor| reactor["reactor"] == name).unwrap()
}

/// An alert too large for an event.
fn large() -> Vec<u8> {
    let body = json!({ "title": "Large", "description": "x".repeat(300 << 10) });
    body.to_string().into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_between_a_deployment_and_the_first_lead_has_effects_and_each_reactor_reads_what_it_is_known_for()
{
    // As a deployment has it at first: nobody runs the reactors yet.
    let service = Service::start().await;
    let admin = &service.admin;
    let before = admin.get(REACTORS).await.ok();
    let source = Source::entered(admin, json!({ "name": "Prometheus" })).await;
    let (status, told) = source.deliver(&service, "", "application/json", large()).await;
    assert_eq!(status, 202, "{told}");
    let known: Vec<reactors::Known> = service.database.contexts.reactors().copied().collect();
    let names: Vec<&Value> = known.iter().map(|known| &of(&before, known.name)["term"]).collect();
    assert!(
        names.iter().all(|term| **term == json!(0)),
        "somebody led already: {before}"
    );

    let (running, _, stop) = service.beside(vec![Role::Reactor]).await;
    let recognised = |page: &Value| {
        page["rows"]
            .as_array()
            .unwrap()
            .iter()
            .any(|row| row["status"] == "recognised")
    };
    admin.until("/v1/dod/deliveries", recognised).await;
    let led = |reactors: &Value| known.iter().all(|known| of(reactors, known.name)["term"] == 1);
    let reactors = admin.until(REACTORS, led).await;
    assert_eq!(
        reactors["reactors"].as_array().unwrap().len(),
        known.len(),
        "{reactors}"
    );
    for known in known {
        let mut reads = known.reads.to_vec();
        reads.sort_unstable();
        assert_eq!(of(&reactors, known.name)["kinds"], json!(reads), "{}", known.name);
    }
    stop.cancel();
    running.ended().await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_shown_in_pages_and_tried_again_by_their_tenant_alone() {
    let service = service(&[]).await;
    let (admin, other) = (&service.admin, Service::start_tenant(&service).await);
    let source = Source::entered(admin, json!({ "name": "Prometheus" })).await;
    let delivered = source.deliver(&service, "", "application/json", large()).await.1;
    let settled = |reactors: &Value| {
        let bodies = of(reactors, BODIES);
        bodies["lag"] == 0 && bodies["waiting"] == 0
    };
    let recognised = |page: &Value| {
        page["rows"]
            .as_array()
            .unwrap()
            .iter()
            .any(|row| row["status"] == "recognised")
    };
    admin.until("/v1/dod/deliveries", recognised).await;
    admin.until(REACTORS, settled).await;
    // As if the store had been away for a day, three times over.
    let pool = pool(&service).await;
    let delivery: Uuid = delivered["delivery_id"].as_str().unwrap().parse().unwrap();
    for place in 0..3 {
        sqlx::query(
            "insert into book.reactions (reaction_id, reactor, tenant_id, event_id, position, place, key, lane, target,
                                         dead, error, died_at)
             select gen_random_uuid(), $1, tenant_id, event_id, position, $3, 'parse', $2, 'objects',
                    true, 'the store is away', clock_timestamp()
             from book.events where aggregate_type = 'dod.delivery' and aggregate_id = $2::text and sequence = 1",
        )
        .bind(BODIES)
        .bind(delivery)
        .bind(place)
        .execute(&pool)
        .await
        .unwrap();
    }
    assert_eq!(of(&admin.get(REACTORS).await.ok(), BODIES)["dead"], 3);
    assert_eq!(of(&other.get(REACTORS).await.ok(), BODIES)["dead"], 0);

    let letters = format!("{REACTORS}/{BODIES}/letters");
    let first = admin.get(&format!("{letters}?limit=2")).await.ok();
    let shown = first["letters"].as_array().unwrap();
    assert_eq!(shown.len(), 2, "{first}");
    assert_eq!(
        (&shown[0]["error"], &shown[0]["target"]),
        (&json!("the store is away"), &json!("objects"))
    );
    let next = first["next"].as_str().unwrap();
    let rest = admin.get(&format!("{letters}?after={next}")).await.ok();
    assert_eq!(
        (rest["letters"].as_array().unwrap().len(), &rest["next"]),
        (1, &Value::Null),
        "{rest}"
    );
    assert_eq!(other.get(&letters).await.ok()["letters"], json!([]));
    for wrong in ["limit=0", "limit=201", "after=x", "of=me"] {
        admin.get(&format!("{letters}?{wrong}")).await.problem(400);
    }
    let nowhere = admin.get(&format!("{REACTORS}/nothing/letters")).await.problem(404);
    assert!(
        nowhere["allowed"].as_array().unwrap().contains(&json!(BODIES)),
        "{nowhere}"
    );

    let id = shown[0]["id"].as_str().unwrap();
    let again = format!("{letters}/{id}/retry");
    other.post(&again, &json!({})).await.problem(404);
    assert_eq!(
        other.post(&format!("{REACTORS}/{BODIES}/retry"), &json!({})).await.ok()["again"],
        0
    );
    let clerk = service.person(&["dod.deliveries.read"], &[]).await;
    for path in [REACTORS, &letters] {
        assert_eq!(clerk.get(path).await.problem(403)["permission"], "admin.rebuild");
    }
    clerk.post(&again, &json!({})).await.problem(403);
    assert_eq!(of(&admin.get(REACTORS).await.ok(), BODIES)["dead"], 3);
    assert_eq!(admin.post(&again, &json!({})).await.ok()["again"], 1);
    admin.post(&again, &json!({})).await.problem(404);
    assert_eq!(
        admin.post(&format!("{REACTORS}/{BODIES}/retry"), &json!({})).await.ok()["again"],
        2
    );
    let done = |reactors: &Value| of(reactors, BODIES)["dead"] == 0 && settled(reactors);
    admin.until(REACTORS, done).await;
    pool.close().await;
    service.end().await;
}
