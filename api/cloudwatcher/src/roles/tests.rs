use std::collections::BTreeSet;

use cloudwatcher::approval::route as approval;
use domain::Decider as _;
use identity::role::{Event, Grant, PERMISSION_CHARS_MAX};

use crate::tests::contexts;
use domain::Aggregate;
use http::auth::principal::ALL_DEPARTMENTS;
use http::roles::{Standard, standard};
use http::{admin, audit};
use identity::role::Role;
use uuid::Uuid;

fn named(name: &str) -> Standard {
    let standard = standard(&contexts());
    standard.into_iter().find(|role| role.name == name).unwrap()
}

/// The role as it is once defined.
fn defined(name: &str) -> Role {
    let grants = named(name).permissions.into_iter();
    let mut role = Role::default();
    role.evolve(&Event::RoleDefined {
        name: name.to_owned(),
        description: None,
        grants: grants
            .map(|permission| Grant {
                id: Uuid::now_v7(),
                permission,
            })
            .collect(),
    });
    role
}

/// The permission that each command needs.
fn commands() -> Vec<String> {
    let contexts = contexts();
    let of = |kind: &Aggregate| {
        let commands = contexts.commands(kind).iter();
        let permissions = commands.map(|command| format!("{}.{command}", kind.aggregate_type));
        permissions.collect::<Vec<_>>()
    };
    contexts.decisions().aggregates().flat_map(of).collect()
}

/// The permissions to see what is masked.
fn masks() -> Vec<String> {
    let contexts = contexts();
    let tables = contexts.tables().flat_map(|context| context.tables);
    let tables = tables.map(|projection| projection.table());
    let masked = tables.filter(|table| !table.masked.is_empty());
    masked.map(http::query::sees_masked).collect()
}

fn reads() -> Vec<String> {
    let contexts = contexts();
    let tables = contexts.tables().flat_map(|context| context.tables);
    tables
        .map(|projection| http::query::may_read(projection.table()))
        .collect()
}

#[test]
fn every_permission_of_a_standard_role_is_one_that_something_needs() {
    let words = [approval::PERMISSION, audit::READ].map(str::to_owned);
    let needed: Vec<_> = commands()
        .into_iter()
        .chain(reads())
        .chain(masks())
        .chain(words)
        .collect();
    for role in standard(&contexts()) {
        let permissions = &role.permissions;
        for permission in permissions {
            assert!(permission.len() <= PERMISSION_CHARS_MAX, "{permission}");
            let matches = |needed: &String| match permission.strip_suffix('*') {
                Some(prefix) => needed.starts_with(prefix),
                None => needed == permission,
            };
            assert!(needed.iter().any(matches), "{}: {permission}", role.name);
        }
        assert_eq!(
            permissions.iter().collect::<BTreeSet<_>>().len(),
            permissions.len(),
            "{}",
            role.name
        );
    }
}

#[test]
fn a_viewer_reads_every_table_and_commands_nothing() {
    let viewer = defined("viewer");
    assert!(reads().iter().all(|read| viewer.permits(read)));
    assert_eq!(commands().into_iter().find(|command| viewer.permits(command)), None);
}

#[test]
fn a_technician_works_with_devices_and_orders_and_decides_nothing() {
    let technician = defined("technician");
    assert!(reads().iter().all(|read| technician.permits(read)));
    for does in [
        "cloudwatcher.request.receive",
        "cloudwatcher.request.begin",
        "cloudwatcher.request.release",
        "cloudwatcher.request.respond",
        "cloudwatcher.order.draft",
        "cloudwatcher.order.receive",
        "cloudwatcher.device-connection.connect",
        "cloudwatcher.inventory.consume",
        "cloudwatcher.inventory.transfer-out",
    ] {
        assert!(technician.permits(does), "{does}");
    }
    for does_not in [
        "cloudwatcher.approval.approve",
        approval::PERMISSION,
        "cloudwatcher.request.take-over",
        "cloudwatcher.delegation.grant",
        "cloudwatcher.inventory.set-reorder",
        "cloudwatcher.location.enter",
        "cloudwatcher.device-policy.amend",
        audit::READ,
    ] {
        assert!(!technician.permits(does_not), "{does_not}");
    }
}

#[test]
fn whoever_answers_requests_reads_what_devices_say_and_nobody_else_does() {
    for role in standard(&contexts()) {
        let permits = |permission| defined(role.name).permits(permission);
        assert_eq!(
            permits("cloudwatcher.requests.unmasked"),
            permits("cloudwatcher.request.respond"),
            "{}",
            role.name
        );
    }
}

#[test]
fn a_manager_decides_and_no_role_but_the_administrators_reaches_beyond_departments() {
    let manager = defined("manager");
    for does in [
        approval::PERMISSION,
        "cloudwatcher.approval.approve",
        "cloudwatcher.delegation.grant",
        audit::READ,
    ] {
        assert!(manager.permits(does), "{does}");
    }
    for role in ["manager", "technician", "viewer"] {
        let role = defined(role);
        for whole in [
            ALL_DEPARTMENTS,
            admin::REBUILD,
            audit::PERSONAL,
            "cloudwatcher.users.unmasked",
        ] {
            assert!(!role.permits(whole), "{whole}");
        }
        // Whoever could command people and roles could make themselves administrator.
        let identity = commands()
            .into_iter()
            .find(|command| command.starts_with("identity.") && role.permits(command));
        assert_eq!(identity, None);
    }
    let admin = defined("admin");
    assert!(
        commands()
            .iter()
            .chain(&reads())
            .all(|permission| admin.permits(permission))
    );
}
