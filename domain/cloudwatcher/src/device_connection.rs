//! One connection of a device, from connect to disconnect. Feeds `device_connections` of document
//! 001_eec75370b5eea864.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::VariantNames;
use uuid::Uuid;

use super::ConnectionType;
use super::request::DEVICE_ID_CHARS_MAX;
use domain::text::{self, Unfit};
use domain::{Asker, Asking, Class, Decider, FactRef, Refuse, Request, stored_by_variant};
use identity::user::User;

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<DeviceConnection>("device-connections");

/// The life of a connection.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum DeviceConnection {
    #[default]
    Unborn,
    Connected {
        connected_at: DateTime<Utc>,
    },
    Disconnected,
}

/// What can be asked of a connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Says that a device has connected.
    Connect {
        /// The device: `truck-001`. At most 50 characters.
        #[schemars(length(min = 1, max = DEVICE_ID_CHARS_MAX))]
        device_id: String,
        /// The user of the device, an active user; nobody in particular when absent.
        #[serde(default)]
        user_id: Option<Uuid>,
        /// The way in which it is connected.
        connection_type: ConnectionType,
        /// The address that it connects from, IPv4 or IPv6.
        #[serde(default)]
        #[schemars(with = "Option<String>")]
        ip_address: Option<IpAddr>,
        /// Since when, in the years 2000 to 9999; now when absent.
        #[serde(default)]
        connected_at: Option<DateTime<Utc>>,
    },
    /// Says that the connection has ended; nothing happens when it had ended already.
    Disconnect {
        /// Since when, in the years 2000 to 9999; now when absent.
        #[serde(default)]
        disconnected_at: Option<DateTime<Utc>>,
    },
}

// Stored for ever. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, strum::IntoStaticStr, strum::VariantNames,
)]
pub enum Event {
    DeviceConnected {
        device_id: String,
        #[serde(default)]
        user_id: Option<Uuid>,
        connection_type: ConnectionType,
        #[serde(default)]
        ip_address: Option<IpAddr>,
        connected_at: DateTime<Utc>,
    },
    DeviceDisconnected {
        disconnected_at: DateTime<Utc>,
        /// Whole seconds from connect to disconnect; 0 where the clocks that told them disagree.
        session_duration_seconds: i32,
    },
}

stored_by_variant!(Event);

impl domain::Event for Event {}

/// Why a command to a connection is refused.
// The names of its variants are those of the rules, which clients know.
#[derive(Debug, Clone, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Refusal {
    #[error("there is no such connection; connect first")]
    NotConnected,
    #[error("this connection was told of already; tell of a new one under its own id")]
    AlreadyConnected,
    #[error("user_id names no active user; choose another or leave it out")]
    NotActive,
    #[error("{field} {unfit}")]
    Unfit { field: &'static str, unfit: Unfit },
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        match self {
            Self::NotConnected => Class::Missing,
            Self::AlreadyConnected | Self::NotActive | Self::Unfit { .. } => Class::Refused,
        }
    }
    fn rule(&self) -> &'static str {
        self.into()
    }
    fn rules() -> Vec<&'static str> {
        <Self as VariantNames>::VARIANTS.to_vec()
    }
    fn field(&self) -> Option<String> {
        match self {
            Self::NotConnected | Self::AlreadyConnected => None,
            Self::NotActive => Some("user_id".to_owned()),
            Self::Unfit { field, .. } => Some((*field).to_owned()),
        }
    }
}

impl Decider for DeviceConnection {
    const TYPE: &'static str = "cloudwatcher.device-connection";
    const CREATES: &'static str = "connect";
    const ADDRESSES: &'static [&'static str] = &["ip_address"];
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        let unfit = |field| move |unfit| Refusal::Unfit { field, unfit };
        Ok(vec![match (self, request.command) {
            (
                Self::Unborn,
                Command::Connect {
                    device_id,
                    user_id,
                    connection_type,
                    ip_address,
                    connected_at,
                },
            ) => {
                text::required(device_id, DEVICE_ID_CHARS_MAX).map_err(unfit("device_id"))?;
                let connected_at = connected_at.unwrap_or(request.at);
                text::moment(connected_at).map_err(unfit("connected_at"))?;
                let user = user_id.map(|id| request.facts.get::<User>(id));
                if user.is_some_and(|user| !user.is_some_and(User::is_active)) {
                    return Err(Refusal::NotActive);
                }
                Event::DeviceConnected {
                    device_id: device_id.clone(),
                    user_id: *user_id,
                    connection_type: *connection_type,
                    ip_address: *ip_address,
                    connected_at,
                }
            }
            (Self::Connected { .. } | Self::Disconnected, Command::Connect { .. }) => {
                return Err(Refusal::AlreadyConnected);
            }

            (Self::Unborn, Command::Disconnect { .. }) => return Err(Refusal::NotConnected),
            (Self::Connected { connected_at }, Command::Disconnect { disconnected_at }) => {
                let disconnected_at = disconnected_at.unwrap_or(request.at);
                text::moment(disconnected_at).map_err(unfit("disconnected_at"))?;
                Event::DeviceDisconnected {
                    disconnected_at,
                    session_duration_seconds: seconds_between(*connected_at, disconnected_at),
                }
            }
            (Self::Disconnected, Command::Disconnect { .. }) => return Ok(Vec::new()),
        }])
    }

    fn evolve(&mut self, event: &Event) {
        *self = match event {
            Event::DeviceConnected { connected_at, .. } => Self::Connected {
                connected_at: *connected_at,
            },
            Event::DeviceDisconnected { .. } => Self::Disconnected,
        };
    }

    fn reads(&self, asking: &Asking<'_, Command>) -> Vec<FactRef> {
        match asking.command {
            Command::Connect { user_id, .. } => user_id.iter().map(|&id| FactRef::of::<User>(id)).collect(),
            _ => Vec::new(),
        }
    }

    fn offers(&self, command: &str, _stream: Uuid, _asker: &Asker) -> Result<(), Refusal> {
        match (self, command) {
            (Self::Unborn, "connect") => Ok(()),
            (Self::Unborn, _) => Err(Refusal::NotConnected),
            (Self::Connected { .. } | Self::Disconnected, "connect") => Err(Refusal::AlreadyConnected),
            _ => Ok(()),
        }
    }
}

/// Never negative, and never more than the column can hold: one clock may tell of the beginning and another
/// of the end, and a clock may be set.
fn seconds_between(connected_at: DateTime<Utc>, disconnected_at: DateTime<Utc>) -> i32 {
    let seconds = (disconnected_at - connected_at).num_seconds().max(0);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
