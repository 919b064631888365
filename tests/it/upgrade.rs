//! Databases that former versions made and left, with the demo and the tour of the README in them: what the program of
//! today makes of them. tests/fixtures/README.md says where they come from. They are of the days when `cloudwatcher` was
//! the only context with tables; contexts that came later begin empty in them.

mod claims;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use book::{MasterKey, Pools, Tail, Vault};
use daybook::Role;
use projections::rebuild;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::PgPool;
use tests::{Client, Database, Service, until};
use uuid::Uuid;

const WAIT: Duration = Duration::from_secs(60);
/// The commits of the programs that made them; the latter is the last one before contexts were values.
const FORMER: [&str; 2] = ["71604d3", BEFORE_CONTEXTS];
const BEFORE_CONTEXTS: &str = "96d3d6b";
const TENANT: Uuid = Uuid::from_u128(0x0da7_b00c_0000_4000_8000_0000_0000_0002);
/// The tour's order that was submitted while no policy ran.
const LAST_ORDER: &str = "00000000-0000-4000-8000-000000000008";
/// What belongs to the program rather than to the book, and what an upgrade is there to change.
const NOT_COMPARED: &[&str] = &["public._sqlx_migrations", "book.generations"];
/// Rows that are told of others, with the columns that name those others' tables and values.
const TOLD_OF_OTHERS: [&str; 2] = ["audit_logs", "changes"];

/// A command that the former version was sent, and what it said.
#[derive(Debug, Deserialize)]
struct Answered {
    user: Uuid,
    path: String,
    headers: std::collections::HashMap<String, String>,
    body: String,
    status: u16,
    location: Option<String>,
    answer: String,
}

fn fixture(former: &str, name: &str) -> String {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures")).join(format!("{former}.{name}.gz"));
    let data = std::fs::read(&path).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(data.as_slice())
        .read_to_string(&mut text)
        .unwrap();
    text
}

fn answered(former: &str) -> Vec<Answered> {
    fixture(former, "answers.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The database as it was left, as if that had been a moment ago: receipts are kept for a month and deadlines
/// pass, but a dump does not grow older.
async fn left_by(former: &str) -> (Database, PgPool) {
    let database = Database::restored(&fixture(former, "sql")).await;
    let pool = PgPool::connect_with(database.options.clone()).await.unwrap();
    let today = "update book.timers set due_at = due_at + (now() - (select max(recorded_at) from book.events));
                 update book.receipts set recorded_at = recorded_at + (now() - (select max(recorded_at) from book.events))";
    sqlx::raw_sql(today).execute(&pool).await.unwrap();
    (database, pool)
}

/// Every table, with a copy of it in the schema `former`.
async fn copied(pool: &PgPool) -> Vec<(String, String)> {
    sqlx::raw_sql("create schema former").execute(pool).await.unwrap();
    let tables: Vec<(String, String)> = sqlx::query_as(
        "select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where (n.nspname in ('book', 'public') or n.nspname in (select context from book.generations))
           and c.relkind in ('r', 'p') and not c.relispartition
         order by 1, 2",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    sqlx::raw_sql("create table former.known (context text, table_name text)")
        .execute(pool)
        .await
        .unwrap();
    for (schema, table) in &tables {
        let copy = format!("create table former.{schema}_{table} as table {schema}.{table}");
        sqlx::raw_sql(&copy).execute(pool).await.unwrap();
        sqlx::query("insert into former.known values ($1, $2)")
            .bind(schema)
            .bind(table)
            .execute(pool)
            .await
            .unwrap();
    }
    tables
}

async fn strings(pool: &PgPool, query: &str) -> Vec<String> {
    sqlx::query_scalar(query).fetch_all(pool).await.unwrap()
}

async fn count(pool: &PgPool, query: &str) -> i64 {
    sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
}

/// How many rows are on one side and not on the other, looking at what there was: the columns, the tables that are told
/// of, and the policies.
async fn differences(pool: &PgPool, schema: &str, table: &str) -> (i64, i64) {
    let columns = strings(
        pool,
        &format!(
            "select attname::text from pg_attribute
             where attrelid = 'former.{schema}_{table}'::regclass and attnum > 0 and not attisdropped order by attnum"
        ),
    )
    .await;
    // What is told of rows, column by column, says something of the columns that are new: that is left out. So is what
    // no row tells any more: contacts, texts that another row tells, and what is masked by now.
    let shown = |column: &String| match (table, column.as_str()) {
        ("audit_logs", "old_values" | "new_values") => format!(
            "(case table_name when 'suppliers' then {column} - '{{contact_email,contact_phone}}'::text[]
                              when 'order_history' then {column} - '{{event_description,metadata}}'::text[]
                              when 'orders' then {column} - 'total'
                              when 'requests' then {column} - 'payload_hash'
                              else {column} end
              - coalesce((select array_agg(n.column_name) from former.new_columns n
                          where n.context = '{schema}' and n.table_name = t.table_name), '{{}}'))::text"
        ),
        // What is ordered now, of drafts too, where it was what had been submitted.
        ("orders", "total") => "null::text".to_owned(),
        ("order_history", "event_description") => {
            // One level is told as one by now.
            let asked =
                format!("replace(replace({column}, ' 1 levels', ' 1 level'), ' 1 other orders', ' 1 other order')");
            format!(
                "case event_type when 'rejected' then split_part({column}, ':', 1)
                                 when 'approval-asked' then {asked} else {column} end"
            )
        }
        ("order_history", "metadata") => format!(
            "(case event_type when 'rejected' then {column} - 'notes'
                              when 'note-changed' then {column} #- '{{changed,note,old}}'
                              when 'created' then {column} - 'left_out'
                              else {column} end)::text"
        ),
        _ => format!("{column}::text"),
    };
    let columns: Vec<String> = columns.iter().map(shown).collect();
    let columns = columns.join(", ");
    let before = format!("select {columns} from former.{schema}_{table} t");
    let tells_of_others = TOLD_OF_OTHERS.contains(&table);
    let of_schema = format!("where context = '{schema}'");
    // And so are rows about tables that are new, or that a change of new columns alone has made.
    let known = match (schema, table) {
        ("book", "policies") => "where name in (select name from former.book_policies)".to_owned(),
        _ if tells_of_others => format!("where table_name in (select table_name from former.known {of_schema})"),
        _ => String::new(),
    };
    let after = format!("select {columns} from {schema}.{table} t {known}");
    let without = |one: &str, other: &str| format!("select count(*) from ({one} except all {other}) d");
    let gone = count(pool, &without(&before, &after)).await;
    let mut added = without(&after, &before);
    if tells_of_others {
        let of_these = format!("table_name not in (select table_name from former.new_columns {of_schema})");
        added = without(&format!("{after} and {of_these}"), &before);
    }
    (gone, count(pool, &added).await)
}

async fn upgraded(pools: &Pools) -> Tail {
    daybook::migrate(&pools.owner, &tests::contexts()).await.unwrap();
    let master = MasterKey::from_hex(tests::ledger::MASTER_KEY).unwrap();
    let tail = Tail::new(pools.projector.clone(), Vault::new(pools.projector.clone(), master));
    for context in tests::tables() {
        rebuild::ensure_live(pools, &tail, context, &|_| {}).await.unwrap();
    }
    tail
}

/// The fingerprints of the live tables, by context.
async fn live(pool: &PgPool) -> BTreeMap<String, String> {
    let live = "select context, fingerprint from book.generations where state = 'live'";
    let live: Vec<(String, String)> = sqlx::query_as(live).fetch_all(pool).await.unwrap();
    live.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_leaves_every_row_as_it_was_but_for_columns_that_are_new() {
    for former in FORMER {
        let (database, pool) = left_by(former).await;
        let tables = copied(&pool).await;
        assert!(tables.len() > 40, "{former}: {tables:?}");
        let pools = Pools::connect(&database.options).await.unwrap();
        let tail = upgraded(&pools).await;
        let news = "create table former.new_columns as
                select k.context, c.table_name::text, c.column_name::text
                from information_schema.columns c
                join former.known k on k.context = c.table_schema and k.table_name = c.table_name
                where not exists (select from information_schema.columns f where f.table_schema = 'former'
                    and f.table_name = k.context || '_' || k.table_name and f.column_name = c.column_name)";
        sqlx::raw_sql(news).execute(&pool).await.unwrap();
        let mut rows = 0;
        for (schema, table) in &tables {
            if NOT_COMPARED.contains(&format!("{schema}.{table}").as_str()) {
                continue;
            }
            let differences = differences(&pool, schema, table).await;
            assert_eq!(
                differences,
                (0, 0),
                "{former}: rows of {schema}.{table} that are gone, that are new"
            );
            rows += count(&pool, &format!("select count(*) from {schema}.{table}")).await;
        }
        assert!(rows > 20_000, "{former}: {rows} rows were compared");
        let now = tests::tables().into_iter();
        let now = now.map(|context| (context.name.to_owned(), context.fingerprint().unwrap()));
        assert_eq!(live(&pool).await, now.collect(), "the tables are those of today's code");
        for context in tests::tables() {
            let report = rebuild::rebuild(&pools, &tail, context, false, &|_| {}).await.unwrap();
            assert!(report.compared && report.differences.is_empty(), "{former}: {report:?}");
        }
        pools.close().await;
        pool.close().await;
    }
}

async fn send(client: &Client, command: &Answered, key: bool) -> tests::service::Reply {
    let mut request = client
        .request(Method::POST, &command.path)
        .header("content-type", "application/json");
    for (name, value) in &command.headers {
        if key || name != "Idempotency-Key" {
            request = request.header(name, value);
        }
    }
    client.send(request.body(command.body.clone())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_answered_before_an_upgrade_is_answered_the_same_after_it_and_what_was_sealed_is_opened() {
    for former in FORMER {
        answers_as(former).await;
    }
}

/// An answer without what no version before this one said.
fn as_then(answer: &str) -> Value {
    let mut answer: Value = serde_json::from_str(answer).unwrap();
    let outcomes = answer["outcomes"]
        .as_array_mut()
        .map(std::mem::take)
        .unwrap_or_default();
    let known = |mut said: Value| {
        let fields = said.as_object_mut().unwrap();
        fields.retain(|name, _| !["command_id", "repeated", "warnings"].contains(&name.as_str()));
        said
    };
    let mut answer = known(answer);
    if !outcomes.is_empty() {
        answer["outcomes"] = outcomes.into_iter().map(known).collect();
    }
    answer
}

async fn answers_as(former: &str) {
    let (database, pool) = left_by(former).await;
    let pools = Pools::connect(&database.options).await.unwrap();
    daybook::migrate(&pools.owner, &tests::contexts()).await.unwrap();
    pools.close().await;
    let service = Service::over(database, vec![Role::Api, Role::Relay, Role::Projector]).await;
    let as_user = |user| Client::new(&service.url, TENANT, user);
    let end = count(&pool, "select book.last_position()").await;
    let commands = answered(former);
    for command in &commands {
        let reply = send(&as_user(command.user), command, true).await;
        let location = reply
            .headers
            .get("location")
            .map(|value| value.to_str().unwrap().to_owned());
        let said = (reply.status.as_u16(), as_then(&reply.text), location);
        let then = (command.status, as_then(&command.answer), command.location.clone());
        assert_eq!(said, then, "{former}: {command:?}");
    }
    assert!(commands.len() > 40);
    // A device needs no key but its own.
    let request = commands
        .iter()
        .find(|command| command.path == "/v1/cloudwatcher/requests")
        .unwrap();
    assert!(request.body.contains("request_key"));
    let again = send(&as_user(request.user), request, false).await;
    assert_eq!(as_then(&again.text), as_then(&request.answer));
    let response = format!("{}/response", request.location.as_deref().unwrap());
    let response = as_user(request.user).get(&response).await.ok();
    assert_eq!(response["content"], json!({"available": 40}), "{response}");

    let admin = as_user(commands[0].user);
    assert_eq!(
        count(&pool, "select book.last_position()").await,
        end,
        "nothing happened twice"
    );
    // What the former version has sealed is opened.
    let path = "/v1/cloudwatcher/users/00000000-0000-4000-8000-000000000010";
    let look = async || {
        let reply = admin.get(path).await;
        // Until the tables are rebuilt they are the former version's.
        (reply.status != 503).then_some(reply)
    };
    let person = until("the rebuilt tables", WAIT, look).await.0.ok();
    assert_eq!(person["name"], "Tess Tour", "{person}");
    let erased = admin
        .get("/v1/cloudwatcher/users/00000000-0000-4000-8000-000000000090")
        .await;
    assert!(!erased.text.contains("Eve"), "{}", erased.text);
    pool.close().await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_go_on_where_the_former_version_left_them() {
    for former in FORMER {
        policies_go_on_after(former).await;
    }
}

async fn policies_go_on_after(former: &str) {
    let (database, pool) = left_by(former).await;
    let asked = async || -> Vec<String> {
        let asked = "select aggregate_id from book.events where event_type = 'ApprovalAsked' order by position";
        strings(&pool, asked).await
    };
    let before = asked().await;
    assert!(!before.is_empty() && !before.contains(&LAST_ORDER.to_owned()));
    let timers = strings(&pool, "select timer_id::text from book.timers order by 1").await;
    let pools = Pools::connect(&database.options).await.unwrap();
    daybook::migrate(&pools.owner, &tests::contexts()).await.unwrap();
    pools.close().await;
    let service = Service::over(database, vec![Role::Api, Role::Relay, Role::Projector, Role::Policy]).await;
    let look = async || (asked().await.len() > before.len()).then_some(());
    until("what was submitted meanwhile", WAIT, look).await;
    tests::database::policies_caught_up(&pool, WAIT).await;
    let mut wanted = before;
    wanted.push(LAST_ORDER.to_owned());
    assert_eq!(
        asked().await,
        wanted,
        "what was submitted meanwhile is asked for, and nothing again"
    );
    assert_eq!(count(&pool, "select count(*) from book.missed").await, 0);
    let kept = strings(&pool, "select timer_id::text from book.timers order by 1").await;
    assert!(
        timers.iter().all(|timer| kept.contains(timer)),
        "deadlines that were set stay set"
    );
    assert_eq!(kept.len(), timers.len() + 1, "and there is the new order's");
    pool.close().await;
    service.end().await;
}
