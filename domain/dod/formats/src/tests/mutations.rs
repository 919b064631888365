//! Bodies of all formats, broken at random with a fixed seed.

use super::*;
use crate::json::{Document, Mends};
use crate::samples::rules;
use crate::{Format, Rules};

const BODIES: usize = 100_000;

/// Numbers that look random and are the same each time (SplitMix64).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

const TEXTS: [&str; 24] = [
    "\\u0000",
    "\\ud800",
    "\\udc00\\ud83d",
    "\u{202e}",
    "\u{0}",
    "\n",
    "\\",
    "\"",
    "{",
    "[",
    "]",
    "}",
    ",",
    ":",
    "null",
    "true",
    "$ALERT_ID",
    "{EVENT.ID}",
    "0001-01-01T00:00:00Z",
    "9999-99-99T99:99:99Z",
    "+262143-01-01T00:00:00Z",
    "javascript:alert(1)",
    "none",
    "\u{fffd}",
];
const NUMBERS: [&str; 9] = [
    "9007199254740993",
    "1e400",
    "-1e-400",
    "1e99999",
    "-0",
    "1.10",
    "170141183460469231731687303715884105728",
    "00",
    "-9223372036854775808",
];

// Most of what breaks a text breaks its JSON; every other body stays JSON, so that what is behind the parser is tried too.
fn mutate(body: &mut Vec<u8>, other: &[u8], stays_json: bool, dice: &mut Dice) {
    let at = dice.below(body.len() + 1);
    let way = if stays_json { 5 + dice.below(4) } else { dice.below(9) };
    match way {
        0 if !body.is_empty() => {
            let at = at.min(body.len() - 1);
            body[at] ^= 1 << dice.below(8);
        }
        1 => body.truncate(at),
        2 => {
            let from = dice.below(other.len() + 1);
            let to = from + dice.below(other.len() - from + 1);
            body.splice(at..at, other[from..to].iter().copied());
        }
        3 => {
            let to = at + dice.below((body.len() - at).min(40) + 1);
            body.drain(at..to);
        }
        5 => insert_member(body, dice),
        6 => replace_number(body, dice),
        4 => {
            let text = TEXTS[dice.below(TEXTS.len())];
            body.splice(at..at, text.bytes());
        }
        7 => replace_text(body, dice),
        _ => {
            let levels = if stays_json { dice.below(50) } else { dice.below(100) };
            let nested = format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
            replace_value(body, nested.as_bytes(), dice);
        }
    }
}

// A name of the body once more somewhere, with another value.
fn insert_member(body: &mut Vec<u8>, dice: &mut Dice) {
    let (Some(name), Some((at, _))) = (pick(body, true, dice), pick(body, true, dice)) else {
        return;
    };
    let name = &body[name.0..name.1];
    let values = [
        "null",
        "true",
        "\"ok\"",
        "[]",
        "{}",
        "\"\"",
        "1e400",
        "9007199254740993",
    ];
    let member = [name, b":", values[dice.below(values.len())].as_bytes(), b","].concat();
    body.splice(at..at, member);
}

fn replace_number(body: &mut Vec<u8>, dice: &mut Dice) {
    let number = NUMBERS[dice.below(NUMBERS.len())];
    let starts: Vec<usize> = body
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| matches!(pair[0], b':' | b'[' | b',' | b'"') && pair[1].is_ascii_digit())
        .map(|(at, _)| at + 1)
        .collect();
    if starts.is_empty() {
        return;
    }
    let at = starts[dice.below(starts.len())];
    let to = body[at..]
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .map_or(body.len(), |end| at + end);
    body.splice(at..to, number.bytes());
}

fn replace_text(body: &mut Vec<u8>, dice: &mut Dice) {
    let Some((from, to)) = pick(body, false, dice) else {
        return;
    };
    let text = match dice.below(8) {
        0 => "x".repeat(dice.below(40_000)),
        1 => String::new(),
        2 => NUMBERS[dice.below(NUMBERS.len())].to_string(),
        _ => TEXTS[dice.below(TEXTS.len())].trim_end_matches(['"', '\\']).to_string(),
    };
    body.splice(from + 1..to - 1, text.bytes());
}

fn replace_value(body: &mut Vec<u8>, value: &[u8], dice: &mut Dice) {
    if let Some((from, to)) = pick(body, false, dice) {
        body.splice(from..to, value.iter().copied());
    }
}

// A text of the body: the name of a member, or a value.
fn pick(body: &[u8], is_name: bool, dice: &mut Dice) -> Option<(usize, usize)> {
    let (mut texts, mut at) = (Vec::new(), 0);
    while let Some(from) = body[at..].iter().position(|byte| *byte == b'"').map(|from| at + from) {
        let mut to = from + 1;
        while body.get(to).is_some_and(|byte| *byte != b'"') {
            to += if body[to] == b'\\' { 2 } else { 1 };
        }
        if to >= body.len() {
            break;
        }
        at = to + 1;
        if (body.get(at) == Some(&b':')) == is_name {
            texts.push((from, at));
        }
    }
    (!texts.is_empty()).then(|| texts[dice.below(texts.len())])
}

fn holds(recognised: &Recognised, body: &[u8]) {
    let shown = || String::from_utf8_lossy(&body[..body.len().min(2_000)]).into_owned();
    let is_told =
        !recognised.observations.is_empty() || !recognised.notes.is_empty() || recognised.subscription.is_some();
    assert!(is_told, "nothing is told of {}", shown());
    if recognised.format == Format::Unmapped {
        assert!(
            recognised.observations.is_empty() && !recognised.notes.is_empty(),
            "{}",
            shown()
        );
    }
    assert!(recognised.observations.len() <= crate::ALERTS_MAX && recognised.notes.len() <= crate::note::NOTES_MAX);
    for observation in &recognised.observations {
        use crate::observation::*;
        let chars = |text: &str| text.chars().count();
        assert!(
            (1..=TITLE_CHARS_MAX).contains(&chars(&observation.title)),
            "{}",
            shown()
        );
        assert!(
            (1..=ALERT_TYPE_CHARS_MAX).contains(&chars(&observation.alert_type)),
            "{}",
            shown()
        );
        assert!(
            (1..=DEDUP_KEY_CHARS_MAX).contains(&chars(&observation.dedup_key)),
            "{}",
            shown()
        );
        assert!((1..=255).contains(&chars(&observation.event_id)), "{}", shown());
        assert!(observation.labels.len() <= LABELS_MAX && observation.links.len() <= LINKS_MAX);
        assert!(
            observation
                .description
                .as_ref()
                .is_none_or(|text| text.len() <= DESCRIPTION_BYTES_MAX)
        );
        assert!(observation.raw.as_ref().is_none_or(|raw| raw.len() <= RAW_BYTES_MAX));
        assert!(observation.links.iter().all(|link| crate::bounds::is_link(&link.url)));
        // U+0000 is nowhere: neither the database's texts nor its JSON hold it.
        let Observation {
            event_id,
            dedup_key,
            title,
            alert_type,
            labels,
            description,
            ..
        } = observation;
        let texts = [event_id, dedup_key, title, alert_type]
            .into_iter()
            .chain(description)
            .chain(labels.keys());
        assert!(
            !texts.chain(labels.values()).any(|text| text.contains('\0')),
            "{}",
            shown()
        );
        if let Some(raw) = &observation.raw {
            assert_eq!(Document::read(raw.as_bytes()).unwrap().mends, Mends::default(), "{raw}");
            let node: Result<&serde_json::value::RawValue, _> = serde_json::from_str(raw);
            assert!(node.is_ok_and(|node| node.get() == raw), "{raw}");
        }
    }
}

#[test]
fn no_broken_body_panics_or_ends_with_nothing_told() {
    let (samples, mut dice) = (all(), Dice::new(20_260_301));
    let (found_out, mut alerts, mut notes, mut refused) = (rules(), 0, 0, 0);
    let fixed: Vec<Rules> = samples
        .iter()
        .map(|sample| Rules {
            format: Some(sample.format),
            ..rules()
        })
        .collect();
    for number in 0..BODIES {
        let place = dice.below(samples.len());
        let sample = &samples[place];
        let mut body = sample.body.as_bytes().to_vec();
        for _ in 0..1 + dice.below(4) {
            let other = samples[dice.below(samples.len())].body.as_bytes();
            mutate(&mut body, other, number % 2 == 0, &mut dice);
        }
        let rules = if number % 4 == 0 {
            &fixed[dice.below(fixed.len())]
        } else {
            &found_out
        };
        match sample.recognise_body(&body, rules) {
            Ok(recognised) => {
                holds(&recognised, &body);
                alerts += recognised.observations.len();
                notes += recognised.notes.len();
            }
            Err(unreadable) => {
                assert!(!unreadable.to_string().is_empty());
                refused += 1;
            }
        }
    }
    println!("{BODIES} bodies: {alerts} alerts, {notes} notes, {refused} refused");
    assert!(
        alerts > BODIES / 4 && notes > BODIES / 10 && refused > BODIES / 10,
        "{alerts} {notes} {refused}"
    );
}
