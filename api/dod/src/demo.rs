//! Demo data: senders of alerts, what is to be done about them and who is told, and a day of alerts, which is sent to a
//! Daybook that serves as its senders would send it.

mod day;
mod knowledge;
mod send;
mod shape;

use chrono::{DateTime, NaiveTime, Utc};
use futures::FutureExt as _;
use http::Fault;
use http::cli::{Opened, say};
use http::demo::{Demo, Story, enter};
use serde_json::json;
use settings::Settings;
use uuid::Uuid;

use crate::edges::WEBHOOK_URL;

/// The demo as `daybook demo` loads it, and then sends it.
pub const DEMO: Demo = Demo {
    declared: |command| command,
    load: |opened, seed, _| load(opened, seed).boxed(),
    send: Some(|opened, seed, to| send::send(opened, seed, to).boxed()),
};

/// Who is told of the alerts that call for somebody.
const RECEIVER_IM: &str = "devops-slack";
/// A webhook that leads nowhere: the way out refuses it, and nobody's channel is written to. Whoever wants to see messages
/// amends the receiver.
const WEBHOOK: &str = "https://127.0.0.1/services/demo";

/// A sender of the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Sender {
    Prometheus,
    Grafana,
    Cloud,
    Zabbix,
}

impl Sender {
    /// All of them, in the order in which they are entered.
    const ALL: [Self; 4] = [Self::Prometheus, Self::Grafana, Self::Cloud, Self::Zabbix];

    /// The name of its source.
    fn name(self) -> &'static str {
        match self {
            Self::Prometheus => "Prometheus",
            Self::Grafana => "Grafana",
            Self::Cloud => "Cloud metrics",
            Self::Zabbix => "Zabbix",
        }
    }

    /// Its source.
    fn source(self, story: &Story<'_>) -> Uuid {
        story.id(&format!("source/{}", self.name()))
    }
}

async fn load(opened: &Opened, seed: u64) -> Result<(), Fault> {
    let story = Story::new(
        &opened.contexts,
        &opened.book,
        &opened.tail,
        opened.tenant,
        seed,
        &|_| {},
    );
    let by = story.administrator().await?;
    let at = Utc::now().date_naive().and_time(NaiveTime::MIN).and_utc();
    receiver(&story, by, at).await?;
    knowledge::enter_all(&story, by, at).await?;
    for sender in Sender::ALL {
        // The cloud's metrics call for nobody.
        let receiver_im = (sender != Sender::Cloud).then_some(RECEIVER_IM);
        let source = json!({ "name": sender.name(), "receiver_im": receiver_im });
        story
            .give(enter(by, at, "dod/sources", sender.source(&story), source))
            .await?;
    }
    say(&format!(
        "{} senders of alerts are in tenant {}; `daybook demo --to ADDRESS` sends a day of alerts to where Daybook serves",
        Sender::ALL.len(),
        opened.tenant
    ))
}

async fn receiver(story: &Story<'_>, by: Uuid, at: DateTime<Utc>) -> Result<(), Fault> {
    let settings = Settings::new(story.book.vault().clone());
    let sealed = settings.seal(story.tenant, WEBHOOK_URL, WEBHOOK).await;
    let sealed = sealed.map_err(|error| Fault::Refused(format!("the demo's webhook cannot be sealed: {error}")))?;
    let receiver = json!({
        "name": "DevOps on Slack", "receiver_im": RECEIVER_IM, "im_type": "slack",
        "webhook_url": sealed, "webhook_host": dod_messages::shown_host(WEBHOOK),
    });
    let stream = story.id(&format!("receiver/{RECEIVER_IM}"));
    story.give(enter(by, at, "dod/receivers", stream, receiver)).await?;
    Ok(())
}
