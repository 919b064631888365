//! A kind that forgets to say whose its streams are is found out.

use chrono::DateTime;
use domain::{Aggregate, Class, Context, Contexts, Decider, FactRef, Refuse, Request, stored_by_variant};
use rehearsal::given::{BY, STREAM};
use rehearsal::{Chronicle, History, reaching};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

const DEPARTMENT: Uuid = Uuid::from_u128(0xde);
const OTHER: Uuid = Uuid::from_u128(0x6);

/// What a tray may forget to say.
const NOTHING: u8 = 0;
const WHOSE_IT_IS: u8 = 1;
const WHOSE_IT_WILL_BE: u8 = 2;
const WHAT_IT_NAMES: u8 = 3;

/// Belongs to a department, and may stand beside another one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Tray<const FORGETS: u8>(Option<Uuid>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Command {
    Place {
        department_id: Uuid,
        #[serde(default)]
        beside: Option<Uuid>,
    },
    Wipe {},
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr, strum::VariantNames)]
enum Event {
    TrayPlaced { department_id: Uuid },
    TrayWiped {},
}

stored_by_variant!(Event);

impl domain::Event for Event {}

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("never")]
struct Never;

impl Refuse for Never {
    fn class(&self) -> Class {
        Class::Refused
    }
    fn rule(&self) -> &'static str {
        "never"
    }
    fn rules() -> Vec<&'static str> {
        vec!["never"]
    }
    fn field(&self) -> Option<String> {
        None
    }
}

impl<const FORGETS: u8> Decider for Tray<FORGETS> {
    const TYPE: &'static str = "test.tray";
    const CREATES: &'static str = "place";
    const SCOPED: bool = true;
    type Command = Command;
    type Event = Event;
    type Refusal = Never;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Never> {
        Ok(vec![match *request.command {
            Command::Place { department_id, .. } => Event::TrayPlaced { department_id },
            Command::Wipe {} => Event::TrayWiped {},
        }])
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::TrayPlaced { department_id } => self.0 = Some(*department_id),
            Event::TrayWiped {} => {}
        }
    }

    fn home(&self) -> Option<Uuid> {
        self.0
    }

    fn department(&self, command: &Command) -> Option<Uuid> {
        match command {
            Command::Place { department_id, .. } if FORGETS != WHOSE_IT_WILL_BE => Some(*department_id),
            Command::Wipe {} if FORGETS == WHOSE_IT_IS => None,
            _ => self.home(),
        }
    }

    fn concerns(command: &Command) -> Vec<FactRef> {
        match command {
            Command::Place { beside: Some(id), .. } if FORGETS != WHAT_IT_NAMES => vec![FactRef::of::<Self>(*id)],
            _ => Vec::new(),
        }
    }
}

fn trays<const FORGETS: u8>() -> (&'static Context, History) {
    let context: &'static Context = Box::leak(Box::new(Context {
        name: "test",
        aggregates: Box::leak(Box::new([Aggregate::of::<Tray<FORGETS>>("trays")])),
        policies: &[],
        history: "[]\n",
    }));
    let contexts = Contexts::new(&[context]).unwrap();
    let mut story = Chronicle::new(contexts, BY, DateTime::UNIX_EPOCH);
    story
        .send::<Tray<FORGETS>>(OTHER, json!({"place": {"department_id": DEPARTMENT}}))
        .send::<Tray<FORGETS>>(STREAM, json!({"place": {"department_id": DEPARTMENT, "beside": OTHER}}))
        .send::<Tray<FORGETS>>(STREAM, json!({"wipe": {}}));
    (context, story.ended())
}

#[test]
fn a_kind_that_says_whose_its_streams_are_breaks_no_rule() {
    let (context, story) = trays::<NOTHING>();
    reaching::a_command_to_a_stream_of_a_department_is_for_that_department(context, &story);
    reaching::a_stream_of_a_department_is_begun_from_that_department(context, &story);
    reaching::what_a_command_names_of_a_department_it_draws_on(context, &story);
}

#[test]
#[should_panic(expected = "test.tray wipe is open to all departments")]
fn a_command_that_asks_for_no_department_is_found_out() {
    let (context, story) = trays::<WHOSE_IT_IS>();
    reaching::a_command_to_a_stream_of_a_department_is_for_that_department(context, &story);
}

#[test]
#[should_panic(expected = "test.tray place begins a stream of department")]
fn a_beginning_that_asks_for_no_department_is_found_out() {
    let (context, story) = trays::<WHOSE_IT_WILL_BE>();
    reaching::a_stream_of_a_department_is_begun_from_that_department(context, &story);
}

#[test]
#[should_panic(expected = "test.tray place names a test.tray")]
fn what_is_named_and_not_drawn_on_is_found_out() {
    let (context, story) = trays::<WHAT_IT_NAMES>();
    reaching::what_a_command_names_of_a_department_it_draws_on(context, &story);
}
