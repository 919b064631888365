//! Whatever is asked of an order in whatever sequence, what holds for every order goes on to hold.

use std::collections::{BTreeMap, BTreeSet};

use domain::DomainEvent as _;
use proptest::prelude::*;

use super::tests::{draft, granted_for, known, rejected_for, wanted};
use super::*;
use crate::approval::Approval;
use domain::event::Stored;
use domain::{Asker, ClaimChange, Decider, FactRef, Facts, Ids, Request, Together, event};
use rehearsal::given::{STREAM, TENANT};
use rehearsal::offering;

/// What is asked; items are meant by their place, so that many sequences meet one that exists.
#[derive(Debug, Clone)]
enum Ask {
    Draft(Vec<NewItem>, i32),
    Add(NewItem),
    Change(prop::sample::Index, Option<i32>, Option<Decimal>, Option<u32>),
    Remove(prop::sample::Index),
    Currency(&'static str),
    Note(bool),
    Submit,
    /// After the approvers decided so, if they were still asked.
    Settle {
        granted: bool,
    },
    Place,
    Receive(prop::sample::Index, i32),
    ReceiveAll,
    Reverse(prop::sample::Index),
    Reschedule(Option<prop::sample::Index>, u32),
    Confirm(Option<prop::sample::Index>),
    CloseShort,
    Cancel {
        with_reason: bool,
    },
}

fn new_item() -> impl Strategy<Value = NewItem> {
    (quantity(), price()).prop_map(|(quantity, price)| wanted(quantity, price))
}

fn quantity() -> impl Strategy<Value = i32> {
    prop_oneof![8 => 1..100_i32, 1 => any::<i32>()]
}

fn price() -> impl Strategy<Value = Decimal> {
    (prop_oneof![8 => 0..1_000_000_i64, 1 => any::<i64>()], 0..4_u32)
        .prop_map(|(units, decimals)| Decimal::new(units, decimals))
}

fn ask() -> impl Strategy<Value = Ask> {
    let items = prop_oneof![
        8 => prop::collection::vec(new_item(), 0..4),
        1 => new_item().prop_map(|item| vec![item; ITEMS_MAX - 1]),
    ];
    let index = any::<prop::sample::Index>;
    prop_oneof![
        2 => (items, 0..=100_i32).prop_map(|(items, tolerance)| Ask::Draft(items, tolerance)),
        4 => new_item().prop_map(Ask::Add),
        4 => (index(), prop::option::of(quantity()), prop::option::of(price()), prop::option::of(1..28_u32))
            .prop_map(|(index, quantity, price, day)| Ask::Change(index, quantity, price, day)),
        3 => index().prop_map(Ask::Remove),
        1 => prop::sample::select(vec!["EUR", "USD"]).prop_map(Ask::Currency),
        1 => any::<bool>().prop_map(Ask::Note),
        4 => Just(Ask::Submit),
        5 => any::<bool>().prop_map(|granted| Ask::Settle { granted }),
        5 => Just(Ask::Place),
        4 => (index(), quantity()).prop_map(|(index, quantity)| Ask::Receive(index, quantity)),
        2 => Just(Ask::ReceiveAll),
        2 => index().prop_map(Ask::Reverse),
        2 => (prop::option::of(index()), 1..28_u32).prop_map(|(index, day)| Ask::Reschedule(index, day)),
        2 => prop::option::of(index()).prop_map(Ask::Confirm),
        1 => Just(Ask::CloseShort),
        1 => any::<bool>().prop_map(|with_reason| Ask::Cancel { with_reason }),
    ]
}

fn command(ask: &Ask, order: &Order, receipts: &[Uuid]) -> Command {
    let meant = |index: &prop::sample::Index| match order.content() {
        Some(content) => index.get(&content.items).item_id,
        None => STREAM,
    };
    match ask {
        Ask::Draft(items, tolerance_percent) => match draft(items.clone()) {
            Command::Draft(order) => Command::Draft(NewOrder {
                tolerance_percent: *tolerance_percent,
                ..order
            }),
            other => other,
        },
        Ask::Add(item) => Command::AddItem(item.clone()),
        Ask::Change(index, quantity, unit_price, day) => Command::ChangeItem(ItemChange {
            item_id: meant(index),
            part_id: None,
            variant_id: None,
            without_variant: day.is_some_and(|day| day > 25),
            supplier_id: None,
            quantity: *quantity,
            unit_price: *unit_price,
            expected_delivery_date: day.map(|day| NaiveDate::from_ymd_opt(2026, 2, day).filter(|_| day > 2)),
        }),
        Ask::Remove(index) => Command::RemoveItem { item_id: meant(index) },
        Ask::Currency(currency) => Command::ChangeCurrency {
            currency: (*currency).to_owned(),
        },
        Ask::Note(note) => Command::Annotate {
            note: note.then(|| "soon".to_owned()),
        },
        Ask::Submit => Command::Submit {},
        Ask::Settle { .. } => Command::SettleApproval {},
        Ask::Place => Command::Place {},
        Ask::Receive(index, quantity) => Command::Receive {
            lines: vec![Quantity {
                item_id: meant(index),
                quantity: *quantity,
            }],
        },
        Ask::ReceiveAll => Command::Receive { lines: open(order) },
        Ask::Reverse(index) => Command::ReverseReceipt {
            receipt_id: if receipts.is_empty() {
                STREAM
            } else {
                *index.get(receipts)
            },
        },
        Ask::Reschedule(index, day) => Command::Reschedule {
            item_id: index.as_ref().map(meant),
            expected_delivery_date: NaiveDate::from_ymd_opt(2026, 2, *day).unwrap_or_default(),
        },
        Ask::Confirm(index) => Command::Confirm(Confirmation {
            supplier_id: None,
            reference: "AB-17".to_owned(),
            dates: index
                .iter()
                .map(|index| ConfirmedDate {
                    item_id: meant(index),
                    confirmed_delivery_date: NaiveDate::from_ymd_opt(2026, 2, 3).unwrap_or_default(),
                })
                .collect(),
        }),
        Ask::CloseShort => Command::CloseShort {},
        Ask::Cancel { .. } => Command::Cancel {},
    }
}

fn open(order: &Order) -> Vec<Quantity> {
    match order {
        Order::Placed(content, _, receipts) | Order::ClosedShort(content, _, receipts) => receipts.open(&content.items),
        _ => Vec::new(),
    }
}

/// What the test itself keeps of an order's past, from its events alone.
#[derive(Default)]
struct Seen {
    history: Vec<Event>,
    request_held: bool,
    /// Revision and content hash of the last submission, and what it would have cost.
    submitted: Option<(i32, String, Decimal)>,
    is_approved: bool,
    receipts: BTreeMap<Uuid, Vec<Quantity>>,
    booked: Vec<Uuid>,
}

/// Runs the commands; every step checks what must hold for every order.
fn run(asks: &[Ask], facts: impl Fn() -> Facts) -> Result<(), TestCaseError> {
    let mut order = Order::default();
    let mut approval = Approval::Unasked;
    let mut seen = Seen::default();
    for (n, ask) in asks.iter().enumerate() {
        if let (Ask::Settle { granted }, Some(submitted)) = (ask, order.submitted()) {
            approval = decided(&approval, submitted, *granted);
        }
        let facts = facts().with(STREAM, approval.clone());
        let command = command(ask, &order, &seen.booked);
        let decided = order.decide(&Request {
            tenant: TENANT,
            stream: STREAM,
            sequence: 0,
            by: STREAM,
            at: chrono::DateTime::UNIX_EPOCH,
            ids: Ids::new(Uuid::from_u128(n as u128)),
            reason: matches!(ask, Ask::Cancel { with_reason: true } | Ask::CloseShort).then_some("because"),
            facts: &facts,
            together: &Together::default(),
            command: &command,
        });
        let asker = Asker {
            tenant: TENANT,
            by: STREAM,
            at: chrono::DateTime::UNIX_EPOCH,
        };
        offering::check_typed(&order, &command, STREAM, &asker, decided.is_ok());
        for event in decided.unwrap_or_default() {
            let before = order.clone();
            for change in order.claims(STREAM, &event) {
                let takes = matches!(change, ClaimChange::Take { .. });
                prop_assert_ne!(
                    takes,
                    seen.request_held,
                    "a claim is taken when free and released when held"
                );
                seen.request_held = takes;
            }
            order.evolve(&event);
            sound(&order)?;
            seen.follows(&before, &event, &order)?;
            seen.history.push(event);
        }
        let is_alive = order.status().is_some_and(|status| status != OrderStatus::Cancelled);
        prop_assert_eq!(seen.request_held, is_alive);
    }
    refolds(&seen.history, &order)
}

/// What an approval says after its approvers decided on what was submitted, if they had not before.
fn decided(before: &Approval, submitted: &Submitted, granted: bool) -> Approval {
    if before.asked().is_some_and(|asked| asked.revision == submitted.revision) {
        return before.clone();
    }
    if granted {
        granted_for(submitted.revision, &submitted.content_hash, None)
    } else {
        rejected_for(submitted.revision, &submitted.content_hash, None)
    }
}

fn sound(order: &Order) -> Result<(), TestCaseError> {
    let Some(content) = order.content() else {
        return Err(TestCaseError::fail("an event leaves an order that was never drafted"));
    };
    prop_assert!(
        (1..=ITEMS_MAX).contains(&content.items.len()),
        "{} items",
        content.items.len()
    );
    prop_assert_eq!(content.total, content.items.iter().map(Item::total).sum::<Decimal>());
    let ids: BTreeSet<Uuid> = content.items.iter().map(|item| item.item_id).collect();
    prop_assert_eq!(ids.len(), content.items.len(), "item ids are unique");
    for item in &content.items {
        prop_assert!(item.quantity >= 1);
        prop_assert_eq!(item.unit_price.scale(), 2);
        prop_assert!(item.unit_price >= Decimal::ZERO && item.unit_price < Decimal::from(100_000_000));
        prop_assert!(item.total() < Decimal::from(10_000_000_000_u64));
    }
    Ok(())
}

impl Seen {
    /// Whether the event may follow what was seen.
    fn follows(&mut self, before: &Order, event: &Event, after: &Order) -> Result<(), TestCaseError> {
        let status = before.status();
        let was = |statuses: &[OrderStatus]| status.is_some_and(|status| statuses.contains(&status));
        let content = after.content().unwrap();
        match event {
            Event::OrderDrafted { .. } => prop_assert_eq!(status, None),
            Event::OrderItemAdded { .. }
            | Event::OrderItemChanged { .. }
            | Event::OrderItemRemoved { .. }
            | Event::OrderCurrencyChanged { .. }
            | Event::OrderNoteChanged { .. } => {
                let is_note = matches!(event, Event::OrderNoteChanged { .. });
                prop_assert!(
                    is_note || was(&[OrderStatus::Draft, OrderStatus::PendingApproval, OrderStatus::Approved])
                );
                prop_assert!(!was(&[OrderStatus::Cancelled]));
            }
            Event::OrderSubmitted {
                items,
                total,
                revision,
                content_hash,
                ..
            } => {
                prop_assert_eq!(items, &content.items);
                prop_assert_eq!(*total, items.iter().map(Item::total).sum::<Decimal>());
                prop_assert_eq!(*revision, self.submitted.as_ref().map_or(0, |last| last.0) + 1);
                prop_assert_eq!(*revision, content.revision);
                self.submitted = Some((*revision, content_hash.clone(), *total));
                self.is_approved = false;
            }
            Event::OrderApproved { revision, .. } => {
                prop_assert!(was(&[OrderStatus::PendingApproval]));
                prop_assert_eq!(Some(*revision), self.submitted.as_ref().map(|last| last.0));
                self.is_approved = true;
            }
            Event::OrderRejected { revision, .. } => {
                prop_assert!(was(&[OrderStatus::PendingApproval]));
                prop_assert_eq!(Some(*revision), self.submitted.as_ref().map(|last| last.0));
                prop_assert_eq!(before.content(), after.content());
            }
            Event::OrderPlaced {} => {
                prop_assert!(
                    self.is_approved,
                    "what is placed was approved after it was last submitted"
                );
                let approved = self.submitted.as_ref().map(|last| last.2).unwrap_or_default();
                prop_assert!(content.items.iter().map(Item::total).sum::<Decimal>() <= approved);
            }
            Event::OrderItemsReceived { receipt_id, lines, .. } => {
                let is_surplus = was(&[OrderStatus::Received]) && content.tolerance_percent > 0;
                let awaits = [OrderStatus::Ordered, OrderStatus::PartiallyReceived];
                prop_assert!(is_surplus || was(&awaits) || was(&[OrderStatus::ClosedShort]));
                if was(&[OrderStatus::ClosedShort]) {
                    prop_assert_eq!(after.status(), status);
                }
                self.receipts.insert(*receipt_id, lines.clone());
                self.booked.push(*receipt_id);
            }
            Event::OrderRescheduled { items } => {
                prop_assert!(was(&[OrderStatus::Ordered, OrderStatus::PartiallyReceived]));
                prop_assert!(!items.is_empty());
                prop_assert_eq!(before.submitted(), after.submitted());
                prop_assert_eq!(before.status(), after.status());
            }
            Event::OrderConfirmed { items, .. } => {
                let with = [
                    OrderStatus::Ordered,
                    OrderStatus::PartiallyReceived,
                    OrderStatus::Received,
                ];
                prop_assert!(was(&with));
                prop_assert!(!items.is_empty());
                prop_assert_eq!(before.content(), after.content());
            }
            Event::OrderReceived {} => prop_assert_eq!(after.status(), Some(OrderStatus::Received)),
            Event::OrderReceiptReversed {
                receipt_id,
                lines,
                status,
                was_booked: _,
                named: _,
            } => {
                prop_assert_eq!(self.receipts.remove(receipt_id), Some(lines.clone()));
                prop_assert_eq!(after.status(), Some(*status));
            }
            Event::OrderClosedShort { open, .. } => {
                prop_assert!(!open.is_empty());
                prop_assert!(was(&[OrderStatus::Ordered, OrderStatus::PartiallyReceived]));
            }
            Event::OrderCancelled {} => {
                prop_assert!(self.receipts.is_empty());
                prop_assert_eq!(before.content(), after.content());
            }
            // Of whatever says nothing else.
            _ => {
                prop_assert_eq!(before.content(), after.content());
                prop_assert_eq!(before.status(), after.status());
            }
        }
        self.counts(after)
    }

    /// What was received is the sum of the receipts that count, never more than is tolerated, and says
    /// where the order stands.
    fn counts(&self, order: &Order) -> Result<(), TestCaseError> {
        let (Order::Placed(content, ..) | Order::ClosedShort(content, ..)) = order else {
            return Ok(());
        };
        let mut is_all = true;
        for item in &content.items {
            let of_item = self
                .receipts
                .values()
                .flatten()
                .filter(|line| line.item_id == item.item_id);
            let received: i64 = of_item.map(|line| i64::from(line.quantity)).sum();
            let ordered = i64::from(item.quantity);
            prop_assert!(received * 100 <= ordered * (100 + i64::from(content.tolerance_percent)));
            is_all &= received >= ordered;
        }
        let expected = match (self.receipts.is_empty(), is_all) {
            (true, _) => OrderStatus::Ordered,
            (false, true) => OrderStatus::Received,
            (false, false) => OrderStatus::PartiallyReceived,
        };
        let is_closed = order.status() == Some(OrderStatus::ClosedShort);
        prop_assert!(is_closed || order.status() == Some(expected));
        // Of what is closed short nothing is awaited, whatever is taken back.
        prop_assert!(!is_closed || order.open().is_empty());
        Ok(())
    }
}

/// The history, written to JSON and read back, leads to the same state: through the fold of facts too.
fn refolds(history: &[Event], order: &Order) -> Result<(), TestCaseError> {
    let stored: Vec<(String, String, String)> = history
        .iter()
        .map(|event| (event.event_type(), event.event_version(), event::encode(event).unwrap()))
        .collect();
    let mut stored = stored.iter().map(|(event_type, version, payload)| Stored {
        event_type,
        version,
        payload,
        actor: STREAM,
    });
    let folded = (FactRef::of::<Order>(STREAM).fold)(&mut stored).unwrap();
    prop_assert_eq!(folded.downcast_ref::<Order>(), Some(order));
    Ok(())
}

proptest! {
    #[test]
    fn any_sequence_of_commands_leaves_an_order_that_is_sound(asks in prop::collection::vec(ask(), 1..60)) {
        run(&asks, known)?;
    }

    #[test]
    fn an_order_that_is_submitted_and_approved_stays_sound_to_its_last_receipt(
        items in prop::collection::vec(new_item(), 1..4),
        asks in prop::collection::vec(ask(), 1..40),
    ) {
        let begin = [Ask::Draft(items, 10), Ask::Submit, Ask::Settle { granted: true }];
        let asks: Vec<Ask> = begin.into_iter().chain(asks).collect();
        run(&asks, known)?;
    }
}
