use super::*;
use domain::register::{Change, Command, Refusal};
use domain::{Decider as _, Facts};
use rehearsal::given::{given, takes};
use serde_json::json;

const PART: Uuid = Uuid::from_u128(0x1);
const OTHER: Uuid = Uuid::from_u128(0x2);

type Variants = Register<PartVariant>;

fn variant() -> PartVariant {
    PartVariant {
        part_id: PART,
        variant_code: "RED".to_owned(),
        variant_name: None,
        attributes: None,
        cost_per_unit: None,
        retail_price: None,
        currency: None,
    }
}

fn part() -> Part {
    serde_json::from_value(json!({"part_code": "F-1", "name": "Filter"})).unwrap()
}

fn known() -> Facts {
    Facts::default().with(PART, Register::Entered(part()))
}

#[test]
fn a_variant_takes_its_code_within_its_part() {
    given::<Variants>([])
        .with_facts(known())
        .when(Command::Enter(variant()))
        .then([Change::Entered(variant())])
        .claims([
            takes(VARIANT_CODE, format!("{PART}/RED")),
            takes(VARIANT_CODE, Claim::alike(&PART.to_string(), "red")),
        ]);
}

#[test]
fn a_variant_stays_with_its_part() {
    let moved = || PartVariant {
        part_id: OTHER,
        ..variant()
    };
    let detail = format!("part_id stays {PART}; enter another part variant instead of changing this one");
    let facts = || known().with(OTHER, Register::Entered(part()));
    for (past, command) in [
        (vec![Change::Entered(variant())], Command::Amend(moved().into())),
        (
            vec![Change::Entered(variant()), Change::Struck {}],
            Command::Enter(moved()),
        ),
    ] {
        given::<Variants>(past)
            .with_facts(facts())
            .when(command)
            .refused(Refusal::Reference {
                field: "part_id",
                detail: detail.clone(),
            });
    }
}

#[test]
fn a_struck_variant_keeps_its_code_because_its_row_stays() {
    given::<Variants>([Change::Entered(variant())])
        .when(Command::Strike {})
        .then([Change::Struck {}])
        .claims([]);
}

#[test]
fn a_variant_is_of_a_part_in_use() {
    let detail = "part_id names no part in use; enter it or choose another".to_owned();
    for facts in [Facts::default(), Facts::default().with(PART, Register::Struck(part()))] {
        given::<Variants>([])
            .with_facts(facts)
            .when(Command::Enter(variant()))
            .refused(Refusal::Reference {
                field: "part_id",
                detail: detail.clone(),
            });
    }
}

#[test]
fn a_variant_fits_its_columns() {
    let enter = |change: &dyn Fn(&mut PartVariant)| {
        let mut variant = PartVariant {
            currency: Some("EUR".to_owned()),
            ..variant()
        };
        change(&mut variant);
        given::<Variants>([]).with_facts(known()).when(Command::Enter(variant))
    };
    let unfit = |field, unfit| Refusal::Unfit { field, unfit };
    let object = |value: Value| value.as_object().cloned();
    enter(&|variant| variant.variant_code.clear()).refused(unfit("variant_code", Unfit::Empty));
    enter(&|variant| variant.variant_name = Some("\0".to_owned())).refused(unfit("variant_name", Unfit::Nul));
    enter(&|variant| variant.attributes = object(json!({"a": ["\0"]}))).refused(unfit("attributes", Unfit::Nul));
    let too_large = Unfit::TooLarge {
        bytes: ATTRIBUTES_BYTES_MAX + 8,
        max: ATTRIBUTES_BYTES_MAX,
    };
    enter(&|variant| variant.attributes = object(json!({"a": "b".repeat(ATTRIBUTES_BYTES_MAX)})))
        .refused(unfit("attributes", too_large));
    enter(&|variant| variant.cost_per_unit = Some(Decimal::new(-1, 2)))
        .refused(unfit("cost_per_unit", Unfit::Negative));
    for price in [Decimal::new(125, 3), Decimal::from(100_000_000)] {
        let amount = Unfit::Amount {
            decimals: 2,
            below: Decimal::from(100_000_000),
        };
        enter(&|variant| variant.retail_price = Some(price)).refused(unfit("retail_price", amount));
    }
}

#[test]
fn its_prices_are_in_a_currency_and_divide_as_that_does() {
    let entering = |currency: Option<&str>| {
        let variant = PartVariant {
            retail_price: Some(Decimal::new(125, 1)),
            currency: currency.map(str::to_owned),
            ..variant()
        };
        given::<Variants>([]).with_facts(known()).when(Command::Enter(variant))
    };
    assert_eq!(entering(Some("EUR")).events().len(), 1);
    for (currency, said) in [
        (None, "currency is missing"),
        (Some("JPY"), "retail_price must be whole"),
        (Some("KWD"), "currency is KWD"),
    ] {
        let told = entering(currency).outcome().unwrap_err().to_string();
        assert!(told.starts_with(said), "{told}");
    }
}

#[test]
fn a_price_may_be_absent_null_a_string_or_a_number() {
    let sent = json!({"part_id": PART, "variant_code": "RED", "cost_per_unit": 9.99, "retail_price": "19.9"});
    let variant: PartVariant = serde_json::from_value(sent).unwrap();
    assert_eq!(variant.cost_per_unit, Some(Decimal::new(999, 2)));
    assert_eq!(variant.retail_price, Some(Decimal::new(1990, 2)));
    let sent = json!({"part_id": PART, "variant_code": "RED", "cost_per_unit": null});
    assert_eq!(serde_json::from_value::<PartVariant>(sent).unwrap().cost_per_unit, None);
}

/// Amends a variant, entered when a cost needed no currency, by what is named.
fn amending_one_of_before(named: Value) -> Result<PartVariant, String> {
    let stored = json!({"part_id": PART, "variant_code": "RED", "cost_per_unit": "8.25"});
    let before: PartVariant = serde_json::from_value(stored).unwrap();
    let command = Variants::read(&json!({ "amend": named })).unwrap();
    let amending = given::<Variants>([Change::Entered(before)]).with_facts(known());
    match amending.when(command).outcome() {
        Ok(events) => match &events[..] {
            [Change::Amended(amended)] => Ok(amended.clone()),
            _ => panic!("{events:?}"),
        },
        Err(refusal) => Err(refusal.to_string()),
    }
}

#[test]
fn what_was_entered_before_there_were_currencies_is_amended_without_one() {
    let renamed = amending_one_of_before(json!({"variant_name": "Red"})).unwrap();
    assert_eq!(
        (renamed.cost_per_unit, renamed.currency),
        (Some(Decimal::new(825, 2)), None)
    );
    let in_euros = amending_one_of_before(json!({"currency": "EUR"})).unwrap();
    assert_eq!(in_euros.currency.as_deref(), Some("EUR"));
    let free = amending_one_of_before(json!({"cost_per_unit": null})).unwrap();
    assert_eq!(free.cost_per_unit, None);
}

#[test]
fn an_amount_that_is_amended_names_its_currency_also_where_another_has_none() {
    for amount in [json!({"retail_price": "12.50"}), json!({"cost_per_unit": "9.00"})] {
        let refused = amending_one_of_before(amount).unwrap_err();
        assert!(refused.starts_with("currency is missing"), "{refused}");
    }
    let refused = amending_one_of_before(json!({"currency": "JPY"})).unwrap_err();
    assert!(refused.starts_with("cost_per_unit must be whole"), "{refused}");
    // What is left as it was does not hide what is wrong besides.
    let refused = amending_one_of_before(json!({"variant_name": "\u{1}"})).unwrap_err();
    assert!(refused.starts_with("variant_name contains"), "{refused}");
}

#[test]
fn a_variant_of_a_part_that_is_struck_is_amended_still() {
    let amended = PartVariant {
        variant_name: Some("Red".to_owned()),
        ..variant()
    };
    given::<Variants>([Change::Entered(variant())])
        .with_facts(Facts::default().with(PART, Register::Struck(part())))
        .when(Command::Amend(amended.clone().into()))
        .then([Change::Amended(amended)]);
}
