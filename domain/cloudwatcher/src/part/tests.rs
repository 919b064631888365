use super::*;
use domain::register::{Change, Command, Refusal, Register};
use rehearsal::given::{given, long, releases, takes};

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
        .claims([takes(PART_CODE, "F-1")]);
}

#[test]
fn another_code_gives_the_old_one_back() {
    given::<Parts>([Change::Entered(part("F-1"))])
        .when(Command::Amend(part("F-2")))
        .then([Change::Amended(part("F-2"))])
        .claims([releases(PART_CODE, "F-1"), takes(PART_CODE, "F-2")]);
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
        .claims([releases(PART_CODE, "F-1"), takes(PART_CODE, "F-2")]);
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
    enter(|part| part.part_code = long(51)).refused(unfit("part_code", too_long(51, PART_CODE_CHARS_MAX)));
    enter(|part| part.name.clear()).refused(unfit("name", Unfit::Empty));
    enter(|part| part.description = Some("\0".to_owned())).refused(unfit("description", Unfit::Nul));
    enter(|part| part.category = Some(long(101))).refused(unfit("category", too_long(101, CATEGORY_CHARS_MAX)));
    enter(|part| part.unit_of_measure = long(21))
        .refused(unfit("unit_of_measure", too_long(21, UNIT_OF_MEASURE_CHARS_MAX)));
}
