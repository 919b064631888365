//! The commands that Daybook sends by itself: from a body that came in to an issue, to whoever is told of it, and to what
//! people may do.

mod alerts;
mod escalations;
mod heartbeats;
mod intake;
mod members;
mod messages;

pub use alerts::Alerts;
pub use escalations::Escalations;
pub use heartbeats::Heartbeats;
pub use intake::Intake;
pub use members::Members;
pub use messages::Messages;

#[cfg(test)]
mod tests;
