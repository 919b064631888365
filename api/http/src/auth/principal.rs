//! The bearer of a token and their permissions, read from the book.

use std::sync::Arc;

use book::Book;
use book::execute::StreamAnswer;
use domain::Decider as _;
use domain::register::Register;
use identity::department::Department;
use identity::key::Key;
use identity::role::Role;
use identity::tenant::Tenant;
use identity::user::User;
use uuid::Uuid;

use super::changes::Changes;
use super::departments::Departments;
use super::remembered::{Read, Remembered};
use super::service_keys::ServiceKeys;
use super::token::Bearer;
use crate::problem::{self, Problem};

/// How long a revocation made by another process may take to bite, in seconds.
pub const CACHED_PRINCIPAL_SECONDS_MAX: u64 = 5;
const CACHED_PRINCIPALS_MAX: u64 = 50_000;

/// The permission to see and command every department.
pub const ALL_DEPARTMENTS: &str = "departments.all";

/// A registered, active user with what their roles permit.
#[derive(Debug, Clone)]
pub struct Principal {
    pub tenant: Uuid,
    pub user: Uuid,
    /// The roles that the user has and that are in use, by their ids.
    pub roles: Vec<(Uuid, Arc<Role>)>,
    /// The only permissions that count, if not all do.
    only: Option<Arc<[&'static str]>>,
    /// The departments that the user is in; they reach down to all below these.
    pub departments: Vec<Uuid>,
}

/// The bearer of a token, as the book knows them.
#[derive(Debug, Clone)]
enum Standing {
    /// The tenant was deleted.
    Gone,
    Unregistered,
    Inactive,
    Good(Arc<Principal>),
}

impl Principal {
    /// The same user, to whom of what their roles permit these permissions alone are left.
    #[must_use]
    pub fn with_only(&self, permissions: Arc<[&'static str]>) -> Self {
        Self {
            only: Some(permissions),
            ..self.clone()
        }
    }

    /// Whose share of everything it draws on.
    #[must_use]
    pub fn bearer(&self) -> Bearer {
        Bearer {
            tenant: self.tenant,
            user: self.user,
        }
    }

    #[must_use]
    pub fn permits(&self, permission: &str) -> bool {
        let counts = self.only.as_ref().is_none_or(|only| only.contains(&permission));
        counts && self.roles.iter().any(|(_, role)| role.permits(permission))
    }

    /// # Errors
    /// 403, naming the permission.
    pub fn require(&self, permission: &str) -> Result<(), Problem> {
        if self.permits(permission) {
            Ok(())
        } else {
            Err(self.missing("this", permission))
        }
    }

    /// The refusal of what needs a permission that is missing, in the words of what needs it.
    #[must_use]
    pub fn missing(&self, what: &str, permission: &str) -> Problem {
        let why = match self.only {
            None => "which none of your roles grants; ask an administrator for a role that does",
            Some(_) => {
                "for which a key that is bound to something of its own is not good, whatever the roles of its service grant; use \
                 one that is not bound"
            }
        };
        Problem::missing_permission(permission, format!("{what} needs the permission {permission}, {why}"))
    }

    /// That rows of everybody's may be shown, and what streams take. To whom a few permissions alone are left, those are
    /// for what is their own.
    ///
    /// # Errors
    /// 403.
    pub fn require_unbound(&self) -> Result<(), Problem> {
        match self.only {
            None => Ok(()),
            Some(_) => {
                let detail = "a key that is bound to something of its own reads no tables, and is not told what streams take; use one \
                              that is not bound";
                Err(Problem::new(problem::FORBIDDEN, detail))
            }
        }
    }

    #[must_use]
    pub fn sees_all_departments(&self) -> bool {
        self.permits(ALL_DEPARTMENTS)
    }
}

/// The principals of late, and the departments above departments.
#[derive(Debug)]
pub struct Principals {
    book: Book,
    changes: Arc<Changes>,
    standings: Remembered<Bearer, Standing>,
    departments: Departments,
    /// Keys in the place of tokens.
    pub keys: ServiceKeys,
}

impl Principals {
    #[must_use]
    pub fn new(book: Book) -> Self {
        let changes = Arc::new(Changes::default());
        Self {
            departments: Departments::new(book.clone(), changes.clone()),
            keys: ServiceKeys::new(book.clone(), changes.clone()),
            standings: Remembered::new(changes.clone(), CACHED_PRINCIPALS_MAX),
            changes,
            book,
        }
    }

    /// The principal that a token speaks for.
    ///
    /// # Errors
    /// 403 when the user is not registered or not active, or their tenant is deleted; what the book fails with.
    pub async fn of(&self, bearer: Bearer) -> Result<Arc<Principal>, Problem> {
        match self.standings.get(bearer, || self.read(bearer)).await? {
            Standing::Good(principal) => Ok(principal),
            Standing::Gone => Err(Problem::new(
                problem::TENANT_DELETED,
                "the tenant that the token names was deleted; ask whoever runs Daybook",
            )),
            Standing::Unregistered => Err(Problem::new(
                problem::NOT_REGISTERED,
                "the user that the token names is not registered with its tenant; ask an administrator to register them",
            )),
            Standing::Inactive => Err(Problem::new(
                problem::INACTIVE,
                "this user is deactivated or erased; ask an administrator to reactivate them, or to register them anew",
            )),
        }
    }

    /// Takes note of what a command of this process has changed: people whom that touches are read anew, and nobody else.
    pub fn changed(&self, streams: &[StreamAnswer]) {
        const TOUCH: [&str; 5] = [
            User::TYPE,
            Role::TYPE,
            Register::<Department>::TYPE,
            Tenant::TYPE,
            Key::TYPE,
        ];
        for changed in streams {
            if TOUCH.contains(&changed.aggregate_type.as_str()) && !changed.events.is_empty() {
                self.changes.note(changed.stream);
            }
        }
    }

    /// Whether the department lies in the subtree of one of the principal's own.
    ///
    /// # Errors
    /// The failure of the book.
    pub async fn reaches(&self, principal: &Principal, department: Uuid) -> Result<bool, Problem> {
        if principal.sees_all_departments() {
            return Ok(true);
        }
        let line = self.departments.line(principal.tenant, department).await?;
        Ok(line.iter().any(|above| principal.departments.contains(above)))
    }

    async fn read(&self, bearer: Bearer) -> Result<Read<Standing>, Problem> {
        metrics::counter!("daybook_principals_read_total").increment(1);
        let mut streams = vec![bearer.user, bearer.tenant];
        // Its people are there for ever, and what tells who they are is not.
        if self.book.standing(bearer.tenant).await? == domain::Standing::Deleted {
            let value = Standing::Gone;
            return Ok(Read { value, streams });
        }
        let user = self.book.now::<User>(bearer.tenant, bearer.user).await?;
        let value = match user {
            None => Standing::Unregistered,
            Some(user) if !user.is_active() => Standing::Inactive,
            Some(user) => {
                let held: Vec<Uuid> = user.roles().collect();
                let roles = self.book.fresh::<Role>(bearer.tenant, &held).await?;
                let roles = held.iter().copied().zip(roles);
                let roles = roles.filter_map(|(id, role)| Some((id, role.filter(|role| role.is_active())?)));
                let roles = roles.collect();
                // Also those that are not there yet.
                streams.extend(held);
                Standing::Good(Arc::new(Principal {
                    tenant: bearer.tenant,
                    user: bearer.user,
                    roles,
                    only: None,
                    departments: user.departments().collect(),
                }))
            }
        };
        Ok(Read { value, streams })
    }
}
