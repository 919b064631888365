//! The log as auditors read it: events, streams, states, causes. Permission `audit.read`.
//!
//! It shows a tenant's whole log to those who also see all departments. From others, the events of
//! streams that belong to a department outside theirs are withheld. Sealed fields are shown to those
//! with `personal.read` only.

pub mod causes;
pub mod events;
pub mod live;
pub mod log;
pub mod recent;
pub mod stream;
pub mod types;
pub mod view;
pub mod words;

use crate::app::App;
use crate::auth::Principal;
use crate::problem::Problem;

/// Needed for everything here.
pub const READ: &str = "audit.read";
/// Needed to see sealed fields and the addresses that commands came from.
pub const PERSONAL: &str = "personal.read";

/// A principal's sight of the log.
///
/// # Errors
/// 403 without `audit.read`.
pub fn sight(app: &App, by: &Principal) -> Result<view::Sight, Problem> {
    by.require(READ)?;
    Ok(view::Sight {
        personal: by.permits(PERSONAL),
        hidden: view::hidden(app.contexts.decisions(), |permission| by.permits(permission)),
        contexts: app.contexts.decisions().clone(),
    })
}
