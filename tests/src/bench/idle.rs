//! `idle.*`: what one process with all roles costs while nothing happens.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Row as _};

use super::Figure;
use crate::process::Process;
use crate::{Database, setting, until};

/// Time to get over the start: it prepares, connects and looks around.
const WARM_UP: Duration = Duration::from_secs(12);
const MEASURED: Duration = Duration::from_secs(30);

pub async fn run() -> Vec<Figure> {
    let database = Database::create().await;
    let (url, name) = (database.url(), database.name.clone());
    let process = Process::start(&url, &setting("NATS_URL"), &name, "api,relay,projector,policy,reactor").await;
    let leads = || async { process.leads("projector cloudwatcher").await.then_some(()) };
    until("the projector's lead", Duration::from_secs(60), leads).await;
    let mut server = PgConnection::connect(&setting("DATABASE_URL"))
        .await
        .expect("the server answers");
    tokio::time::sleep(WARM_UP).await;
    let (statements, cpu) = (statements(&mut server, &name).await, process.cpu_seconds());
    tokio::time::sleep(MEASURED).await;
    let (statements, cpu) = (
        self::statements(&mut server, &name).await - statements,
        process.cpu_seconds() - cpu,
    );
    process.kill();
    let seconds = MEASURED.as_secs_f64();
    vec![
        Figure::alone("idle.cpu", cpu / seconds * 100.0, "% of a core"),
        Figure::alone("idle.statements", statements as f64 / seconds, "a second"),
    ]
}

/// How many transactions a database has had; of an idle process each is one statement.
async fn statements(server: &mut PgConnection, database: &str) -> i64 {
    let row = sqlx::query("select xact_commit + xact_rollback as count from pg_stat_database where datname = $1")
        .bind(database)
        .fetch_one(server)
        .await
        .expect("the statistics");
    row.try_get("count").expect("a count")
}
