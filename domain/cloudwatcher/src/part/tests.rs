use super::*;
use domain::register::{Change, Command, Entry as _, Refusal, Register};
use domain::text::Unfit;
use domain::{ClaimChange, SYSTEM};
use rehearsal::given::{STREAM, given, long, releases, state, takes};

type Parts = Register<Part>;

fn part(part_code: &str) -> Part {
    Part {
        part_code: part_code.to_owned(),
        name: "Filter".to_owned(),
        description: None,
        category: None,
        unit_of_measure: "unit".to_owned(),
    }
}

#[test]
fn a_part_takes_its_code() {
    given::<Parts>([])
        .when(Command::Enter(part("F-1")))
        .then([Change::Entered(part("F-1"))])
        .claims([takes(PART_CODE, "F-1"), takes(PART_CODE, Claim::alike("", "F-1"))]);
}

#[test]
fn codes_that_a_person_would_call_the_same_are_one() {
    let alike = |code: &str| {
        let taken = Part::claims(&part(code));
        taken[1].clone()
    };
    for code in ["f-1", " F-1 ", "F\u{200b}-1", "Ｆ-1"] {
        assert_eq!(alike(code), alike("F-1"), "{code:?}");
    }
    assert_ne!(alike("F-11"), alike("F-1"));
    // Written another way it is the same still, so it is not taken from the part itself.
    given::<Parts>([Change::Entered(part("F-1"))])
        .when(Command::Amend(part("f-1").into()))
        .then([Change::Amended(part("f-1"))])
        .claims([releases(PART_CODE, "F-1"), takes(PART_CODE, "f-1")]);
}

#[test]
fn a_code_of_before_is_taken_anew_and_nothing_else_is_said_of_the_part() {
    let entered = || vec![Change::Entered(part("F-1"))];
    let struck = || vec![Change::Entered(part("F-1")), Change::Struck {}];
    for past in [entered(), struck()] {
        let before: Parts = state(past.clone());
        given::<Parts>(past.clone())
            .by(SYSTEM)
            .when(Command::TakeAnew {})
            .then([Change::Taken {}])
            .claims([takes(PART_CODE, "F-1"), takes(PART_CODE, Claim::alike("", "F-1"))]);
        assert_eq!(state::<Parts>(past.into_iter().chain([Change::Taken {}])), before);
    }
    given::<Parts>([])
        .by(SYSTEM)
        .when(Command::TakeAnew {})
        .refused(Refusal::NotEntered { noun: "part" });
}

#[test]
fn the_unit_of_measure_stays_once_the_part_is_stocked() {
    let in_litres = Part {
        unit_of_measure: "litre".to_owned(),
        ..part("F-1")
    };
    let stocked: Stocked = state([crate::stocked::Event::StockOpeningNoted {}]);
    let facts = || Facts::default().with(STREAM, stocked.clone());
    let amending = |facts: Facts, past: Vec<Change<Part>>, command| {
        let amending = given::<Parts>(past).with_facts(facts);
        amending.when(command).outcome()
    };
    let entered = || vec![Change::Entered(part("F-1"))];
    let struck = || vec![Change::Entered(part("F-1")), Change::Struck {}];
    assert!(amending(Facts::default(), entered(), Command::Amend(in_litres.clone().into())).is_ok());
    let refused = Err(Refusal::Reference {
        field: "unit_of_measure",
        detail:
            "unit_of_measure stays unit, in which this part's stock is counted; enter another part for another unit"
                .to_owned(),
    });
    assert_eq!(
        amending(facts(), entered(), Command::Amend(in_litres.clone().into())),
        refused
    );
    assert_eq!(amending(facts(), struck(), Command::Enter(in_litres)), refused);
    let renamed = Part {
        name: "Other".to_owned(),
        ..part("F-1")
    };
    assert!(amending(facts(), entered(), Command::Amend(renamed.into())).is_ok());
}

#[test]
fn another_code_gives_the_old_one_back() {
    given::<Parts>([Change::Entered(part("F-1"))])
        .when(Command::Amend(part("F-2").into()))
        .then([Change::Amended(part("F-2"))])
        .claims(from_1_to_2());
}

fn from_1_to_2() -> [ClaimChange; 4] {
    [
        releases(PART_CODE, "F-1"),
        releases(PART_CODE, Claim::alike("", "F-1")),
        takes(PART_CODE, "F-2"),
        takes(PART_CODE, Claim::alike("", "F-2")),
    ]
}

#[test]
fn a_struck_part_keeps_its_code_because_its_row_stays() {
    let struck = [Change::Entered(part("F-1")), Change::Struck {}];
    given::<Parts>(struck[..1].to_vec())
        .when(Command::Strike {})
        .then([Change::Struck {}])
        .claims([]);
    given::<Parts>(struck)
        .when(Command::Enter(part("F-2")))
        .then([Change::Entered(part("F-2"))])
        .claims(from_1_to_2());
}

#[test]
fn a_part_is_counted_in_units_unless_it_says_otherwise() {
    let part: Part = serde_json::from_str(r#"{"part_code": "F-1", "name": "Filter"}"#).unwrap();
    assert_eq!(part.unit_of_measure, "unit");
}

#[test]
fn a_part_fits_its_columns() {
    let enter = |change: fn(&mut Part)| {
        let mut part = part("F-1");
        change(&mut part);
        given::<Parts>([]).when(Command::Enter(part))
    };
    let unfit = |field, unfit| Refusal::Unfit { field, unfit };
    let too_long = |chars, max| Unfit::TooLong { chars, max };
    enter(|part| part.part_code = long(51)).refused(unfit("part_code", too_long(51, 50)));
    enter(|part| part.name.clear()).refused(unfit("name", Unfit::Empty));
    enter(|part| part.description = Some("\0".to_owned())).refused(unfit("description", Unfit::Nul));
    enter(|part| part.category = Some(long(101))).refused(unfit("category", too_long(101, 100)));
    enter(|part| part.unit_of_measure = long(21)).refused(unfit("unit_of_measure", too_long(21, 20)));
}
