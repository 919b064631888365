//! The standard roles in a tenant.

use http::roles::{self, Outcome};
use identity::role::{Command, Role};
use tests::Ledger;

async fn define_all(ledger: &Ledger) -> Vec<(&'static str, Outcome)> {
    let mut outcomes = Vec::new();
    for role in roles::standard(&tests::contexts()) {
        let outcome = roles::define(&ledger.book, ledger.tenant, &role, None).await.unwrap();
        outcomes.push((role.name, outcome));
    }
    outcomes
}

/// What is expected of each standard role, whichever contexts bring them.
fn each(expected: impl Fn(&str) -> Outcome) -> Vec<(&'static str, Outcome)> {
    let roles = roles::standard(&tests::contexts()).into_iter();
    roles.map(|role| (role.name, expected(role.name))).collect()
}

fn whole() -> Outcome {
    Outcome::WasThere { without: Vec::new() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn standard_roles_are_defined_once_and_what_somebody_changed_is_left_alone() {
    let ledger = Ledger::open().await;
    let taken = Command::Define {
        name: "Viewer".to_owned(),
        description: None,
        permissions: Vec::new(),
    };
    ledger.does::<Role>(uuid::Uuid::now_v7(), taken).await;
    let or_taken = |otherwise: fn() -> Outcome| {
        each(|name| match name {
            "viewer" => Outcome::NameTaken,
            _ => otherwise(),
        })
    };
    assert_eq!(define_all(&ledger).await, or_taken(|| Outcome::Defined));
    let end = ledger.tail.end().await.unwrap();
    assert_eq!(define_all(&ledger).await, or_taken(whole));
    assert_eq!(ledger.tail.end().await.unwrap(), end, "nothing more was written");

    let [manager, technician] = ["manager", "technician"].map(|name| roles::id(ledger.tenant, name));
    let permission = "cloudwatcher.delegation.*".to_owned();
    let revoke = Command::Revoke {
        permission: permission.clone(),
    };
    ledger.does::<Role>(manager, revoke).await;
    ledger.does::<Role>(technician, Command::Retire {}).await;
    let expected = each(|name| match name {
        "manager" => Outcome::WasThere {
            without: vec![permission.clone()],
        },
        "technician" => Outcome::Retired,
        "viewer" => Outcome::NameTaken,
        _ => whole(),
    });
    assert_eq!(define_all(&ledger).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn standard_roles_that_are_defined_twice_at_once_are_defined_once() {
    let ledger = Ledger::open().await;
    let mut all = tokio::join!(define_all(&ledger), define_all(&ledger));
    for ((_, one), (_, other)) in all.0.drain(..).zip(all.1.drain(..)) {
        let both = [one, other];
        assert!(
            both == [Outcome::Defined, whole()] || both == [whole(), Outcome::Defined],
            "{both:?}"
        );
    }
}
