//! README's tour works word for word.

use std::path::Path;
use std::process::Stdio;

use daybook::Role;
use tests::service::{claims, token};
use tests::{Database, Service};
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tour_of_the_readme_works_word_for_word_and_twice() {
    let roles = [Role::Api, Role::Relay, Role::Projector, Role::Policy, Role::Reactor];
    let service = Service::over(Database::create().await, roles.into()).await;
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let blocks = readme
        .split("```sh tour\n")
        .skip(1)
        .map(|block| block.split("```").next().unwrap());
    let tour: String = blocks.collect();
    // What `as` does in the README, for the people of the tour.
    let tokens = (0..100_u128).map(|n| {
        let user = Uuid::from_u128(0x4000_8000_0000_0000_0000 + decimal(n));
        format!("{user}) echo '{}';; ", token(&claims(service.tenant, user)))
    });
    let tour = format!("as() {{ case $1 in {} esac; }}\n{tour}", tokens.collect::<String>());
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
            "\"dry_run\":true",
            "\"why_not\"",
            "OrderSubmitted",
            "pending-approval",
            "OrderItemChanged",
            "cancelled",
            "submitted",
            "\"outcomes\"",
            "voided",
            "on_behalf_of",
            "\"status\":\"received\"",
            "RequestReceived",
            "\"available\": 40",
            "StockTransferredIn",
            "ReorderSuggested",
            "ReorderAccepted",
            "transferred-out",
            "\"operation\":\"INSERT\"",
            "\"status\":\"accepted\"",
            "TourDiskFull",
            "skill_matched",
            "Free space on the host.",
            "SourceTokenRetired",
        ] {
            assert!(printed.contains(word), "{word} is missing: {printed}");
        }
    }
    service.end().await;
}

#[tokio::test]
async fn the_tour_ends_with_a_message_when_a_step_fails_and_goes_no_further() {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let functions = readme
        .split("```sh tour\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let steps =
        "post /v1/first '{}'; post /v1/second '{}'; position=1; found=$(get /v1/third); await /v1/fourth x; echo over";
    let output = tokio::process::Command::new("bash")
        .args(["-c", &format!("{functions}\n{steps}")])
        // Nobody listens there.
        .env("DAYBOOK_URL", "http://127.0.0.1:1")
        .env("DAYBOOK_TOKEN", "none")
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(told.matches("The tour ends here: POST /v1/first").count(), 1, "{told}");
    assert_eq!(told.matches("The tour ends here").count(), 1, "{told}");
    // One attempt was made, and one word of curl's own says why it failed.
    assert_eq!(told.matches("curl: ").count(), 1, "{told}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "over\n");
}

/// The number whose hexadecimal digits are the decimal ones of `n`: the tour writes ids so.
fn decimal(n: u128) -> u128 {
    n / 10 * 16 + n % 10
}

/// All code in a folder.
fn code(folder: &Path, all: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            code(&path, all);
        } else if path.extension().is_some_and(|end| end == "rs") {
            all.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_limit_that_the_readme_names_is_a_constant_of_the_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let limits = readme.split("## Limits").nth(1).unwrap().split("\n## ").next().unwrap();
    let is_constant = |name: &&str| name.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_');
    let quoted = limits.split('`').skip(1).step_by(2);
    let named: Vec<&str> = quoted
        .filter(is_constant)
        .filter(|name| !name.starts_with("DAYBOOK_"))
        .collect();
    let mut all = String::new();
    for floor in ["api", "book", "domain", "projections"] {
        code(&root.join(floor), &mut all);
    }
    for name in &named {
        assert!(all.contains(&format!("const {name}:")), "{name}");
    }
    assert!(named.len() > 40, "{named:?}");
}

/// What the functions of `./dev` print for these words, and whether they succeed.
async fn dev_says(listen: &str) -> (bool, String) {
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts");
    let words = "set -euo pipefail; state=$0/nowhere; for part in shell servers stack; do . \"$0/$part.sh\"; done; choose_address";
    let mut bash = tokio::process::Command::new("bash");
    bash.args(["-c", words, scripts]).env("DAYBOOK_LISTEN", listen);
    let output = bash.stdin(Stdio::null()).output().await.unwrap();
    let told = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(told).unwrap())
}

#[tokio::test]
async fn dev_knows_the_port_that_it_has_asked_for() {
    assert_eq!(dev_says("127.0.0.1:8099").await, (true, "127.0.0.1:8099\n".to_owned()));
    let (found, any) = dev_says("127.0.0.1:0").await;
    let port: u16 = any.trim_end().strip_prefix("127.0.0.1:").unwrap().parse().unwrap();
    assert!(found && port > 0, "{any}");
    let (found, told) = dev_says("8099").await;
    assert!(
        !found && told.contains("write host:port") && told.lines().count() == 1,
        "{told}"
    );
}
