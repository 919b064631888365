//! Commands without their type.

use domain::register::{Command, Register};
use domain::{AnyCommand, Decider as _};
use rehearsal::given::STREAM;
use serde_json::{Value, json};

use crate::sample::{Counter, Tool, contexts};

#[test]
fn a_command_of_any_kind_goes_through_json_and_comes_back_with_its_type() {
    let kind = contexts();
    let kind = kind.aggregate("test.tool").unwrap();
    let sent = json!({"enter": {"mark": "T-1"}});
    let command = kind.read(sent.clone()).unwrap();
    assert_eq!(command.aggregate_type(), "test.tool");
    assert_eq!(command.to_value().unwrap(), sent);
    let tool = Tool { mark: "T-1".to_owned() };
    assert_eq!(command.typed::<Register<Tool>>(), Some(&Command::Enter(tool)));
    assert_eq!(command.typed::<Counter>(), None, "it is of no other kind");
    assert_eq!(kind.parse("enter", &mut json!({"mark": "T-1"})).unwrap(), command);
    assert_eq!(command.fact(STREAM).aggregate_type, Register::<Tool>::TYPE);
    assert!(kind.read(Value::Null).is_err());
    let at_fault = kind.parse("enter", &mut json!({"mark": 1})).unwrap_err();
    assert_eq!(at_fault.path().to_string(), "enter.mark");
    assert!(contexts().aggregate("test.hammer").is_none());
    let same = AnyCommand::of::<Register<Tool>>(Command::Strike {});
    assert_ne!(same, command);
}
