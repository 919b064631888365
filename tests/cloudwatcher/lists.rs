//! Lists as clients ask for them: words that mean something, conditions, orders, and what changed since.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Client, Service};
use uuid::Uuid;

const PARTS: &str = "/v1/cloudwatcher/parts";
const OFFERS: &str = "/v1/cloudwatcher/part_suppliers";

async fn done(client: &Client, path: &str, body: Value) -> i64 {
    let reply = client.post(path, &body).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.text);
    reply.position()
}

/// Parts of these codes and categories, in this order; the position of the last.
async fn parts(admin: &Client, parts: &[(&str, Option<&str>)]) -> i64 {
    let mut position = 0;
    for (code, category) in parts {
        let body = json!({"part_code": code, "name": code, "category": category});
        position = done(admin, PARTS, body).await;
    }
    position
}

fn codes(page: &Value) -> Vec<&str> {
    let rows = page["rows"].as_array().unwrap().iter();
    rows.map(|row| row["part_code"].as_str().unwrap()).collect()
}

/// The codes of all pages of so many rows.
async fn paged(admin: &Client, query: &str, limit: usize) -> Vec<String> {
    let (mut found, mut next) = (Vec::new(), String::new());
    loop {
        let page = admin.get(&format!("{PARTS}?{query}&limit={limit}{next}")).await.ok();
        found.extend(codes(&page).into_iter().map(str::to_owned));
        match page["next"].as_str() {
            Some(after) => {
                assert!(!codes(&page).is_empty(), "{page}");
                next = format!("&after={after}");
            }
            None => return found,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_understands_a_kind_of_stream_in_every_form_and_refuses_words_that_mean_nothing() {
    let service = Service::start().await;
    let admin = &service.admin;
    parts(admin, &[("A", None), ("B", None)]).await;
    for query in [
        "aggregate=cloudwatcher.part",
        "aggregate=part",
        "context=cloudwatcher&aggregate=part",
        "context=cloudwatcher&aggregate=cloudwatcher.part",
        "aggregate=%2Fdaybook%2Fcloudwatcher.part",
        "context=cloudwatcher",
        "type=cloudwatcher.part.PartEntered",
        "type=PartEntered",
        "type=part.PartEntered&context=cloudwatcher",
    ] {
        let log = admin.get(&format!("/v1/events?{query}")).await.ok();
        assert_eq!(log["events"].as_array().unwrap().len(), 2, "{query}: {log}");
    }
    for (query, field, known) in [
        ("context=cloudwacher", "context", "cloudwatcher"),
        ("aggregate=parts", "aggregate", "cloudwatcher.part"),
        (
            "context=identity&aggregate=cloudwatcher.part",
            "aggregate",
            "identity.user",
        ),
        ("type=PartEnterd", "type", "PartEntered"),
        ("aggregate=order&type=PartEntered", "type", "OrderPlaced"),
    ] {
        for path in ["/v1/events", "/v1/events/stream"] {
            let reply = admin.send(admin.request(Method::GET, &format!("{path}?{query}"))).await;
            let problem = reply.problem(400);
            assert_eq!(problem["field"], field, "{path}?{query}: {problem}");
            let allowed = problem["allowed"].as_array().unwrap();
            assert!(allowed.contains(&json!(known)), "{path}?{query}: {problem}");
        }
    }
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conditions_are_negated_joined_and_compared_whatever_the_case_and_null_is_not_any_value() {
    let service = Service::start().await;
    let admin = &service.admin;
    let position = parts(
        admin,
        &[
            ("Bolt-1", Some("steel")),
            ("bolt-2", None),
            ("Nut, M8", Some("brass")),
            ("nut-9", Some("steel")),
        ],
    )
    .await;
    admin.get_after(PARTS, position).await.ok();
    for (query, expected) in [
        ("category=neq.steel", vec!["bolt-2", "Nut, M8"]),
        ("category=not.eq.steel", vec!["bolt-2", "Nut, M8"]),
        ("category=not.is.null", vec!["Bolt-1", "Nut, M8", "nut-9"]),
        ("category=not.in.(steel,brass)", vec!["bolt-2"]),
        ("part_code=ilike.bolt%25", vec!["Bolt-1", "bolt-2"]),
        ("part_code=like.bolt%25", vec!["bolt-2"]),
        ("part_code=not.ilike.bolt%25&category=brass", vec!["Nut, M8"]),
        ("or=(category.eq.brass,category.is.null)", vec!["bolt-2", "Nut, M8"]),
        (
            "or=(part_code.eq.%22Nut,%20M8%22,part_code.not.ilike.nut%25)",
            vec!["Bolt-1", "bolt-2", "Nut, M8"],
        ),
        (
            "or=(category.eq.steel,category.is.null)&or=(part_code.ilike.nut%25,part_code.like.bolt%25)",
            vec!["bolt-2", "nut-9"],
        ),
    ] {
        let page = admin.get(&format!("{PARTS}?{query}&order=created_at.asc")).await.ok();
        assert_eq!(codes(&page), expected, "{query}");
    }
    for query in [
        "part_code=xlike.x",
        "part_code=not.xlike.x",
        "part_code=not.bolt",
        "or=(part_code.xlike.x)",
    ] {
        let problem = admin.get(&format!("{PARTS}?{query}")).await.problem(400);
        let allowed = problem["allowed"].as_array().unwrap();
        assert!(allowed.contains(&json!("ilike.")), "{query}: {problem}");
    }
    let many = vec!["category.eq.a"; 21].join(",");
    admin.get(&format!("{PARTS}?or=({many})")).await.problem(400);

    // Who must not see a column must not ask by it in an `or` either.
    let clerk = service.person(&["cloudwatcher.users.read"], &[]).await;
    let users = "/v1/cloudwatcher/users";
    clerk
        .get(&format!("{users}?or=(email.like.a%25,name.eq.x)"))
        .await
        .problem(403);
    clerk
        .get(&format!("{users}?order=is_active,oauth_id.desc"))
        .await
        .problem(403);
    clerk
        .get(&format!("{users}?or=(is_active.eq.true,name.eq.x)"))
        .await
        .ok();
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_follow_each_other_without_a_seam_whatever_orders_them() {
    let service = Service::start().await;
    let admin = &service.admin;
    let category = [
        Some("steel"),
        None,
        Some("brass"),
        None,
        Some("steel"),
        Some("brass"),
        None,
    ];
    let names: Vec<String> = (0..category.len()).map(|n| format!("P-{n}")).collect();
    let given: Vec<_> = names.iter().map(String::as_str).zip(category).collect();
    let position = parts(admin, &given).await;
    admin.get_after(PARTS, position).await.ok();
    for (order, expected) in [
        ("category.asc", [2, 5, 0, 4, 1, 3, 6]),
        ("category.desc", [6, 3, 1, 4, 0, 5, 2]),
        ("category.asc,created_at.desc", [5, 2, 4, 0, 6, 3, 1]),
        ("category.desc,part_code.asc", [1, 3, 6, 0, 4, 2, 5]),
        ("is_active.desc,category.asc,part_code.desc", [5, 2, 4, 0, 6, 3, 1]),
    ] {
        let expected: Vec<String> = expected.iter().map(|n| format!("P-{n}")).collect();
        for limit in [1, 2, 3, 7] {
            let query = format!("order={order}");
            assert_eq!(paged(admin, &query, limit).await, expected, "{order} by {limit}");
        }
    }
    for wrong in [
        "category,category",
        "name.up",
        "",
        "id,name,category,is_active,created_at",
    ] {
        let problem = admin.get(&format!("{PARTS}?order={wrong}")).await.problem(400);
        assert_eq!(problem["field"], "order", "{wrong}");
    }
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changed_since_comes_once_as_it_is_now_in_the_order_of_its_last_change() {
    let service = Service::start().await;
    let admin = &service.admin;
    let ids: Vec<Uuid> = (0..4).map(|_| Uuid::now_v7()).collect();
    let enter = |n: usize| format!("{PARTS}/{}/enter", ids[n]);
    let amend = |n: usize| format!("{PARTS}/{}/amend", ids[n]);
    let body = |n: usize, name: &str| json!({"part_code": format!("P-{n}"), "name": name});
    for n in 0..3 {
        done(admin, &enter(n), body(n, "new")).await;
    }
    let seen = done(admin, &enter(3), body(3, "new")).await;
    let last = admin.get(&format!("/v1/events/{seen}")).await.ok();
    done(admin, &amend(2), body(2, "once")).await;
    done(admin, &amend(0), body(0, "twice")).await;
    let position = done(admin, &amend(2), body(2, "twice")).await;

    let changed = format!("{PARTS}?changed=gt.{seen}");
    let page = admin.get_after(&changed, position).await;
    assert_eq!(page.headers["daybook-position"], position.to_string().as_str());
    let page = page.ok();
    assert_eq!(
        (codes(&page), &page["gone"], &page["next"]),
        (vec!["P-0", "P-2"], &json!([]), &Value::Null)
    );
    assert!(
        page["rows"]
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["name"] == "twice"),
        "{page}"
    );
    let all = |by: &str| format!("changed={by}");
    assert_eq!(paged(admin, &all("gt.0"), 1).await, ["P-1", "P-3", "P-0", "P-2"]);
    assert_eq!(paged(admin, &all("gt.0"), 2).await, ["P-1", "P-3", "P-0", "P-2"]);
    assert_eq!(
        paged(admin, &all(&format!("gte.{seen}")), 3).await,
        ["P-3", "P-0", "P-2"]
    );
    let at = last["at"].as_str().unwrap();
    assert_eq!(
        paged(admin, &format!("updated_at=gte.{at}"), 3).await[..],
        ["P-3", "P-0", "P-2"]
    );
    assert_eq!(
        paged(admin, &format!("updated_at=gt.{at}"), 3).await[..],
        ["P-0", "P-2"]
    );
    assert_eq!(
        paged(admin, &format!("changed=gt.{seen}&part_code=P-2"), 1).await,
        ["P-2"]
    );
    assert_eq!(paged(admin, &all(&format!("gt.{position}")), 3).await, [""; 0]);

    // The last page says what to go on with, and that is refused where any row may be another one by now.
    let since = page["since"].as_str().unwrap();
    assert_eq!(paged(admin, &all(&format!("gt.{since}")), 3).await, [""; 0]);
    let amended = done(admin, &amend(1), body(1, "thrice")).await;
    admin.get_after(PARTS, amended).await.ok();
    assert_eq!(paged(admin, &all(&format!("gt.{since}")), 3).await, ["P-1"]);
    let (place, mark) = since.split_once('.').unwrap();
    for former in [format!("{}_0a1b2c3d.{mark}", position), format!("{place}.0a1b2c3d")] {
        let refused = admin.get(&format!("{PARTS}?changed=gt.{former}")).await.problem(409);
        assert_eq!(refused["type"], "/problems/former-history", "{former}");
    }

    for wrong in [
        "changed=5",
        "changed=lt.5",
        "changed=gt.x",
        "updated_at=gte.5",
        "changed=gt.1&order=name.asc",
    ] {
        admin.get(&format!("{PARTS}?{wrong}")).await.problem(400);
    }
    admin
        .get(&format!("{PARTS}?changed=gt.{}", position + 1_000))
        .await
        .problem(422);
    admin.get("/v1/cloudwatcher/audit_logs?changed=gt.1").await.problem(400);
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_went_since_is_told_by_its_key_and_what_is_out_of_sight_is_not_told() {
    let service = Service::start().await;
    let admin = &service.admin;
    let [part, supplier, offer] = [Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7()];
    done(
        admin,
        &format!("{PARTS}/{part}/enter"),
        json!({"part_code": "P", "name": "bolt"}),
    )
    .await;
    let path = format!("/v1/cloudwatcher/suppliers/{supplier}/enter");
    let before = done(admin, &path, json!({"name": "Acme"})).await;
    let body = json!({"part_id": part, "supplier_id": supplier, "supplier_cost": "1.00", "currency": "EUR"});
    let base = format!("/v1/cloudwatcher/part-suppliers/{offer}");
    let entered = done(admin, &format!("{base}/enter"), body).await;
    let struck = done(admin, &format!("{base}/strike"), json!({})).await;
    admin.get_after(OFFERS, struck).await.ok();
    for since in [before, entered] {
        let page = admin.get(&format!("{OFFERS}?changed=gt.{since}")).await.ok();
        assert_eq!(
            (&page["rows"], &page["gone"], &page["next"]),
            (&json!([]), &json!([offer]), &Value::Null)
        );
    }

    let mut departments = Vec::new();
    for name in ["North", "South"] {
        let department = Uuid::now_v7();
        let path = format!("/v1/identity/departments/{department}/enter");
        done(admin, &path, json!({"name": name})).await;
        departments.push(department);
    }
    let mut position = 0;
    for department in &departments {
        let body = json!({"name": "Depot", "dept_id": department});
        position = done(admin, "/v1/cloudwatcher/locations", body).await;
    }
    let member = service
        .person(&["cloudwatcher.locations.read"], &departments[..1])
        .await;
    let path = format!("/v1/cloudwatcher/locations?changed=gt.{struck}");
    let page = member.get_after(&path, position).await.ok();
    let rows = page["rows"].as_array().unwrap();
    assert_eq!((rows.len(), &page["gone"]), (1, &Value::Null), "{page}");
    assert_eq!(rows[0]["dept_id"], json!(departments[0]), "{page}");
    assert_eq!(admin.get(&path).await.ok()["rows"].as_array().unwrap().len(), 2);
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_list_refuses_a_bad_limit_in_the_same_words() {
    let service = Service::start().await;
    let admin = &service.admin;
    let id = Uuid::now_v7();
    let path = format!("{PARTS}/{id}/enter");
    let position = done(admin, &path, json!({"part_code": "P", "name": "bolt"})).await;
    admin.get_after(PARTS, position).await.ok();
    for (path, max) in [
        (PARTS.to_owned(), 200),
        (format!("{PARTS}/{id}/history"), 500),
        (format!("/v1/cloudwatcher/part-suppliers/best?part_id={id}"), 200),
        ("/v1/cloudwatcher/approvals/inbox".to_owned(), 200),
        ("/v1/events".to_owned(), 500),
        (format!("/v1/streams/cloudwatcher/part/{id}"), 500),
        ("/v1/identity/keys".to_owned(), 200),
    ] {
        let separator = if path.contains('?') { '&' } else { '?' };
        for wrong in [
            "0",
            "-1",
            "+1",
            "%2B1",
            "1.0",
            "x",
            "",
            &(max + 1).to_string(),
            "99999999999999999999",
        ] {
            let problem = admin.get(&format!("{path}{separator}limit={wrong}")).await.problem(400);
            assert_eq!(problem["field"], "limit", "{path}: {problem}");
            let detail = format!("limit must be a whole number from 1 to {max}");
            assert_eq!(problem["detail"], detail, "{path}: {problem}");
        }
        assert_eq!(
            admin.get(&format!("{path}{separator}limit={max}")).await.status,
            200,
            "{path}"
        );
    }
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_tells_the_stream_that_it_shows_and_its_sequence_is_an_if_match() {
    let service = Service::start().await;
    let admin = &service.admin;
    let id = Uuid::now_v7();
    let one = format!("{PARTS}/{id}");
    let body = |name: &str| json!({"part_code": "P", "name": name});
    let entered = done(admin, &format!("{one}/enter"), body("bolt")).await;
    let stream = |sequence: i64| json!({"type": "cloudwatcher.part", "id": id, "sequence": sequence});
    let first = admin.get_after(&one, entered).await;
    assert_eq!(first.headers["etag"], "\"1\"");
    assert_eq!(first.ok()["@stream"], stream(1));

    let amended = done(admin, &format!("{one}/amend"), body("nut")).await;
    let list = admin.get_after(PARTS, amended).await.ok();
    assert_eq!(list["rows"][0]["@stream"], stream(2), "{list}");
    let changed = admin.get(&format!("{PARTS}?changed=gt.{entered}")).await.ok();
    assert_eq!(changed["rows"][0]["@stream"], stream(2), "{changed}");
    let amend = |etag: &'static str| {
        let request = admin.request(Method::POST, &format!("{one}/amend"));
        let request = request.header("Idempotency-Key", Uuid::new_v4().to_string());
        admin.send(request.header("If-Match", etag).json(&body("screw")))
    };
    assert_eq!(amend("\"1\"").await.problem(412)["sequence"], 2);
    let position = amend("\"2\"").await.position();

    let row = admin.get_after(&format!("{one}?select=name"), position).await;
    assert!(!row.headers.contains_key("etag"));
    assert_eq!(row.ok(), json!({"name": "screw"}));
    let row = admin.get(&format!("{one}?select=@stream,name")).await.ok();
    assert_eq!(row, json!({"name": "screw", "@stream": stream(3)}));
    assert_eq!(
        admin.get(&format!("{one}?select=@stream")).await.ok(),
        json!({"@stream": stream(3)})
    );
    let past = admin.get(&format!("{one}?at={amended}")).await.ok();
    assert_eq!((&past["name"], &past["@stream"]), (&json!("nut"), &Value::Null));
    admin.get(&format!("{PARTS}?select=@stream,@stream")).await.problem(400);

    // What happened to a stream counts also where the row does not show it, and rows of no stream tell none.
    let users = admin.get("/v1/cloudwatcher/users").await.ok();
    for row in users["rows"].as_array().unwrap() {
        let path = format!("/v1/streams/identity/user/{}/state", row["id"].as_str().unwrap());
        let state = admin.get(&path).await.ok();
        assert_eq!(row["@stream"]["sequence"], state["sequence"], "{row}");
    }
    let grants = admin.get("/v1/cloudwatcher/role_permissions").await.ok();
    assert!(grants["rows"][0].get("@stream").is_none(), "{grants}");

    // What a parked stream's row does not show is no sequence of the row's, however far the rest of the tables is.
    let pool = sqlx::PgPool::connect_with(service.database.options.clone())
        .await
        .unwrap();
    let park = "insert into book.parked (context, generation, aggregate_type, aggregate_id, tenant_id, position, error)
        select 'cloudwatcher', generation, 'cloudwatcher.part', $1, $2, $3, 'a test' from book.generations
        where context = 'cloudwatcher' and state = 'live'";
    let parked = sqlx::query(park).bind(id).bind(service.tenant).bind(position);
    assert_eq!(parked.execute(&pool).await.unwrap().rows_affected(), 1);
    for path in [
        one.clone(),
        format!("{PARTS}?id=eq.{id}"),
        format!("{PARTS}?changed=gt.0&id=eq.{id}"),
    ] {
        let shown = admin.get(&path).await.ok();
        let row = shown["rows"].get(0).unwrap_or(&shown);
        assert_eq!(row["@stream"], stream(2), "{path}");
    }
    amend("\"2\"").await.problem(412);
    service.end().await;
}
