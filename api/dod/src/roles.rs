//! What standard roles may do in this context.

use http::roles::Grants;

/// Members and viewers, as the document has them; the administrator may do everything anyway.
pub const GRANTS: &[Grants] = &[
    Grants {
        role: "member",
        description: "Alerts, issues, and what is known of solving them",
        does: &[
            "dod.alert.*",
            "dod.issue.*",
            "dod.message.send-again",
            "dod.delivery.parse-again",
            "dod.skill.*",
            "dod.tool.*",
            "dod.binding.*",
            "dod.silence.*",
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
