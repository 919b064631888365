use super::*;
use domain::register::Register;
use domain::{Facts, SYSTEM};
use rehearsal::given::{BY, Given, STREAM, given, long, state};

fn skill() -> Skill {
    Skill {
        name: "Disk is full".to_owned(),
        problem_description: "A disk has no room left.".to_owned(),
        sop: "Look.".to_owned(),
    }
}

fn vector() -> Vec<f32> {
    (0..DIMENSIONS).map(|n| n as f32 / 7.0).collect()
}

fn note(model: &str, text_sha256: String, vector: Vec<f32>) -> Command {
    Command::Note {
        model: model.to_owned(),
        text_sha256,
        vector,
    }
}

fn noted(model: &str) -> Event {
    Event::SkillEmbedded {
        model: model.to_owned(),
        text_sha256: skill().text_sha256(),
        vector: vector(),
    }
}

fn embedding(events: impl IntoIterator<Item = Event>) -> Given<Embedding> {
    let facts = Facts::default().with(STREAM, Register::Entered(skill()));
    given::<Embedding>(events).by(SYSTEM).with_facts(facts)
}

fn text() -> String {
    skill().text_sha256()
}

#[test]
fn a_vector_is_noted_once_for_each_model_and_text() {
    embedding([]).when(note("a", text(), vector())).then([noted("a")]);
    embedding([noted("a")]).when(note("a", text(), vector())).then([]);
    embedding([noted("a")])
        .when(note("b", text(), vector()))
        .then([noted("b")]);
}

#[test]
fn no_skill() {
    let refused = |facts| {
        let given = embedding([]).with_facts(facts);
        given.when(note("a", text(), vector())).refused(Refusal::NoSkill);
    };
    refused(Facts::default());
    refused(Facts::default().with(STREAM, Register::Struck(skill())));
}

#[test]
fn other_text() {
    embedding([])
        .when(note("a", "0f".repeat(32), vector()))
        .refused(Refusal::OtherText);
}

#[test]
fn a_vector_has_1536_finite_numbers_and_a_direction() {
    let with = |number: f32| {
        let mut vector = vector();
        vector[5] = number;
        vector
    };
    let short = vector()[1..].to_vec();
    for bad in [
        Vec::new(),
        short,
        with(f32::NAN),
        with(f32::INFINITY),
        vec![0.0; DIMENSIONS],
    ] {
        let refusal = embedding([]).when(note("a", text(), bad)).outcome().unwrap_err();
        assert_eq!(
            (refusal.rule(), refusal.field().as_deref()),
            ("unfit", Some("vector")),
            "{refusal}"
        );
    }
    for model in [String::new(), long(MODEL_CHARS_MAX + 1)] {
        let refusal = embedding([])
            .when(note(&model, text(), vector()))
            .outcome()
            .unwrap_err();
        assert_eq!(refusal.field().as_deref(), Some("model"));
    }
}

#[test]
fn daybook_alone_is_offered_to_note_a_vector() {
    assert_eq!(embedding([]).offered(), ["note"]);
    assert_eq!(embedding([]).by(BY).offered(), Vec::<String>::new());
}

#[test]
fn the_state_says_of_what_the_vector_is_and_has_none() {
    let state = state::<Embedding>([noted("a")]);
    assert!(state.is_of("a", &text()));
    assert!(!state.is_of("b", &text()) && !state.is_of("a", "other"));
    assert!(serde_json::to_string(&state).unwrap().len() < 200);
}

#[test]
fn numbers_are_read_as_they_were_written() {
    let hard: Vec<f32> = (1..=DIMENSIONS)
        .map(|n| 1.0 / n as f32 * 1.000_1f32.powi(n as i32))
        .collect();
    let event = Event::SkillEmbedded {
        model: "a".to_owned(),
        text_sha256: text(),
        vector: hard,
    };
    let written = serde_json::to_string(&event).unwrap();
    assert_eq!(serde_json::from_str::<Event>(&written).unwrap(), event);
}
