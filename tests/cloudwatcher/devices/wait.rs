//! Waiting for a response: by a long request, and as a server-sent event.

use std::time::Instant;

use super::*;

fn response(id: Uuid, wait: &str) -> String {
    format!("{REQUESTS}/{id}/response{wait}")
}

async fn respond(client: &Client, id: Uuid, content: Value) {
    let body = json!({"content": content});
    client.post(&format!("{REQUESTS}/{id}/respond"), &body).await.ok();
}

/// Waits until so many requests are waited for.
async fn waited_for(service: &Service, requests: usize) {
    let metrics = format!("{}/metrics", service.url);
    let wanted = format!("daybook_responses_awaited {requests}");
    tests::until("the waits", Duration::from_secs(20), async || {
        let shown = tests::service::http().get(&metrics).send().await.unwrap();
        let shown = shown.text().await.unwrap();
        shown.lines().any(|line| line == wanted).then_some(())
    })
    .await;
}

/// The data of the one event of a stream, read to its end.
async fn streamed(client: &Client, id: Uuid, last_event_id: Option<&str>) -> String {
    let mut request = client.request(reqwest::Method::GET, &response(id, "/stream"));
    if let Some(id) = last_event_id {
        request = request.header("Last-Event-ID", id);
    }
    let reply = client.send(request).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let events: Vec<_> = reply.text.lines().filter(|line| line.starts_with("event:")).collect();
    assert_eq!(events, ["event: response"], "{}", reply.text);
    let data = reply.text.lines().find_map(|line| line.strip_prefix("data: "));
    data.unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_gets_its_response_the_same_however_often_it_asks() {
    let service = Service::start().await;
    let device = service
        .person(&["cloudwatcher.request.*", "cloudwatcher.responses.read"], &[])
        .await;
    let id = received(&device, &keyed("r-1", &json!(1))).await;
    let open = device.get(&response(id, "")).await;
    assert_eq!(
        (
            open.status.as_u16(),
            open.json(),
            open.headers["retry-after"].to_str().unwrap()
        ),
        (202, json!({"status": "pending"}), "1")
    );
    device.post(&format!("{REQUESTS}/{id}/begin"), &json!({})).await.ok();
    let begun = Instant::now();
    let open = device.get(&response(id, "?wait=1s")).await;
    assert_eq!(
        (open.status.as_u16(), open.json()),
        (202, json!({"status": "processing"}))
    );
    assert!(begun.elapsed() >= Duration::from_secs(1));

    respond(&device, id, json!({"b": 1.50, "a": "é"})).await;
    let first = device.get(&response(id, "?wait=30s")).await;
    let position = device
        .post(&format!("{REQUESTS}/{id}/deliver"), &json!({}))
        .await
        .position();
    device
        .get_after("/v1/cloudwatcher/responses?limit=1", position)
        .await
        .ok();
    let after = device.get(&response(id, "")).await;
    assert_eq!((first.status.as_u16(), &first.text), (200, &after.text));
    assert_eq!(streamed(&device, id, Some("17")).await, first.text);
    let body = first.json();
    assert_eq!(
        (&body["status"], &body["content"]),
        (&json!("completed"), &json!({"a": "é", "b": 1.5}))
    );

    let failed = received(&device, &keyed("r-2", &json!(1))).await;
    device
        .post(&format!("{REQUESTS}/{failed}/fail"), &json!({"error": "no such part"}))
        .await
        .ok();
    let body = device.get(&response(failed, "?wait=30")).await.ok();
    assert_eq!(
        (&body["status"], &body["content"]),
        (&json!("failed"), &json!({"error": "no such part"}))
    );

    device.get(&response(Uuid::now_v7(), "?wait=30s")).await.problem(404);
    device.get(&response(Uuid::now_v7(), "/stream")).await.problem(404);
    for wrong in ["?wait=61s", "?wait=soon", "?waits=1"] {
        device.get(&response(id, wrong)).await.problem(400);
    }
    let nobody = service.person(&["cloudwatcher.request.*"], &[]).await;
    assert_eq!(
        nobody.get(&response(id, "")).await.problem(403)["permission"],
        "cloudwatcher.responses.read"
    );
    let other = Service::start_tenant(&service).await;
    other.get(&response(id, "")).await.problem(404);
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_devices_wait_and_each_gets_its_own_response_soon() {
    const DEVICES: usize = 1_000;
    let service = Service::start().await;
    let device = &service.admin;
    let mut ids = Vec::new();
    for n in 0..DEVICES {
        ids.push(received(device, &keyed(&format!("r-{n}"), &json!(n))).await);
    }
    let waits: Vec<_> = ids
        .iter()
        .enumerate()
        .map(|(n, &id)| {
            let device = device.clone();
            tokio::spawn(async move {
                let got = if n % 4 == 0 {
                    serde_json::from_str(&streamed(&device, id, None).await).unwrap()
                } else {
                    device.get(&response(id, "?wait=60s")).await.ok()
                };
                (got["content"].clone(), Instant::now())
            })
        })
        .collect();
    waited_for(&service, DEVICES).await;
    let mut answered = Vec::new();
    for (n, &id) in ids.iter().enumerate() {
        respond(device, id, json!({ "for": n })).await;
        answered.push(Instant::now());
    }
    let mut latest = Duration::ZERO;
    for (n, (wait, answered)) in waits.into_iter().zip(answered).enumerate() {
        let (content, at) = wait.await.unwrap();
        assert_eq!(content, json!({ "for": n }));
        latest = latest.max(at.saturating_duration_since(answered));
    }
    println!("{DEVICES} devices waited; the slowest had its response {latest:?} after it was there");
    assert!(latest < Duration::from_secs(5), "{latest:?}");
    waited_for(&service, 0).await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_hangs_up_leaves_nothing_behind() {
    let service = Service::start().await;
    let device = &service.admin;
    let id = received(device, &keyed("r-1", &json!(1))).await;
    let waits: Vec<_> = ["?wait=60s", "/stream"]
        .into_iter()
        .map(|how| {
            let (device, path) = (device.clone(), response(id, how));
            tokio::spawn(async move { device.get(&path).await.status })
        })
        .collect();
    waited_for(&service, 1).await;
    waits.iter().for_each(tokio::task::JoinHandle::abort);
    waited_for(&service, 0).await;
    respond(device, id, json!(1)).await;
    device.get(&response(id, "?wait=30s")).await.ok();
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_that_the_tables_show_late_is_told_none_the_less() {
    let service = Service::start().await;
    let (device, pool) = (&service.admin, pool(&service).await);
    // While somebody follows the events, this process knows how far the book is, whether or not a device waits.
    let follower = device.request(reqwest::Method::GET, "/v1/events/stream");
    let mut follower = follower.send().await.unwrap();
    let id = received(device, &keyed("r-1", &json!(1))).await;
    device
        .until(&format!("{REQUESTS}?request_key=r-1"), |page| page["rows"] != json!([]))
        .await;
    // Nothing is posted while the checkpoint is held, for longer than a wait that begins lets the tables lag.
    let mut held = pool.begin().await.unwrap();
    sqlx::query("select from book.generations where context = 'cloudwatcher' for update")
        .execute(&mut *held)
        .await
        .unwrap();
    respond(device, id, json!("late")).await;
    let hearing = async {
        let mut heard = String::new();
        while !heard.contains("RequestCompleted") {
            heard.push_str(&String::from_utf8_lossy(&follower.chunk().await.unwrap().unwrap()));
        }
    };
    tokio::time::timeout(Duration::from_secs(30), hearing)
        .await
        .expect("the process hears of the response");
    let began = Instant::now();
    let waiting = tokio::spawn({
        let (device, path) = (device.clone(), response(id, "?wait=25s"));
        async move { device.get(&path).await.ok() }
    });
    waited_for(&service, 1).await;
    held.rollback().await.unwrap();
    assert_eq!(waiting.await.unwrap()["content"], "late");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    drop(follower);
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_deactivated_while_waiting_gets_no_response() {
    let service = Service::start().await;
    let device = service
        .person(&["cloudwatcher.request.*", "cloudwatcher.responses.read"], &[])
        .await;
    let id = received(&device, &keyed("r-1", &json!(1))).await;
    // Both wait when the person is sent away: the stream has begun to tell.
    let stream = device.request(reqwest::Method::GET, &response(id, "/stream"));
    let mut stream = stream.send().await.unwrap();
    assert!(stream.chunk().await.unwrap().is_some());
    let long = tokio::spawn({
        let (device, path) = (device.clone(), response(id, "?wait=40s"));
        async move { device.get(&path).await }
    });
    waited_for(&service, 1).await;
    let deactivate = format!("/v1/identity/users/{}/deactivate", device.user);
    service.admin.post(&deactivate, &json!({})).await.ok();
    respond(&service.admin, id, json!("secret")).await;
    long.await.unwrap().problem(403);
    let stream = stream.text().await.unwrap();
    assert!(!stream.contains("secret"), "{stream}");
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_longer_than_their_token_is_good() {
    let service = Service::start().await;
    let id = received(&service.admin, &keyed("r-1", &json!(1))).await;
    let mut claims = tests::service::claims(service.tenant, service.admin.user);
    let good_until = chrono::Utc::now().timestamp() + 4;
    claims["exp"] = json!(good_until - http::auth::token::LEEWAY_SECONDS.cast_signed());
    let device = service.admin.with_token(&tests::service::token(&claims));
    let waits = ["?wait=60s", "/stream"].map(|how| {
        let (device, path) = (device.clone(), response(id, how));
        tokio::spawn(async move { device.get(&path).await })
    });
    waited_for(&service, 1).await;
    let [long, stream] = waits;
    long.await.unwrap().problem(401);
    let stream = stream.await.unwrap();
    assert!(
        stream.status == 200 && !stream.text.contains("event: response"),
        "{}",
        stream.text
    );
    let late = chrono::Utc::now().timestamp() - good_until;
    assert!((0..30).contains(&late), "{late} s");
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_stops_keeps_no_device_waiting() {
    let service = Service::start().await;
    let device = service.admin.clone();
    let id = received(&device, &keyed("r-1", &json!(1))).await;
    let (long, stream) = ("?wait=60s", "/stream");
    let waits = [long, stream].map(|how| {
        let (device, path) = (device.clone(), response(id, how));
        tokio::spawn(async move { (device.get(&path).await.status.as_u16(), Instant::now()) })
    });
    waited_for(&service, 1).await;
    let stopped = Instant::now();
    // Its database is dropped at the end, which may take longer than any answer.
    service.end().await;
    for (wait, status) in waits.into_iter().zip([202, 200]) {
        let (answer, at) = wait.await.unwrap();
        assert_eq!(answer, status);
        assert!(at - stopped < Duration::from_secs(15), "{:?}", at - stopped);
    }
}
