//! A small context: mottoes and tools as reference data, and counters, which go on without end.

use domain::faults::Faults;
use domain::register::{Entry, Register};
use domain::text::Unfit;
use domain::{Aggregate, Asker, Claim, Class, Context, Contexts, Decider, Refuse, Request, stored_by_variant};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(crate) static CONTEXT: Context = Context {
    name: "test",
    aggregates: &[
        Aggregate::of::<Register<Motto>>("mottoes"),
        Aggregate::of::<Register<Tool>>("tools"),
        Aggregate::of::<Counter>("counters"),
    ],
    policies: &[],
    history: "[]\n",
};

pub(crate) fn contexts() -> Contexts {
    Contexts::new(&[&CONTEXT]).unwrap()
}

/// Every tenant has one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Motto {
    pub(crate) text: String,
}

impl Entry for Motto {
    const TYPE: &'static str = "test.motto";
    const NOUN: &'static str = "motto";
    const ENTERED: &'static str = "MottoEntered";
    const AMENDED: &'static str = "MottoAmended";
    const STRUCK: &'static str = "MottoStruck";
    const ONE_PER_TENANT: bool = true;

    fn check(&self) -> Faults<Unfit> {
        Faults::default()
    }
}

/// No two tools have the same.
const MARK: Claim = Claim::new("test.tools.mark");

/// Told apart by its mark.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Tool {
    pub(crate) mark: String,
}

impl Entry for Tool {
    const TYPE: &'static str = "test.tool";
    const NOUN: &'static str = "tool";
    const ENTERED: &'static str = "ToolEntered";
    const AMENDED: &'static str = "ToolAmended";
    const STRUCK: &'static str = "ToolStruck";
    const CLAIMS: &'static [Claim] = &[MARK];

    fn check(&self) -> Faults<Unfit> {
        Faults::default()
    }

    fn claims(&self) -> Vec<(Claim, String)> {
        vec![(MARK, self.mark.clone())]
    }
}

/// Counts until it is full, and carries its sum forward every third time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counter {
    sum: u32,
    events: u32,
}

pub(crate) const SUM_MAX: u32 = 1_000;
const EVENTS_CARRIED: u32 = 3;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Command {
    Add { number: u32 },
    Empty {},
}

#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, strum::IntoStaticStr, strum::VariantNames,
)]
pub(crate) enum Event {
    NumberAdded { number: u32 },
    CounterEmptied {},
    SumCarriedForward { sum: u32 },
}

stored_by_variant!(Event);

impl domain::Event for Event {}

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("a counter counts to {SUM_MAX} at most; empty it first")]
    Full,
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        Class::Refused
    }
    fn rule(&self) -> &'static str {
        "full"
    }
    fn rules() -> Vec<&'static str> {
        vec!["full"]
    }
    fn field(&self) -> Option<String> {
        None
    }
}

impl Decider for Counter {
    const TYPE: &'static str = "test.counter";
    const CREATES: &'static str = "add";
    const CARRIES_FORWARD: Option<&'static str> = Some("SumCarriedForward");
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        let event = match *request.command {
            Command::Add { .. } if self.sum >= SUM_MAX => return Err(Refusal::Full),
            Command::Add { number } => {
                let sum = self.sum.checked_add(number).filter(|sum| *sum <= SUM_MAX);
                sum.map(|_| Event::NumberAdded { number }).ok_or(Refusal::Full)?
            }
            Command::Empty {} => Event::CounterEmptied {},
        };
        let mut after = self.clone();
        after.evolve(&event);
        let carries = (after.events >= EVENTS_CARRIED).then_some(Event::SumCarriedForward { sum: after.sum });
        Ok(std::iter::once(event).chain(carries).collect())
    }

    fn evolve(&mut self, event: &Event) {
        *self = match *event {
            Event::NumberAdded { number } => Self {
                sum: self.sum + number,
                events: self.events + 1,
            },
            Event::CounterEmptied {} => Self {
                sum: 0,
                events: self.events + 1,
            },
            Event::SumCarriedForward { sum } => Self { sum, events: 0 },
        };
    }

    fn offers(&self, command: &str, _stream: Uuid, _asker: &Asker) -> Result<(), Refusal> {
        match command {
            "add" if self.sum >= SUM_MAX => Err(Refusal::Full),
            _ => Ok(()),
        }
    }
}
