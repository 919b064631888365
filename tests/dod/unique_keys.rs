//! Every unique key of the tables is guarded in the domain.

use chrono::Utc;
use dod::alert::Alert;
use dod::configuration::Configuration;
use dod::issue::Issue;
use dod::receiver::Receiver;
use dod::source::Source;
use dod::tool::Tool;
use domain::register::Register;
use domain::setting::SealedSetting;
use identity::user::User;
use serde_json::json;
use tests::{Ledger, unique};
use uuid::Uuid;

#[tokio::test]
async fn every_unique_key_of_a_read_table_has_a_claim() {
    let ledger = Ledger::open().await;
    let [source, receiver, configuration, tool, alert, issue] = std::array::from_fn(|_| Uuid::now_v7());
    macro_rules! does {
        ($decider:ty, $stream:expr, $($command:tt)+) => {
            ledger.does::<$decider>($stream, serde_json::from_value(json!($($command)+)).unwrap()).await
        };
    }
    macro_rules! does_itself {
        ($decider:ty, $stream:expr, $($command:tt)+) => {
            ledger.does_itself::<$decider>($stream, serde_json::from_value(json!($($command)+)).unwrap()).await
        };
    }
    // Of the form of a secret alone: nothing opens it here.
    let sealed = SealedSetting {
        key: Uuid::now_v7(),
        fingerprint: "00000001",
        cipher: &"A".repeat(40),
    }
    .to_string();
    does!(User, ledger.actor, {"register": {"name": "Ada", "email": "ada@example.com"}});
    does!(Source, source, {"enter": {"name": "prometheus"}});
    does!(Register<Receiver>, receiver, {"enter": {"name": "Ops", "receiver_im": "ops", "im_type": "slack",
        "webhook_url": sealed, "webhook_host": "https://hooks.slack.com"}});
    does!(Register<Configuration>, configuration, {"enter": {"config_type": "general", "config_key": "token", "config_value": sealed}});
    does!(Register<Tool>, tool, {"enter": {"name": "metrics", "type": "mcp",
        "config": {"kind": "http", "base_url": "https://metrics.example.com", "read_only": true}}});
    does_itself!(Alert, alert, {"open": {"signal_id": Uuid::now_v7(), "source_id": source, "delivery_id": Uuid::now_v7(),
        "brief": {"source": "prometheus", "alert_type": "DiskFull", "severity": "high", "title": "Disk is full",
            "description": null, "labels": {}, "receiver_im": null, "is_flapping": false, "received_at": Utc::now()},
        "original_severity": null, "starts_at": null, "links": [], "raw": null, "is_heartbeat": false}});
    does_itself!(Issue, issue, {"bind": {"alert_id": alert}});

    let pool = &ledger.pools.owner;
    let declared = tests::decisions();
    unique::guards_every_key(pool, &declared, &dod_tables::CONTEXT, &[]).await;
    unique::claims_are_taken(pool, &declared, &["dod"]).await;
}
