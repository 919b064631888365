//! Who works here, what they may do and where they belong.

use chrono::{DateTime, Utc};
use domain::{AnyEvent, Recorded, Sealed};
use identity::sign_in::{self, SignIns};
use identity::user::{Event, User};
use uuid::Uuid;

use projections::fold::{FoldError, Project, actor, existing};
use projections::row;
use projections::table::Scope;

row! {
    /// A person who uses Daybook. An erased person's row stays, and says no more who it was.
    UserRow = cloudwatcher.users
    key {
        /// The user's id.
        id: Uuid,
    }
    columns {
        /// The address for signing in; unique without regard to case.
        email: String,
        /// What the person is called.
        name: String,
        /// Where the person signs in: `azure-ad`, `google`, `local`.
        oauth_provider: Option<String>,
        /// The person's id at that provider.
        oauth_id: Option<String>,
        /// Whether the person may sign in.
        is_active: bool,
        /// When the person last signed in.
        last_login: Option<DateTime<Utc>>,
        /// When the person was registered.
        created_at: DateTime<Utc>,
        /// When the row last changed; signing in does not count.
        updated_at: DateTime<Utc>,
    }
    generated {}
    find { id, email, name, oauth_id, is_active, created_at }
    scope { Scope::Tenant }
    masked { email, oauth_id }
    personal { email, name, oauth_id }
}

// Not OWNED: the first of a person's sign-ins meets the row that the stream of the user has made.
impl Project for UserRow {
    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        if let Some(sign_in::Event::SignedIn {}) = recorded.of::<SignIns>() {
            return vec![recorded.stream];
        }
        let Some(event) = recorded.of::<User>() else {
            return Vec::new();
        };
        match event {
            Event::UserRoleAssigned { .. }
            | Event::UserRoleUnassigned { .. }
            | Event::UserDepartmentJoined { .. }
            | Event::UserDepartmentLeft { .. } => Vec::new(),
            _ => vec![recorded.stream],
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        if let Some(sign_in::Event::SignedIn {}) = recorded.of::<SignIns>() {
            return existing(row).map(|row| Some(row.signed_in(recorded)));
        }
        let Some(event) = recorded.of::<User>() else {
            return Ok(row);
        };
        let updated_at = recorded.at;
        Ok(Some(match event {
            Event::UserRegistered {
                email,
                name,
                oauth_provider,
                oauth_id,
            } => Self {
                tenant_id: recorded.tenant_id,
                position: recorded.position,
                id,
                email: email.open().cloned().unwrap_or_else(|| erased_email(id)),
                name: opened_name(name),
                oauth_provider: oauth_provider.clone(),
                oauth_id: oauth_id.as_ref().and_then(Sealed::open).cloned(),
                is_active: true,
                last_login: None,
                created_at: recorded.at,
                updated_at,
            },
            Event::UserRenamed { name } => Self {
                name: opened_name(name),
                updated_at,
                ..existing(row)?
            },
            Event::UserEmailChanged { email } => {
                let email = email.open().cloned().unwrap_or_else(|| erased_email(id));
                Self {
                    email,
                    updated_at,
                    ..existing(row)?
                }
            }
            Event::UserDeactivated {} => Self {
                is_active: false,
                updated_at,
                ..existing(row)?
            },
            Event::UserReactivated {} => Self {
                is_active: true,
                updated_at,
                ..existing(row)?
            },
            Event::UserSignedIn {} => existing(row)?.signed_in(recorded),
            // The same as folding the earlier events after the key is gone, so that a rebuild agrees.
            Event::UserErased { .. } => Self {
                email: erased_email(id),
                name: ERASED_NAME.to_owned(),
                oauth_provider: None,
                oauth_id: None,
                is_active: false,
                last_login: None,
                updated_at,
                ..existing(row)?
            },
            Event::UserRoleAssigned { .. }
            | Event::UserRoleUnassigned { .. }
            | Event::UserDepartmentJoined { .. }
            | Event::UserDepartmentLeft { .. } => return Ok(row),
        }))
    }
}

impl UserRow {
    /// The row of the user once they signed in. It comes to the same in whatever order the two streams that tell of
    /// sign-ins are posted: one of them may have been parked, even until the person was erased.
    fn signed_in(self, recorded: &Recorded<AnyEvent>) -> Self {
        let is_erased = !self.is_active && self.email == erased_email(self.id);
        if is_erased {
            return self;
        }
        Self {
            last_login: self.last_login.max(Some(recorded.at)),
            ..self
        }
    }
}

const ERASED_NAME: &str = "erased";

/// Unlike any address in use, and unlike any other erased person's.
fn erased_email(id: Uuid) -> String {
    format!("erased-{id}@invalid")
}

fn opened_name(name: &Sealed<String>) -> String {
    name.open().map_or(ERASED_NAME, String::as_str).to_owned()
}

row! {
    /// A role that a user has.
    UserRoleRow = cloudwatcher.user_roles
    key {
        /// The assignment's id.
        id: Uuid,
    }
    columns {
        /// The user who has the role.
        user_id: Uuid,
        /// The role.
        role_id: Uuid,
        /// When it was assigned.
        assigned_at: DateTime<Utc>,
        /// The user who assigned it; null when Daybook itself did.
        assigned_by: Option<Uuid>,
    }
    generated {}
    find { id, user_id, role_id, assigned_by, assigned_at }
    scope { Scope::Tenant }
    masked {}
}

impl Project for UserRoleRow {
    const OWNED: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        match recorded.of::<User>() {
            Some(Event::UserRoleAssigned { assignment_id, .. } | Event::UserRoleUnassigned { assignment_id, .. }) => {
                vec![*assignment_id]
            }
            Some(Event::UserErased { unassigned, .. }) => unassigned.clone(),
            _ => Vec::new(),
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(event) = recorded.of::<User>() else {
            return Ok(row);
        };
        Ok(match event {
            Event::UserRoleAssigned { role_id, .. } => Some(Self {
                tenant_id: recorded.tenant_id,
                position: recorded.position,
                id,
                user_id: recorded.stream,
                role_id: *role_id,
                assigned_at: recorded.at,
                assigned_by: actor(recorded),
            }),
            Event::UserRoleUnassigned { .. } | Event::UserErased { .. } => existing(row).map(|_| None)?,
            _ => row,
        })
    }
}

row! {
    /// A department that a user belongs to, and with it all departments below.
    UserDepartmentRow = cloudwatcher.user_departments
    key {
        /// The membership's id.
        id: Uuid,
    }
    columns {
        /// The user.
        user_id: Uuid,
        /// The department.
        dept_id: Uuid,
        /// When the user joined.
        assigned_at: DateTime<Utc>,
    }
    generated {}
    find { id, user_id, dept_id, assigned_at }
    scope { Scope::Tenant }
    masked {}
}

impl Project for UserDepartmentRow {
    const OWNED: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        match recorded.of::<User>() {
            Some(
                Event::UserDepartmentJoined { assignment_id, .. } | Event::UserDepartmentLeft { assignment_id, .. },
            ) => vec![*assignment_id],
            Some(Event::UserErased { left, .. }) => left.clone(),
            _ => Vec::new(),
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(event) = recorded.of::<User>() else {
            return Ok(row);
        };
        Ok(match event {
            Event::UserDepartmentJoined { department_id, .. } => Some(Self {
                tenant_id: recorded.tenant_id,
                position: recorded.position,
                id,
                user_id: recorded.stream,
                dept_id: *department_id,
                assigned_at: recorded.at,
            }),
            Event::UserDepartmentLeft { .. } | Event::UserErased { .. } => existing(row).map(|_| None)?,
            _ => row,
        })
    }
}
