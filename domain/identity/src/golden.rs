//! The files in `golden` and the story that makes them: who comes to a small company, and who goes.

use chrono::{DateTime, Utc};
use domain::register::Register;
use domain::{Contexts, SYSTEM};
use rehearsal::chronicle::{TENANT, id};
use rehearsal::{Chronicle, History};
use serde_json::json;
use uuid::Uuid;

use crate::CONTEXT;
use crate::department::Department;
use crate::key::Key;
use crate::redaction::{Redaction, Text};
use crate::role::Role;
use crate::sign_in::SignIns;
use crate::tenant::Tenant;
use crate::user::{self, User};

rehearsal::rules!(CONTEXT, story);

/// 2026-01-05T07:00:00Z, a Monday.
const MORNING: DateTime<Utc> = DateTime::from_timestamp_nanos(1_767_596_400_000_000_000);

const ADA: Uuid = id(1, 1);
const BEN: Uuid = id(1, 2);
const CLEO: Uuid = id(1, 3);
const ROBOT: Uuid = id(1, 4);
const ADMIN: Uuid = id(2, 1);
const CLERK: Uuid = id(2, 2);
const TEMP: Uuid = id(2, 3);
const COMPANY: Uuid = id(3, 1);
const OFFICE: Uuid = id(3, 2);
const KIOSK: Uuid = id(3, 3);
const KEY: Uuid = id(4, 1);

/// The golden history, decided anew.
fn story() -> History {
    let contexts = Contexts::new(&[&CONTEXT]).unwrap();
    let mut chronicle = Chronicle::new(contexts, ADA, MORNING);
    people(&mut chronicle);
    roles(&mut chronicle);
    departments(&mut chronicle);
    farewells(&mut chronicle);
    keys(&mut chronicle);
    tenancy(&mut chronicle);
    redactions(&mut chronicle);
    chronicle.ended()
}

/// Ada comes first and signs in; then Ben, who goes by another name and address later, and Cleo.
fn people(chronicle: &mut Chronicle) {
    chronicle
        .send::<User>(
            ADA,
            json!({"register": {"email": "Ada@example.com", "name": "Ada", "oauth_provider": "google", "oauth_id": "42"}}),
        )
        .send::<Role>(ADMIN, json!({"define": {"name": "Admin", "description": "Everything", "permissions": ["*"]}}))
        .send::<User>(ADA, json!({"assign-role": {"role_id": ADMIN}}))
        .wrote::<User>(ADA, &user::Event::UserSignedIn {})
        .send::<SignIns>(ADA, json!({"record": {}}))
        .send::<User>(BEN, json!({"register": {"email": "ben@example.com", "name": "Ben"}}))
        .send::<User>(
            CLEO,
            json!({"register": {"email": "cleo@example.com", "name": "Cleo", "oauth_provider": "local"}}),
        )
        .send::<User>(BEN, json!({"rename": {"name": "Benedict"}}))
        .send::<User>(BEN, json!({"change-email": {"email": "benedict@example.com"}}))
        .by(BEN)
        .later(1)
        .send::<SignIns>(BEN, json!({"record": {}}))
        .by(ADA);
}

fn roles(chronicle: &mut Chronicle) {
    chronicle
        .send::<Role>(
            CLERK,
            json!({"define": {"name": "Clerk", "permissions": ["audit.read"]}}),
        )
        .send::<Role>(CLERK, json!({"grant": {"permission": "identity.user.*"}}))
        .send::<Role>(CLERK, json!({"revoke": {"permission": "audit.read"}}))
        .send::<Role>(
            CLERK,
            json!({"describe": {"name": "Registrar", "description": "Knows everybody"}}),
        )
        .send::<Role>(TEMP, json!({"define": {"name": "Temp", "permissions": []}}))
        .send::<User>(BEN, json!({"assign-role": {"role_id": CLERK}}))
        .send::<User>(CLEO, json!({"assign-role": {"role_id": TEMP}}))
        .send::<User>(CLEO, json!({"assign-role": {"role_id": CLERK}}))
        .send::<User>(CLEO, json!({"unassign-role": {"role_id": CLERK}}));
}

fn departments(chronicle: &mut Chronicle) {
    chronicle
        .send::<Register<Department>>(COMPANY, json!({"enter": {"name": "Company", "manager_id": ADA}}))
        .send::<Register<Department>>(OFFICE, json!({"enter": {"name": "Office", "parent_id": COMPANY}}))
        .send::<Register<Department>>(KIOSK, json!({"enter": {"name": "Kiosk", "parent_id": OFFICE}}))
        .send::<Register<Department>>(
            OFFICE,
            json!({"amend": {"name": "Head office", "parent_id": COMPANY, "description": "Papers", "manager_id": BEN}}),
        )
        .send::<User>(BEN, json!({"join-department": {"department_id": OFFICE}}))
        .send::<User>(CLEO, json!({"join-department": {"department_id": OFFICE}}))
        .send::<User>(CLEO, json!({"join-department": {"department_id": KIOSK}}))
        .send::<User>(CLEO, json!({"leave-department": {"department_id": OFFICE}}))
        .send::<Register<Department>>(KIOSK, json!({"strike": {}}));
}

/// Why Cleo went is nobody's business any more.
fn redactions(chronicle: &mut Chronicle) {
    let reason = Text {
        aggregate_type: "identity.user".to_owned(),
        stream: CLEO,
        sequence: 8,
        field: "@reason".to_owned(),
    };
    chronicle.send_because::<Redaction>(reason.id(), json!({ "redact": reason }), "it tells more than it should");
}

/// Ben goes and comes back; Cleo goes for good, with a role and a department that end with her.
fn farewells(chronicle: &mut Chronicle) {
    chronicle
        .send::<User>(BEN, json!({"deactivate": {}}))
        .later(24)
        .send::<User>(BEN, json!({"reactivate": {}}))
        .send::<Role>(TEMP, json!({"retire": {}}))
        .send_because::<User>(CLEO, json!({"erase": {}}), "she asked for it");
}

/// A service comes that signs in with a key, uses it, and loses it.
fn keys(chronicle: &mut Chronicle) {
    let robot = json!({"email": "robot@example.com", "name": "Robot", "oauth_provider": "service"});
    chronicle.send::<User>(ROBOT, json!({"register": robot})).by(SYSTEM);
    let expires_at = chronicle.next() + chrono::TimeDelta::days(365);
    let issue = json!({
        "name": "Robot's", "user_id": ROBOT, "digest": "5eed".repeat(16), "device_id": "robot-1",
        "expires_at": expires_at, "issued_by": ADA,
    });
    chronicle
        .send::<Key>(KEY, json!({"issue": issue}))
        .send::<Key>(KEY, json!({"note-use": {}}))
        .by(ADA)
        .send::<Key>(KEY, json!({"revoke": {}}));
}

/// The tenant gets a stream of its own, as those do that were there before tenants had any. It stops, goes on, and ends.
fn tenancy(chronicle: &mut Chronicle) {
    chronicle
        .by(SYSTEM)
        .send::<Tenant>(TENANT, json!({"create": {"name": "A small company"}}))
        .send::<Tenant>(TENANT, json!({"rename": {"name": "A company"}}))
        .send_because::<Tenant>(TENANT, json!({"suspend": {}}), "it does not pay")
        .later(24)
        .send::<Tenant>(TENANT, json!({"resume": {}}))
        .later(24)
        .send::<Tenant>(TENANT, json!({"suspend": {}}))
        .send::<Tenant>(TENANT, json!({"delete": {}}));
}
