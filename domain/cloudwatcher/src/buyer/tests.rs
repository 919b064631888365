use super::*;
use crate::OrderType;
use crate::order::Content;
use domain::{Facts, SYSTEM};
use rehearsal::given::{Given, STREAM, given, state};

const ORDER: Uuid = Uuid::from_u128(0x10);
const OTHER: Uuid = Uuid::from_u128(0x11);
const THIRD: Uuid = Uuid::from_u128(0x12);
const SUBMITTER: Uuid = Uuid::from_u128(0x20);
const ACME: Uuid = Uuid::from_u128(0x30);
const BOLT: Uuid = Uuid::from_u128(0x31);

fn day(n: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(n)
}

fn item(supplier_id: Uuid, quantity: i32) -> Item {
    Item {
        item_id: Uuid::from_u128(0x40),
        part_id: Uuid::from_u128(0x41),
        variant_id: None,
        supplier_id,
        quantity,
        unit_price: Decimal::from(10),
        expected_delivery_date: None,
    }
}

fn submitted(revision: i32, items: Vec<Item>) -> Submitted {
    Submitted {
        revision,
        content_hash: "hash".to_owned(),
        drafted_by: STREAM,
        submitted_by: SUBMITTER,
        total: items.iter().map(Item::total).sum(),
        items,
        currency: "EUR".to_owned(),
        department_id: Uuid::from_u128(0x50),
        refused: Vec::new(),
        is_unreserved: false,
        reversed: Vec::new(),
        never_booked: Vec::new(),
        confirmed: BTreeMap::new(),
    }
}

fn order(revision: i32) -> Order {
    let submitted = submitted(revision, vec![item(BOLT, 1), item(ACME, 2), item(BOLT, 3)]);
    let content = Content {
        order_type: OrderType::Purchase,
        department_id: submitted.department_id,
        currency: submitted.currency.clone(),
        request_id: None,
        location_id: None,
        from_location_id: None,
        note: None,
        items: submitted.items.clone(),
        total: submitted.total,
        tolerance_percent: 0,
        drafted_by: STREAM,
        revision,
        is_reorder: false,
    };
    Order::PendingApproval(content, submitted)
}

fn note(revision: i32) -> Command {
    Command::NoteSubmission {
        order_id: ORDER,
        revision,
        submitted_at: day(1),
    }
}

fn noted(order_id: Uuid, revision: i32, suppliers: &[(Uuid, i64)], at: DateTime<Utc>) -> Event {
    let total = |&(supplier_id, total): &(Uuid, i64)| SupplierTotal {
        supplier_id,
        total: Decimal::from(total),
    };
    Event::SubmissionNoted {
        order_id,
        revision,
        currency: "EUR".to_owned(),
        suppliers: suppliers.iter().map(total).collect(),
        submitted_at: at,
    }
}

fn buyer(past: Vec<Event>, order: Order) -> Given<Buyer> {
    given::<Buyer>(past)
        .at(day(2))
        .with_facts(Facts::default().with(ORDER, order))
}

#[test]
fn what_was_submitted_is_noted_by_supplier_as_the_order_says_it() {
    for stream in [STREAM, SUBMITTER] {
        buyer(Vec::new(), order(1))
            .on(stream)
            .when(note(1))
            .then([noted(ORDER, 1, &[(ACME, 20), (BOLT, 40)], day(1))]);
    }
}

#[test]
fn a_submission_in_the_future_counts_as_now() {
    buyer(Vec::new(), order(1))
        .at(day(0))
        .when(note(1))
        .then([noted(ORDER, 1, &[(ACME, 20), (BOLT, 40)], day(0))]);
}

#[test]
fn a_later_revision_replaces_an_earlier_one_and_a_repeat_changes_nothing() {
    let past = || vec![noted(ORDER, 1, &[(ACME, 7)], day(0))];
    buyer(past(), order(1)).when(note(1)).then([]);
    buyer(past(), order(2))
        .when(note(2))
        .then([noted(ORDER, 2, &[(ACME, 20), (BOLT, 40)], day(1))]);
    let replaced: Buyer = state([
        noted(ORDER, 1, &[(ACME, 7)], day(0)),
        noted(ORDER, 2, &[(ACME, 8)], day(1)),
    ]);
    assert_eq!(replaced, state([noted(ORDER, 2, &[(ACME, 8)], day(1))]));
}

#[test]
fn only_what_the_order_says_is_noted() {
    let refusal = |revision| Refusal::NotAsSubmitted { revision };
    buyer(Vec::new(), order(2)).when(note(1)).refused(refusal(1));
    buyer(Vec::new(), Order::default()).when(note(1)).refused(refusal(1));
    buyer(Vec::new(), order(1)).on(OTHER).when(note(1)).refused(refusal(1));
    given::<Buyer>([]).when(note(1)).refused(refusal(1));
}

#[test]
fn seven_days_are_remembered_back_from_the_newest_submission() {
    let first = noted(ORDER, 1, &[(ACME, 1)], day(0));
    let kept: Buyer = state([first.clone(), noted(OTHER, 1, &[(ACME, 1)], day(7))]);
    assert_eq!(kept.noted.len(), 2);
    let second = noted(OTHER, 1, &[(ACME, 1)], day(7) + TimeDelta::seconds(1));
    let forgotten: Buyer = state([first.clone(), second.clone()]);
    assert_eq!(forgotten, state([second.clone()]));
    // One that comes late is forgotten at once.
    let late: Buyer = state([second.clone(), first]);
    assert_eq!(late, state([second]));
}

#[test]
fn neighbours_are_earlier_and_share_the_currency_and_a_supplier_by_which_they_are_counted() {
    let mut dollars = noted(Uuid::from_u128(0x13), 1, &[(ACME, 9)], day(4));
    let Event::SubmissionNoted { currency, .. } = &mut dollars;
    "USD".clone_into(currency);
    let buyer: Buyer = state([
        noted(OTHER, 1, &[(ACME, 5), (BOLT, 6)], day(1)),
        noted(THIRD, 1, &[(BOLT, 7)], day(2)),
        noted(ORDER, 1, &[(ACME, 8)], day(3)),
        dollars,
        noted(Uuid::from_u128(0x14), 1, &[(ACME, 1)], day(4)),
    ]);
    let neighbour = |order_id, shared: &[(Uuid, i64)]| Neighbour {
        order_id,
        shared: shared
            .iter()
            .map(|&(supplier_id, total)| SupplierTotal {
                supplier_id,
                total: Decimal::from(total),
            })
            .collect(),
    };
    let of_acme = submitted(1, vec![item(ACME, 1)]);
    assert_eq!(buyer.neighbours(ORDER, &of_acme), [neighbour(OTHER, &[(ACME, 5)])]);
    let of_both = submitted(1, vec![item(ACME, 1), item(BOLT, 1)]);
    assert_eq!(
        buyer.neighbours(ORDER, &of_both),
        [
            neighbour(THIRD, &[(BOLT, 7)]),
            neighbour(OTHER, &[(ACME, 5), (BOLT, 6)])
        ]
    );
}

#[test]
fn whether_a_submission_is_noted_is_the_orders_to_say() {
    assert_eq!(given::<Buyer>([]).by(SYSTEM).offered(), ["note-submission"]);
}
