//! What an order may say.

use super::*;
use domain::text::Unfit;
use rehearsal::given::{given, long, takes};

#[test]
fn an_order_is_drafted_with_an_id_for_every_item_and_takes_its_request() {
    given::<Order>([])
        .with_facts(known())
        .when(draft(vec![one(), one()]))
        .then([drafted(2)])
        .claims([takes(crate::request::ORDER, REQUEST)]);
}

#[test]
fn a_price_is_written_with_two_decimals() {
    let events = given::<Order>([])
        .with_facts(known())
        .when(draft(vec![wanted(1, Decimal::from(7))]))
        .events();
    let [Event::OrderDrafted { items, .. }] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(items[0].unit_price.to_string(), "7.00");
}

#[test]
fn an_order_has_1_to_500_items() {
    given::<Order>([])
        .with_facts(known())
        .when(draft(Vec::new()))
        .refused(Refusal::NoItems);
    let full = given::<Order>([])
        .with_facts(known())
        .when(draft(vec![one(); ITEMS_MAX]))
        .events();
    given::<Order>([])
        .with_facts(known())
        .when(draft(vec![one(); ITEMS_MAX + 1]))
        .refused(Refusal::TooManyItems);
    given::<Order>(full)
        .with_facts(known())
        .when(Command::AddItem(one()))
        .refused(Refusal::TooManyItems);
}

#[test]
fn the_largest_order_fits_an_event() {
    const EVENT_BYTES_MAX: usize = 256 << 10;
    let dated = NewItem {
        expected_delivery_date: NaiveDate::from_ymd_opt(9999, 12, 31),
        // So cheap that one level of approval is enough.
        ..wanted(1, Decimal::ONE)
    };
    // Four bytes: no character that a text may have takes more as JSON.
    let note = Some("🜁".repeat(NOTE_CHARS_MAX));
    let draft = Command::Draft(NewOrder {
        note,
        ..new_order(vec![dated; ITEMS_MAX])
    });
    let drafted = given::<Order>([]).with_facts(known()).when(draft).events();
    assert!(serde_json::to_string(&drafted[0]).unwrap().len() <= EVENT_BYTES_MAX);
    let submitted = given::<Order>(drafted)
        .with_facts(known())
        .when(Command::Submit {})
        .events();
    assert!(serde_json::to_string(&submitted[0]).unwrap().len() <= EVENT_BYTES_MAX);
}

#[test]
fn an_order_has_one_currency_in_circulation() {
    for currency in ["eur", "DEM", "", "EURO"] {
        let order = NewOrder {
            currency: currency.to_owned(),
            ..new_order(vec![one()])
        };
        given::<Order>([])
            .with_facts(known())
            .when(Command::Draft(order))
            .refused(Refusal::UnknownCurrency);
    }
}

/// What is said of a command to orders of this past.
fn told(past: Vec<Event>, command: Command) -> String {
    let asked = given::<Order>(past).with_facts(known()).when(command);
    asked.outcome().unwrap_err().to_string()
}

#[test]
fn a_price_divides_as_the_orders_currency_does() {
    let cents = || wanted(1, Decimal::new(10_055, 2));
    let in_yen = |item| {
        Command::Draft(NewOrder {
            currency: "JPY".to_owned(),
            ..new_order(vec![item])
        })
    };
    let whole = "unit_price must be whole: amounts in JPY have no decimals";
    assert_eq!(told(Vec::new(), in_yen(cents())), format!("items[0].{whole}"));
    let past = given::<Order>([])
        .with_facts(known())
        .when(in_yen(wanted(1, Decimal::from(100))));
    let past = past.events();
    assert_eq!(told(past.clone(), Command::AddItem(cents())), whole);
    assert_eq!(told(past, change(None, Some(Decimal::new(10_055, 2)))), whole);
    let in_euros = given::<Order>([])
        .with_facts(known())
        .when(draft(vec![cents()]))
        .events();
    let to_yen = Command::ChangeCurrency {
        currency: "JPY".to_owned(),
    };
    assert_eq!(told(in_euros, to_yen), format!("items[0].{whole}"));
}

#[test]
fn a_currency_of_thousandths_is_refused_by_name_when_it_is_first_used() {
    let to_dinars = |currency: &str| Command::ChangeCurrency {
        currency: currency.to_owned(),
    };
    for currency in ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"] {
        let drafting = Command::Draft(NewOrder {
            currency: currency.to_owned(),
            ..new_order(vec![one()])
        });
        for told in [told(Vec::new(), drafting), told(vec![drafted(1)], to_dinars(currency))] {
            assert!(
                told.starts_with(&format!("currency is {currency}, whose amounts have 3")),
                "{told}"
            );
        }
    }
}

#[test]
fn a_tolerance_is_0_to_100_percent() {
    for tolerance_percent in [-1, 101] {
        let order = NewOrder {
            tolerance_percent,
            ..new_order(vec![one()])
        };
        let unfit = Unfit::Range {
            value: tolerance_percent.into(),
            min: 0,
            max: 100,
        };
        given::<Order>([])
            .with_facts(known())
            .when(Command::Draft(order))
            .refused(Refusal::Unfit {
                field: "tolerance_percent".to_owned(),
                unfit,
            });
    }
}

#[test]
fn a_quantity_is_at_least_one_and_a_price_fits_its_column() {
    let unfit = |field: &str, unfit| Refusal::Unfit {
        field: field.to_owned(),
        unfit,
    };
    let range = Unfit::Range {
        value: 0,
        min: 1,
        max: i32::MAX.into(),
    };
    let cents = Unfit::Amount {
        decimals: 2,
        below: Decimal::from(100_000_000),
    };
    given::<Order>([])
        .with_facts(known())
        .when(draft(vec![one(), one(), wanted(0, Decimal::ONE)]))
        .refused(unfit("items[2].quantity", range.clone()));
    given::<Order>([drafted(1)])
        .with_facts(known())
        .when(Command::AddItem(wanted(1, Decimal::new(1, 3))))
        .refused(unfit("unit_price", cents.clone()));
    given::<Order>([drafted(1)])
        .when(change(Some(0), None))
        .refused(unfit("quantity", range));
    given::<Order>([drafted(1)])
        .when(change(None, Some(Decimal::NEGATIVE_ONE)))
        .refused(unfit("unit_price", Unfit::Negative));
    given::<Order>([drafted(1)])
        .when(change(None, Some(Decimal::from(100_000_000))))
        .refused(unfit("unit_price", cents));
}

#[test]
fn a_line_total_fits_its_column() {
    let below = Decimal::from(10_000_000_000_u64);
    given::<Order>([drafted(1)])
        .when(change(Some(1_000), Some(Decimal::from(10_000_000))))
        .refused(Refusal::LineTooLarge {
            field: "unit_price".to_owned(),
            below,
        });
    let most = change(Some(100), Some(Decimal::new(9_999_999_999, 2)));
    assert_eq!(given::<Order>([drafted(1)]).when(most).events().len(), 1);
}

#[test]
fn a_delivery_is_expected_between_the_years_2000_and_9999() {
    let arriving = |year| NewItem {
        expected_delivery_date: NaiveDate::from_ymd_opt(year, 1, 1),
        ..one()
    };
    for year in [1999, 10_000] {
        let unfit = Unfit::Range {
            value: year.into(),
            min: 2000,
            max: 9999,
        };
        given::<Order>([drafted(1)])
            .with_facts(known())
            .when(Command::AddItem(arriving(year)))
            .refused(Refusal::Unfit {
                field: "expected_delivery_date".to_owned(),
                unfit,
            });
    }
}

#[test]
fn a_note_fits_an_event() {
    let unfit = Unfit::TooLong {
        chars: 2_001,
        max: NOTE_CHARS_MAX,
    };
    given::<Order>([])
        .with_facts(known().with(OTHER, state::<Order>([drafted(1)])))
        .when(Command::Duplicate {
            of: OTHER,
            note: Some(long(2_001)),
        })
        .refused(Refusal::Unfit {
            field: "note".to_owned(),
            unfit,
        });
}

#[test]
fn everything_a_draft_names_is_there_and_in_use() {
    let refused = |facts: Facts, field: &str, detail| {
        given::<Order>([])
            .with_facts(facts)
            .when(draft(vec![one(), one()]))
            .refused(reference(field, detail));
    };
    refused(
        known().with(STORE, Register::Struck(department())),
        "department_id",
        "names no department in use",
    );
    refused(
        known().with(REQUEST, DeviceRequest::Unreceived),
        "request_id",
        "names no request that was received",
    );
    let archived = json!({"RequestArchived": {
        "archive": "a", "sha256": "", "response_id": OTHER, "metadata": [], "response_metadata": [], "files": [],
    }});
    refused(
        known().with(REQUEST, request_received([archived])),
        "request_id",
        "names a request that is archived",
    );
    refused(
        known().with(PART, Register::Struck(part())),
        "items[0].part_id",
        "names no part in use",
    );
    refused(
        known().with(SUPPLIER, Register::Struck(supplier())),
        "items[0].supplier_id",
        "names no supplier in use",
    );
    refused(
        known().with(VARIANT, Register::Struck(variant(PART))),
        "items[0].variant_id",
        "names no variant in use",
    );
    refused(
        known().with(VARIANT, Register::Entered(variant(OTHER))),
        "items[0].variant_id",
        "names a variant of another part",
    );
}

#[test]
fn an_item_is_added_at_the_end_and_the_same_part_twice_stays_two_items() {
    let added = Event::OrderItemAdded {
        item: item(0),
        named: vec![called(0)],
    };
    given::<Order>([drafted(1)])
        .with_facts(known())
        .when(Command::AddItem(one()))
        .then([added]);
    let order = state::<Order>([
        drafted(1),
        Event::OrderItemAdded {
            item: item(1),
            named: Vec::new(),
        },
    ]);
    assert_eq!(order.content().unwrap().items, [item(0), item(1)]);
}

#[test]
fn an_added_item_names_what_is_in_use() {
    given::<Order>([drafted(1)])
        .with_facts(known().with(PART, Register::Struck(part())))
        .when(Command::AddItem(one()))
        .refused(reference("part_id", "names no part in use"));
}

#[test]
fn a_change_tells_the_whole_item_and_what_it_was() {
    let changed = Item { quantity: 4, ..item(0) };
    given::<Order>([drafted(1)])
        .when(change(Some(4), None))
        .then([Event::OrderItemChanged {
            item: changed,
            was: item(0).terms(),
            named: Vec::new(),
            was_named: Vec::new(),
        }]);
}

#[test]
fn a_change_to_what_is_so_already_is_no_event() {
    given::<Order>([drafted(1)])
        .when(change(Some(3), Some(Decimal::new(125, 1))))
        .then([]);
    given::<Order>([drafted(1)]).when(change(None, None)).then([]);
}

#[test]
fn an_item_is_removed_but_not_the_last_one() {
    let remove = Command::RemoveItem { item_id: drawn(0) };
    given::<Order>([drafted(2)])
        .when(remove.clone())
        .then([Event::OrderItemRemoved {
            item_id: drawn(0),
            was: Some(item(0).terms()),
            named: Vec::new(),
        }]);
    given::<Order>([drafted(1)]).when(remove).refused(Refusal::LastItem);
}

#[test]
fn only_an_item_of_the_order_is_changed_or_removed() {
    let item_id = OTHER;
    for command in [
        Command::RemoveItem { item_id },
        Command::ChangeItem(ItemChange { item_id, ..same() }),
    ] {
        given::<Order>([drafted(1)]).when(command).refused(Refusal::NoSuchItem {
            field: "item_id".to_owned(),
        });
    }
}

#[test]
fn commands_are_sent_in_kebab_case_with_exact_prices() {
    let sent = json!({"add-item": {"part_id": PART, "supplier_id": SUPPLIER, "quantity": 2, "unit_price": 0.1}});
    let Command::AddItem(item) = serde_json::from_value(sent).unwrap() else {
        panic!("add-item adds an item")
    };
    assert_eq!(item.unit_price, Decimal::new(10, 2));
    let unknown = json!({"submit": {"now": true}});
    assert!(serde_json::from_value::<Command>(unknown).is_err());
}
