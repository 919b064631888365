//! Who works there and what they may do.

use domain::SYSTEM;
use domain::register::Register;
use identity::department::Department;
use identity::role::Role;
use identity::sign_in::SignIns;
use identity::tenant::Tenant;
use identity::user::{Event as UserEvent, User};
use rehearsal::Chronicle;
use rehearsal::chronicle::{TENANT, id};
use serde_json::{Value, json};
use uuid::Uuid;

use super::story::{ADA, BEN, CLEO, DORA};
use crate::member::Member;
use crate::member::holders::Holders;

const ADMIN: Uuid = id(2, 1);
const ON_CALL: Uuid = id(2, 2);
const READER: Uuid = id(2, 3);
const OPERATIONS: Uuid = id(3, 1);

pub(super) fn people(chronicle: &mut Chronicle) {
    chronicle
        .by(SYSTEM)
        .send::<Tenant>(TENANT, json!({"create": {"name": "Shop"}}))
        .send::<Tenant>(TENANT, json!({"rename": {"name": "Example Shop"}}))
        .by(ADA)
        .send::<User>(ADA, registered("ada@example.com", "Ada"))
        .send::<Role>(ADMIN, defined("Admin", &["*"]))
        .send::<Role>(
            ON_CALL,
            defined("On call", &["dod.alert.*", "dod.issue.*", "dod.message.*"]),
        )
        .send::<Role>(READER, defined("Reader", &["dod.alert.read"]));
    has(chronicle, ADA, ADMIN).send::<Member>(ADA, json!({"assess": {}}));
    chronicle
        .by(ADA)
        .wrote::<User>(ADA, &UserEvent::UserSignedIn {})
        .send::<SignIns>(ADA, json!({"record": {}}))
        .send::<Register<Department>>(OPERATIONS, json!({"enter": {"name": "Operations"}}))
        .send::<User>(ADA, json!({"join-department": {"department_id": OPERATIONS}}))
        .send::<User>(ADA, json!({"leave-department": {"department_id": OPERATIONS}}))
        .send::<User>(BEN, registered("ben@example.com", "Ben"))
        .send::<User>(CLEO, registered("cleo@example.com", "Cleo"))
        .send::<User>(DORA, registered("dora@example.com", "Dora"))
        .send::<User>(BEN, json!({"rename": {"name": "Benedict"}}))
        .send::<User>(BEN, json!({"change-email": {"email": "benedict@example.com"}}));
    has(chronicle, BEN, ON_CALL).send::<Member>(BEN, json!({"assess": {}}));
    // What they may do so far is what everybody may.
    has(chronicle, CLEO, READER);
    has(chronicle, DORA, READER);
    for permission in ["dod.alert.*", "dod.issue.*"] {
        chronicle
            .by(ADA)
            .send::<Role>(READER, json!({"grant": {"permission": permission}}))
            .by(SYSTEM)
            .send::<Holders>(READER, json!({"look-again": {}}));
    }
    chronicle
        .send::<Member>(CLEO, json!({"assess": {}}))
        .send::<Member>(DORA, json!({"assess": {}}))
        .by(BEN)
        .send::<SignIns>(BEN, json!({"record": {}}));
}

pub(super) fn farewells(chronicle: &mut Chronicle) {
    chronicle
        .by(ADA)
        .send::<User>(CLEO, json!({"unassign-role": {"role_id": READER}}))
        .by(SYSTEM)
        .send::<Holders>(READER, json!({"remove": {"user_id": CLEO}}))
        .send::<Member>(CLEO, json!({"assess": {}}))
        .by(ADA)
        .send::<User>(CLEO, json!({"deactivate": {}}))
        .send::<User>(CLEO, json!({"reactivate": {}}))
        .send::<User>(CLEO, json!({"deactivate": {}}))
        .send::<User>(DORA, json!({"erase": {}}))
        .by(SYSTEM)
        .send::<Member>(DORA, json!({"assess": {}}))
        .by(ADA)
        .send::<Role>(READER, json!({"retire": {}}))
        .by(SYSTEM)
        .send::<Holders>(READER, json!({"look-again": {}}))
        .by(BEN)
        .send::<SignIns>(BEN, json!({"record": {}}));
}

/// The shop closes for a while, and then for good.
pub(super) fn closing(chronicle: &mut Chronicle) {
    chronicle
        .by(SYSTEM)
        .send::<Tenant>(TENANT, json!({"suspend": {}}))
        .send::<Tenant>(TENANT, json!({"resume": {}}))
        .send::<Tenant>(TENANT, json!({"suspend": {}}))
        .send::<Tenant>(TENANT, json!({"delete": {}}));
}

/// Somebody is given a role, and Daybook notes that they have it.
fn has(chronicle: &mut Chronicle, user_id: Uuid, role_id: Uuid) -> &mut Chronicle {
    chronicle
        .by(ADA)
        .send::<User>(user_id, json!({"assign-role": {"role_id": role_id}}))
        .by(SYSTEM)
        .send::<Holders>(role_id, json!({"add": {"user_id": user_id}}))
}

fn registered(email: &str, name: &str) -> Value {
    json!({"register": {"email": email, "name": name, "oauth_provider": "local"}})
}

fn defined(name: &str, permissions: &[&str]) -> Value {
    json!({"define": {"name": name, "permissions": permissions}})
}
