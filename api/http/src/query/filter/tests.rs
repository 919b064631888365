use axum::http::StatusCode;
use projections::table::{Scope, Words};

use super::*;
use crate::query::order::ORDER_COLUMNS_MAX;

static TABLE: Table = Table {
    context: "c",
    name: "things",
    doc: "",
    key: &["id"],
    columns: &[
        column("id", ColumnKind::Uuid, false),
        column("status", ColumnKind::Text, false),
        column("total", ColumnKind::Decimal, true),
        column("seen", ColumnKind::Boolean, false),
        column("payload", ColumnKind::Json, true),
        column("created_at", ColumnKind::Timestamp, false),
        column("secret", ColumnKind::Text, false),
        column("position", ColumnKind::Bigint, false),
        column("place", ColumnKind::Integer, false),
        Column {
            words: Words::Listed(&["low", "high", "critical"]),
            ..column("severity", ColumnKind::Text, true)
        },
    ],
    find: &["id", "status", "total", "seen", "payload", "created_at", "severity"],
    scope: Scope::Tenant,
    masked: &[],
    personal: &[],
    texts: &[],
    stream: None,
    is_lines: false,
};

const fn column(name: &'static str, kind: ColumnKind, nullable: bool) -> Column {
    Column {
        name,
        kind,
        nullable,
        generated: false,
        hidden: false,
        doc: "",
        words: Words::Listed(&[]),
    }
}

fn parse(pairs: &[(&str, &str)]) -> Result<Query, Problem> {
    let pairs = pairs
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    Query::parse(&TABLE, Parameters(pairs))
}

fn filter(name: &str, text: &str) -> Result<Condition, Problem> {
    parse(&[(name, text)]).map(|query| query.filters[0].condition.clone())
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn an_operator_compares_and_a_bare_value_means_eq() {
    assert_eq!(
        filter("status", "neq.draft").unwrap(),
        Condition::Compare(Comparison::Neq, text("draft"))
    );
    assert_eq!(
        filter("status", "draft").unwrap(),
        Condition::Compare(Comparison::Eq, text("draft"))
    );
    assert_eq!(
        filter("status", "v1.2").unwrap(),
        Condition::Compare(Comparison::Eq, text("v1.2"))
    );
    assert_eq!(
        filter("status", "eq.like.this").unwrap(),
        Condition::Compare(Comparison::Eq, text("like.this"))
    );
    assert_eq!(
        filter("total", "12.50").unwrap(),
        Condition::Compare(Comparison::Eq, Value::Decimal("12.50".parse().unwrap()))
    );
    assert_eq!(filter("total", "is.null").unwrap(), Condition::Null);
    assert_eq!(filter("total", "not.null").unwrap(), Condition::NotNull);
}

#[test]
fn any_operator_may_be_negated() {
    let not = |inner| Condition::Not(Box::new(inner));
    let draft = Condition::Compare(Comparison::Eq, text("draft"));
    assert_eq!(filter("status", "not.eq.draft").unwrap(), not(draft));
    assert_eq!(
        filter("status", "not.in.(a,b)").unwrap(),
        not(Condition::In(vec![text("a"), text("b")]))
    );
    assert_eq!(filter("total", "not.is.null").unwrap(), not(Condition::Null));
    let ilike = Condition::Compare(Comparison::Ilike, text("dra%"));
    assert_eq!(filter("status", "ilike.dra%").unwrap(), ilike);
    assert_eq!(filter("status", "not.ilike.dra%").unwrap(), not(ilike));
}

#[test]
fn what_looks_like_an_operator_and_is_none_is_refused_and_those_that_there_are_are_named() {
    for slip in ["xlike.x", "equals.x", "EQ.x", "Ilike.x", "not.xlike.x", "example.com"] {
        let problem = filter("status", slip).unwrap_err();
        assert_eq!(problem.status, StatusCode::BAD_REQUEST, "{slip}");
        let allowed = problem.body()["allowed"].to_string();
        assert!(
            allowed.contains("ilike.") && allowed.contains("neq."),
            "{slip}: {allowed}"
        );
    }
    for value in ["eq.example.com", "v1.2", "Dr. Who", "a@b.example", "Example.com"] {
        assert!(filter("status", value).is_ok(), "{value}");
    }
}

#[test]
fn of_the_conditions_of_an_or_one_is_enough() {
    let any = |written: &str| parse(&[("or", written)]).map(|query| query.any);
    let found = any(r#"(status.eq.draft,total.not.gt.5,status.in.(a,"b,c"),status.eq."x,(y",payload.cs.{"a":[1,2]})"#);
    let found = found.unwrap().remove(0);
    let names: Vec<&str> = found.iter().map(|filter| filter.column.name).collect();
    assert_eq!(names, ["status", "total", "status", "status", "payload"]);
    assert_eq!(found[2].condition, Condition::In(vec![text("a"), text("b,c")]));
    assert_eq!(found[3].condition, Condition::Compare(Comparison::Eq, text("x,(y")));
    assert_eq!(
        parse(&[("or", "(seen.eq.true)"), ("or", "(status.a)")])
            .unwrap()
            .any
            .len(),
        2
    );
    for bad in [
        "",
        "status.eq.a",
        "()",
        "(status)",
        "(status.eq.a,)",
        "(colour.eq.a)",
        "(secret.eq.a)",
        "(status.eq.a",
        "(status.in.(a)",
        r#"(status.eq."a)"#,
        r#"(status.eq."a"b)"#,
        "(seen.gt.true)",
    ] {
        assert_eq!(any(bad).unwrap_err().status, StatusCode::BAD_REQUEST, "{bad}");
    }
    let many = vec!["status.eq.a"; FILTERS_MAX + 1].join(",");
    assert!(any(&format!("({many})")).is_err());
    let asked: Vec<_> = parse(&[("or", "(seen.eq.true,status.eq.a)")])
        .unwrap()
        .asked_by()
        .collect();
    assert_eq!(
        asked,
        ["seen", "status", "created_at"],
        "who must not see a column must not ask by it"
    );
}

#[test]
fn a_list_takes_quoted_values() {
    let list = |written: &str| filter("status", written);
    assert_eq!(list("in.(a,b)").unwrap(), Condition::In(vec![text("a"), text("b")]));
    assert_eq!(
        list(r#"in.("a,b","c\"d",e)"#).unwrap(),
        Condition::In(vec![text("a,b"), text("c\"d"), text("e")])
    );
    assert_eq!(list("in.()").unwrap(), Condition::In(vec![text("")]));
    for bad in ["in.a,b", "in.(a", r#"in.("a)"#, r#"in.("a"b)"#, r#"in.("a\"#] {
        assert!(list(bad).is_err(), "{bad}");
    }
    let many = vec!["x"; IN_VALUES_MAX + 1].join(",");
    assert!(list(&format!("in.({many})")).is_err());
}

#[test]
fn what_does_not_fit_the_column_is_refused() {
    for (name, bad) in [
        ("id", "eq.x"),
        ("status", "cs.{}"),
        ("status", "is.empty"),
        ("status", "not.a"),
        ("status", "not.not.eq.a"),
        ("status", "not."),
        ("seen", "not.gt.true"),
        ("total", "ilike.1%"),
        ("status", "like.abc\\"),
        ("seen", "gt.true"),
        ("seen", "like.t%"),
        ("total", "eq."),
        ("total", "like.1%"),
        ("payload", "eq.{}"),
        ("payload", "cs.{"),
        ("payload", "cs.{\"a\":\"\\u0000\"}"),
        ("payload", "in.({})"),
        ("created_at", "gte.yesterday"),
    ] {
        let problem = filter(name, bad).unwrap_err();
        assert_eq!(problem.status, StatusCode::BAD_REQUEST, "{name}={bad}");
    }
    assert!(filter("status", &"x".repeat(FILTER_BYTES_MAX + 1)).is_err());
}

#[test]
fn a_column_of_a_few_words_is_one_of_them_and_none_is_more_than_another() {
    let high = Condition::Compare(Comparison::Eq, text("high"));
    assert_eq!(filter("severity", "high").unwrap(), high);
    assert_eq!(filter("severity", "eq.high").unwrap(), high);
    assert_eq!(
        filter("severity", "in.(high,critical)").unwrap(),
        Condition::In(vec![text("high"), text("critical")])
    );
    assert_eq!(filter("severity", "is.null").unwrap(), Condition::Null);
    assert!(filter("severity", "like.h%").is_ok());
    for slip in ["hihg", "High", "neq.hihg", "in.(high,hihg)", "not.eq.hihg", ""] {
        let problem = filter("severity", slip).unwrap_err();
        assert_eq!(problem.status, StatusCode::BAD_REQUEST, "{slip}");
        assert!(
            format!("{problem:?}").contains("critical"),
            "{slip}: it names those that there are"
        );
    }
    for compared in ["gt.low", "gte.high", "lt.high", "lte.critical"] {
        assert!(filter("severity", compared).is_err(), "{compared}");
    }
}

#[test]
fn unknown_parameters_are_refused_and_so_are_columns_without_an_index() {
    for name in ["colour", "secret", "tenant_id", "", "id;drop"] {
        assert!(parse(&[(name, "eq.x")]).is_err(), "{name}");
    }
}

#[test]
fn the_newest_come_first_unless_asked_otherwise() {
    let order = |text: &[(&str, &str)]| parse(text).unwrap().order.to_string();
    assert_eq!(order(&[]), "created_at.desc");
    assert_eq!(order(&[("order", "status")]), "status.asc");
    assert_eq!(order(&[("order", "id.desc")]), "id.desc");
    assert_eq!(order(&[("order", "total.desc,status")]), "total.desc,status.asc");
    for bad in [
        "total.asc,total.desc",
        "status,",
        "secret",
        "payload",
        "created_at.up",
        "created_at.desc.x",
        "",
    ] {
        assert!(parse(&[("order", bad)]).is_err(), "{bad}");
    }
    assert!(parse(&[("order", "id"), ("order", "status")]).is_err());
    assert_eq!(ORDER_COLUMNS_MAX, 4);
    assert!(parse(&[("order", "id,status,total,seen,created_at")]).is_err());
    assert!(parse(&[("order", "status"), ("changed", "gt.1")]).is_err());
}

#[test]
fn among_equals_the_place_in_the_book_decides_and_the_key_only_where_nothing_else_is_asked() {
    let compared = |order: &str| {
        let order = parse(&[("order", order)]).unwrap().order;
        let direction = |descending: bool| if descending { "desc" } else { "asc" };
        let by = order.by.iter();
        by.map(|sorted| format!("{} {}", sorted.column.name, direction(sorted.descending)))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        compared("created_at.desc"),
        ["created_at desc", "position desc", "place desc"]
    );
    assert_eq!(
        compared("created_at.desc,status"),
        ["created_at desc", "status asc", "position asc", "place asc"]
    );
    assert_eq!(compared("id.asc"), ["id asc"]);
    assert_eq!(
        compared("status.desc,id"),
        ["status desc", "id asc"],
        "the key tells any two apart"
    );
}

#[test]
fn lines_come_in_the_order_in_which_they_were_entered_unless_asked_otherwise() {
    let lines = Table {
        is_lines: true,
        ..TABLE
    };
    for (table, default) in [
        (Box::leak(Box::new(lines)) as &Table, "created_at.asc"),
        (&TABLE, "created_at.desc"),
    ] {
        assert_eq!(Order::by_default(table).to_string(), default);
    }
}

#[test]
fn a_page_is_bounded() {
    assert_eq!(parse(&[]).unwrap().limit, PAGE_ROWS);
    assert_eq!(parse(&[("limit", "200")]).unwrap().limit, PAGE_ROWS_MAX);
    for bad in ["0", "201", "-1", "x", "", "1e2", "99999999999999999999"] {
        assert!(parse(&[("limit", bad)]).is_err(), "{bad}");
    }
    let many: Vec<_> = (0..=FILTERS_MAX).map(|_| ("status", "a")).collect();
    assert!(parse(&many).is_err());
}

#[test]
fn a_cursor_goes_on_where_the_page_ended() {
    let (id, order) = ("0190a3c4-7f00-7000-8000-1234567890ab", "created_at.desc");
    let some = |texts: &[&str]| texts.iter().map(|text| Some((*text).to_owned())).collect::<Vec<_>>();
    let time = "2026-01-31T08:00:00.000001Z";
    let cursor = Cursor::write(order, some(&[time, "17", "2"]));
    let query = parse(&[("after", &cursor)]).unwrap();
    assert_eq!(query.after.unwrap().0.len(), 3);

    assert!(
        parse(&[("after", &cursor), ("order", "created_at.asc")]).is_err(),
        "another order"
    );
    let foreign = Cursor::write(order, some(&["x", id]));
    let short = Cursor::write(order, some(&[id]));
    let by_key = Cursor::write(order, some(&[time, id]));
    for bad in ["", "x", "e30", "AAAA", &foreign, &short, &by_key, &"A".repeat(10_000)] {
        let problem = parse(&[("after", bad)]).unwrap_err();
        assert_eq!(problem.status, StatusCode::BAD_REQUEST);
        assert!(format!("{problem:?}").contains("start over"), "{bad:.40}: {problem:?}");
    }
}

#[test]
fn only_columns_that_are_there_can_be_selected() {
    assert_eq!(
        parse(&[("select", "status,id")])
            .unwrap()
            .columns
            .iter()
            .map(|column| column.name)
            .collect::<Vec<_>>(),
        ["status", "id"]
    );
    for bad in ["", "colour", "id,id", "id,", "*", "tenant_id"] {
        assert!(parse(&[("select", bad)]).is_err(), "{bad}");
    }
}
