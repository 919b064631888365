//! Which skill an alert calls for, by what is bound to such alerts.

use std::collections::HashMap;

use dod::binding::Binding as Entered;
use dod_skills::matching::{Binding, Matcher};
use dod_skills::subject::Subject;
use domain::register::{Change, Register};
use http::command::past::Tried;
use http::problem::Problem;
use http::query::Source;
use http::query::read::{self, Plan};
use serde_json::{Value, json};
use sqlx::postgres::PgArguments;
use sqlx::{Arguments as _, Postgres, QueryBuilder, Row as _};
use uuid::Uuid;

use super::{Past, Way};
use crate::investigate::skills::binding;

/// Bindings that are read at one go.
const AT_ONCE: usize = 2_000;

const BINDINGS: &str = "select b.id, b.skill_id, b.pattern_kind, b.field, b.alert_pattern, coalesce(b.priority, 0), b.position, \
     s.name from dod.alert_skill_bindings b join dod.skills s on s.id = b.skill_id \
     where s.status = 'active' and b.id > $1 order by b.id limit $2";
const SKILL: &str = "select name from dod.skills where id = $1";

/// The bindings without a command and with it.
pub struct Bound {
    before: Matcher,
    after: Matcher,
    /// The names of the skills that they call for.
    skills: HashMap<Uuid, String>,
}

impl Bound {
    pub async fn of(tried: &Tried<'_>) -> Result<Self, Problem> {
        let (before, mut skills) = all(tried).await?;
        let mut after = before.clone();
        for event in &tried.happened {
            let was = after.iter().position(|binding| binding.id == tried.stream);
            let was = was.map(|place| after.swap_remove(place));
            if let Some(Change::Entered(entry) | Change::Amended(entry)) = event.of::<Register<Entered>>() {
                // A new one is younger than all that there are.
                after.push(changed(tried.stream, entry, was.map_or(i64::MAX, |was| was.since)));
                if !skills.contains_key(&entry.skill_id) {
                    skills.extend(name(tried, entry.skill_id).await?.map(|name| (entry.skill_id, name)));
                }
            }
        }
        // A thousand expressions take tenths of a second, and nobody else is to wait for that.
        let making = tokio::task::spawn_blocking(move || (Matcher::new(before).0, Matcher::new(after).0));
        let (before, after) = making.await.map_err(|error| Problem::internal(&error))?;
        Ok(Self { before, after, skills })
    }

    fn told(&self, matcher: &Matcher, subject: &Subject<'_>) -> (Option<Uuid>, Value) {
        let Some(met) = matcher.first(subject) else {
            // What is nearest to its words is looked for when it comes.
            return (None, json!({ "skill_id": null, "why": "No binding matches." }));
        };
        let told = json!({
            "skill_id": met.skill_id,
            "skill": self.skills.get(&met.skill_id),
            "link": format!("/v1/dod/skills/{}", met.skill_id),
            "binding_id": met.binding_id,
            "why": met.why,
        });
        (Some(met.skill_id), told)
    }
}

impl Way for Bound {
    fn differs(&mut self, alert: &Past<'_>) -> Option<(Value, Value)> {
        let brief = alert.brief;
        let subject = Subject {
            title: &brief.title,
            description: brief.description.as_deref().unwrap_or_default(),
            source: &brief.source,
            alert_type: &brief.alert_type,
            severity: brief.severity,
            labels: &brief.labels,
        };
        let (before, told_before) = self.told(&self.before, &subject);
        let (after, told_after) = self.told(&self.after, &subject);
        (before != after).then_some((told_before, told_after))
    }
}

fn changed(id: Uuid, entry: &Entered, since: i64) -> Binding {
    Binding {
        id,
        skill_id: entry.skill_id,
        kind: entry.pattern_kind,
        field: entry.field.clone(),
        pattern: entry.alert_pattern.clone(),
        priority: entry.priority,
        since,
    }
}

/// The bindings of the tenant to skills in use, and the names of these.
async fn all(tried: &Tried<'_>) -> Result<(Vec<Binding>, HashMap<Uuid, String>), Problem> {
    let (mut bindings, mut skills, mut last) = (Vec::new(), HashMap::new(), Uuid::nil());
    loop {
        let read = rows(tried, BINDINGS, last, Some(AT_ONCE as i64)).await?;
        let is_end = read.rows.len() < AT_ONCE && !read.is_cut;
        for row in &read.rows {
            let skill: (Uuid, String) = (row.try_get(1)?, row.try_get(7)?);
            last = row.try_get(0)?;
            let columns = (
                last,
                skill.0,
                row.try_get(2)?,
                row.try_get(3)?,
                row.try_get(4)?,
                row.try_get(5)?,
                row.try_get(6)?,
            );
            bindings.extend(binding(columns));
            skills.insert(skill.0, skill.1);
        }
        if is_end {
            return Ok((bindings, skills));
        }
    }
}

async fn name(tried: &Tried<'_>, skill: Uuid) -> Result<Option<String>, Problem> {
    let read = rows(tried, SKILL, skill, None).await?;
    Ok(read.rows.first().map(|row| row.try_get(0)).transpose()?)
}

/// Rows of the tenant, by an id and perhaps how many at most.
async fn rows(tried: &Tried<'_>, sql: &'static str, id: Uuid, limit: Option<i64>) -> Result<read::Read, Problem> {
    let source = Source::of(&tried.app.contexts, "dod", "alert_skill_bindings")?;
    let query = move || {
        let mut arguments = PgArguments::default();
        let bound = arguments
            .add(id)
            .and_then(|()| limit.map_or(Ok(()), |limit| arguments.add(limit)));
        debug_assert!(bound.is_ok(), "ids and numbers can always be sent");
        QueryBuilder::<Postgres>::with_arguments(sql, arguments)
    };
    read::rows(tried.app, source.context, tried.by.bearer, None, Plan::OfValues, query).await
}
