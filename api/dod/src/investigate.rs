//! The investigator: finds the skill that an issue calls for, follows its procedure step by step, and concludes.
//!
//! Each step is an event before the next begins. Whoever goes on after a crash reads how far it got, so that no step is done
//! twice but the one that was under way, which only reads.

mod evidence;
pub mod skills;

use std::time::Duration;

use book::BookError;
use chrono::{TimeDelta, Utc};
use dod::issue::{Command, Event, Issue, LogType, Opened};
use dod_skills::investigation::{self, Action, Conclusion, Next, Run};
use dod_skills::sop;
use domain::{AnyEvent, Decider as _, Recorded, Sending};
use http::crew::Worker;
use reactors::{Bounds, Doing, Done, Known, Reactor, Task};
use serde_json::json;
use sqlx::PgPool;

use crate::outward::{self, Outward};
use crate::tools;
use skills::Skills;

/// How long an investigation may take from its beginning on, in minutes: then it concludes of what it has.
pub const INVESTIGATION_MINUTES_MAX: i64 = 5;
/// How long one attempt of it may take, in seconds.
const ATTEMPT_SECONDS_MAX: u64 = 600;
/// Investigations at one time, and of one tenant.
const AT_ONCE: usize = 32;
const PER_TENANT: usize = 8;

/// What it is known by.
pub const KNOWN: Known = Known {
    name: "dod-investigations",
    reads: &[Issue::TYPE],
};

/// The worker.
pub static WORKER: Worker = Worker {
    name: "dod investigations",
    lock: "daybook dod investigations",
    start: |crew| {
        let Some(outward) = Outward::of(crew) else {
            return;
        };
        let investigator = Investigator {
            outward,
            pool: crew.pools.projector.clone(),
            posted: crew.posted.clone(),
            skills: Skills::default(),
        };
        outward::perform(crew, &WORKER, investigator);
    },
};

/// Looks into issues.
#[derive(Debug)]
pub struct Investigator {
    pub outward: Outward,
    pub pool: PgPool,
    pub posted: projections::Posted,
    pub skills: Skills,
}

impl Reactor for Investigator {
    fn known(&self) -> Known {
        KNOWN
    }

    fn tasks(&self, recorded: &Recorded<AnyEvent>) -> Vec<Task> {
        match recorded.of::<Issue>() {
            Some(Event::InvestigationBegun { round, .. }) => vec![Task {
                key: format!("investigate/{round}"),
                lane: recorded.stream,
                target: "issues".to_owned(),
                due_at: None,
            }],
            _ => Vec::new(),
        }
    }

    async fn perform(&self, doing: &Doing<'_>) -> Result<Done, BookError> {
        let Some(Event::InvestigationBegun { round, .. }) = doing.recorded.of::<Issue>() else {
            return Ok(Done::Done);
        };
        loop {
            let issue = doing.book.now::<Issue>(doing.tenant, doing.recorded.stream).await?;
            let Some(now) = issue.as_deref().and_then(Issue::opened) else {
                return Ok(Done::Done);
            };
            let under_way = &now.investigation;
            if under_way.round != *round || under_way.is_over {
                return Ok(Done::Done);
            }
            if under_way.matched.is_none() {
                self.find_skill(doing, now, *round).await?;
                continue;
            }
            self.go_on(doing, now, *round).await?;
        }
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            at_once: AT_ONCE,
            per_tenant: PER_TENANT,
            limit: Duration::from_secs(ATTEMPT_SECONDS_MAX),
        }
    }

    async fn gave_up(&self, doing: &Doing<'_>, because: &str) -> Result<(), BookError> {
        let Some(Event::InvestigationBegun { round, .. }) = doing.recorded.of::<Issue>() else {
            return Ok(());
        };
        let conclusion = Conclusion {
            text: format!("The investigation could not be carried through: {because}. A person has to look."),
            is_real_issue: None,
            evidence: Vec::new(),
            unknown: vec!["everything: the investigation broke off".to_owned()],
        };
        let conclude = Command::Conclude {
            round: *round,
            conclusion: Box::new(conclusion),
        };
        self.send(doing, *round, "give-up", conclude).await
    }
}

impl Investigator {
    async fn find_skill(&self, doing: &Doing<'_>, now: &Opened, round: u32) -> Result<(), BookError> {
        // What somebody entered before the alert came is looked at, too.
        let found = self.skills.find(&self.outward, &self.pool, doing.tenant, now).await?;
        let evidence = evidence::gather(&self.pool, doing.tenant, doing.recorded, now).await?;
        let note = Command::NoteMatch {
            round,
            skill_id: found.skill_id,
            by: found.by,
            why: found.why,
            evidence: Box::new(evidence),
            sop: found.sop,
            metadata: found.metadata,
        };
        self.send(doing, round, "match", note).await
    }

    async fn go_on(&self, doing: &Doing<'_>, now: &Opened, round: u32) -> Result<(), BookError> {
        let under_way = &now.investigation;
        let matched = under_way.matched.as_ref();
        let Some(evidence) = matched.and_then(|matched| matched.evidence.as_deref()) else {
            // The tenant is being deleted, or the body that it rests on is.
            return self.gave_up(doing, "what it looks at was erased").await;
        };
        let mut evidence = evidence.clone();
        evidence.corrections = evidence::corrections(&self.pool, doing.tenant, now).await?;
        let procedure = matched.and_then(|matched| matched.sop.as_deref());
        // One that does not parse any more is followed as if there were none.
        let procedure = procedure.and_then(|procedure| sop::parse(procedure).ok());
        let run = Run::new(procedure.as_ref(), &evidence);
        let is_late = Utc::now() - doing.recorded.at > TimeDelta::minutes(INVESTIGATION_MINUTES_MAX);
        let next = match is_late {
            true => Next::Conclude(run.stopped(
                &under_way.findings,
                &format!("It had taken the {INVESTIGATION_MINUTES_MAX} minutes that it may take."),
            )),
            false => run.next(&under_way.findings),
        };
        match next {
            Next::Conclude(conclusion) => {
                let conclude = Command::Conclude {
                    round,
                    conclusion: Box::new(conclusion),
                };
                self.send(doing, round, "conclude", conclude).await
            }
            Next::Do(step) => {
                let (log_type, finding, metadata) = match &step.action {
                    Action::Local(_) => {
                        let finding = investigation::evaluate_local(&step, &evidence);
                        (LogType::Reasoning, finding, json!({ "notes": step.notes }))
                    }
                    Action::Http(question) => {
                        let finding = tools::ask(&self.outward, doing.tenant, &step, question).await?;
                        let asked = json!({ "notes": step.notes, "tool": question.tool, "path": question.path });
                        (LogType::ToolCalled, finding, asked)
                    }
                };
                let name = format!("step/{}", step.number);
                let note = Command::NoteStep {
                    round,
                    finding: Box::new(finding),
                    log_type,
                    metadata,
                };
                self.send(doing, round, &name, note).await
            }
        }
    }

    async fn send(&self, doing: &Doing<'_>, round: u32, step: &str, command: Command) -> Result<(), BookError> {
        let sending = Sending::of::<Issue>(doing.recorded.stream, command);
        let step = format!("{step}/{}", doing.round);
        if doing.send(&step, vec![sending]).await?.is_some() {
            return Ok(());
        }
        // Another investigation may have begun, or this one have ended: what the issue is now says what comes next.
        // Otherwise it would go round for ever.
        let now = doing.book.now::<Issue>(doing.tenant, doing.recorded.stream).await?;
        let moved_on = |issue: &Issue| {
            let under_way = issue.opened().map(|now| &now.investigation);
            under_way.is_none_or(|under_way| under_way.round != round || under_way.is_over)
        };
        match now.as_deref().is_none_or(moved_on) {
            true => Ok(()),
            false => Err(BookError::Broken(format!(
                "the issue does not take {step} of its investigation"
            ))),
        }
    }
}
