//! Who works here, and what they may do in this context.

use chrono::{DateTime, Utc};
use dod::member::{self, Member, MemberRole};
use domain::{AnyEvent, Recorded, Sealed};
use identity::sign_in::{self, SignIns};
use identity::user::{Event, User};
use uuid::Uuid;

use projections::cell::Word;
use projections::fold::{FoldError, Project, existing};
use projections::row;
use projections::table::Scope;

use crate::standing::Standing;

row! {
    /// A person who uses Daybook. An erased person's row stays, and says no more who it was.
    UserRow = dod.users
    key {
        /// The user's id.
        id: Uuid,
    }
    columns {
        /// The address for signing in; unique without regard to case.
        email: String,
        /// What the person is called.
        name: Option<String>,
        /// A picture of the person; nobody tells Daybook of one.
        avatar_url: Option<String>,
        /// What they may do here, by the permissions of their roles: `admin`, `member`, `viewer`.
        role: Word<MemberRole>,
        /// Whether they may sign in: `active`, `inactive`.
        status: Word<Standing>,
        /// When the person last signed in.
        last_sign_in_at: Option<DateTime<Utc>>,
        /// When the person was registered.
        created_at: DateTime<Utc>,
        /// When the row last changed; signing in does not count.
        updated_at: DateTime<Utc>,
    }
    generated {}
    find { id, email, name, role, status, created_at }
    scope { Scope::Tenant }
    masked { email }
    personal { email, name }
}

// Not OWNED: sign-ins and roles meet the row that the stream of the user has made.
impl Project for UserRow {
    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        let is_beside = recorded.of::<SignIns>().is_some() || recorded.of::<Member>().is_some();
        if is_beside {
            return vec![recorded.stream];
        }
        match recorded.of::<User>() {
            Some(
                Event::UserRoleAssigned { .. }
                | Event::UserRoleUnassigned { .. }
                | Event::UserDepartmentJoined { .. }
                | Event::UserDepartmentLeft { .. },
            )
            | None => Vec::new(),
            Some(_) => vec![recorded.stream],
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        if let Some(sign_in::Event::SignedIn {}) = recorded.of::<SignIns>() {
            return existing(row).map(|row| Some(row.signed_in(recorded)));
        }
        let updated_at = recorded.at;
        if let Some(member::Event::MemberRoleFound { role }) = recorded.of::<Member>() {
            let role = Word(*role);
            return Ok(Some(Self {
                role,
                updated_at,
                ..existing(row)?
            }));
        }
        let Some(event) = recorded.of::<User>() else {
            return Ok(row);
        };
        Ok(Some(match event {
            Event::UserRegistered { email, name, .. } => Self {
                tenant_id: recorded.tenant_id,
                position: recorded.position,
                id,
                email: opened_email(id, email),
                name: Some(opened_name(name)),
                avatar_url: None,
                role: Word(MemberRole::default()),
                status: Word(Standing::Active),
                last_sign_in_at: None,
                created_at: recorded.at,
                updated_at,
            },
            Event::UserRenamed { name } => Self {
                name: Some(opened_name(name)),
                updated_at,
                ..existing(row)?
            },
            Event::UserEmailChanged { email } => Self {
                email: opened_email(id, email),
                updated_at,
                ..existing(row)?
            },
            Event::UserDeactivated {} => Self {
                status: Word(Standing::Inactive),
                updated_at,
                ..existing(row)?
            },
            Event::UserReactivated {} => Self {
                status: Word(Standing::Active),
                updated_at,
                ..existing(row)?
            },
            Event::UserSignedIn {} => existing(row)?.signed_in(recorded),
            // The same as folding the earlier events after the key is gone, so that a rebuild agrees.
            Event::UserErased { .. } => Self {
                email: erased_email(id),
                name: Some(ERASED_NAME.to_owned()),
                status: Word(Standing::Inactive),
                last_sign_in_at: None,
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
        let is_erased = self.status.0 == Standing::Inactive && self.email == erased_email(self.id);
        if is_erased {
            return self;
        }
        Self {
            last_sign_in_at: self.last_sign_in_at.max(Some(recorded.at)),
            ..self
        }
    }
}

const ERASED_NAME: &str = "erased";

/// Unlike any address in use, and unlike any other erased person's.
fn erased_email(id: Uuid) -> String {
    format!("erased-{id}@invalid")
}

fn opened_email(id: Uuid, email: &Sealed<String>) -> String {
    email.open().cloned().unwrap_or_else(|| erased_email(id))
}

fn opened_name(name: &Sealed<String>) -> String {
    name.open().map_or(ERASED_NAME, String::as_str).to_owned()
}
