//! How far each context is posted, and what is to be said of that.

use std::collections::BTreeMap;
use std::time::Instant;

use chrono::{DateTime, Utc};
use projections::generation::tables_of;
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::Row as _;

use super::standing::Told;
use super::{LAG_SECONDS_MAX, Ready};
use crate::app::App;

/// For how long a process that starts waits for tables of its own while no rebuild of any context gets on, in seconds.
/// A rebuild that is under way gets on for as long as those who rebuild grant each of its steps.
const AWAITED_SECONDS_MAX: f64 = 300.0;

/// How far a context is posted, whoever posts it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Posting {
    /// Whose the live tables are.
    tables: Whose,
    /// 0 without tables.
    position: i64,
    lag_events: i64,
    /// The age of the first event that is not posted; or how long it was seen waiting, if that is longer. Null without tables.
    lag_seconds: Option<f64>,
    /// Where the tables are that somebody builds beside the live ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    rebuilt_to: Option<i64>,
    /// What is being done to tables that are built beside the live ones, or taken back: `loading`, `indexing`,
    /// `comparing` or `swapping`.
    #[serde(skip_serializing_if = "Option::is_none")]
    rebuild: Option<String>,
    /// Whether this process has waited for them once, and serves whatever becomes of them.
    begun: bool,
    /// Whether they are ahead of the book: their rows are wrong, not served, and being rebuilt.
    ahead: bool,
    /// For how long it was seen not to move although events wait.
    #[serde(skip)]
    stands_seconds: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Whose {
    /// Made by the code that this program has.
    Own,
    /// Made by other code: the rows may be others.
    AnotherVersions,
    /// There are none, or some are missing.
    None,
}

/// What is to be said of the tables: of what a process that starts waits for, and of what is late.
pub(super) fn tell(app: &App, ready: &mut Ready) {
    let rebuilds_stand_seconds = app.standing.rebuilds_stand_seconds(Instant::now());
    for (&name, posting) in &mut ready.contexts {
        if posting.ahead {
            let words = "are ahead of the book, so their rows are wrong: they are not served, and are rebuilt";
            ready.problems.push(format!("the tables of {name} {words}"));
        }
        if !app.fingerprints.contains_key(name) {
            app.standing.begins(name);
            posting.begun = true;
            ready.degraded.push(format!(
                "this version neither posts nor rebuilds the tables of {name}, whose golden history it cannot fold; see \
                 its log"
            ));
            continue;
        }
        if !posting.begun {
            match missing(name, posting, app.began, rebuilds_stand_seconds) {
                Some(words) if app.serves_api => {
                    ready.problems.push(words);
                    continue;
                }
                Some(words) => {
                    ready.degraded.push(words);
                    continue;
                }
                None => {
                    app.standing.begins(name);
                    posting.begun = true;
                }
            }
        }
        match posting.tables {
            Whose::None => ready.degraded.push(format!(
                "{name} has no tables, or not all: its reads are answered 503 until they are rebuilt"
            )),
            Whose::AnotherVersions => ready
                .degraded
                .push(format!("the tables of {name} are another version's")),
            Whose::Own => {}
        }
        if let Some(seconds) = posting.lag_seconds.filter(|seconds| *seconds > LAG_SECONDS_MAX) {
            ready.degraded.push(format!("{name} is {seconds:.0} s behind the book"));
        }
    }
}

/// What the tables of a context lack to be read by this program, which has just started; `None` also once waiting for
/// it makes no sense, because nobody posts or rebuilds them.
fn missing(name: &str, posting: &Posting, began: i64, rebuilds_stand_seconds: f64) -> Option<String> {
    let words = match posting.tables {
        Whose::None => format!("{name} has no tables yet, or not all of them"),
        Whose::AnotherVersions => {
            format!("the tables of {name} are another version's; those of this one are not there yet")
        }
        Whose::Own => {
            let is_late = posting.lag_seconds > Some(LAG_SECONDS_MAX) && posting.stands_seconds > LAG_SECONDS_MAX;
            let stands = is_late && posting.rebuild.is_none();
            let behind = began - posting.position;
            return (behind > 0 && !stands).then(|| {
                format!("{name} has yet to post {behind} events that were in the book when this process started")
            });
        }
    };
    // Contexts are rebuilt one after another: while one gets on, the others have their turn to come.
    (rebuilds_stand_seconds <= AWAITED_SECONDS_MAX).then_some(words)
}

/// The end of the book, and how far each context is posted.
pub(super) async fn postings(app: &App) -> Result<(i64, BTreeMap<&'static str, Posting>), sqlx::Error> {
    let names: Vec<&str> = app.contexts.tables().map(|context| context.name).collect();
    let rows = sqlx::query(&format!(
        "select c.name, g.generation, g.position, g.fingerprint, b.position as rebuilt_to, r.phase,
                g.ahead_since is not null as ahead, coalesce(r.beats, 0) as beats, coalesce(r.failures, 0) as failures,
                (select e.recorded_at from book.events e where e.position = g.position + 1) as waiting_since,
                {} as tables
         from unnest($1::text[]) with ordinality c(name, place)
         left join book.generations g on g.context = c.name and g.state = 'live'
         left join lateral (select max(b.position) as position from book.generations b
                            where b.context = c.name and b.state = 'building') b on true
         left join book.rebuilds r on r.context = c.name
         order by c.place",
        tables_of("g.schema_name")
    ))
    .bind(names)
    .fetch_all(&app.pools.projector)
    .await?;
    // By itself, for a program without tables has an end of the book, too; last, so that no context is beyond it.
    let end: i64 = sqlx::query_scalar("select book.last_position()")
        .fetch_one(&app.pools.projector)
        .await?;
    let (mut contexts, now) = (BTreeMap::new(), Instant::now());
    for (row, context) in rows.iter().zip(app.contexts.tables()) {
        let generation: Option<i64> = row.try_get("generation")?;
        let tables: Vec<String> = row.try_get("tables")?;
        let tables = whose(
            row.try_get("fingerprint")?,
            app.fingerprints.get(context.name).map(String::as_str),
            tables.is_empty(),
            context.lacks(&tables),
        );
        // Of tables that are not there nothing is posted, whatever is noted.
        let noted = row.try_get::<Option<i64>, _>("position")?;
        let position = noted.filter(|_| tables != Whose::None).unwrap_or(0);
        let rebuilt_to: Option<i64> = row.try_get("rebuilt_to")?;
        let waiting_since: Option<DateTime<Utc>> = row.try_get("waiting_since")?;
        let waits = waiting_since.map(|since| (Utc::now() - since).as_seconds_f64().max(0.0));
        let stands = app.standing.seconds(context.name, position, end - position, now);
        let told = Told {
            reached: (generation.unwrap_or(0), rebuilt_to.unwrap_or(0)),
            beats: row.try_get("beats")?,
            failures: row.try_get("failures")?,
        };
        app.standing.rebuilt(context.name, told, now);
        let phase: Option<String> = row.try_get("phase")?;
        let phase = phase.filter(|_| app.standing.is_rebuilding(context.name, now));
        let posting = Posting {
            tables,
            position,
            lag_events: (end - position).max(0),
            lag_seconds: (tables != Whose::None).then(|| waits.unwrap_or(0.0).max(stands)),
            // What a rebuild that ended or died has left is none that anybody builds.
            rebuilt_to: rebuilt_to.filter(|_| phase.is_some()),
            rebuild: phase,
            begun: app.standing.has_begun(context.name),
            ahead: row.try_get::<bool, _>("ahead")? || position > end,
            stands_seconds: stands,
        };
        contexts.insert(context.name, posting);
    }
    Ok((end, contexts))
}

/// Whose the live tables are that have this fingerprint, for a program that has this one of its own.
fn whose(live: Option<&str>, own: Option<&str>, are_gone: bool, lacks: bool) -> Whose {
    match live {
        None => Whose::None,
        Some(_) if are_gone => Whose::None,
        Some(live) if own == Some(live) && lacks => Whose::None,
        Some(live) if own == Some(live) => Whose::Own,
        // What another version's tables are, only that version can say.
        Some(_) => Whose::AnotherVersions,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STANDS: f64 = AWAITED_SECONDS_MAX + 1.0;

    fn posting(tables: Whose, position: i64, stands_seconds: f64) -> Posting {
        Posting {
            tables,
            position,
            lag_events: 10 - position,
            lag_seconds: Some(stands_seconds),
            rebuilt_to: None,
            rebuild: None,
            begun: false,
            ahead: false,
            stands_seconds,
        }
    }

    #[test]
    fn a_process_that_starts_waits_for_tables_only_while_they_get_on() {
        let is_awaited = |tables, position, stands, rebuilds| {
            missing("sample", &posting(tables, position, stands), 10, rebuilds).is_some()
        };
        for tables in [Whose::None, Whose::AnotherVersions] {
            assert!(is_awaited(tables, 0, 0.0, 0.0) && is_awaited(tables, 10, 0.0, AWAITED_SECONDS_MAX));
            assert!(!is_awaited(tables, 0, 0.0, STANDS));
        }
        assert!(is_awaited(Whose::Own, 9, 0.0, STANDS));
        assert!(!is_awaited(Whose::Own, 9, LAG_SECONDS_MAX + 1.0, 0.0));
        assert!(!is_awaited(Whose::Own, 10, 0.0, 0.0));
    }

    #[test]
    fn tables_that_stand_still_are_awaited_while_they_are_rebuilt() {
        let mut posting = posting(Whose::Own, 0, LAG_SECONDS_MAX + 1.0);
        assert_eq!(missing("sample", &posting, 10, 0.0), None);
        posting.rebuild = Some("indexing".to_owned());
        assert!(missing("sample", &posting, 10, 0.0).is_some());
    }

    #[test]
    fn a_live_generation_whose_tables_are_missing_is_none() {
        assert_eq!(whose(Some("a"), Some("a"), false, false), Whose::Own);
        assert_eq!(whose(Some("a"), Some("a"), false, true), Whose::None);
        assert_eq!(whose(Some("a"), Some("a"), true, true), Whose::None);
        // Another version may never have had what this one lacks.
        assert_eq!(whose(Some("b"), Some("a"), false, true), Whose::AnotherVersions);
        assert_eq!(whose(Some("b"), Some("a"), true, true), Whose::None);
        assert_eq!(whose(None, Some("a"), true, true), Whose::None);
    }
}
