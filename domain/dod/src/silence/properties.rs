//! Silences set, changed and ended in any order, beside a model that forgets nothing.

use dod_formats::Severity;
use proptest::prelude::*;
use rehearsal::given::{TENANT, drawn, given};

use super::*;
use crate::conditions::{Field, Op};

#[derive(Debug, Clone)]
enum Step {
    Silence {
        id: u8,
        alert_type: u8,
        from: i64,
        lasts: i64,
    },
    End {
        id: u8,
    },
}

/// A silence that the model knows.
#[derive(Debug, Clone)]
struct Known {
    alert_type: u8,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
}

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::minutes(minutes)
}

/// What is asked, of the latest silence of this number: one that has ended is not named, so another begins.
fn command(step: &Step, latest: Option<Uuid>, is_open: bool, now: DateTime<Utc>) -> Command {
    match *step {
        Step::Silence {
            id: _,
            alert_type,
            from,
            lasts,
        } => {
            let starts_at = now + TimeDelta::minutes(from);
            Command::Silence {
                silence_id: latest.filter(|_| is_open),
                name: "a silence".to_owned(),
                comment: None,
                when: vec![Condition::new(Field::AlertType, Op::Equal, alert_type.to_string())],
                starts_at: Some(starts_at),
                ends_at: starts_at.max(now) + TimeDelta::minutes(lasts),
                kind: SilenceKind::Silence,
            }
        }
        Step::End { .. } => Command::End {
            silence_id: latest.unwrap_or_default(),
        },
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..4u8, 0..2u8, -5..10i64, 1..20i64).prop_map(|(id, alert_type, from, lasts)| Step::Silence {
            id,
            alert_type,
            from,
            lasts
        }),
        1 => (0..4u8).prop_map(|id| Step::End { id }),
    ]
}

/// The end of the silence that keeps an alert quiet.
fn quiet_until(silences: &Silences, alert_type: u8, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let (alert_type, labels) = (alert_type.to_string(), BTreeMap::new());
    let subject = Subject {
        source: "a source",
        source_id: Uuid::nil(),
        alert_type: &alert_type,
        severity: Severity::Low,
        title: "a title",
        description: None,
        labels: &labels,
    };
    silences.silencing(&subject, now).map(|silencing| silencing.ends_at)
}

proptest! {
    #[test]
    fn forgetting_what_has_ended_changes_nothing(
        steps in prop::collection::vec((step(), 0..8i64), 1..30),
        alert_type in 0..2u8,
        later in 0..25i64,
    ) {
        let mut known: BTreeMap<Uuid, Known> = BTreeMap::new();
        let mut latest: BTreeMap<u8, Uuid> = BTreeMap::new();
        let (mut events, mut minute) = (Vec::new(), 0);
        let mut silences = Silences::default();
        for (step, pause) in &steps {
            minute += pause;
            let now = at(minute);
            let given = given::<Silences>(events.clone()).on(Silences::only_stream(TENANT)).at(now);
            let (Step::Silence { id: n, .. } | Step::End { id: n }) = *step;
            let before = latest.get(&n).copied();
            let is_open = before.is_some_and(|id| known[&id].ends_at > now);
            // Each command of a test draws the same one.
            let new = Uuid::from_u128(1 + known.len() as u128);
            for mut event in given.when(command(step, before, is_open, now)).outcome().unwrap_or_default() {
                if let Event::AlertsSilenced { silence_id, .. } = &mut event && *silence_id == drawn(0) {
                    *silence_id = new;
                }
                silences.evolve(&event);
                events.push(event);
            }
            match *step {
                Step::Silence { id: n, alert_type, from, lasts } => {
                    let from = from.max(0);
                    let id = before.filter(|_| is_open).unwrap_or(new);
                    latest.insert(n, id);
                    let before = known.get(&id);
                    let goes_on = before.filter(|known| from == 0 && known.starts_at <= now && now < known.ends_at);
                    let starts_at = goes_on.map_or(now + TimeDelta::minutes(from), |known| known.starts_at);
                    let ends_at = now + TimeDelta::minutes(from + lasts);
                    known.insert(id, Known { alert_type, starts_at, ends_at });
                }
                Step::End { .. } => {
                    if let Some(known) = before.and_then(|id| known.get_mut(&id)) {
                        known.ends_at = known.ends_at.min(now);
                    }
                }
            }
            let open = known.values().filter(|known| known.ends_at > now).count();
            prop_assert!(silences.set.len() >= open);
        }
        let then = at(minute + later);
        let holding = known.values().filter(|known| known.alert_type == alert_type);
        let holding = holding.filter(|known| known.starts_at <= then && then < known.ends_at);
        prop_assert_eq!(quiet_until(&silences, alert_type, then), holding.map(|known| known.ends_at).max());
    }
}
