//! The people, departments and orders that the tests begin with: a store below a region below a company,
//! each with a manager, and two who buy.

mod ask;
mod bypass;
mod decision;
mod delegated;
mod late;
mod offer;
mod routing;
mod split;
mod together;
mod waiting;

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde_json::json;

use super::*;
use crate::order::{Content, Item, Order, Receipts, Submitted};
use crate::{OrderType, approval_policy::ApprovalPolicy};
use domain::register::{OnePerTenant, Register};
use domain::{Facts, Sealed};
use identity::department::Department;
use identity::role::{self, Role};
use identity::user::{self, User};
use rehearsal::given::{BY, Given, STREAM, TENANT, drawn, given, state};

const DRAFTER: Uuid = Uuid::from_u128(0x10);
const SUBMITTER: Uuid = Uuid::from_u128(0x11);
const LOW: Uuid = Uuid::from_u128(0x12);
const MID: Uuid = Uuid::from_u128(0x13);
const TOP: Uuid = Uuid::from_u128(0x14);
const DEPUTY: Uuid = Uuid::from_u128(0x15);
const STORE: Uuid = Uuid::from_u128(0x20);
const REGION: Uuid = Uuid::from_u128(0x21);
const COMPANY: Uuid = Uuid::from_u128(0x22);
const APPROVER: Uuid = Uuid::from_u128(0x30);
const ACME: Uuid = Uuid::from_u128(0x40);
/// The asks of levels 1, 2 and 3.
const ASKS: [Uuid; 3] = [Uuid::from_u128(0xa1), Uuid::from_u128(0xa2), Uuid::from_u128(0xa3)];

/// Everybody may approve, so that only the rule under test forbids it.
fn world() -> Facts {
    [DRAFTER, SUBMITTER, LOW, MID, TOP, DEPUTY]
        .into_iter()
        .fold(Facts::default(), |facts, id| facts.with(id, person([APPROVER])))
        .with(APPROVER, approver(["orders.approve"]))
        .with(STORE, department(Some(REGION), Some(LOW)))
        .with(REGION, department(Some(COMPANY), Some(MID)))
        .with(COMPANY, department(None, Some(TOP)))
        .with(STREAM, waiting(1, 5_000))
}

fn registered() -> user::Event {
    user::Event::UserRegistered {
        email: Sealed::Open("a@b".to_owned()),
        name: Sealed::Open("Ada".to_owned()),
        oauth_provider: None,
        oauth_id: None,
    }
}

fn person<const N: usize>(roles: [Uuid; N]) -> User {
    let assigned = |role_id| user::Event::UserRoleAssigned {
        assignment_id: role_id,
        role_id,
    };
    state([registered()].into_iter().chain(roles.map(assigned)))
}

fn away() -> User {
    let mut person = person([APPROVER]);
    domain::Decider::evolve(&mut person, &user::Event::UserDeactivated {});
    person
}

fn approver<const N: usize>(permissions: [&str; N]) -> Role {
    let grants = permissions.map(|permission| role::Grant {
        id: APPROVER,
        permission: permission.to_owned(),
    });
    state([role::Event::RoleDefined {
        name: "Approver".to_owned(),
        description: None,
        grants: grants.to_vec(),
    }])
}

fn department(parent_id: Option<Uuid>, manager_id: Option<Uuid>) -> Register<Department> {
    let fields = json!({"name": "Somewhere", "parent_id": parent_id, "manager_id": manager_id});
    Register::Entered(serde_json::from_value(fields).unwrap())
}

fn policy(policy: ApprovalPolicy) -> (Uuid, Register<ApprovalPolicy>) {
    (ApprovalPolicy::stream(TENANT), Register::Entered(policy))
}

fn content(total: i64) -> Content {
    Content {
        order_type: OrderType::Purchase,
        department_id: STORE,
        currency: "EUR".to_owned(),
        request_id: None,
        location_id: None,
        from_location_id: None,
        note: None,
        items: vec![Item {
            item_id: Uuid::from_u128(0x50),
            part_id: Uuid::from_u128(0x51),
            variant_id: None,
            supplier_id: ACME,
            quantity: 1,
            unit_price: Decimal::from(total),
            expected_delivery_date: None,
        }],
        total: Decimal::from(total),
        tolerance_percent: 0,
        drafted_by: DRAFTER,
        revision: 0,
        is_reorder: false,
    }
}

fn submitted(revision: i32, total: i64) -> Submitted {
    Submitted {
        revision,
        content_hash: hash(revision),
        drafted_by: DRAFTER,
        submitted_by: SUBMITTER,
        items: content(total).items,
        currency: "EUR".to_owned(),
        department_id: STORE,
        total: Decimal::from(total),
        refused: Vec::new(),
        is_unreserved: false,
        reversed: Vec::new(),
        never_booked: Vec::new(),
        confirmed: BTreeMap::new(),
    }
}

fn hash(revision: i32) -> String {
    format!("hash of {revision}")
}

/// An order of the store that waits for approval; 5,000 EUR need two levels.
fn waiting(revision: i32, total: i64) -> Order {
    Order::PendingApproval(content(total), submitted(revision, total))
}

fn asked(revision: i32, total: i64, levels: i32) -> Event {
    Event::ApprovalAsked {
        revision,
        content_hash: hash(revision),
        order_total: Decimal::from(total),
        currency: "EUR".to_owned(),
        department_id: STORE,
        drafted_by: DRAFTER,
        submitted_by: SUBMITTER,
        levels,
        deadline_hours: 48,
        split_with: Vec::new(),
        at: Some(day(0)),
    }
}

fn asks(ask_id: Uuid, level: i32, (department_id, approver_id): (Uuid, Uuid), at: DateTime<Utc>) -> Event {
    Event::LevelAsked {
        ask_id,
        level,
        department_id,
        approver_id,
        due_at: at + TimeDelta::hours(48),
        escalated_from: None,
        revision: 1,
        order_total: Decimal::from(5_000),
        currency: "EUR".to_owned(),
        split_with: Vec::new(),
        is_top: false,
    }
}

/// The same of another revision, or about another total.
fn about(mut asks: Event, of: i32, total: i64) -> Event {
    if let Event::LevelAsked {
        revision, order_total, ..
    } = &mut asks
    {
        (*revision, *order_total) = (of, Decimal::from(total));
    }
    asks
}

fn day(n: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(n)
}

/// Two levels are needed and the store's manager is asked.
fn first_asked() -> Vec<Event> {
    vec![asked(1, 5_000, 2), asks(ASKS[0], 1, (STORE, LOW), day(0))]
}

/// The store's manager approved and the region's is asked.
fn second_asked() -> Vec<Event> {
    let mut past = first_asked();
    past.extend([approved(ASKS[0], 1, LOW, None), asks(ASKS[1], 2, (REGION, MID), day(0))]);
    past
}

/// Both levels approved.
fn granted() -> Vec<Event> {
    let mut past = second_asked();
    past.extend([approved(ASKS[1], 2, MID, None), granted_to(Some(MID))]);
    past
}

fn granted_to(approved_by: Option<Uuid>) -> Event {
    Event::ApprovalGranted {
        revision: 1,
        content_hash: hash(1),
        approved_by,
    }
}

fn approved(ask_id: Uuid, level: i32, by: Uuid, on_behalf_of: Option<Uuid>) -> Event {
    Event::LevelApproved {
        ask_id,
        level,
        by,
        on_behalf_of,
        notes: None,
        at: Some(day(0)),
    }
}

/// The same at another time.
fn timed(mut event: Event, time: DateTime<Utc>) -> Event {
    if let Event::ApprovalAsked { at, .. } | Event::LevelApproved { at, .. } | Event::ApprovalRejected { at, .. } =
        &mut event
    {
        *at = Some(time);
    }
    event
}

fn rejected(ask_id: Uuid, level: i32, by: Uuid) -> Event {
    Event::ApprovalRejected {
        revision: 1,
        ask_id: Some(ask_id),
        level: Some(level),
        by: Some(by),
        on_behalf_of: None,
        notes: "too dear".to_owned(),
        at: Some(day(0)),
    }
}

fn voided(ask_ids: &[Uuid], why: WhyVoid) -> Event {
    Event::ApprovalVoided {
        ask_ids: ask_ids.to_vec(),
        revision: 1,
        why,
        by: (why == WhyVoid::Resubmitted).then_some(SUBMITTER),
        at: Some(day(0)),
    }
}

/// What LOW is told of level 1 when it ended so.
fn is_over(what: End, by: Option<Uuid>, at: Option<DateTime<Utc>>) -> Refusal {
    let over = Over {
        revision: 1,
        level: 1,
        approver_id: LOW,
        became: Became {
            what,
            by,
            on_behalf_of: None,
            at,
        },
        reader: LOW,
    };
    Refusal::Over { over: Box::new(over) }
}

fn ask(revision: i32) -> Command {
    Command::Ask {
        revision,
        submitted_at: None,
    }
}

fn void() -> Command {
    Command::Void {
        by: None,
        cancelled_at: None,
    }
}

fn approve(revision: i32) -> Command {
    Command::Approve { revision, notes: None }
}

fn reject(revision: i32) -> Command {
    Command::Reject {
        revision,
        notes: "too dear".to_owned(),
    }
}

/// The approval with this past, in the world as it is.
fn approval(past: Vec<Event>) -> Given<Approval> {
    approval_in(world(), past)
}

fn approval_in(facts: Facts, past: Vec<Event>) -> Given<Approval> {
    given::<Approval>(past).with_facts(facts)
}
