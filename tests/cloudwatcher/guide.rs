//! The guides work word for word, each against a program that knows nothing of the others.

use std::path::Path;
use std::process::Stdio;

use daybook::Role;
use tests::service::{claims, token};
use tests::{Database, Service};
use uuid::Uuid;

/// Ids that one guide may choose for its people: a hundred from here on, and so many of them.
const PEOPLE: u128 = 20;

/// Pastes a guide, whose ids begin with `hundred`, and says what it printed.
async fn pasted(name: &str, hundred: u128, words: &[&str]) {
    let roles = [Role::Api, Role::Relay, Role::Projector, Role::Policy];
    let service = Service::over(Database::create().await, roles.into()).await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = std::fs::read_to_string(root.join("docs/guide").join(name)).unwrap();
    assert!(page.contains(". docs/guide/words.sh"), "{name} begins as all do");
    let blocks = page.split("```sh guide\n").skip(1);
    let blocks: String = blocks.map(|block| block.split("```").next().unwrap()).collect();
    // What `./dev daybook token` does, for the people of the guide.
    let tokens = (0..PEOPLE).map(|n| {
        let digits = u128::from_str_radix(&(hundred * 100 + n).to_string(), 16).unwrap();
        let user = Uuid::from_u128(0x4000_8000_0000_0000_0000 + digits);
        format!("{user}) echo '{}';; ", token(&claims(service.tenant, user)))
    });
    let token_of = format!("token_of() {{ case $1 in {} esac; }}", tokens.collect::<String>());
    let output = tokio::process::Command::new("bash")
        .args(["-euc", &format!(". docs/guide/words.sh\n{token_of}\n{blocks}")])
        .current_dir(root)
        .env("DAYBOOK_URL", &service.url)
        .env("DAYBOOK_TOKEN", &service.admin.token)
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}{told}");
    for word in words {
        assert!(printed.contains(word), "{word} is missing: {printed}");
    }
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guide_to_buying_works_word_for_word() {
    let words = [
        "Repairs trucks",
        "118.50",
        "\"submit\"",
        "OrderPlaced",
        "\"ordered\"",
        "\"approved\"",
    ];
    pasted("buying.md", 1, &words).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guide_to_receiving_works_word_for_word() {
    let words = [
        "OrderItemsReceived",
        "/problems/",
        "OrderReceiptReversed",
        "\"received\"",
    ];
    pasted("receiving.md", 2, &words).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guide_to_counting_works_word_for_word() {
    let words = ["StockCounted", "StockReserved", "StockConsumed", "yearly count"];
    pasted("counting.md", 3, &words).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guide_to_answering_devices_works_word_for_word() {
    let words = [
        "0.1000000000000000055",
        "is on this request until",
        "RequestTakenOver",
        "RequestReleased",
        "\"available\": 7",
    ];
    pasted("devices.md", 4, &words).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guide_to_auditing_works_word_for_word() {
    let words = [
        "two kinds of valve since May",
        "PartAmended",
        "\"Valve\"",
        "\"operation\":\"UPDATE\"",
    ];
    pasted("auditing.md", 5, &words).await;
}
