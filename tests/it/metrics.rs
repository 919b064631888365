//! What a process measures is told of: each metric by a sentence, each command by a label, and nothing that is not in the list.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use reqwest::Method;
use serde_json::json;
use tests::metrics::{Family, Series, known, of_series, read, word};
use tests::process::Process;
use tests::{Client, Database, service};
use uuid::Uuid;

const ALL: &str = "api,relay,projector,policy,reactor";
const SEAL_KEY: &str = "5ea15ea15ea15ea15ea15ea15ea15ea15ea15ea15ea15ea15ea15ea15ea15ea1";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// A metric as a source makes it: its kind, its name, its labels.
type Made = (String, String, Vec<String>);

fn made_in(text: &str) -> Vec<Made> {
    // The arguments may call functions of functions.
    let made = r#"(counter|gauge|histogram)!\(\s*"([a-z_]+)"((?:[^()]|\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))*)\)"#;
    let (made, label) = (Regex::new(made).unwrap(), Regex::new(r#""([a-z_]+)"\s*=>"#).unwrap());
    let labels = |arguments: &str| {
        label
            .captures_iter(arguments)
            .map(|found| found[1].to_owned())
            .collect()
    };
    let found = made.captures_iter(text);
    found
        .map(|found| (found[1].to_owned(), found[2].to_owned(), labels(&found[3])))
        .collect()
}

#[test]
fn each_metric_that_the_sources_make_is_in_the_list_with_its_labels_and_the_list_has_no_other() {
    let mut files = Vec::new();
    for folder in ["book/src", "projections", "api"] {
        sources(&root().join(folder), &mut files);
    }
    let mut made: BTreeMap<String, BTreeSet<Made>> = BTreeMap::new();
    for path in files {
        for found in made_in(&fs::read_to_string(&path).unwrap()) {
            made.entry(found.1.clone()).or_default().insert(found);
        }
    }
    // Those that a context is asked for each time have no place where they are made.
    let asked: BTreeSet<&str> = tests::contexts()
        .iter()
        .flat_map(|context| context.gauges.iter().map(|gauge| gauge.name))
        .collect();
    let known = known();
    for (name, metric) in &known {
        if asked.contains(name) {
            continue;
        }
        let labels = metric.labels.iter().map(|label| (*label).to_owned()).collect();
        let listed = BTreeSet::from([(word(metric.kind).to_owned(), (*name).to_owned(), labels)]);
        let made = made.get(*name);
        assert!(made.is_some(), "{name} is in the list, and no source makes it");
        assert_eq!(made, Some(&listed), "{name} is made otherwise than the list says");
    }
    for name in made.keys() {
        assert!(known.contains_key(name.as_str()), "{name} is made and not in the list");
    }
}

#[test]
fn a_metric_is_found_in_a_source_however_it_is_laid_out() {
    let source = r#"
        metrics::gauge!("a").set(f64::from(1));
        counter!("b_total", "of" => name(&x.of(1)), "how" => how).increment(1);
        let made = metrics::histogram!(
            "c_seconds", "route" => route
        );"#;
    let found: Vec<String> = made_in(source).iter().map(|made| format!("{made:?}")).collect();
    assert_eq!(
        found,
        [
            r#"("gauge", "a", [])"#,
            r#"("counter", "b_total", ["of", "how"])"#,
            r#"("histogram", "c_seconds", ["route"])"#
        ]
    );
}

#[test]
fn the_documents_name_no_metric_that_there_is_not() {
    let named = Regex::new(r"\bdaybook_[a-z_]+\b").unwrap();
    // Roles of the database, the claim of an operator, and the beginning of a key.
    let others = [
        "daybook_writer",
        "daybook_projector",
        "daybook_reader",
        "daybook_bi",
        "daybook_operator",
        "daybook_",
    ];
    let known = known();
    let mut files = vec![root().join("README.md"), root().join("ARCHITECTURE.md")];
    let docs = fs::read_dir(root().join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files.extend(docs.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    let mut count = 0;
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        for name in named.find_iter(&text).map(|found| found.as_str()) {
            if !others.contains(&name) {
                assert!(
                    of_series(&known, name).is_some() || known.contains_key(name),
                    "{}: {name}",
                    path.display()
                );
                count += 1;
            }
        }
    }
    assert!(count > 40, "{count} names were found");
}

async fn shown(process: &Process) -> BTreeMap<String, Family> {
    let answer = service::http()
        .get(format!("{}/metrics", process.url))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    read(&answer.text().await.unwrap())
}

async fn started(database: &Database) -> Process {
    let environment = [("DAYBOOK_SEAL_KEY", SEAL_KEY)];
    Process::start_with(
        &database.url(),
        &tests::setting("NATS_URL"),
        &database.name,
        ALL,
        &environment,
    )
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_process_shows_has_a_sentence_the_right_type_and_the_labels_of_the_list() {
    let database = Database::create().await;
    let process = started(&database).await;
    let admin = service::administrator(&database, &process.url, Uuid::new_v4()).await;
    admin
        .post("/v1/cloudwatcher/parts", &json!({"part_code": "M-1", "name": "Bolt"}))
        .await
        .ok();
    admin.get("/v1/cloudwatcher/parts?limit=1").await.ok();
    let (shown, known) = (shown(&process).await, known());
    for (name, family) in &shown {
        let metric = known
            .get(name.as_str())
            .unwrap_or_else(|| panic!("{name} is shown and not in the list"));
        assert_eq!(family.help, metric.help, "{name} has no help, or another");
        assert_eq!(family.kind, word(metric.kind), "{name}");
        assert!(!family.series.is_empty(), "{name} has no series");
        for series in &family.series {
            let of = of_series(&known, &series.name).map(|metric| metric.name);
            assert_eq!(of, Some(name.as_str()), "{}", series.name);
            let labels: BTreeSet<&str> = series
                .labels
                .keys()
                .map(String::as_str)
                .filter(|label| *label != "le")
                .collect();
            assert_eq!(labels, metric.labels.iter().copied().collect(), "{}", series.name);
        }
    }
    // What has one series is there before it has grown, so that alerts see the first time.
    let single = known
        .values()
        .filter(|metric| metric.labels.is_empty() && metric.name.ends_with("_total"));
    for metric in single {
        assert!(
            shown.contains_key(metric.name),
            "{} is not there from the start",
            metric.name
        );
    }
    for name in [
        "daybook_ready",
        "daybook_build_info",
        "daybook_seals_on",
        "process_resident_memory_bytes",
    ] {
        let value = shown[name].series[0].value;
        assert!(value >= 1.0, "{name} is {value}");
    }
    process.kill();
}

/// How many commands of this name have come to this.
fn counted(shown: &BTreeMap<String, Family>, command: &str, outcome: &str) -> f64 {
    let series = shown
        .get("daybook_commands_total")
        .map_or(&[][..], |family| &family.series);
    let is_it = |series: &&Series| series.labels["command"] == command && series.labels["outcome"] == outcome;
    let mut of_it = series.iter().filter(is_it);
    of_it.next().map_or(0.0, |series| series.value)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_is_counted_under_its_name_by_what_became_of_it_and_a_made_up_one_under_none() {
    let database = Database::create().await;
    let process = started(&database).await;
    let admin = service::administrator(&database, &process.url, Uuid::new_v4()).await;
    let part = format!("/v1/cloudwatcher/parts/{}", Uuid::now_v7());
    let body = json!({"part_code": "M-2", "name": "Nut"});
    let keyed = || {
        admin
            .request(Method::POST, &format!("{part}/enter"))
            .header("Idempotency-Key", "once")
    };
    admin.send(keyed().json(&body)).await.ok();
    admin.send(keyed().json(&body)).await.ok();
    let dry = admin
        .request(Method::POST, &format!("{part}/amend"))
        .header("Daybook-Dry-Run", "true");
    admin.send(dry.json(&json!({"name": "Wing nut"}))).await.ok();
    // Its code is taken by then.
    admin.post("/v1/cloudwatcher/parts", &body).await.problem(409);
    admin
        .post(&format!("{part}/amend"), &json!({"name": 7}))
        .await
        .problem(400);
    let stranger: Client = service::person(&admin, admin.tenant, &["cloudwatcher.parts.read"], &[]).await;
    stranger.post(&format!("{part}/strike"), &json!({})).await.problem(403);
    admin
        .post(&format!("{part}/made-up-7f3a9c"), &json!({}))
        .await
        .problem(404);
    admin
        .post("/v1/cloudwatcher/made-up-7f3a9c", &json!({}))
        .await
        .problem(404);

    let shown = shown(&process).await;
    for (command, outcome) in [
        ("enter", "accepted"),
        ("enter", "repeated"),
        ("enter", "conflict"),
        ("amend", "rehearsed"),
        ("amend", "malformed"),
        ("strike", "forbidden"),
    ] {
        let command = format!("cloudwatcher.part.{command}");
        assert_eq!(
            counted(&shown, &command, outcome),
            1.0,
            "{command} {outcome}: {:?}",
            shown["daybook_commands_total"]
        );
    }
    let contexts = tests::contexts();
    let known: BTreeSet<String> = contexts
        .decisions()
        .aggregates()
        .flat_map(|kind| {
            contexts
                .commands(kind)
                .iter()
                .map(|command| http::command::permission(kind, command))
        })
        .collect();
    for name in ["daybook_commands_total", "daybook_command_seconds"] {
        for series in &shown[name].series {
            let command = &series.labels["command"];
            assert!(known.contains(command), "{command} is a label, and no command");
        }
    }
    process.kill();
}
