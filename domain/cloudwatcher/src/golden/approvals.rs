//! How orders of a small company are approved: in person, by a delegate, too late, and not at all.

use chrono::TimeDelta;
use serde_json::{Value, json};
use uuid::Uuid;

use super::history::{ACME, ADA, BEN, COMPANY, FILTER, STORE, item};
use crate::approval::Approval;
use crate::approval_policy::ApprovalPolicy;
use crate::buyer::Buyer;
use crate::delegation::Delegations;
use crate::order::Order;
use domain::SYSTEM;
use domain::register::{OnePerTenant, Register};
use identity::department::Department;
use identity::role::Role;
use identity::user::User;
use rehearsal::Chronicle;
use rehearsal::chronicle::{TENANT, id};

const DORA: Uuid = id(1, 4);
const EMIL: Uuid = id(1, 5);
const APPROVER: Uuid = id(2, 4);
const GRANTED: Uuid = id(9, 11);
const REJECTED: Uuid = id(9, 12);
const OVERDUE: Uuid = id(9, 13);
const REASSIGNED: Uuid = id(9, 14);
const RESUBMITTED: Uuid = id(9, 15);

/// Who may approve: without them no order could be submitted.
pub(super) fn approvers(chronicle: &mut Chronicle) {
    chronicle
        .by(ADA)
        .send::<User>(DORA, json!({"register": {"email": "dora@example.com", "name": "Dora"}}))
        .send::<User>(EMIL, json!({"register": {"email": "emil@example.com", "name": "Emil"}}))
        .send::<Role>(
            APPROVER,
            json!({"define": {"name": "Approver", "permissions": ["orders.approve"]}}),
        )
        .send::<User>(BEN, json!({"assign-role": {"role_id": APPROVER}}))
        .send::<User>(EMIL, json!({"assign-role": {"role_id": APPROVER}}));
}

pub(super) fn approvals(chronicle: &mut Chronicle) {
    policy(chronicle);
    granted_by_a_delegate(chronicle);
    rejected_at_the_second_level(chronicle);
    overdue_and_cancelled(chronicle);
    reassigned_to_the_new_manager(chronicle);
    submitted_anew(chronicle);
    chronicle
        .by(ADA)
        .send::<Register<ApprovalPolicy>>(ApprovalPolicy::stream(TENANT), json!({"strike": {}}));
}

fn policy(chronicle: &mut Chronicle) {
    let euros = |thresholds: Value| json!([{"currency": "EUR", "thresholds": thresholds}]);
    let stream = ApprovalPolicy::stream(TENANT);
    chronicle
        .by(ADA)
        .send::<Register<ApprovalPolicy>>(stream, json!({"enter": {"currencies": euros(json!([0, 5000]))}}))
        .send::<Register<ApprovalPolicy>>(
            stream,
            json!({"amend": {
                "currencies": euros(json!(["0.00", "1000.00", "10000.00"])), "deadline_hours": 24,
                "departments": [{"department_id": STORE, "levels_min": 1}],
            }}),
        );
}

/// Dora drafts and submits; Daybook notes it and asks.
fn submitted(chronicle: &mut Chronicle, order: Uuid, quantity: i32) {
    let items = json!([{"part_id": FILTER, "supplier_id": ACME, "quantity": quantity, "unit_price": "8.10"}]);
    let draft = json!({"department_id": STORE, "currency": "EUR", "items": items});
    chronicle.by(DORA).send::<Order>(order, json!({"draft": draft}));
    chronicle.send::<Order>(order, json!({"submit": {}}));
    asked(chronicle, order, 1);
}

fn asked(chronicle: &mut Chronicle, order: Uuid, revision: i32) {
    let note = json!({"order_id": order, "revision": revision, "submitted_at": chronicle.next()});
    chronicle
        .by(SYSTEM)
        .send::<Buyer>(DORA, json!({"note-submission": note}))
        .send::<Approval>(order, json!({"ask": {"revision": revision}}));
}

fn settled(chronicle: &mut Chronicle, order: Uuid) {
    chronicle
        .by(SYSTEM)
        .send::<Order>(order, json!({"settle-approval": {}}));
}

fn granted_by_a_delegate(chronicle: &mut Chronicle) {
    submitted(chronicle, GRANTED, 20);
    let ends_at = chronicle.next() + TimeDelta::days(14);
    chronicle.by(BEN).send::<Delegations>(
        BEN,
        json!({"grant": {"to": EMIL, "ends_at": ends_at, "department_ids": [STORE], "total_max": "500.00", "currency": "EUR"}}),
    );
    chronicle.by(EMIL).send::<Approval>(
        GRANTED,
        json!({"approve": {"revision": 1, "notes": "Ben is on holiday"}}),
    );
    settled(chronicle, GRANTED);
    let delegation = chronicle.named(BEN, "delegation_id");
    chronicle
        .by(BEN)
        .send::<Delegations>(BEN, json!({"revoke": {"delegation_id": delegation}}));
}

fn rejected_at_the_second_level(chronicle: &mut Chronicle) {
    submitted(chronicle, REJECTED, 150);
    chronicle
        .by(BEN)
        .send::<Approval>(REJECTED, json!({"approve": {"revision": 1}}))
        .by(ADA)
        .send::<Approval>(
            REJECTED,
            json!({"reject": {"revision": 1, "notes": "half of it would do"}}),
        );
    settled(chronicle, REJECTED);
}

fn overdue_and_cancelled(chronicle: &mut Chronicle) {
    submitted(chronicle, OVERDUE, 30);
    for _ in ["Ben", "Ada"] {
        let ask_id = chronicle.named(OVERDUE, "ask_id");
        chronicle
            .by(SYSTEM)
            .later(25)
            .send::<Approval>(OVERDUE, json!({"escalate": {"ask_id": ask_id}}));
    }
    chronicle
        .by(DORA)
        .send_because::<Order>(OVERDUE, json!({"cancel": {}}), "nobody answered")
        .by(SYSTEM)
        .send::<Approval>(OVERDUE, json!({"void": {}}));
}

/// With the order that Emil approved it would have needed two levels.
fn reassigned_to_the_new_manager(chronicle: &mut Chronicle) {
    submitted(chronicle, REASSIGNED, 120);
    let managed_by = |manager: Uuid| json!({"amend": {"name": "Main store", "parent_id": COMPANY, "description": "Parts", "manager_id": manager}});
    chronicle
        .by(ADA)
        .send::<Register<Department>>(STORE, managed_by(EMIL))
        .send::<Approval>(REASSIGNED, json!({"reassign": {}}))
        .by(EMIL)
        .send::<Approval>(REASSIGNED, json!({"approve": {"revision": 1}}));
    settled(chronicle, REASSIGNED);
    chronicle.by(ADA).send::<Register<Department>>(STORE, managed_by(BEN));
}

/// The order grows while it waits, so that it is asked for from the first level again.
fn submitted_anew(chronicle: &mut Chronicle) {
    submitted(chronicle, RESUBMITTED, 5);
    let item = item(chronicle, RESUBMITTED, 0);
    chronicle
        .by(DORA)
        .send::<Order>(RESUBMITTED, json!({"change-item": {"item_id": item, "quantity": 6}}));
    asked(chronicle, RESUBMITTED, 2);
}
