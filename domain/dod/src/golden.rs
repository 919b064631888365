//! The files in `golden` and the story that makes them: one day of those who are on call, their people and settings first.

mod alerts;
mod archives;
mod deliveries;
mod escalations;
mod heartbeats;
mod issues;
mod messages;
mod people;
mod settings;
mod story;

use crate::CONTEXT;

rehearsal::rules!(CONTEXT, story::story);
