//! What those hear who decide too late, what an order comes to by now, and what is said of it once it is placed.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{APPROVER, Company};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_decides_too_late_hears_what_became_of_it_and_whoever_was_never_asked_hears_nothing() {
    let company = Company::found().await;
    let [director, head, manager] = &company.managers;
    let order = company.submitted(200, "10.00").await;
    company.ask(manager, order).await;
    company.approve(manager, order, 1).await.ok();
    let again = company.approve(manager, order, 1).await.problem(422);
    assert_eq!(again["particulars"]["became"], "approved", "{again}");
    assert_eq!(again["particulars"]["by"], json!(manager.user), "{again}");
    company.ask(head, order).await;
    let reject = format!("/v1/cloudwatcher/approvals/{order}/reject");
    let body = json!({"revision": 1, "notes": "too dear"});
    head.post(&reject, &body).await.ok();
    company.until_status(order, "draft").await;
    let late = company.approve(manager, order, 1).await.problem(422);
    let became = &late["particulars"];
    assert_eq!(
        (&became["became"], &became["at_level"], &became["by"]),
        (&json!("rejected"), &json!(2), &json!(head.user)),
        "{late}"
    );
    assert!(became["at"].is_string(), "{late}");
    let detail = late["detail"].as_str().unwrap();
    assert!(
        detail.contains("which was asked of you") && detail.contains("rejected at level 2"),
        "{late}"
    );
    company.approve(director, order, 1).await.problem(404);

    let order = company.submitted(1, "5.00").await;
    company.ask(manager, order).await;
    let cancel = format!("/v1/cloudwatcher/orders/{order}/cancel");
    let cancel = company.buyer.request(Method::POST, &cancel).json(&json!({}));
    company
        .buyer
        .send(cancel.header("daybook-reason", "not needed"))
        .await
        .ok();
    // At once by the order, a moment later by its approval.
    let cancelled = company.approve(manager, order, 1).await.problem(422);
    assert_eq!(cancelled["particulars"]["became"], "order-cancelled", "{cancelled}");
    company.approve(head, order, 1).await.problem(404);
    company.service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_says_what_was_submitted_and_what_is_ordered_now_wherever_it_is_read() {
    let company = Company::found().await;
    let [_, _, manager] = &company.managers;
    let order = Uuid::now_v7();
    let item = |quantity: i32| json!({"part_id": company.part, "supplier_id": company.supplier, "quantity": quantity, "unit_price": "10.00"});
    let draft = json!({"department_id": company.departments[2], "currency": "EUR", "items": [item(9), item(20)]});
    company.order(order, "draft", draft).await;
    let row = company.until_status(order, "draft").await;
    assert_eq!(
        (&row["total"], &row["submitted_total"]),
        (&json!("290.00"), &Value::Null),
        "{row}"
    );
    company.order(order, "submit", json!({})).await;
    company.ask(manager, order).await;
    let reader = &company.service.admin;
    let items = reader
        .get(&format!("/v1/cloudwatcher/order_items?order_id={order}"))
        .await
        .ok();
    let mut lines = items["rows"].as_array().unwrap().iter();
    let twenty = lines.find(|line| line["quantity_ordered"] == 20).unwrap();
    let less = json!({"item_id": twenty["id"], "quantity": 11});
    company.order(order, "change-item", less).await;
    let path = format!("/v1/cloudwatcher/orders/{order}");
    let row = reader.until(&path, |row| row["total"] == "200.00").await;
    assert_eq!(row["submitted_total"], "290.00", "{row}");
    let ask = company.ask(manager, order).await;
    assert_eq!(
        (&ask["order_total"], &ask["total_now"]),
        (&json!("290.00"), &json!("200.00")),
        "{ask}"
    );
    let chain = reader.get(&format!("{path}/approvals")).await.ok();
    let level = &chain["rows"][0];
    assert_eq!(
        (&level["order_total"], &level["total_now"]),
        (&json!("290.00"), &json!("200.00")),
        "{chain}"
    );
    let state = reader
        .get(&format!("/v1/streams/cloudwatcher/order/{order}/state"))
        .await
        .ok();
    let text = state.to_string();
    assert!(
        text.contains(r#""total":"200.00""#) && text.contains(r#""total":"290.00""#),
        "{state}"
    );
    company.service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_placing_another_day_a_note_and_the_suppliers_confirmation_show_in_rows_and_history() {
    let company = Company::found().await;
    let [_, _, manager] = &company.managers;
    let order = company.submitted(10, "5.00").await;
    company.ask(manager, order).await;
    company.approve(manager, order, 1).await.ok();
    company.until_status(order, "approved").await;
    company.order(order, "place", json!({})).await;
    company
        .order(order, "reschedule", json!({"expected_delivery_date": "2027-03-02"}))
        .await;
    let reader = &company.service.admin;
    let items = format!("/v1/cloudwatcher/order_items?order_id={order}");
    let rows = reader
        .until(&items, |rows| rows["rows"][0]["expected_delivery_date"] == "2027-03-02")
        .await;
    let dates = json!([{"item_id": rows["rows"][0]["id"], "confirmed_delivery_date": "2027-03-05"}]);
    company
        .order(order, "confirm", json!({"reference": "AB-17", "dates": dates}))
        .await;
    company
        .order(order, "annotate", json!({"note": "by the back door"}))
        .await;
    let row = reader
        .until(&format!("/v1/cloudwatcher/orders/{order}"), |row| {
            row["note"] == "by the back door"
        })
        .await;
    assert_eq!(
        (&row["status"], &row["revision"]),
        (&json!("ordered"), &json!(1)),
        "{row}"
    );
    assert_eq!(row["approved_by"], json!(manager.user), "{row}");
    let rows = reader.get(&items).await.ok();
    let line = &rows["rows"][0];
    assert_eq!(
        (
            &line["expected_delivery_date"],
            &line["confirmed_delivery_date"],
            &line["supplier_reference"]
        ),
        (&json!("2027-03-02"), &json!("2027-03-05"), &json!("AB-17")),
        "{line}"
    );
    let history = reader
        .get(&format!("/v1/cloudwatcher/order_history?order_id={order}&event_type=in.(rescheduled,confirmed,note-changed)&order=created_at.asc"))
        .await
        .ok();
    let told: Vec<&Value> = history["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["event_description"])
        .collect();
    assert_eq!(
        told,
        [
            "Rescheduled 1 item to 2027-03-02",
            "1 item confirmed by the supplier as AB-17 for 2027-03-05",
            "Added a note"
        ],
        "{history}"
    );
    company.service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_the_policy_names_decides_where_the_tree_of_departments_ends() {
    let company = Company::found().await;
    let board = company.service.person(&APPROVER, &[]).await;
    let thresholds = json!(["0", "10", "20", "30"]);
    let policy =
        |people: Value| json!({"currencies": [{"currency": "EUR", "thresholds": thresholds}], "top_deciders": people});
    let admin = &company.service.admin;
    let entered = admin
        .post("/v1/cloudwatcher/approval-policies", &policy(json!([])))
        .await
        .ok();
    // Four levels, and three managers.
    let order = Uuid::now_v7();
    let item = json!({"part_id": company.part, "supplier_id": company.supplier, "quantity": 1, "unit_price": "30.00"});
    let draft = json!({"department_id": company.departments[2], "currency": "EUR", "items": [item]});
    company.order(order, "draft", draft).await;
    let submit = format!("/v1/cloudwatcher/orders/{order}/submit");
    let refused = company.buyer.post(&submit, &json!({})).await.problem(422);
    assert_eq!(refused["rule"], "no-approver", "{refused}");
    assert!(
        refused["detail"].as_str().unwrap().contains("top_deciders"),
        "{refused}"
    );
    let stream = entered["stream"].as_str().unwrap();
    let amend = format!("/v1/cloudwatcher/approval-policies/{stream}/amend");
    admin.post(&amend, &policy(json!([board.user]))).await.ok();
    company.buyer.post(&submit, &json!({})).await.ok();
    for person in company.managers.iter().rev() {
        company.ask(person, order).await;
        company.approve(person, order, 1).await.ok();
    }
    let ask = company.ask(&board, order).await;
    assert_eq!(ask["level"], 4, "{ask}");
    company.approve(&board, order, 1).await.ok();
    let row = company.until_status(order, "approved").await;
    assert_eq!(row["approved_by"], json!(board.user), "{row}");
    company.service.end().await;
}
