//! Whatever is asked of an order in whatever sequence, what holds for every order goes on to hold.

use std::collections::BTreeSet;

use cqrs_es::DomainEvent as _;
use proptest::prelude::*;

use super::tests::{draft, known, wanted};
use super::*;
use crate::event::Stored;
use crate::given::{STREAM, TENANT};
use crate::{ClaimChange, Decider, FactRef, Facts, Ids, Request, event};

/// What is asked; items are meant by their place, so that many sequences meet one that exists.
#[derive(Debug, Clone)]
enum Ask {
    Draft(Vec<NewItem>),
    Add(NewItem),
    Change(prop::sample::Index, Option<i32>, Option<Decimal>),
    Remove(prop::sample::Index),
    Submit,
    Cancel { with_reason: bool },
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
    prop_oneof![
        2 => items.prop_map(Ask::Draft),
        6 => new_item().prop_map(Ask::Add),
        4 => (any::<prop::sample::Index>(), prop::option::of(quantity()), prop::option::of(price()))
            .prop_map(|(index, quantity, price)| Ask::Change(index, quantity, price)),
        4 => any::<prop::sample::Index>().prop_map(Ask::Remove),
        1 => Just(Ask::Submit),
        1 => any::<bool>().prop_map(|with_reason| Ask::Cancel { with_reason }),
    ]
}

fn command(ask: &Ask, order: &Order) -> Command {
    let meant = |index: &prop::sample::Index| match order.content() {
        Some(content) => index.get(&content.items).item_id,
        None => STREAM,
    };
    match ask {
        Ask::Draft(items) => draft(items.clone()),
        Ask::Add(item) => Command::AddItem(item.clone()),
        Ask::Change(index, quantity, unit_price) => Command::ChangeItem {
            item_id: meant(index),
            quantity: *quantity,
            unit_price: *unit_price,
            expected_delivery_date: None,
        },
        Ask::Remove(index) => Command::RemoveItem { item_id: meant(index) },
        Ask::Submit => Command::Submit {},
        Ask::Cancel { .. } => Command::Cancel {},
    }
}

/// Runs the commands; every step checks what must hold for every order.
fn run(asks: &[Ask], facts: &Facts) -> Result<(), TestCaseError> {
    let mut order = Order::default();
    let mut history: Vec<Event> = Vec::new();
    let mut request_held = false;
    for (n, ask) in asks.iter().enumerate() {
        let command = command(ask, &order);
        let decided = order.decide(&Request {
            tenant: TENANT,
            stream: STREAM,
            by: STREAM,
            at: chrono::DateTime::UNIX_EPOCH,
            ids: Ids::new(Uuid::from_u128(n as u128)),
            reason: matches!(ask, Ask::Cancel { with_reason: true }).then_some("because"),
            facts,
            command: &command,
        });
        for event in decided.unwrap_or_default() {
            let before = order.clone();
            for change in order.claims(STREAM, &event) {
                let takes = matches!(change, ClaimChange::Take { .. });
                prop_assert_ne!(takes, request_held, "a claim is taken when free and released when held");
                request_held = takes;
            }
            order.evolve(&event);
            holds(&before, &event, &order)?;
            history.push(event);
        }
        prop_assert_eq!(
            request_held,
            matches!(order, Order::Draft(_) | Order::PendingApproval(_))
        );
    }
    refolds(&history, &order)
}

fn holds(before: &Order, event: &Event, after: &Order) -> Result<(), TestCaseError> {
    let Some(content) = after.content() else {
        return Err(TestCaseError::fail("an event leaves an order that was never drafted"));
    };
    prop_assert!(
        (1..=ITEMS_MAX).contains(&content.items.len()),
        "{} items",
        content.items.len()
    );
    let ids: BTreeSet<Uuid> = content.items.iter().map(|item| item.item_id).collect();
    prop_assert_eq!(ids.len(), content.items.len(), "item ids are unique");
    for item in &content.items {
        prop_assert!(item.quantity >= 1);
        prop_assert_eq!(item.unit_price.scale(), 2);
        prop_assert!(item.unit_price >= Decimal::ZERO && item.unit_price < Decimal::from(100_000_000));
        prop_assert!(item.total() < Decimal::from(10_000_000_000_u64));
    }
    match event {
        Event::OrderDrafted { .. } => prop_assert_eq!(before.status(), None),
        Event::OrderItemAdded { .. } | Event::OrderItemChanged { .. } | Event::OrderItemRemoved { .. } => {
            prop_assert_eq!(before.status(), Some(OrderStatus::Draft));
        }
        Event::OrderSubmitted {
            items, total, revision, ..
        } => {
            prop_assert_eq!(before.status(), Some(OrderStatus::Draft));
            prop_assert_eq!(items, &content.items);
            prop_assert_eq!(*total, items.iter().map(Item::total).sum::<Decimal>());
            prop_assert_eq!(*revision, content.revision);
        }
        Event::OrderCancelled {} => {
            prop_assert!(matches!(before, Order::Draft(_) | Order::PendingApproval(_)));
            prop_assert_eq!(before.content(), after.content());
        }
    }
    Ok(())
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
    fn any_sequence_of_commands_leaves_an_order_that_is_sound(asks in prop::collection::vec(ask(), 1..40)) {
        run(&asks, &known())?;
    }
}
