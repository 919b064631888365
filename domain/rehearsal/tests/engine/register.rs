//! The rules of every kind of reference data.

use domain::Decider as _;
use domain::register::{Change, Command, Refusal, Register};
use rehearsal::given::{STREAM, TENANT, given};

use crate::sample::{Motto, Tool};

#[test]
fn what_is_struck_is_entered_again_and_only_what_is_entered_is_amended() {
    let tool = Tool { mark: "T-1".to_owned() };
    let entered = || Change::Entered(tool.clone());
    let offered = |past: Vec<Change<Tool>>| given::<Register<Tool>>(past).offered();
    assert_eq!(offered(vec![]), ["enter"]);
    assert_eq!(offered(vec![entered()]), ["amend", "strike"]);
    assert_eq!(offered(vec![entered(), Change::Struck {}]), ["enter", "strike"]);
    let elsewhere = given::<Register<Motto>>([]).offered();
    assert_eq!(elsewhere, [""; 0], "a tenant has one of them, under another id");
}

#[test]
fn a_kind_without_contacts_has_none_to_forget() {
    let past = || [Change::Entered(Tool { mark: "T-1".to_owned() })];
    given::<Register<Tool>>(past())
        .when(Command::ForgetContacts {})
        .refused(Refusal::NoContacts { noun: "tool" });
    let mut generator = schemars::SchemaGenerator::default();
    let schema = domain::Aggregate::of::<Register<Tool>>("tools").schema(&mut generator);
    assert!(!schema.as_value().to_string().contains("forget-contacts"));
}

#[test]
fn what_a_tenant_has_one_of_is_refused_under_any_other_id() {
    let motto = Motto {
        text: "Write it down".to_owned(),
    };
    let id = Register::<Motto>::only_stream(TENANT);
    given::<Register<Motto>>([])
        .when(Command::Enter(motto.clone()))
        .refused(Refusal::OnePerTenant { noun: "motto", id });
    given::<Register<Motto>>([])
        .on(id)
        .when(Command::Enter(motto.clone()))
        .then([Change::Entered(motto)]);
    assert_ne!(id, Register::<Motto>::only_stream(STREAM), "every tenant has its own");
}
