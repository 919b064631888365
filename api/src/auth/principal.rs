//! What the bearer of a token may do, read from the book.

use std::sync::Arc;
use std::time::Duration;

use book::{Book, BookError};
use domain::identity::role::Role;
use domain::identity::user::User;
use uuid::Uuid;

use super::departments::Departments;
use super::token::Bearer;
use crate::problem::{self, Problem};

/// How long a revocation made by another process may take to bite, in seconds.
pub const CACHED_PRINCIPAL_SECONDS_MAX: u64 = 5;
const CACHED_PRINCIPALS_MAX: u64 = 50_000;

/// Whoever holds this sees and commands every department.
pub const ALL_DEPARTMENTS: &str = "departments.all";

/// A registered, active user with what their roles permit.
#[derive(Debug, Clone)]
pub struct Principal {
    pub tenant: Uuid,
    pub user: Uuid,
    roles: Vec<Arc<Role>>,
    /// The departments that the user is in; they reach down to all below these.
    pub departments: Vec<Uuid>,
}

/// What the book says of a bearer.
#[derive(Debug, Clone)]
enum Standing {
    Unregistered,
    Inactive,
    Good(Arc<Principal>),
}

impl Principal {
    #[must_use]
    pub fn permits(&self, permission: &str) -> bool {
        self.roles.iter().any(|role| role.permits(permission))
    }

    /// # Errors
    /// 403, naming the permission.
    pub fn require(&self, permission: &str) -> Result<(), Problem> {
        if self.permits(permission) {
            Ok(())
        } else {
            Err(Problem::missing_permission(permission))
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
    cached: moka::future::Cache<Bearer, Standing>,
    departments: Departments,
}

impl Principals {
    #[must_use]
    pub fn new(book: Book) -> Self {
        let cached = moka::future::Cache::builder()
            .max_capacity(CACHED_PRINCIPALS_MAX)
            .time_to_live(Duration::from_secs(CACHED_PRINCIPAL_SECONDS_MAX))
            .build();
        Self {
            departments: Departments::new(book.clone()),
            book,
            cached,
        }
    }

    /// The principal that a token speaks for.
    ///
    /// # Errors
    /// 403 when the user is not registered or not active; what the book fails with.
    pub async fn of(&self, bearer: Bearer) -> Result<Arc<Principal>, Problem> {
        let standing = match self.cached.get(&bearer).await {
            Some(standing) => standing,
            None => {
                let standing = self.load(bearer).await?;
                self.cached.insert(bearer, standing.clone()).await;
                standing
            }
        };
        match standing {
            Standing::Good(principal) => Ok(principal),
            Standing::Unregistered => Err(Problem::new(
                problem::NOT_REGISTERED,
                "the user that the token names is not registered with its tenant",
            )),
            Standing::Inactive => Err(Problem::new(problem::INACTIVE, "this user is deactivated or erased")),
        }
    }

    /// Forgets everything: this process has just changed a user, a role or a department.
    pub fn forget(&self) {
        self.cached.invalidate_all();
        self.departments.forget();
    }

    /// Whether the department lies in the subtree of one of the principal's own.
    ///
    /// # Errors
    /// What the book fails with.
    pub async fn reaches(&self, principal: &Principal, department: Uuid) -> Result<bool, Problem> {
        if principal.sees_all_departments() {
            return Ok(true);
        }
        let line = self.departments.line(principal.tenant, department).await?;
        Ok(line.iter().any(|above| principal.departments.contains(above)))
    }

    async fn load(&self, bearer: Bearer) -> Result<Standing, BookError> {
        let Some(user) = self
            .book
            .fresh::<User>(bearer.tenant, &[bearer.user])
            .await?
            .pop()
            .flatten()
        else {
            return Ok(Standing::Unregistered);
        };
        if !user.is_active() {
            return Ok(Standing::Inactive);
        }
        let roles: Vec<Uuid> = user.roles().collect();
        let roles = self
            .book
            .fresh::<Role>(bearer.tenant, &roles)
            .await?
            .into_iter()
            .flatten()
            .collect();
        let departments = user.departments().collect();
        Ok(Standing::Good(Arc::new(Principal {
            tenant: bearer.tenant,
            user: bearer.user,
            roles,
            departments,
        })))
    }
}
