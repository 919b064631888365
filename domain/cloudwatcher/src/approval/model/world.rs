//! A small world of typed states: five people, three departments, two suppliers, three orders, and the
//! policy whose reactions wait to be sent.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde_json::json;
use uuid::Uuid;

use super::Met;
use super::oracle::{Delegated, Oracle};
use crate::approval::{self, Approval};
use crate::approval_policy::{ApprovalPolicy, CurrencyThresholds, Threshold};
use crate::buyer::{self, Buyer};
use crate::delegation::{self, Delegations};
use crate::order::{self, Order};
use crate::part::Part;
use crate::policies::OrderApprovals;
use crate::supplier::Supplier;
use domain::register::{OnePerTenant, Register};
use domain::{AnyEvent, Asker, Asking, Decider, Facts, Ids, Metadata, Policy, Reaction, Recorded, Request};
use domain::{Refuse, SYSTEM, Sealed, Seen, Sending, Together};
use identity::department::Department;
use identity::role::{self, Role};
use identity::user::{self, User};
use rehearsal::given::TENANT;
use rehearsal::offering;

pub(super) const USERS: [Uuid; 5] = ids(0x10);
pub(super) const DEPARTMENTS: [Uuid; 3] = ids(0x20);
pub(super) const SUPPLIERS: [Uuid; 2] = ids(0x30);
pub(super) const PARTS: [Uuid; 2] = ids(0x40);
pub(super) const ORDERS: [Uuid; 3] = ids(0x50);
const ROLE: Uuid = Uuid::from_u128(0x60);

/// The policies that are in force by turns: thresholds in EUR and in USD, and who decides where the tree ends.
const POLICIES: [(&[i64], &[i64], &[Uuid]); 3] = [
    (&[0, 100, 1_000], &[0, 50], &[USERS[1], USERS[0]]),
    (&[50, 300], &[100, 200], &[]),
    (&[0], &[0, 500], &[USERS[4]]),
];

const fn ids<const N: usize>(first: u128) -> [Uuid; N] {
    let mut ids = [Uuid::nil(); N];
    let mut n = 0;
    while n < N {
        ids[n] = Uuid::from_u128(first + n as u128);
        n += 1;
    }
    ids
}

pub(super) struct World {
    facts: Facts,
    pub(super) oracle: Oracle,
    pub(super) now: DateTime<Utc>,
    commands: u128,
    /// Reactions of the policy that wait to be sent, and those that were sent: they may be sent again.
    pub(super) waiting: Vec<Reaction>,
    pub(super) sent: Vec<Reaction>,
    /// Timers, by when they are due.
    pub(super) timers: BTreeMap<Uuid, (DateTime<Utc>, approval::Command, Uuid)>,
    /// Every command with its outcome, for the message of a failure.
    log: Vec<String>,
    pub(super) met: Met,
}

impl World {
    pub(super) fn new() -> Self {
        let named = |name: &str| json!({"name": name});
        let supplier = || Register::Entered(serde_json::from_value::<Supplier>(named("Acme")).unwrap());
        let part = json!({"part_code": "F", "name": "Filter"});
        let part = || Register::Entered(serde_json::from_value::<Part>(part.clone()).unwrap());
        let mut role = Role::default();
        role.evolve(&role::Event::RoleDefined {
            name: "Approver".to_owned(),
            description: None,
            grants: vec![role::Grant {
                id: ROLE,
                permission: "orders.approve".to_owned(),
            }],
        });
        let mut user = User::default();
        user.evolve(&user::Event::UserRegistered {
            email: Sealed::Open("a@b".to_owned()),
            name: Sealed::Open("Ada".to_owned()),
            oauth_provider: None,
            oauth_id: None,
        });
        user.evolve(&permitted(true));
        let mut facts = Facts::default().with(ROLE, role);
        for id in USERS {
            facts = facts.with(id, user.clone());
        }
        for (supplier_id, part_id) in SUPPLIERS.into_iter().zip(PARTS) {
            facts = facts.with(supplier_id, supplier()).with(part_id, part());
        }
        let mut world = Self {
            facts,
            oracle: Oracle::new(),
            now: DateTime::UNIX_EPOCH,
            commands: 0,
            waiting: Vec::new(),
            sent: Vec::new(),
            timers: BTreeMap::new(),
            log: Vec::new(),
            met: Met::new(),
        };
        (0..DEPARTMENTS.len()).for_each(|place| world.department_is_as_the_oracle_has_it(place));
        world.policy_is(0);
        world
    }

    pub(super) fn log(&self) -> String {
        self.log.join("\n")
    }

    pub(super) fn meet(&mut self, what: &'static str) {
        *self.met.entry(what).or_default() += 1;
    }

    pub(super) fn state<D: Decider>(&self, id: Uuid) -> Option<&D> {
        self.facts.get(id)
    }

    fn put<D: Decider>(&mut self, id: Uuid, state: D) {
        self.facts.insert(D::TYPE, id, std::sync::Arc::new(state));
    }

    /// People and departments change from outside, in the world and in the oracle's books alike.
    pub(super) fn user_becomes(&mut self, place: usize, is_active: bool, is_permitted: bool) {
        let id = USERS[place];
        let mut user = self.state::<User>(id).cloned().unwrap_or_default();
        user.evolve(&if is_active {
            user::Event::UserReactivated {}
        } else {
            user::Event::UserDeactivated {}
        });
        user.evolve(&permitted(is_permitted));
        self.put(id, user);
        for (is_so, people) in [
            (is_active, &mut self.oracle.active),
            (is_permitted, &mut self.oracle.permitted),
        ] {
            if is_so {
                people.insert(id);
            } else {
                people.remove(&id);
            }
        }
        self.log
            .push(format!("user {place}: active {is_active}, permitted {is_permitted}"));
    }

    pub(super) fn department_is_as_the_oracle_has_it(&mut self, place: usize) {
        let (manager, parent) = (self.oracle.manager[place], self.oracle.parent[place]);
        let department = Department {
            name: "Somewhere".to_owned(),
            parent_id: parent.map(|parent| DEPARTMENTS[parent]),
            description: None,
            manager_id: manager,
        };
        self.put(DEPARTMENTS[place], Register::Entered(department));
        self.log
            .push(format!("department {place}: manager {manager:?}, parent {parent:?}"));
    }

    pub(super) fn policy_is(&mut self, place: usize) {
        let (euros, dollars, top) = POLICIES[place % POLICIES.len()];
        let currencies = [("EUR", euros), ("USD", dollars)].map(|(currency, thresholds)| CurrencyThresholds {
            currency: currency.to_owned(),
            thresholds: thresholds.iter().map(|&from| Threshold(Decimal::from(from))).collect(),
        });
        let policy = ApprovalPolicy {
            currencies: currencies.into(),
            top_deciders: top.to_vec(),
            ..ApprovalPolicy::default()
        };
        self.put(ApprovalPolicy::stream(TENANT), Register::Entered(policy));
        self.oracle.thresholds = [("EUR", euros.to_vec()), ("USD", dollars.to_vec())].into();
        self.oracle.top = top.to_vec();
        self.log.push(format!("policy {place}"));
    }

    pub(super) fn time_passes(&mut self, by: TimeDelta) {
        self.now += by;
        self.log.push(format!("{} hours later", by.num_hours()));
    }

    /// Decides and, when it is accepted, carries out a command; `None` when it is refused.
    fn decide<D: Decider>(
        &mut self,
        by: Uuid,
        stream: Uuid,
        command: &D::Command,
    ) -> Result<Option<Vec<D::Event>>, String> {
        self.commands += 1;
        let mut state = self.state::<D>(stream).cloned().unwrap_or_default();
        let decided = self.decided(&state, by, stream, command, &self.facts);
        let asker = Asker {
            tenant: TENANT,
            by,
            at: self.now,
        };
        offering::check_typed(&state, command, stream, &asker, decided.is_ok());
        // Now and then: whether a decision depends on nothing but what it says it reads.
        if self.commands.is_multiple_of(64) {
            let read = self.read(&state, by, stream, command);
            if self.decided(&state, by, stream, command, &read) != decided {
                return Err(format!("{command:?} reads more than it says"));
            }
        }
        self.log.push(match &decided {
            Ok(events) => format!("{by} to {stream}: {command:?} -> {events:?}"),
            Err(refusal) => format!("{by} to {stream}: {command:?} refused: {}", refusal.rule()),
        });
        let Ok(events) = decided else { return Ok(None) };
        for event in &events {
            state.evolve(event);
        }
        if !events.is_empty() {
            self.put(stream, state);
        }
        Ok(Some(events))
    }

    fn decided<D: Decider>(
        &self,
        state: &D,
        by: Uuid,
        stream: Uuid,
        command: &D::Command,
        facts: &Facts,
    ) -> Result<Vec<D::Event>, D::Refusal> {
        state.decide(&Request {
            tenant: TENANT,
            stream,
            sequence: 0,
            by,
            at: self.now,
            ids: Ids::new(Uuid::from_u128(self.commands)),
            reason: Some("because"),
            facts,
            together: &Together::default(),
            command,
        })
    }

    /// The facts as the book would load them.
    fn read<D: Decider>(&self, state: &D, by: Uuid, stream: Uuid, command: &D::Command) -> Facts {
        let mut named = Vec::new();
        loop {
            let facts = self.facts.only(&named);
            let next = state.reads(&Asking {
                tenant: TENANT,
                by,
                at: self.now,
                stream,
                command,
                facts: &facts,
            });
            if next.len() == named.len() {
                return facts;
            }
            named = next;
        }
    }

    pub(super) fn order(&mut self, by: Uuid, id: Uuid, command: &order::Command) -> Result<bool, String> {
        let Some(events) = self.decide::<Order>(by, id, command)? else {
            return Ok(false);
        };
        for event in events {
            if let Some(placed) = self.oracle.order_event(id, by, &event)? {
                self.meet("placed");
                match placed.levels {
                    0 => self.meet("placed without any level"),
                    2 => self.meet("placed with two levels"),
                    3 => self.meet("placed with three levels"),
                    _ => {}
                }
                if placed.revision > 1 {
                    self.meet("placed after a later revision");
                }
                if placed.lessened {
                    self.meet("placed with less than was submitted");
                }
            }
            self.react(id, AnyEvent::new::<Order>(event));
        }
        Ok(true)
    }

    pub(super) fn approval(&mut self, by: Uuid, id: Uuid, command: &approval::Command) -> Result<bool, String> {
        let Some(events) = self.decide::<Approval>(by, id, command)? else {
            return Ok(false);
        };
        for event in events {
            self.note(id, by, command, &event);
            self.react(id, AnyEvent::new::<Approval>(event));
        }
        Ok(true)
    }

    /// The oracle hears of an approval: who was asked, and who said what about which revision.
    fn note(&mut self, id: Uuid, by: Uuid, command: &approval::Command, event: &approval::Event) {
        use approval::{Command, Event};
        match event {
            Event::ApprovalAsked {
                revision, split_with, ..
            } => {
                self.oracle.approval_is_asked(id, *revision);
                if !split_with.is_empty() {
                    self.meet("split");
                }
            }
            Event::LevelAsked {
                approver_id,
                department_id,
                is_top,
                ..
            } => {
                self.oracle.level_is_asked(id, *approver_id, *department_id, *is_top);
                if *is_top {
                    self.meet("asked where the tree ends");
                }
            }
            Event::LevelApproved { on_behalf_of, .. } => {
                if let Command::Approve { revision, .. } = command {
                    self.oracle
                        .is_decided(id, (by, *on_behalf_of), *revision, self.now, true);
                }
                if on_behalf_of.is_some() {
                    self.meet("approved by a delegate");
                }
            }
            Event::ApprovalRejected { on_behalf_of, .. } => {
                if let Command::Reject { revision, .. } = command {
                    self.oracle
                        .is_decided(id, (by, *on_behalf_of), *revision, self.now, false);
                }
                self.meet("rejected");
            }
            Event::LevelEscalated { .. } => self.meet("escalated"),
            Event::LevelReassigned { .. } => self.meet("reassigned"),
            Event::ApprovalOverdue { .. } => self.meet("overdue"),
            Event::ApprovalVoided { .. } => self.meet("void"),
            Event::ApprovalGranted { .. } => {}
        }
    }

    pub(super) fn delegation(&mut self, by: Uuid, command: &delegation::Command) -> Result<(), String> {
        let Some(events) = self.decide::<Delegations>(by, by, command)? else {
            return Ok(());
        };
        for event in events {
            match event {
                delegation::Event::DelegationGranted {
                    delegation_id,
                    to,
                    starts_at,
                    ends_at,
                    department_ids,
                    total_max,
                    currency,
                    granted_at: _,
                } => {
                    let department = department_ids.first();
                    let delegated = Delegated {
                        from: by,
                        to,
                        starts_at,
                        ends_at,
                        department: department.and_then(|id| DEPARTMENTS.iter().position(|known| known == id)),
                        total_max,
                        currency,
                    };
                    self.oracle.delegated.insert(delegation_id, delegated);
                }
                delegation::Event::DelegationRevoked { delegation_id, .. } => {
                    self.oracle.delegated.remove(&delegation_id);
                }
            }
        }
        Ok(())
    }

    fn react(&mut self, stream: Uuid, event: AnyEvent) {
        let recorded = recorded(stream, self.now, event);
        for reaction in OrderApprovals.react(&Seen::new(&recorded, None)) {
            match reaction {
                Reaction::Send { .. } => self.waiting.push(reaction),
                Reaction::Wait { timer, due_at, sending } => {
                    if let Some(command) = sending.command.typed::<Approval>() {
                        self.timers.insert(timer, (due_at, command.clone(), sending.stream));
                    }
                }
                Reaction::Forget { timer } => {
                    self.timers.remove(&timer);
                }
            }
        }
    }

    /// Sends what the policy wants, up to the first that is refused.
    pub(super) fn send(&mut self, reaction: &Reaction) -> Result<(), String> {
        let Reaction::Send { sendings, .. } = reaction else {
            return Ok(());
        };
        for sending in sendings {
            let Sending { stream, command } = sending;
            let accepted = if let Some(command) = command.typed::<Order>() {
                self.order(SYSTEM, *stream, command)?
            } else if let Some(command) = command.typed::<Approval>() {
                self.approval(SYSTEM, *stream, command)?
            } else if let Some(command) = command.typed::<Buyer>() {
                self.buyer(*stream, command)?
            } else {
                return Err(format!("the policy sends {command:?}"));
            };
            // In the book they stand or fall together. Here a buyer's note may stay, which only says what is so.
            if !accepted {
                return Ok(());
            }
        }
        Ok(())
    }

    fn buyer(&mut self, stream: Uuid, command: &buyer::Command) -> Result<bool, String> {
        self.decide::<Buyer>(SYSTEM, stream, command)
            .map(|events| events.is_some())
    }
}

fn permitted(is_so: bool) -> user::Event {
    let (assignment_id, role_id) = (ROLE, ROLE);
    if is_so {
        user::Event::UserRoleAssigned { assignment_id, role_id }
    } else {
        user::Event::UserRoleUnassigned { assignment_id, role_id }
    }
}

fn recorded(stream: Uuid, at: DateTime<Utc>, event: AnyEvent) -> Recorded<AnyEvent> {
    Recorded {
        position: 0,
        event_id: Uuid::nil(),
        tenant_id: TENANT,
        aggregate_type: String::new(),
        stream,
        sequence: 0,
        event_type: String::new(),
        event_version: String::new(),
        metadata: Metadata::default(),
        at,
        recorded_at: at,
        event,
    }
}
