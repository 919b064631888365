use std::collections::BTreeMap;

use super::*;
use crate::conditions::Op;
use dod_formats::Severity;
use domain::SYSTEM;
use rehearsal::given::{Given, TENANT, drawn, given, long, state};

const SOURCE: Uuid = Uuid::from_u128(0x50);
const RULE: Uuid = Uuid::from_u128(0x51);
const OTHER: Uuid = Uuid::from_u128(0x52);

fn rules(events: impl IntoIterator<Item = Event>) -> Given<Correlations> {
    given::<Correlations>(events).on(Correlations::only_stream(TENANT))
}

fn field(name: &str) -> Field {
    name.parse().unwrap()
}

fn severity_is(severity: &str) -> Condition {
    Condition::new(Field::Severity, Op::Equal, severity)
}

/// A rule by the cluster, for alerts of this severity.
fn rule(rule_id: Uuid, severity: &str, priority: i32) -> Event {
    Event::CorrelationRuleSet {
        rule_id,
        name: format!("{severity} of a cluster"),
        when: vec![severity_is(severity)],
        by: vec![field("labels.cluster")],
        window_minutes: 60,
        priority,
    }
}

fn set(event: &Event) -> Command {
    let Event::CorrelationRuleSet {
        rule_id,
        name,
        when,
        by,
        window_minutes,
        priority,
    } = event.clone()
    else {
        panic!("{event:?} sets nothing");
    };
    Command::SetRule {
        rule_id: Some(rule_id),
        name,
        when,
        by,
        window_minutes,
        priority,
    }
}

/// As [`set`], without saying which one.
fn new(event: &Event) -> Command {
    let mut command = set(event);
    if let Command::SetRule { rule_id, .. } = &mut command {
        *rule_id = None;
    }
    command
}

/// The group of an alert of this type with these labels.
fn grouped(rules: &Correlations, alert_type: &str, labels: &[(&str, &str)]) -> Grouping {
    let labels: BTreeMap<String, String> = labels.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    let subject = Subject {
        source: "Prometheus",
        source_id: SOURCE,
        alert_type,
        severity: Severity::High,
        title: "a title",
        description: None,
        labels: &labels,
    };
    rules.group(TENANT, &subject)
}

#[test]
fn a_rule_is_set_replaced_and_dropped() {
    let before = rule(RULE, "high", 0);
    rules([before.clone()]).when(set(&before)).then([]);
    let after = rule(RULE, "critical", 5);
    rules([before.clone()]).when(set(&after)).then([after]);
    let dropped = Event::CorrelationRuleDropped { rule_id: RULE };
    rules([before])
        .when(Command::DropRule { rule_id: RULE })
        .then([dropped]);
}

#[test]
fn a_rule_without_an_id_is_a_new_one() {
    rules([rule(RULE, "high", 0)])
        .when(new(&rule(RULE, "high", 0)))
        .then([rule(drawn(0), "high", 0)]);
}

#[test]
fn only_a_rule_of_the_tenant_is_changed() {
    let dropped = Event::CorrelationRuleDropped { rule_id: RULE };
    let was = vec![rule(RULE, "high", 0), dropped];
    for events in [vec![], vec![rule(OTHER, "high", 0)], was] {
        rules(events)
            .when(set(&rule(RULE, "high", 0)))
            .refused(Refusal::NoSuchRule);
    }
    let refusal = Refusal::NoSuchRule;
    assert_eq!(refusal.field().as_deref(), Some("rule_id"));
    assert!(refusal.to_string().contains("leave it out for a new one"), "{refusal}");
}

#[test]
fn one_per_tenant() {
    given::<Correlations>([])
        .when(set(&rule(RULE, "high", 0)))
        .refused(Refusal::OnePerTenant {
            id: Correlations::only_stream(TENANT),
        });
    assert_eq!(given::<Correlations>([]).by(SYSTEM).offered(), Vec::<String>::new());
}

#[test]
fn no_such_rule() {
    let drop = || Command::DropRule { rule_id: RULE };
    rules([]).when(drop()).refused(Refusal::NoSuchRule);
    rules([rule(OTHER, "high", 0)])
        .when(drop())
        .refused(Refusal::NoSuchRule);
    assert_eq!(rules([]).offered(), ["set-rule"]);
    assert_eq!(rules([rule(OTHER, "high", 0)]).offered(), ["set-rule", "drop-rule"]);
}

fn many() -> Vec<Event> {
    let ids = (0..RULES_MAX as u128).map(|n| Uuid::from_u128(0x1000 + n));
    ids.map(|id| rule(id, "high", 0)).collect()
}

#[test]
fn too_many_rules() {
    rules(many())
        .when(new(&rule(RULE, "high", 0)))
        .refused(Refusal::TooManyRules);
    let first = rule(Uuid::from_u128(0x1000), "low", 0);
    rules(many()).when(set(&first)).then([first]);
}

#[test]
fn too_many_patterns() {
    let matching = |rule_id, count: usize| Event::CorrelationRuleSet {
        rule_id,
        name: "x".to_owned(),
        when: vec![Condition::new(Field::Title, Op::Matches, "x"); count],
        by: Vec::new(),
        window_minutes: 1,
        priority: 0,
    };
    let ids = (0..6).map(|n| Uuid::from_u128(0x1000 + n));
    let before: Vec<Event> = ids.map(|id| matching(id, 16)).collect();
    rules(before.clone())
        .when(new(&matching(RULE, 5)))
        .refused(Refusal::TooManyPatterns);
    rules(before)
        .when(new(&matching(RULE, 4)))
        .then([matching(drawn(0), 4)]);
}

#[test]
fn joins_everything() {
    let with = |when: Vec<Condition>, by: Vec<Field>| Command::SetRule {
        rule_id: None,
        name: "all".to_owned(),
        when,
        by,
        window_minutes: 1,
        priority: 0,
    };
    rules([])
        .when(with(Vec::new(), Vec::new()))
        .refused(Refusal::JoinsEverything);
    assert!(
        rules([])
            .when(with(vec![severity_is("low")], Vec::new()))
            .outcome()
            .is_ok()
    );
    assert!(rules([]).when(with(Vec::new(), vec![Field::Source])).outcome().is_ok());
}

#[test]
fn a_rule_fits_its_limits() {
    let refused = |change: fn(&mut Event)| {
        let mut event = rule(RULE, "high", 0);
        change(&mut event);
        let refusal = rules([]).when(set(&event)).outcome().unwrap_err();
        assert!(refusal.rule() == "unfit" || refusal.rule() == "condition", "{refusal}");
        refusal.field().unwrap()
    };
    macro_rules! with {
        ($field:ident, $value:expr) => {
            refused(|event| {
                if let Event::CorrelationRuleSet { $field, .. } = event {
                    *$field = $value;
                }
            })
        };
    }
    assert_eq!(with!(name, String::new()), "name");
    assert_eq!(with!(name, long(NAME_CHARS_MAX + 1)), "name");
    assert_eq!(with!(window_minutes, 0), "window_minutes");
    assert_eq!(with!(window_minutes, WINDOW_MINUTES_MAX + 1), "window_minutes");
    assert_eq!(with!(priority, -PRIORITY_MAX - 1), "priority");
    assert_eq!(with!(by, vec![Field::Source, Field::Source]), "by");
    assert_eq!(with!(by, vec![Field::Description]), "by");
    assert_eq!(with!(by, vec![Field::Any]), "by");
    assert_eq!(
        with!(by, (0..=BY_MAX).map(|n| Field::Label(n.to_string())).collect()),
        "by"
    );
    assert_eq!(
        with!(when, vec![Condition::new(Field::Title, Op::Matches, "(")]),
        "when"
    );
}

#[test]
fn without_a_rule_alerts_of_one_source_and_type_belong_together() {
    let none = Correlations::default();
    let group = grouped(&none, "DiskFull", &[("cluster", "a")]);
    assert_eq!(group.rule_id, None);
    assert_eq!(group.key, "source=Prometheus, alert_type=DiskFull");
    assert_eq!(group.window, TimeDelta::minutes(30));
    assert_eq!(group, grouped(&none, "DiskFull", &[("cluster", "b")]));
    assert_ne!(group.group_id, grouped(&none, "OutOfMemory", &[]).group_id);
}

#[test]
fn a_rule_makes_a_group_of_each_of_its_values() {
    let rules = state::<Correlations>([rule(RULE, "high", 0)]);
    let group = grouped(&rules, "DiskFull", &[("cluster", "a")]);
    assert_eq!(group.rule_id, Some(RULE));
    assert_eq!(group.rule_name, "high of a cluster");
    assert_eq!(group.key, "labels.cluster=a");
    assert_eq!(group.window, TimeDelta::minutes(60));
    assert_eq!(
        group,
        grouped(&rules, "OutOfMemory", &[("cluster", "a"), ("host", "x")])
    );
    assert_ne!(
        group.group_id,
        grouped(&rules, "DiskFull", &[("cluster", "b")]).group_id
    );
}

#[test]
fn alerts_have_nothing_in_common_by_what_they_lack() {
    let rules = state::<Correlations>([rule(RULE, "high", 0)]);
    assert_eq!(grouped(&rules, "DiskFull", &[]).rule_id, None);
    assert_eq!(grouped(&rules, "DiskFull", &[("cluster", "")]).rule_id, None);
}

#[test]
fn the_rule_of_the_highest_priority_decides_and_among_equals_the_older() {
    let id = |events: Vec<Event>| grouped(&state::<Correlations>(events), "DiskFull", &[("cluster", "a")]).rule_id;
    let (old, new) = (rule(OTHER, "high", 0), rule(RULE, "high", 0));
    assert_eq!(id(vec![old.clone(), new.clone()]), Some(OTHER));
    assert_eq!(id(vec![old.clone(), rule(RULE, "high", 1)]), Some(RULE));
    assert_eq!(
        id(vec![rule(OTHER, "low", 9), new.clone()]),
        Some(RULE),
        "one that does not hold is passed over"
    );
    let changed = rule(OTHER, "high", 0);
    assert_eq!(
        id(vec![rule(OTHER, "low", 0), new.clone(), changed]),
        Some(OTHER),
        "a change keeps its age"
    );
    let dropped = Event::CorrelationRuleDropped { rule_id: OTHER };
    assert_eq!(
        id(vec![old.clone(), new, dropped, old]),
        Some(RULE),
        "what comes again is new"
    );
}

#[test]
fn groups_are_told_apart_by_tenant_rule_and_each_value() {
    let pair = |a: &str, b: &str| {
        let values = [("labels.a".to_owned(), a), ("labels.b".to_owned(), b)];
        group_id(TENANT, Some(RULE), &values)
    };
    assert_eq!(pair("x", "y"), pair("x", "y"));
    assert_ne!(pair("x/8:labels.b=1:y", ""), pair("x", "y"));
    assert_ne!(pair("ab", "c"), pair("a", "bc"));
    let one = [("labels.a".to_owned(), "x")];
    assert_ne!(group_id(TENANT, Some(RULE), &one), group_id(TENANT, Some(OTHER), &one));
    assert_ne!(group_id(TENANT, Some(RULE), &one), group_id(OTHER, Some(RULE), &one));
    // Open groups are found by it: this one is of today's program.
    assert_eq!(
        group_id(TENANT, None, &one).to_string(),
        Uuid::new_v5(&TENANT, b"dod.group/default/8:labels.a=1:x").to_string()
    );
}

#[test]
fn a_long_key_is_cut() {
    let rules = state::<Correlations>([rule(RULE, "high", 0)]);
    let (a, b) = (long(600) + "a", long(600) + "b");
    let (a, b) = (
        grouped(&rules, "x", &[("cluster", &a)]),
        grouped(&rules, "x", &[("cluster", &b)]),
    );
    assert_eq!(a.key.chars().count(), KEY_CHARS_MAX);
    assert!(a.key.ends_with('…'));
    assert_ne!(a.group_id, b.group_id);
}
