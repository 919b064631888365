//! Makes vectors of skills, by which alerts find them that nothing is bound to.
//!
//! They are made by the model that the tenant has configured, or of the words alone. When a configuration changes, skills
//! whose vector is another's are embedded again; until then alerts find these by their words, see [`nearest`].

pub mod endpoint;
pub mod nearest;
#[cfg(any(test, feature = "stand-ins"))]
pub mod stand_in;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use book::BookError;
use dod::configuration::{ConfigType, Configuration};
use dod::embedding::{Command, Embedding};
use dod::skill::Skill;
use dod_skills::model::TEXTS_MAX;
use dod_skills::{lexical, vectors};
use domain::register::{Change, Register};
use domain::{AnyEvent, Decider as _, Recorded, Sending};
use http::crew::Worker;
use projections::Posted;
use reactors::{Bounds, Doing, Done, Known, Reactor, Task};
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use uuid::Uuid;

use crate::outward::{self, Outward};
use endpoint::{Maker, NoVectors};

/// How long a model may take for the vectors of skills, in seconds.
pub const SKILLS_SECONDS_MAX: u64 = 60;
/// How long the skills of a tenant are embedded again at one go, in seconds; then others have a turn.
const AGAIN_SECONDS: u64 = 180;
/// How long one attempt may take, in seconds: those, and what was begun within them.
const ATTEMPT_SECONDS_MAX: u64 = AGAIN_SECONDS + 2 * SKILLS_SECONDS_MAX;
/// How long the tables may be behind, in seconds, before it is tried later.
const POSTED_SECONDS_MAX: u64 = 10;
/// How much later that is, and how soon others' turns are over.
const LATER: Duration = Duration::from_secs(1);

/// What it is known by.
pub const KNOWN: Known = Known {
    name: "dod-embeddings",
    reads: &[Register::<Skill>::TYPE, Register::<Configuration>::TYPE],
};

/// The worker.
pub static WORKER: Worker = Worker {
    name: "dod embeddings",
    lock: "daybook dod embeddings",
    start: |crew| {
        let Some(outward) = Outward::of(crew) else {
            return;
        };
        let embedder = Embedder {
            outward,
            pool: crew.pools.projector.clone(),
            posted: crew.posted.clone(),
        };
        outward::perform(crew, &WORKER, embedder);
    },
};

/// Makes vectors.
#[derive(Debug)]
pub struct Embedder {
    pub outward: Outward,
    pub pool: PgPool,
    pub posted: Posted,
}

impl Reactor for Embedder {
    fn known(&self) -> Known {
        KNOWN
    }

    fn tasks(&self, recorded: &Recorded<AnyEvent>) -> Vec<Task> {
        let (key, lane) = if let Some(change) = recorded.of::<Register<Skill>>() {
            match change {
                Change::Entered(_) | Change::Amended(_) => ("embed", recorded.stream),
                Change::Struck {} | Change::Forgotten {} | Change::Taken {} => return Vec::new(),
            }
        } else {
            match recorded.of::<Register<Configuration>>() {
                Some(Change::Entered(entry)) if entry.config_type != ConfigType::General => return Vec::new(),
                // What it was before does not stand in the event.
                Some(Change::Entered(_) | Change::Amended(_) | Change::Struck {}) => {
                    ("embed-again", recorded.tenant_id)
                }
                Some(Change::Forgotten {} | Change::Taken {}) | None => return Vec::new(),
            }
        };
        vec![Task {
            key: key.to_owned(),
            lane,
            target: "embeddings".to_owned(),
            due_at: None,
        }]
    }

    async fn perform(&self, doing: &Doing<'_>) -> Result<Done, BookError> {
        let maker = Maker::of(&self.outward, doing.tenant).await?;
        // Whoever mends the configurations has all skills embedded again.
        let Some(name) = maker.name() else {
            return Ok(Done::Done);
        };
        let made = match doing.recorded.of::<Register<Skill>>() {
            Some(Change::Entered(skill) | Change::Amended(skill)) => self.skill(doing, &maker, name, skill).await?,
            _ => self.all(doing, &maker, name).await?,
        };
        if made != Done::Done {
            return Ok(made);
        }
        // A configuration that came meanwhile was acted on for the vectors that were there then.
        let now = Maker::of(&self.outward, doing.tenant).await?;
        Ok(match now.name() == Some(name) {
            true => Done::Done,
            false => Done::again("the model was changed meanwhile"),
        })
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            limit: Duration::from_secs(ATTEMPT_SECONDS_MAX),
            ..Bounds::default()
        }
    }
}

impl Embedder {
    async fn skill(&self, doing: &Doing<'_>, maker: &Maker, name: &str, skill: &Skill) -> Result<Done, BookError> {
        let texts = [vectors::text_of_skill(&skill.name, &skill.problem_description)];
        match self.made(doing.tenant, maker, &texts).await {
            Ok(vectors) => {
                self.note(doing, name, &[doing.recorded.stream], &texts, vectors)
                    .await?
            }
            Err(error) => return error.done(),
        }
        Ok(Done::Done)
    }

    /// Embeds all skills again whose vector is not of this maker.
    async fn all(&self, doing: &Doing<'_>, maker: &Maker, name: &str) -> Result<Done, BookError> {
        let patience = Duration::from_secs(POSTED_SECONDS_MAX);
        let position = doing.recorded.position;
        if !self.posted.wait(&dod_tables::CONTEXT, position, patience).await? {
            return Ok(Done::later(LATER, "the tables are behind"));
        }
        let until = Instant::now() + Duration::from_secs(AGAIN_SECONDS);
        let (mut after, mut refused, mut because) = (Uuid::nil(), 0, String::new());
        loop {
            let others = others(&self.pool, doing.tenant, name, after).await?;
            let Some(last) = others.last() else { break };
            if Instant::now() > until {
                return Ok(Done::later(LATER, "there are more skills"));
            }
            after = last.0;
            let (ids, texts): (Vec<Uuid>, Vec<String>) = others.into_iter().unzip();
            match self.made(doing.tenant, maker, &texts).await {
                Ok(vectors) => self.note(doing, name, &ids, &texts, vectors).await?,
                Err(error) if error.may_be_one_text() => {
                    for (id, text) in ids.iter().zip(texts.chunks(1)) {
                        match self.made(doing.tenant, maker, text).await {
                            Ok(vectors) => self.note(doing, name, &[*id], text, vectors).await?,
                            Err(error) if error.may_be_one_text() => {
                                refused += 1;
                                because = error.to_string();
                            }
                            Err(error) => return error.done(),
                        }
                    }
                }
                Err(error) => return error.done(),
            }
        }
        Ok(match refused {
            0 => Done::Done,
            _ => Done::dead(format!("{refused} skills have no vector of the model: {because}")),
        })
    }

    /// The vectors of these texts.
    async fn made(&self, tenant: Uuid, maker: &Maker, texts: &[String]) -> Result<Vec<Vec<f32>>, NoVectors> {
        match maker {
            Maker::Words => Ok(texts.iter().map(|text| lexical::embed(text)).collect()),
            Maker::Model(endpoint) => {
                let egress = &self.outward.egress;
                endpoint.vectors(egress, tenant, texts, SKILLS_SECONDS_MAX).await
            }
            Maker::Nobody { .. } => Ok(Vec::new()),
        }
    }

    async fn note(
        &self,
        doing: &Doing<'_>,
        name: &str,
        skills: &[Uuid],
        texts: &[String],
        vectors: Vec<Vec<f32>>,
    ) -> Result<(), BookError> {
        for ((skill, text), vector) in skills.iter().zip(texts).zip(vectors) {
            let text_sha256 = hex::encode(Sha256::digest(text));
            let step = format!("note/{skill}/{text_sha256}/{name}");
            let note = Command::Note {
                model: name.to_owned(),
                text_sha256,
                vector,
            };
            // Refused when the skill was struck or amended meanwhile: then nobody looks for this vector.
            doing.send(&step, vec![Sending::of::<Embedding>(*skill, note)]).await?;
        }
        Ok(())
    }
}

/// Skills in use after an id whose vector is not of this maker, each with the text that it has for a vector.
async fn others(pool: &PgPool, tenant: Uuid, name: &str, after: Uuid) -> Result<Vec<(Uuid, String)>, BookError> {
    let rows: Vec<(Uuid, String, String)> = sqlx::query_as(
        "select id, name, problem_description from dod.skills
         where tenant_id = $1 and id > $2 and status = 'active'
           and (embedding_model is distinct from $3 or embedding_text_sha256 is distinct from text_sha256)
         order by id limit $4",
    )
    .bind(tenant)
    .bind(after)
    .bind(name)
    .bind(TEXTS_MAX as i64)
    .fetch_all(pool)
    .await?;
    let text = |(id, name, problem): (Uuid, String, String)| (id, vectors::text_of_skill(&name, &problem));
    Ok(rows.into_iter().map(text).collect())
}
