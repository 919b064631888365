//! What holds for every kind of reference data.

use super::*;
use crate::given::{STREAM, TENANT, given};
use crate::{AnyCommand, Visit};

/// What a tenant has one of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Motto {
    text: String,
}

impl Kind for Motto {
    const TYPE: &'static str = "test.motto";
    const NOUN: &'static str = "motto";
    const ENTERED: &'static str = "MottoEntered";
    const AMENDED: &'static str = "MottoAmended";
    const STRUCK: &'static str = "MottoStruck";
    const ONE_PER_TENANT: bool = true;

    fn check(&self) -> Result<(), (&'static str, Unfit)> {
        Ok(())
    }
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

#[test]
fn a_command_of_any_kind_goes_through_json_and_comes_back_with_its_type() {
    struct Name;
    impl Visit for Name {
        type Output = (&'static str, Value);
        fn visit<D: Decider>(self, command: D::Command) -> Self::Output {
            (D::TYPE, serde_json::to_value(command).unwrap())
        }
    }
    let sent = serde_json::json!({"add-item": {
        "part_id": STREAM, "variant_id": null, "supplier_id": STREAM, "quantity": 2, "unit_price": "0.10",
        "expected_delivery_date": null,
    }});
    let command = AnyCommand::parse("cloudwatcher.order", &sent).unwrap().unwrap();
    assert_eq!(command.aggregate_type(), "cloudwatcher.order");
    assert_eq!(command.to_value().unwrap(), sent);
    assert_eq!(command.dispatch(Name), ("cloudwatcher.order", sent));
    assert_eq!(AnyCommand::parse("test.motto", &Value::Null).unwrap(), None);
    assert!(AnyCommand::parse("cloudwatcher.order", &Value::Null).is_err());
}
