//! The words of all senders for how bad it is and for what has become of it.

use crate::{Rules, Severity, Signal};

/// What is said of an alert's severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judged {
    As(Severity),
    /// It only shows that the sender lives.
    Heartbeat,
    NotKnown,
}

/// The severity of a word: the tenant's map first, then everybody's.
pub(crate) fn severity(word: &str, rules: &Rules) -> Judged {
    let word = word.trim().to_lowercase();
    if matches!(word.as_str(), "none" | "heartbeat") {
        return Judged::Heartbeat;
    }
    if let Some(severity) = rules.severities.get(&word) {
        return Judged::As(*severity);
    }
    Judged::As(match word.as_str() {
        "critical" | "crit" | "fatal" | "disaster" | "emergency" | "emerg" | "p1" | "1" | "sev1" => Severity::Critical,
        "high" | "error" | "err" | "major" | "p2" | "2" | "sev2" => Severity::High,
        "warning" | "warn" | "average" | "medium" | "moderate" | "minor" | "p3" | "3" | "sev3" => Severity::Medium,
        "info" | "information" | "informational" | "notice" | "low" | "debug" | "ok" | "success" | "not classified"
        | "not_classified" | "p4" | "p5" | "4" | "5" | "sev4" | "sev5" => Severity::Low,
        _ => return Judged::NotKnown,
    })
}

/// What a word for an alert's state means. Absent when nobody knows it.
pub(crate) fn signal(word: &str) -> Option<Signal> {
    Some(match word.trim().to_lowercase().replace(['-', ' '], "_").as_str() {
        "firing" | "fire" | "fired" | "alerting" | "alert" | "alarm" | "in_alarm" | "triggered" | "trigger"
        | "re_triggered" | "warn" | "warning" | "re_warn" | "renotify" | "open" | "opened" | "active" | "problem"
        | "create" | "created" | "new" | "unresolved" | "reopened" | "started" | "down" | "critical" | "error"
        | "failed" | "failing" | "failure" | "unhealthy" | "pending" => Signal::Firing,
        "resolved" | "resolve" | "ok" | "close" | "closed" | "recovered" | "recovery" | "clear" | "cleared"
        | "inactive" | "up" | "normal" | "healthy" | "success" | "succeeded" | "ended" | "done" | "fixed" => {
            Signal::Resolved
        }
        "acknowledged" | "acknowledge" | "acked" | "ack" => Signal::Acknowledged,
        "unacknowledged" | "unacknowledge" | "un_acknowledge" | "unacked" | "unack" => Signal::Unacknowledged,
        "suppressed" | "silenced" | "muted" | "snoozed" | "ignored" | "paused" | "archived" => Signal::Suppressed,
        "no_data" | "nodata" | "re_no_data" | "insufficient_data" | "unknown" => Signal::NoData,
        _ => return None,
    })
}

/// Whether a text is a variable or macro that its sender did not fill in: `$ALERT_ID`, `{EVENT.ID}`, `{$ZABBIX.URL}`,
/// `{{ .Title }}`.
pub(crate) fn is_not_expanded(text: &str) -> bool {
    let text = text.trim();
    if let Some(name) = text.strip_prefix('$') {
        return name.len() > 1
            && name
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'_' || byte.is_ascii_digit());
    }
    if text.starts_with("{{") {
        return text.ends_with("}}");
    }
    // Several macros beside each other, as in `{DATE} {TIME}`, are none the wiser.
    !text.is_empty() && text.split(' ').all(is_macro)
}

fn is_macro(word: &str) -> bool {
    let inner = word.strip_prefix('{').and_then(|word| word.strip_suffix('}'));
    inner.is_some_and(|name| {
        !name.is_empty()
            && name.bytes().all(|byte| {
                byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'$' | b'#')
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tenants_words_go_before_everybodys() {
        let mut rules = Rules::default();
        assert_eq!(severity(" P1 ", &rules), Judged::As(Severity::Critical));
        assert_eq!(severity("page", &rules), Judged::NotKnown);
        rules.severities = [("page".into(), Severity::High), ("p1".into(), Severity::Low)].into();
        assert_eq!(severity("PAGE", &rules), Judged::As(Severity::High));
        assert_eq!(severity("p1", &rules), Judged::As(Severity::Low));
    }

    #[test]
    fn no_tenant_makes_a_heartbeat_loud() {
        let rules = Rules {
            severities: [("none".into(), Severity::Critical)].into(),
            ..Rules::default()
        };
        assert_eq!(severity("None", &rules), Judged::Heartbeat);
    }

    #[test]
    fn variables_that_were_not_filled_in_are_told_from_text() {
        for text in [
            "$ALERT_CYCLE_KEY",
            "{EVENT.ID}",
            "{$ZABBIX.URL}",
            "{DATE} {TIME}",
            "{{ .Title }}",
            "{#IFNAME}",
        ] {
            assert!(is_not_expanded(text), "{text}");
        }
        for text in [
            "",
            "$5",
            "$",
            "costs $MONEY more",
            "{\"a\":1}",
            "disk {HOST.NAME} full",
            "{}",
            "a {DATE}",
        ] {
            assert!(!is_not_expanded(text), "{text}");
        }
    }
}
