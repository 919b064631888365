use axum::http::StatusCode;

use super::*;

const ORDER: &[&str] = &["OrderDrafted", "OrderPlaced"];
const GROUND: &[&str] = &["OrderGround"];
const USER: &[&str] = &["UserRegistered"];

fn known() -> Known {
    let of = |kind: &str, events| (kind.to_owned(), events);
    Known(vec![
        of("shop.order", Some(ORDER)),
        of("mill.order", Some(GROUND)),
        of("identity.user", Some(USER)),
        of("gone.jar", None),
    ])
}

fn meant(context: &str, aggregate: &str, event_type: &str) -> Result<(Vec<String>, Option<String>), Problem> {
    let word = |word: &str| (!word.is_empty()).then(|| word.to_owned());
    let words = Words {
        context: word(context),
        aggregate: word(aggregate),
        event_type: word(event_type),
    };
    words
        .among(known())
        .map(|meant| (meant.types.unwrap_or_default(), meant.event_type))
}

fn types(context: &str, aggregate: &str, event_type: &str) -> Vec<String> {
    meant(context, aggregate, event_type).unwrap().0
}

#[test]
fn a_kind_of_stream_is_understood_in_every_form_in_which_events_say_it() {
    for (context, aggregate) in [
        ("", "shop.order"),
        ("shop", "order"),
        ("shop", "shop.order"),
        ("", "/daybook/shop.order"),
    ] {
        assert_eq!(types(context, aggregate, ""), ["shop.order"], "{context} {aggregate}");
    }
    assert_eq!(types("", "order", ""), ["shop.order", "mill.order"]);
    assert_eq!(types("shop", "", ""), ["shop.order"]);
}

#[test]
fn an_event_is_understood_by_its_name_and_after_its_kind_of_stream() {
    for event in ["OrderPlaced", "shop.order.OrderPlaced", "order.OrderPlaced"] {
        let (types, name) = meant("shop", "", event).unwrap();
        assert_eq!(
            (types, name.as_deref()),
            (vec!["shop.order".to_owned()], Some("OrderPlaced"))
        );
    }
    assert_eq!(
        types("", "", "gone.jar.JarLabelled"),
        ["gone.jar"],
        "nobody here knows its events"
    );
}

#[test]
fn a_word_that_means_nothing_is_refused_and_those_that_there_are_are_named() {
    for (context, aggregate, event, field, named) in [
        ("shopp", "", "", "context", "identity"),
        ("", "orders", "", "aggregate", "shop.order"),
        ("", "shop.user", "", "aggregate", "identity.user"),
        ("mill", "shop.order", "", "aggregate", "mill.order"),
        ("shop", "", "OrderLost", "type", "OrderPlaced"),
        ("", "identity.user", "OrderPlaced", "type", "UserRegistered"),
        ("", "", "shop.order.UserRegistered", "type", "OrderPlaced"),
    ] {
        let problem = meant(context, aggregate, event).unwrap_err();
        let body = problem.body();
        assert_eq!(problem.status, StatusCode::BAD_REQUEST);
        assert_eq!(body["field"], field, "{body}");
        let allowed = body["allowed"].as_array().unwrap();
        assert!(allowed.iter().any(|word| word == named), "{body}");
    }
}

#[test]
fn a_refusal_names_so_many_words_at_most() {
    let kinds = (0..=NAMED_MAX).map(|n| (format!("shop.kind-{n:03}"), Some(ORDER)));
    let words = Words {
        aggregate: Some("order".to_owned()),
        ..Words::default()
    };
    let problem = words.among(Known(kinds.collect())).unwrap_err();
    assert_eq!(problem.body()["allowed"].as_array().unwrap().len(), NAMED_MAX);
    assert!(
        problem.detail().ends_with("and 1 more, see GET /v1/events/types"),
        "{}",
        problem.detail()
    );
}
