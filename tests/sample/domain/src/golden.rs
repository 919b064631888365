//! The files in `golden` and the story that makes them: two jars, and what is written on them.

use chrono::{DateTime, Utc};
use domain::Contexts;
use rehearsal::chronicle::id;
use rehearsal::{Chronicle, Golden, History, folding, offering, schemas};
use serde_json::json;
use uuid::Uuid;

use crate::CONTEXT;
use crate::jar::Jar;

fn golden() -> Golden {
    Golden::of(&CONTEXT, env!("CARGO_MANIFEST_DIR"), &story())
}

#[test]
fn every_event_ever_stored_reads_and_writes_as_it_did() {
    golden().every_event_ever_stored_reads_and_writes_as_it_did();
}

#[test]
fn every_version_ever_stored_is_read() {
    golden().every_version_ever_stored_is_read();
}

#[test]
fn every_golden_event_is_still_one_of_the_book() {
    golden().every_golden_event_is_still_one_of_the_book();
}

#[test]
fn the_history_is_what_the_deciders_make_of_it() {
    golden().the_history_is_what_the_deciders_make_of_it();
}

#[test]
fn the_history_meets_every_event() {
    golden().the_history_meets_every_event();
}

#[test]
fn positions_sequences_and_times_of_the_history_run_without_gaps() {
    golden().positions_sequences_and_times_of_the_history_run_without_gaps();
}

#[test]
fn a_state_that_is_folded_forward_from_anywhere_is_the_one_that_is_loaded() {
    folding::a_state_that_is_folded_forward_from_anywhere_is_the_one_that_is_loaded(&story());
}

#[test]
fn what_is_not_offered_is_refused() {
    offering::what_is_not_offered_is_refused(&CONTEXT, &story());
}

#[test]
fn every_command_and_every_field_says_what_it_means() {
    schemas::every_command_and_every_field_says_what_it_means(&CONTEXT);
}

#[test]
fn commands_take_no_unknown_fields() {
    schemas::commands_take_no_unknown_fields(&CONTEXT);
}

#[test]
fn the_command_that_creates_is_one_of_the_commands() {
    schemas::the_command_that_creates_is_one_of_the_commands(&CONTEXT);
}

/// 2026-01-05T07:00:00Z, a Monday.
const MORNING: DateTime<Utc> = DateTime::from_timestamp_nanos(1_767_596_400_000_000_000);

const KEEPER: Uuid = id(1, 1);
const UPPER: Uuid = id(2, 1);
const LOWER: Uuid = id(2, 2);

/// The golden history, decided anew. The lower jar ends up bare.
fn story() -> History {
    let contexts = Contexts::new(&[&CONTEXT]).unwrap();
    let mut chronicle = Chronicle::new(contexts, KEEPER, MORNING);
    chronicle
        .send::<Jar>(UPPER, json!({"label": {"label": "Screws"}}))
        .send::<Jar>(LOWER, json!({"label": {"label": "Nuts"}}))
        .send::<Jar>(LOWER, json!({"clear": {}}))
        .send::<Jar>(UPPER, json!({"label": {"label": "Nuts"}}));
    chronicle.ended()
}
