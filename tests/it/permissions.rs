//! Permissions come from a catalogue: what a role may grant, and what its people are told of it.

use std::collections::BTreeSet;

use http::{permissions, roles};
use serde_json::{Value, json};
use tests::Service;
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_permission_that_nothing_asks_for_is_refused_with_those_that_are_near() {
    let service = Service::start().await;
    let admin = &service.admin;
    let define = |permissions: Value| json!({"name": Uuid::now_v7().to_string(), "permissions": permissions});
    let made = admin
        .post("/v1/identity/roles", &define(json!(["cloudwatcher.order.*", "*"])))
        .await
        .ok();
    let grant = format!("/v1/identity/roles/{}/grant", made["stream"].as_str().unwrap());
    for (wrong, near) in [
        ("cloudwatcher.order.sumbit", "cloudwatcher.order.submit"),
        ("cloudwatcher.orders.raed", "cloudwatcher.orders.read"),
        ("audit.write", "audit.read"),
        ("nothing.*", ""),
        // Daybook alone sends them.
        ("identity.tenant.suspend", ""),
        ("cloudwatcher.buyer.note-submission", ""),
    ] {
        let bodies = [
            (
                "/v1/identity/roles",
                define(json!(["audit.read", wrong])),
                "permissions[1]",
            ),
            (&*grant, json!({"permission": wrong}), "permission"),
        ];
        for (path, body, field) in bodies {
            let refused = admin.post(path, &body).await.problem(422);
            assert_eq!(
                (&refused["type"], &refused["field"]),
                (&json!("/problems/identity.role/unknown-permission"), &json!(field)),
                "{refused}"
            );
            assert!(refused["detail"].as_str().unwrap().contains(near), "{refused}");
        }
    }
    // What is none at all is told in other words, and what is there is taken away whatever it is.
    let unfit = admin.post(&grant, &json!({"permission": "Not One"})).await.problem(422);
    assert_eq!(unfit["rule"], "unfit", "{unfit}");
    admin.post(&grant, &json!({"permission": "audit.*"})).await.ok();
    let revoke = grant.replace("grant", "revoke");
    admin.post(&revoke, &json!({"permission": "of.old"})).await.ok();
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_registered_is_told_who_they_are_and_what_they_may_do() {
    let service = Service::start().await;
    let admin = &service.admin;
    let works = admin
        .post("/v1/identity/departments", &json!({"name": "Works"}))
        .await
        .ok()["stream"]
        .clone();
    let works: Uuid = works.as_str().unwrap().parse().unwrap();
    let clerk = service
        .person(&["cloudwatcher.supplier.*", "audit.read"], &[works])
        .await;
    let me = clerk.get("/v1/me").await.ok();
    assert_eq!(me["user"]["id"], json!(clerk.user));
    assert_eq!(
        me["tenant"],
        json!({"id": service.tenant, "name": "A company", "standing": "active"})
    );
    assert_eq!(me["departments"], json!([{"id": works, "name": "Works"}]));
    assert_eq!(me["granted"], json!(["audit.read", "cloudwatcher.supplier.*"]));
    let supplier =
        ["amend", "enter", "forget-contacts", "strike"].map(|command| format!("cloudwatcher.supplier.{command}"));
    let effective = [vec!["audit.read".to_owned()], supplier.to_vec()].concat();
    assert_eq!(me["permissions"], json!(effective));
    assert_eq!(
        (&me["operator"], &me["all_departments"]),
        (&json!(false), &json!(false))
    );
    assert!(me["expires_at"].is_string());

    let all = clerk.get("/v1/permissions").await.ok();
    let all: BTreeSet<&str> = all["permissions"]
        .as_array()
        .unwrap()
        .iter()
        .inspect(|told| {
            assert!(
                told["allows"].as_str().is_some_and(|allows| allows.ends_with('.')),
                "{told}"
            )
        })
        .map(|told| told["permission"].as_str().unwrap())
        .collect();
    let me = admin.get("/v1/me").await.ok();
    let everything: BTreeSet<&str> = me["permissions"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(everything, all);
    let nobody = tests::Client::new(&service.url, service.tenant, Uuid::now_v7());
    for path in ["/v1/me", "/v1/permissions"] {
        nobody.get(path).await.problem(403);
        admin.with_token("").get(path).await.problem(401);
    }
    service.end().await;
}

#[test]
fn the_catalogue_has_what_operations_ask_for_and_what_standard_roles_grant() {
    let contexts = tests::contexts();
    let catalogue = contexts.permissions();
    let document = http::openapi::document(&contexts);
    let operations = document["paths"].as_object().unwrap().values();
    let operations = operations.flat_map(|methods| methods.as_object().unwrap().values());
    let mut asked = 0;
    for operation in operations {
        for needed in operation["security"][0]["bearer"].as_array().into_iter().flatten() {
            assert!(catalogue.contains_key(needed.as_str().unwrap()), "{needed}");
            asked += 1;
        }
    }
    assert!(asked > 150, "{asked}");
    for role in roles::standard(&contexts) {
        for permission in &role.permissions {
            assert!(
                permissions::is_known(catalogue, permission),
                "{}: {permission}",
                role.name
            );
        }
    }
}
