//! Items by the codes and names that they had when it happened.

use cloudwatcher::order::Named;
use uuid::Uuid;

/// An item as people call it: `F-1 RED (Filter)`.
pub(super) fn called(named: &Named) -> String {
    let Named {
        part_code,
        part,
        variant_code,
        ..
    } = named;
    match variant_code {
        Some(variant) => format!("{part_code} {variant} ({part})"),
        None => format!("{part_code} ({part})"),
    }
}

/// How many of which items: `3 of F-1 RED (Filter), 5 of S-2 (Screw) and 4 more items`. `None` when no item has a name.
pub(super) fn listed(quantities: impl Iterator<Item = (Uuid, i32)>, named: &[Named]) -> Option<String> {
    let mut listed = Vec::new();
    let mut more = 0;
    for (item_id, quantity) in quantities {
        match named.iter().find(|named| named.item_id == item_id) {
            Some(named) => listed.push(format!("{quantity} of {}", called(named))),
            None => more += 1,
        }
    }
    let listed = (!listed.is_empty()).then(|| listed.join(", "))?;
    Some(match more {
        0 => listed,
        1 => format!("{listed} and 1 more item"),
        more => format!("{listed} and {more} more items"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(n: u128, variant: Option<&str>) -> Named {
        Named {
            item_id: Uuid::from_u128(n),
            part_code: format!("F-{n}"),
            part: "Filter".to_owned(),
            variant_code: variant.map(str::to_owned),
            supplier: "Acme".to_owned(),
        }
    }

    #[test]
    fn what_has_names_is_told_by_them_and_the_rest_is_counted() {
        let quantities = |n: u128| (1..=n).map(|n| (Uuid::from_u128(n), 3));
        let names = [named(1, Some("RED")), named(2, None)];
        assert_eq!(
            listed(quantities(2), &names).as_deref(),
            Some("3 of F-1 RED (Filter), 3 of F-2 (Filter)")
        );
        assert_eq!(
            listed(quantities(4), &names[..1]).as_deref(),
            Some("3 of F-1 RED (Filter) and 3 more items")
        );
        assert_eq!(listed(quantities(2), &[]), None);
    }
}
