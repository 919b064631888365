//! The permissions of the roles that document 001_eec75370b5eea864 names, fitting what it says of them.

use http::roles::Grants;

/// Manager, technician and viewer; the administrator may do everything anyway.
pub const GRANTS: &[Grants] = &[
    Grants {
        role: "manager",
        description: "Department management",
        does: &[
            "orders.approve",
            "cloudwatcher.approval.*",
            "cloudwatcher.delegation.*",
            "cloudwatcher.order.*",
            "cloudwatcher.request.*",
            "cloudwatcher.requests.unmasked",
            "cloudwatcher.device-connection.*",
            "cloudwatcher.location.*",
            "cloudwatcher.inventory.*",
            "audit.read",
        ],
        reads: true,
    },
    Grants {
        role: "technician",
        description: "Device operations",
        does: &[
            // All but to take a request from somebody who is on it.
            "cloudwatcher.request.receive",
            "cloudwatcher.request.begin",
            "cloudwatcher.request.release",
            "cloudwatcher.request.annotate",
            "cloudwatcher.request.respond",
            "cloudwatcher.request.fail",
            "cloudwatcher.request.deliver",
            "cloudwatcher.request.attach-file",
            "cloudwatcher.request.mark-file",
            "cloudwatcher.request.record-decision",
            "cloudwatcher.requests.unmasked",
            "cloudwatcher.device-connection.*",
            "cloudwatcher.order.*",
            "cloudwatcher.inventory.receive",
            "cloudwatcher.inventory.issue",
            "cloudwatcher.inventory.consume",
            "cloudwatcher.inventory.reserve",
            "cloudwatcher.inventory.shorten",
            "cloudwatcher.inventory.release",
            "cloudwatcher.inventory.count",
            "cloudwatcher.inventory.transfer-out",
            "cloudwatcher.inventory.transfer-in",
        ],
        reads: true,
    },
    Grants {
        role: "viewer",
        description: "Read-only access",
        does: &[],
        reads: true,
    },
];

#[cfg(test)]
mod tests;
