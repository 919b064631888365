//! Dashboard, alerts and compose file name what there is: a metric, a label or a setting that does not exist fails by name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use clap::ValueEnum as _;
use daybook::Role;
use http::metric::{Kind, Metric};
use regex::Regex;
use serde_json::Value;
use tests::metrics::{known, of_series};

/// Labels that the collector adds to every series, and what the alert's own text may name.
const OF_TARGETS: [&str; 2] = ["instance", "job"];
/// What the collector itself measures.
const OF_COLLECTOR: [&str; 1] = ["up"];
/// Words of the query language that look like names of metrics.
const WORDS: [&str; 17] = [
    "absent",
    "and",
    "avg",
    "by",
    "clamp_min",
    "count",
    "histogram_quantile",
    "increase",
    "max",
    "min",
    "offset",
    "or",
    "rate",
    "sum",
    "topk",
    "unless",
    "without",
];

fn file(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

fn yaml(path: &str) -> Value {
    serde_yaml_ng::from_str(&file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What is wrong with the names in a query, by name; and the labels that its outcome may have.
fn held(query: &str, known: &BTreeMap<&'static str, Metric>) -> (Vec<String>, BTreeSet<String>) {
    let pattern = |pattern: &str| Regex::new(pattern).unwrap();
    let (mut wrong, mut labels): (Vec<String>, BTreeSet<String>) = (Vec::new(), OF_TARGETS.map(str::to_owned).into());
    // Without what stands in quotes, which names nothing.
    let bare = pattern(r#""[^"]*""#).replace_all(query, "\"\"").into_owned();
    let grouped = pattern(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)");
    let without_groups = grouped.replace_all(&bare, " ").into_owned();
    let series = pattern(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(\{[^}]*\})?");
    let matcher = pattern(r"([a-zA-Z_]+)\s*(?:=~|!~|!=|=)");
    // Spans of time are no names.
    let without_spans = pattern(r"\[[^\]]*\]|\b\d+(\.\d+)?[a-z]*\b")
        .replace_all(&without_groups, " ")
        .into_owned();
    for found in series.captures_iter(&without_spans) {
        let name = &found[1];
        if WORDS.contains(&name) || OF_COLLECTOR.contains(&name) {
            continue;
        }
        let Some(metric) = of_series(known, name) else {
            wrong.push(format!("there is no metric {name}"));
            continue;
        };
        let mut own: BTreeSet<String> = metric.labels.iter().map(|label| (*label).to_owned()).collect();
        if metric.kind == Kind::Histogram && name.ends_with("_bucket") {
            own.insert("le".to_owned());
        }
        let matchers = found.get(2).map_or("", |matchers| matchers.as_str());
        for label in matcher.captures_iter(matchers).map(|found| found[1].to_owned()) {
            if !own.contains(&label) && !OF_TARGETS.contains(&label.as_str()) {
                wrong.push(format!("{name} has no label {label}"));
            }
        }
        labels.extend(own);
    }
    for group in grouped.captures_iter(&bare) {
        for label in group[1].split(',').map(str::trim).filter(|label| !label.is_empty()) {
            if !labels.contains(label) {
                wrong.push(format!("nothing in {query} has a label {label} to group by"));
            }
        }
    }
    (wrong, labels)
}

/// The labels that a text names: `{{ $labels.x }}` of an alert, `{{x}}` of a legend.
fn named(text: &str, pattern: &str) -> Vec<String> {
    let pattern = Regex::new(pattern).unwrap();
    pattern.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("{pointer} is missing in {value}"))
}

#[test]
fn a_query_that_names_what_there_is_not_is_told_by_name() {
    let known = known();
    for (query, wrong) in [
        (
            "sum by (context) (rate(daybook_projector_events_total{context=~\"a|b\"}[5m])) > 0.5",
            &[][..],
        ),
        (
            "histogram_quantile(0.99, sum by (le, command) (rate(daybook_command_seconds_bucket[5m])))",
            &[],
        ),
        ("up{job=\"daybook\"} == 0", &[]),
        (
            "daybook_projector_events > 1",
            &["there is no metric daybook_projector_events"],
        ),
        (
            "daybook_command_seconds > 1",
            &["there is no metric daybook_command_seconds"],
        ),
        ("daybook_ready{pool=\"x\"} == 0", &["daybook_ready has no label pool"]),
        (
            "sum by (tenant) (daybook_ready)",
            &["nothing in sum by (tenant) (daybook_ready) has a label tenant to group by"],
        ),
    ] {
        assert_eq!(held(query, &known).0, wrong, "{query}");
    }
}

#[test]
fn the_dashboard_names_metrics_and_labels_that_there_are_and_shows_what_is_asked_of_it() {
    let dashboard: Value = serde_json::from_str(&file("deploy/grafana/daybook.json")).unwrap();
    let known = known();
    let (mut wrong, mut shown) = (Vec::new(), String::new());
    let panels = dashboard["panels"].as_array().unwrap();
    for target in panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().into_iter().flatten())
    {
        // Variables of the dashboard.
        let query = text(target, "/expr").replace("$__rate_interval", "5m");
        let (found, labels) = held(&query, &known);
        wrong.extend(found);
        for label in named(text(target, "/legendFormat"), r"\{\{\s*([a-z_]+)\s*\}\}") {
            if !labels.contains(&label) {
                wrong.push(format!("nothing in {query} has the label {label} of its legend"));
            }
        }
        shown.push_str(&query);
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        if variable["type"] == "query" {
            let query = text(variable, "/query/query");
            let (name, label) = query
                .strip_prefix("label_values(")
                .and_then(|rest| rest.strip_suffix(')')?.split_once(", "))
                .unwrap();
            assert!(
                of_series(&known, name).is_some() && OF_TARGETS.contains(&label),
                "{query}"
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let mut ids: Vec<i64> = panels.iter().map(|panel| panel["id"].as_i64().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
    // Each metric is there, but those that say what another one says of the same.
    let said_by_others = [
        "daybook_projector_position",
        "daybook_relay_position",
        "daybook_policy_aside_total",
        "daybook_policy_readings_total",
        "daybook_policy_newer_needed_total",
        "daybook_principals_read_total",
        "daybook_projector_beyond_total",
        "daybook_bus_consumers_refused_total",
        "daybook_bus_streams_made_total",
        "daybook_reaction_commands_total",
        "daybook_objects_removed_total",
        "daybook_objects_removed_bytes_total",
        "daybook_worker_failures_total",
        "daybook_lead_sessions_lost_total",
        "daybook_tasks_lost_total",
        "daybook_responses_awaited",
    ];
    let missing: Vec<&str> = known.keys().copied().filter(|name| !shown.contains(name)).collect();
    assert_eq!(
        BTreeSet::from_iter(missing),
        BTreeSet::from(said_by_others),
        "what the dashboard does not show"
    );
}

#[test]
fn every_alert_names_metrics_and_labels_that_there_are_and_says_what_to_do_and_where_that_stands() {
    let rules = yaml("deploy/prometheus/rules.yml");
    let known = known();
    let (mut wrong, mut names) = (Vec::new(), BTreeSet::new());
    let groups = rules["groups"].as_array().unwrap();
    for rule in groups.iter().flat_map(|group| group["rules"].as_array().unwrap()) {
        let (name, query) = (text(rule, "/alert"), text(rule, "/expr"));
        assert!(names.insert(name.to_owned()), "{name} is there twice");
        let (found, labels) = held(query, &known);
        wrong.extend(found.into_iter().map(|found| format!("{name}: {found}")));
        assert!(["page", "ticket"].contains(&text(rule, "/labels/severity")), "{name}");
        let (summary, description) = (
            text(rule, "/annotations/summary"),
            text(rule, "/annotations/description"),
        );
        for label in named(&format!("{summary}{description}"), r"\$labels\.([a-z_]+)") {
            if !labels.contains(&label) {
                wrong.push(format!(
                    "{name}: its text names the label {label}, which nothing in its query has"
                ));
            }
        }
        // Metrics that the text tells people to look at.
        for metric in named(description, r"\b(daybook_[a-z_]+)") {
            if of_series(&known, &metric).is_none() && !known.contains_key(metric.as_str()) {
                wrong.push(format!("{name}: its text names {metric}, which is no metric"));
            }
        }
        wrong.extend(pages(description).into_iter().map(|page| format!("{name}: {page}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(names.len() >= 20, "{names:?}");
}

/// What is wrong with the pages that an alert sends people to: each is there, with the headings that are named behind it.
fn pages(description: &str) -> Vec<String> {
    let page = Regex::new(r"((?:docs/)?[A-Za-z]+\.md)(?:, ([A-Z][A-Za-z]+(?: [a-z]+)*))?").unwrap();
    let mut found = page.captures_iter(description).peekable();
    if found.peek().is_none() {
        return vec!["its text names no page to read".to_owned()];
    }
    let wrong = found.filter_map(|found| {
        let (path, heading) = (&found[1], found.get(2).map(|heading| heading.as_str()));
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).ok();
        let Some(text) = text else {
            return Some(format!("there is no page {path}"));
        };
        let heading = heading?;
        // What follows in the sentence may go on with it, and the heading may be longer than it is called.
        let is_meant = |line: &str| {
            let told = line.trim_start_matches('#').trim();
            line.starts_with('#') && (heading.starts_with(told) || told.starts_with(heading))
        };
        (!text.lines().any(is_meant)).then(|| format!("{path} has no heading {heading}"))
    });
    wrong.collect()
}

#[test]
fn compose_without_a_profile_starts_the_two_servers_and_with_all_everything_with_secrets_from_files() {
    let compose = yaml("docker-compose.yml");
    let services = compose["services"].as_object().unwrap();
    let of_profile = |profile: Option<&str>| -> BTreeSet<&str> {
        let is_of = |service: &Value| {
            service["profiles"]
                .as_array()
                .and_then(|all| all.first())
                .and_then(Value::as_str)
                == profile
        };
        services
            .iter()
            .filter(|(_, service)| is_of(service))
            .map(|(name, _)| name.as_str())
            .collect()
    };
    assert_eq!(
        of_profile(None),
        BTreeSet::from(["nats", "postgres"]),
        "what ./dev uses"
    );
    assert_eq!(of_profile(Some("all")), BTreeSet::from(["daybook", "migrate"]));
    let secrets = compose["secrets"].as_object().unwrap();
    // The names of secrets that the program reads, as its help lists them.
    let help = daybook::config::secrets::help();
    let mut used = BTreeSet::new();
    for name in ["migrate", "daybook"] {
        let service = &services[name];
        assert_eq!(service["read_only"], true, "{name}");
        for (variable, value) in service["environment"].as_object().unwrap() {
            let Some(secret) = variable.strip_suffix("_FILE") else {
                assert!(
                    !help.contains(variable.as_str()),
                    "{name} has the secret {variable} in its environment"
                );
                continue;
            };
            assert!(help.contains(secret), "{name}: {secret} is no secret of the program");
            let file = value
                .as_str()
                .and_then(|path| path.strip_prefix("/run/secrets/"))
                .unwrap();
            assert!(
                service["secrets"].as_array().unwrap().iter().any(|given| given == file),
                "{name} is not given {file}"
            );
            used.insert(file.to_owned());
        }
        assert_eq!(
            service["secrets"].as_array().unwrap().len(),
            service["environment"]
                .as_object()
                .unwrap()
                .keys()
                .filter(|key| key.ends_with("_FILE"))
                .count()
        );
    }
    assert_eq!(
        used,
        secrets.keys().cloned().collect(),
        "secrets that nobody uses, or that are not declared"
    );
    assert!(
        services["daybook"]["environment"].get("DATABASE_URL_FILE").is_none(),
        "who serves is not the owner"
    );
    assert_eq!(
        services["daybook"]["depends_on"]["migrate"]["condition"],
        "service_completed_successfully"
    );
    assert_eq!(
        services["migrate"]["depends_on"]["postgres"]["condition"],
        "service_healthy"
    );
}

#[test]
fn dev_up_and_whoever_names_no_roles_run_all_that_there_are() {
    let all: Vec<String> = Role::value_variants()
        .iter()
        .filter_map(|role| Some(role.to_possible_value()?.get_name().to_owned()))
        .collect();
    let line = format!("roles={}", all.join(","));
    assert!(
        file("scripts/stack.sh").lines().any(|found| found == line),
        "./dev up: {line}"
    );
    let command = daybook::cli::command(&tests::contexts());
    let serve = command.find_subcommand("serve").unwrap();
    let roles = serve
        .get_arguments()
        .find(|argument| argument.get_id() == "roles")
        .unwrap();
    let by_default: Vec<&str> = roles
        .get_default_values()
        .iter()
        .filter_map(|value| value.to_str())
        .collect();
    assert_eq!(by_default, all, "serve, as the image begins it");
}

#[test]
fn the_script_draws_each_secret_that_compose_mounts_and_takes_none_away() {
    let folder = std::env::temp_dir().join(format!("daybook-{}", uuid::Uuid::new_v4().simple()));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/image.sh");
    let draw = || {
        std::process::Command::new(&script)
            .arg("secrets")
            .arg(&folder)
            .output()
            .unwrap()
    };
    assert!(draw().status.success());
    let compose = yaml("docker-compose.yml");
    for (name, secret) in compose["secrets"].as_object().unwrap() {
        let file = secret["file"]
            .as_str()
            .and_then(|file| file.rsplit('/').next())
            .unwrap();
        let text = fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(text.trim().len() >= 32, "{name} is short");
    }
    // The servers are told the passwords that the addresses have.
    let servers = fs::read_to_string(folder.join("servers.env")).unwrap();
    for (file, variable) in [
        ("owner_url", "DAYBOOK_POSTGRES_PASSWORD"),
        ("nats_url", "DAYBOOK_NATS_PASSWORD"),
    ] {
        let url = reqwest::Url::parse(fs::read_to_string(folder.join(file)).unwrap().trim()).unwrap();
        let line = format!("{variable}={}\n", url.password().unwrap());
        assert!(servers.contains(&line), "{variable}");
    }
    let before = fs::read(folder.join("master_key")).unwrap();
    assert!(!draw().status.success(), "a folder of secrets is not drawn anew");
    assert_eq!(fs::read(folder.join("master_key")).unwrap(), before);
    fs::remove_dir_all(folder).unwrap();
}
