//! Makes vectors of skills, by which alerts find them that nothing is bound to.

use book::BookError;
use dod::embedding::{Command, Embedding};
use dod::skill::Skill;
use dod_skills::{lexical, vectors};
use domain::register::{Change, Register};
use domain::{AnyEvent, Decider as _, Recorded, Sending};
use http::crew::Worker;
use reactors::{Doing, Done, Reactor, Task};
use sha2::{Digest as _, Sha256};

use crate::outward;

/// The worker.
pub static WORKER: Worker = Worker {
    name: "dod embeddings",
    lock: "daybook dod embeddings",
    start: |crew| {
        outward::perform(crew, &WORKER, Embedder);
    },
};

/// Makes vectors from words alone, without asking anybody: the same text has the same vector everywhere.
#[derive(Debug, Clone, Copy)]
pub struct Embedder;

impl Reactor for Embedder {
    fn name(&self) -> &'static str {
        "dod-embeddings"
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Register::<Skill>::TYPE]
    }

    fn tasks(&self, recorded: &Recorded<AnyEvent>) -> Vec<Task> {
        match recorded.of::<Register<Skill>>() {
            Some(Change::Entered(_) | Change::Amended(_)) => vec![Task {
                key: "embed".to_owned(),
                lane: recorded.stream,
                target: "embeddings".to_owned(),
                due_at: None,
            }],
            _ => Vec::new(),
        }
    }

    async fn perform(&self, doing: &Doing<'_>) -> Result<Done, BookError> {
        let (Some(Change::Entered(skill)) | Some(Change::Amended(skill))) = doing.recorded.of::<Register<Skill>>()
        else {
            return Ok(Done::Done);
        };
        let text = vectors::text_of_skill(&skill.name, &skill.problem_description);
        let note = Command::Note {
            model: lexical::MODEL.to_owned(),
            text_sha256: hex::encode(Sha256::digest(&text)),
            vector: lexical::embed(&text),
        };
        let sending = Sending::of::<Embedding>(doing.recorded.stream, note);
        // Refused when the skill was struck meanwhile: then nobody looks for it.
        doing.send("note", vec![sending]).await?;
        Ok(Done::Done)
    }
}
