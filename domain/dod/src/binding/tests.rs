use super::*;
use domain::register::{Change, Command, Refusal};
use domain::{Facts, Refuse};
use rehearsal::given::{Given, given, long};
use serde_json::json;

const SKILL: Uuid = Uuid::from_u128(0x1);

type Bindings = Register<Binding>;

fn binding() -> Binding {
    Binding {
        alert_pattern: "disk full".to_owned(),
        pattern_kind: PatternKind::Keyword,
        field: Field::Title,
        skill_id: SKILL,
        priority: 5,
    }
}

fn skill() -> Skill {
    serde_json::from_value(json!({"name": "Disk", "problem_description": "full", "sop": "Look."})).unwrap()
}

fn bindings() -> Given<Bindings> {
    given::<Bindings>([]).with_facts(Facts::default().with(SKILL, Register::Entered(skill())))
}

/// The field that is refused, and why.
fn refused(binding: Binding) -> (String, String) {
    let refusal = bindings().when(Command::Enter(binding)).outcome().unwrap_err();
    assert_eq!(refusal.rule(), "unfit");
    (refusal.field().unwrap(), refusal.to_string())
}

#[test]
fn a_binding_names_a_skill_in_use() {
    bindings()
        .when(Command::Enter(binding()))
        .then([Change::Entered(binding())]);
    let struck = Facts::default().with(SKILL, Register::Struck(skill()));
    for facts in [Facts::default(), struck] {
        let detail = "skill_id names no skill in use; enter it or choose another".to_owned();
        given::<Bindings>([])
            .with_facts(facts)
            .when(Command::Enter(binding()))
            .refused(Refusal::Reference {
                field: "skill_id",
                detail,
            });
    }
}

#[test]
fn a_bad_expression_is_refused_with_its_place() {
    let with = |pattern: &str, pattern_kind| Binding {
        alert_pattern: pattern.to_owned(),
        pattern_kind,
        ..binding()
    };
    let (field, told) = refused(with("é(b", PatternKind::Regex));
    assert_eq!(field, "alert_pattern");
    assert!(
        told.starts_with("alert_pattern cannot be looked for: character 2 of the pattern: "),
        "{told}"
    );
    let as_words = with("é(b", PatternKind::Keyword);
    bindings()
        .when(Command::Enter(as_words.clone()))
        .then([Change::Entered(as_words)]);
}

#[test]
fn a_binding_fits_its_columns() {
    assert_eq!(
        refused(Binding {
            alert_pattern: String::new(),
            ..binding()
        })
        .0,
        "alert_pattern"
    );
    assert_eq!(
        refused(Binding {
            alert_pattern: long(501),
            ..binding()
        })
        .0,
        "alert_pattern"
    );
    assert_eq!(
        refused(Binding {
            priority: 1_001,
            ..binding()
        })
        .0,
        "priority"
    );
    assert_eq!(
        refused(Binding {
            priority: -1_001,
            ..binding()
        })
        .0,
        "priority"
    );
}

#[test]
fn words_that_no_closed_list_has_are_not_read() {
    let read = |kind: &str, field: &str| {
        let written = json!({"alert_pattern": "x", "pattern_kind": kind, "field": field, "skill_id": SKILL});
        serde_json::from_value::<Binding>(written)
    };
    assert_eq!(read("regex", "labels.team").unwrap().priority, 0);
    assert!(read("glob", "title").is_err());
    assert!(read("regex", "titel").is_err());
}
