//! The files in `golden` and the story that makes them: one day of a small company, its people first.

mod approvals;
mod devices;
mod fulfilment;
pub(crate) mod history;
mod stock;
mod transfers;

use crate::CONTEXT;

rehearsal::rules!(CONTEXT, history::story);
