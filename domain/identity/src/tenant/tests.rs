use super::*;
use domain::SYSTEM;
use rehearsal::given::{BY, Given, STREAM, TENANT, given, long};

fn created() -> Event {
    Event::TenantCreated {
        name: "Acme".to_owned(),
    }
}

fn create(name: &str) -> Command {
    Command::Create { name: name.to_owned() }
}

fn rename(name: &str) -> Command {
    Command::Rename { name: name.to_owned() }
}

/// A tenant with this past, as whoever operates Daybook finds it.
fn tenant(events: impl IntoIterator<Item = Event>) -> Given<Tenant> {
    given::<Tenant>(events).on(TENANT).by(SYSTEM)
}

fn suspended() -> [Event; 2] {
    [created(), Event::TenantSuspended {}]
}

fn deleted() -> [Event; 3] {
    [created(), Event::TenantSuspended {}, Event::TenantDeleted {}]
}

#[test]
fn a_tenant_is_made_once_under_its_own_id_and_called_something() {
    tenant([]).when(create("Acme")).then([created()]);
    tenant([created()])
        .when(create("Acme"))
        .refused(Refusal::AlreadyCreated);
    tenant(suspended())
        .when(create("Acme"))
        .refused(Refusal::AlreadyCreated);
    tenant([]).on(STREAM).when(create("Acme")).refused(Refusal::OtherId);
    tenant([]).when(rename("Acme")).refused(Refusal::NotCreated);
    for name in [String::new(), long(NAME_CHARS_MAX + 1)] {
        let refused = tenant([]).when(create(&name)).outcome().unwrap_err();
        assert_eq!(refused.field().as_deref(), Some("name"));
    }
    let renamed = Event::TenantRenamed {
        name: "Acme & Sons".to_owned(),
    };
    tenant([created()]).when(rename("Acme & Sons")).then([renamed]);
    tenant([created()]).when(rename("Acme")).then([]);
}

#[test]
fn a_tenant_stops_and_goes_on_as_often_as_it_is_told() {
    tenant([created()])
        .when(Command::Suspend {})
        .then([Event::TenantSuspended {}]);
    tenant(suspended()).when(Command::Suspend {}).then([]);
    tenant(suspended())
        .when(rename("Acme & Sons"))
        .refused(Refusal::Suspended);
    tenant(suspended())
        .when(Command::Resume {})
        .then([Event::TenantResumed {}]);
    tenant([created()]).when(Command::Resume {}).then([]);
    let stands = [created(), Event::TenantSuspended {}, Event::TenantResumed {}].map(|event| Tenant::standing(&event));
    assert_eq!(
        stands,
        [Standing::Active, Standing::Suspended, Standing::Active].map(Some)
    );
}

#[test]
fn a_tenant_is_deleted_once_it_is_suspended_and_for_good() {
    tenant([created()])
        .when(Command::Delete {})
        .refused(Refusal::NotSuspended);
    tenant(suspended())
        .when(Command::Delete {})
        .then([Event::TenantDeleted {}]);
    assert_eq!(Tenant::standing(&Event::TenantDeleted {}), Some(Standing::Deleted));
    tenant(deleted()).when(Command::Delete {}).then([]);
    for command in [create("Acme"), rename("Acme"), Command::Suspend {}, Command::Resume {}] {
        tenant(deleted()).when(command).refused(Refusal::Deleted);
    }
    assert_eq!(rehearsal::given::state::<Tenant>(deleted()).name(), None);
}

#[test]
fn nobody_of_a_tenant_is_offered_to_say_how_it_stands() {
    assert_eq!(tenant([]).offered(), ["create"]);
    let ruled = ["rename", "suspend", "resume", "delete"];
    assert_eq!(tenant([created()]).offered_of(&ruled), ["rename", "suspend", "resume"]);
    assert_eq!(tenant(suspended()).offered_of(&ruled), ["suspend", "resume", "delete"]);
    assert_eq!(tenant(deleted()).offered(), ["delete"]);
    assert_eq!(tenant([created()]).by(BY).offered(), Vec::<String>::new());
}
