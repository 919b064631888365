use super::*;
use domain::register::{Change, Command, Refusal};
use rehearsal::given::{given, long, releases, takes};
use serde_json::json;

const PART: Uuid = Uuid::from_u128(0x1);
const VARIANT: Uuid = Uuid::from_u128(0x2);
const SUPPLIER: Uuid = Uuid::from_u128(0x3);

type Offers = Register<PartSupplier>;

fn offer() -> PartSupplier {
    PartSupplier {
        part_id: PART,
        variant_id: Some(VARIANT),
        supplier_id: SUPPLIER,
        sku: None,
        supplier_cost: None,
        currency: None,
        lead_time_days: None,
        minimum_order_qty: 1,
        pack_qty: 1,
        is_preferred: false,
    }
}

fn part() -> Part {
    serde_json::from_value(json!({"part_code": "F-1", "name": "Filter"})).unwrap()
}

fn variant(part_id: Uuid) -> PartVariant {
    serde_json::from_value(json!({"part_id": part_id, "variant_code": "RED"})).unwrap()
}

fn supplier() -> Supplier {
    serde_json::from_value(json!({"name": "Acme"})).unwrap()
}

fn known() -> Facts {
    Facts::default()
        .with(PART, Register::Entered(part()))
        .with(VARIANT, Register::Entered(variant(PART)))
        .with(SUPPLIER, Register::Entered(supplier()))
}

#[test]
fn a_supplier_has_one_offer_for_a_part_and_variant() {
    given::<Offers>([])
        .with_facts(known())
        .when(Command::Enter(offer()))
        .then([Change::Entered(offer())])
        .claims([takes(OFFER, format!("{PART}/{VARIANT}/{SUPPLIER}"))]);
}

#[test]
fn a_missing_variant_counts_as_one_value() {
    let plain = PartSupplier {
        variant_id: None,
        ..offer()
    };
    given::<Offers>([Change::Entered(offer())])
        .with_facts(known())
        .when(Command::Amend(plain.clone().into()))
        .then([Change::Amended(plain)])
        .claims([
            releases(OFFER, format!("{PART}/{VARIANT}/{SUPPLIER}")),
            takes(OFFER, format!("{PART}/-/{SUPPLIER}")),
        ]);
}

#[test]
fn a_struck_offer_makes_room_because_its_row_goes() {
    given::<Offers>([Change::Entered(offer())])
        .when(Command::Strike {})
        .then([Change::Struck {}])
        .claims([releases(OFFER, format!("{PART}/{VARIANT}/{SUPPLIER}"))]);
    given::<Offers>([Change::Entered(offer()), Change::Struck {}])
        .with_facts(known())
        .when(Command::Enter(offer()))
        .then([Change::Entered(offer())])
        .claims([takes(OFFER, format!("{PART}/{VARIANT}/{SUPPLIER}"))]);
}

#[test]
fn everything_an_offer_names_is_in_use() {
    let without = |what: &str| {
        let facts = known();
        match what {
            "part" => facts.with(PART, Register::Struck(part())),
            "variant" => facts.with(VARIANT, Register::Struck(variant(PART))),
            _ => facts.with(SUPPLIER, Register::Struck(supplier())),
        }
    };
    for (what, field) in [
        ("part", "part_id"),
        ("variant", "variant_id"),
        ("supplier", "supplier_id"),
    ] {
        let detail = format!("{field} names no {what} in use; enter it or choose another");
        given::<Offers>([])
            .with_facts(without(what))
            .when(Command::Enter(offer()))
            .refused(Refusal::Reference { field, detail });
    }
}

#[test]
fn a_variant_on_offer_belongs_to_the_part() {
    let detail = "variant_id names a variant of another part; choose one of this part".to_owned();
    given::<Offers>([])
        .with_facts(known().with(VARIANT, Register::Entered(variant(SUPPLIER))))
        .when(Command::Enter(offer()))
        .refused(Refusal::Reference {
            field: "variant_id",
            detail,
        });
}

#[test]
fn an_offer_fits_its_columns() {
    let enter = |change: fn(&mut PartSupplier)| {
        let mut offer = PartSupplier {
            currency: Some("EUR".to_owned()),
            ..offer()
        };
        change(&mut offer);
        given::<Offers>([]).with_facts(known()).when(Command::Enter(offer))
    };
    let unfit = |field, unfit| Refusal::Unfit { field, unfit };
    let range = |value, min, max| Unfit::Range { value, min, max };
    enter(|offer| offer.sku = Some(long(101))).refused(unfit(
        "sku",
        Unfit::TooLong {
            chars: 101,
            max: SKU_CHARS_MAX,
        },
    ));
    enter(|offer| offer.supplier_cost = Some(Decimal::NEGATIVE_ONE)).refused(unfit("supplier_cost", Unfit::Negative));
    enter(|offer| offer.pack_qty = 0).refused(unfit("pack_qty", range(0, 1, PACK_QTY_MAX.into())));
    enter(|offer| offer.lead_time_days = Some(-1)).refused(unfit("lead_time_days", range(-1, 0, 3_650)));
    enter(|offer| offer.minimum_order_qty = 0).refused(unfit("minimum_order_qty", range(0, 1, i32::MAX.into())));
}

#[test]
fn a_price_names_its_currency_and_divides_as_that_does() {
    let entering = |currency: Option<&str>, cost: &str| {
        let offer = PartSupplier {
            supplier_cost: Some(cost.parse().unwrap()),
            currency: currency.map(str::to_owned),
            ..offer()
        };
        given::<Offers>([]).with_facts(known()).when(Command::Enter(offer))
    };
    assert_eq!(entering(Some("JPY"), "100").events().len(), 1);
    assert_eq!(entering(Some("EUR"), "1.25").events().len(), 1);
    for (currency, cost, said) in [
        (None, "1", "currency is missing"),
        (
            Some("JPY"),
            "100.55",
            "supplier_cost must be whole: amounts in JPY have no decimals",
        ),
        (Some("KWD"), "1.23", "currency is KWD, whose amounts have 3 decimals"),
        (Some("DEM"), "1", "currency is no ISO 4217 code"),
    ] {
        let told = entering(currency, cost).outcome().unwrap_err().to_string();
        assert!(told.starts_with(said), "{told}");
    }
}

#[test]
fn what_was_entered_before_prices_had_a_currency_is_read_and_holds_in_any() {
    let stored = json!({"part_id": PART, "supplier_id": SUPPLIER, "supplier_cost": "1.00"});
    let offer: PartSupplier = serde_json::from_value(stored).unwrap();
    assert_eq!((offer.currency.as_deref(), offer.pack_qty), (None, 1));
    assert!(offer.is_in("EUR") && offer.is_in("JPY"));
    let in_euros = PartSupplier {
        currency: Some("EUR".to_owned()),
        ..offer
    };
    assert!(in_euros.is_in("EUR") && !in_euros.is_in("USD"));
}

#[test]
fn as_many_are_ordered_as_are_needed_the_minimum_at_least_and_whole_packs() {
    let of = |minimum_order_qty, pack_qty, needed| {
        let offer = PartSupplier {
            minimum_order_qty,
            pack_qty,
            ..offer()
        };
        let to_order = offer.to_order(needed);
        assert_eq!(offer.sells(needed).is_ok(), to_order == needed);
        assert_eq!(offer.sells(to_order), Ok(()));
        to_order
    };
    assert_eq!(of(1, 1, 6), 6);
    assert_eq!(of(4_000, 1, 6), 4_000);
    assert_eq!(of(1, 4, 6), 8);
    assert_eq!(of(10, 4, 6), 12);
    assert_eq!(of(10, 4, 12), 12);
    let huge = PartSupplier { pack_qty: 7, ..offer() };
    assert_eq!(huge.to_order(i32::MAX), i32::MAX);
}

#[test]
fn one_can_be_ordered_unless_the_offer_says_otherwise() {
    let offer: PartSupplier = serde_json::from_value(json!({"part_id": PART, "supplier_id": SUPPLIER})).unwrap();
    assert_eq!(offer.minimum_order_qty, 1);
}

#[test]
fn a_price_of_before_there_were_currencies_is_amended_without_one_unless_it_changes() {
    let stored = json!({"part_id": PART, "supplier_id": SUPPLIER, "supplier_cost": "1.00"});
    let before: PartSupplier = serde_json::from_value(stored).unwrap();
    let amending = |change: fn(&mut PartSupplier)| {
        let mut amended = before.clone();
        change(&mut amended);
        let given = given::<Offers>([Change::Entered(before.clone())]).with_facts(known());
        given.when(Command::Amend(amended.into())).outcome()
    };
    assert!(amending(|offer| offer.is_preferred = true).is_ok());
    assert!(amending(|offer| offer.currency = Some("EUR".to_owned())).is_ok());
    let refused = amending(|offer| offer.supplier_cost = Some(Decimal::TWO)).unwrap_err();
    assert!(refused.to_string().starts_with("currency is missing"), "{refused}");
}

#[test]
fn an_offer_whose_supplier_is_struck_is_amended_and_moves_to_none_that_is() {
    let facts = || known().with(SUPPLIER, Register::Struck(supplier()));
    let amending = |amended: PartSupplier| {
        let given = given::<Offers>([Change::Entered(offer())]).with_facts(facts());
        given.when(Command::Amend(amended.into())).outcome()
    };
    let preferred = PartSupplier {
        is_preferred: true,
        ..offer()
    };
    assert_eq!(amending(preferred.clone()), Ok(vec![Change::Amended(preferred)]));
    // That the supplier is struck does not hide that there is no such variant.
    let of_another = PartSupplier {
        variant_id: Some(PART),
        ..offer()
    };
    let refused = amending(of_another).unwrap_err();
    assert!(
        refused.to_string().starts_with("variant_id names no variant"),
        "{refused}"
    );
}
