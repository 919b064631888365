//! Limits hold for any text; what is cut says so; what fits is whole.

use dod_messages::stand_in::judge_call;
use dod_messages::{Notice, State, lark, slack};
use proptest::prelude::*;
use serde_json::Value;

use crate::notices::{all_of, calls, disk};

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_of_any_length_stays_within_all_limits(piece in any::<String>(), times in 1usize..3_000) {
        for (door, call) in calls(&all_of(&piece.repeat(times), State::Firing)) {
            prop_assert_eq!(judge_call(door, &call.body), vec![]);
        }
    }

    #[test]
    fn characters_that_grow_when_escaped_stay_within_all_limits(grows in "[\"\\\\&<>*_\\n👩字]{1,30}", times in 1usize..2_000) {
        for (door, call) in calls(&all_of(&grows.repeat(times), State::Resolved)) {
            prop_assert_eq!(judge_call(door, &call.body), vec![]);
        }
    }
}

#[test]
fn a_text_that_was_cut_says_so_and_one_that_fits_is_whole() {
    for (_, call) in calls(&disk()) {
        assert!(!call.body.contains("(cut)") && call.body.contains("Logs were not rotated."));
    }
    let long = Notice {
        conclusion: Some("字".repeat(9_000)),
        ..disk()
    };
    for (door, call) in calls(&long) {
        assert!(call.body.contains("字 … (cut)"), "{door}");
    }
}

#[test]
fn the_bytes_are_below_what_lark_takes_for_a_bot_and_an_app() {
    let worst = all_of(&"\"\\*字👩<at ".repeat(20_000), State::UnableToResolve);
    for (_, call) in calls(&worst) {
        if call.url.contains("open-apis") {
            assert!(call.body.len() <= lark::BOT_BODY_BYTES_MAX, "{}", call.body.len());
        }
    }
}

#[test]
fn slack_gets_few_blocks_and_always_a_text_beside_them() {
    for notice in [
        disk(),
        all_of("", State::Firing),
        all_of(&"x".repeat(1 << 20), State::Firing),
    ] {
        let body: Value =
            serde_json::from_str(&slack::post("https://slack.com/api", "x", "C", &notice, None).body).unwrap();
        assert!(body["attachments"][0]["blocks"].as_array().unwrap().len() < slack::BLOCKS_MAX);
        assert!(!body["text"].as_str().unwrap().is_empty());
    }
}
