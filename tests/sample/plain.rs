//! Plain kinds over HTTP: keys that are numbers, codes and several fields, and columns of every kind.

use std::collections::BTreeSet;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Client, Service};
use uuid::Uuid;

use crate::context;

const COLOURS: &str = "/v1/sample/colours";
const DRAWERS: &str = "/v1/sample/drawers";
const RATES: &str = "/v1/sample/rates";
const TINS: &str = "/v1/sample/tins";

fn escaped(key: &str) -> String {
    utf8_percent_encode(key, NON_ALPHANUMERIC).to_string()
}

/// Sends a command that must be accepted; where what it made can be read, and the position of its event.
async fn made(client: &Client, path: &str, body: Value) -> (String, i64) {
    let reply = client.post(path, &body).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.text);
    let location = reply
        .headers
        .get("location")
        .map(|location| location.to_str().unwrap().to_owned());
    let position = reply.position();
    (location.unwrap_or_default(), position)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_are_given_by_daybook_run_by_themselves_in_each_tenant_and_address_their_entries() {
    let service = Service::of(context::alone()).await;
    let admin = &service.admin;
    let (first, _) = made(admin, DRAWERS, json!({"label": "Screws"})).await;
    assert_eq!(first, format!("{DRAWERS}/1"));
    // Many at once: each gets one of its own.
    let many = (0..12).map(|n| async move { made(admin, DRAWERS, json!({"label": format!("No. {n}")})).await.0 });
    let places: BTreeSet<String> = futures::future::join_all(many).await.into_iter().collect();
    assert_eq!(places.len(), 12, "{places:?}");

    // Nobody chooses one, and none is begun under one that was not given.
    for (path, body) in [
        (DRAWERS.to_owned(), json!({"label": "Nuts", "drawer_id": 77})),
        (format!("{first}/amend"), json!({"drawer_id": 77})),
    ] {
        let refused = admin.post(&path, &body).await.problem(400);
        assert_eq!(refused["field"], "drawer_id");
    }
    let refused = admin
        .post(&format!("{DRAWERS}/77/enter"), &json!({"label": "Nuts"}))
        .await;
    assert_eq!(refused.problem(422)["rule"], "numbered");
    let wrong = admin
        .post(&format!("{DRAWERS}/007/strike"), &json!({}))
        .await
        .problem(400);
    assert_eq!(wrong["detail"], "id must be drawer_id, or the uuid of the stream");

    // Amended, struck and entered again by its number, which it keeps.
    let (_, position) = made(admin, &format!("{first}/amend"), json!({"capacity": 20})).await;
    let row = admin.get_after(&first, position).await.ok();
    assert_eq!(
        (&row["drawer_id"], &row["capacity"], &row["version"]),
        (&json!(1), &json!(20), &json!(2))
    );
    assert_eq!(
        (&row["created_by"], &row["@stream"]["sequence"]),
        (&json!(admin.user), &json!(2))
    );
    made(admin, &format!("{first}/strike"), json!({})).await;
    let (_, position) = made(admin, &format!("{first}/enter"), json!({"label": "Screws again"})).await;
    let row = admin.get_after(&first, position).await.ok();
    assert_eq!(
        (&row["drawer_id"], &row["label"], &row["is_active"]),
        (&json!(1), &json!("Screws again"), &json!(true))
    );
    let history = admin.get(&format!("{first}/history")).await.ok();
    assert_eq!(history["changes"].as_array().unwrap().len(), 4, "{history}");

    // A dry run gives none away, and a repeat gets the first answer.
    let dry = admin.request(Method::POST, DRAWERS).header("Daybook-Dry-Run", "true");
    admin.send(dry.json(&json!({"label": "Dry"}))).await.ok();
    let keyed = || {
        admin
            .request(Method::POST, DRAWERS)
            .header("Idempotency-Key", "k")
            .json(&json!({"label": "Keyed"}))
    };
    let (one, again) = (admin.send(keyed()).await, admin.send(keyed()).await);
    assert_eq!(one.headers["location"], format!("{DRAWERS}/14"));
    assert_eq!(
        (&one.headers["location"], &one.text),
        (&again.headers["location"], &again.text)
    );

    let other = Service::start_tenant(&service).await;
    let (place, position) = made(&other, DRAWERS, json!({"label": "Screws"})).await;
    assert_eq!(place, first, "another tenant's begin with 1, too");
    assert_eq!(other.get_after(&first, position).await.ok()["label"], "Screws");
    assert_eq!(admin.get(&first).await.ok()["label"], "Screws again");
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_with_any_character_works_in_every_address() {
    let service = Service::of(context::alone()).await;
    let admin = &service.admin;
    let long: String = "名前€ж🜁/\"'%+ ?#&=".chars().cycle().take(199).chain(['x']).collect();
    for code in [
        "red",
        "a/b",
        "100%",
        "%2F",
        "\"quoted\" & 'so'",
        "what? #1",
        "..a",
        "ü/é",
        &long,
    ] {
        let (place, _) = made(admin, COLOURS, json!({"code": code, "name": "One"})).await;
        assert!(place.starts_with(&format!("{COLOURS}/")), "{place}");
        let by_hand = format!("{COLOURS}/{}", escaped(code));
        let (_, position) = made(admin, &format!("{by_hand}/amend"), json!({"name": "Two"})).await;
        for address in [&place, &by_hand] {
            let row = admin.get_after(address, position).await.ok();
            assert_eq!((&row["code"], &row["name"]), (&json!(code), &json!("Two")), "{address}");
        }
        let history = admin.get(&format!("{by_hand}/history")).await.ok();
        assert_eq!(history["changes"].as_array().unwrap().len(), 2, "{code}");
        let past = admin.get(&format!("{by_hand}?at={}", position - 1)).await.ok();
        assert_eq!(past["name"], "One", "{code}");

        // The same within a key of several fields.
        let body = json!({"shop": format!("{}/%", code.chars().take(90).collect::<String>()), "colour": code, "day": "2026-01-31", "price": "1.125"});
        let (rate, position) = made(admin, RATES, body.clone()).await;
        let row = admin.get_after(&rate, position).await.ok();
        assert_eq!(
            (&row["shop"], &row["colour"], &row["price"]),
            (&body["shop"], &json!(code), &json!("1.125"))
        );
        let (_, position) = made(admin, &format!("{rate}/strike"), json!({})).await;
        admin.get_after(&rate, position).await.problem(404);
        let gone = admin.get(&format!("{RATES}?changed=gt.{}", position - 1)).await.ok();
        let key = percent_encoding::percent_decode_str(rate.rsplit('/').next().unwrap());
        assert_eq!(gone["gone"], json!([key.decode_utf8().unwrap()]), "{gone}");
    }
    for (code, said) in [
        (".", "dots alone"),
        ("..", "dots alone"),
        (" red", "blank"),
        ("a\tb", "tabs"),
        ("0190a3c4-7f00-7000-8000-1234567890ab", "uuid"),
    ] {
        let refused = admin
            .post(COLOURS, &json!({"code": code, "name": "One"}))
            .await
            .problem(422);
        assert_eq!(refused["field"], "code");
        assert!(refused["detail"].as_str().unwrap().contains(said), "{refused}");
    }
    // The key of an entry is what it says, whatever stream it is sent to.
    let elsewhere = admin
        .post(
            &format!("{COLOURS}/violet/enter"),
            &json!({"code": "blue", "name": "Blue"}),
        )
        .await;
    assert_eq!(elsewhere.problem(422)["rule"], "elsewhere");
    let stays = admin
        .post(&format!("{COLOURS}/red/amend"), &json!({"code": "blue"}))
        .await
        .problem(422);
    assert_eq!(stays["field"], "code");
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_type_of_column_reads_as_it_was_sent_and_as_its_past_is_folded() {
    let service = Service::of(context::alone()).await;
    let admin = &service.admin;
    made(admin, DRAWERS, json!({"label": "Screws"})).await;
    let body = json!({
        "drawer": 1, "mark": "A/1", "lid": "pressed-on", "filled_by": "ada@example.com",
        "content": {"a": [1, "ü"]}, "weight": "-12.3456", "made": 4_999_999_999_i64,
        "closed_at": "2026-01-31T08:00:00.5+02:00", "keeps_until": "2027-12-31", "opened": "08:30:15.25",
        "stays_open": "P1Y2M3DT36H90M6.5S", "picture": "AP8KdGVzdCBvZiBieXRlcyB0aGF0IGFyZSBsb25nZXIgdGhhbiBhIGxpbmUgb2YgYmFzZTY0IGlzIGluIFBvc3RncmVzLCB3aGljaCBpcyA3Ng==",
        "names": ["a \"b\"", "c\\d", "{e,f}", ], "vector": [0.1, -2.0, 3.5],
    });
    let (tin, position) = made(admin, TINS, body).await;
    let row = admin.get_after(&tin, position).await.ok();
    for (column, value) in [
        ("weight", json!("-12.3456")),
        ("made", json!(4_999_999_999_i64)),
        ("closed_at", json!("2026-01-31T06:00:00.500000Z")),
        ("opened", json!("08:30:15.25")),
        ("stays_open", json!("P1Y2M3DT37H30M6.5S")),
        ("names", json!(["a \"b\"", "c\\d", "{e,f}"])),
        ("content", json!({"a": [1, "ü"]})),
        ("is_kept", json!(true)),
    ] {
        assert_eq!(row[column], value, "{column}");
    }
    // What Postgres holds is what the events fold to.
    let mut told = row.clone();
    told.as_object_mut().unwrap().remove("@stream");
    assert_eq!(admin.get(&format!("{tin}?at={position}")).await.ok(), told);

    // A second one brings the statement for many rows in; the first is amended and forgotten.
    let (_, position) = made(
        admin,
        &format!("{tin}/amend"),
        json!({"opened": null, "names": [], "weight": 0}),
    )
    .await;
    let row = admin.get_after(&tin, position).await.ok();
    assert_eq!(
        (&row["opened"], &row["names"], &row["weight"]),
        (&Value::Null, &json!([]), &json!("0.00"))
    );
    let (_, position) = made(admin, &format!("{tin}/forget-contacts"), json!({})).await;
    assert_eq!(admin.get_after(&tin, position).await.ok()["filled_by"], Value::Null);
    service.end().await;
}

/// Lines of the document that one more plain table may take, and each field beyond five besides.
const LINES_MAX: usize = 200;
const LINES_OF_A_FIELD_MAX: usize = 6;
const FIELDS: usize = 5;

#[test]
fn a_plain_table_takes_at_most_two_hundred_lines_of_the_document() {
    let documents = http::openapi::documents(&context::alone());
    let (_, document) = documents.iter().find(|(name, _)| *name == "sample").unwrap();
    let of = |kind: &str, table: &str| {
        let is_its = |name: &str| {
            let begins = |start: String| {
                name == start || name.starts_with(&format!("{start}/")) || name.starts_with(&format!("{start}."))
            };
            begins(format!("/v1/sample/{table}"))
                || begins(format!("sample.{kind}"))
                || begins(format!("sample.{table}"))
        };
        let part = |of: &Value| -> Value {
            let entries = of.as_object().unwrap().iter().filter(|(name, _)| is_its(name));
            entries
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        let parts = [part(&document["paths"]), part(&document["components"]["schemas"])];
        parts
            .iter()
            .map(|part| http::openapi::written(part).lines().count())
            .sum::<usize>()
    };
    let lists = sample::CONTEXT
        .aggregates
        .iter()
        .filter_map(|kind| Some((kind.name(), kind.plain?)));
    for (kind, list) in lists {
        let lines = of(kind, list.table);
        println!("{}: {lines} lines", list.table);
        let more = list.fields.len().saturating_sub(FIELDS) * LINES_OF_A_FIELD_MAX;
        assert!(
            (60..=LINES_MAX + more).contains(&lines),
            "{} takes {lines} lines",
            list.table
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_is_wrong_with_a_body_is_told_at_once_by_field_and_limit() {
    let service = Service::of(context::alone()).await;
    let admin = &service.admin;
    made(admin, COLOURS, json!({"code": "red", "name": "Red"})).await;
    let wrong = json!({"label": "x".repeat(41), "capacity": 501, "colour": "blue"});
    let refused = admin.post(DRAWERS, &wrong).await.problem(422);
    assert_eq!(
        (&refused["rule"], &refused["field"]),
        (&json!("unfit"), &json!("label"))
    );
    let told: Vec<(&str, &str)> = refused["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| (problem["field"].as_str().unwrap(), problem["detail"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("label", "label is 41 characters long; at most 40 are allowed"),
            ("capacity", "capacity is 501; it must be from 1 to 500"),
            ("colour", "colour names no colour in use; enter it or choose another"),
        ]
    );
    // What is struck is named, too, and so is what another tenant has.
    made(admin, &format!("{COLOURS}/red/strike"), json!({})).await;
    let other = Service::start_tenant(&service).await;
    made(&other, COLOURS, json!({"code": "green", "name": "Green"})).await;
    for colour in ["red", "green"] {
        let refused = admin
            .post(DRAWERS, &json!({"label": "A", "colour": colour}))
            .await
            .problem(422);
        assert_eq!(
            (&refused["rule"], &refused["field"]),
            (&json!("reference"), &json!("colour"))
        );
    }
    // Labels alike are one.
    made(admin, DRAWERS, json!({"label": "Nuts"})).await;
    let taken = admin.post(DRAWERS, &json!({"label": " nuts"})).await.problem(409);
    assert_eq!(
        (&taken["field"], &taken["claim"]),
        (&json!("label"), &json!("drawers.label"))
    );
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_column_holds_as_it_was_said_is_refused_by_its_field() {
    let service = Service::of(context::alone()).await;
    let admin = &service.admin;
    made(admin, DRAWERS, json!({"label": "Screws"})).await;
    let tin = |field: &str, value: Value| {
        let mut tin = json!({"drawer": 1, "mark": "A", "lid": "screwed"});
        tin[field] = value;
        tin
    };
    for (field, value, status) in [
        // Postgres means eternity by this one.
        (
            "stays_open",
            json!("P178956970Y7M2147483647DT2562047788H54.775807S"),
            422,
        ),
        ("opened", json!("23:59:60.5"), 422),
        ("closed_at", json!("2026-11-30T23:59:60.5Z"), 400),
        // Few bytes that a column writes out.
        ("content", json!([1e308, 1e308, 1e308, 1e308, 1e308, 1e308, 1e308]), 422),
        // Words are texts, and no objects.
        ("lid", json!({"screwed": null}), 400),
        ("lid", json!(7), 400),
    ] {
        let refused = admin.post(TINS, &tin(field, value)).await.problem(status);
        assert_eq!(refused["field"], field, "{refused}");
        if field == "lid" {
            assert_eq!(refused["detail"], "lid must be one of screwed, pressed-on");
        }
    }
    // What somebody says in a form of their own is no time of ours.
    let free = tin("content", json!({"at": "2026-11-30T23:59:60Z", "of": {"a": null}}));
    made(admin, TINS, free).await;
    // Codes that look the same are one, or none.
    for code in ["x\u{200b}", "e\u{301}", "\u{feff}x", "\u{202e}abc"] {
        let colour = json!({"code": code, "name": "Red"});
        let refused = admin.post(COLOURS, &colour).await.problem(422);
        assert_eq!(refused["field"], "code", "{refused}");
    }
    for nobody in [Uuid::nil(), Uuid::max()] {
        let path = format!("{TINS}/{nobody}/enter");
        admin.post(&path, &tin("made", json!(1))).await.problem(400);
    }
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeats_and_what_cannot_be_read_take_no_number() {
    let service = Service::of(context::alone()).await;
    let admin = &service.admin;
    let path = DRAWERS;
    for _ in 0..3 {
        let request = admin
            .request(Method::POST, path)
            .header("Idempotency-Key", "once")
            .json(&json!({"label": "Screws"}));
        let reply = admin.send(request).await;
        assert_eq!(reply.headers["location"], format!("{DRAWERS}/1").as_str());
    }
    for unread in [
        json!({}),
        json!({"label": 7}),
        json!({"label": "Nuts", "colours": "red"}),
    ] {
        admin.post(path, &unread).await.problem(400);
    }
    let (next, _) = made(admin, path, json!({"label": "Nuts"})).await;
    assert_eq!(next, format!("{DRAWERS}/2"));
    service.end().await;
}
