use domain::Refuse as _;
use rehearsal::given::{given, long, releases, takes};

use super::*;

fn label(label: &str) -> Command {
    Command::Label {
        label: label.to_owned(),
    }
}

fn labelled(label: &str) -> Event {
    Event::JarLabelled {
        label: Some(label.to_owned()),
    }
}

#[test]
fn a_jar_bears_the_latest_label_until_it_is_taken_off() {
    given::<Jar>([]).when(label("Screws")).then([labelled("Screws")]);
    given::<Jar>([labelled("Screws")])
        .when(label("Nuts"))
        .then([labelled("Nuts")]);
    given::<Jar>([labelled("Screws")]).when(label("Screws")).then([]);
    given::<Jar>([labelled("Screws")])
        .when(Command::Clear {})
        .then([Event::JarLabelled { label: None }]);
}

#[test]
fn a_bare_jar_is_not_cleared() {
    given::<Jar>([]).when(Command::Clear {}).refused(Refusal::Bare);
    assert_eq!(given::<Jar>([]).offered(), ["label"]);
    assert_eq!(given::<Jar>([labelled("Nuts")]).offered(), ["label", "clear"]);
}

#[test]
fn a_label_has_one_to_forty_characters() {
    given::<Jar>([])
        .when(label(&long(LABEL_CHARS_MAX)))
        .then([labelled(&long(LABEL_CHARS_MAX))]);
    for unfit in [String::new(), long(LABEL_CHARS_MAX + 1)] {
        let why = text::required(&unfit, LABEL_CHARS_MAX).unwrap_err();
        let refusal = Refusal::Unfit(why);
        assert_eq!(refusal.field().as_deref(), Some("label"));
        given::<Jar>([]).when(label(&unfit)).refused(refusal);
    }
}

#[test]
fn no_two_jars_bear_one_label_whatever_its_case() {
    given::<Jar>([])
        .when(label("Nuts"))
        .then([labelled("Nuts")])
        .claims([takes(LABEL, "nuts")]);
    given::<Jar>([labelled("Nuts")])
        .when(label("NUTS"))
        .then([labelled("NUTS")])
        .claims([]);
    given::<Jar>([labelled("Nuts")])
        .when(label("Bolts"))
        .then([labelled("Bolts")])
        .claims([releases(LABEL, "nuts"), takes(LABEL, "bolts")]);
    given::<Jar>([labelled("Bolts")])
        .when(Command::Clear {})
        .then([Event::JarLabelled { label: None }])
        .claims([releases(LABEL, "bolts")]);
}
