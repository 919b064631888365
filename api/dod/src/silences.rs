//! Has the alerts that a silence keeps quiet looked at again when it is another one, or over before its time.
//!
//! Each alert sets a timer for the end of its silence as it stood when the alert came. A silence that is ended, shortened,
//! prolonged or put otherwise later tells no alert of it: its alerts are found in the tables.

use std::time::Duration;

use book::BookError;
use dod::alert::{self, Alert};
use dod::silence::{Event, Silences};
use domain::{AnyEvent, Decider as _, Recorded, Sending};
use futures::{StreamExt as _, stream};
use http::crew::Worker;
use projections::Posted;
use reactors::{Bounds, Doing, Done, Known, Reactor, Task};
use sqlx::PgPool;
use uuid::Uuid;

use crate::outward;

/// How long the tables may be behind, in seconds, before it is tried later.
const POSTED_SECONDS_MAX: u64 = 10;
/// How much later that is.
const LATER: Duration = Duration::from_secs(1);
/// How long one attempt may take, in seconds: one that is cut begins anew with all, so it is long enough for hundreds of
/// thousands of alerts.
const ATTEMPT_SECONDS_MAX: u64 = 900;
/// Alerts that are found at once, and those of them that look at one time.
const PAGE_ALERTS: i64 = 500;
const ALERTS_AT_ONCE: usize = 16;

/// What it is known by.
pub const KNOWN: Known = Known {
    name: "dod-silences",
    reads: &[Silences::TYPE],
};

/// The worker.
pub static WORKER: Worker = Worker {
    name: "dod silences",
    lock: "daybook dod silences",
    start: |crew| {
        let looker = Looker {
            pool: crew.pools.projector.clone(),
            posted: crew.posted.clone(),
        };
        outward::perform(crew, &WORKER, looker);
    },
};

/// Looks through alerts that are ignored.
#[derive(Debug)]
pub struct Looker {
    pub pool: PgPool,
    pub posted: Posted,
}

impl Reactor for Looker {
    fn known(&self) -> Known {
        KNOWN
    }

    fn tasks(&self, recorded: &Recorded<AnyEvent>) -> Vec<Task> {
        // Also of a new one, which keeps none quiet yet: whether it is new does not stand in the event.
        let is_silences = recorded.of::<Silences>().is_some();
        let task = || Task {
            key: "look".to_owned(),
            lane: recorded.stream,
            target: "alerts".to_owned(),
            due_at: None,
        };
        is_silences.then(task).into_iter().collect()
    }

    async fn perform(&self, doing: &Doing<'_>) -> Result<Done, BookError> {
        let Some(Event::AlertsSilenced { silence_id, .. } | Event::SilenceEnded { silence_id, .. }) =
            doing.recorded.of::<Silences>()
        else {
            return Ok(Done::Done);
        };
        // An alert that came after it met the silence as it is now.
        let (position, patience) = (doing.recorded.position, Duration::from_secs(POSTED_SECONDS_MAX));
        if !self.posted.wait(&dod_tables::CONTEXT, position, patience).await? {
            return Ok(Done::later(LATER, "the tables are behind"));
        }
        let mut after = Uuid::nil();
        loop {
            let alerts = self.kept_quiet(doing.tenant, *silence_id, after).await?;
            let Some(last) = alerts.last() else {
                return Ok(Done::Done);
            };
            after = *last;
            let looks = alerts.into_iter().map(|alert_id| look(doing, alert_id));
            let mut looks = stream::iter(looks).buffer_unordered(ALERTS_AT_ONCE);
            while let Some(looked) = looks.next().await {
                looked?;
            }
        }
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            limit: Duration::from_secs(ATTEMPT_SECONDS_MAX),
            ..Bounds::default()
        }
    }
}

impl Looker {
    /// Alerts after an id that a silence keeps quiet.
    async fn kept_quiet(&self, tenant: Uuid, silence_id: Uuid, after: Uuid) -> Result<Vec<Uuid>, BookError> {
        let alerts = sqlx::query_scalar(
            "select id from dod.alerts
             where tenant_id = $1 and silence_id = $2 and status = 'ignored' and not is_heartbeat and id > $3
             order by id limit $4",
        )
        .bind(tenant)
        .bind(silence_id)
        .bind(after)
        .bind(PAGE_ALERTS)
        .fetch_all(&self.pool)
        .await?;
        Ok(alerts)
    }
}

/// Has an alert look whether a silence holds. Refused when it was archived meanwhile: then nothing is kept from anybody.
async fn look(doing: &Doing<'_>, alert_id: Uuid) -> Result<(), BookError> {
    let look = Sending::of::<Alert>(alert_id, alert::Command::EndSilence {});
    doing
        .send(&format!("look/{}/{alert_id}", doing.round), vec![look])
        .await?;
    Ok(())
}
