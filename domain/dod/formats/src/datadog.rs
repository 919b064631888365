//! Datadog: the body is the tenant's template, so members are looked for under the names of Datadog's variables, in
//! lower case (`alert_cycle_key` for `$ALERT_CYCLE_KEY`) or as they are. The template that Datadog presumes is known too.
//!
//! Key: the alert's cycle, else its aggregation, else monitor and scope.

use std::borrow::Cow;

use crate::draft::{Draft, Reading, tags_of};
use crate::json::{Node, Object, quoted};
use crate::{Severity, Signal, digest, words};

pub(crate) fn is_datadog(object: &Object<'_>, is_fixed: bool) -> bool {
    let body = Body(object);
    let is_template = body.text("alert_transition").is_some()
        || body.text("alert_cycle_key").is_some()
        || (object.has("event_type") && object.has("last_updated") && object.has("org"));
    is_template || (is_fixed && body.title().is_some())
}

struct Body<'o, 'a>(&'o Object<'a>);

impl<'a> Body<'_, 'a> {
    fn node(&self, name: &str) -> Option<Node<'a>> {
        self.0.get(name).or_else(|| self.0.get(&name.to_uppercase()))
    }

    fn text(&self, name: &str) -> Option<String> {
        self.node(name)?.scalar().map(Cow::into_owned)
    }

    fn title(&self) -> Option<String> {
        ["title", "event_title", "alert_title"]
            .iter()
            .find_map(|name| self.text(name))
    }
}

pub(crate) fn read(object: &Object<'_>, reading: &mut Reading<'_>) {
    let body = Body(object);
    let mut expanded = |name: &str| reading.expanded(body.text(name));
    let [cycle, aggregate, monitor, scope] =
        ["alert_cycle_key", "aggreg_key", "alert_id", "alert_scope"].map(&mut expanded);
    let [transition, status, kind, priority] =
        ["alert_transition", "alert_status", "alert_type", "alert_priority"].map(&mut expanded);
    let [id, date, updated, event_type] = ["id", "date", "last_updated", "event_type"].map(&mut expanded);
    let [host, metric, query, link, snapshot] =
        ["hostname", "alert_metric", "alert_query", "link", "snapshot"].map(&mut expanded);
    let text = ["text_only_msg", "event_msg", "body", "text"]
        .into_iter()
        .find_map(&mut expanded);
    let title = ["title", "event_title", "alert_title"]
        .into_iter()
        .find_map(&mut expanded);

    let (bracketed, plain_title) = title.as_deref().map(split_title).unwrap_or_default();
    let word = transition.clone().or(bracketed);
    let signal = word.as_deref().map_or(Signal::Firing, |word| state(word, reading));
    let key = cycle.or(aggregate).or_else(|| {
        let monitor = monitor.clone()?;
        Some(format!("{monitor}:{}", scope.clone().unwrap_or_default()))
    });
    // Without any of them the title without its state has to do: what fires and what recovers share it.
    let key = key.or_else(|| plain_title.as_deref().map(|title| digest::of(["datadog", title])));
    let changed_at = date.or(updated).and_then(|time| reading.moment(&time));
    let event = id.map(|id| format!("{id}/{signal}"));

    let mut labels = body
        .node("tags")
        .filter(|node| !unfilled(*node))
        .map(tags_of)
        .unwrap_or_default();
    for (name, value) in [
        ("host", host),
        ("metric", metric),
        ("query", query),
        ("scope", scope),
        ("monitor", monitor),
        ("event_type", event_type.clone()),
    ] {
        if let Some(value) = value {
            labels.entry(name.to_string()).or_insert(value);
        }
    }
    let mut links = Vec::new();
    links.extend(link.map(|url| ("Datadog", url)));
    links.extend(snapshot.map(|url| ("Snapshot", url)));
    let priority = priority.filter(|word| !word.eq_ignore_ascii_case("none"));
    let warns = word.as_deref().is_some_and(|word| word.to_lowercase().contains("warn"));
    let texts: Vec<String> = [text, status].into_iter().flatten().collect();
    reading.tell(Draft {
        key,
        event,
        signal: Some(signal),
        severity: (priority.is_none() && warns).then_some(Severity::Medium),
        word: priority.or(kind),
        alert_type: plain_title.or(event_type),
        title,
        description: (!texts.is_empty()).then(|| texts.join("\n\n")),
        labels,
        ends_at: changed_at.filter(|_| signal == Signal::Resolved),
        starts_at: changed_at.filter(|_| signal != Signal::Resolved),
        links,
        raw: Cow::Borrowed(object.node.text()),
        ..Draft::default()
    });
}

// `Re-Triggered`, `Warn Recovered`, `Recovered from No Data` and the like are several words; the strongest counts.
fn state(word: &str, reading: &mut Reading<'_>) -> Signal {
    let lower = word.to_lowercase();
    if lower.contains("recover") {
        return Signal::Resolved;
    }
    if lower.contains("no data") {
        return Signal::NoData;
    }
    if ["trigger", "warn", "renotify", "alert"]
        .iter()
        .any(|mark| lower.contains(mark))
    {
        return Signal::Firing;
    }
    reading.state(word)
}

// `[Triggered on {host:a}] CPU is high` as `Triggered on {host:a}` and `CPU is high`.
fn split_title(title: &str) -> (Option<String>, Option<String>) {
    let split = title.trim().strip_prefix('[').and_then(|rest| rest.split_once("] "));
    match split {
        // `[P2] [Triggered] CPU is high`
        Some((word, rest)) if word.len() == 2 && word.starts_with(['P', 'p']) => split_title(rest),
        Some((word, rest)) => (Some(word.to_string()), Some(rest.to_string())),
        None => (None, Some(title.to_string())),
    }
}

fn unfilled(node: Node<'_>) -> bool {
    node.scalar().is_some_and(|text| words::is_not_expanded(&text))
}

/// The template to give Datadog's webhook as its payload.
pub fn template() -> String {
    let members: Vec<String> = [
        ("id", "$ID"),
        ("title", "$EVENT_TITLE"),
        ("text_only_msg", "$TEXT_ONLY_MSG"),
        ("event_type", "$EVENT_TYPE"),
        ("date", "$DATE"),
        ("last_updated", "$LAST_UPDATED"),
        ("org_id", "$ORG_ID"),
        ("org_name", "$ORG_NAME"),
        ("alert_id", "$ALERT_ID"),
        ("alert_cycle_key", "$ALERT_CYCLE_KEY"),
        ("aggreg_key", "$AGGREG_KEY"),
        ("alert_transition", "$ALERT_TRANSITION"),
        ("alert_type", "$ALERT_TYPE"),
        ("alert_priority", "$ALERT_PRIORITY"),
        ("alert_status", "$ALERT_STATUS"),
        ("alert_query", "$ALERT_QUERY"),
        ("alert_scope", "$ALERT_SCOPE"),
        ("alert_metric", "$ALERT_METRIC"),
        ("hostname", "$HOSTNAME"),
        ("tags", "$TAGS"),
        ("link", "$LINK"),
    ]
    .iter()
    .map(|(name, variable)| format!("  {}: {}", quoted(name), quoted(variable)))
    .collect();
    format!("{{\n{}\n}}", members.join(",\n"))
}
