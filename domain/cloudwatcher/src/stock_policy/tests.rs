use serde_json::json;

use super::*;
use domain::Facts;
use domain::register::{Change, Command, Refusal, Register};
use rehearsal::given::{TENANT, given};

type Policies = Register<StockPolicy>;

const REFUSING: StockPolicy = StockPolicy {
    not_sold: NotSold::Refuse,
};

#[test]
fn a_tenant_has_one_stock_policy_under_one_id() {
    let id = StockPolicy::stream(TENANT);
    given::<Policies>([])
        .on(id)
        .when(Command::Enter(REFUSING))
        .then([Change::Entered(REFUSING)]);
    given::<Policies>([])
        .when(Command::Enter(REFUSING))
        .refused(Refusal::OnePerTenant {
            noun: "stock policy",
            id,
        });
}

#[test]
fn without_a_policy_what_is_not_sold_is_warned_of() {
    let warning = StockPolicy {
        not_sold: NotSold::Warn,
    };
    assert_eq!(*StockPolicy::in_force(TENANT, &Facts::default()), warning);
    assert_eq!(serde_json::from_value::<StockPolicy>(json!({})).unwrap(), warning);
    let stream = StockPolicy::stream(TENANT);
    let struck = Facts::default().with(stream, Register::Struck(REFUSING));
    assert_eq!(*StockPolicy::in_force(TENANT, &struck), warning);
    let entered = Facts::default().with(stream, Register::Entered(REFUSING));
    assert_eq!(StockPolicy::in_force(TENANT, &entered).not_sold, NotSold::Refuse);
}
