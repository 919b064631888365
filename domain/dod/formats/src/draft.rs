//! What a format found of one alert, and how it becomes an observation: bounded, keyed, never empty.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::bounds::{line, paragraph};
use crate::json::{self, Node, Object};
use crate::moment::{self, Moment};
use crate::note::{NoteKind, Notes};
use crate::observation::*;
use crate::recognise::ALERTS_MAX;
use crate::words::{self, Judged};
use crate::{Rules, Subscription, digest};

/// Characters of what makes one telling the same as another.
pub const EVENT_ID_CHARS_MAX: usize = 255;
/// Characters of a label's name; a longer one is left out.
pub const LABEL_NAME_CHARS_MAX: usize = 255;

/// A body while it is read.
pub(crate) struct Reading<'r> {
    pub(crate) rules: &'r Rules,
    pub(crate) headers: &'r [(String, String)],
    pub(crate) received_at: DateTime<Utc>,
    pub(crate) notes: Notes,
    pub(crate) observations: Vec<Observation>,
    pub(crate) subscription: Option<Subscription>,
    /// What the sender calls the envelope around the alerts: it tells them apart when they have no names themselves.
    pub(crate) envelope: Option<String>,
    /// The place of the alert that is read now.
    pub(crate) place: Option<u32>,
    pub(crate) has_huge_number: bool,
    /// Alerts beyond those that are kept.
    pub(crate) beyond: usize,
}

/// What a format knows of an alert. What is absent is filled in.
#[derive(Default)]
pub(crate) struct Draft<'a> {
    /// The sender's own key. Absent: alerts of one type, title and labels are one.
    pub(crate) key: Option<String>,
    /// The sender's own name of this telling. Absent: every delivery tells anew.
    pub(crate) event: Option<String>,
    pub(crate) signal: Option<Signal>,
    /// The sender's word for how bad it is.
    pub(crate) word: Option<String>,
    /// What the word means when it is a format's own. Absent: it is looked up.
    pub(crate) severity: Option<Severity>,
    pub(crate) alert_type: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) starts_at: Option<DateTime<Utc>>,
    pub(crate) ends_at: Option<DateTime<Utc>>,
    /// When this was said, where tellings of one alert are to be taken in that order.
    pub(crate) said_at: Option<DateTime<Utc>>,
    pub(crate) links: Vec<(&'static str, String)>,
    pub(crate) is_heartbeat: bool,
    pub(crate) raw: Cow<'a, str>,
}

/// What comes of the words for a severity.
struct Judgement {
    severity: Severity,
    /// Whether the word is one of a heartbeat.
    is_quiet: bool,
    /// Whether nothing that is known was said.
    is_presumed: bool,
}

impl Reading<'_> {
    pub(crate) fn note(&mut self, kind: NoteKind, text: impl Into<String>) {
        self.notes.add(kind, self.place, text);
    }

    /// The alerts of an array, as many as are kept.
    pub(crate) fn elements<'a>(&mut self, array: Node<'a>) -> Vec<Node<'a>> {
        let (first, count) = array.array(ALERTS_MAX).unwrap_or_default();
        self.beyond += count - first.len();
        first
    }

    /// The time that a member gives, with a note when it is none.
    pub(crate) fn time(&mut self, object: &Object<'_>, names: &[&str]) -> Option<DateTime<Utc>> {
        self.moment(&object.first(names)?)
    }

    pub(crate) fn moment(&mut self, text: &str) -> Option<DateTime<Utc>> {
        let moment = moment::read(text);
        match moment {
            Moment::At(_) | Moment::Unset => {}
            Moment::WithoutZone => {
                let text = format!("The time {} has no zone and is left out; send RFC 3339.", shown(text));
                self.note(NoteKind::TimeWithoutZone, text);
            }
            Moment::NotUnderstood if words::is_not_expanded(text) => self.not_expanded(text),
            Moment::NotUnderstood => {
                let text = format!(
                    "The time {} is not understood and is left out; send RFC 3339.",
                    shown(text)
                );
                self.note(NoteKind::TimeNotUnderstood, text);
            }
        }
        moment.at()
    }

    /// A text that its sender did fill in.
    pub(crate) fn expanded(&mut self, text: Option<String>) -> Option<String> {
        let text = text?;
        if words::is_not_expanded(&text) {
            self.not_expanded(&text);
            return None;
        }
        Some(text)
    }

    fn not_expanded(&mut self, text: &str) {
        let text = format!("The sender did not fill in {}; it counts as absent.", shown(text));
        self.note(NoteKind::NotExpanded, text);
    }

    /// What a word says of an alert's state; a word that nobody knows counts as firing, for silence would be worse.
    pub(crate) fn state(&mut self, word: &str) -> Signal {
        words::signal(word).unwrap_or_else(|| {
            let text = format!("The state {} is not known and counts as firing.", shown(word));
            self.note(NoteKind::StatusNotKnown, text);
            Signal::Firing
        })
    }

    /// Makes an observation of what was found.
    pub(crate) fn tell(&mut self, draft: Draft<'_>) {
        if self.observations.len() >= ALERTS_MAX {
            self.beyond += 1;
            return;
        }
        let signal = draft.signal.unwrap_or(Signal::Firing);
        let Judgement {
            severity,
            is_quiet,
            is_presumed,
        } = self.judge(draft.word.as_deref(), draft.severity);
        let is_heartbeat = draft.is_heartbeat || is_quiet;
        let (alert_type, title) = self.names(draft.alert_type.as_deref(), draft.title.as_deref());

        let own_key = draft.key.filter(|key| !key.trim().is_empty());
        let key = own_key.unwrap_or_else(|| {
            let labels = draft
                .labels
                .iter()
                .flat_map(|(name, value)| [name.as_str(), value.as_str()]);
            digest::of([alert_type.as_str(), title.as_str()].into_iter().chain(labels))
        });
        let dedup_key = self.key(key, DEDUP_KEY_CHARS_MAX);
        let event = match (draft.event, &self.envelope) {
            (Some(event), _) => event,
            (None, Some(envelope)) => format!("{envelope}/{}", self.observations.len()),
            (None, None) => self.made_event(&dedup_key, signal),
        };
        let event_id = self.key(event, EVENT_ID_CHARS_MAX);

        let description = draft.description.filter(|text| !text.trim().is_empty()).map(|text| {
            let (text, is_cut) = paragraph(&text, DESCRIPTION_BYTES_MAX);
            if is_cut {
                self.cut("description", &format!("{DESCRIPTION_BYTES_MAX} bytes"));
            }
            text
        });
        let observation = Observation {
            event_id,
            dedup_key,
            signal,
            severity: if is_heartbeat { Severity::Low } else { severity },
            original_severity: draft
                .word
                .map(|word| line(&word, ALERT_TYPE_CHARS_MAX).0)
                .filter(|word| !word.is_empty()),
            is_severity_presumed: is_presumed && !is_heartbeat,
            alert_type,
            title,
            description: description.filter(|text| !text.is_empty()),
            labels: self.labels(draft.labels),
            starts_at: draft.starts_at,
            ends_at: draft.ends_at,
            said_at: draft.said_at,
            links: self.links(draft.links),
            is_heartbeat,
            raw: self.raw(draft.raw),
        };
        self.observations.push(observation);
    }

    /// A telling that has no id: what is told again within a body is another one, for it may say something else.
    fn made_event(&self, dedup_key: &str, signal: Signal) -> String {
        let event = format!("{dedup_key}/{signal}/received {}", self.received_at.timestamp_micros());
        let before = self.observations.iter();
        match before
            .filter(|told| told.dedup_key == dedup_key && told.signal == signal)
            .count()
        {
            0 => event,
            before => format!("{event}/{before}"),
        }
    }

    fn judge(&mut self, word: Option<&str>, own: Option<Severity>) -> Judgement {
        let presumed = self.rules.presumed();
        let said = |severity, is_quiet| Judgement {
            severity,
            is_quiet,
            is_presumed: false,
        };
        let own_or_presumed = || Judgement {
            severity: own.unwrap_or(presumed),
            is_quiet: false,
            is_presumed: own.is_none(),
        };
        let Some(word) = word.filter(|word| !word.trim().is_empty()) else {
            return own_or_presumed();
        };
        let tenants = self.rules.severities.get(&word.trim().to_lowercase()).copied();
        match words::severity(word, self.rules) {
            Judged::As(severity) => said(tenants.or(own).unwrap_or(severity), false),
            Judged::Heartbeat if own.is_none() => said(Severity::Low, true),
            Judged::Heartbeat | Judged::NotKnown => {
                if own.is_none() {
                    let text = format!(
                        "The severity {} is not known and counts as {presumed}; give the source a word for it.",
                        shown(word)
                    );
                    self.note(NoteKind::SeverityNotKnown, text);
                }
                own_or_presumed()
            }
        }
    }

    fn names(&mut self, alert_type: Option<&str>, title: Option<&str>) -> (String, String) {
        let (given_title, is_cut) = line(title.unwrap_or_default(), TITLE_CHARS_MAX);
        if is_cut {
            self.cut("title", &format!("{TITLE_CHARS_MAX} characters"));
        }
        let given_type = alert_type
            .map(|name| line(name, ALERT_TYPE_CHARS_MAX).0)
            .filter(|name| !name.is_empty());
        let alert_type = given_type.unwrap_or_else(|| match given_title.is_empty() {
            true => "alert".to_string(),
            false => line(&given_title, ALERT_TYPE_CHARS_MAX).0,
        });
        let title = if given_title.is_empty() {
            alert_type.clone()
        } else {
            given_title
        };
        (alert_type, title)
    }

    fn key(&mut self, key: String, chars_max: usize) -> String {
        let (key, is_digested) = digest::bounded(key, chars_max);
        if is_digested {
            let text = format!("A key of more than {chars_max} characters is kept as its digest; it works as before.");
            self.note(NoteKind::KeyDigested, text);
        }
        key
    }

    fn cut(&mut self, what: &str, at: &str) {
        self.note(
            NoteKind::TextCut,
            format!("The {what} was cut at {at}; the delivery's body has all of it."),
        );
    }

    fn labels(&mut self, labels: BTreeMap<String, String>) -> BTreeMap<String, String> {
        let (mut kept, mut bytes) = (BTreeMap::new(), 0);
        let count = labels.len();
        for (name, value) in labels {
            let size = name.len() + value.len();
            let fits = kept.len() < LABELS_MAX && bytes + size <= LABELS_BYTES_MAX;
            if fits && !name.trim().is_empty() && name.chars().count() <= LABEL_NAME_CHARS_MAX {
                bytes += size;
                kept.insert(name, value);
            }
        }
        if kept.len() < count {
            let text = format!(
                "{} of {count} labels are left out: at most {LABELS_MAX} of together {LABELS_BYTES_MAX} bytes are kept. The \
                 delivery's body has them.",
                count - kept.len()
            );
            self.note(NoteKind::LabelsCut, text);
        }
        kept
    }

    fn links(&mut self, links: Vec<(&'static str, String)>) -> Vec<Link> {
        let mut kept: Vec<Link> = Vec::new();
        for (title, url) in links {
            let url = url.trim();
            if !crate::bounds::is_link(url) {
                let text = format!(
                    "The link {} is no absolute URL of http or https and is left out.",
                    shown(url)
                );
                self.note(NoteKind::LinkDropped, text);
            } else if kept.len() == LINKS_MAX {
                self.note(
                    NoteKind::LinksCut,
                    format!("Only the first {LINKS_MAX} links are kept."),
                );
                break;
            } else if !kept.iter().any(|link| link.url == url) {
                kept.push(Link {
                    title: title.to_string(),
                    url: url.to_string(),
                });
            }
        }
        kept
    }

    fn raw(&mut self, raw: Cow<'_, str>) -> Option<String> {
        if raw.len() > RAW_BYTES_MAX {
            let text = format!(
                "The alert's part of the body has {} bytes, of {RAW_BYTES_MAX}; the delivery keeps it.",
                raw.len()
            );
            self.note(NoteKind::RawDropped, text);
            return None;
        }
        if self.has_huge_number && !json::is_storable(&raw) {
            self.note(
                NoteKind::RawDropped,
                "A number in it is larger than any that is kept; the delivery has the body.",
            );
            return None;
        }
        (!raw.is_empty()).then(|| raw.into_owned())
    }
}

/// A text of a stranger within a sentence.
pub(crate) fn shown(text: &str) -> String {
    format!("\"{}\"", line(text, 80).0)
}

/// The members of an object as labels: texts, numbers as they were sent, truths; what is nested, as its JSON.
pub(crate) fn labels_of(object: &Object<'_>) -> BTreeMap<String, String> {
    let members = object.members().filter(|(_, node)| !node.is_null());
    members.map(|(name, node)| (name.to_string(), label(node))).collect()
}

fn label(node: Node<'_>) -> String {
    node.string().map_or_else(|| node.text().to_string(), Cow::into_owned)
}

/// Tags as labels: an object, an array of `name:value` or of `{name, value}`, or a text of them with commas between.
pub(crate) fn tags_of(node: Node<'_>) -> BTreeMap<String, String> {
    if let Some(object) = node.object() {
        return labels_of(&object);
    }
    let mut tags = BTreeMap::new();
    if let Some((elements, _)) = node.array(LABELS_MAX * 4) {
        for element in elements {
            tag(element, &mut tags);
        }
    } else if let Some(text) = node.scalar() {
        for word in text.split(',') {
            split(word, &mut tags);
        }
    }
    tags
}

fn tag(node: Node<'_>, tags: &mut BTreeMap<String, String>) {
    if let Some(object) = node.object() {
        let name = object.first(&["tag", "name", "key"]);
        if let Some(name) = name {
            tags.insert(name, object.get("value").map(label).unwrap_or_default());
        }
    } else if let Some((pair, 2)) = node.array(2) {
        if let [name, value] = pair[..] {
            tags.insert(label(name), label(value));
        }
    } else if let Some(text) = node.scalar() {
        split(&text, tags);
    }
}

fn split(word: &str, tags: &mut BTreeMap<String, String>) {
    let (name, value) = word.split_once([':', '=']).unwrap_or((word, ""));
    if !name.trim().is_empty() {
        tags.insert(name.trim().to_string(), value.trim().to_string());
    }
}
