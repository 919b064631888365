use super::*;
use book::Refusal;
use std::collections::HashSet;

#[test]
fn every_problem_has_a_name_of_its_own_and_an_error_status() {
    let names: HashSet<_> = TABLE.iter().map(|kind| kind.name).collect();
    assert_eq!(names.len(), TABLE.len());
    for kind in TABLE {
        assert!(
            kind.status.is_client_error() || kind.status.is_server_error(),
            "{}",
            kind.name
        );
    }
}

#[test]
fn whoever_must_wait_is_told_how_long() {
    for kind in TABLE
        .iter()
        .filter(|kind| kind.status == StatusCode::SERVICE_UNAVAILABLE)
    {
        assert!(
            Problem::new(kind, "")
                .into_response()
                .headers()
                .contains_key(header::RETRY_AFTER),
            "{}",
            kind.name
        );
    }
}

#[test]
fn no_two_classes_of_refusals_have_one_title_or_status() {
    let (statuses, titles): (HashSet<_>, HashSet<_>) = CLASSES.map(of_class).into_iter().unzip();
    assert_eq!([statuses.len(), titles.len()], [CLASSES.len(); 2]);
}

#[test]
fn a_refusal_names_its_rule_in_the_type() {
    let refusal = Refusal {
        aggregate_type: "sample.visit",
        class: Class::Refused,
        rule: "nobody",
        field: None,
        others: Vec::new(),
        particulars: None,
        detail: "nobody is here".to_owned(),
    };
    let problem = Problem::from(refusal);
    assert_eq!(problem.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(problem.body.r#type, "/problems/sample.visit/nobody");
}

#[test]
fn a_failure_of_ours_tells_a_client_nothing_of_its_cause() {
    let problem = Problem::internal(&"password=hunter2");
    assert!(!serde_json::to_string(&problem.body).unwrap().contains("hunter2"));
}

#[test]
fn no_problem_is_larger_than_8_kib_whatever_is_sent() {
    for sent in ["\u{7f}", "é", "\u{1}", "\"", "🜁", "x"] {
        let much = sent.repeat(1 << 20);
        for quoted in [much.clone(), format!("{much:?}")] {
            let detail = format!("unknown field `{quoted}`, expected one of `name`, `email`");
            let problem = Problem::new(BAD_VALUE, detail).field(quoted.clone());
            let problem = problem.of_request(&much, Some("0190a3c4-7f00-7000-8000-1234567890ab"));
            let json = serde_json::to_string(&problem.body).unwrap();
            assert!(json.len() <= 8 << 10, "{} bytes of {sent:?}", json.len());
            let detail = problem.body()["detail"].as_str().unwrap().to_owned();
            assert!(detail.starts_with("unknown field `"), "{detail}");
            assert!(detail.contains('…') && detail.ends_with("expected one of `name`, `email`"));
        }
    }
}

#[test]
fn only_a_text_that_is_too_long_is_cut() {
    let most = "é".repeat(DETAIL_BEGINS_CHARS + DETAIL_ENDS_CHARS);
    assert_eq!(cut(&most, DETAIL_BEGINS_CHARS, DETAIL_ENDS_CHARS), most);
    assert_eq!(cut("abcdef", 2, 1), "ab…f");
    assert_eq!(cut("abcdef", 2, 0), "ab…");
    assert_eq!(cut("abcd", 2, 1), "abcd");
    assert_eq!(cut("ab", 2, 1), "ab");
}

#[test]
fn an_answer_of_any_other_origin_gets_a_problem_of_its_status() {
    assert_eq!(
        Problem::of_status(StatusCode::PAYLOAD_TOO_LARGE).body.r#type,
        "/problems/too-large"
    );
    assert_eq!(
        Problem::of_status(StatusCode::URI_TOO_LONG).status,
        StatusCode::URI_TOO_LONG
    );
    assert_eq!(
        Problem::of_status(StatusCode::BAD_GATEWAY).status,
        StatusCode::INTERNAL_SERVER_ERROR
    );
}
