use super::*;
use domain::register::{Change, Command, Refusal, Register};
use domain::text::Unfit;
use domain::{Class, Decider as _, Erase, Event as _, Refuse};
use rehearsal::given::{given, long, state};

type Suppliers = Register<Supplier>;

fn supplier() -> Supplier {
    Supplier {
        name: "Acme".to_owned(),
        contact_email: Some("sales@acme.example".to_owned()),
        contact_phone: None,
        website: None,
        lead_time_days: Some(14),
        is_preferred: false,
    }
}

fn enter(change: impl FnOnce(&mut Supplier)) -> Command<Supplier> {
    let mut supplier = supplier();
    change(&mut supplier);
    Command::Enter(supplier)
}

fn unfit(field: &'static str, unfit: Unfit) -> Refusal {
    Refusal::Unfit { field, unfit }
}

#[test]
fn an_entry_is_entered_once_amended_and_struck() {
    let better = Supplier {
        is_preferred: true,
        ..supplier()
    };
    given::<Suppliers>([])
        .when(enter(|_| {}))
        .then([Change::Entered(supplier())]);
    given::<Suppliers>([Change::Entered(supplier())])
        .when(enter(|_| {}))
        .refused(Refusal::AlreadyEntered { noun: "supplier" });
    given::<Suppliers>([Change::Entered(supplier())])
        .when(Command::Amend(better.clone().into()))
        .then([Change::Amended(better)]);
    given::<Suppliers>([Change::Entered(supplier())])
        .when(Command::Strike {})
        .then([Change::Struck {}]);
}

#[test]
fn what_is_so_already_is_no_event() {
    given::<Suppliers>([Change::Entered(supplier())])
        .when(Command::Amend(supplier().into()))
        .then([]);
    given::<Suppliers>([Change::Entered(supplier()), Change::Struck {}])
        .when(Command::Strike {})
        .then([]);
}

#[test]
fn a_struck_entry_is_entered_again_before_it_is_amended() {
    let struck = [Change::Entered(supplier()), Change::Struck {}];
    given::<Suppliers>(struck.clone())
        .when(Command::Amend(supplier().into()))
        .refused(Refusal::Struck { noun: "supplier" });
    given::<Suppliers>(struck)
        .when(enter(|_| {}))
        .then([Change::Entered(supplier())]);
}

#[test]
fn contacts_are_sealed_in_a_name_that_is_nobodys_and_forgotten_together() {
    let stream = rehearsal::given::STREAM;
    let entered: Change<Supplier> = Change::Entered(supplier());
    let sealed = entered.sealed_apart(stream);
    let owner = sealed[0].1;
    assert_eq!(sealed, [("contact_email", owner), ("contact_phone", owner)]);
    // An id that somebody could choose for a person would let whoever forgets contacts erase that person.
    assert_ne!(owner, stream);
    assert_eq!(Suppliers::erases(stream, &Change::Forgotten {}), [Erase::Person(owner)]);
    assert_eq!(Suppliers::erases(stream, &entered), []);
}

#[test]
fn what_is_forgotten_may_be_told_anew() {
    let forgotten = [Change::Entered(supplier()), Change::Forgotten {}];
    given::<Suppliers>([Change::Entered(supplier())])
        .when(Command::ForgetContacts {})
        .then([Change::Forgotten {}]);
    let now: Suppliers = state(forgotten.clone());
    let without = Supplier {
        contact_email: None,
        ..supplier()
    };
    assert_eq!(now, Register::Entered(without));
    given::<Suppliers>(forgotten)
        .when(Command::Amend(supplier().into()))
        .then([Change::Amended(supplier())]);
    given::<Suppliers>([])
        .when(Command::ForgetContacts {})
        .refused(Refusal::NotEntered { noun: "supplier" });
}

#[test]
fn contacts_of_a_struck_supplier_are_forgotten_too() {
    let struck = [Change::Entered(supplier()), Change::Struck {}, Change::Forgotten {}];
    let without = Supplier {
        contact_email: None,
        ..supplier()
    };
    assert_eq!(state::<Suppliers>(struck), Register::Struck(without));
}

#[test]
fn what_was_never_entered_is_neither_amended_nor_struck() {
    for command in [Command::Amend(supplier().into()), Command::Strike {}] {
        given::<Suppliers>([])
            .when(command)
            .refused(Refusal::NotEntered { noun: "supplier" });
    }
    assert_eq!(Refusal::NotEntered { noun: "supplier" }.class(), Class::Missing);
}

#[test]
fn a_supplier_fits_its_columns() {
    given::<Suppliers>([])
        .when(enter(|s| s.name.clear()))
        .refused(unfit("name", Unfit::Empty));
    let form = Unfit::Form("must be an email address, such as name@example.com");
    given::<Suppliers>([])
        .when(enter(|s| s.contact_email = Some("acme".to_owned())))
        .refused(unfit("contact_email", form));
    given::<Suppliers>([])
        .when(enter(|s| s.contact_phone = Some(long(21))))
        .refused(unfit("contact_phone", Unfit::TooLong { chars: 21, max: 20 }));
    given::<Suppliers>([])
        .when(enter(|s| s.website = Some("\0".to_owned())))
        .refused(unfit("website", Unfit::Nul));
    for days in [-1, LEAD_TIME_DAYS_MAX + 1] {
        given::<Suppliers>([])
            .when(enter(|s| s.lead_time_days = Some(days)))
            .refused(unfit(
                "lead_time_days",
                Unfit::Range {
                    value: days.into(),
                    min: 0,
                    max: 3_650,
                },
            ));
    }
}
