//! Every rule that the decisions of a context are held to, as tests of the context's crate.

/// Makes one test of each rule, called like the rule. It takes the [`domain::Context`] and a function that tells the
/// context's story, and stands in the context's crate, whose folder `golden` has the files.
#[macro_export]
macro_rules! rules {
    (@golden $context:expr, $story:expr => $($rule:ident)+) => {$(
        #[test]
        fn $rule() {
            $crate::Golden::of(&$context, env!("CARGO_MANIFEST_DIR"), &$story()).$rule();
        }
    )+};
    (@schemas $context:expr => $($rule:ident)+) => {$(
        #[test]
        fn $rule() {
            $crate::schemas::$rule(&$context);
        }
    )+};
    (@written $context:expr, $story:expr => $($rule:ident)+) => {$(
        #[test]
        fn $rule() {
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
            $crate::written::$rule(&$context, &$story(), &folder);
        }
    )+};
    (@reaching $context:expr, $story:expr => $($rule:ident)+) => {$(
        #[test]
        fn $rule() {
            $crate::reaching::$rule(&$context, &$story());
        }
    )+};
    ($context:expr, $story:expr) => {
        $crate::rules! { @golden $context, $story =>
            every_event_ever_stored_reads_and_writes_as_it_did
            every_version_ever_stored_is_read
            every_golden_event_is_still_one_of_the_book
            the_history_is_what_the_deciders_make_of_it
            the_history_meets_every_event
            positions_sequences_and_times_of_the_history_run_without_gaps
        }
        $crate::rules! { @schemas $context =>
            every_command_and_every_field_says_what_it_means
            commands_take_no_unknown_fields
            the_command_that_creates_is_one_of_the_commands
        }

        $crate::rules! { @written $context, $story =>
            what_each_state_offers_is_written_down
            what_events_say_in_the_open_is_written_down
        }
        $crate::rules! { @reaching $context, $story =>
            a_command_to_a_stream_of_a_department_is_for_that_department
            a_stream_of_a_department_is_begun_from_that_department
            what_a_command_names_of_a_department_it_draws_on
        }

        #[test]
        fn a_state_that_is_folded_forward_from_anywhere_is_the_one_that_is_loaded() {
            $crate::folding::a_state_that_is_folded_forward_from_anywhere_is_the_one_that_is_loaded(&$story());
        }

        #[test]
        fn events_are_read_when_every_text_of_theirs_is_struck() {
            $crate::folding::events_are_read_when_every_text_of_theirs_is_struck(&$story());
        }

        #[test]
        fn an_amendment_changes_what_it_names_and_leaves_the_rest() {
            $crate::amending::an_amendment_changes_what_it_names_and_leaves_the_rest(&$context, &$story());
        }

        #[test]
        fn plain_kinds_take_what_their_lists_say_and_nothing_else() {
            $crate::plain::plain_kinds_take_what_their_lists_say_and_nothing_else(&$context, &$story());
        }

        #[test]
        fn plain_lists_are_those_of_the_golden_file() {
            $crate::plain::plain_lists_are_those_of_the_golden_file(&$context, env!("CARGO_MANIFEST_DIR"));
        }

        #[test]
        fn what_is_not_offered_is_refused() {
            $crate::offering::what_is_not_offered_is_refused(&$context, &$story());
        }
    };
}
