//! The files in `golden` and the story that makes them: one day of a small company, its people first.

mod approvals;
mod devices;
mod fulfilment;
mod history;
mod stock;
mod transfers;

use rehearsal::{Golden, folding, offering, schemas};

use crate::CONTEXT;

fn golden() -> Golden {
    Golden::of(&CONTEXT, env!("CARGO_MANIFEST_DIR"), &history::story())
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
    folding::a_state_that_is_folded_forward_from_anywhere_is_the_one_that_is_loaded(&history::story());
}

#[test]
fn what_is_not_offered_is_refused() {
    offering::what_is_not_offered_is_refused(&CONTEXT, &history::story());
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
