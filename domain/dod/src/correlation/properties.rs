//! Rules in any order of setting and dropping, beside a plain model: of those that are there and hold, the one of the
//! highest priority, then the one that was there first.

use std::collections::BTreeMap;

use dod_formats::Severity;
use proptest::prelude::*;
use rehearsal::given::{TENANT, state};

use super::*;
use crate::conditions::Op;

/// A rule that the model knows.
#[derive(Debug, Clone)]
struct Known {
    since: usize,
    priority: i32,
    team: String,
    by: String,
}

#[derive(Debug, Clone)]
enum Step {
    Set { rule: u8, priority: i32, team: u8, by: u8 },
    Drop { rule: u8 },
}

fn id(rule: u8) -> Uuid {
    Uuid::from_u128(u128::from(rule) + 1)
}

fn label(name: &str, n: u8) -> String {
    format!("{name}{n}")
}

fn event(step: &Step) -> Event {
    match *step {
        Step::Set {
            rule,
            priority,
            team,
            by,
        } => Event::CorrelationRuleSet {
            rule_id: id(rule),
            name: "a rule".to_owned(),
            when: vec![Condition::new(
                Field::Label("team".to_owned()),
                Op::Equal,
                label("team", team),
            )],
            by: vec![Field::Label(label("by", by))],
            window_minutes: 10,
            priority,
        },
        Step::Drop { rule } => Event::CorrelationRuleDropped { rule_id: id(rule) },
    }
}

fn model(steps: &[Step], labels: &BTreeMap<String, String>) -> Option<Uuid> {
    let mut known: BTreeMap<Uuid, Known> = BTreeMap::new();
    for (place, step) in steps.iter().enumerate() {
        match *step {
            Step::Set {
                rule,
                priority,
                team,
                by,
            } => {
                let since = known.get(&id(rule)).map_or(place, |before| before.since);
                let (team, by) = (label("team", team), label("by", by));
                let now = Known {
                    since,
                    priority,
                    team,
                    by,
                };
                known.insert(id(rule), now);
            }
            Step::Drop { rule } => _ = known.remove(&id(rule)),
        }
    }
    let holding = known
        .into_iter()
        .filter(|(_, rule)| labels.get("team") == Some(&rule.team) && labels.contains_key(&rule.by));
    let first = holding.max_by_key(|(_, rule)| (rule.priority, Reverse(rule.since)));
    first.map(|(rule_id, _)| rule_id)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..6u8, -2..3i32, 0..2u8, 0..3u8).prop_map(|(rule, priority, team, by)| Step::Set {
            rule,
            priority,
            team,
            by
        }),
        1 => (0..6u8).prop_map(|rule| Step::Drop { rule }),
    ]
}

proptest! {
    #[test]
    fn the_rule_that_decides_is_the_one_of_the_model(
        steps in prop::collection::vec(step(), 0..24),
        team in 0..2u8,
        by in prop::collection::btree_set(0..3u8, 0..3),
    ) {
        let mut labels: BTreeMap<String, String> = by.into_iter().map(|n| (label("by", n), "x".to_owned())).collect();
        labels.insert("team".to_owned(), label("team", team));
        let subject = Subject {
            source: "a source",
            source_id: Uuid::nil(),
            alert_type: "a type",
            severity: Severity::Low,
            title: "a title",
            description: None,
            labels: &labels,
        };
        let rules = state::<Correlations>(steps.iter().map(event));
        prop_assert_eq!(rules.group(TENANT, &subject).rule_id, model(&steps, &labels));
        let restored: Correlations = serde_json::from_value(serde_json::to_value(&rules).unwrap()).unwrap();
        prop_assert_eq!(restored.group(TENANT, &subject), rules.group(TENANT, &subject));
    }
}
