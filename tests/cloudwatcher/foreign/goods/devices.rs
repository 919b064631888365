//! Devices, what they asked for and what they were answered.

use serde_json::{Value, json};
use tests::Client;

use super::{DEVICE, Goods, NAME, Sent, done, event, text};

/// Requests to which nothing has happened.
pub(super) const REQUESTS: [&str; 3] = ["to begin", "to answer", "to fail"];
/// One that has a response.
pub(super) const ANSWERED: &str = "to deliver";

impl Goods {
    /// What a device sends.
    pub(super) fn request(&self) -> Value {
        let metadata = json!({"network_type": NAME});
        json!({"device_id": DEVICE, "request_type": "get_parts", "payload": {"for": NAME}, "metadata": metadata})
    }

    /// Requests at every stage, and a connection.
    pub(super) async fn answer_devices(&mut self, owner: &Client) {
        for kind in REQUESTS.into_iter().chain([ANSWERED]) {
            let mut body = self.request();
            body["payload"]["kind"] = json!(kind);
            done(owner, &self.path("requests", kind, "receive"), &body).await;
        }
        let respond = json!({"content": {"for": NAME}, "metadata": {"desk": NAME}});
        done(owner, &self.path("requests", ANSWERED, "respond"), &respond).await;
        done(owner, &self.path("requests", "requests", "respond"), &respond).await;
        let path = self.path("requests", "requests", "attach-file");
        let position = done(owner, &path, &file()).await;
        self.file = text(&event(owner, position).await["payload"]["file_id"]);
        let path = self.path("requests", "requests", "record-decision");
        done(owner, &path, &decision()).await;
        let path = self.path("device-connections", "device-connections", "connect");
        done(owner, &path, &connection()).await;
        let path = self.path("device-policies", "device-policies", "enter");
        done(owner, &path, &json!({})).await;
    }

    /// What devices and their servants do.
    pub(super) fn device_command(&self, plural: &str, command: &str) -> Option<Sent> {
        let none = || json!({});
        let (body, owner) = match (plural, command) {
            // Sent again with another body; the same would be answered what it was answered before.
            ("requests", "receive") => {
                let body = json!({"device_id": DEVICE, "request_type": "get_parts", "payload": {"for": NAME, "n": 2}});
                (body, 409)
            }
            ("requests", "release" | "take-over") => return Some((self.id("to begin"), none(), 200)),
            ("requests", "begin") => return Some((self.id("to begin"), none(), 200)),
            ("requests", "respond") => return Some((self.id("to answer"), json!({"content": {}}), 200)),
            ("requests", "fail") => return Some((self.id("to fail"), json!({"error": "no"}), 200)),
            ("requests", "deliver") => return Some((self.id(ANSWERED), none(), 200)),
            ("requests", "annotate") => (json!({"metadata": {"app_version": "2"}}), 200),
            ("requests", "attach-file") => (file(), 200),
            ("requests", "mark-file") => (json!({"file_id": self.file, "sync_status": "synced"}), 200),
            ("requests", "record-decision") => (decision(), 200),
            // Daybook's own business.
            ("requests", "lapse") => (none(), 403),
            ("requests", "archive") => (json!({"archive": "a", "sha256": "0".repeat(64)}), 403),
            ("device-connections", "connect") => (connection(), 422),
            ("device-connections", "disconnect") => (none(), 200),
            ("device-policies", "enter") => (none(), 422),
            ("device-policies", "amend") => (json!({"retention_days": 30}), 200),
            ("device-policies", "strike") => (none(), 200),
            _ => return None,
        };
        Some((self.id(plural), body, owner))
    }
}

fn file() -> Value {
    json!({"file_type": "request", "cloud_provider": "local", "cloud_path": format!("/{NAME}.jpg")})
}

fn decision() -> Value {
    json!({"agent_name": NAME, "decision_type": "routing", "decision_value": NAME, "confidence_score": 0.5})
}

pub(super) fn connection() -> Value {
    json!({"device_id": NAME, "connection_type": "polling"})
}
