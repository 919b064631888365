//! Five hundred hostile texts: nobody is called, nothing is refused, nothing is beyond a limit.

use dod_messages::State;
use dod_messages::stand_in::{Door, judge_call};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use strum::VariantArray;

use crate::notices::{all_of, calls};

const PIECES: [&str; 64] = [
    "<!channel>",
    "<!here>",
    "<!everyone>",
    "<!subteam^S1|ops>",
    "<@U012AB3CD>",
    "<@W1>",
    "<#C1|general>",
    "@here",
    "@channel",
    "@Everyone",
    "@group",
    "@\u{200B}here",
    "<\u{200B}!here>",
    "<https://evil.example|Open in Daybook>",
    "https://evil.example",
    "<mailto:a@b.c|x>",
    "&lt;!here&gt;",
    "&amp;lt;!here&amp;gt;",
    "&#60;!here&#62;",
    "<at id=all></at>",
    "<AT ID=all></AT>",
    "<at user_id=\"all\">all</at>",
    "<at email=a@b.c></at>",
    "<at ids=a,b></at>",
    "<\u{200D}at id=all>",
    "<\u{FEFF}at id=all>",
    "&#60;at id=all&#62;",
    "&lt;at id=all&gt;",
    "<person id='x'></person>",
    "<font color=red>",
    "<link url='https://evil.example'>",
    "[Open in Daybook](https://evil.example)",
    "![x](img_v2)",
    "](https://evil.example)",
    "**bold**",
    "__bold__",
    "~~gone~~",
    "`code`",
    "```\ncode\n```",
    "\n# heading",
    "\n> quote",
    "\n- list",
    "\n1. list",
    "\n---\n",
    "\n===\n",
    "| a | b |\n|---|---|",
    "$$x$$",
    ":boom:",
    "\u{202E}gpj.exe",
    "\u{2066}\u{2069}",
    "\u{0}\u{1}\u{7}",
    "\u{1b}[31m",
    "\r\n",
    "\u{2028}",
    "漢字かなカナ한글",
    "👩\u{200D}👩\u{200D}👧\u{200D}👦🏴\u{E0067}",
    "é́́́́́",
    "\"}],\"text\":\"x\"",
    "\\\\\\\"",
    "\\u003c!here\\u003e",
    "ﷺ",
    "\u{FFFF}",
    "@\u{2060}here",
    "plain words",
];

/// The first are each piece alone, the last few are a megabyte of one, the others are pieces and random characters mixed.
fn text(number: usize, random: &mut ChaCha8Rng) -> String {
    match number {
        0..64 => PIECES[number].to_owned(),
        64..72 => PIECES[number * 7 % 64].repeat((1 << 20) / PIECES[number * 7 % 64].len() + 1),
        _ => {
            let pieces = random.random_range(1..400);
            (0..pieces)
                .map(|_| match random.random_range(0..4) {
                    0 => random.random::<char>().to_string(),
                    1 => "<".repeat(random.random_range(1..40)),
                    _ => (*PIECES.choose(random).unwrap()).to_owned(),
                })
                .collect()
        }
    }
}

#[test]
fn five_hundred_hostile_texts_call_nobody_and_stay_within_all_limits() {
    let mut random = ChaCha8Rng::seed_from_u64(12);
    for number in 0..500 {
        let text = text(number, &mut random);
        let state = State::VARIANTS[number % State::VARIANTS.len()];
        for (door, call) in calls(&all_of(&text, state)) {
            let faults = judge_call(door, &call.body);
            assert!(
                faults.is_empty(),
                "text {number} {:?} at {door}: {faults:?}",
                text.chars().take(80).collect::<String>()
            );
        }
    }
}

#[test]
fn the_judge_finds_what_is_hostile_when_it_is_not_made_safe() {
    let slack = |text: &str| {
        let block =
            serde_json::json!({ "type": "section", "text": { "type": "mrkdwn", "text": text, "verbatim": true } });
        judge_call(
            Door::SlackWebhook,
            &serde_json::json!({ "text": "x", "blocks": [block] }).to_string(),
        )
    };
    assert!(slack("fine &lt;!here&gt; <https://a.example|a>").is_empty());
    for hostile in [
        "<!channel>",
        "<@U1>",
        "@here",
        "a < b",
        "&",
        "x\u{202E}",
        "<https://a.example|a|b>",
        &"x".repeat(3_001),
    ] {
        assert!(!slack(hostile).is_empty(), "{hostile}");
    }
    let lark = |text: &str| {
        let card = serde_json::json!({
            "schema": "2.0", "config": { "update_multi": true }, "header": { "title": { "tag": "plain_text", "content": "t" } },
            "body": { "elements": [{ "tag": "markdown", "content": text }] },
        });
        judge_call(
            Door::LarkBot,
            &serde_json::json!({ "msg_type": "interactive", "card": card }).to_string(),
        )
    };
    assert!(lark("**k:** v\n[a](https://a.example)").is_empty());
    for hostile in [
        "<at id=all></at>",
        "&#60;at id=all&#62;",
        "[a](javascript:x)",
        "a **b**",
        "`c`",
        "~~d~~",
        &"字".repeat(7_000),
    ] {
        assert!(!lark(hostile).is_empty(), "{hostile}");
    }
}
