//! What senders of alerts send, and what is meant by it. Pure.

pub mod observation;

pub use observation::{Link, Observation, Severity, Signal};
