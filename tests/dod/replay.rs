//! Bodies are parsed again by the program's own command, after the rules of their source were mended.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::house::{Source, program, rows, service};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_nobody_knew_are_parsed_again_once_a_run_after_a_mend() {
    let service = service(&[]).await;
    let admin = &service.admin;
    let source = Source::entered(admin, json!({ "name": "Home-made" })).await;
    for number in 0..5 {
        let body = json!({ "monitor": format!("Pump {number}"), "level": "high" }).to_string();
        let (status, told) = source
            .deliver(&service, "", "application/json", body.into_bytes())
            .await;
        assert_eq!(status, 202, "{told}");
    }
    source.deliver(&service, "", "application/json", b"{".to_vec()).await;
    let parsed = |page: &Value| rows(page).len() == 6 && rows(page).iter().all(|row| row["status"] != "received");
    let deliveries = admin.until("/v1/dod/deliveries?order=received_at.asc", parsed).await;
    let unmapped = rows(&deliveries)
        .iter()
        .filter(|row| row["format"] == "unmapped")
        .count();
    assert_eq!(unmapped, 5, "{deliveries}");
    let id = rows(&deliveries)[0]["source_id"].as_str().unwrap().to_owned();

    let mapping = json!({ "title": "/monitor", "severity": "/level", "dedup_key": "/monitor" });
    let mended = json!({ "name": "Home-made", "mappings": [mapping] });
    admin.post(&format!("/v1/dod/sources/{id}/amend"), &mended).await.ok();
    let replay = async |arguments: &[&str]| {
        let all = [&["dod", "replay", "--status", "unmapped"], arguments].concat();
        program(&service.database, &all).await
    };
    let dry = replay(&["--dry-run"]).await;
    assert!(
        dry.contains(&format!(
            "source {id} Home-made: 5 bodies, of which 0 are unreadable and 5 unmapped"
        )),
        "{dry}"
    );
    let told = replay(&["--source", &id]).await;
    assert!(told.contains("5 bodies are parsed again"), "{told}");
    let alerts = admin.until("/v1/dod/alerts", |page| rows(page).len() == 5).await;
    assert!(rows(&alerts).iter().all(|row| row["severity"] == "high"), "{alerts}");
    let none = |page: &Value| rows(page).iter().filter(|row| row["format"] == "unmapped").count() == 0;
    admin.until("/v1/dod/deliveries", none).await;

    // What is unreadable still, is asked for once in a run of one name, from whatever position on.
    let name = Uuid::now_v7().to_string();
    let unreadable = async || {
        let all = ["dod", "replay", "--from", "1", "--status", "unreadable", "--run", &name];
        program(&service.database, &all).await
    };
    let told = unreadable().await;
    assert!(
        told.contains("1 bodies are parsed again, 0 were in this run before"),
        "{told}"
    );
    let again = |page: &Value| {
        rows(page)
            .iter()
            .any(|row| row["status"] == "unreadable" && row["rounds"] == 1)
    };
    admin.until("/v1/dod/deliveries", again).await;
    let told = unreadable().await;
    assert!(
        told.contains("0 bodies are parsed again, 1 were in this run before"),
        "{told}"
    );
    service.end().await;
}
