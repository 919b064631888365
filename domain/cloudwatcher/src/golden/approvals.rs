//! How orders of a small company are approved: in person, by a delegate, too late, and not at all.

use chrono::TimeDelta;
use serde_json::{Value, json};
use uuid::Uuid;

use super::history::{ACME, ADA, BEN, COMPANY, FILTER, STORE, id};
use super::ledger::{Ledger, TENANT};
use domain::SYSTEM;
use crate::approval::Approval;
use crate::approval_policy::ApprovalPolicy;
use crate::buyer::Buyer;
use crate::delegation::Delegations;
use crate::order::Order;
use identity::department::Department;
use identity::role::Role;
use identity::user::User;
use domain::register::Register;

const DORA: Uuid = id(1, 4);
const EMIL: Uuid = id(1, 5);
const APPROVER: Uuid = id(2, 4);
const GRANTED: Uuid = id(9, 11);
const REJECTED: Uuid = id(9, 12);
const OVERDUE: Uuid = id(9, 13);
const REASSIGNED: Uuid = id(9, 14);
const RESUBMITTED: Uuid = id(9, 15);

/// Who may approve: without them no order could be submitted.
pub(super) fn approvers(ledger: &mut Ledger) {
    ledger
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

pub(super) fn approvals(ledger: &mut Ledger) {
    policy(ledger);
    granted_by_a_delegate(ledger);
    rejected_at_the_second_level(ledger);
    overdue_and_cancelled(ledger);
    reassigned_to_the_new_manager(ledger);
    submitted_anew(ledger);
    ledger
        .by(ADA)
        .send::<Register<ApprovalPolicy>>(ApprovalPolicy::stream(TENANT), json!({"strike": {}}));
}

fn policy(ledger: &mut Ledger) {
    let euros = |thresholds: Value| json!([{"currency": "EUR", "thresholds": thresholds}]);
    let stream = ApprovalPolicy::stream(TENANT);
    ledger
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
fn submitted(ledger: &mut Ledger, order: Uuid, quantity: i32) {
    let items = json!([{"part_id": FILTER, "supplier_id": ACME, "quantity": quantity, "unit_price": "8.10"}]);
    let draft = json!({"department_id": STORE, "currency": "EUR", "items": items});
    ledger.by(DORA).send::<Order>(order, json!({"draft": draft}));
    ledger.send::<Order>(order, json!({"submit": {}}));
    asked(ledger, order, 1);
}

fn asked(ledger: &mut Ledger, order: Uuid, revision: i32) {
    let note = json!({"order_id": order, "revision": revision, "submitted_at": ledger.next()});
    ledger
        .by(SYSTEM)
        .send::<Buyer>(DORA, json!({"note-submission": note}))
        .send::<Approval>(order, json!({"ask": {"revision": revision}}));
}

fn settled(ledger: &mut Ledger, order: Uuid) {
    ledger.by(SYSTEM).send::<Order>(order, json!({"settle-approval": {}}));
}

fn granted_by_a_delegate(ledger: &mut Ledger) {
    submitted(ledger, GRANTED, 20);
    let ends_at = ledger.next() + TimeDelta::days(14);
    ledger.by(BEN).send::<Delegations>(
        BEN,
        json!({"grant": {"to": EMIL, "ends_at": ends_at, "department_ids": [STORE], "total_max": "500.00"}}),
    );
    ledger.by(EMIL).send::<Approval>(
        GRANTED,
        json!({"approve": {"revision": 1, "notes": "Ben is on holiday"}}),
    );
    settled(ledger, GRANTED);
    let delegation = ledger.named(BEN, "delegation_id");
    ledger
        .by(BEN)
        .send::<Delegations>(BEN, json!({"revoke": {"delegation_id": delegation}}));
}

fn rejected_at_the_second_level(ledger: &mut Ledger) {
    submitted(ledger, REJECTED, 150);
    ledger
        .by(BEN)
        .send::<Approval>(REJECTED, json!({"approve": {"revision": 1}}))
        .by(ADA)
        .send::<Approval>(
            REJECTED,
            json!({"reject": {"revision": 1, "notes": "half of it would do"}}),
        );
    settled(ledger, REJECTED);
}

fn overdue_and_cancelled(ledger: &mut Ledger) {
    submitted(ledger, OVERDUE, 30);
    for _ in ["Ben", "Ada"] {
        let ask_id = ledger.named(OVERDUE, "ask_id");
        ledger
            .by(SYSTEM)
            .later(25)
            .send::<Approval>(OVERDUE, json!({"escalate": {"ask_id": ask_id}}));
    }
    ledger
        .by(DORA)
        .send_because::<Order>(OVERDUE, json!({"cancel": {}}), "nobody answered")
        .by(SYSTEM)
        .send::<Approval>(OVERDUE, json!({"void": {}}));
}

/// With the order that Emil approved it would have needed two levels.
fn reassigned_to_the_new_manager(ledger: &mut Ledger) {
    submitted(ledger, REASSIGNED, 120);
    let managed_by = |manager: Uuid| json!({"amend": {"name": "Main store", "parent_id": COMPANY, "description": "Parts", "manager_id": manager}});
    ledger
        .by(ADA)
        .send::<Register<Department>>(STORE, managed_by(EMIL))
        .send::<Approval>(REASSIGNED, json!({"reassign": {}}))
        .by(EMIL)
        .send::<Approval>(REASSIGNED, json!({"approve": {"revision": 1}}));
    settled(ledger, REASSIGNED);
    ledger.by(ADA).send::<Register<Department>>(STORE, managed_by(BEN));
}

/// The order grows while it waits, so that it is asked for from the first level again.
fn submitted_anew(ledger: &mut Ledger) {
    submitted(ledger, RESUBMITTED, 5);
    let item = ledger.item(RESUBMITTED, 0);
    ledger
        .by(DORA)
        .send::<Order>(RESUBMITTED, json!({"change-item": {"item_id": item, "quantity": 6}}));
    asked(ledger, RESUBMITTED, 2);
}
