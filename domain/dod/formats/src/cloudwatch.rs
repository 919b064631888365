//! CloudWatch alarms, as SNS carries them and as EventBridge passes them on.
//!
//! Key: the ARN, else account, region and name; a name alone is many alarms. A telling: the message's identifier, else
//! the time of the change. An alarm has no severity: its description or its name may give one (`severity: high`, `[P1]`).

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::draft::{Draft, Reading, labels_of};
use crate::json::Object;
use crate::words::{self, Judged};
use crate::{Rules, digest};

const PASSED_ON: &str = "CloudWatch Alarm State Change";

pub(crate) fn is_alarm(object: &Object<'_>) -> bool {
    (object.has("AlarmName") && object.has("NewStateValue")) || is_passed_on(object)
}

fn is_passed_on(object: &Object<'_>) -> bool {
    object.text("detail-type").as_deref() == Some(PASSED_ON) && object.object("detail").is_some()
}

pub(crate) fn read(object: &Object<'_>, reading: &mut Reading<'_>) {
    match object.object("detail").filter(|_| is_passed_on(object)) {
        Some(detail) => read_passed_on(object, &detail, reading),
        None => read_alarm(object, reading),
    }
}

fn read_alarm(object: &Object<'_>, reading: &mut Reading<'_>) {
    let name = object.text("AlarmName").unwrap_or_default();
    let account = object.text("AWSAccountId").unwrap_or_default();
    let region = object.text("Region").unwrap_or_default();
    let arn = object.text("AlarmArn");
    let mut labels = BTreeMap::from([("alarm_name".to_string(), name.clone())]);
    label(&mut labels, "account", Some(account.clone()));
    label(
        &mut labels,
        "region",
        arn.as_deref().and_then(region_of).or_else(|| Some(region.clone())),
    );
    if let Some(trigger) = object.object("Trigger") {
        label(&mut labels, "metric", trigger.text("MetricName"));
        label(&mut labels, "namespace", trigger.text("Namespace"));
        label(
            &mut labels,
            "statistic",
            trigger.first(&["Statistic", "ExtendedStatistic"]),
        );
        label(&mut labels, "threshold", trigger.text("Threshold"));
        let dimensions = trigger.get("Dimensions").and_then(|dimensions| dimensions.array(64));
        for dimension in dimensions
            .into_iter()
            .flat_map(|(first, _)| first)
            .filter_map(|node| node.object())
        {
            if let Some(name) = dimension.first(&["name", "Name"]) {
                label(&mut labels, &name, dimension.first(&["value", "Value"]));
            }
        }
    }
    label(&mut labels, "alarm_rule", object.text("AlarmRule"));
    tell(
        Alarm {
            key: arn.unwrap_or_else(|| digest::of([account.as_str(), region.as_str(), name.as_str()])),
            event: None,
            name,
            state: object.text("NewStateValue").unwrap_or_default(),
            reason: object.text("NewStateReason"),
            description: object.text("AlarmDescription"),
            changed_at: object.text("StateChangeTime"),
            labels,
        },
        object,
        reading,
    );
}

fn read_passed_on(object: &Object<'_>, detail: &Object<'_>, reading: &mut Reading<'_>) {
    let name = detail.text("alarmName").unwrap_or_default();
    let account = object.text("account").unwrap_or_default();
    let region = object.text("region").unwrap_or_default();
    let arn = object
        .get("resources")
        .and_then(|resources| resources.array(1))
        .and_then(|(first, _)| {
            let arn = first.first()?.scalar()?.into_owned();
            arn.contains(":alarm:").then_some(arn)
        });
    let state = detail.object("state");
    let text = |name: &str| state.as_ref().and_then(|state| state.text(name));
    let configuration = detail.object("configuration");
    let mut labels = BTreeMap::from([("alarm_name".to_string(), name.clone())]);
    label(&mut labels, "account", Some(account.clone()));
    label(&mut labels, "region", Some(region.clone()));
    // The first metric says what is measured and of what.
    let metric = configuration.as_ref().and_then(|configuration| {
        let (first, _) = configuration.get("metrics")?.array(1)?;
        first.first()?.object()?.object("metricStat")?.object("metric")
    });
    if let Some(metric) = metric {
        label(&mut labels, "metric", metric.text("name"));
        label(&mut labels, "namespace", metric.text("namespace"));
        labels.extend(
            metric
                .object("dimensions")
                .map(|dimensions| labels_of(&dimensions))
                .unwrap_or_default(),
        );
    }
    tell(
        Alarm {
            key: arn.unwrap_or_else(|| digest::of([account.as_str(), region.as_str(), name.as_str()])),
            event: object.text("id"),
            name,
            state: text("value").unwrap_or_default(),
            reason: text("reason"),
            description: configuration
                .as_ref()
                .and_then(|configuration| configuration.text("description")),
            changed_at: text("timestamp").or_else(|| object.text("time")),
            labels,
        },
        object,
        reading,
    );
}

struct Alarm {
    key: String,
    event: Option<String>,
    name: String,
    state: String,
    reason: Option<String>,
    description: Option<String>,
    changed_at: Option<String>,
    labels: BTreeMap<String, String>,
}

fn tell(alarm: Alarm, object: &Object<'_>, reading: &mut Reading<'_>) {
    let signal = reading.state(&alarm.state);
    let starts_at = alarm.changed_at.as_deref().and_then(|time| reading.moment(time));
    let changed = starts_at.map(|at| format!("{}/{signal}/{}", alarm.key, at.timestamp_micros()));
    let word = [alarm.description.as_deref(), Some(alarm.name.as_str())]
        .into_iter()
        .flatten()
        .find_map(|text| tagged(text, reading.rules));
    let texts: Vec<String> = [alarm.description, alarm.reason].into_iter().flatten().collect();
    reading.tell(Draft {
        event: alarm.event.or_else(|| reading.envelope.clone()).or(changed),
        key: Some(alarm.key),
        signal: Some(signal),
        word,
        title: Some(alarm.name.clone()),
        alert_type: Some(alarm.name),
        description: (!texts.is_empty()).then(|| texts.join("\n\n")),
        labels: alarm.labels,
        ends_at: starts_at.filter(|_| signal == crate::Signal::Resolved),
        starts_at: starts_at.filter(|_| signal != crate::Signal::Resolved),
        raw: Cow::Borrowed(object.node.text()),
        ..Draft::default()
    });
}

fn label(labels: &mut BTreeMap<String, String>, name: &str, value: Option<String>) {
    if let Some(value) = value.filter(|value| !value.is_empty()) {
        labels.insert(name.to_string(), value);
    }
}

// The message names the region in words for people; the ARN has the one that machines know.
fn region_of(arn: &str) -> Option<String> {
    arn.split(':')
        .nth(3)
        .filter(|region| !region.is_empty())
        .map(str::to_string)
}

/// A severity that somebody wrote into a text: after `severity` or `priority` and a colon or equals sign, or in brackets.
fn tagged(text: &str, rules: &Rules) -> Option<String> {
    let lower = text.to_lowercase();
    let named = ["severity", "priority", "sev"].iter().find_map(|name| {
        let rest = lower.split_once(name)?.1.trim_start();
        let rest = rest
            .strip_prefix([':', '='])?
            .trim_start()
            .trim_start_matches(['"', '\'']);
        let end = rest
            .find(|character: char| !character.is_alphanumeric())
            .unwrap_or(rest.len());
        (end > 0).then(|| rest[..end].to_string())
    });
    named.or_else(|| {
        let bracketed = lower
            .split('[')
            .skip(1)
            .filter_map(|rest| rest.split_once(']').map(|(word, _)| word.trim()));
        bracketed
            .filter(|word| word.chars().any(char::is_alphabetic))
            .find(|word| matches!(words::severity(word, rules), Judged::As(_)))
            .map(str::to_string)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_may_say_how_bad_its_alarm_is() {
        let of = |text: &str| tagged(text, &Rules::default());
        assert_eq!(of("Queue is long. Severity: High, page us").as_deref(), Some("high"));
        assert_eq!(of("priority=P2;team=core").as_deref(), Some("p2"));
        assert_eq!(of("[P1] [eu] database").as_deref(), Some("p1"));
        assert_eq!(of("[1] the first, severity unknown"), None);
        assert_eq!(of("severity:"), None);
    }
}
