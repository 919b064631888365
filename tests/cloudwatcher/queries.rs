//! The named queries, as clients ask them.

use cloudwatcher_http::queries::QUERIES;
use http::query::named::Named;
use serde_json::{Value, json};
use tests::{Client, Service};
use uuid::Uuid;

use crate::approvals::Company;

/// The address with an id that names nothing, and a value for everything that the query needs.
fn asked_for_nothing(query: &Named) -> String {
    let nothing = Uuid::now_v7().to_string();
    let needed = query.after_the_question_mark().filter(|parameter| parameter.required);
    let needed: Vec<String> = needed
        .map(|parameter| format!("{}={nothing}", parameter.name))
        .collect();
    format!("{}?{}", query.address.replace("{id}", &nothing), needed.join("&"))
}

fn column(page: &Value, name: &str) -> Vec<Value> {
    let rows = page["rows"].as_array().unwrap();
    rows.iter().map(|row| row[name].clone()).collect()
}

async fn done(client: &Client, path: String, body: Value) -> i64 {
    let reply = client.post(&path, &body).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.text);
    reply.position()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_query_needs_its_tables_permission_and_names_what_it_takes() {
    let service = Service::start().await;
    let nobody = service.person(&[], &[]).await;
    for query in QUERIES {
        let path = asked_for_nothing(query);
        let refused = nobody.get(&path).await.problem(403);
        let permission = format!("{}.{}.read", query.table.context, query.table.name);
        assert_eq!(refused["permission"], json!(permission), "{path}");

        let unknown = service.admin.get(&format!("{path}&colour=red")).await.problem(400);
        assert_eq!(unknown["field"], "colour", "{unknown}");
        let allowed = unknown["allowed"].as_array().unwrap();
        let takes = query.after_the_question_mark().map(|parameter| json!(parameter.name));
        let takes: Vec<Value> = takes
            .chain(["limit", "after", "Daybook-After"].map(Value::from))
            .collect();
        assert_eq!(*allowed, takes, "{path}");
        for bad in ["limit=0", "limit=201", "after=x", "Daybook-After=x"] {
            service.admin.get(&format!("{path}&{bad}")).await.problem(400);
        }

        // What the address names must be there; what is only asked for may be nothing.
        let answer = service.admin.get(&path).await;
        if query.address.contains('{') {
            answer.problem(404);
        } else {
            assert_eq!(answer.ok(), json!({"rows": [], "next": null}), "{path}");
            let without = service.admin.get(query.address).await.problem(400);
            assert_eq!(without["field"], json!(query.takes[0].name));
        }
    }
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_finds_what_it_waits_for_page_by_page_the_newest_first() {
    let service = Service::start().await;
    let admin = &service.admin;
    let (mut sent, mut position) = (Vec::new(), 0);
    for (n, device) in ["truck-1", "truck-2", "truck-1", "truck-1"].into_iter().enumerate() {
        let id = Uuid::now_v7();
        let body = json!({"device_id": device, "request_type": "get_parts", "payload": {"n": n}});
        position = done(admin, format!("/v1/cloudwatcher/requests/{id}/receive"), body).await;
        if device == "truck-1" {
            sent.insert(0, json!(id));
        }
    }
    let path = "/v1/cloudwatcher/requests/pending?device_id=truck-1&limit=2";
    let first = admin.get_after(path, position).await.ok();
    assert_eq!(column(&first, "id"), sent[..2]);
    let next = first["next"].as_str().unwrap();
    let second = admin.get(&format!("{path}&after={next}")).await.ok();
    assert_eq!(column(&second, "id"), sent[2..]);
    assert_eq!(second["next"], Value::Null);
    // A page shows what the table shows.
    let mut row = admin
        .get(&format!("/v1/cloudwatcher/requests/{}", sent[0].as_str().unwrap()))
        .await
        .ok();
    // But for its stream: that is told of the rows of tables.
    row.as_object_mut().unwrap().remove("@stream");
    assert_eq!(first["rows"][0], row);
    // A place in one order is none in another.
    let elsewhere = format!(
        "/v1/cloudwatcher/part-suppliers/best?part_id={}&after={next}",
        Uuid::now_v7()
    );
    admin.get(&elsewhere).await.problem(400);
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preferred_offers_come_first_then_cheap_ones_and_those_without_a_price_last() {
    let service = Service::start().await;
    let admin = &service.admin;
    let [part, variant] = [Uuid::now_v7(), Uuid::now_v7()];
    let body = json!({"part_code": "P8", "name": "pump"});
    done(admin, format!("/v1/cloudwatcher/parts/{part}/enter"), body).await;
    let body = json!({"part_id": part, "variant_code": "red"});
    done(admin, format!("/v1/cloudwatcher/part-variants/{variant}/enter"), body).await;
    let mut position = 0;
    for (name, cost, is_preferred, of) in [
        ("cheap", Some("9.50"), false, None),
        ("silent", None, false, None),
        ("friend", Some("12.00"), true, None),
        ("dear", Some("10.00"), false, None),
        ("closed", Some("1.00"), true, None),
        ("painter", Some("11.00"), false, Some(variant)),
    ] {
        let (supplier, offer) = (Uuid::now_v7(), Uuid::now_v7());
        let body = json!({"name": name, "lead_time_days": 5});
        done(admin, format!("/v1/cloudwatcher/suppliers/{supplier}/enter"), body).await;
        let body = json!({"part_id": part, "variant_id": of, "supplier_id": supplier, "supplier_cost": cost, "currency": "EUR", "is_preferred": is_preferred});
        position = done(admin, format!("/v1/cloudwatcher/part-suppliers/{offer}/enter"), body).await;
        if name == "closed" {
            done(
                admin,
                format!("/v1/cloudwatcher/suppliers/{supplier}/strike"),
                json!({}),
            )
            .await;
        }
    }
    let path = format!("/v1/cloudwatcher/part-suppliers/best?part_id={part}");
    let all = admin.get_after(&path, position).await.ok();
    assert_eq!(column(&all, "supplier"), ["friend", "cheap", "dear", "silent"]);
    assert_eq!(column(&all, "supplier_lead_time_days"), [5, 5, 5, 5]);
    assert_eq!(column(&all, "supplier_cost")[1], "9.50");
    // Also from page to page, over all places of the order.
    let (mut paged, mut after) = (Vec::new(), String::new());
    loop {
        let page = admin.get(&format!("{path}&limit=1{after}")).await.ok();
        paged.extend(column(&page, "supplier"));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(paged, column(&all, "supplier"));
    let of_variant = admin.get(&format!("{path}&variant_id={variant}")).await.ok();
    assert_eq!(column(&of_variant, "supplier"), ["painter"]);
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_chain_tells_every_level_of_every_revision_and_hides_addresses() {
    let company = Company::found().await;
    let [_, head, manager] = &company.managers;
    let admin = &company.service.admin;
    // 6,000 need two levels; one more piece, asked for while the second is asked, makes a new revision.
    let order = company.submitted(600, "10.00").await;
    company.ask(manager, order).await;
    company.approve(manager, order, 1).await.ok();
    company.ask(head, order).await;
    let items = admin
        .get(&format!("/v1/cloudwatcher/order_items?order_id={order}"))
        .await
        .ok();
    let change = json!({"item_id": items["rows"][0]["id"], "quantity": 601});
    company.order(order, "change-item", change).await;
    let path = format!("/v1/cloudwatcher/orders/{order}/approvals");
    let chain = admin
        .until(&path, |chain| column(chain, "revision").contains(&json!(2)))
        .await;
    let levels: Vec<_> = column(&chain, "revision")
        .into_iter()
        .zip(column(&chain, "approval_level"))
        .collect();
    assert_eq!(
        levels,
        [(json!(1), json!(1)), (json!(1), json!(2)), (json!(2), json!(1))],
        "{chain}"
    );
    assert_eq!(column(&chain, "approver"), ["Somebody", "Somebody", "Somebody"]);
    assert_eq!(column(&chain, "decider")[..2], [json!("Somebody"), Value::Null]);
    let address = format!("{}@example.com", manager.user.simple());
    assert_eq!(chain["rows"][0]["approver_email"], json!(address));
    // The buyer may read orders and approvals, and neither names nor addresses of people.
    let seen = company.buyer.get(&path).await.ok();
    for hidden in ["approver", "approver_email", "decider"] {
        assert_eq!(column(&seen, hidden), [Value::Null, Value::Null, Value::Null]);
    }
    assert_eq!(column(&seen, "approver_id"), column(&chain, "approver_id"));
    // Whoever may read people has their names, and no addresses.
    let permissions = [
        "cloudwatcher.order_approvals.read",
        "cloudwatcher.users.read",
        "departments.all",
    ];
    let reader = company.service.person(&permissions, &[]).await;
    let seen = reader.get(&path).await.ok();
    assert_eq!(column(&seen, "approver"), column(&chain, "approver"));
    assert_eq!(column(&seen, "approver_email"), [Value::Null, Value::Null, Value::Null]);
    // Somebody of another department learns nothing, not even that there is such an order.
    let outsider = company
        .service
        .person(&["cloudwatcher.order_approvals.read"], &[])
        .await;
    outsider.get(&path).await.problem(404);
    company.service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subtree_is_told_level_by_level_with_the_way_down() {
    let service = Service::start().await;
    let admin = &service.admin;
    let [company, north, south, depot, elsewhere] = std::array::from_fn(|_| Uuid::now_v7());
    let mut position = 0;
    for (id, name, parent) in [
        (company, "company", None),
        (south, "south", Some(company)),
        (north, "north", Some(company)),
        (depot, "depot", Some(south)),
        (elsewhere, "elsewhere", None),
    ] {
        let body = json!({"name": name, "parent_id": parent});
        position = done(admin, format!("/v1/identity/departments/{id}/enter"), body).await;
    }
    let path = format!("/v1/cloudwatcher/departments/{company}/subtree");
    let tree = admin.get_after(&path, position).await.ok();
    assert_eq!(column(&tree, "name"), ["company", "north", "south", "depot"]);
    assert_eq!(column(&tree, "depth"), [0, 1, 1, 2]);
    assert_eq!(tree["rows"][3]["path"], json!([company, south, depot]));
    let below = admin
        .get(&format!("/v1/cloudwatcher/departments/{south}/subtree?limit=1"))
        .await
        .ok();
    assert_eq!(column(&below, "name"), ["south"]);
    let next = below["next"].as_str().unwrap();
    let below = admin
        .get(&format!("/v1/cloudwatcher/departments/{south}/subtree?after={next}"))
        .await
        .ok();
    assert_eq!(
        (column(&below, "name"), column(&below, "depth")),
        (vec![json!("depot")], vec![json!(1)])
    );
    let other = Service::start_tenant(&service).await;
    other.get(&path).await.problem(404);
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_has_the_permissions_of_active_roles_and_an_inactive_user_has_none() {
    let service = Service::start().await;
    let admin = &service.admin;
    let person = service.person(&["cloudwatcher.parts.read", "audit.read"], &[]).await;
    let [second, third] = [Uuid::now_v7(), Uuid::now_v7()];
    let mut position = 0;
    for (role, name, permissions) in [
        (
            second,
            "reader",
            json!(["cloudwatcher.parts.read", "cloudwatcher.orders.read"]),
        ),
        (third, "former", json!(["cloudwatcher.order.*"])),
    ] {
        let body = json!({"name": name, "permissions": permissions});
        done(admin, format!("/v1/identity/roles/{role}/define"), body).await;
        let path = format!("/v1/identity/users/{}/assign-role", person.user);
        position = done(admin, path, json!({"role_id": role})).await;
    }
    let path = format!("/v1/cloudwatcher/users/{}/permissions", person.user);
    let before = admin.get_after(&path, position).await.ok();
    assert_eq!(
        column(&before, "permission"),
        [
            "audit.read",
            "cloudwatcher.order.*",
            "cloudwatcher.orders.read",
            "cloudwatcher.parts.read",
            "cloudwatcher.parts.read"
        ]
    );
    let position = done(admin, format!("/v1/identity/roles/{third}/retire"), json!({})).await;
    // Everybody may ask about themselves.
    let now = person.get_after(&path, position).await.ok();
    let names = column(&now, "permission").into_iter().zip(column(&now, "role_id"));
    let by_second: Vec<Value> = names
        .filter(|(_, role)| *role == json!(second))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(by_second, ["cloudwatcher.orders.read", "cloudwatcher.parts.read"]);
    assert!(
        !column(&now, "permission").contains(&json!("cloudwatcher.order.*")),
        "{now}"
    );
    assert!(column(&now, "role").contains(&json!("reader")), "{now}");
    // About others one needs to be allowed to read both who has which role and what it permits.
    let others = format!("/v1/cloudwatcher/users/{}/permissions", admin.user);
    person.get(&others).await.problem(403);
    let half = service.person(&["cloudwatcher.role_permissions.read"], &[]).await;
    let refused = half.get(&others).await.problem(403);
    assert_eq!(refused["permission"], "cloudwatcher.user_roles.read");
    let whole = ["cloudwatcher.role_permissions.read", "cloudwatcher.user_roles.read"];
    let whole = service.person(&whole, &[]).await;
    assert_eq!(column(&whole.get(&others).await.ok(), "permission"), ["*"]);

    let deactivate = format!("/v1/identity/users/{}/deactivate", person.user);
    let position = done(admin, deactivate, json!({})).await;
    let after = admin.get_after(&path, position).await.ok();
    assert_eq!(after, json!({"rows": [], "next": null}));
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_at_or_below_its_reorder_point_is_listed_the_least_available_first() {
    let service = Service::start().await;
    let admin = &service.admin;
    let [department, location] = [Uuid::now_v7(), Uuid::now_v7()];
    let body = json!({"name": "yard"});
    done(admin, format!("/v1/identity/departments/{department}/enter"), body).await;
    let body = json!({"name": "shed", "dept_id": department});
    done(admin, format!("/v1/cloudwatcher/locations/{location}/enter"), body).await;
    let mut position = 0;
    for (name, on_hand, reserved, point) in [
        ("plenty", 9, 0, Some(5)),
        ("none", 0, 0, Some(0)),
        ("promised", 9, 6, Some(5)),
        ("at the point", 5, 0, Some(5)),
        ("never reordered", 0, 0, None),
    ] {
        let part = Uuid::now_v7();
        let body = json!({"part_code": name, "name": format!("part {name}")});
        done(admin, format!("/v1/cloudwatcher/parts/{part}/enter"), body).await;
        let open = json!({"part_id": part, "location_id": location, "reorder_point": point});
        let opened = admin.post("/v1/cloudwatcher/inventory", &open).await;
        position = opened.position();
        let stock = format!(
            "/v1/cloudwatcher/inventory/{}",
            opened.json()["stream"].as_str().unwrap()
        );
        if on_hand > 0 {
            position = done(admin, format!("{stock}/receive"), json!({"quantity": on_hand})).await;
        }
        if reserved > 0 {
            position = done(admin, format!("{stock}/reserve"), json!({"quantity": reserved})).await;
        }
    }
    let path = format!("/v1/cloudwatcher/inventory/reorder?location_id={location}");
    let all = admin.get_after(&path, position).await.ok();
    assert_eq!(column(&all, "part_code"), ["none", "promised", "at the point"]);
    assert_eq!(column(&all, "part")[0], "part none");
    assert_eq!(column(&all, "quantity_available"), [0, 3, 5]);
    let first = admin.get(&format!("{path}&limit=2")).await.ok();
    let rest = admin
        .get(&format!("{path}&after={}", first["next"].as_str().unwrap()))
        .await
        .ok();
    assert_eq!(column(&rest, "part_code"), ["at the point"]);
    service.end().await;
}
