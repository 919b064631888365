//! Alerts: one row for each time that something fires.
//!
//! Two streams write a row. The signal tells when it fires and how often that was told, the alert what becomes of it. The
//! signal comes first, since it may be told again before the alert is opened; the row comes to the same in whatever order
//! the two are posted, for one of them may have been parked.

use chrono::{DateTime, Utc};
use dod::alert::{self, Alert, AlertStatus, Brief, ResolvedHow};
use dod::signal::{self, Signal};
use dod_formats::{Observation, Severity};
use domain::{AnyEvent, Recorded, Sealed};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use projections::cell::{Json, Word};
use projections::fold::{FoldError, Project, actor, existing};
use projections::row;
use projections::row::Row as _;
use projections::table::Scope;

use crate::count;

row! {
    /// One time that something fires, from then until somebody or something ends it. An archived alert's row is gone.
    AlertRow = dod.alerts
    key {
        /// The alert's id.
        id: Uuid,
    }
    columns {
        /// The user whom it is given to.
        assigned_to: Option<Uuid>,
        /// The user who ended it; null when its sender, its issue or time did.
        resolved_by: Option<Uuid>,
        /// The name that its source had.
        source: String,
        /// What kind of alert it is: the name of a rule or an alarm.
        alert_type: String,
        /// How bad it is, as was last said: `critical`, `high`, `medium`, `low`.
        severity: Word<Severity>,
        /// The sender's own word for that.
        original_severity: Option<String>,
        /// What it says, in a line.
        title: String,
        /// What it says, at length.
        description: Option<String>,
        /// Names and values that say what it is about.
        labels: Map<String, Value>,
        /// Places to look at, each with its title.
        links: Value,
        /// The part of the body that is about it, as it was sent; a string where no more can be made of it. Null when it was too
        /// large, and once the body is dropped.
        raw_payload: Option<Json>,
        /// Where it stands: `open`, `investigating`, `resolved`, `false_positive`, `ignored`.
        status: Word<AlertStatus>,
        /// When it was first told of.
        received_at: DateTime<Utc>,
        /// Since when it is so, as the sender says.
        starts_at: Option<DateTime<Utc>>,
        /// When it was last told of.
        last_seen_at: DateTime<Utc>,
        /// How often it was told of.
        count: i32,
        /// When somebody first looked at it.
        acknowledged_at: Option<DateTime<Utc>>,
        /// The user who said so; null when its sender did.
        acknowledged_by: Option<Uuid>,
        /// When it ended; null while it has not, and while it is ignored and goes on.
        resolved_at: Option<DateTime<Utc>>,
        /// How it was resolved: `person`, `sender`, `timeout`, `issue`; null when it was none.
        resolved_how: Option<Word<ResolvedHow>>,
        /// Whether it fires again and again.
        is_flapping: bool,
        /// Whether it only shows that its sender lives.
        is_heartbeat: bool,
        /// The silence that keeps it quiet.
        silence_id: Option<Uuid>,
        /// The issue that it belongs to.
        issue_id: Option<Uuid>,
        /// The rule by which it is grouped; null when none holds.
        rule_id: Option<Uuid>,
        /// What those have in common that it is grouped with; null before it is.
        group_key: Option<String>,
        /// The source that told of it.
        source_id: Uuid,
        /// The delivery that first told of it.
        delivery_id: Uuid,
        /// What fires: the same each time.
        signal_id: Uuid,
        /// How often that has fired, this time included.
        episode: Option<i32>,
        /// What makes two tellings of its source one alert.
        dedup_key: Option<String>,
        /// The receiver that its sender or source named.
        receiver_im: Option<String>,
        /// When the row was made.
        created_at: DateTime<Utc>,
        /// When it last changed; being told of again does not count.
        updated_at: DateTime<Utc>,
    }
    generated {}
    find {
        id, assigned_to, resolved_by, source, alert_type, severity, status, received_at, silence_id, issue_id, source_id,
        delivery_id, signal_id, dedup_key,
    }
    scope { Scope::Tenant }
    masked {}
    personal { raw_payload }
}

impl Project for AlertRow {
    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        match recorded.of::<Signal>() {
            Some(signal::Event::SignalFired { alert_id, .. } | signal::Event::SignalRepeated { alert_id, .. }) => {
                vec![*alert_id]
            }
            Some(
                signal::Event::SignalCleared { .. }
                | signal::Event::SignalClearedUnseen { .. }
                | signal::Event::SignalReleased { .. },
            ) => Vec::new(),
            None => recorded.of::<Alert>().map(|_| recorded.stream).into_iter().collect(),
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        if let Some(event) = recorded.of::<Signal>() {
            return Ok(told(row, id, recorded, event));
        }
        match recorded.of::<Alert>() {
            Some(alert::Event::AlertArchived { .. }) => existing(row)?.archived().map(|()| None),
            Some(event) => became(row, id, recorded, event).map(Some),
            None => Ok(row),
        }
    }
}

/// The row once its signal was told of.
fn told(row: Option<AlertRow>, id: Uuid, recorded: &Recorded<AnyEvent>, event: &signal::Event) -> Option<AlertRow> {
    match event {
        signal::Event::SignalFired {
            alert_id: _,
            episode,
            source_id,
            source,
            delivery_id,
            receiver_im,
            observation,
            // Until the alert has it, nobody sees it: it goes with the delivery here, and with the alert there.
            raw: _,
            is_flapping,
            received_at,
            expires_at: _,
        } => {
            let row = row.unwrap_or_else(|| {
                let brief = brief(observation, source, receiver_im.as_ref(), *is_flapping, *received_at);
                let status = match observation.is_heartbeat {
                    true => AlertStatus::Ignored,
                    false => AlertStatus::Open,
                };
                AlertRow {
                    status: Word(status),
                    original_severity: observation.original_severity.clone(),
                    links: json!(observation.links),
                    starts_at: observation.starts_at,
                    is_heartbeat: observation.is_heartbeat,
                    source_id: *source_id,
                    delivery_id: *delivery_id,
                    signal_id: recorded.stream,
                    ..AlertRow::blank(id, recorded, &brief)
                }
            });
            Some(AlertRow {
                episode: Some(count(*episode)),
                dedup_key: Some(observation.dedup_key.clone()),
                ..row.came(recorded)
            })
        }
        // What is not there was told of by nobody.
        signal::Event::SignalRepeated { received_at, .. } => row.map(|row| AlertRow {
            count: row.count.saturating_add(1),
            last_seen_at: row.last_seen_at.max(*received_at),
            ..row
        }),
        signal::Event::SignalCleared { .. }
        | signal::Event::SignalClearedUnseen { .. }
        | signal::Event::SignalReleased { .. } => row,
    }
}

/// What an alert is told of the observation that it begins with.
fn brief(
    observation: &Observation,
    source: &str,
    receiver_im: Option<&String>,
    is_flapping: bool,
    received_at: DateTime<Utc>,
) -> Brief {
    Brief {
        source: source.to_owned(),
        alert_type: observation.alert_type.clone(),
        severity: observation.severity,
        title: observation.title.clone(),
        description: observation.description.clone(),
        labels: observation.labels.clone(),
        receiver_im: receiver_im.cloned(),
        is_flapping,
        received_at,
        body_until: None,
    }
}

/// The row after something happened to the alert.
fn became(
    row: Option<AlertRow>,
    id: Uuid,
    recorded: &Recorded<AnyEvent>,
    event: &alert::Event,
) -> Result<AlertRow, FoldError> {
    let updated_at = recorded.at;
    Ok(match event {
        alert::Event::AlertOpened {
            status,
            signal_id,
            source_id,
            delivery_id,
            brief,
            original_severity,
            starts_at,
            links,
            raw,
            is_heartbeat,
            rule_id,
            group_key,
            group_id: _,
            window_minutes: _,
            silence_id,
            silence_ends_at: _,
        } => {
            let row = row.unwrap_or_else(|| AlertRow::blank(id, recorded, brief));
            AlertRow {
                status: Word(*status),
                signal_id: *signal_id,
                source_id: *source_id,
                delivery_id: *delivery_id,
                original_severity: original_severity.clone(),
                starts_at: *starts_at,
                links: json!(links),
                raw_payload: sent(raw),
                is_heartbeat: *is_heartbeat,
                rule_id: *rule_id,
                group_key: Some(group_key.clone()),
                silence_id: *silence_id,
                updated_at,
                ..row.came(recorded)
            }
        }
        alert::Event::AlertJoinedIssue { issue_id } => AlertRow {
            issue_id: Some(*issue_id),
            updated_at,
            ..existing(row)?
        },
        alert::Event::AlertRestated { from: _, restated } => AlertRow {
            severity: Word(restated.severity),
            original_severity: restated.original_severity.clone(),
            title: restated.title.clone(),
            description: restated.description.clone(),
            updated_at,
            ..existing(row)?
        },
        alert::Event::AlertKeptQuiet { silence_id, .. } => AlertRow {
            silence_id: Some(*silence_id),
            updated_at,
            ..existing(row)?
        },
        alert::Event::AlertSilenceEnded {} => AlertRow {
            status: Word(AlertStatus::Open),
            silence_id: None,
            updated_at,
            ..existing(row)?
        },
        alert::Event::AlertAcknowledged { .. } => existing(row)?.acknowledged(recorded),
        alert::Event::AlertUnacknowledged {} => AlertRow {
            status: Word(AlertStatus::Open),
            assigned_to: None,
            acknowledged_at: None,
            acknowledged_by: None,
            updated_at,
            ..existing(row)?
        },
        alert::Event::AlertAssigned { user_id } => AlertRow {
            assigned_to: Some(*user_id),
            ..existing(row)?.acknowledged(recorded)
        },
        alert::Event::AlertResolved { how, resolved_at } => AlertRow {
            status: Word(AlertStatus::Resolved),
            resolved_by: actor(recorded).filter(|_| *how == ResolvedHow::Person),
            resolved_at: Some(*resolved_at),
            resolved_how: Some(Word(*how)),
            updated_at,
            ..existing(row)?
        },
        alert::Event::AlertMarkedFalsePositive {} => AlertRow {
            status: Word(AlertStatus::FalsePositive),
            resolved_by: actor(recorded),
            resolved_at: Some(recorded.at),
            resolved_how: None,
            updated_at,
            ..existing(row)?
        },
        alert::Event::AlertIgnored {} => AlertRow {
            status: Word(AlertStatus::Ignored),
            silence_id: None,
            updated_at,
            ..existing(row)?
        },
        alert::Event::AlertReopened {} => AlertRow {
            status: Word(AlertStatus::Open),
            silence_id: None,
            resolved_by: None,
            resolved_at: None,
            resolved_how: None,
            updated_at,
            ..existing(row)?
        },
        alert::Event::AlertSignalOver { over_at } => {
            let row = existing(row)?;
            AlertRow {
                resolved_at: row.resolved_at.or(Some(*over_at)),
                updated_at,
                ..row
            }
        }
        // Whoever posted the opening may have read the key just before it was destroyed.
        alert::Event::AlertRawDropped {} => AlertRow {
            raw_payload: None,
            updated_at,
            ..existing(row)?
        },
        alert::Event::AlertArchived { .. } => existing(row)?,
    })
}

/// What was sent, as JSON; nothing once it is erased.
fn sent(raw: &Sealed<Option<String>>) -> Option<Json> {
    raw.open()?.as_deref().map(Json::sent)
}

impl AlertRow {
    /// The row that begins with this; what only one of its streams knows is left out.
    fn blank(id: Uuid, recorded: &Recorded<AnyEvent>, brief: &Brief) -> Self {
        let labels = brief.labels.iter();
        Self {
            tenant_id: recorded.tenant_id,
            position: recorded.position,
            id,
            assigned_to: None,
            resolved_by: None,
            source: brief.source.clone(),
            alert_type: brief.alert_type.clone(),
            severity: Word(brief.severity),
            original_severity: None,
            title: brief.title.clone(),
            description: brief.description.clone(),
            labels: labels.map(|(name, value)| (name.clone(), json!(value))).collect(),
            links: json!([]),
            raw_payload: None,
            status: Word(AlertStatus::Open),
            received_at: brief.received_at,
            starts_at: None,
            last_seen_at: brief.received_at,
            count: 1,
            acknowledged_at: None,
            acknowledged_by: None,
            resolved_at: None,
            resolved_how: None,
            is_flapping: brief.is_flapping,
            is_heartbeat: false,
            silence_id: None,
            issue_id: None,
            rule_id: None,
            group_key: None,
            source_id: Uuid::nil(),
            delivery_id: Uuid::nil(),
            signal_id: Uuid::nil(),
            episode: None,
            dedup_key: None,
            receiver_im: brief.receiver_im.clone(),
            created_at: recorded.at,
            updated_at: recorded.at,
        }
    }

    /// The row, which came with the first of the events that can bring it in, in whatever order they are posted.
    fn came(self, recorded: &Recorded<AnyEvent>) -> Self {
        Self {
            position: self.position.min(recorded.position),
            created_at: self.created_at.min(recorded.at),
            updated_at: self.updated_at.max(recorded.at),
            ..self
        }
    }

    /// Whether the row may go: not while its signal is parked, which would bring it back. What a heartbeat missed has none.
    fn archived(&self) -> Result<(), FoldError> {
        let has_signal = self.signal_id != self.delivery_id;
        match self.episode.is_none() && has_signal {
            true => Err(FoldError::Unfit {
                table: Self::TABLE.name,
                column: "signal_id",
                detail: "the signal of an archived alert is parked; un-park it first".to_owned(),
            }),
            false => Ok(()),
        }
    }

    /// The row once somebody looks at the alert.
    fn acknowledged(self, recorded: &Recorded<AnyEvent>) -> Self {
        Self {
            status: Word(AlertStatus::Investigating),
            acknowledged_at: self.acknowledged_at.or(Some(recorded.at)),
            acknowledged_by: match self.acknowledged_at {
                None => actor(recorded),
                Some(_) => self.acknowledged_by,
            },
            updated_at: recorded.at,
            ..self
        }
    }
}
