//! The prelude `identity` as it is served, beside its commands: what whoever operates Daybook does for tenants and their
//! administrators on the command line, and what is looked at before roles and people change.

pub mod admin;
pub mod checks;
pub mod keys;
pub mod operator;
pub mod tenant;
pub mod witnesses;

use http::Context;

/// The prelude as it is served. It has no tables of its own.
pub static CONTEXT: Context = Context {
    receivers: &[http::redaction::RECEIVER],
    checks: checks::CHECKS,
    witnesses: witnesses::WITNESSES,
    routes: keys::routes,
    paths: keys::paths,
    permissions: keys::PERMISSIONS,
    commands: &[tenant::TENANT, admin::ADMIN],
    prepare: tenant::tell,
    ..Context::of(&identity::CONTEXT, None)
};
