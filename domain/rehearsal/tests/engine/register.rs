//! What holds for every kind of reference data.

use domain::Decider as _;
use domain::register::{Change, Command, Refusal, Register};
use rehearsal::given::{STREAM, TENANT, given};

use crate::sample::Motto;

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
