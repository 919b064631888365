//! What senders of alerts send, and what is meant by it. Pure: no clock, no network, no randomness.
//!
//! A delivery is a body with a few headers. `recognise` finds out whose format it is and tells, per alert, one
//! `Observation`; what it leaves out or mends it says in a `Note`, so that no body ends with nothing told.

mod content;
mod recognise;
mod rules;

pub mod alertmanager;
mod cloudevents;
mod cloudwatch;
pub mod datadog;
mod generic;
mod grafana;
pub mod mapping;
mod opsgenie;
pub mod pagerduty;
mod sentry;
mod zabbix;

pub mod observation;

mod bounds;
mod digest;
mod draft;
mod json;
mod moment;
mod note;
mod words;

pub mod samples;
pub mod signature;
pub mod sns;

#[cfg(test)]
mod tests;

pub use alertmanager::fingerprint;
pub use content::{Delivered, KEPT_HEADERS, Kind, Unreadable, kind};
pub use mapping::Mapping;
pub use note::{Note, NoteKind};
pub use observation::{Link, Observation, Severity, Signal};
pub use recognise::{ALERTS_MAX, Recognised, recognise};
pub use rules::{Format, Rules};
pub use sns::Subscription;
