//! `dod.list.*`: lists of alerts with filters, over HTTP, among very many, beside the reading of one row. The rows are put
//! straight into the table: how fast they are read does not depend on how they came there.

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection as _, Executor as _};
use uuid::Uuid;

use crate::bench::queries::{Pattern, asked};
use crate::bench::{Figure, Size};
use crate::process::Process;
use crate::{Database, service, setting};

/// Sources, kinds of alerts, and alerts of one issue and of one thing.
const SOURCES: u32 = 12;
const TYPES: u32 = 400;
const ALERTS_OF_ISSUE: u32 = 20;
const SIGNALS: u32 = 20_000;

const PATTERNS: [Pattern; 6] = [
    ("dod.list.open", "dod.list.open.p50", |_| {
        "/v1/dod/alerts?status=open&order=received_at.desc&limit=50".to_owned()
    }),
    ("dod.list.severe", "dod.list.severe.p50", |n| {
        let source = n % SOURCES;
        format!("/v1/dod/alerts?severity=in.(critical,high)&source=Source {source}&order=received_at.desc&limit=50")
    }),
    ("dod.list.type", "dod.list.type.p50", |n| {
        let kind = n % TYPES;
        format!("/v1/dod/alerts?alert_type=Type{kind}&status=resolved&order=received_at.desc&limit=50")
    }),
    ("dod.list.issue", "dod.list.issue.p50", |n| {
        let issue = id(Kind::Issue, n % 1_000);
        format!("/v1/dod/alerts?issue_id={issue}&order=received_at.asc")
    }),
    ("dod.list.thing", "dod.list.thing.p50", |n| {
        let key = n % 1_000;
        format!("/v1/dod/alerts?dedup_key=key-{key}&order=received_at.desc&limit=50")
    }),
    ("dod.list.span", "dod.list.span.p50", |n| {
        let hour = 1 + n % 9;
        format!(
            "/v1/dod/alerts?received_at=gte.2026-01-01T0{hour}:00:00Z&severity=critical&order=received_at.asc&limit=50"
        )
    }),
];

/// What an id is one of.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Alert = 1,
    Issue,
    Source,
    Delivery,
    Signal,
}

/// The id of the n-th of its kind.
fn id(kind: Kind, n: u32) -> Uuid {
    Uuid::from_u128((u128::from(kind as u8) << 96) | 0x4000_8000_0000_0000_0000 | u128::from(n))
}

pub async fn run(size: Size) -> Vec<Figure> {
    let database = Database::create().await;
    let tenant = Uuid::new_v4();
    load(&database.options, tenant, size.alerts).await;
    let process = Process::start(&database.url(), &setting("NATS_URL"), &database.name, "api").await;
    let client = service::administrator(&database, &process.url, tenant).await;
    let row = |n: u32| format!("/v1/dod/alerts/{}", id(Kind::Alert, n % 1_000));
    let (row_p50, row_p99) = asked(&client, row).await;
    let mut figures = Vec::new();
    for (name, median, path) in PATTERNS {
        let (p50, p99) = asked(&client, path).await;
        figures.push(Figure::against(name, p99, "ms", row_p99));
        figures.push(Figure::against(median, p50, "ms", row_p50));
    }
    drop(process);
    figures
}

/// Fills the table of alerts, as its owner.
async fn load(options: &PgConnectOptions, tenant: Uuid, alerts: u32) {
    let mut connection = PgConnection::connect_with(options).await.expect("the database answers");
    // What they refer to is not there, and nobody asks for it.
    let settings = "set session_replication_role = replica; set search_path = dod, public;
        create function pg_temp.made(kind integer, n bigint) returns uuid language sql immutable as
        $$ select (lpad(to_hex(kind), 8, '0') || '-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid $$;";
    connection.execute(settings).await.expect("settings");
    let made = |kind: Kind, n: &str| format!("pg_temp.made({}, {n})", kind as u8);
    let insert = format!(
        "insert into alerts (tenant_id, id, source, alert_type, severity, title, labels, links, status, received_at,
             last_seen_at, count, is_flapping, is_heartbeat, issue_id, source_id, delivery_id, signal_id, episode, dedup_key,
             created_at, updated_at, position)
         select '{tenant}', {alert}, 'Source ' || n % {SOURCES}, 'Type' || n % {TYPES},
             (array['low', 'medium', 'high', 'critical'])[1 + n / {SOURCES} * 7919 % 4], 'Something is wrong with host-' || n % {SIGNALS},
             jsonb_build_object('instance', 'host-' || n % {SIGNALS}, 'team', 'team-' || n % 9), '[]',
             case when n % 97 = 0 then 'open' when n % 31 = 0 then 'ignored' else 'resolved' end,
             timestamptz '2026-01-01' + n * interval '1 second', timestamptz '2026-01-01' + n * interval '1 second',
             1 + n % 5, false, false, {issue}, {source}, {delivery}, {signal}, n / {SIGNALS} + 1, 'key-' || n % {SIGNALS},
             timestamptz '2026-01-01' + n * interval '1 second', timestamptz '2026-01-01' + n * interval '1 second', n + 1
         from generate_series(0, {alerts} - 1) n",
        alert = made(Kind::Alert, "n"),
        issue = made(Kind::Issue, &format!("n / {ALERTS_OF_ISSUE}")),
        source = made(Kind::Source, &format!("n % {SOURCES}")),
        delivery = made(Kind::Delivery, "n"),
        signal = made(Kind::Signal, &format!("n % {SIGNALS}")),
    );
    connection.execute(insert.as_str()).await.expect("alerts");
    connection.execute("vacuum analyze alerts").await.expect("analyze");
}
