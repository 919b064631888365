//! Whatever is written as a procedure, it is refused by line or followed to a conclusion.

use proptest::prelude::*;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::*;

const SEEDS: [&str; 3] = [
    super::SOP,
    DEFAULT_SOP,
    "check title matches /a\\/(b|c)*/i\ncheck label \"a b\" is not one of \"x\", y\ncheck value at /a/0/b >= -1.5e3\n\
     check fired at least 3 times in 7 days\ncheck firing for less than 90s\ncheck other alerts do not include \"x\"\n\
     get \"t t\" /a/{label x}?q={title} expect status 2xx or 404 and json /a exists\n- expect body does not match /x/\n\
     if all steps hold then conclude real issue: a: b\nif any step is unknown conclude unknown: c\nconclude false positive: d",
];
const PIECES: [&str; 32] = [
    "check ",
    "get ",
    "expect ",
    "if ",
    "conclude ",
    "\n",
    "```",
    "1. ",
    "- ",
    "\"",
    "/",
    "\\",
    "{",
    "}",
    "step 2 ",
    "it ",
    "holds ",
    "fails ",
    "is ",
    "> ",
    "label ",
    "9999999999999999999",
    "-1",
    "é",
    "\u{202E}",
    "\0",
    "\r",
    " and ",
    ": ",
    "%",
    "磁盘",
    "24h",
];

fn mutated(random: &mut ChaCha8Rng) -> String {
    let mut chars: Vec<char> = SEEDS[random.random_range(0..SEEDS.len())].chars().collect();
    for _ in 0..random.random_range(1..6) {
        let at = random.random_range(0..=chars.len());
        match random.random_range(0..4) {
            0 => drop(chars.splice(at..at, PIECES[random.random_range(0..PIECES.len())].chars())),
            1 => chars.truncate(at.max(20)),
            2 => drop(chars.drain(at..(at + random.random_range(0..12)).min(chars.len()))),
            _ => {
                let part: Vec<char> = chars[at..(at + random.random_range(0..40)).min(chars.len())].to_vec();
                let to = random.random_range(0..=chars.len());
                drop(chars.splice(to..to, part));
            }
        }
    }
    chars.into_iter().collect()
}

fn is_told(markdown: &str, evidence: &Evidence) -> bool {
    match sop::parse(markdown) {
        Err(bad) => {
            let lines = markdown.lines().count().max(1) as u32;
            assert!(
                !bad.is_empty()
                    && bad
                        .iter()
                        .all(|bad| (1..=lines).contains(&bad.line) && !bad.reason.is_empty()),
                "{markdown:?}: {bad:?}"
            );
            false
        }
        Ok(sop) => {
            let answer = |call: &Call| {
                assert!(
                    call.path.starts_with('/') && !call.path.starts_with("//"),
                    "{}",
                    call.path
                );
                (200, "{\"a\": [1]}".to_owned())
            };
            followed(&Run::new(Some(&sop), evidence), evidence, answer);
            true
        }
    }
}

#[test]
fn a_hundred_thousand_mutated_procedures_are_refused_or_followed() {
    let mut random = ChaCha8Rng::seed_from_u64(12);
    let evidence = evidence();
    let read = (0..100_000)
        .filter(|_| is_told(&mutated(&mut random), &evidence))
        .count();
    assert!((10_000..90_000).contains(&read), "{read} of 100,000 were read");
}

proptest! {
    #[test]
    fn any_text_is_refused_or_followed(text in "\\PC*|((check|get|if|conclude|expect)[ a-z0-9/\"{}:>=.%]{0,40}\n){1,8}") {
        is_told(&text, &evidence());
    }

    #[test]
    fn any_answer_of_a_tool_is_judged(status in any::<u16>(), body in any::<Vec<u8>>(), is_cut in any::<bool>()) {
        let step = call("get m /x expect json /a > 1 and body matches /a+/", &evidence());
        let finding = judge_http(&step, status, &body, is_cut);
        prop_assert!(!finding.seen.is_empty() && finding.seen.chars().count() <= SEEN_CHARS_MAX);
    }

    #[test]
    fn any_findings_lead_somewhere(steps in proptest::collection::vec((0..9u32, any::<String>()), 0..12)) {
        let findings: Vec<_> = steps.into_iter().map(|(step, seen)| Finding { step, check: seen.clone(), outcome: Outcome::Held, seen }).collect();
        let sop = sop::parse(super::SOP).unwrap();
        if let Next::Conclude(conclusion) = Run::new(Some(&sop), &evidence()).next(&findings) {
            prop_assert!(!conclusion.text.is_empty() && conclusion.text.len() <= CONCLUSION_BYTES_MAX);
        }
    }
}
