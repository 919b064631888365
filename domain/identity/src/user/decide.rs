//! The decisions about a user, and the state that events lead to.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{
    Command, DEPARTMENTS_MAX, EMAIL, EMAIL_CHARS_MAX, Event, NAME_CHARS_MAX, OAUTH_ID, OAUTH_ID_CHARS_MAX,
    OAUTH_PROVIDER_CHARS_MAX, Person, ROLES_MAX, Refusal, SERVICE, User,
};
use crate::administrators;
use crate::department::Department;
use crate::role::Role;
use domain::register::Register;
use domain::text::{self, Unfit};
use domain::{Asker, Asking, Claim, ClaimChange, Decider, Erase, FactRef, Request, Sealed};

/// The host of the addresses that the read tables show for erased users (RFC 2606 reserves it).
const RESERVED_HOST: &str = "invalid";

impl Decider for User {
    const TYPE: &'static str = "identity.user";
    const CREATES: &'static str = "register";
    const CLAIMS: &'static [Claim] = &[EMAIL, OAUTH_ID];
    const MOVED: &'static [(&'static str, &'static str)] =
        &[("sign-in", "POST /v1/identity/sign-ins/{user_id}/record")];
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        // `None` means that it is so already.
        let event = match (self, request.command) {
            // Whoever had the id would pass for Daybook itself.
            (User::Unborn, Command::Register { .. }) if domain::is_reserved(request.stream) => {
                return Err(Refusal::ReservedId);
            }
            (
                User::Unborn,
                Command::Register {
                    email,
                    name,
                    oauth_provider,
                    oauth_id,
                },
            ) => Some(register(email, name, oauth_provider.as_ref(), oauth_id.as_ref())?),
            (User::Registered(_), Command::Register { .. }) => return Err(Refusal::AlreadyRegistered),

            (User::Erased, Command::Erase {}) => None,
            // Whatever is ever added to the commands: an erased person stays erased.
            (User::Erased, _) => return Err(Refusal::Erased),
            (User::Unborn, _) => return Err(Refusal::NotRegistered),

            (User::Registered(now), Command::Rename { name }) => {
                text::required(name, NAME_CHARS_MAX).map_err(unfit("name"))?;
                let same = now.name.open() == Some(name);
                (!same).then(|| Event::UserRenamed {
                    name: Sealed::Open(name.clone()),
                })
            }
            (User::Registered(now), Command::ChangeEmail { email }) => {
                check_email(email)?;
                let same = now.email.open() == Some(email);
                (!same).then(|| Event::UserEmailChanged {
                    email: Sealed::Open(email.clone()),
                })
            }

            (User::Registered(now), Command::AssignRole { .. } | Command::JoinDepartment { .. }) if !now.active => {
                return Err(Refusal::Deactivated);
            }
            (User::Registered(now), Command::AssignRole { role_id }) => assign_role(now, *role_id, request)?,
            (User::Registered(now), Command::JoinDepartment { department_id }) => {
                join_department(now, *department_id, request)?
            }

            (User::Registered(now), &Command::UnassignRole { role_id }) => {
                let held = now.roles.get(&role_id);
                if held.is_some() {
                    now.check_administrators(|role| role != role_id, request)?;
                }
                held.map(|&assignment_id| Event::UserRoleUnassigned { assignment_id, role_id })
            }
            (User::Registered(now), &Command::LeaveDepartment { department_id }) => {
                let held = now.departments.get(&department_id);
                held.map(|&assignment_id| Event::UserDepartmentLeft {
                    assignment_id,
                    department_id,
                })
            }

            (User::Registered(now), Command::Deactivate {}) => {
                now.check_administrators(|_| false, request)?;
                now.active.then_some(Event::UserDeactivated {})
            }
            (User::Registered(now), Command::Reactivate {}) => (!now.active).then_some(Event::UserReactivated {}),
            (User::Registered(now), Command::Erase {}) => {
                now.check_administrators(|_| false, request)?;
                Some(Event::UserErased {
                    unassigned: now.roles.values().copied().collect(),
                    left: now.departments.values().copied().collect(),
                })
            }
        };
        Ok(event.into_iter().collect())
    }

    fn evolve(&mut self, event: &Event) {
        if let Event::UserRegistered {
            email,
            name,
            oauth_provider,
            oauth_id,
        } = event
        {
            *self = User::Registered(Person {
                email: email.clone(),
                name: name.clone(),
                oauth_id: oauth_id.clone(),
                active: true,
                is_service: oauth_provider.as_deref() == Some(SERVICE),
                roles: BTreeMap::new(),
                departments: BTreeMap::new(),
            });
        }
        let User::Registered(person) = self else { return };
        match event {
            Event::UserRegistered { .. } | Event::UserSignedIn {} => {}
            Event::UserRenamed { name } => person.name = name.clone(),
            Event::UserEmailChanged { email } => person.email = email.clone(),
            Event::UserRoleAssigned { assignment_id, role_id } => {
                person.roles.insert(*role_id, *assignment_id);
            }
            Event::UserRoleUnassigned { role_id, .. } => {
                person.roles.remove(role_id);
            }
            Event::UserDepartmentJoined {
                assignment_id,
                department_id,
            } => {
                person.departments.insert(*department_id, *assignment_id);
            }
            Event::UserDepartmentLeft { department_id, .. } => {
                person.departments.remove(department_id);
            }
            Event::UserDeactivated {} => person.active = false,
            Event::UserReactivated {} => person.active = true,
            Event::UserErased { .. } => *self = User::Erased,
        }
    }

    fn reads(&self, asking: &Asking<'_, Command>) -> Vec<FactRef> {
        match asking.command {
            Command::AssignRole { role_id } => vec![FactRef::of::<Role>(*role_id)],
            Command::JoinDepartment { department_id } => vec![FactRef::of::<Register<Department>>(*department_id)],
            // Whether they may do everything, and who else may.
            Command::UnassignRole { .. } | Command::Deactivate {} | Command::Erase {} if self.is_active() => {
                let own = self.roles().map(FactRef::of::<Role>);
                own.chain(administrators::roles_of_witnesses(asking.facts)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn claims(&self, _stream: Uuid, event: &Event) -> Vec<ClaimChange> {
        let before = self
            .person()
            .map_or_else(Vec::new, |person| claims(&person.email, person.oauth_id.as_ref()));
        let after = match event {
            Event::UserRegistered { email, oauth_id, .. } => claims(email, oauth_id.as_ref()),
            Event::UserEmailChanged { email } => {
                claims(email, self.person().and_then(|person| person.oauth_id.as_ref()))
            }
            Event::UserErased { .. } => Vec::new(),
            _ => return Vec::new(),
        };
        ClaimChange::between(before, after)
    }

    fn offers(&self, command: &str, stream: Uuid, _asker: &Asker) -> Result<(), Refusal> {
        match (self, command) {
            (User::Unborn, "register") if domain::is_reserved(stream) => Err(Refusal::ReservedId),
            (User::Unborn, "register") | (User::Erased, "erase") => Ok(()),
            (User::Unborn, _) => Err(Refusal::NotRegistered),
            (User::Erased, _) => Err(Refusal::Erased),
            (User::Registered(_), "register") => Err(Refusal::AlreadyRegistered),
            (User::Registered(now), "assign-role" | "join-department") if !now.active => Err(Refusal::Deactivated),
            (User::Registered(_), _) => Ok(()),
        }
    }

    fn erases(stream: Uuid, event: &Event) -> Vec<Erase> {
        match event {
            Event::UserErased { .. } => vec![Erase::Person(stream)],
            _ => Vec::new(),
        }
    }
}

impl Person {
    /// That somebody is left who may do everything, when of this person's roles only these are.
    fn check_administrators(
        &self,
        keeps: impl Fn(Uuid) -> bool,
        request: &Request<'_, Command>,
    ) -> Result<(), Refusal> {
        let grants = |role: &&Uuid| request.facts.get::<Role>(**role).is_some_and(Role::grants_everything);
        let mut everything = self.roles.keys().filter(grants).peekable();
        let is_one = self.active && everything.peek().is_some();
        if !is_one || everything.any(|&role| keeps(role)) {
            return Ok(());
        }
        if administrators::is_another(request.facts, |user| user != request.stream, |_| true) {
            return Ok(());
        }
        Err(Refusal::LastAdministrator)
    }
}

fn register(
    email: &str,
    name: &str,
    oauth_provider: Option<&String>,
    oauth_id: Option<&String>,
) -> Result<Event, Refusal> {
    check_email(email)?;
    text::required(name, NAME_CHARS_MAX).map_err(unfit("name"))?;
    if let Some(provider) = oauth_provider {
        text::required(provider, OAUTH_PROVIDER_CHARS_MAX).map_err(unfit("oauth_provider"))?;
    }
    if let Some(id) = oauth_id {
        text::required(id, OAUTH_ID_CHARS_MAX).map_err(unfit("oauth_id"))?;
        if oauth_provider.is_none() {
            return Err(Refusal::ProviderMissing);
        }
    }
    Ok(Event::UserRegistered {
        email: Sealed::Open(email.to_owned()),
        name: Sealed::Open(name.to_owned()),
        oauth_provider: oauth_provider.cloned(),
        oauth_id: oauth_id.cloned().map(Sealed::Open),
    })
}

fn claims(email: &Sealed<String>, oauth_id: Option<&Sealed<String>>) -> Vec<(Claim, String)> {
    let email = email.open().map(|email| (EMAIL, email.to_lowercase()));
    // The provider is no part of the claim: the column `oauth_id` is unique by itself.
    let oauth_id = oauth_id.and_then(Sealed::open).map(|id| (OAUTH_ID, id.clone()));
    email.into_iter().chain(oauth_id).collect()
}

fn room(held: &BTreeMap<Uuid, Uuid>, what: &'static str, max: usize) -> Result<(), Refusal> {
    if held.len() < max {
        Ok(())
    } else {
        Err(Refusal::TooMany { what, max })
    }
}

fn unfit(field: &'static str) -> impl Fn(Unfit) -> Refusal {
    move |unfit| Refusal::Unfit { field, unfit }
}

fn check_email(email: &str) -> Result<(), Refusal> {
    text::email(email, EMAIL_CHARS_MAX).map_err(unfit("email"))?;
    match email.rsplit_once('@') {
        Some((_, host)) if host.eq_ignore_ascii_case(RESERVED_HOST) => Err(Refusal::ReservedHost),
        Some(_) | None => Ok(()),
    }
}

fn assign_role(now: &Person, role_id: Uuid, request: &Request<'_, Command>) -> Result<Option<Event>, Refusal> {
    if now.roles.contains_key(&role_id) {
        return Ok(None);
    }
    room(&now.roles, "roles", ROLES_MAX)?;
    if !request.facts.get::<Role>(role_id).is_some_and(Role::is_active) {
        return Err(Refusal::RoleNotInUse);
    }
    Ok(Some(Event::UserRoleAssigned {
        assignment_id: request.ids.draw(),
        role_id,
    }))
}

fn join_department(
    now: &Person,
    department_id: Uuid,
    request: &Request<'_, Command>,
) -> Result<Option<Event>, Refusal> {
    if now.departments.contains_key(&department_id) {
        return Ok(None);
    }
    room(&now.departments, "departments", DEPARTMENTS_MAX)?;
    let department = request.facts.get::<Register<Department>>(department_id);
    if department.and_then(Register::active).is_none() {
        return Err(Refusal::DepartmentNotInUse);
    }
    Ok(Some(Event::UserDepartmentJoined {
        assignment_id: request.ids.draw(),
        department_id,
    }))
}
