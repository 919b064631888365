//! What is known of solving problems, and which alerts call for it.

use chrono::{DateTime, Utc};
use dod::binding::Binding;
use dod::embedding::{self, Embedding};
use dod::skill::Skill;
use dod_skills::pattern::PatternKind;
use domain::register::{Change, Register};
use domain::{AnyEvent, Recorded};
use uuid::Uuid;

use projections::cell::{Vector, Word};
use projections::fold::{FoldError, Project, actor, existing};
use projections::table::Scope;
use projections::{register, row};

use crate::standing::Standing;

row! {
    /// A problem, and what to do about it. A struck skill's row stays.
    SkillRow = dod.skills
    key {
        /// The skill's id.
        id: Uuid,
    }
    columns {
        /// The user who first entered it; null when Daybook itself did.
        created_by: Option<Uuid>,
        /// What people call it.
        name: String,
        /// The problem that it solves, in the words in which alerts tell of it.
        problem_description: String,
        /// What to do, in Markdown.
        sop: String,
        /// The latest vector of name and problem, by which alerts find it; null before there is one. Only where it is selected.
        embedding: Option<Vector>,
        /// The model that made the vector.
        embedding_model: Option<String>,
        /// SHA-256, in hexadecimal, of the text that the vector was made of: it is of the skill as it is where it is equal to
        /// `text_sha256`.
        embedding_text_sha256: Option<String>,
        /// SHA-256, in hexadecimal, of the text that the skill has for a vector.
        text_sha256: String,
        /// Whether it is in use: `active`, `inactive`.
        status: Word<Standing>,
        /// When it was first entered.
        created_at: DateTime<Utc>,
        /// When it last changed; a vector does not count.
        updated_at: DateTime<Utc>,
    }
    generated {}
    find { id, created_by, name, status, created_at }
    scope { Scope::Tenant }
    masked {}
}

// Not OWNED: the first vector meets the row that the stream of the skill has made.
impl Project for SkillRow {
    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        let is_of_skill = recorded.of::<Register<Skill>>().is_some() || recorded.of::<Embedding>().is_some();
        is_of_skill.then_some(recorded.stream).into_iter().collect()
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        if let Some(embedding::Event::SkillEmbedded {
            model,
            text_sha256,
            vector,
        }) = recorded.of::<Embedding>()
        {
            return Ok(Some(Self {
                embedding: Some(Vector(vector.clone())),
                embedding_model: Some(model.clone()),
                embedding_text_sha256: Some(text_sha256.clone()),
                ..existing(row)?
            }));
        }
        let Some(change) = recorded.of::<Register<Skill>>() else {
            return Ok(row);
        };
        let written = |entry: &Skill, row: Self| Self {
            name: entry.name.clone(),
            problem_description: entry.problem_description.clone(),
            sop: entry.sop.clone(),
            text_sha256: entry.text_sha256(),
            status: Word(Standing::Active),
            updated_at: recorded.at,
            ..row
        };
        let blank = || Self {
            tenant_id: recorded.tenant_id,
            position: recorded.position,
            id,
            created_by: actor(recorded),
            name: String::new(),
            problem_description: String::new(),
            sop: String::new(),
            embedding: None,
            embedding_model: None,
            embedding_text_sha256: None,
            text_sha256: String::new(),
            status: Word(Standing::Active),
            created_at: recorded.at,
            updated_at: recorded.at,
        };
        Ok(match change {
            Change::Entered(entry) => Some(written(entry, row.unwrap_or_else(blank))),
            Change::Amended(entry) => Some(written(entry, existing(row)?)),
            Change::Struck {} => Some(Self {
                status: Word(Standing::Inactive),
                updated_at: recorded.at,
                ..existing(row)?
            }),
            Change::Forgotten {} | Change::Taken {} => row,
        })
    }
}

register! {
    /// A pattern on alerts, and the skill that such alerts call for. A struck one's row is gone.
    AlertSkillBindingRow = dod.alert_skill_bindings of Binding
    columns {
        /// What is looked for.
        alert_pattern: String,
        /// How: `regex`, `keyword`.
        pattern_kind: Word<PatternKind> = |entry| Word(entry.pattern_kind),
        /// Where: `title`, `description`, `source`, `alert_type`, `severity`, `any`, or `labels.` and a label's name.
        field: String = |entry| entry.field.to_string(),
        /// The skill that such alerts call for.
        skill_id: Uuid,
        /// Of several that an alert meets, the one of the highest priority counts; among equals the older.
        priority: i32,
    }
    in_use {}
    find { id, skill_id, priority, created_at }
    scope { Scope::Tenant }
}
