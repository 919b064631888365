use super::*;
use domain::Refuse;
use domain::register::{Change, Command, Refusal};
use rehearsal::given::{given, long};

type Skills = Register<Skill>;

fn skill() -> Skill {
    Skill {
        name: "Disk is full".to_owned(),
        problem_description: "A disk has no room left.".to_owned(),
        sop: "Look at the disk.\n\n- check flapping\n".to_owned(),
    }
}

fn enter(skill: Skill) -> Result<Vec<Change<Skill>>, Refusal> {
    given::<Skills>([]).when(Command::Enter(skill)).outcome()
}

/// The field that is refused, and why.
fn refused(skill: Skill) -> (String, String) {
    let refusal = enter(skill).unwrap_err();
    assert_eq!(refusal.rule(), "unfit");
    (refusal.field().unwrap(), refusal.to_string())
}

#[test]
fn a_skill_has_a_problem_and_a_procedure() {
    assert_eq!(enter(skill()), Ok(vec![Change::Entered(skill())]));
    let empty = String::new;
    assert_eq!(
        refused(Skill {
            name: empty(),
            ..skill()
        })
        .0,
        "name"
    );
    assert_eq!(
        refused(Skill {
            problem_description: empty(),
            ..skill()
        })
        .0,
        "problem_description"
    );
    assert_eq!(
        refused(Skill {
            sop: empty(),
            ..skill()
        })
        .0,
        "sop"
    );
}

#[test]
fn texts_have_limits_in_bytes() {
    assert_eq!(
        refused(Skill {
            name: long(NAME_CHARS_MAX + 1),
            ..skill()
        })
        .0,
        "name"
    );
    let problem = |chars| Skill {
        problem_description: long(chars),
        ..skill()
    };
    assert!(enter(problem(PROBLEM_DESCRIPTION_BYTES_MAX / 2)).is_ok());
    let (field, told) = refused(problem(PROBLEM_DESCRIPTION_BYTES_MAX / 2 + 1));
    assert_eq!(field, "problem_description");
    assert!(told.ends_with("has 8194 bytes; at most 8192 are allowed"), "{told}");
    assert_eq!(
        refused(Skill {
            sop: long(SOP_BYTES_MAX / 2 + 1),
            ..skill()
        })
        .0,
        "sop"
    );
}

#[test]
fn a_procedure_that_cannot_be_followed_is_refused_with_its_lines() {
    let (field, told) = refused(Skill {
        sop: "Look.\n- check nonsense\n".to_owned(),
        ..skill()
    });
    assert_eq!(field, "sop");
    assert!(told.starts_with("sop cannot be followed: line 2: "), "{told}");
    let many = refused(Skill {
        sop: "- check nonsense\n".repeat(5),
        ..skill()
    })
    .1;
    assert!(
        many.contains("line 3: ") && !many.contains("line 4: ") && many.ends_with("and 2 more lines"),
        "{many}"
    );
}

#[test]
fn a_skill_is_of_another_text_when_its_name_or_problem_is_another() {
    let renamed = Skill {
        name: "x".to_owned(),
        ..skill()
    };
    let described = Skill {
        problem_description: "x".to_owned(),
        ..skill()
    };
    let followed = Skill {
        sop: "x".to_owned(),
        ..skill()
    };
    assert_ne!(renamed.text_sha256(), skill().text_sha256());
    assert_ne!(described.text_sha256(), skill().text_sha256());
    assert_eq!(followed.text_sha256(), skill().text_sha256());
    assert_eq!(skill().text_sha256().len(), 64);
}
