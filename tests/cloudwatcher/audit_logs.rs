//! `audit_logs`: who changed what, when, why and from where; the same after a rebuild, whatever happened.

use std::collections::BTreeSet;
use std::time::Duration;

use book::Step;
use chrono::{DateTime, Utc};
use cloudwatcher::part::Part;
use domain::register::{Command, Register};
use identity::role::Role;
use identity::user::User;
use projections::{Posted, Projector, park, rebuild};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Client, Ledger, Service};
use uuid::Uuid;

const WAIT: Duration = Duration::from_secs(30);

fn context() -> &'static projections::Context {
    &cloudwatcher_tables::CONTEXT
}

fn parsed<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn part(code: &str) -> Part {
    parsed(json!({"part_code": code, "name": "bolt"}))
}

/// Posts everything that the book has.
async fn post(ledger: &Ledger) {
    let posted = Posted::new(ledger.pools.projector.clone(), &tests::tables());
    let projector = Projector::new(
        context(),
        ledger.pools.clone(),
        ledger.tail.clone(),
        ledger.bus.clone(),
        posted.clone(),
    );
    let stop = ledger.stop.child_token();
    let worker = tokio::spawn(projector.unwrap().run(stop.clone()));
    let end = ledger.tail.end().await.unwrap();
    assert!(posted.wait(context(), end, WAIT).await.unwrap());
    stop.cancel();
    worker.await.unwrap();
}

/// Rebuilds, which must give every table, and this one with it, as it was; how many rows this one has.
async fn rebuilt(ledger: &Ledger) -> i64 {
    let report = rebuild::rebuild(&ledger.pools, &ledger.tail, context(), false, &|_| {})
        .await
        .unwrap();
    assert!(report.compared && report.differences.is_empty(), "{report:?}");
    let rows = report.rows.iter().find(|(table, _)| table == "audit_logs");
    rows.expect("the comparison includes audit_logs").1
}

/// Every row as JSON, in the order of the book.
async fn rows(ledger: &Ledger) -> Vec<Value> {
    let rows: Vec<String> =
        sqlx::query_scalar("select to_json(a)::text from cloudwatcher.audit_logs a order by position, place")
            .fetch_all(&ledger.pools.owner)
            .await
            .unwrap();
    rows.iter().map(|row| serde_json::from_str(row).unwrap()).collect()
}

async fn posted_with_reason(by: &Client, path: &str, reason: &str, body: &Value) -> i64 {
    let request = by.request(Method::POST, path).header("Daybook-Reason", reason);
    let reply = by.send(request.json(body)).await;
    let position = reply.position();
    reply.ok();
    position
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_of_a_row_is_told_with_who_what_why_and_from_where() {
    let service = Service::start().await;
    let admin = &service.admin;
    let part = Uuid::now_v7();
    let path = format!("/v1/cloudwatcher/parts/{part}");
    let entered = json!({"part_code": "P-1", "name": "bolt"});
    let first = posted_with_reason(admin, &format!("{path}/enter"), "new in stock", &entered).await;
    let amended = json!({"part_code": "P-1", "name": "bolt M8"});
    let second = posted_with_reason(admin, &format!("{path}/amend"), "more exact", &amended).await;

    let of_part = format!("/v1/cloudwatcher/audit_logs?table_name=parts&record_id={part}&order=created_at.asc");
    let page = admin.get_after(&of_part, second).await.ok();
    let [insert, update] = page["rows"].as_array().unwrap().as_slice() else {
        panic!("{page}");
    };
    assert_eq!(
        (&insert["operation"], &update["operation"]),
        (&json!("INSERT"), &json!("UPDATE"))
    );
    for (row, reason, position) in [(insert, "new in stock", first), (update, "more exact", second)] {
        assert_eq!(row["user_id"], admin.user.to_string());
        assert_eq!(row["actor_id"], admin.user.to_string());
        assert_eq!(row["ip_address"], "127.0.0.1");
        assert_eq!(
            (&row["change_reason"], &row["position"]),
            (&json!(reason), &json!(position))
        );
    }
    assert!(insert["old_values"].is_null());
    let whole = admin.get(&path).await.ok();
    assert_eq!(insert["new_values"]["name"], "bolt");
    let columns = |row: &Value| {
        let told = row.as_object().unwrap().iter().filter(|(_, cell)| !cell.is_null());
        // Where a row and its stream stand in the book is no value of it.
        let told = told.filter(|(column, _)| !["position", "@stream"].contains(&column.as_str()));
        told.map(|(column, _)| column.clone()).collect::<BTreeSet<_>>()
    };
    assert_eq!(columns(&insert["new_values"]), columns(&whole), "all that is not null");
    assert_eq!(update["old_values"]["name"], "bolt");
    assert_eq!(
        update["new_values"],
        json!({"name": "bolt M8", "updated_at": whole["updated_at"]})
    );

    let one = format!("/v1/cloudwatcher/audit_logs/{}", update["id"].as_str().unwrap());
    assert_eq!(&admin.get(&one).await.ok(), update);
    assert_eq!(&admin.get(&format!("{one}?at={second}")).await.ok(), update);
    admin.get(&format!("{one}?at={first}")).await.problem(404);
    let history = admin.get(&format!("{one}/history")).await.ok();
    let [change] = history["changes"].as_array().unwrap().as_slice() else {
        panic!("a row of it never changes: {history}");
    };
    assert_eq!(change["position"], second);
    assert_eq!(change["columns"]["operation"], json!({"old": null, "new": "UPDATE"}));

    // What goes is told too.
    let role = Uuid::now_v7();
    let define = json!({"name": "Clerks", "permissions": ["cloudwatcher.parts.read"]});
    admin
        .post(&format!("/v1/identity/roles/{role}/define"), &define)
        .await
        .ok();
    let retired = admin
        .post(&format!("/v1/identity/roles/{role}/retire"), &json!({}))
        .await;
    let gone = "/v1/cloudwatcher/audit_logs?table_name=role_permissions&operation=DELETE";
    let gone = admin.get_after(gone, retired.position()).await.ok();
    assert_eq!(gone["rows"][0]["old_values"]["permission"], "cloudwatcher.parts.read");
    assert!(gone["rows"][0]["new_values"].is_null());

    // Daybook itself is no user.
    let of_users = admin
        .get("/v1/cloudwatcher/audit_logs?table_name=users&order=created_at.asc")
        .await
        .ok();
    assert!(of_users["rows"][0]["user_id"].is_null(), "{of_users}");
    assert_eq!(of_users["rows"][0]["actor_id"], domain::SYSTEM.to_string());

    let pages = admin.get("/v1/cloudwatcher/audit_logs?limit=2").await.ok();
    let next = pages["next"].as_str().unwrap();
    let next = admin
        .get(&format!("/v1/cloudwatcher/audit_logs?limit=2&after={next}"))
        .await
        .ok();
    assert_ne!(pages["rows"][1]["id"], next["rows"][0]["id"]);
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_who_sees_every_department_reads_it_and_the_address_is_masked() {
    let service = Service::start().await;
    let all = "/v1/cloudwatcher/audit_logs";
    let read = "cloudwatcher.audit_logs.read";
    let department = Uuid::now_v7();
    let enter = json!({"name": "Workshop"});
    let path = format!("/v1/cloudwatcher/departments/{department}/enter");
    let identity = format!("/v1/identity/departments/{department}/enter");
    let entered = service.admin.post(&identity, &enter).await;
    assert!(entered.status.is_success(), "{path}: {}", entered.text);
    let id = service
        .admin
        .get_after(&format!("{all}?limit=1"), entered.position())
        .await
        .ok();
    let id = id["rows"][0]["id"].as_str().unwrap().to_owned();

    let nobody = service.person(&["departments.all"], &[]).await;
    nobody.get(all).await.problem(403);
    let narrow = service.person(&[read], &[department]).await;
    for path in [all.to_owned(), format!("{all}/{id}"), format!("{all}/{id}/history")] {
        let problem = narrow.get(&path).await.problem(403);
        assert!(problem.to_string().contains("departments.all"), "{problem}");
    }
    let wide = service.person(&[read, "departments.all"], &[]).await;
    let rows = wide.get(&format!("{all}?table_name=departments")).await.ok();
    assert!(rows["rows"][0]["ip_address"].is_null(), "{rows}");
    let history = wide.get(&format!("{all}/{id}/history")).await.ok();
    assert!(!history.to_string().contains("127.0.0.1"), "{history}");
    let open = [read, "cloudwatcher.audit_logs.unmasked", "departments.all"];
    let open = service.person(&open, &[]).await;
    let rows = open.get(&format!("{all}?table_name=departments")).await.ok();
    assert_eq!(rows["rows"][0]["ip_address"], "127.0.0.1");
    let other = Service::start_tenant(&service).await;
    other.get(&format!("{all}/{id}")).await.problem(404);
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_erasure_nothing_of_the_person_is_left_and_a_rebuild_differs_in_nothing() {
    let ledger = Ledger::open().await;
    let user = Uuid::now_v7();
    for command in [
        json!({"register": {"name": "Grace Hopper", "email": "grace@navy.example",
                            "oauth_provider": "google", "oauth_id": "grace-1"}}),
        json!({"rename": {"name": "Grace B. Hopper"}}),
        json!({"change-email": {"email": "gracie@navy.example"}}),
        json!({"deactivate": {}}),
    ] {
        ledger.does::<User>(user, parsed(command)).await;
    }
    post(&ledger).await;
    let before = rows(&ledger).await;
    assert!(!json!(before).to_string().to_lowercase().contains("grac"), "{before:?}");
    let of_user = |rows: &[Value]| rows.iter().filter(|row| row["record_id"] == user.to_string()).count();
    assert_eq!(of_user(&before), 4);
    assert_eq!(rebuilt(&ledger).await, 4);

    ledger.does::<User>(user, parsed(json!({"erase": {}}))).await;
    post(&ledger).await;
    let live = rows(&ledger).await;
    assert_eq!(live[..4], before, "a row never changes");
    assert_eq!(rebuilt(&ledger).await, 5);
    assert_eq!(rows(&ledger).await, live);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_parked_streams_come_when_they_are_unparked_and_equal_those_of_a_rebuild() {
    let ledger = Ledger::open().await;
    let (user, bad) = (ledger.actor, Uuid::now_v7());
    let break_it = format!(
        "alter table cloudwatcher.users add constraint broken check (id <> '{user}');
         alter table cloudwatcher.parts add constraint broken check (part_code <> 'BAD');
         alter table cloudwatcher.role_permissions add constraint broken check (permission <> 'bad.two')"
    );
    sqlx::raw_sql(&break_it).execute(&ledger.pools.owner).await.unwrap();
    ledger.does::<Register<Part>>(bad, Command::Enter(part("BAD"))).await;
    let register = json!({"register": {"name": "Ada", "email": "ada@example.com"}});
    ledger.does::<User>(user, parsed(register)).await;
    for (n, id) in [(1, Uuid::now_v7()), (2, Uuid::now_v7()), (3, bad)] {
        let command = match n {
            3 => Command::Amend(part("BAD").into()),
            _ => Command::Enter(part(&format!("P-{n}"))),
        };
        ledger.does::<Register<Part>>(id, command).await;
    }
    let define = json!({"define": {"name": "Clerks", "permissions": ["bad.one", "bad.two"]}});
    ledger.does::<Role>(Uuid::now_v7(), parsed(define)).await;
    post(&ledger).await;
    let told = |rows: Vec<Value>| -> Vec<(i64, bool)> {
        let told = |row: &Value| (row["position"].as_i64().unwrap(), row["user_id"] == user.to_string());
        rows.iter().map(told).collect()
    };
    assert_eq!(
        told(rows(&ledger).await),
        [(3, false), (4, false)],
        "what is parked is not told"
    );

    let repair = "alter table cloudwatcher.users drop constraint broken;
        alter table cloudwatcher.parts drop constraint broken;
        alter table cloudwatcher.role_permissions drop constraint broken";
    sqlx::raw_sql(repair).execute(&ledger.pools.owner).await.unwrap();
    let outcome = park::unpark(&ledger.pools.projector, &ledger.tail, context(), None)
        .await
        .unwrap();
    assert_eq!(outcome.posted.len(), 3, "{outcome:?}");
    // The part was entered before its user registered, and un-parked after.
    let expected = [(1, false), (2, true), (3, true), (4, true)];
    let live = rows(&ledger).await;
    assert_eq!(told(live.clone())[..4], expected);
    let of_role = live
        .iter()
        .filter(|row| row["table_name"].as_str().unwrap().starts_with("role"));
    let of_role: Vec<_> = of_role.map(|row| (&row["table_name"], &row["place"])).collect();
    let places = [
        (json!("roles"), json!(1)),
        (json!("role_permissions"), json!(2)),
        (json!("role_permissions"), json!(3)),
    ];
    assert_eq!(of_role, places.each_ref().map(|(table, place)| (table, place)));
    rebuilt(&ledger).await;
    assert_eq!(rows(&ledger).await, live);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_year_has_a_partition_and_a_filter_by_year_reads_no_other() {
    let ledger = Ledger::open().await;
    let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    for (n, then) in [
        "1999-12-31T23:59:59Z",
        "2024-12-31T23:59:59.999999Z",
        "2025-01-01T00:00:00Z",
        "2055-06-01T00:00:00Z",
    ]
    .into_iter()
    .enumerate()
    {
        let mut envelope = ledger.envelope();
        envelope.occurred_at = Some(at(then));
        let enter = Command::Enter(part(&format!("P-{n}")));
        let step = Step::of::<Register<Part>>(Uuid::now_v7(), None, enter);
        ledger.book.execute(envelope, vec![step]).await.unwrap();
    }
    post(&ledger).await;
    let places: Vec<String> = sqlx::query_scalar(
        "select split_part(tableoid::regclass::text, '.', 2) from cloudwatcher.audit_logs order by position",
    )
    .fetch_all(&ledger.pools.owner)
    .await
    .unwrap();
    assert_eq!(
        places,
        [
            "audit_logs_before_2024",
            "audit_logs_2024",
            "audit_logs_2025",
            "audit_logs_from_2036"
        ]
    );
    assert_eq!(rebuilt(&ledger).await, 4);

    let mut transaction = ledger.pools.reader.begin().await.unwrap();
    let plan = |conditions: &str| {
        format!(
            "explain (costs off) select * from cloudwatcher.audit_logs t where t.tenant_id = '{}' {conditions}
             order by t.created_at desc, t.position desc, t.place desc limit 51",
            ledger.tenant
        )
    };
    sqlx::query("select set_config('daybook.tenant', $1, true)")
        .bind(ledger.tenant.to_string())
        .execute(&mut *transaction)
        .await
        .unwrap();
    let of_2024 = plan("and t.created_at >= '2024-01-01T00:00Z' and t.created_at < '2025-01-01T00:00Z'");
    let of_2024: Vec<String> = sqlx::query_scalar(&of_2024).fetch_all(&mut *transaction).await.unwrap();
    let of_2024 = of_2024.join("\n");
    let partitions = of_2024.lines().filter(|line| line.contains(" on audit_logs_"));
    assert_eq!(partitions.count(), 1, "{of_2024}");
    assert!(of_2024.contains("on audit_logs_2024 "), "{of_2024}");
    // The newest page is read year by year, the last one first, and no further than it needs.
    let newest: Vec<String> = sqlx::query_scalar(&plan(""))
        .fetch_all(&mut *transaction)
        .await
        .unwrap();
    let newest = newest.join("\n");
    assert!(
        newest.contains("->  Append") && !newest.contains("Merge Append"),
        "{newest}"
    );
    transaction.rollback().await.unwrap();
}
