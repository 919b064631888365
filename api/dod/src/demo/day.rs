//! The demo's day: when what goes wrong, and the bodies in which its senders tell of it.

use chrono::{DateTime, TimeDelta, Utc};
use http::demo::Story;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore as _;

use super::{Sender, shape};

const DAY_MINUTES: u32 = 24 * 60;
/// How often a sender repeats what is not over, and a heartbeat comes, in minutes.
const REPEAT_MINUTES: u32 = 30;
/// The storm: when a rack falls silent, for how long, how many hosts stand in it, and how many of them one body tells of.
const STORM_MINUTE: u32 = 14 * 60 + 5;
const STORM_MINUTES: u32 = 40;
const STORM_HOSTS: u32 = 40;
const STORM_BODY_ALERTS: u32 = 4;

/// A body as it is sent.
#[derive(Debug, Clone)]
pub(super) struct Body {
    pub sender: Sender,
    /// When it is told to have been sent, in minutes of the day.
    pub minute: u32,
    pub bytes: Vec<u8>,
}

/// Something that goes wrong.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    pub what: &'static What,
    /// The host, service or queue.
    pub thing: String,
    pub env: &'static str,
    /// What is measured.
    pub value: u32,
    pub began_at: DateTime<Utc>,
    /// Tells it from others of its sender.
    pub number: u32,
}

/// A kind of things that go wrong.
#[derive(Debug)]
pub(super) struct What {
    pub sender: Sender,
    pub alert_type: &'static str,
    /// Before the thing's name, and behind it.
    pub title: (&'static str, &'static str),
    /// In the words of its sender.
    pub severity: &'static str,
    /// The label that says which thing it is.
    pub label: &'static str,
    /// The label that says what is measured.
    pub measure: &'static str,
    things: &'static [&'static str],
    values: (u32, u32),
    times: u32,
}

const HOSTS: &[&str] = &["db-1", "db-2", "web-1", "web-2", "batch-1"];
const SERVICES: &[&str] = &["checkout", "search", "accounts", "mail"];
const QUEUES: &[&str] = &["orders", "invoices", "thumbnails"];

const WHATS: [What; 8] = [
    What {
        sender: Sender::Prometheus,
        alert_type: "DiskFillsUp",
        title: ("The disk of ", " fills up"),
        severity: "warning",
        label: "instance",
        measure: "used",
        things: HOSTS,
        values: (82, 99),
        times: 12,
    },
    What {
        sender: Sender::Prometheus,
        alert_type: "HighErrorRate",
        title: ("Too many requests of ", " fail"),
        severity: "critical",
        label: "service",
        measure: "percent",
        things: SERVICES,
        values: (5, 60),
        times: 8,
    },
    What {
        sender: Sender::Grafana,
        alert_type: "Latency",
        title: ("", " is slow"),
        severity: "high",
        label: "service",
        measure: "seconds",
        things: SERVICES,
        values: (2, 30),
        times: 14,
    },
    What {
        sender: Sender::Grafana,
        alert_type: "Certificate",
        title: ("The certificate of ", " ends soon"),
        severity: "low",
        label: "service",
        measure: "days",
        things: SERVICES,
        values: (1, 14),
        times: 4,
    },
    What {
        sender: Sender::Cloud,
        alert_type: "QueueDepth",
        title: ("The queue ", " grows"),
        severity: "medium",
        label: "queue",
        measure: "depth",
        things: QUEUES,
        values: (2_000, 40_000),
        times: 14,
    },
    What {
        sender: Sender::Cloud,
        alert_type: "Budget",
        title: ("The month's budget of ", " is nearly spent"),
        severity: "low",
        label: "service",
        measure: "percent",
        things: SERVICES,
        values: (80, 99),
        times: 4,
    },
    What {
        sender: Sender::Zabbix,
        alert_type: "Processor load is too high",
        title: ("Processor load is too high on ", ""),
        severity: "Average",
        label: "host",
        measure: "load",
        things: HOSTS,
        values: (8, 64),
        times: 14,
    },
    What {
        sender: Sender::Zabbix,
        alert_type: "Restarted",
        title: ("", " has been restarted"),
        severity: "Warning",
        label: "host",
        measure: "uptime",
        things: HOSTS,
        values: (1, 9),
        times: 8,
    },
];

const RACK: What = What {
    sender: Sender::Prometheus,
    alert_type: "InstanceDown",
    title: ("", " does not answer"),
    severity: "critical",
    label: "instance",
    measure: "probes",
    things: &[],
    values: (0, 1),
    times: 0,
};

/// All bodies of the day that begins then, in the order in which they are sent; the same for the same seed.
pub(super) fn bodies(story: &Story<'_>, midnight: DateTime<Utc>) -> Vec<Body> {
    let mut bodies = heartbeats(midnight);
    let mut number = 0;
    for what in &WHATS {
        let mut chance = story.chance(&format!("alerts/{}", what.alert_type));
        for _ in 0..what.times {
            number += 1;
            bodies.extend(trouble(what, number, &mut chance, midnight));
        }
    }
    bodies.extend(storm(midnight));
    // What a sender sends whose template is broken.
    bodies.push(Body {
        sender: Sender::Cloud,
        minute: 9 * 60,
        bytes: b"{\"title\": \"The queue orders grows\", \"labels\": {".to_vec(),
    });
    // Stable: what one sender tells in the same minute stays in its order.
    bodies.sort_by_key(|body| body.minute);
    bodies
}

fn heartbeats(midnight: DateTime<Utc>) -> Vec<Body> {
    let beat = shape::heartbeat(midnight);
    let minutes = (0..DAY_MINUTES).step_by(REPEAT_MINUTES as usize);
    let of = |minute| Body {
        sender: Sender::Prometheus,
        minute,
        bytes: beat.clone(),
    };
    minutes.map(of).collect()
}

/// What is told of one trouble: its beginning, its repeats, and its end unless the day ends before.
fn trouble(what: &'static What, number: u32, chance: &mut ChaCha8Rng, midnight: DateTime<Utc>) -> Vec<Body> {
    let mut below = |bound: u32| chance.next_u32() % bound.max(1);
    let began = below(DAY_MINUTES);
    let ended = began + 5 + below(85);
    let thing = what.things[below(u32::try_from(what.things.len()).unwrap_or(1)) as usize];
    let trouble = Trouble {
        what,
        thing: thing.to_owned(),
        env: if below(4) == 0 { "test" } else { "production" },
        value: what.values.0 + below(what.values.1 - what.values.0 + 1),
        began_at: at(midnight, began),
        number,
    };
    let firing = (began..ended.min(DAY_MINUTES)).step_by(REPEAT_MINUTES as usize);
    let mut told: Vec<_> = firing.map(|minute| (minute, shape::one(&trouble, None))).collect();
    if ended < DAY_MINUTES {
        let over = shape::one(&trouble, Some(at(midnight, ended)));
        told.push((ended, over));
    }
    let of = |(minute, bytes)| Body {
        sender: what.sender,
        minute,
        bytes,
    };
    told.into_iter().map(of).collect()
}

/// A rack falls silent: all its hosts at once, told by both of a pair of Alertmanagers, and all of them well again later.
fn storm(midnight: DateTime<Utc>) -> Vec<Body> {
    let (began, ended) = (STORM_MINUTE, STORM_MINUTE + STORM_MINUTES);
    let hosts: Vec<Trouble> = (1..=STORM_HOSTS)
        .map(|host| Trouble {
            what: &RACK,
            thing: format!("rack7-{host:02}"),
            env: "production",
            value: 0,
            began_at: at(midnight, began),
            number: 1_000 + host,
        })
        .collect();
    let told = |minute: u32, over: Option<DateTime<Utc>>| {
        let groups = hosts.chunks(STORM_BODY_ALERTS as usize);
        let of = move |some: &[Trouble]| Body {
            sender: Sender::Prometheus,
            minute,
            bytes: shape::several(some, over),
        };
        groups.map(of).collect::<Vec<_>>()
    };
    let twice = |bodies: Vec<Body>| bodies.clone().into_iter().chain(bodies);
    let down = twice(told(began, None));
    down.chain(twice(told(ended, Some(at(midnight, ended))))).collect()
}

fn at(midnight: DateTime<Utc>, minute: u32) -> DateTime<Utc> {
    midnight + TimeDelta::minutes(minute.into())
}
