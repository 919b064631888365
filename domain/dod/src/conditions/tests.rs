use super::*;
use rehearsal::given::long;
use serde_json::json;

fn labels() -> BTreeMap<String, String> {
    BTreeMap::from([("cluster".to_owned(), "prod-1".to_owned())])
}

fn subject(labels: &BTreeMap<String, String>) -> Subject<'_> {
    Subject {
        source: "Prometheus",
        source_id: Uuid::nil(),
        alert_type: "DiskFull",
        severity: Severity::High,
        title: "Disk of db-1 is full",
        description: None,
        labels,
    }
}

fn holds(field: &str, op: Op, value: &str) -> bool {
    let labels = labels();
    Condition::new(field.parse().unwrap(), op, value).holds(&subject(&labels))
}

#[test]
fn each_field_of_an_alert_can_be_compared() {
    let fields = [
        ("title", "Disk of db-1 is full"),
        ("description", ""),
        ("source", "Prometheus"),
        ("alert_type", "DiskFull"),
        ("severity", "high"),
        ("labels.cluster", "prod-1"),
    ];
    for (field, value) in fields {
        assert!(holds(field, Op::Equal, value), "{field}");
        assert!(!holds(field, Op::NotEqual, value), "{field}");
        assert!(
            !holds(field, Op::Equal, &value.to_uppercase()) || value.is_empty(),
            "{field}"
        );
    }
}

#[test]
fn an_expression_is_found_anywhere_unless_it_says_where() {
    assert!(holds("title", Op::Matches, "db-[0-9]+"));
    assert!(!holds("title", Op::Matches, "^db-[0-9]+$"));
    assert!(holds("title", Op::NotMatches, "^db-[0-9]+$"));
    assert!(!holds("title", Op::NotMatches, "db-[0-9]+"));
}

#[test]
fn a_severity_is_compared_with_those_that_there_are() {
    let with = |op, word: &str| check(&[Condition::new(Field::Severity, op, word)]);
    for word in ["critical", "high", "medium", "low"] {
        assert_eq!(with(Op::Equal, word), Ok(()));
    }
    for word in ["warning", "Low", ""] {
        for op in [Op::Equal, Op::NotEqual] {
            let told = with(op, word).unwrap_err();
            assert!(told.starts_with("when[0].value is no severity"), "{told}");
        }
    }
    assert_eq!(with(Op::Matches, "^warn"), Ok(()), "an expression may be of anything");
}

#[test]
fn a_label_that_is_not_there_counts_as_empty() {
    assert!(holds("labels.team", Op::Equal, ""));
    assert!(holds("labels.team", Op::NotEqual, "dba"));
    assert!(holds("labels.team", Op::Matches, "^$"));
    assert!(!holds("labels.cluster", Op::Equal, ""));
}

#[test]
fn all_conditions_have_to_hold() {
    let labels = labels();
    let is = |field: &str, value: &str| Condition::new(field.parse().unwrap(), Op::Equal, value);
    let (yes, no) = (is("source", "Prometheus"), is("severity", "low"));
    assert!(all_hold(&[], &subject(&labels)));
    assert!(all_hold(&[yes.clone(), yes.clone()], &subject(&labels)));
    assert!(!all_hold(&[yes, no], &subject(&labels)));
}

#[test]
fn any_is_each_of_the_others_by_itself() {
    assert!(holds("any", Op::Equal, "prod-1"));
    assert!(holds("any", Op::Matches, "^db|is full$"));
    assert!(!holds("any", Op::Matches, "full.*Prometheus"), "not across fields");
    assert!(holds("any", Op::NotMatches, "staging"));
    assert!(!holds("any", Op::NotEqual, "DiskFull"));
}

#[test]
fn a_value_that_alerts_may_share_is_one_text_that_is_not_empty() {
    let labels = BTreeMap::from([("a".to_owned(), "b".to_owned()), ("empty".to_owned(), String::new())]);
    let value = |field: &str| subject(&labels).value(&field.parse().unwrap()).map(str::to_owned);
    assert_eq!(value("labels.a").as_deref(), Some("b"));
    assert_eq!(value("severity").as_deref(), Some("high"));
    for none in ["labels.empty", "labels.c", "description", "any"] {
        assert_eq!(value(none), None, "{none}");
    }
}

#[test]
fn a_bad_expression_is_refused_with_its_place() {
    let refused = |value: &str| {
        let fine = Condition::new(Field::Title, Op::Equal, "x");
        check(&[fine, Condition::new(Field::Title, Op::Matches, value)]).unwrap_err()
    };
    assert!(
        refused("é(b").starts_with("when[1].value, character 2 of the pattern: "),
        "{}",
        refused("é(b")
    );
    assert!(
        refused("(?=a)").starts_with("when[1].value, character 1 "),
        "{}",
        refused("(?=a)")
    );
    assert!(refused(r"\w{500}").contains("too large"), "{}", refused(r"\w{500}"));
    assert!(refused("").contains("is empty"), "{}", refused(""));
}

#[test]
fn conditions_have_limits() {
    let condition = |value: String| Condition::new(Field::Title, Op::Equal, value);
    assert_eq!(check(&vec![condition("x".to_owned()); CONDITIONS_MAX]), Ok(()));
    let many = check(&vec![condition("x".to_owned()); CONDITIONS_MAX + 1]);
    assert_eq!(many.unwrap_err(), "when has 17 conditions; at most 16 are allowed");
    assert_eq!(check(&[condition(long(VALUE_CHARS_MAX))]), Ok(()));
    let long = check(&[condition(long(VALUE_CHARS_MAX + 1))]).unwrap_err();
    assert!(long.starts_with("when[0].value is 501 characters long"), "{long}");
}

#[test]
fn a_word_that_is_no_field_is_refused_and_so_is_one_that_is_no_comparison() {
    for word in ["titel", "labels", "labels.", "Title", "raw"] {
        assert!(word.parse::<Field>().is_err(), "{word}");
    }
    let read = |field: &str, op: &str| {
        let written = json!({"field": field, "op": op, "value": ""});
        serde_json::from_value::<Condition>(written)
    };
    let told = read("titel", "equal").unwrap_err().to_string();
    assert!(told.contains("must be title, description"), "{told}");
    assert!(read("title", "equals").is_err());
    assert!(read("title", "not_matches").is_ok());
}

#[test]
fn a_condition_is_written_as_it_was_read() {
    let written = json!({"field": "labels.a.b", "op": "not_equal", "value": "c"});
    let condition: Condition = serde_json::from_value(written.clone()).unwrap();
    assert_eq!(condition.field, Field::Label("a.b".to_owned()));
    assert_eq!(serde_json::to_value(&condition).unwrap(), written);
}

#[test]
fn patterns_are_counted() {
    let with = |op| Condition::new(Field::Title, op, "x");
    let all = [
        with(Op::Equal),
        with(Op::Matches),
        with(Op::NotEqual),
        with(Op::NotMatches),
    ];
    assert_eq!(patterns(&all), 2);
}
