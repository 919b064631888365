//! Rules tried on the past: which alerts of a span would have gone another way.
//!
//! What is compared is how an alert would go by what stands today, and how by that with the command; not what became of it
//! when it came. So nothing is told but what the command changes.

mod bindings;
mod correlations;
mod severities;
mod silences;

use chrono::{DateTime, Utc};
use dod::alert::{Alert, Brief, Event};
use dod::binding::Binding;
use dod::conditions::Subject;
use dod::correlation::Correlations;
use dod::silence::Silences;
use dod::source::Source;
use domain::register::Register;
use domain::{AnyEvent, Decider as _, Recorded};
use http::audit::log::Wanted;
use http::command::past::{Rehearsal, Tried};
use http::problem::Problem;
use serde_json::{Value, json};
use uuid::Uuid;

/// Needed to see which alerts there were.
const PERMISSION: &str = "dod.alerts.read";
/// Alerts that an answer names, and bytes of them; it counts them all.
pub const CHANGED_MAX: usize = 500;
pub const CHANGED_BYTES_MAX: usize = 256 << 10;

/// The commands that are tried.
pub const REHEARSALS: &[Rehearsal] = &[
    Rehearsal {
        aggregate_type: Register::<Binding>::TYPE,
        commands: &["enter", "amend", "strike"],
        permission: PERMISSION,
        look: |tried| Box::pin(async move { look(&tried, Box::new(bindings::Bound::of(&tried).await?)).await }),
    },
    Rehearsal {
        aggregate_type: Correlations::TYPE,
        commands: &["set-rule", "drop-rule"],
        permission: PERMISSION,
        look: |tried| Box::pin(async move { look(&tried, Box::new(correlations::Grouped::of(&tried)?)).await }),
    },
    Rehearsal {
        aggregate_type: Silences::TYPE,
        commands: &["silence", "end"],
        permission: PERMISSION,
        look: |tried| Box::pin(async move { look(&tried, Box::new(silences::Quiet::of(&tried)?)).await }),
    },
    Rehearsal {
        aggregate_type: Source::TYPE,
        commands: &["enter", "amend"],
        permission: PERMISSION,
        look: |tried| Box::pin(async move { look(&tried, Box::new(severities::Judged::of(&tried)?)).await }),
    },
];

/// An alert of the past, as it was when it began.
struct Past<'a> {
    tenant: Uuid,
    at: DateTime<Utc>,
    source_id: Uuid,
    brief: &'a Brief,
    original_severity: Option<&'a str>,
    /// Whether a silence kept it out of every issue.
    was_quiet: bool,
}

impl Past<'_> {
    fn subject(&self) -> Subject<'_> {
        let brief = self.brief;
        Subject {
            source: &brief.source,
            source_id: self.source_id,
            alert_type: &brief.alert_type,
            severity: brief.severity,
            title: &brief.title,
            description: brief.description.as_deref(),
            labels: &brief.labels,
        }
    }
}

/// What a command changes of the way that alerts go.
trait Way: Send {
    /// How the alert goes without the command and with it, where these differ. It is asked of each alert once, in order.
    fn differs(&mut self, alert: &Past<'_>) -> Option<(Value, Value)>;

    /// What is told of all of them together, by its name.
    fn sum(&self) -> Option<(&'static str, Value)> {
        None
    }
}

struct Report {
    way: Box<dyn Way>,
    alerts: u64,
    changed: Vec<Value>,
    bytes: usize,
    left_out: u64,
}

impl Report {
    fn look(&mut self, recorded: &Recorded<AnyEvent>) {
        let Some(Event::AlertOpened {
            brief,
            source_id,
            original_severity,
            is_heartbeat,
            silence_id,
            ..
        }) = recorded.of::<Alert>()
        else {
            return;
        };
        self.alerts += 1;
        // Nothing makes one loud, whatever rules there are.
        if *is_heartbeat {
            return;
        }
        let alert = Past {
            tenant: recorded.tenant_id,
            at: recorded.at,
            source_id: *source_id,
            brief,
            original_severity: original_severity.as_deref(),
            was_quiet: silence_id.is_some(),
        };
        let Some((before, after)) = self.way.differs(&alert) else {
            return;
        };
        let told = json!({
            "alert_id": recorded.stream,
            "title": brief.title,
            "received_at": brief.received_at,
            "link": format!("/v1/dod/alerts/{}", recorded.stream),
            "before": before,
            "after": after,
        });
        let bytes = self.bytes + told.to_string().len();
        if self.changed.len() >= CHANGED_MAX || bytes > CHANGED_BYTES_MAX {
            self.left_out += 1;
            return;
        }
        self.bytes = bytes;
        self.changed.push(told);
    }
}

async fn look(tried: &Tried<'_>, way: Box<dyn Way>) -> Result<Value, Problem> {
    let wanted = Wanted {
        tenant: tried.by.tenant,
        types: Some(vec![Alert::TYPE.to_owned()]),
        event_type: Some("AlertOpened".to_owned()),
        ..Wanted::default()
    };
    let report = Report {
        way,
        alerts: 0,
        changed: Vec::new(),
        bytes: 0,
        left_out: 0,
    };
    let (report, looked) = tried.each(&wanted, report, Report::look).await?;
    let mut told = json!({
        "from": tried.span.from,
        "to": looked.to,
        "alerts": report.alerts,
        "changed": report.changed,
        "left_out": report.left_out,
        "ended_by": looked.ended_by,
    });
    if let Some((name, sum)) = report.way.sum() {
        told[name] = sum;
    }
    Ok(told)
}
