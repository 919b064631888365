//! README's tour works word for word.

use std::process::Stdio;

use tests::Service;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tour_of_the_readme_works_word_for_word_and_twice() {
    let service = Service::start().await;
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let blocks = readme
        .split("```sh tour\n")
        .skip(1)
        .map(|block| block.split("```").next().unwrap());
    let tour: String = blocks.collect();
    for _ in 0..2 {
        let output = tokio::process::Command::new("bash")
            .args(["-euc", &tour])
            .env("DAYBOOK_URL", &service.url)
            .env("DAYBOOK_TOKEN", &service.admin.token)
            .stdin(Stdio::null())
            .output()
            .await
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{printed}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(!printed.contains("/problems/"), "{printed}");
        for word in [
            "OrderSubmitted",
            "pending-approval",
            "OrderItemChanged",
            "cancelled",
            "submitted",
        ] {
            assert!(printed.contains(word), "{word} is missing: {printed}");
        }
    }
    service.end().await;
}
